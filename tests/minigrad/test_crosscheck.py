"""The same functions in PyTorch and JAX, where installed: values, gradients and Hessian-vector products."""

import importlib.util

import numpy as np
import pytest

import minigrad as mg
from tests.minigrad.test_primitives import floats_of

pytestmark = pytest.mark.crosscheck


def needs(package):
    return pytest.mark.skipif(importlib.util.find_spec(package) is None, reason=f"{package} is not installed")


RNG = np.random.default_rng(0)
WEIGHTS = {
    "W1": RNG.normal(size=(5, 4)),
    "b1": RNG.normal(size=4),
    "W2": RNG.normal(size=(4, 3)),
    "b2": RNG.normal(size=3),
}
DIRECTION = {name: RNG.normal(size=w.shape) for name, w in WEIGHTS.items()}
INPUTS, LABELS = RNG.normal(size=(6, 5)), np.array([0, 1, 2, 2, 1, 0])
CELL = {"W": RNG.normal(size=(4, 3, 5)), "b": RNG.normal(size=(4, 3, 1))}
X, H, C = RNG.normal(size=(2, 5)), RNG.normal(size=(3, 5)), RNG.normal(size=(3, 5))


def classifier(w):
    hidden = mg.tanh(INPUTS @ w["W1"] + w["b1"])
    return hidden @ w["W2"] + w["b2"]


def loss(w):
    return mg.cross_entropy(classifier(w), LABELS)


def assert_equal_trees(found, expected):
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], np.asarray(value), rtol=1e-9, atol=1e-12)


@needs("torch")
def test_classifier_equals_torch():
    import torch

    w = {name: torch.tensor(value, requires_grad=True) for name, value in WEIGHTS.items()}
    hidden = torch.tanh(torch.tensor(INPUTS) @ w["W1"] + w["b1"])
    value = torch.nn.functional.cross_entropy(hidden @ w["W2"] + w["b2"], torch.tensor(LABELS))
    gradients = torch.autograd.grad(value, list(w.values()), create_graph=True)
    dot = sum((g * torch.tensor(DIRECTION[name])).sum() for name, g in zip(w, gradients, strict=True))
    products = torch.autograd.grad(dot, list(w.values()))
    ours, gradient = mg.value_and_grad(loss)(WEIGHTS)
    assert ours == pytest.approx(value.item(), rel=1e-12)
    assert_equal_trees(gradient, {n: g.detach() for n, g in zip(w, gradients, strict=True)})
    assert_equal_trees(mg.hvp(loss, WEIGHTS, DIRECTION), dict(zip(w, products, strict=True)))


@needs("torch")
def test_lstm_cell_equals_torch():
    import torch

    def joined(weights):  # torch stacks the same gates, i, f, g, o, in one matrix; its sequences are rows
        return torch.tensor(np.concatenate(weights))

    cell = torch.nn.LSTMCell(2, 3).double()
    with torch.no_grad():
        cell.weight_ih.copy_(joined(CELL["W"][:, :, :2]))
        cell.weight_hh.copy_(joined(CELL["W"][:, :, 2:]))
        cell.bias_ih.copy_(joined(CELL["b"])[:, 0])
        cell.bias_hh.zero_()
    h, c = cell(torch.tensor(X.T), (torch.tensor(H.T), torch.tensor(C.T)))
    total = (h * h).sum() + (c * c).sum()
    gradients = torch.autograd.grad(total, [cell.weight_ih, cell.weight_hh, cell.bias_ih])

    def ours(weights):
        h, c = mg.layers.lstm_cell(weights, X, H, C)
        return mg.sum(h * h) + mg.sum(c * c)

    value, gradient = mg.value_and_grad(ours)(CELL)
    assert value == pytest.approx(total.item(), rel=1e-12)
    expected = torch.cat(gradients[:2], dim=1).numpy()
    np.testing.assert_allclose(np.concatenate(gradient["W"]), expected, rtol=1e-9)
    np.testing.assert_allclose(np.concatenate(gradient["b"])[:, 0], gradients[2].numpy(), rtol=1e-9)


def jax_function(name):
    """The JAX function that computes the same in one call, or None."""
    import jax
    import jax.numpy as jnp

    def over_axis(f):
        return lambda x, axis=None, keepdims=False: f(x, axis=axis, keepdims=keepdims)

    if name in ("relu", "sigmoid", "softplus", "softmax", "log_softmax"):
        return getattr(jax.nn, name)
    if name in ("solve", "inv", "cholesky"):
        return getattr(jnp.linalg, name)
    if name in ("sum", "mean", "max", "min", "var", "prod"):
        return over_axis(getattr(jnp, name))
    if name in ("logsumexp", "norm"):
        return over_axis(jax.nn.logsumexp if name == "logsumexp" else jnp_norm)
    return None if name == "astype" else getattr(jnp, name, None)


def jnp_norm(x, axis, keepdims):
    import jax.numpy as jnp

    return jnp.sqrt(jnp.sum(x * x, axis=axis, keepdims=keepdims))


@needs("jax")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_primitive_equals_jax(primitive_case):
    import jax

    jax.config.update("jax_enable_x64", True)
    primitive, sample = primitive_case
    theirs = jax_function(primitive.__name__)
    if theirs is None:
        pytest.skip(f"jax has no function of one call for {primitive.__name__}")
    floats = [np.asarray(x) for x in floats_of(sample)]
    if any(x.size == 0 for x in floats):
        pytest.skip("nothing to compare in an empty array")

    def with_floats(f, values):
        rest = iter(values)
        return f(
            *(next(rest) if isinstance(x, (np.ndarray, np.floating)) and x.dtype.kind == "f" else x for x in sample)
        )

    value, pullback = mg.vjp(lambda values: with_floats(primitive, values), floats)
    their_value, their_pullback = jax.vjp(lambda *values: with_floats(theirs, values), *floats)
    u = np.random.default_rng(0).normal(size=np.shape(value))
    np.testing.assert_allclose(value, their_value, rtol=1e-12, atol=1e-13)
    for ours, expected in zip(pullback(u), their_pullback(jax.numpy.asarray(u)), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-11, atol=1e-12)

    v = [np.random.default_rng(1).normal(size=x.shape) for x in floats]
    ours = mg.hvp(lambda values: mg.sum(mg.square(with_floats(primitive, values)) * u), floats, v)
    scalar = lambda *values: jax.numpy.sum(jax.numpy.square(with_floats(theirs, values)) * u)  # noqa: E731
    expected = jax.jvp(jax.grad(scalar, argnums=tuple(range(len(floats)))), tuple(floats), tuple(v))[1]
    for found, wanted in zip(ours, expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-10)
