"""Judging optimizers on the suite: their results, their rivals', and the scores."""

import itertools
import json

import numpy as np
import pytest

import minigrad as mg
from l2l import workers
from l2l.__main__ import main
from l2l.optimizers import make_optimizer
from l2l.problems import draw_task
from l2l.suite import judging, scoring
from l2l.suite.interface import LOSSES, SuiteLoss


def bowl(rng):
    """A loss without minibatches."""
    v = rng.normal(size=3).astype(np.float32)
    return lambda theta: mg.sum(mg.square(theta - v)), np.zeros(3, np.float32), None


def noisy_bowl(rng):
    """A loss of minibatches, 1 to 2 at its minimum."""
    return (
        lambda theta, batch: mg.sum(mg.square(theta - 1.0)) + batch,
        np.zeros(3, np.float32),
        lambda: np.float32(rng.uniform(1, 2)),
    )


BOWL = SuiteLoss("bowl", "bowls", "validation", bowl)
NOISY = SuiteLoss("noisy-bowl", "bowls", "validation", noisy_bowl)
SGD = make_optimizer("sgd", learning_rate=0.1)
FEW = ("adam", "nag")


@pytest.fixture
def small(monkeypatch, tmp_path):
    """A suite of one loss, and rivals at three rates; the path of a file for their results."""
    monkeypatch.setattr("l2l.suite.judging.RATES", (0.001, 0.01, 0.1))
    monkeypatch.setattr("l2l.suite.scoring.RATES", (0.001, 0.01, 0.1))
    monkeypatch.setitem(LOSSES, "bowl", BOWL)
    monkeypatch.setattr("l2l.cli.commands.LOSSES", {"bowl": BOWL})
    return tmp_path / "rivals.json"


# ------------------------------------------------------------------------------------------ results


def test_a_result_is_the_log_of_the_last_loss_over_the_first():
    found = judging.judge(SGD, SGD.init(), [BOWL], steps=5, runs=1)["bowl"]
    assert found == pytest.approx([np.log(0.8**10 + judging.EPSILON)])  # SGD multiplies θ − v by 1 − 2·0.1


def test_losses_of_minibatches_are_measured_on_the_same_fresh_batches_before_and_after():
    task = draw_task(NOISY, "test", 0, 0)
    for _ in range(7):
        task.next_batch()
    noise = np.mean([task.next_batch() for _ in range(judging.BATCHES)])
    found = judging.judge(SGD, SGD.init(), [NOISY], steps=7, runs=1)["noisy-bowl"]
    assert found == pytest.approx([np.log((3 * 0.8**14 + noise) / (3 + noise))], rel=1e-4)


def test_each_run_has_a_task_of_its_own():
    one, other = judging.judge(make_optimizer("adam"), make_optimizer("adam").init(), [BOWL], 5, runs=2)["bowl"]
    assert one != other


@pytest.mark.parametrize("rate", [3.0, 1e30])
def test_a_run_that_ends_far_above_its_start_has_the_worst_result(rate):
    rule = make_optimizer("sgd", learning_rate=rate)
    assert judging.judge(rule, rule.init(), [BOWL], steps=10, runs=1)["bowl"] == [judging.WORST]


def test_workers_find_the_same_results():
    here = judging.judge(SGD, SGD.init(), [BOWL, NOISY], steps=3, runs=2)
    with workers.local(2) as executor:
        assert judging.judge(SGD, SGD.init(), [BOWL, NOISY], 3, 2, executor) == here


def test_a_rule_that_knows_the_steps_is_told_of_them():
    rule = make_optimizer("scheduled", schedule="linear", learning_rate=0.1)
    assert judging.judge(rule, rule.init(), [BOWL], steps=2, runs=1) != judging.judge(rule, rule.init(), [BOWL], 3, 1)


# ------------------------------------------------------------------------------------------ rivals


def test_rivals_are_four_rules_at_nine_rates_with_and_without_cosine_decay():
    rivals = judging.rivals(judging.TUNED)
    assert len(rivals) == 4 * 9 * 2
    assert rivals["adam 0.001"].learning_rate == pytest.approx(0.001)
    assert rivals["nag 0.032 cosine"].schedule == "cosine"
    assert rivals["nag 0.032 cosine"].learning_rate == pytest.approx(10**-1.5)


