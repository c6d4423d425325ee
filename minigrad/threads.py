"""Who uses the processor's cores: the kernels, or the BLAS below NumPy and SciPy."""

import contextlib
import functools

from threadpoolctl import ThreadpoolController


@contextlib.contextmanager
def for_kernels():
    """Within this context, or in a function decorated with it, a matrix product takes one thread.

    The worker threads of OpenBLAS go on spinning for a while after each product and take the cores from the kernels';
    the products here are too small to gain by more than one thread.
    """
    keep_scipy_to_one_thread()  # first, or leaving the context would undo it
    with _blas().limit(limits=1):
        yield


@functools.cache
def keep_scipy_to_one_thread():
    """For the rest of the process: kernels call SciPy's BLAS from threads of their own, where more would only collide.

    NumPy's own BLAS, where it is another library, is left as it is.
    """
    for library in _blas().lib_controllers:
        if "scipy" in str(library.filepath) and "numpy" not in str(library.filepath):
            library.set_num_threads(1)


@functools.cache
def _blas():
    with contextlib.suppress(ImportError):
        import scipy.linalg.cython_blas  # noqa: F401  a BLAS must be loaded to be found
    return ThreadpoolController().select(user_api="blas")
