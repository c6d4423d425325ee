"""The gradient checker must catch wrong rules: a check that cannot fail proves nothing."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.core import traced
from minigrad.testing import STENCILS, difference

X = np.array([0.3, -1.2, 2.0])


def square_with(rule):
    return traced(lambda x, /: np.square(x), rule)


WRONG_AT_ORDER_1 = {
    "sign": lambda y, x: lambda g: g * -2.0 * x,
    "missing factor": lambda y, x: lambda g: g * x,
    "cotangent ignored": lambda y, x: lambda g: 2.0 * x,
    "one element": lambda y, x: lambda g: g * 2.0 * mg.where(np.array([True, True, False]), x, 0.0),
    "tiny error": lambda y, x: lambda g: g * (2.0 + 1e-6) * x,
}

WRONG_AT_ORDER_2 = {
    "argument stopped": lambda y, x: lambda g: g * 2.0 * mg.stop_gradient(x),
    "cotangent stopped": lambda y, x: lambda g: mg.stop_gradient(g) * 2.0 * x,
}


@pytest.mark.parametrize("name", WRONG_AT_ORDER_1)
def test_wrong_gradient_is_caught_at_order_1(name):
    with pytest.raises(mg.GradientError, match="order 1"):
        mg.check_gradients(square_with(WRONG_AT_ORDER_1[name]), X)


@pytest.mark.parametrize("name", WRONG_AT_ORDER_2)
def test_gradient_that_is_right_but_not_differentiable_is_caught_at_order_2(name):
    wrong = square_with(WRONG_AT_ORDER_2[name])
    mg.check_gradients(wrong, X, order=1)
    with pytest.raises(mg.GradientError, match="order 2"):
        mg.check_gradients(wrong, X)


def test_right_rule_passes_to_order_4():
    mg.check_gradients(lambda x: mg.tanh(x) * mg.exp(x[0]), X, order=4, tolerance=1e-7)


def test_nothing_to_differentiate_is_an_error():
    with pytest.raises(ValueError, match="nothing to differentiate"):
        mg.check_gradients(lambda x: x, 3.0)


def test_not_a_number_is_caught():
    with pytest.raises(mg.GradientError), np.errstate(invalid="ignore"):
        mg.check_gradients(mg.log, -X)


@pytest.mark.parametrize("order", STENCILS)
def test_stencil_is_exact_for_polynomials_up_to_its_order(order):
    for degree in range(order + 2):
        exact = degree * 0.7 ** (degree - 1) if degree else 0.0
        off = abs(difference(lambda x, n=degree: x**n, 0.7, 0.25, order) - exact)
        assert (off < 1e-13) == (degree <= order), degree


@pytest.mark.parametrize("order", STENCILS)
def test_error_of_a_stencil_falls_with_its_order(order):
    h = {1: 1e-4, 2: 1e-3, 6: 0.1}[order]
    off = [abs(difference(np.exp, 1.0, step, order) - np.e) for step in (h, h / 2)]
    assert abs(np.log2(off[0] / off[1]) - order) < 0.05


def test_difference_is_taken_along_v():
    x, v = X, np.array([1.0, 2.0, -1.0])
    assert abs(difference(lambda x: np.sum(x**2.0), x, 1e-2, v=v) - 2.0 * x @ v) < 1e-12