def test_lbfgs_solves_a_quadratic_and_is_left_out_where_there_are_minibatches():
    found = judging.lbfgs([BOWL, NOISY], steps=10, runs=2)
    assert list(found) == ["bowl"]
    assert found["bowl"] == pytest.approx([np.log(judging.EPSILON)] * 2, abs=1e-3)


def test_results_of_rivals_are_kept_in_a_file(small, monkeypatch):
    first = judging.judge_rivals(small, [BOWL], steps=5, runs=1, rules=FEW)
    monkeypatch.setattr(judging, "judge", None)  # nothing is computed again
    assert judging.judge_rivals(small, [BOWL], steps=5, runs=1, rules=FEW) == first
    assert json.loads(small.read_text())["results"] == first


def test_a_file_of_rivals_gets_what_it_lacks(small):
    judging.judge_rivals(small, [BOWL], steps=5, runs=1, rules=FEW)
    both = judging.judge_rivals(small, [BOWL, NOISY], steps=5, runs=1, rules=FEW)
    assert list(both["adam 0.01"]) == ["bowl", "noisy-bowl"]
    assert list(both["l-bfgs"]) == ["bowl"]


def test_a_file_of_rivals_with_other_runs_is_not_used(small):
    judging.judge_rivals(small, [BOWL], steps=5, runs=1, rules=FEW)
    assert len(judging.judge_rivals(small, [BOWL], steps=5, runs=2, rules=FEW)["adam 0.01"]["bowl"]) == 2


# ------------------------------------------------------------------------------------------ scores


def others(adam, cosine):
    """Results of Adam on one loss, by rate, and of three worse rules."""
    results = {}
    for rule, shift in (("adam", 0.0), ("adamw", 5.0), ("nag", 5.0), ("rmsprop", 5.0)):
        for rate, one, other in zip(judging.RATES, adam, cosine, strict=True):
            results[judging.name_of(rule, rate)] = {"loss": [one + shift]}
            results[judging.name_of(rule, rate, cosine=True)] = {"loss": [other + shift]}
    return results


def test_a_win_is_a_loss_below_that_of_the_rival():
    rivals = others(adam=[-1, -1, -2, -3, -2.5, -1, 0, 1, 2], cosine=[-4] * 9)
    wins = scoring.score({"loss": [-2.7]}, rivals)["wins"]
    assert wins == {
        "adam 0.001": 1,
        "adam 0.01": 1,
        "best adam": 0,
        "best adam, cosine": 0,
        "best of all": 0,
        "best of all, cosine": 0,
    }


def test_the_ratio_compares_with_the_best_adam_with_cosine():
    found = scoring.score({"loss": [-3.0, -5.0]}, others([0] * 9, [-1, -2, -3, -2, -1, -1, -1, -1, -1]))
    assert found["ratio"] == {"loss": pytest.approx(-1.0)}
    assert found["median"] == found["worst"] == pytest.approx(-1.0)


def test_one_run_above_the_start_counts():
    assert scoring.score({"loss": [-3.0, 0.1]}, others([0] * 9, [0] * 9))["above_start"] == 1


def test_chances_of_the_best_of_several_picks_are_those_of_enumeration():
    picks = list(itertools.combinations(range(5), 3))
    counted = [sum(min(pick) == i for pick in picks) / len(picks) for i in range(5)]
    assert scoring.chance_of_best(5, 3) == pytest.approx(counted)


@pytest.mark.parametrize(("mine", "worth"), [(-1.0, 0), (-5.1, 1), (-8.1, 4), (-9.0, 9)])
def test_an_optimizer_is_worth_the_tuning_runs_that_reach_what_it_reaches(mine, worth):
    # the expected best of k of the numbers −9, …, −1 is −10 k/(k + 1): −5, −6.7, −7.5, −8, −8.3, …, −9
    rivals = others([0] * 9, [-1, -2, -3, -4, -5, -6, -7, -8, -9])
    assert scoring.tuning_runs({"loss": [mine]}, rivals) == worth


# ------------------------------------------------------------------------------------------ the command


def test_the_command_prints_wins_and_ratios(small, capsys):
    main(["suite", "sgd:learning_rate=0.1", "--steps", "5", "--runs", "1", "--rivals", str(small.parent)])
    shown = capsys.readouterr().out
    assert "sgd:learning_rate=0.1: of 1 losses, ends below" in shown
    assert "best adam, cosine" in shown
    assert "bowl" in shown
    assert (small.parent / "rivals-5.json").exists()
