"""How the processor's cores are shared between the kernels and the BLAS of NumPy and SciPy."""

import contextlib
import functools
from collections.abc import Iterator

from threadpoolctl import ThreadpoolController

from minigrad.kernels._jit import enabled, numba


@contextlib.contextmanager
def for_kernels() -> Iterator[None]:
    """Within this context, or in a function decorated with it, BLAS runs matrix products on one thread.

    After each product the worker threads of OpenBLAS spin for a while and keep the kernels' threads from the cores. The
    products here are too small to be faster on several threads.
    """
    keep_scipy_to_one_thread()  # before the context, or leaving the context would undo it
    with _blas().limit(limits=1):
        yield


@contextlib.contextmanager
def single() -> Iterator[None]:
    """Within this context, the kernels that this thread of Python calls run on it alone: for one of several processes
    that share the cores."""
    if not enabled:
        yield
        return
    count = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        yield
    finally:
        numba.set_num_threads(count)


@functools.cache
def keep_scipy_to_one_thread() -> None:
    """Set SciPy's BLAS to one thread until the process ends: kernel threads each call BLAS, so BLAS itself must run on
    one thread.

    NumPy's BLAS is not changed, unless both use the same library.
    """
    for library in _blas().lib_controllers:
        if "scipy" in str(library.filepath) and "numpy" not in str(library.filepath):
            library.set_num_threads(1)


@functools.cache
def _blas():
    with contextlib.suppress(ImportError):
        import scipy.linalg.cython_blas  # noqa: F401  only a loaded BLAS is found
    return ThreadpoolController().select(user_api="blas")
