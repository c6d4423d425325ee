"""What experiments report: claims, tables and numbers."""

import itertools
import re

import numpy as np
import pytest

from l2l.experiments import cifar, curves, estimators, proposed_updates
from l2l.experiments.runner import best_of, markdown, rounded, spread


def claims_of(lstm, adam, **targets):
    none = {"most_at": {}, "most_sum": None, "most_meta_steps": 10, "ahead_from": None}
    found = curves._claims({"lstm": np.array(lstm), "adam": np.array(adam)}, {**none, **targets}, len(lstm), 10)
    return {text.split(":")[0]: bool(holds) for text, holds in found}


def test_a_worse_sum_is_reported_as_a_claim_that_fails():
    assert claims_of([3.0, 2.0], [3.0, 1.0]) == {
        "summed loss over 2 steps below every tuned rule's": False,
        "within 10 meta-steps": True,
    }


def test_ahead_from_looks_at_every_step_from_there_on():
    assert claims_of([9.0, 1.0, 1.0], [3.0, 2.0, 2.0], ahead_from=1)[
        "ahead of every tuned rule at every step from 1 to 2"
    ]
    assert not claims_of([9.0, 1.0, 3.0], [3.0, 2.0, 2.0], ahead_from=1)[
        "ahead of every tuned rule at every step from 1 to 2"
    ]


def test_loss_above_its_target_fails():
    assert claims_of([3.0, 2.0], [4.0, 4.0], most_at={"1": 1.9})["loss at step 1 at most 1.9"] is False


def cifar_claims(lstm, adam, shared=None):
    curves = {"lstm": lstm, "adam": adam} | ({"lstm, shared": shared} if shared else {})
    entries = {"CIFAR-2": {name: {"curves": np.array([curve])} for name, curve in curves.items()}}
    targets = {"learned_at": 1, "ahead_at": 2, "not_behind_at": {"CIFAR-2": 3}}
    settings = {"targets": targets, "test": {"labels": {"CIFAR-2": [0, 1]}}}
    return {text: bool(holds) for text, holds in cifar._claims(entries, settings)}


def test_ahead_and_not_behind_compare_means_over_the_steps_before():
    assert cifar_claims([4.0, 2.0, 9.0], [5.0, 2.0, 8.0]) == {
        "CIFAR-2: at step 1 below half of a guess's loss: 4": False,
        "CIFAR-2: at step 2 ahead of every tuned rule: 3, adam 3.5": True,
        "CIFAR-2: at step 3 not behind any: 5, adam 5": True,
    }
    assert not any(cifar_claims([5.0, 2.0, 9.0], [5.0, 2.0, 8.0]).values())


def test_one_lstm_that_is_ahead_of_two_is_reported():
    assert (
        cifar_claims([4.0, 2.0, 2.0], [9.0, 9.0, 9.0], [3.0, 2.0, 2.0])[
            "CIFAR-2: two LSTMs ahead of one at step 2: 3, 2.5"
        ]
        is False
    )


def test_diverged_rule_is_never_the_best():
    assert best_of({"lstm": 0.1, "adam": np.nan, "sgd": 2.0}) == "sgd"


def test_updates_are_proposed_for_a_coordinate_that_had_a_gradient():
    size = np.array([0.0, 3.0, 0.0, 1.0, 0.0, 2.0])
    assert [proposed_updates._typical(size, quantile) for quantile in (0.0, 0.5, 0.7, 0.9, 1.0)] == [3, 3, 3, 5, 1]


def test_constant_response_is_a_straight_line():
    assert proposed_updates._bend(np.linspace(-1.0, 1.0, 5), np.zeros(5)) == 0.0


def test_numbers_are_rounded_at_any_depth():
    assert rounded({"a": np.array([1 / 3]), "b": [(2.0,)]}) == {"a": [0.333333], "b": [[2.0]]}


def test_tables_are_markdown():
    assert re.fullmatch(r"\| a \| b \|\n\| --- \| --- \|\n\| 1 \| 2 \|\n", markdown(["a", "b"], [[1, 2]]))


def test_spread_is_mean_and_standard_deviation():
    assert spread([1.0, 3.0]) == "2 ± 1.4"


def test_true_meta_gradient_of_the_tame_problem_is_the_mean_over_its_noise():
    """The mean of f depends on the noise's mean 0 and variance 1 alone, which noise of ±1 has as well."""

    def mean_loss(phi):
        losses = []
        for noises in itertools.product([-1.0, 1.0], repeat=4):
            theta = 3.0
            for noise in noises:
                loss, slope = estimators.tame(theta, noise)
                losses.append(loss)
                theta = theta - np.exp(phi) * slope
        return np.mean(losses)

    phi, h = np.log(0.3), 1e-5
    expected = (mean_loss(phi + h) - mean_loss(phi - h)) / (2.0 * h)
    assert estimators._tame_truth(4, {"rate": 0.3, "start": 3.0}) == pytest.approx(expected, rel=1e-8)


def claims_on_estimators(**changed):
    """The claims, of numbers that make all of them true where `changed` does not change one for all estimators."""
    variances = {"truncated": 1.0, "es": 1.0, "pes": 3.0, "es-single": 1.0, estimators.BLEND: 1.0}
    numbers = {"mean / truth": 1.0, "error / truth": 0.1}
    tame = {name: {**numbers, "variance": 1.0, "seconds × variance": 2.0} for name in [*variances, estimators.WHOLE]}
    tame[estimators.WHOLE]["seconds × variance"] = 1.0
    for name in ("truncated", "es"):
        tame[name]["mean / truth"] = 0.2
    chaotic = {name: {"variance": v, "seconds × variance": v} for name, v in variances.items()}
    chaotic[estimators.WHOLE] = {"variance": np.inf, "seconds × variance": np.inf}
    for kind in (tame, chaotic):
        for name in kind:
            kind[name] |= {key: value for key, value in changed.items() if key in kind[name]}
    return [holds for _, holds in estimators._claims({("tame", 10): tame, ("chaotic", 10): chaotic})]


def test_claims_on_estimators_hold_where_the_numbers_say_so_and_only_there():
    assert claims_on_estimators() == [True] * 9
    biased = claims_on_estimators(**{"mean / truth": 0.5})
    assert biased == [False, *[True] * 8]
    unknown = claims_on_estimators(**{"error / truth": 10.0})
    assert unknown == [True, False, False, *[True] * 6]
    alike = claims_on_estimators(variance=1.0)
    assert alike == [True, True, True, False, False, *[True] * 4]
    assert claims_on_estimators(**{"seconds × variance": 1.0})[-2:] == [False, False]
