"""Families of small tasks: their draws, their losses, and the formulas that they document."""

import math

import numpy as np
import pytest

import l2l
import minigrad as mg
from l2l.errors import L2LError
from l2l.optimizers import Adam
from l2l.problems import FAMILIES, MNIST, SPLITS, data, draw_task, make_problem
from l2l.problems import families as shared
from l2l.problems.small_networks import Attention, SmallRecurrent

SEEDS = range(8)
TINY = {
    "small-mlp": {"hidden": 3, "layers": 2, "batch": 3},
    "small-convnet": {"channels": 2, "batch": 2},
    "small-recurrent": {"width": 3, "tokens": 3, "length": 4, "batch": 2},
    "attention": {"width": 4, "tokens": 3, "length": 3, "batch": 2},
    "embedding": {"words": 6, "width": 2, "classes": 2, "batch": 3},
    "teacher-student": {"features": 3, "hidden": 4, "examples": 9},
    "ill-conditioned": {"dimension": 7},
    "valley": {"dimension": 6},
    "factorization": {"size": 4, "rank": 2},
    "softmax": {"features": 4, "classes": 3, "batch": 5},
    "logistic": {"features": 6, "examples": 9},
}


def losses(task, steps=100):
    """Those of Adam at the rate 0.01."""
    rule = Adam(0.01)
    phi, theta, state, found = rule.init(), task.theta, rule.init_state(task.theta), []
    for _ in range(steps):
        loss, gradient = mg.value_and_grad(task.loss)(theta, task.next_batch())
        update, state = rule(phi, gradient, state)
        theta = theta + update
        found.append(float(loss))
    return np.array(found)


# ------------------------------------------------------------------------------------------ every family


@pytest.mark.parametrize("name", FAMILIES)
def test_same_draw_gives_the_same_losses_and_another_split_others(name):
    problem = make_problem(name)
    first, again, other = (losses(draw_task(problem, split, 1, 2), 4) for split in ("train", "train", "test"))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_draw_starts_at_a_moderate_loss_in_float32_with_a_gradient(name):
    problem = make_problem(name)
    for seed in SEEDS:
        task = draw_task(problem, "train", seed, 0)
        loss, gradient = mg.value_and_grad(task.loss)(task.theta, task.next_batch())
        assert (loss.dtype, gradient.dtype) == (np.float32, np.float32)
        assert 0.01 < loss < 50
        assert 0 < np.linalg.norm(gradient) < np.inf
        assert sum(map(math.prod, task.shapes)) == len(task.theta) < 20_000


@pytest.mark.parametrize("name", FAMILIES)
def test_adam_lowers_the_loss_of_most_draws(name):
    curves = [losses(draw_task(make_problem(name), "train", seed, 1)) for seed in SEEDS]
    assert np.isfinite(curves).all()
    assert sum(curve[-10:].mean() < 0.95 * curve[:10].mean() for curve in curves) >= len(SEEDS) - 2


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", FAMILIES)
def test_gradient_agrees_with_finite_differences(name, seed):
    task = draw_task(make_problem(name, **TINY[name]), "train", seed, 0)
    batch = task.next_batch()
    mg.check_gradients(lambda t: task.loss(t, batch), task.theta.astype(float), step=1e-5, tolerance=1e-5)


@pytest.mark.parametrize("name", FAMILIES)
def test_sizes_are_drawn_with_each_task(name):
    problem = make_problem(name)
    assert len({len(draw_task(problem, "train", seed, 0).theta) for seed in SEEDS}) > len(SEEDS) / 2


@pytest.mark.parametrize("name", ["small-mlp", "small-convnet"])
def test_networks_on_digits_say_which_digits(name):
    problem = make_problem(name)
    assert (problem.data, problem.checksum) == (MNIST().data, MNIST().checksum)


@pytest.mark.parametrize("name", ["small-mlp", "small-convnet"])
def test_networks_on_digits_see_those_of_their_split_alone(name, monkeypatch):
    splits = {
        split: (np.full((9, 784), 50 * label, np.uint8), np.full(9, label, np.uint8))
        for label, split in enumerate(SPLITS)
    }
    monkeypatch.setattr(data, "mnist", lambda: data.Images(splits, "made up"))
    for label, split in enumerate(SPLITS):
        images, labels = draw_task(make_problem(name), split, 1, 0).next_batch()
        assert set(labels) == {label}
        assert np.isin(images, np.float32([0, 50 * label / 255])).all()  # 0 where each pixel is standardized


# ------------------------------------------------------------------------------------------ ranges


def test_size_is_any_in_its_range_and_no_other():
    problem = make_problem("logistic", features=(2, 4))
    assert {len(draw_task(problem, "train", 0, i).theta) for i in range(40)} == {3, 4, 5}


def test_one_number_is_a_range_of_itself():
    problem = make_problem("logistic", features="5")
    assert {len(draw_task(problem, "train", 0, i).theta) for i in range(20)} == {6}


@pytest.mark.parametrize("wrong", [(5, 3), (1, 2, 3), ()])
def test_what_is_no_range_is_refused(wrong):
    with pytest.raises(L2LError, match="features is one number, or the least and the most, as in 5-50, not"):
        make_problem("logistic", features=wrong)


# ------------------------------------------------------------------------------------------ formulas


def test_spectrum_of_a_quadratic_lies_in_its_decades():
    conditions, rotated = [], 0
    for seed in SEEDS:
        task = draw_task(make_problem("ill-conditioned", dimension=30, decades=3), "train", seed, 0)
        hessian = mg.hessian(lambda t, task=task: task.loss(t, None))(task.theta.astype(float))
        rotated += np.abs(hessian - np.diag(np.diag(hessian))).max() > 0.1 * np.abs(hessian).max()
        spectrum = np.linalg.eigvalsh(hessian)
        assert spectrum.sum() == pytest.approx(2, rel=1e-4)
        conditions.append(spectrum[-1] / spectrum[0])
    assert rotated > len(SEEDS) / 2
    assert max(conditions) < 1000
    assert max(conditions) > 100 > 10 > min(conditions)


