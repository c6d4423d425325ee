"""The kernels: compiled = their Python source = the NumPy reference; the same bits every time; and how they compile."""

import os
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest

import minigrad as mg
from minigrad.kernels import _jit, activation, convolution, lstm, normalization, pooling

ROOT = Path(__file__).parents[2]
SIZES = [0, 1, 127, 128, 129, 255, 256, 257, 300]
PARALLEL = 5 * lstm.TILE + 3


def operands(P, dtype, hidden=(20, 20), inputs=2):
    """Arguments of `forward`, and cotangents of its results."""
    rng = np.random.default_rng(P)
    normal = lambda *shape: rng.normal(size=shape).astype(dtype)  # noqa: E731
    x, W, b = normal(inputs, P), [], []
    for h in hidden:
        W.append(normal(4, h, inputs + h) * dtype(0.3))
        b.append(normal(4, h, 1))
        inputs = h
    h, c, dh, dc = (tuple(normal(n, P) for n in hidden) for _ in range(4))
    return (x, normal(1, inputs), normal(1, 1), tuple(W), tuple(b), h, c), (normal(P), dh, dc)


def assert_close(found, expected, tolerance):
    if isinstance(expected, tuple):
        for a, b in zip(found, expected, strict=True):
            assert_close(a, b, tolerance)
    else:
        assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
        np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * max(1.0, np.abs(expected).max(initial=0)))


def uncompiled(monkeypatch, *modules):
    """Let the kernels of these modules run as the Python they are written in."""
    for module in modules:
        for name, function in vars(module).copy().items():
            monkeypatch.setattr(module, name, getattr(function, "py_func", function))


