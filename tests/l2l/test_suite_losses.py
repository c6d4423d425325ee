"""The losses of the suite, whatever they are: each is drawn, differentiated and minimized."""

import functools
from pathlib import Path

import numpy as np
import pytest

import l2l.suite
import minigrad as mg
from l2l.optimizers import Adam
from l2l.problems import FAMILIES
from l2l.suite import LOSSES, SPLITS, landscapes, unsupervised

RATES = (0.001, 0.01, 0.1)
EVERY = pytest.mark.parametrize("name", LOSSES)


def drawn(name, seed=0):
    return LOSSES[name].sample(np.random.default_rng(seed))


@functools.cache
def adams(name):
    """For each rate of Adam, the losses of 100 steps, and the mean loss of 8 batches before and after them."""
    runs = []
    for rate in RATES:
        task, rule = drawn(name), Adam(rate)
        batches = [task.next_batch() for _ in range(8)]
        phi, theta, state, losses = rule.init(), task.theta, rule.init_state(task.theta), []
        for _ in range(100):
            loss, gradient = mg.value_and_grad(task.loss)(theta, task.next_batch())
            update, state = rule(phi, gradient, state)
            theta = theta + update
            losses.append(float(loss))
        before, after = (np.mean([task.loss(at, batch) for batch in batches]) for at in (task.theta, theta))
        runs.append((losses, before, after))
    return runs


# ------------------------------------------------------------------------------------------ every loss


@EVERY
def test_start_is_finite_and_not_negative_in_float32_and_has_a_gradient(name):
    for seed in range(5):
        task = drawn(name, seed)
        loss, gradient = mg.value_and_grad(task.loss)(task.theta, task.next_batch())
        assert (task.theta.dtype, loss.dtype, gradient.dtype) == (np.float32,) * 3
        assert 0 <= loss < np.inf
        assert 0 < np.linalg.norm(gradient) < np.inf


@EVERY
def test_losses_of_adam_are_finite_and_not_negative_at_every_rate(name):
    losses = np.array([run[0] for run in adams(name)])
    assert np.isfinite(losses).all()
    assert losses.min() >= 0


@EVERY
def test_adam_at_its_best_rate_lowers_the_loss_by_a_tenth(name):
    assert min(after / before for _, before, after in adams(name)) < 0.9


@EVERY
def test_generator_determines_the_task(name):
    def beginning(seed):
        task = drawn(name, seed)
        return [task.theta, *(mg.grad(task.loss)(task.theta, task.next_batch()) for _ in range(3))]

    first, again, other = map(beginning, (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first[1:], other[1:])


def check_slope(name, factor=1.0):
    """Compare the gradient, `factor` times too long, with finite differences, in float64 and in units in which it has
    length 1. The point is not the start, where some losses have kinks; 3 steps of 1e−6 rarely meet one."""
    task, rng = drawn(name), np.random.default_rng(0)
    batch, theta = task.next_batch(), task.theta + 0.01 * rng.normal(size=task.theta.shape)
    unit = 1 / np.linalg.norm(mg.grad(task.loss)(theta, batch))

    def f(theta):
        loss = unit * task.loss(theta, batch)
        return loss + (factor - 1) * (loss - mg.stop_gradient(loss))

    mg.check_gradients(f, theta, order=1, step=1e-6, tolerance=1e-6)


@EVERY
def test_gradient_agrees_with_finite_differences(name):
    check_slope(name)


@EVERY
def test_gradient_that_is_wrong_by_a_hundredth_is_noticed(name):
    with pytest.raises(mg.GradientError):
        check_slope(name, 1.01)


@EVERY
def test_sizes_are_not_drawn_and_moderate(name):
    shapes, *others = (drawn(name, seed).shapes for seed in range(4))
    assert all(other == shapes for other in others)
    assert 2 <= len(drawn(name).theta) < 10_000


# ------------------------------------------------------------------------------------------ the table


def test_no_loss_has_the_name_of_another():
    """The table would lose one of the two without a word."""
    sources = Path(l2l.suite.__file__).parent.glob("*.py")
    assert sum(source.read_text(encoding="utf-8").count("\n@loss(") for source in sources) == len(LOSSES)


def test_losses_of_a_family_are_all_in_one_split_and_no_family_is_of_the_mixture():
    splits = {}
    for entry in LOSSES.values():
        splits.setdefault(entry.family, set()).add(entry.split)
    assert all(len(found) == 1 for found in splits.values())
    assert set.union(*splits.values()) <= set(SPLITS)
    assert not {family for family, found in splits.items() if found != {"kin"}} & set(FAMILIES)


# ------------------------------------------------------------------------------------------ formulas


@pytest.mark.parametrize(
    ("draw", "at"),
    [
        (landscapes.powell_singular, 0.0),
        (landscapes.levy, 1.0),
        (landscapes.styblinski_tang, -2.903534),
        (landscapes.ackley, 0.0),
        (landscapes.rosenbrock, 1.0),
    ],
)
def test_test_function_is_0_at_its_known_minimum(draw, at):
    f, start, _ = draw(np.random.default_rng(0))
    assert f(np.full(start.shape, at)) == pytest.approx(0, abs=1e-10)


def test_styblinski_tang_is_its_published_formula_less_its_minimum():
    f, theta, _ = landscapes.styblinski_tang(np.random.default_rng(0))
    theta = theta.astype(float)
    published = np.mean(theta**4 - 16 * theta**2 + 5 * theta) / 2
    assert f(theta) == pytest.approx(published + 39.16616570377142, rel=1e-12)


def test_mixture_loss_is_the_likelihood_less_its_lower_bound():
    rng, floor = np.random.default_rng(0), unsupervised.FLOOR
    logits, rests, scales = rng.normal(size=3), rng.normal(size=(4, 2, 3)), rng.normal(size=3)
    weights, sigma = np.exp(logits) / np.exp(logits).sum(), floor + np.log1p(np.exp(scales))
    normals = np.exp(-0.5 * (rests**2).sum(1) / sigma**2) / (2 * np.pi * sigma**2)
    likelihood = -np.log(normals @ weights).mean() - 2 * np.log(floor * np.sqrt(2 * np.pi))
    assert unsupervised.mixture_loss(logits, rests, scales) == pytest.approx(likelihood, rel=1e-12)
    assert unsupervised.mixture_loss(logits, 0 * rests, scales - 1000) == pytest.approx(0, abs=1e-12)
