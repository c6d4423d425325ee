"""How every kernel is compiled: one decorator, its options agreed once.

    error_model   "numpy": x / 0 is inf, as in NumPy. The default's check for zero stops vectorization.
    fastmath      sums may be reordered and a·b + c fused, for vectorization; NaN and infinity keep their meaning.
    nogil         a kernel touches no Python object; and its threads, which look up BLAS in SciPy, can take the lock.
    cache         on disk where a folder is writable, in memory otherwise.

Set MINIGRAD_NUMBA=0 in the environment to run the NumPy reference of every kernel instead: Numba is not even imported.
"""

import contextlib
import os

enabled = os.environ.get("MINIGRAD_NUMBA", "1") != "0"

if enabled:
    import numba
    from llvmlite import ir
    from numba import prange
    from numba.core import cgutils, codegen, compiler
    from numba.extending import lower_builtin, overload, type_callable
else:
    prange = range

_OPTIONS = {"error_model": "numpy", "fastmath": {"reassoc", "contract", "nsz"}, "nogil": True}


if enabled:

    class _Library(codegen.JITCodeLibrary):
        """The machine code of a kernel, which calls copies of its helpers that are its own.

        Numba lets all kernels of a process share whichever copy came first. But copies are optimized in the company
        of their callers, and differ in rounding: what a kernel computes would depend on what ran before it, and on
        whether it was compiled in this process or came from disk.
        """

        def _optimize_final_module(self):  # where the helpers have just been linked in
            for function in self._final_module.functions:
                if function.linkage.name.endswith("_odr") and not function.is_declaration:
                    function.linkage = "internal"
            super()._optimize_final_module()

    class _SelfContained(compiler.Compiler):
        def __init__(self, typing_context, target_context, library, *rest):
            library = _Library(target_context.codegen(), "kernel")
            library.enable_object_caching()
            super().__init__(typing_context, target_context, library, *rest)


def jit(function=None, *, parallel=False, inline=False, entry=False):
    """Decorator: compile with the options above, at the first call for each set of argument types.

    parallel=True shares the iterations of `prange` among threads. inline=True puts a helper into its callers whatever
    its size, without which their loops do not vectorize. The plain function stays available as `.py_func`.

    The cache notices changes in the function's own file only, so a kernel's helpers belong into the kernel's file; and
    it tells functions apart by name, not by option, so one function cannot be compiled both with and without parallel.
    """
    if function is None:
        return lambda function: jit(function, parallel=parallel, inline=inline, entry=entry)
    if not enabled:
        return function
    options = {**_OPTIONS, "parallel": parallel, "forceinline": inline, "no_cpython_wrapper": not entry}
    if entry:
        options["pipeline_class"] = _SelfContained
    compiled = numba.njit(no_cfunc_wrapper=True, **options)(function)
    if entry:
        with contextlib.suppress(RuntimeError):  # no folder is writable: the source's, the user's, or NUMBA_CACHE_DIR
            compiled.enable_caching()
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

    For many processors with AVX-512, LLVM prefers vectors of half the width, to spare the clock of other programs.
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


def prefetch(row):
    """Begin to fetch a contiguous row of an array into the cache, for use some microseconds from now."""


if enabled:

    @type_callable(prefetch)
    def _type_prefetch(context):
        return lambda row: numba.types.none

    @lower_builtin(prefetch, numba.types.Array)
    def _lower_prefetch(context, builder, signature, args):
        array = context.make_array(signature.args[0])(context, builder, args[0])
        pointer, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        arguments = pointer, number, number, number
        fetch = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(ir.VoidType(), arguments), "llvm.prefetch.p0"
        )
        data = builder.bitcast(array.data, pointer)
        size = builder.mul(builder.extract_value(array.shape, 0), array.itemsize)
        with cgutils.for_range_slice(builder, size.type(0), size, size.type(64)) as (offset, _):
            builder.call(fetch, [builder.gep(data, [offset]), number(0), number(3), number(1)])
        return context.get_dummy_value()
