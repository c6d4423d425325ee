"""The fused LSTM against its readable reference, `layers.lstm`."""

import gc
import weakref

import numpy as np
import pytest

import minigrad as mg
from minigrad import fused, layers
from minigrad.kernels.lstm_compiled import Arguments, State, Weights


def network(inputs, hidden, P, dtype=np.float64):
    """Arguments (weights, x, state) of a stack of layers, and a cotangent for every result."""
    rng = np.random.default_rng(0)

    def normal(*shape):
        return rng.normal(size=shape).astype(dtype)

    x, stack = normal(inputs, P), []
    for h in hidden:
        stack.append({"W": normal(4, h, inputs + h), "b": normal(4, h, 1)})
        inputs = h
    weights = {"layers": stack, "output": {"W": normal(1, inputs), "b": normal(1, 1)}}
    state, cotangents = ([(normal(h, P), normal(h, P)) for h in hidden] for _ in range(2))
    return (weights, x, state), [normal(P), *(u for pair in cotangents for u in pair)]


def results(lstm, arguments):
    y, state = lstm(*arguments)
    return [y, *(part for pair in state for part in pair)]


def weighted(lstm, cotangents):
    """The scalar Σ cotangent · result, as a function of (weights, x, state)."""

    def f(arguments):
        parts = [mg.sum(u * v) for u, v in zip(cotangents, results(lstm, arguments), strict=True)]
        return mg.sum(mg.stack(parts))

    return f


def flat(tree):
    return mg.tree.ravel(tree)[0]


@pytest.mark.parametrize("P", [0, 1, 300])
@pytest.mark.parametrize("hidden", [(3,), (5, 3), (2, 3, 2)])
def test_value_and_gradient_are_those_of_the_reference(P, hidden):
    arguments, cotangents = network(2, hidden, P)
    expected = mg.value_and_grad(weighted(layers.lstm, cotangents))(arguments)
    found = mg.value_and_grad(weighted(fused.lstm, cotangents))(arguments)
    np.testing.assert_allclose(flat(found), flat(expected), rtol=1e-12, atol=1e-12)


def test_float32_gradient_is_close_to_the_float64_reference():
    arguments, cotangents = network(2, (20, 20), 300)
    expected = flat(mg.grad(weighted(layers.lstm, cotangents))(arguments))
    single = mg.tree.map(lambda a: a.astype(np.float32), (arguments, cotangents))
    found = mg.grad(weighted(fused.lstm, single[1]))(single[0])
    assert {leaf.dtype for leaf in mg.tree.flatten(found)[0]} == {np.dtype(np.float32)}
    assert np.linalg.norm(flat(found) - expected) <= 1e-5 * np.linalg.norm(expected)


def test_gradients_agree_with_finite_differences():
    arguments, cotangents = network(1, (3, 2), 4)
    mg.check_gradients(lambda *arguments: weighted(fused.lstm, cotangents)(arguments), *arguments, order=1, step=3e-3)


@pytest.mark.parametrize("which", range(7))
def test_gradient_of_one_argument_alone(which):
    arguments, cotangents = network(2, (3,), 4)
    leaves, rebuild = mg.tree.flatten(arguments)

    def loss(lstm):
        return lambda leaf: weighted(lstm, cotangents)(rebuild([*leaves[:which], leaf, *leaves[which + 1 :]]))

    expected, found = (mg.grad(loss(module.lstm))(leaves[which]) for module in (layers, fused))
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("used", range(5))
def test_unused_results_have_cotangent_zero(used):
    arguments, _ = network(2, (3, 2), 4)
    expected, found = (
        mg.grad(lambda a, m=module: mg.sum(results(m.lstm, a)[used]))(arguments) for module in (layers, fused)
    )
    np.testing.assert_allclose(flat(found), flat(expected), rtol=1e-12, atol=1e-14)


def test_plain_arguments_give_plain_results():
    arguments, _ = network(2, (3, 2), 4)
    for found, expected in zip(results(fused.lstm, arguments), results(layers.lstm, arguments), strict=True):
        assert type(found) is np.ndarray
        np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-14)


