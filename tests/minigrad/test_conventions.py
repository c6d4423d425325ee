"""What a gradient is where there is no derivative, or where a formula would divide by 0: as the docstrings say."""

import numpy as np
import pytest

import minigrad as mg

ZERO = np.zeros(3)

# name: (function, argument, gradient of its sum)
CONVENTIONS = {
    "abs at 0": (mg.abs, ZERO, [0, 0, 0]),
    "sign at 0": (mg.sign, ZERO, [0, 0, 0]),
    "relu at 0": (mg.relu, ZERO, [0, 0, 0]),
    "norm at 0": (mg.norm, ZERO, [0, 0, 0]),
    "std of equal numbers": (mg.std, np.full(3, 2.0), [0, 0, 0]),
    "prod, one 0": (mg.prod, np.array([2.0, 0.0, 3.0]), [0, 6, 0]),
    "prod, two 0": (mg.prod, np.array([0.0, 0.0, 3.0]), [0, 0, 0]),
    "cumprod, one 0": (mg.cumprod, np.array([2.0, 0.0, 3.0]), [1, 8, 0]),
    "cumprod, two 0": (mg.cumprod, np.array([0.0, 0.0, 3.0]), [1, 0, 0]),
    "sort, ties": (lambda x: mg.sort(x) * np.array([1.0, 2.0, 3.0]), np.array([2.0, 1.0, 2.0]), [2, 1, 3]),
    "tril, NaN above": (mg.tril, np.array([[1.0, np.nan], [1.0, 1.0]]), [[1, 0], [1, 1]]),
    "dropout": (lambda x: mg.dropout(x, 0.5, np.random.default_rng(0)), np.ones(4), [2, 0, 0, 0]),
    "sqrt at 0": (mg.sqrt, ZERO, [np.inf, np.inf, np.inf]),
    "clip at its limits": (lambda x: mg.clip(x, -1.0, 1.0), np.array([-1.0, 1.0, 1.5]), [1, 1, 0]),
    "max, ties": (mg.max, np.array([2.0, 1.0, 2.0]), [0.5, 0, 0.5]),
    "min, ties": (mg.min, np.array([1.0, 1.0, 2.0]), [0.5, 0.5, 0]),
    "maximum, ties": (lambda x: mg.maximum(x, 1.0), np.array([0.0, 1.0, 2.0]), [0, 0.5, 1]),
    "minimum, ties": (lambda x: mg.minimum(x, 1.0), np.array([0.0, 1.0, 2.0]), [1, 0.5, 0]),
    "x^0, a number": (lambda x: x**0, np.array([0.0, 1.0, -2.0]), [0, 0, 0]),
    "x^0, an array": (lambda x: x**ZERO, np.array([0.0, 1.0, -2.0]), [0, 0, 0]),
    "x^1 at 0": (lambda x: x**1, ZERO, [1, 1, 1]),
    "x^2 at 0, an array": (lambda x: x ** np.full(3, 2.0), ZERO, [0, 0, 0]),
    "0^y to y": (lambda y: 0.0**y, np.array([1.0, 2.0, 3.0]), [0, 0, 0]),
    "(−2)^y to y": (lambda y: (-2.0) ** y, np.array([1.0, 2.0, 3.0]), [0, 0, 0]),
}


@pytest.mark.parametrize("name", CONVENTIONS)
def test_gradient_is_the_documented_one(name):
    f, x, expected = CONVENTIONS[name]
    with np.errstate(divide="ignore"):  # √ at 0
        np.testing.assert_array_equal(mg.grad(lambda x: mg.sum(f(x)))(x), expected)


STABLE = [mg.softplus, mg.sigmoid, mg.tanh, mg.logsumexp, mg.log_softmax, mg.softmax, mg.gelu, mg.silu, mg.arctan]


@pytest.mark.parametrize("f", [*STABLE, lambda x: mg.logaddexp(x, -x)])
@pytest.mark.parametrize("size", [-1e4, 1e4])
def test_nothing_overflows_far_from_zero(f, size):
    value, gradient = mg.value_and_grad(lambda x: mg.sum(f(x)))(np.array([size, 0.0]))
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()
