"""How every kernel is compiled: one decorator, its options agreed once.

    error_model   "numpy": x / 0 is inf, as in NumPy. The default's check for zero stops vectorization.
    fastmath      sums may be reordered and a·b + c fused, as vectorization needs; NaN and infinity keep their meaning.
    nogil         a kernel touches no Python object; and its threads, which look up BLAS in SciPy, can take the lock.
    cache         on disk where a folder is writable, in memory otherwise.

Set MINIGRAD_NUMBA=0 in the environment to run the NumPy reference of every kernel instead: Numba is not even imported.
"""

import contextlib
import os

enabled = os.environ.get("MINIGRAD_NUMBA", "1") != "0"

if enabled:
    import numba
    from numba import prange
else:
    prange = range

_OPTIONS = {"error_model": "numpy", "fastmath": {"reassoc", "contract", "nsz"}, "nogil": True}


def jit(function, parallel=False):
    """`function` compiled by Numba at its first call for each set of argument types, with the options above.

    parallel=True shares the iterations of `prange` among threads. The plain function is kept as `.py_func`. Numba
    looks for changes in the function's own file only, so a kernel's helpers belong into the kernel's file.
    """
    if not enabled:
        return function
    compiled = numba.njit(parallel=parallel, **_OPTIONS)(function)
    with contextlib.suppress(RuntimeError):  # no folder is writable: not the source's, the user's or NUMBA_CACHE_DIR
        compiled.enable_caching()
    return compiled
