"""The fused LSTM against its readable reference, `layers.lstm_cell`."""

import gc
import weakref

import numpy as np
import pytest

import minigrad as mg
from minigrad import fused, layers


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def network(rng, inputs, hidden, P, dtype=np.float64):
    """Weights and state of a stack of layers, x, and a cotangent for every output."""
    normal = lambda *shape: rng.normal(size=shape).astype(dtype)  # noqa: E731
    weights, x = [], normal(inputs, P)
    for h in hidden:
        weights.append({"W": normal(4, h, inputs), "U": normal(4, h, h), "b": normal(4, h, 1)})
        inputs = h
    state = [(normal(h, P), normal(h, P)) for h in hidden]
    return weights, x, state, [(normal(h, P), normal(h, P)) for h in hidden]


def reference(weights, x, state):
    new = []
    for w, (h, c) in zip(weights, state, strict=True):
        new.append(layers.lstm_cell(w, x, h, c))
        x = new[-1][0]
    return new


def weighted(lstm, cotangents):
    """The scalar Σ cotangent · output, as a function of (weights, x, state)."""

    def f(arguments):
        outputs = lstm(*arguments)
        return sum(
            mg.sum(u * v) for us, vs in zip(cotangents, outputs, strict=True) for u, v in zip(us, vs, strict=True)
        )

    return f


@pytest.mark.parametrize("P", [0, 1, 300])
def test_value_and_gradient_are_those_of_the_reference(rng, P):
    *arguments, cotangents = network(rng, 2, (5, 3), P)
    expected = mg.value_and_grad(weighted(reference, cotangents))(tuple(arguments))
    found = mg.value_and_grad(weighted(fused.lstm, cotangents))(tuple(arguments))
    np.testing.assert_allclose(mg.tree.ravel(found)[0], mg.tree.ravel(expected)[0], rtol=1e-12, atol=1e-12)


def test_float32_gradient_is_close_to_the_float64_reference(rng):
    *arguments, cotangents = network(rng, 2, (20, 20), 300)
    expected = mg.tree.ravel(mg.grad(weighted(reference, cotangents))(tuple(arguments)))[0]
    single = mg.tree.map(lambda a: a.astype(np.float32), (tuple(arguments), cotangents))
    found = mg.grad(weighted(fused.lstm, single[1]))(single[0])
    assert {leaf.dtype for leaf in mg.tree.flatten(found)[0]} == {np.dtype(np.float32)}
    found = mg.tree.ravel(found)[0]
    assert np.linalg.norm(found - expected) <= 1e-5 * np.linalg.norm(expected)


def test_lstm_cell_is_a_drop_in(rng):
    (weights,), x, ((h, c),), _ = network(rng, 2, (5,), 7)
    for a, b in zip(fused.lstm_cell(weights, x, h, c), layers.lstm_cell(weights, x, h, c), strict=True):
        assert type(a) is np.ndarray
        np.testing.assert_allclose(a, b, rtol=1e-13)


def test_gradients_agree_with_finite_differences(rng):
    weights, x, state, cotangents = network(rng, 1, (3, 2), 4)
    mg.check_gradients(lambda *arguments: weighted(fused.lstm, cotangents)(arguments), weights, x, state, order=1)


@pytest.mark.parametrize("which", range(5))
def test_the_gradient_of_one_argument_alone(rng, which):
    (weights,), x, ((h, c),), cotangents = network(rng, 2, (3,), 4)
    leaves = [weights["W"], weights["U"], x, h, c]

    def loss(cell):
        def f(leaf):
            W, U, x, h, c = (*leaves[:which], leaf, *leaves[which + 1 :])
            return weighted(lambda *a: [cell(*a)], cotangents)(({"W": W, "U": U, "b": weights["b"]}, x, h, c))

        return f

    expected = mg.grad(loss(layers.lstm_cell))(leaves[which])
    np.testing.assert_allclose(mg.grad(loss(fused.lstm_cell))(leaves[which]), expected, rtol=1e-12, atol=1e-13)


