"""The readable layers, against their formulas in plain NumPy and against finite differences."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import layers


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


@pytest.fixture
def arguments():
    rng = np.random.default_rng(0)
    weights = {"W": rng.normal(size=(4, 3, 5)), "b": rng.normal(size=(4, 3, 1))}
    return weights, rng.normal(size=(2, 6)), rng.normal(size=(3, 6)), rng.normal(size=(3, 6))


def test_gates_and_cell_follow_their_formulas(arguments):
    weights, x, h, c = arguments
    z = [W @ np.concatenate([x, h]) + b for W, b in zip(weights["W"], weights["b"], strict=True)]
    i, f, g, o = sigmoid(z[0]), sigmoid(z[1]), np.tanh(z[2]), sigmoid(z[3])
    for found, expected in zip(layers.lstm_gates(weights, x, h), (i, f, g, o), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    c = f * c + i * g
    for found, expected in zip(layers.lstm_cell(*arguments), (o * np.tanh(c), c), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_cell_agrees_with_finite_differences_to_second_order(arguments):
    mg.check_gradients(lambda *a: mg.concatenate(layers.lstm_cell(*a)), *arguments, step=3e-3)


def test_dense_is_linear_with_a_bias():
    rng = np.random.default_rng(0)
    weights, x = {"W": rng.normal(size=(3, 2)), "b": rng.normal(size=2)}, rng.normal(size=(4, 3))
    np.testing.assert_allclose(layers.dense(weights, x), x @ weights["W"] + weights["b"])
