"""How every kernel is compiled: one decorator, its options agreed once.

    error_model   "numpy": x / 0 is inf, as in NumPy. The default's check for zero stops vectorization.
    fastmath      sums may be reordered and a·b + c fused, which vectorization needs; NaN and infinity keep their meaning.
    nogil         a kernel touches no Python object; and its threads, which look up BLAS in SciPy, can take the lock.
    cache         on disk where a folder is writable, in memory otherwise.

Set MINIGRAD_NUMBA=0 in the environment to run the NumPy reference of every kernel instead: Numba is not even imported.
"""

import os

enabled = os.environ.get("MINIGRAD_NUMBA", "1") != "0"

if enabled:
    import numba
    from numba import prange
    from numba.extending import lower_builtin, overload, type_callable
else:
    prange = range

_OPTIONS = {"error_model": "numpy", "fastmath": {"reassoc", "contract", "nsz"}, "nogil": True}


def jit(function=None, *, parallel=False, inline=False):
    """`function` compiled by Numba at its first call for each set of argument types, with the options above.

    parallel=True shares the iterations of `prange` among threads. The plain function is kept as `.py_func`. Numba
    looks for changes in the function's own file only, so a kernel's helpers belong into the kernel's file.
    """
    if function is None:
        return lambda function: jit(function, parallel=parallel, inline=inline)
    if not enabled:
        return function
    compiled = numba.njit(parallel=parallel, forceinline=inline, **_OPTIONS)(function)
    try:
        compiled.enable_caching()
    except RuntimeError:  # no folder is writable: neither the source's, nor the user's, nor NUMBA_CACHE_DIR
        pass
    return compiled


def by_precision(single, double):
    """The scalar function that is `single` for float32 and `double` for float64, decided when a kernel is compiled."""

    def choose(x):
        return single(x) if x.dtype.itemsize == 4 else double(x)

    if enabled:

        @overload(choose)
        def typed(x):
            chosen = single if x == numba.float32 else double
            return lambda x: chosen(x)

    return choose


def wide_vectors():
    """Called first thing in a kernel: compile this function, on its own, for the widest vectors there are.

    For many processors with AVX-512 LLVM prefers vectors of half the width, out of care for the clock of other programs.
    """


if enabled:

    @type_callable(wide_vectors)
    def _type(context):
        return lambda: numba.types.none

    @lower_builtin(wide_vectors)
    def _lower(context, builder, signature, args):
        attributes = builder.function.attributes
        set.add(attributes, '"prefer-vector-width"="512"')  # llvmlite's own add knows no attributes with values
        attributes.add("noinline")  # inside a caller it would be compiled like the caller
        return context.get_dummy_value()
