"""The parts of neural networks: against their definitions, and what they refuse."""

import math

import numpy as np
import pytest

import minigrad as mg

X = np.random.default_rng(0).normal(size=(3, 4))


def test_gelu_is_its_formula_and_close_to_the_exact_one():
    x = np.linspace(-6.0, 6.0, 241)
    formula = 0.5 * x * (1.0 + np.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3)))
    exact = x * np.array([0.5 * math.erfc(-z / math.sqrt(2.0)) for z in x])
    np.testing.assert_allclose(mg.gelu(x), formula, rtol=1e-13, atol=1e-14)
    assert 0.0001 < np.max(np.abs(mg.gelu(x) - exact)) < 0.0005


def test_silu_is_x_times_sigmoid():
    np.testing.assert_allclose(mg.silu(X), X / (1.0 + np.exp(-X)), rtol=1e-14)


@pytest.mark.parametrize("f", [mg.gelu, mg.silu])
def test_activation_has_two_derivatives(f):
    mg.check_gradients(f, X)


def test_layer_norm_gives_each_vector_its_mean_and_scale():
    gamma, beta = np.array([1.0, -2.0, 0.5, 3.0]), np.array([0.0, 1.0, 2.0, -1.0])
    sigma = np.sqrt(np.var(X, 1, keepdims=True) + 1e-2)
    expected = gamma * (X - X.mean(1, keepdims=True)) / sigma + beta
    np.testing.assert_allclose(mg.layer_norm(X, gamma, beta, 1e-2), expected, rtol=1e-13)
    mg.check_gradients(mg.layer_norm, X, gamma, beta, step=3e-3)


def test_layer_norm_of_equal_numbers_is_finite():
    mg.check_gradients(lambda x: mg.layer_norm(x, X[0], X[1], 1.0), np.full((2, 4), 3.0), step=3e-3)
    assert np.isfinite(mg.grad(lambda x: mg.sum(mg.layer_norm(x, X[0], X[1]) * X[:2]))(np.full((2, 4), 3.0))).all()


@pytest.mark.parametrize("f", [mg.gelu, mg.silu, mg.std, lambda x: mg.layer_norm(x, x[0], x[1]), mg.tril])
def test_composition_of_float32_is_float32(f):
    x = X.astype(np.float32)
    value, pullback = mg.vjp(f, x)
    assert (value.dtype, pullback(np.ones(value.shape)).dtype) == (np.float32, np.float32)


# ------------------------------------------------------------------------------------------ one_hot


def test_one_hot_is_1_at_each_label():
    labels = np.array([[2, 0], [1, 1]], np.uint8)
    np.testing.assert_array_equal(mg.one_hot(labels, 3), np.eye(3)[labels])
    assert mg.one_hot(labels, 3, np.float32).dtype == np.float32


def test_cross_entropy_is_the_mean_of_one_hot_times_log_softmax():
    labels = np.array([3, 0, 3])
    by_hand = -mg.mean(mg.sum(mg.one_hot(labels, 4) * mg.log_softmax(X), 1))
    assert mg.cross_entropy(X, labels) == pytest.approx(by_hand, rel=1e-14)


@pytest.mark.parametrize("labels", [[0, 3], [-1]])
def test_one_hot_refuses_labels_outside_the_classes(labels):
    with pytest.raises(ValueError, match="labels must be from 0 to 2 for 3 classes"):
        mg.one_hot(labels, 3)


def test_one_hot_refuses_fractions():
    with pytest.raises(TypeError, match=r"integer labels, not float64: pass np.asarray\(labels, int\)"):
        mg.one_hot([1.0], 3)


# ------------------------------------------------------------------------------------------ dropout


def test_dropout_keeps_the_mean_and_drops_at_its_rate():
    y = mg.dropout(np.ones(100_000), 0.25, np.random.default_rng(0))
    np.testing.assert_array_equal(np.unique(y), [0.0, 1.0 / 0.75])
    assert np.mean(y == 0.0) == pytest.approx(0.25, abs=0.005)
    assert np.mean(y) == pytest.approx(1.0, abs=0.01)


def test_dropout_sends_cotangents_the_way_that_its_values_went():
    value, pullback = mg.vjp(lambda x: mg.dropout(x, 0.5, np.random.default_rng(1)), np.ones((4, 5)))
    np.testing.assert_array_equal(pullback(np.ones((4, 5))), value)
    assert 0 < np.sum(value == 0.0) < 20


def test_what_dropout_drops_is_0_whatever_it_was():
    y = mg.dropout(np.full(1000, np.inf), 0.5, np.random.default_rng(0))
    np.testing.assert_array_equal(np.unique(y), [0.0, np.inf])


def test_dropout_draws_anew_at_each_call_and_keeps_float32():
    rng, x = np.random.default_rng(0), np.ones(64, np.float32)
    first, second = (mg.dropout(x, np.float64(0.5), rng) for _ in range(2))
    assert first.dtype == np.float32
    assert (first != second).any()


def test_dropout_at_rate_0_changes_nothing():
    np.testing.assert_array_equal(mg.dropout(X, 0.0, np.random.default_rng(0)), X)


@pytest.mark.parametrize("rate", [-0.1, 1.0, np.nan, "0.5", None])
def test_dropout_refuses_other_rates(rate):
    with pytest.raises(ValueError, match="at least 0 and below 1"):
        mg.dropout(X, rate, np.random.default_rng(0))


@pytest.mark.parametrize("rng", [None, 0, np.random.RandomState(0)])
def test_dropout_refuses_what_is_no_generator(rng):
    with pytest.raises(TypeError, match=r"numpy Generator, not .*: pass np.random.default_rng\(seed\)"):
        mg.dropout(X, 0.5, rng)
