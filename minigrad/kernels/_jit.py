"""How every kernel is compiled: one decorator with the same options for all.

    error_model   "numpy": x / 0 is inf, as in NumPy. The default's check for zero stops vectorization.
    fastmath      sums may be reordered and a·b + c fused, for vectorization; NaN and infinity keep their meaning.
    nogil         a kernel touches no Python object; and its threads, which look up BLAS in SciPy, can take the lock.
    cache         on disk where a folder is writable, in memory otherwise.

Set MINIGRAD_NUMBA=0 (or "false", "no", "off") in the environment to run the NumPy reference of every kernel instead:
Numba is not even imported. The references run, too, where Numba is not installed, and under NUMBA_DISABLE_JIT=1.

Kernels share their work among threads of OpenMP, of which two things are to be known.

    A waiting thread of GNU's OpenMP spins, for long, on a core that another process may want. `_load_openmp` has it
    give up soon, which slows nothing where the cores are free.

    After `os.fork` such threads are gone: a child's first kernel would end it, or wait for ever. It raises instead.
"""

import contextlib
import functools
import inspect
import os
import threading
import warnings
from typing import Any

import numpy as np


def _import_numba() -> Any:
    """Numba, or None where it is switched off, or missing: that, one warning says."""
    if os.environ.get("MINIGRAD_NUMBA", "1").lower() in ("0", "false", "no", "off"):
        return None
    try:
        import numba
        import numba.extending
    except ImportError as error:  # there is no Numba, or none that goes with this NumPy
        warnings.warn(
            f"Numba cannot be imported ({error}), so minigrad computes with NumPy alone, several times more slowly: "
            "install Numba, or set MINIGRAD_NUMBA=0 in the environment to turn this warning off",
            stacklevel=2,
        )
        return None
    return None if numba.config.DISABLE_JIT else numba  # pyright: ignore


numba = _import_numba()
enabled = numba is not None
prange = numba.prange if enabled else range

_USUAL = {np.dtype(np.float32), np.dtype(np.float64)}  # in this machine's byte order


def usual(*arrays):
    """Whether kernels are compiled for the dtype of all arrays; for other dtypes the NumPy references run."""
    return all(array.dtype in _USUAL for array in arrays)


# ------------------------------------------------------------------------------------------ threads and processes

SPINS = 1000  # rounds of a few nanoseconds that a waiting thread spins before it sleeps
_forked = False
_turn = threading.Lock()


def _load_openmp():
    """Load GNU's OpenMP with a short wait, unless the user has chosen one. It reads its settings when it is loaded."""
    if any(name in os.environ for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "NUMBA_THREADING_LAYER")):
        return
    os.environ["GOMP_SPINCOUNT"] = str(SPINS)
    with contextlib.suppress(ImportError):  # Numba has no OpenMP on this platform
        from numba.np.ufunc import omppool  # noqa: F401  # pyright: ignore
    del os.environ["GOMP_SPINCOUNT"]


def _in_child():
    global _forked, _turn
    _turn = threading.Lock()  # the parent's may be held by a thread that is not here
    with contextlib.suppress(ValueError):  # no kernel has run on threads: they can still be made
        _forked = numba.threading_layer() == "omp"


def _guarded(compiled, function):
    """The kernel with a lock, because not all threading layers allow two callers, and an error in a forked child."""

    @functools.wraps(function)
    def kernel(*arguments):
        if _forked:
            raise RuntimeError(
                "this process was forked after minigrad's kernels had run in its parent, and so lacks their threads: "
                'start processes by multiprocessing.get_context("spawn"), or fork before the first kernel'
            )
        with _turn:
            return compiled(*arguments)

    guarded: Any = kernel
    guarded.compiled, guarded.py_func = compiled, function
    return guarded


if enabled:
    _load_openmp()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_in_child)

# ------------------------------------------------------------------------------------------ compiling

_OPTIONS = {"error_model": "numpy", "fastmath": {"reassoc", "contract", "nsz"}, "nogil": True}


