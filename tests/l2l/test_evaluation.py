"""What a comparison says of its entries: the learning rate that a rule has, and how sure a mean is."""

import numpy as np
import pytest

import l2l
import minigrad as mg
from l2l import evaluation, plots
from l2l.cli import report
from l2l.optimizers import make_optimizer
from l2l.problems import Simple


def raced(optimizer, phi):
    return l2l.compare(Simple(), {"mine": (optimizer, phi)}, steps=2, repeats=1)


def test_meta_trained_rule_is_shown_with_the_learning_rate_that_it_learned():
    found = raced(make_optimizer("sgd", learning_rate=0.001), {"log_learning_rate": np.log(0.25)})
    assert evaluation.summary(found)["mine"]["learning_rate"] == 0.25
    assert "0.25" in report.race(found, 2).splitlines()[-1].split()
    legend = plots.curves(None, found, "title").axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["mine, learning rate 0.25"]


def test_learning_rate_that_was_given_is_shown_as_it_was_given():
    for rate in (0.01, 0.1, 0.3, 1.0, 10.0 ** (-1 / 3)):
        rule = make_optimizer("adam", learning_rate=rate)
        assert raced(rule, rule.init())["mine"]["learning_rate"] == rate


class Fixed:
    """A rule of one's own, with a learning rate that is not in φ."""

    learning_rate = 0.5

    def init(self, rng=None):
        return np.zeros(2)

    def init_state(self, theta):
        return {}

    def __call__(self, phi, grad, state):
        return -self.learning_rate * grad, state


def test_learning_rate_that_cannot_be_learned_is_the_rule_s_own():
    assert raced(Fixed(), np.zeros(2))["mine"]["learning_rate"] == 0.5


# ------------------------------------------------------------------------------------------ a loss of one's own

SGD = make_optimizer("sgd", learning_rate=0.1)


def bowl(theta):
    return mg.sum((theta["w"] - 1.0) ** 2.0)


def normal(rng):
    return {"w": rng.normal(size=3)}


def test_loss_of_one_s_own_is_raced_as_it_is_minimized():
    problem = l2l.problem_of(bowl, {"w": np.zeros(3)})
    raced = l2l.compare(problem, {"sgd": (SGD, SGD.init())}, steps=5, repeats=2)
    _, losses = l2l.minimize(bowl, {"w": np.zeros(3)}, SGD, steps=5)
    np.testing.assert_array_equal(raced["sgd"]["curves"], [losses, losses])


def test_start_that_is_drawn_differs_from_run_to_run_and_between_tuning_and_racing():
    seen, problem = [], l2l.problem_of(bowl, lambda rng: seen.append(normal(rng)) or seen[-1])
    raced = l2l.compare(problem, {"sgd": (make_optimizer("sgd"), None)}, steps=5, repeats=3, tuning_repeats=2)
    first_losses = raced["sgd"]["curves"][:, 0]
    assert len(set(first_losses)) == 3
    starts = {start["w"].tobytes() for start in seen}
    assert len(starts) == 3 + 2  # the tests and the validations, whatever the rate


def test_loss_of_one_s_own_tunes_a_rate_and_trains_a_rule():
    problem = l2l.problem_of(bowl, normal)
    tuned = l2l.compare(problem, {"sgd": (make_optimizer("sgd"), None)}, steps=20, repeats=2)["sgd"]
    assert tuned["learning_rate"] == pytest.approx(10 ** (-1 / 3))  # of the grid, the nearest to the best, 1/2
    training = l2l.train(problem, make_optimizer("linear", initial=-0.1), episodes=5, steps=6, unroll_length=3)
    assert training.phi["w"] < -0.1


def test_every_run_of_a_loss_of_one_s_own_has_the_same_batches():
    seen = []
    problem = l2l.problem_of(
        lambda theta, batch: mg.sum((theta - batch) ** 2.0), np.zeros(2), lambda step: seen.append(step) or float(step)
    )
    l2l.evaluation.run(SGD, SGD.init(), problem, "test", 0, 2, 3)
    assert seen == [0, 1, 2, 0, 1, 2]


def test_parts_of_a_loss_of_one_s_own_may_have_a_rule_each():
    problem = l2l.problem_of(
        lambda t: mg.sum(t["a"] ** 2.0) + mg.sum(t["b"] ** 2.0), {"a": np.ones(2), "b": np.ones(1)}
    )
    groups = l2l.Groups({"a": SGD, "b": make_optimizer("adam")})
    assert l2l.compare(problem, {"both": (groups, groups.init())}, steps=3, repeats=1)["both"]["curves"].shape == (1, 3)


# ------------------------------------------------------------------------------------------ the spread


CURVES = np.array([[1.0, 2.0], [3.0, 6.0], [5.0, 1.0]])


def test_standard_error_is_the_sample_s_deviation_over_the_root_of_the_runs():
    np.testing.assert_allclose(evaluation.standard_error(CURVES), [2.0 / np.sqrt(3.0), np.sqrt(7.0) / np.sqrt(3.0)])


def test_standard_error_of_a_single_run_is_zero():
    np.testing.assert_array_equal(evaluation.standard_error(CURVES[:1]), [0.0, 0.0])


def test_standard_error_where_a_run_diverged_is_no_number_and_no_warning():
    assert not np.isfinite(evaluation.standard_error(np.array([[1.0], [np.inf], [np.inf]]))).any()
