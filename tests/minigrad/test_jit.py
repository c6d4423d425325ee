"""How kernels are compiled, or not: without Numba, with another Numba, without a cache; processes and threads."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from minigrad.kernels import _jit

ROOT = Path(__file__).parents[2]


def python(code, **environment):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code], env=environment, check=True, capture_output=True, text=True
    ).stdout


def test_import_compiles_nothing():
    code = """
import sys, minigrad, minigrad.fused, l2l, minigrad.kernels.lstm
kernels = [module for name, module in sys.modules.items() if name.startswith("minigrad.kernels.")]
functions = [getattr(f, "compiled", f) for module in kernels for f in vars(module).values()]
compiled = [f for f in functions if hasattr(f, "signatures")]
print(len(compiled) > 10, [f for f in compiled if f.signatures])
"""
    assert python(code, MINIGRAD_NUMBA="1").strip() == "True []"


ALL_KERNELS = """
import numpy as np, minigrad as mg, l2l
from minigrad import fused
from minigrad.kernels import activation
r = np.random.default_rng(0).normal
w = {"layers": [{"W": r(size=(4, 3, 5)), "b": r(size=(4, 3, 1))}], "output": {"W": r(size=(1, 3)), "b": r(size=(1, 1))}}
x, h, c = r(size=(2, 5)), r(size=(3, 5)), r(size=(3, 5))
mg.check_gradients(lambda w, x, *pair: fused.lstm(w, x, [pair])[0], w, x, h, c, order=1)
images, filters = r(size=(2, 3, 4, 4)), r(size=(2, 3, 3, 3))
net = lambda x, w: mg.max_pool2d(mg.batch_norm(mg.conv2d(x, w, padding="same"), np.ones(2), np.ones(2)), 2)
mg.check_gradients(net, images, filters, order=1, step=1e-4, tolerance=1e-6)
assert np.all(mg.grad(lambda x: mg.sum(mg.relu(x)))(np.ones(activation.SMALL)) == 1.0)
import sys
print("done, with Numba:", bool(sys.modules.get("numba")))
"""


def test_everything_runs_with_numba_switched_off():
    assert python(ALL_KERNELS, MINIGRAD_NUMBA="0").strip() == "done, with Numba: False"


def test_everything_runs_where_numba_is_missing_and_one_warning_says_so():
    code = f"""
import sys, warnings
sys.modules["numba"] = None  # which makes its import fail
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    import numpy
    del seen[:]
    {ALL_KERNELS.strip().replace(chr(10), chr(10) + "    ")}
print(*[str(warning.message) for warning in seen], sep=chr(10))
"""
    done, *warnings = python(code, MINIGRAD_NUMBA="1").splitlines()
    assert done == "done, with Numba: False"
    assert len(warnings) == 1
    assert re.search("Numba cannot be imported .*NumPy alone.*MINIGRAD_NUMBA=0", warnings[0])


KERNEL = """
from minigrad.kernels._jit import jit, prefetch, wide_vectors

@jit(entry=True)
def double(x):
    wide_vectors()
    prefetch(x)
    return x[0] + x[0]
"""


def test_a_kernel_compiles_where_no_folder_is_writable(tmp_path):
    (tmp_path / "file").touch()
    source = tmp_path / "kernel.py"
    source.write_text(KERNEL)
    # Below a file no folder can be made, whoever runs this.
    nowhere = str(tmp_path / "file" / "cache")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import numpy, kernel; print(kernel.double(numpy.ones(1)))"
    )
    assert python(code, NUMBA_CACHE_DIR=nowhere).strip() == "2.0"


CHANGED_INTERNALS = {
    "a compiler with other parameters": """
from numba.core import compiler
old = compiler.Compiler.__init__
compiler.Compiler.__init__ = lambda self, *everything: old(self, *everything)
""",
    "a class that has gone": """
from numba.core import codegen
del codegen.JITCodeLibrary
""",
}


@pytest.mark.skipif(not _jit.enabled, reason="about compiled code")
@pytest.mark.parametrize("change", CHANGED_INTERNALS)
def test_where_the_inside_of_numba_is_not_as_expected_kernels_are_compiled_as_numba_does(change, tmp_path):
    (tmp_path / "kernel.py").write_text(KERNEL)
    code = f"""