def _internals() -> Any:
    """The modules of Numba and llvmlite whose inner parts are used below, or None where these are not as expected.

    Without them everything is computed as well, but compiled as Numba does by default: more slowly, and the last bits
    may depend on what a process has computed before.
    """
    try:
        from llvmlite import ir
        from numba.core import cgutils, codegen, compiler

        signature = inspect.signature(compiler.Compiler.__init__)
        if (
            list(signature.parameters)[:4] == ["self", "typingctx", "targetctx", "library"]
            and callable(codegen.JITCodeLibrary._optimize_final_module)
            and callable(codegen.JITCodeLibrary.enable_object_caching)
            and callable(cgutils.get_or_insert_function)
            and callable(cgutils.for_range_slice)
            and issubclass(ir.values.AttributeSet, set)
        ):
            return ir, cgutils, codegen, compiler
    except (ImportError, AttributeError, ValueError):
        pass
    warnings.warn(
        f"minigrad does not know the compiler of Numba {numba.__version__}, and uses it as it is: kernels are slower, "
        "and their last bits may differ from one process to the next. Install a version of Numba within the range "
        "in requirements.txt",
        stacklevel=2,
    )
    return None


internals = _internals() if enabled else None
parts: Any = internals or (None,) * 4
ir, cgutils, codegen, compiler = parts

if internals:

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

    parallel=True distributes the iterations of `prange` over threads. inline=True inlines a helper into its callers at
    any size; otherwise their loops do not vectorize. The Python function is available as `.py_func`.

    The cache notices changes in the function's own file only, so a kernel's helpers must be in the kernel's file. It
    identifies functions by name and not by options, so one function cannot be compiled with and without parallel.
    """
    if function is None:
        return lambda function: jit(function, parallel=parallel, inline=inline, entry=entry)
    if not enabled:
        return function
    options = {**_OPTIONS, "parallel": parallel, "forceinline": inline, "no_cpython_wrapper": not entry}
    if entry and internals:
        options["pipeline_class"] = _SelfContained
    compiled = numba.njit(no_cfunc_wrapper=True, **options)(function)
    if entry:
        with contextlib.suppress(RuntimeError):  # no folder is writable: the source's, the user's, or NUMBA_CACHE_DIR
            compiled.enable_caching()
    return _guarded(compiled, function) if parallel else compiled


def by_precision(single, double):
    """The scalar function that is `single` for float32 and `double` for float64, decided when a kernel is compiled."""

    def choose(x):
        return single(x) if x.dtype.itemsize == 4 else double(x)

    if enabled:

        @numba.extending.overload(choose)
        def typed(x):
            chosen = single if x == numba.float32 else double
            return lambda x: chosen(x)

    return choose


def wide_vectors():
    """Call this first in a kernel: it compiles the function, not inlined, for the widest vectors of the processor.

    For many processors with AVX-512, LLVM prefers vectors of half the width, to keep the clock rate high.
    """


if enabled:

    @numba.extending.type_callable(wide_vectors)
    def _type(context):
        return lambda: numba.types.none

    @numba.extending.lower_builtin(wide_vectors)
    def _lower(context, builder, signature, args):
        if internals:
            attributes = builder.function.attributes
            set.add(attributes, '"prefer-vector-width"="512"')  # llvmlite's own add knows no attributes with values
            attributes.add("noinline")  # inside a caller it would be compiled like the caller
        return context.get_dummy_value()


def prefetch(row):
    """Start to fetch a contiguous row of an array into the cache, for use a few microseconds later."""


if enabled:

    @numba.extending.type_callable(prefetch)
    def _type_prefetch(context):
        return lambda row: numba.types.none

    @numba.extending.lower_builtin(prefetch, numba.types.Array)
    def _lower_prefetch(context, builder, signature, args):
        if internals:
            _fetch(builder, context.make_array(signature.args[0])(context, builder, args[0]))
        return context.get_dummy_value()


def _fetch(builder, array):
    """Emit the instructions that fetch the array, 64 bytes at a time."""
    pointer, number = ir.IntType(8).as_pointer(), ir.IntType(32)
    arguments = pointer, number, number, number
    fetch = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(ir.VoidType(), arguments), "llvm.prefetch.p0"
    )
    data = builder.bitcast(array.data, pointer)
    size = builder.mul(builder.extract_value(array.shape, 0), array.itemsize)
    with cgutils.for_range_slice(builder, size.type(0), size, size.type(64)) as (offset, _):
        builder.call(fetch, [builder.gep(data, [offset]), number(0), number(3), number(1)])