def test_pullback_can_be_called_twice():
    arguments, _ = network(2, (3,), 4)
    value, pullback = mg.vjp(lambda a: fused.lstm(*a)[0], arguments)
    np.testing.assert_allclose(2 * flat(pullback(np.ones(value.shape))), flat(pullback(np.full(value.shape, 2.0))))


@pytest.mark.parametrize("layout", [np.asfortranarray, lambda a: np.repeat(a, 2, -1)[..., ::2]])
def test_memory_layout_does_not_matter(layout):
    arguments, cotangents = network(2, (5, 3), 9)
    expected = mg.grad(weighted(fused.lstm, cotangents))(arguments)
    found = mg.grad(weighted(fused.lstm, mg.tree.map(layout, cotangents)))(mg.tree.map(layout, arguments))
    np.testing.assert_array_equal(flat(found), flat(expected))


def test_second_derivative_raises_at_the_call_and_names_the_fix():
    (weights, x, state), _ = network(2, (3,), 4)

    def inner(x):
        return mg.grad(lambda w: mg.sum(fused.lstm(w, x, state)[0]))(weights)["output"]["W"]

    with pytest.raises(mg.SecondDerivativeError, match=r"layers\.lstm.*fused=False.*stop_gradient"):
        mg.grad(lambda x: mg.sum(inner(x)))(x)
    mg.grad(lambda x: mg.sum(x * x * np.sum(inner(mg.stop_gradient(x)))))(x)  # one derivative at a time is fine


def test_differentiating_the_pullback_raises():
    arguments, _ = network(2, (3,), 4)
    value, pullback = mg.vjp(lambda a: fused.lstm(*a)[0], arguments)
    with pytest.raises(mg.SecondDerivativeError, match="stop_gradient"):
        mg.grad(lambda u: mg.sum(pullback(u)[1]))(np.ones(value.shape))


def test_leaves_are_those_of_the_tree():
    (weights, x, [(h, c), (k, d)]), _ = network(2, (3, 2), 4)
    W, b = ([layer[name] for layer in weights["layers"]] for name in ("W", "b"))
    arguments = Arguments(Weights(tuple(W), tuple(b), *weights["output"].values()), x, State((h, k), (c, d)))
    leaves = fused._leaves(arguments)
    assert all(a is b for a, b in zip(leaves, mg.tree.flatten(arguments)[0], strict=True))
    rebuild, rebuild_state = fused._rebuilds(2)
    assert rebuild(leaves) == arguments
    assert rebuild_state(leaves[-4:]) == arguments.state


def test_shapes_and_dtypes_that_do_not_fit_are_named():
    (weights, x, [(h, c)]), _ = network(2, (3,), 4)
    with pytest.raises(ValueError, match=r"layer 0.*\(3, 3\).*not.*\(3, 4\)"):
        fused.lstm(weights, x, [(h, c[:, :3])])
    with pytest.raises(ValueError, match=r"layer 0.*\(4, 3, 5\).*not.*\(4, 3, 4\)"):
        fused.lstm(weights, x[:1], [(h, c)])
    with pytest.raises(ValueError, match=r"read-out.*\(1, 2\)"):
        fused.lstm({**weights, "output": {"W": np.ones((1, 2)), "b": np.ones((1, 1))}}, x, [(h, c)])
    with pytest.raises(ValueError, match="argument"):
        fused.lstm(weights, x, [])
    with pytest.raises(TypeError, match=r"float32.*float64.*astype"):
        fused.lstm(weights, x.astype(np.float32), [(h, c)])


def test_nothing_outlives_the_gradient():
    arguments, _ = network(2, (5, 3), 300)
    seen = []

    def f(arguments):
        parts = results(fused.lstm, arguments)
        seen.extend(weakref.ref(mg.stop_gradient(part)) for part in parts)
        return mg.sum(parts[0]) + mg.sum(parts[1])

    mg.value_and_grad(f)(arguments)  # may compile, and the compiler keeps arguments until the next collection
    seen.clear()
    gc.collect()
    gc.disable()
    try:
        mg.value_and_grad(f)(arguments)
        assert not any(ref() is not None for ref in seen)
        assert gc.collect() == 0
    finally:
        gc.enable()
