"""Who uses the cores."""

import pytest
from threadpoolctl import threadpool_info

from minigrad import threads


def blas_threads(part=""):
    return [p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas" and part in p["filepath"]]


def test_blas_takes_one_thread_for_kernels_and_then_what_it_had():
    threads.keep_scipy_to_one_thread()
    before = blas_threads()
    with threads.for_kernels():
        assert set(blas_threads()) == {1}
    assert blas_threads() == before


def test_blas_is_given_back_after_an_error():
    threads.keep_scipy_to_one_thread()
    before = blas_threads()
    with pytest.raises(KeyError), threads.for_kernels():
        raise KeyError
    assert blas_threads() == before


def test_the_blas_that_kernels_call_keeps_to_one_thread_from_then_on():
    with threads.for_kernels():
        pass
    assert set(blas_threads("scipy.libs")) <= {1}
