"""Optimizees: their values, their randomness and their gradients."""

import numpy as np
import pytest

import minigrad as mg
from l2l.errors import L2LError
from l2l.problems import MNIST, PROBLEMS, Quadratic, Simple, data, draw_task, make_problem

NEEDED = {"ensemble": {"problems": {"a": Simple(), "b": Quadratic(functions=2)}}}
NEEDED |= {name: {"problem": {"a": Quadratic(functions=2)}} for name in ("scaled", "noisy")}
"""Options without which there is no problem."""


@pytest.mark.parametrize("name", PROBLEMS)
def test_same_seed_same_task_and_other_index_another(name):
    problem = make_problem(name, **NEEDED.get(name, {}))
    first, again, other = (draw_task(problem, "train", 3, i) for i in (0, 0, 1))
    batch = first.next_batch()
    assert first.loss(first.theta, batch) == again.loss(again.theta, again.next_batch())
    assert not np.array_equal(first.theta, other.theta)


@pytest.mark.parametrize("name", PROBLEMS)
def test_loss_and_gradient_are_float32_and_two_derivatives_are_right(name):
    task = draw_task(make_problem(name, **NEEDED.get(name, {})), "train", 0, 0)
    batch = task.next_batch()
    value, gradient = mg.value_and_grad(task.loss)(task.theta, batch)
    assert (value.dtype, gradient.dtype, gradient.shape) == (np.float32, np.float32, task.theta.shape)


def test_quadratic_is_the_sum_of_independent_functions():
    task = draw_task(Quadratic(dimension=4, functions=3), "train", 0, 0)
    theta = np.random.default_rng(0).normal(size=12)
    gradient = mg.grad(task.loss)(theta, None)
    moved = theta.copy()
    moved[:4] += 1.0
    np.testing.assert_array_equal(mg.grad(task.loss)(moved, None)[4:], gradient[4:])
    assert task.functions == 3


def test_quadratic_starts_at_the_dimension_on_average():
    losses = [
        task.loss(task.theta, None) / task.functions for task in [draw_task(Quadratic(functions=512), "train", 0, 0)]
    ]
    assert np.mean(losses) == pytest.approx(10.0, abs=0.8)


@pytest.mark.parametrize(("hidden", "layers", "size"), [(20, 1, 15_910), (5, 3, 4_045)])
def test_mnist_network_has_the_expected_number_of_coordinates(hidden, layers, size):
    assert draw_task(MNIST(hidden=hidden, layers=layers), "train", 0, 0).theta.shape == (size,)


@pytest.mark.parametrize("activation", ["sigmoid", "relu", "tanh"])
def test_mnist_gradient_agrees_with_finite_differences(activation):
    task = draw_task(MNIST(hidden=3, layers=2, activation=activation, batch=4), "train", 0, 0)
    batch = task.next_batch()
    theta = np.random.default_rng(0).normal(scale=0.5, size=task.theta.shape)
    mg.check_gradients(lambda t: task.loss(t, batch), theta, step=1e-4, tolerance=1e-6)


def test_mnist_loss_starts_at_guessing():
    task = draw_task(MNIST(), "train", 0, 0)
    assert task.loss(task.theta, task.next_batch()) == pytest.approx(np.log(10), abs=0.05)


def test_splits_share_no_image():
    splits = data.mnist().splits
    rows = {name: {image.tobytes() for image in images} for name, (images, _) in splits.items()}
    assert not rows["train"] & rows["validation"]
    assert not rows["train"] & rows["test"]
    assert not rows["validation"] & rows["test"]


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("mnits", {}, "no problem 'mnits'.*simple.*mnist"),
        ("mnist", {"width": 3}, "no option 'width'.*hidden"),
        ("mnist", {"hidden": 2.5}, "whole number"),
        ("mnist", {"hidden": 0}, "hidden is a whole number of at least 1, not 0"),
        ("mnist", {"activation": "step"}, "sigmoid"),
        ("quadratic", {"dimension": 0}, "dimension is a whole number of at least 1, not 0"),
        ("quadratic", {"dimension": None}, "dimension is a whole number, not None"),
        ("quadratic", {"dimension": 1000, "functions": 1000}, "dimension², the size of W, is at most 10,000,000"),
        ("mnist", {"hidden": 5000, "layers": 3}, "network of more than 10,000,000 weights"),
        ("simple", {"x": 1}, "it has: none"),
    ],
)
def test_wrong_problem_settings_name_the_right_ones(name, settings, message):
    with pytest.raises(L2LError, match=message):
        make_problem(name, **settings)


def test_chance_is_the_loss_of_equal_logits():
    task = draw_task(MNIST(hidden=3, batch=8), "train", 0, 0)
    assert task.loss(np.zeros_like(task.theta), task.next_batch()) == pytest.approx(MNIST.chance, rel=1e-6)