TOLERANCE = {np.float32: 2e-6, np.float64: 1e-14}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("P", [*SIZES, PARALLEL])
def test_compiled_is_the_numpy_reference(P, dtype):
    arguments, cotangents = operands(P, dtype)
    new = lstm.forward(*arguments)
    assert_close(new, lstm.forward_reference(*arguments), TOLERANCE[dtype])
    for input_gradient in (False, True):
        further = (*arguments, new[1], *cotangents, input_gradient)
        assert_close(lstm.backward(*further), lstm.backward_reference(*further), TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("hidden", [(2,), (3, 2), (2, 4, 1)])
@pytest.mark.parametrize("P", [0, 1, 9])
def test_the_python_source_is_the_numpy_reference(P, hidden, dtype, monkeypatch):
    uncompiled(monkeypatch, lstm)
    monkeypatch.setattr(lstm, "TILE", 4)  # so that nine coordinates make several chunks
    monkeypatch.setattr(lstm, "tanh", _jit.by_precision(lstm._single, lstm._double))
    arguments, cotangents = operands(P, dtype, hidden, inputs=3)
    new = lstm.forward(*arguments)
    assert_close(new, lstm.forward_reference(*arguments), TOLERANCE[dtype])
    further = (*arguments, new[1], *cotangents, True)
    assert_close(lstm.backward(*further), lstm.backward_reference(*further), TOLERANCE[dtype])


@pytest.mark.parametrize("small", [0, 10**9])
def test_the_python_source_of_the_image_kernels_is_the_numpy_reference(small, monkeypatch):
    rng = np.random.default_rng(0)
    arguments = [rng.normal(size=shape) for shape in ((3, 3, 6, 5), (5, 3, 3, 3), (5,))]
    kernels = activation, convolution, normalization, pooling

    def gradient():
        def f(arguments):
            x, weights, bias = arguments
            y = mg.relu(mg.conv2d(x, weights, bias, padding="same"))
            return mg.sum(mg.sin(mg.max_pool2d(mg.batch_norm(y, bias, bias), 2)))

        return mg.tree.ravel(mg.grad(f)(arguments))[0]

    uncompiled(monkeypatch, *kernels)
    for module in kernels:
        monkeypatch.setattr(module, "SMALL", small)
    found = gradient()
    for module in kernels:
        monkeypatch.setattr(module, "enabled", False)
    np.testing.assert_allclose(found, gradient(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_same_bits_in_every_run_and_on_any_number_of_threads(dtype):
    arguments, cotangents = operands(PARALLEL, dtype)

    def run():
        new = lstm.forward(*arguments)
        found = lstm.backward(*arguments, new[1], *cotangents, True)
        return [np.asarray(a).tobytes() for part in (*new, *found) for a in (part if type(part) is tuple else [part])]

    threads = numba.get_num_threads()
    assert run() == run()
    try:
        numba.set_num_threads(1)
        one = run()
    finally:
        numba.set_num_threads(threads)
    assert run() == one


def test_chunks_are_few_and_those_of_two_threads_are_equal():
    for P in (0, 1, lstm.TILE, lstm.TILE + 1, 1280, 5_000, 15_910, 10**6):
        size = lstm._chunk_size(P)
        chunks = -(-P // size)
        assert chunks <= lstm.CHUNKS
        if lstm.TILE < P <= lstm.TILE * lstm.CHUNKS:
            assert chunks % 2 == 0
            assert size <= lstm.TILE
        else:
            assert size % lstm.TILE == 0


# ------------------------------------------------------------------------------------------ tanh


@_jit.jit(entry=True)
def quotients(x, y):
    for k in range(x.size):
        p, q = lstm.tanh(x[k])
        y[k] = p / q


@pytest.mark.skipif(not _jit.enabled, reason="35 million numbers, one at a time in Python, take minutes")
def test_the_error_of_tanh_over_the_whole_float32_range():
    bits = np.arange(0, 0x7F800000, 61, dtype=np.uint32)  # every 61st positive number, subnormal to largest
    worst = 0.0
    for x in np.array_split(bits.view(np.float32), 64):
        y = np.empty_like(x)
        quotients(x, y)
        exact = np.tanh(x.astype(np.float64))
        unit = np.maximum(np.exp2(np.floor(np.log2(np.maximum(exact, 1e-60))) - 23), 2.0**-149)
        worst = max(worst, (np.abs(y - exact) / unit).max())
    assert worst <= lstm.TANH_ULPS


def test_tanh_is_odd_and_keeps_what_is_not_finite():
    x = np.array([0.0, 1e-30, 0.3, 8.0, 1e30, np.inf, np.nan], np.float32)
    y, negative = np.empty_like(x), np.empty_like(x)
    quotients(x, y)
    quotients(-x, negative)
    np.testing.assert_array_equal(y, -negative)
    assert np.isnan(y[-1])
    np.testing.assert_allclose(y[-3:-1], 1.0, atol=2e-7)


def test_not_a_number_is_passed_on():
    arguments, _ = operands(300, np.float32)
    arguments[0][:, 270] = np.nan
    y, *state = lstm.forward(*arguments)
    assert np.isnan(y).nonzero()[0].tolist() == [270]
    for new in state:
        for array in new:
            assert np.isnan(array).all(0).nonzero()[0].tolist() == [270]
            assert np.isnan(array).any(0).nonzero()[0].tolist() == [270]


# ------------------------------------------------------------------------------------------ how they compile


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


def test_everything_runs_without_numba():
    code = """
import sys, numpy as np, minigrad as mg
from minigrad import fused
r = np.random.default_rng(0).normal
w = {"layers": [{"W": r(size=(4, 3, 5)), "b": r(size=(4, 3, 1))}], "output": {"W": r(size=(1, 3)), "b": r(size=(1, 1))}}
x, h, c = r(size=(2, 5)), r(size=(3, 5)), r(size=(3, 5))
mg.check_gradients(lambda w, x, *pair: fused.lstm(w, x, [pair])[0], w, x, h, c, order=1)
print("numba" in sys.modules)
"""
    assert python(code, MINIGRAD_NUMBA="0").strip() == "False"


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
