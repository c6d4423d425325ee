"""Tuning and racing: on which tasks, and what is told of the results."""

import numpy as np
import pytest

import l2l
import minigrad as mg
from l2l import evaluation
from l2l.cli import report
from l2l.errors import L2LError
from l2l.optimizers import make_optimizer
from l2l.problems import Quadratic, Simple, Task


def test_every_optimizer_meets_the_same_tasks():
    results = l2l.compare(
        Simple(), {"a": (make_optimizer("sgd"), None), "b": (make_optimizer("adam"), None)}, steps=3, repeats=4
    )
    np.testing.assert_array_equal(results["a"]["curves"][:, 0], results["b"]["curves"][:, 0])
    assert results["a"]["curves"].shape == (4, 3)


def test_tuning_finds_the_best_rate_of_a_known_problem():
    # x_{t+1} = (1 − 2α) x_t on f = x²: of the grid, 10^(−1/3) = 0.464 comes nearest to the best, 1/2.
    tuned, on_edge = evaluation.tune(make_optimizer("sgd"), Simple(), seed=0, repeats=2, steps=10)
    assert tuned.learning_rate == pytest.approx(10 ** (-1 / 3))
    assert not on_edge


class Slope:
    """f(θ) = −θ: the larger the learning rate the better, without end."""

    def sample(self, rng, split="train"):
        return Task(np.zeros(1), lambda theta, batch: -mg.sum(theta))


def test_winner_on_the_edge_extends_the_grid_and_is_flagged_in_the_end():
    tuned, on_edge = evaluation.tune(make_optimizer("sgd"), Slope(), seed=0, repeats=1, steps=3)
    assert on_edge
    assert tuned.learning_rate > 1e3


class Valley:
    """f(θ) = (30 θ)²: good learning rates lie far below where the grid begins."""

    def sample(self, rng, split="train"):
        return Task(np.ones(1), lambda theta, batch: mg.sum(mg.square(30.0 * theta)))


def test_grid_is_extended_downwards_to_the_best_rate():
    tuned, on_edge = evaluation.tune(make_optimizer("sgd"), Valley(), seed=0, repeats=1, steps=20)
    assert not on_edge
    assert tuned.learning_rate == pytest.approx(10 ** (-10 / 3))


def test_tuning_uses_validation_tasks_and_racing_test_tasks(monkeypatch):
    splits = []

    def spy(problem, split, seed, index):
        splits.append(split)
        return problem.sample(np.random.default_rng(index))

    monkeypatch.setattr(evaluation, "draw_task", spy)
    entry = {"tuned": (make_optimizer("sgd"), None)}
    l2l.compare(Simple(), entry, steps=2, repeats=3)
    assert splits[-3:] == ["test"] * 3
    assert set(splits[:-3]) == {"validation"}


def test_losses_are_reported_per_function():
    sums = []
    for functions in (1, 64):
        problem = Quadratic(dimension=10, functions=functions)
        curves = evaluation.run(
            make_optimizer("sgd"), make_optimizer("sgd").init(), problem, "test", 0, 64 // functions, 1
        )
        sums.append(curves.mean())
    assert sums == pytest.approx([10.0, 10.0], rel=0.3)


def test_races_take_at_least_a_step_and_a_run():
    entries = {"a": (make_optimizer("sgd", learning_rate=0.1), None)}
    with pytest.raises(L2LError, match="steps is a whole number of at least 1, not 0"):
        l2l.compare(Simple(), entries, steps=0)
    with pytest.raises(L2LError, match="repeats is a whole number of at least 1, not 0"):
        l2l.compare(Simple(), entries, repeats=0)


def test_diverging_entry_is_a_result_beside_the_others():
    rates = {"good": 0.1, "wild": 1e20}
    rules = {name: make_optimizer("sgd", learning_rate=rate) for name, rate in rates.items()}
    entries = {name: (rule, rule.init()) for name, rule in rules.items()}
    rows = evaluation.summary(l2l.compare(Simple(), entries, steps=30, repeats=2))
    assert (rows["good"]["diverged"], rows["wild"]["diverged"]) == (0, 2)
    assert rows["wild"]["sum"] == np.inf
    assert "diverged in 2 of 2 runs" in report.race(l2l.compare(Simple(), entries, steps=30, repeats=2), 30)


def test_summary_reports_mean_and_standard_error():
    curves = np.array([[1.0, 2.0], [3.0, 6.0]])
    row = evaluation.summary({"x": {"learning_rate": None, "grid_edge": False, "curves": curves}})["x"]
    assert row["loss_mean"] == [2.0, 4.0]
    np.testing.assert_allclose(row["loss_sem"], [1.0, 2.0])
    assert (row["sum"], row["final"], row["sum_per_run"]) == (6.0, 4.0, [3.0, 9.0])
