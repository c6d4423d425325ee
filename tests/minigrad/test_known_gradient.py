"""Constants, and gradients that are declared instead of computed."""

import weakref

import numpy as np

import minigrad as mg
from tests.minigrad.test_core import cube


def test_stop_gradient_cuts_every_tape():
    assert mg.grad(lambda x: x * mg.stop_gradient(x))(3.0) == 3.0
    assert mg.grad(mg.grad(lambda x: x * mg.stop_gradient(x)))(3.0) == 0.0


def test_stop_gradient_takes_trees():
    def f(x):
        stopped = mg.stop_gradient({"a": [x, x * 2.0]})
        assert stopped == {"a": [3.0, 6.0]}
        assert [type(leaf) for leaf in stopped["a"]] == [np.ndarray, np.float64]
        return x

    mg.grad(f)(3.0)


def test_known_gradient_returns_the_value_and_sends_back_the_gradient():
    value, gradient = mg.value_and_grad(lambda x: 2.0 * mg.known_gradient(7.0, x, np.array([1.0, 5.0])))(np.zeros(2))
    assert value == 14.0
    np.testing.assert_array_equal(gradient, [2.0, 10.0])


def test_known_gradient_of_a_true_gradient_keeps_second_derivatives():
    def declared(x):
        value, gradient = mg.value_and_grad(cube)(x)
        return mg.known_gradient(value, x, gradient)

    assert mg.grad(mg.grad(declared))(2.0) == mg.grad(mg.grad(cube))(2.0) == 12.0


def test_known_gradient_keeps_nothing_of_the_computation():
    def f(x):
        hidden = mg.exp(mg.stop_gradient(x))
        alive = weakref.ref(hidden)
        result = mg.known_gradient(mg.sum(hidden), x, np.full(2, 3.0))
        del hidden
        assert alive() is None
        return result

    mg.grad(f)(np.ones(2))
