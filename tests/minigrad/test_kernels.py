"""The kernels: compiled = their Python source = the NumPy reference, and the same bits every time."""

import numba
import numpy as np
import pytest

import minigrad as mg
from minigrad.kernels import _jit, activation, convolution, lstm, lstm_compiled, lstm_numpy, normalization, pooling
from minigrad.kernels.lstm_compiled import Arguments, State, Weights

SIZES = [0, 1, 127, 128, 129, 255, 256, 257, 300]
PARALLEL = 5 * lstm_compiled.TILE + 3


def operands(P, dtype, hidden=(20, 20), inputs=2):
    """Arguments of `forward`, and the cotangents of its results, y and the new state."""
    rng = np.random.default_rng(P)
    normal = lambda *shape: rng.normal(size=shape).astype(dtype)  # noqa: E731
    x, W, b = normal(inputs, P), [], []
    for h in hidden:
        W.append(normal(4, h, inputs + h) * dtype(0.3))
        b.append(normal(4, h, 1))
        inputs = h
    h, c, dh, dc = (tuple(normal(n, P) for n in hidden) for _ in range(4))
    weights = Weights(tuple(W), tuple(b), normal(1, inputs), normal(1, 1))
    return Arguments(weights, x, State(h, c)), (normal(P), State(dh, dc))


def forward_and_backward(arguments, cotangents, input_gradient=True, module=lstm):
    """All arrays that a step computes: y, the new state, and the cotangents of the arguments."""
    y, new = module.forward(arguments)
    return y, new, module.backward(arguments, new.h, *cotangents, input_gradient)


def in_bytes(arrays):
    """The bits of all arrays of a tree."""
    return [np.asarray(array).tobytes() for array in mg.tree.flatten(arrays)[0]]


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
    y, new = lstm.forward(arguments)
    assert_close((y, new), lstm_numpy.forward(arguments), TOLERANCE[dtype])
    for input_gradient in (False, True):
        further = (arguments, new.h, *cotangents, input_gradient)
        assert_close(lstm.backward(*further), lstm_numpy.backward(*further), TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("hidden", [(2,), (3, 2), (2, 4, 1)])
@pytest.mark.parametrize("P", [0, 1, 9])
def test_the_python_source_is_the_numpy_reference(P, hidden, dtype, monkeypatch):
    uncompiled(monkeypatch, lstm_compiled)
    monkeypatch.setattr(lstm_compiled, "TILE", 4)  # so that nine coordinates make several chunks
    monkeypatch.setattr(lstm_compiled, "tanh", _jit.by_precision(lstm_compiled._single, lstm_compiled._double))
    arguments, cotangents = operands(P, dtype, hidden, inputs=3)
    y, new = lstm.forward(arguments)
    assert_close((y, new), lstm_numpy.forward(arguments), TOLERANCE[dtype])
    further = (arguments, new.h, *cotangents, True)
    assert_close(lstm.backward(*further), lstm_numpy.backward(*further), TOLERANCE[dtype])


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
        return in_bytes(forward_and_backward(arguments, cotangents))

    threads = numba.get_num_threads()
    assert run() == run()
    try:
        numba.set_num_threads(1)
        one = run()
    finally:
        numba.set_num_threads(threads)
    assert run() == one


def test_chunks_are_few_and_those_of_two_threads_are_equal():
    tile = lstm_compiled.TILE
    for P in (0, 1, tile, tile + 1, 1280, 5_000, 15_910, 10**6):
        size = lstm._chunk_size(P)
        chunks = -(-P // size)
        assert chunks <= lstm.CHUNKS
        if tile < P <= tile * lstm.CHUNKS:
            assert chunks % 2 == 0
            assert size <= tile
        else:
            assert size % tile == 0


# ------------------------------------------------------------------------------------------ tanh


@_jit.jit(entry=True)
def quotients(x, y):
    for k in range(x.size):
        p, q = lstm_compiled.tanh(x[k])
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
    assert worst <= lstm_compiled.TANH_ULPS


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
    arguments.x[:, 270] = np.nan
    y, state = lstm.forward(arguments)
    assert np.isnan(y).nonzero()[0].tolist() == [270]
    for new in state:
        for array in new:
            assert np.isnan(array).all(0).nonzero()[0].tolist() == [270]
            assert np.isnan(array).any(0).nonzero()[0].tolist() == [270]