def test_quadratic_without_decades_is_the_convex_companion():
    task = draw_task(make_problem("ill-conditioned", dimension=20, decades=0), "train", 0, 0)
    loss, gradient = mg.value_and_grad(task.loss)(task.theta, None)
    assert loss == pytest.approx(20 * np.sum(gradient**2) / 4, rel=1e-5)  # f = ‖θ − v‖²/n, ∇f = 2 (θ − v)/n
    np.testing.assert_allclose(task.theta - 10 * gradient, np.clip(task.theta - 10 * gradient, -1, 1))  # v


def test_valley_is_rosenbrock_s_function_in_rotated_coordinates():
    rng = np.random.default_rng(0)
    task = make_problem("valley", dimension=5, steepness=1).sample(np.random.default_rng(0))
    Q = shared.rotation(rng, shared.whole_number(rng, (5, 5)))
    z = Q @ task.theta
    expected = np.mean([(z[i + 1] - z[i] ** 2) ** 2 + (1 - z[i]) ** 2 for i in range(4)])
    assert task.loss(task.theta, None) == pytest.approx(expected, rel=1e-5)
    assert task.loss(Q.T.astype(np.float32) @ np.ones(5, np.float32), None) == pytest.approx(0, abs=1e-10)


def test_steep_valley_has_the_walls_that_it_was_given():
    task = draw_task(make_problem("valley", dimension=50, steepness=100), "train", 0, 0)
    flat = draw_task(make_problem("valley", dimension=50, steepness=1), "train", 0, 0)
    assert 1 < task.loss(task.theta, None) / flat.loss(flat.theta, None) < 100


def test_factors_of_zero_are_a_saddle_point():
    task = draw_task(make_problem("factorization"), "train", 0, 0)
    zero = np.zeros_like(task.theta)
    assert not mg.grad(task.loss)(zero, None).any()
    curvature = np.linalg.eigvalsh(mg.hessian(lambda theta: task.loss(theta, None))(zero.astype(float)))
    assert curvature[0] < 0 < curvature[-1]


def test_regressions_start_near_the_loss_of_a_guess():
    for name, settings, guess in (("logistic", {}, np.log(2)), ("softmax", {"classes": 5}, np.log(5))):
        task = draw_task(make_problem(name, **settings), "train", 0, 0)
        assert task.loss(np.zeros_like(task.theta), task.next_batch()) == pytest.approx(guess, rel=1e-5)


def test_most_words_are_not_in_a_batch_and_have_no_gradient():
    task = draw_task(make_problem("embedding", words=300, length=5, batch=16), "train", 0, 0)
    gradient = mg.grad(task.loss)(task.theta, task.next_batch())[: task.parts["embedding"]]
    assert 0.5 < np.mean(gradient == 0) < 1


def test_few_words_make_up_half_of_a_text():
    task = draw_task(make_problem("embedding", words=300, batch=500), "train", 0, 0)
    counts = np.bincount(task.next_batch()[0].ravel(), minlength=300)
    assert np.sort(counts)[-30:].sum() > 0.5 * counts.sum()


def softmax(z):
    return np.exp(z) / np.exp(z).sum()


def test_recurrent_network_is_the_documented_one(monkeypatch):
    unravel = recorded(monkeypatch, "small_networks")
    task = draw_task(SmallRecurrent(**TINY["small-recurrent"]), "train", 0, 0)
    w, (text,) = unravel[0](task.theta), task.next_batch()
    nats = []
    for row in text:
        h = np.zeros(3)
        for here, after in zip(row, row[1:], strict=False):
            h = np.tanh(w["embedding"][here] + h @ w["recurrent"]["W"] + w["recurrent"]["b"])
            nats.append(-np.log(softmax(h @ w["output"]["W"] + w["output"]["b"])[after]))
    assert task.loss(task.theta, (text,)) == pytest.approx(np.mean(nats), rel=1e-5)


def test_attention_block_is_the_documented_one_and_no_token_sees_a_later_one(monkeypatch):
    unravel = recorded(monkeypatch, "small_networks")
    task = draw_task(Attention(**TINY["attention"]), "train", 0, 0)
    w, (text,) = unravel[0](task.theta), task.next_batch()
    (first, second), A = w["network"], w["attention"]

    def norm(x):
        return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)

    nats = []
    for row in text:
        x = w["embedding"][row[:-1]] + w["positions"]
        h = norm(x)
        for t in range(len(x)):
            weights = softmax(np.array([(h[t] @ A["Q"]) @ (h[s] @ A["K"]) / 2 for s in range(t + 1)]))
            y = x[t] + sum(weights[s] * (h[s] @ A["V"]) for s in range(t + 1)) @ A["O"]
            y = y + mg.gelu(norm(y) @ first["W"] + first["b"]) @ second["W"] + second["b"]
            nats.append(-np.log(softmax(y @ w["output"]["W"] + w["output"]["b"])[row[t + 1]]))
    assert task.loss(task.theta, (text,)) == pytest.approx(np.mean(nats), rel=1e-4)


def recorded(monkeypatch, module):
    """A list of the functions that make trees of the vectors of the tasks that the module makes from here on."""
    module, found = getattr(l2l.problems, module), []
    task_of = module.task_of

    def record(*arguments):
        task, unravel = task_of(*arguments)
        found.append(unravel)
        return task, unravel

    monkeypatch.setattr(module, "task_of", record)
    return found
