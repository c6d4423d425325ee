"""How a φ is judged on a problem with families: on as many tasks of each, whose losses are made comparable."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest

import l2l
import minigrad as mg
from l2l.cli import report
from l2l.meta_training.loop import meta_train
from l2l.meta_training.state import Settings
from l2l.meta_training.validation import validation_loss, validation_tasks
from l2l.optimizers import make_optimizer
from l2l.problems import Quadratic, Task, family_of, make_problem
from l2l.storage import checkpoint

SGD = make_optimizer("sgd", learning_rate=0.1)
SMALL = {"episodes": 4, "steps": 6, "unroll_length": 3, "validate_every": 2}


@dataclass(frozen=True)
class Mixed:
    """f(θ) = ‖θ‖² of the family "small", and 3‖θ‖² of "large", which is rare."""

    share: float = 0.1

    data = "random numbers"

    def draw_family(self, rng):
        return "large" if rng.random() < self.share else "small"

    def sample(self, rng, split="train"):
        c = 3.0 if self.draw_family(rng) == "large" else 1.0
        return Task(rng.standard_normal(2), lambda theta, batch: c * mg.sum(theta**2.0))


# ------------------------------------------------------------------------------------------ which tasks


@pytest.mark.parametrize(("tasks", "of_each"), [(1, 1), (2, 1), (3, 2), (8, 4), (200, 100)])
def test_every_family_has_the_same_number_of_tasks_the_first_ones(tasks, of_each):
    numbers, families = validation_tasks(Mixed(share=0.05), Settings(seed=3, validation_tasks=tasks))
    assert Counter(families) == {"large": of_each, "small": of_each}
    for name in ("large", "small"):
        own = [number for number, family in zip(numbers, families, strict=True) if family == name]
        first = [
            number for number in range(max(own) + 1) if family_of(Mixed(share=0.05), "validation", 3, number) == name
        ]
        assert own == first


def test_default_mixture_has_every_family():
    numbers, families = validation_tasks(make_problem("mixture"), Settings())
    assert sorted(families) == sorted(make_problem("mixture").problems)
    assert numbers == sorted(numbers)


def test_problem_without_families_has_the_first_tasks():
    assert validation_tasks(Quadratic(), Settings(validation_tasks=3)) == ([0, 1, 2], [])


def test_names_alone_are_drawn_to_find_them(monkeypatch):
    monkeypatch.setattr(Mixed, "sample", None)
    validation_tasks(Mixed(), Settings())


# ------------------------------------------------------------------------------------------ the number


def test_loss_is_the_mean_over_families_of_log_ratios_to_the_first_loss():
    curves = np.array([[4.0, 2.0], [3.0, 0.3], [100.0, 0.0]])
    a, b, c = (np.mean(np.log(np.array(ratios) + 1e-6)) for ratios in ([1.0, 0.5], [1.0, 0.1], [1.0, 0.0]))
    assert validation_loss(curves, ["x", "y", "x"]) == pytest.approx(((a + c) / 2 + b) / 2, rel=1e-12)


def test_scale_of_a_family_does_not_matter():
    curves = np.random.default_rng(0).uniform(1.0, 2.0, size=(4, 5))
    scaled = curves * np.array([[1.0], [1e6], [1e-6], [30.0]])
    families = ["a", "b", "c", "d"]
    assert validation_loss(scaled, families) == pytest.approx(validation_loss(curves, families), rel=1e-12)


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan, 1e9])
def test_diverged_step_counts_as_a_ratio_of_a_million(bad):
    curves = np.array([[2.0, bad, bad], [1.0, 1.0, 1.0]])
    assert validation_loss(curves, ["a", "b"]) == pytest.approx(np.log(1e6) / 3, rel=1e-5)


def test_loss_below_0_counts_as_0():
    assert validation_loss(np.array([[1.0, -3.0]]), ["a"]) == validation_loss(np.array([[1.0, 0.0]]), ["a"])
    lower, higher = (validation_loss(np.array([[-1.0, loss]]), ["a"]) for loss in (-5.0, 5.0))
    assert lower < higher


def test_loss_without_families_is_the_summed_loss_as_before():
    curves = np.random.default_rng(0).normal(size=(3, 7))
    assert validation_loss(curves, []) == float(curves.sum(axis=1).mean())


# ------------------------------------------------------------------------------------------ in a training


def test_training_keeps_the_phi_whose_number_is_lowest():
    training = l2l.train(Mixed(), SGD, **{**SMALL, "episodes": 12})
    numbers, families = validation_tasks(Mixed(), training.settings)
    found = [record["validation"] for record in training.history if "validation" in record]
    assert training.best == min(found)
    curves = l2l.evaluation.run(SGD, training.phi, Mixed(), "validation", 0, len(numbers), 6, numbers=numbers)
    assert training.best == validation_loss(curves, families) < 0


def test_negative_best_is_kept_printed_and_resumed(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(l2l.problems.PROBLEMS, "mixed", Mixed)
    settings = {**SMALL, "patience": 2, "meta_learning_rate": 0.05}
    whole = l2l.train(Mixed(), SGD, out=tmp_path / "whole", progress=True, **settings)
    assert whole.best < whole.untrained["validation"] < 0
    assert f"best={whole.best:.4g}" in capsys.readouterr().err
    with pytest.raises(KeyboardInterrupt):
        l2l.train(Mixed(), SGD, out=tmp_path / "run", report=stop_after_three, **settings)
    resumed = l2l.resume(tmp_path / "run")
    assert (resumed.best, resumed.best_episode) == (whole.best, whole.best_episode)
    _, _, loaded, notes = checkpoint.load_training(tmp_path / "run" / "checkpoint.npz")
    best = f"the best mean log(validation loss / first loss) is {whole.best:.4g}"
    assert best in report.progress("it", loaded, notes)


def stop_after_three(training):
    if len(training.history) == 3:
        raise KeyboardInterrupt


def test_patience_counts_negative_validations_too():
    training = meta_train(Mixed(), SGD, meta_learning_rate=1e-30, patience=2, **{**SMALL, "episodes": 100})
    assert training.finished
    assert len(training.history) < 100
