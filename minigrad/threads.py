"""Who uses the processor's cores: the kernels, or the BLAS below NumPy."""

import contextlib
import functools

from threadpoolctl import ThreadpoolController

from minigrad.kernels import _jit


@contextlib.contextmanager
def for_kernels():
    """Within this context, or in a function decorated with it, a matrix product takes one thread.

    The worker threads of OpenBLAS go on spinning for a while after each product and take the cores from the kernels';
    the products here are too small to gain by more than one thread.
    """
    with _controller().limit(limits=1, user_api="blas"):
        yield


@functools.cache
def _controller():
    if _jit.enabled:
        import scipy.linalg.cython_blas  # noqa: F401  the BLAS that kernels call: it must be there to be found
    return ThreadpoolController()