import sys, warnings
{CHANGED_INTERNALS[change]}
sys.path.insert(0, {str(tmp_path)!r})
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    import numpy, minigrad, kernel
    from minigrad.kernels import activation
    print(kernel.double(numpy.ones(1)), minigrad.relu(numpy.ones(activation.SMALL)).sum() == activation.SMALL)
print(*[str(warning.message) for warning in seen], sep=chr(10))
"""
    values, *warnings = python(code, MINIGRAD_NUMBA="1", NUMBA_CACHE_DIR=str(tmp_path)).splitlines()
    assert values == "2.0 True"
    assert len(warnings) == 1
    assert re.search("does not know the compiler of Numba .*slower.*last bits", warnings[0])


@pytest.mark.skipif(not _jit.enabled, reason="about compiled code")
def test_the_inside_of_this_numba_is_as_expected():
    assert _jit.internals


# ------------------------------------------------------------------------------------------ processes and threads

PARALLEL_RELU = """
import os, sys, threading, numpy as np, minigrad as mg
from minigrad.kernels import activation
x = np.ones(activation.SMALL)
"""


@pytest.mark.skipif(not hasattr(os, "fork") or not _jit.enabled, reason="needs fork and threads of kernels")
def test_a_forked_child_is_told_at_once_that_it_has_no_threads():
    code = """
mg.relu(x)
if os.fork():
    sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
try:
    mg.relu(x)
except RuntimeError as error:
    os._exit(7 if "spawn" in str(error) else 8)
os._exit(0 if __import__("numba").threading_layer() != "omp" else 9)
"""
    with pytest.raises(subprocess.CalledProcessError) as stopped:
        python(PARALLEL_RELU + code, MINIGRAD_NUMBA="1", NUMBA_THREADING_LAYER="omp")
    assert stopped.value.returncode == 7


@pytest.mark.skipif(not hasattr(os, "fork") or not _jit.enabled, reason="needs fork and threads of kernels")
def test_a_process_forked_before_the_first_kernel_runs_its_own():
    code = """
if os.fork():
    sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
os._exit(0 if mg.relu(x).sum() == x.size else 1)
"""
    python(PARALLEL_RELU + code, MINIGRAD_NUMBA="1", NUMBA_THREADING_LAYER="omp")


@pytest.mark.skipif(not _jit.enabled, reason="needs threads of kernels")
@pytest.mark.parametrize("layer", ["omp", "workqueue"])
def test_several_threads_may_call_kernels(layer):
    code = """
wrong = []
def work():
    for _ in range(50):
        if mg.relu(x).sum() != x.size:
            wrong.append(1)
threads = [threading.Thread(target=work) for _ in range(4)]
[thread.start() for thread in threads], [thread.join() for thread in threads]
print(len(wrong))
"""
    assert python(PARALLEL_RELU + code, MINIGRAD_NUMBA="1", NUMBA_THREADING_LAYER=layer).strip() == "0"


def test_threads_wait_shortly_unless_the_user_has_chosen_and_no_setting_is_left_behind():
    code = "import os, minigrad; print(os.environ.get('GOMP_SPINCOUNT'))"
    assert python(code).strip() == "None"
    assert python(code, GOMP_SPINCOUNT="7").strip() == "7"


@pytest.mark.skipif(sys.platform != "linux" or not _jit.enabled, reason="GNU's OpenMP tells its settings on Linux")
def test_openmp_is_loaded_with_a_short_wait():
    code = "import minigrad"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_DISPLAY_ENV": "verbose", "MINIGRAD_NUMBA": "1"}
    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert f"GOMP_SPINCOUNT = '{_jit.SPINS}'" in told.stderr


@pytest.mark.parametrize(
    ("name", "value"), [("MINIGRAD_NUMBA", "false"), ("MINIGRAD_NUMBA", "No"), ("NUMBA_DISABLE_JIT", "1")]
)
def test_kernels_can_be_switched_off(name, value):
    code = """
import numpy as np, minigrad as mg
from minigrad.kernels import _jit
print(_jit.enabled, mg.grad(lambda x: mg.sum(mg.max_pool2d(x, 2)))(np.ones((1, 1, 2, 2))).ravel())
"""
    environment = {"MINIGRAD_NUMBA": "1", name: value}
    assert python(code, **environment).strip() == "False [1. 0. 0. 0.]"