def test_an_unused_output_has_cotangent_zero(rng):
    (weights,), x, ((h, c),), _ = network(rng, 2, (3,), 4)
    for output in (0, 1):
        expected = mg.grad(lambda h, k=output: mg.sum(layers.lstm_cell(weights, x, h, c)[k]))(h)
        found = mg.grad(lambda h, k=output: mg.sum(fused.lstm_cell(weights, x, h, c)[k]))(h)
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_a_pullback_can_be_called_twice(rng):
    (weights,), x, ((h, c),), _ = network(rng, 2, (3,), 4)
    value, pullback = mg.vjp(lambda h: fused.lstm_cell(weights, x, h, c)[0], h)
    first, second = pullback(np.ones(value.shape)), pullback(np.full(value.shape, 2.0))
    np.testing.assert_allclose(2 * first, second, rtol=1e-14)


def test_arguments_of_any_layout_and_precision(rng):
    *arguments, cotangents = network(rng, 2, (5, 3), 9)
    expected = mg.grad(weighted(fused.lstm, cotangents))(tuple(arguments))
    strided = mg.tree.map(lambda a: np.repeat(a, 2, -1)[..., ::2], tuple(arguments))
    fortran = mg.tree.map(np.asfortranarray, tuple(arguments))
    for other in (strided, fortran):
        found = mg.grad(weighted(fused.lstm, mg.tree.map(np.asfortranarray, cotangents)))(other)
        np.testing.assert_array_equal(mg.tree.ravel(found)[0], mg.tree.ravel(expected)[0])
    weights, x, state = arguments
    mixed = mg.grad(weighted(fused.lstm, cotangents))((weights, x.astype(np.float32), state))
    assert mixed[1].dtype == np.float32
    assert mixed[0][0]["W"].dtype == np.float64


def test_a_second_derivative_raises_and_names_the_fix(rng):
    (weights,), x, ((h, c),), _ = network(rng, 2, (3,), 4)

    def inner(x):
        return mg.grad(lambda w: mg.sum(fused.lstm_cell(w, x, h, c)[0]))(weights)["W"]

    with pytest.raises(mg.SecondDerivativeError, match=r"layers\.lstm_cell.*fused=False.*stop_gradient"):
        mg.grad(lambda x: mg.sum(inner(x)))(x)
    mg.grad(lambda x: mg.sum(x * x * np.sum(inner(mg.stop_gradient(x)))))(x)  # one derivative at a time is fine


def test_a_watched_cotangent_raises(rng):
    (weights,), x, ((h, c),), _ = network(rng, 2, (3,), 4)
    value, pullback = mg.vjp(lambda h: fused.lstm_cell(weights, x, h, c)[0], h)
    with pytest.raises(mg.SecondDerivativeError, match="stop_gradient"):
        mg.grad(lambda u: mg.sum(pullback(u)))(np.ones(value.shape))


def test_shapes_that_do_not_fit_are_named(rng):
    (weights,), x, ((h, c),), _ = network(rng, 2, (3,), 4)
    with pytest.raises(ValueError, match=r"'c'.* has shape \(3, 3\)"):
        fused.lstm_cell(weights, x, h, c[:, :3])
    with pytest.raises(ValueError, match=r"'W'.* has shape"):
        fused.lstm_cell(weights, x[:1], h, c)
    with pytest.raises(ValueError, match="argument"):
        fused.lstm([weights], x, [])
    with pytest.raises(TypeError, match="float16"):
        fused.lstm_cell(*mg.tree.map(lambda a: a.astype(np.float16), (weights, x, h, c)))


def test_nothing_outlives_the_gradient(rng):
    *arguments, cotangents = network(rng, 2, (5, 3), 300)
    seen = []

    def f(arguments):
        outputs = fused.lstm(*arguments)
        seen.extend(weakref.ref(mg.stop_gradient(part)) for pair in outputs for part in pair)
        return sum(mg.sum(h) for h, _ in outputs)

    gc.collect()
    gc.disable()
    try:
        mg.value_and_grad(f)(tuple(arguments))
        assert not any(ref() is not None for ref in seen)
        assert gc.collect() == 0
    finally:
        gc.enable()
