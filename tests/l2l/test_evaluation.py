"""What a comparison says of its entries: the learning rate that a rule has, and how sure a mean is."""

import numpy as np

import l2l
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


# ------------------------------------------------------------------------------------------ the spread


CURVES = np.array([[1.0, 2.0], [3.0, 6.0], [5.0, 1.0]])


def test_standard_error_is_the_sample_s_deviation_over_the_root_of_the_runs():
    np.testing.assert_allclose(evaluation.standard_error(CURVES), [2.0 / np.sqrt(3.0), np.sqrt(7.0) / np.sqrt(3.0)])


def test_standard_error_of_a_single_run_is_zero():
    np.testing.assert_array_equal(evaluation.standard_error(CURVES[:1]), [0.0, 0.0])


def test_standard_error_where_a_run_diverged_is_no_number_and_no_warning():
    assert not np.isfinite(evaluation.standard_error(np.array([[1.0], [np.inf], [np.inf]]))).any()
