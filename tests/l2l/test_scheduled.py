"""Any rule with a schedule."""

import dataclasses

import numpy as np
import pytest

import l2l
from l2l.errors import L2LError
from l2l.optimizers import LSTM, MLP, SGD, Adam, AdamW, FeatureLSTM, Groups, Newton, Scheduled
from l2l.problems import Quadratic, Simple
from tests.conftest import some_phi, updates_of

GRADIENTS = np.random.default_rng(0).normal(size=(10, 3))


def factors(steps=10, **settings):
    """s at each step, as a rule with the learning rate 1 shows it."""
    rule = Scheduled({"sgd": SGD(1.0)}, **settings).fit(((3,),), steps)
    return -updates_of(rule, np.ones((steps, 3)))[:, 0]


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("cosine", 0.5 + 0.5 * np.cos(np.pi * np.arange(10) / 10)),
        ("linear", 1.0 - np.arange(10) / 10),
        ("constant", np.ones(10)),
    ],
)
def test_updates_are_multiplied_by_the_schedule(schedule, expected):
    np.testing.assert_allclose(factors(schedule=schedule), expected, rtol=1e-12)


def test_warm_up_rises_to_1_and_the_schedule_follows_in_the_rest():
    found = factors(schedule="linear", warmup=0.4)
    np.testing.assert_allclose(found, [0.25, 0.5, 0.75, 1.0, *(1.0 - np.arange(6) / 6)], rtol=1e-12)


def test_warm_up_of_less_than_a_step_changes_nothing():
    np.testing.assert_allclose(factors(schedule="constant", warmup=0.05), 1.0)


def test_after_the_last_step_the_factor_stays():
    rule = Scheduled().fit(((3,),), 4)
    assert rule.factor(9) == rule.factor(4) == pytest.approx(0.0)


@pytest.mark.parametrize("rule", [Adam(0.1), LSTM(hidden=(3,)), FeatureLSTM(hidden=(3,))])
def test_phi_of_the_rule_is_used_as_it_is(rule):
    phi, scheduled = some_phi(rule), Scheduled({"it": rule}, "linear").fit(((3,),), 10)
    alone = rule.fit(((3,),), 10) if hasattr(rule, "fit") else rule
    expected = updates_of(alone, GRADIENTS, phi) * (1.0 - np.arange(10) / 10)[:, None]
    np.testing.assert_allclose(updates_of(scheduled, GRADIENTS, phi), expected, rtol=1e-6)


@pytest.mark.parametrize("rule", [AdamW(0.1, weight_decay=0.5), MLP(dtype="float64", scale=0.1)])
def test_rule_that_keeps_theta_is_told_where_the_schedule_took_it(rule):
    scheduled = Scheduled({"again": Scheduled({"it": rule}, "linear")}, "linear").fit(((3,),), 10)
    phi, theta = some_phi(rule), np.ones(3)
    state = scheduled.init_state(theta)
    for gradient in GRADIENTS:
        update, state = scheduled(phi, gradient, state)
        theta = theta + update
    own = state["rule"]["rule"]
    np.testing.assert_allclose(own["theta"] if "theta" in own else own["tensors"][0]["theta"], theta, rtol=1e-12)


def test_schedule_of_adamw_is_that_of_its_learning_rate():
    rule, theta = AdamW(0.1, weight_decay=0.5), np.ones(3)
    scheduled = Scheduled({"it": rule}, "linear").fit(((3,),), 10)
    state, other = scheduled.init_state(theta), rule.init_state(theta)
    for t, gradient in enumerate(GRADIENTS):
        slower = dataclasses.replace(rule, learning_rate=0.1 * (1 - t / 10))
        wanted, other = slower(slower.init(), gradient, other)
        update, state = scheduled(rule.init(), gradient, state)
        np.testing.assert_allclose(update, wanted, rtol=1e-12)
        theta = theta + update


def test_learning_rate_of_the_rule_is_tuned_through_the_schedule():
    problem = Quadratic(dimension=3, functions=2)
    entries = {"cosine": (Scheduled({"adam": Adam()}), None)}
    result = l2l.compare(problem, entries, steps=10, repeats=1, tuning_repeats=1)["cosine"]
    assert result["learning_rate"] > 0.001
    fixed = Scheduled({"adam": Adam(result["learning_rate"])})
    again = l2l.compare(problem, {"cosine": (fixed, fixed.init())}, steps=10, repeats=1)["cosine"]
    np.testing.assert_array_equal(again["curves"], result["curves"])


def test_learning_rate_is_that_of_the_rule_however_it_is_given():
    assert Scheduled({"a": Adam(0.3)}).learning_rate == 0.3
    assert Scheduled({"a": Adam()}, learning_rate=0.3) == Scheduled({"a": Adam(0.3)})
    assert dataclasses.replace(Scheduled({"a": Adam(0.3)}), learning_rate=0.1).rule == {"a": Adam(0.1)}
    assert Scheduled({"a": LSTM()}).learning_rate is None


def test_scheduled_rule_is_trained_saved_loaded_and_written_as_text(tmp_path):
    rule = l2l.make_optimizer("scheduled", rule="it=rnnprop", schedule="linear")
    training = l2l.train(Simple(), rule, episodes=2, steps=4, unroll_length=2, validation_tasks=1)
    l2l.save(tmp_path / "o.npz", rule, training.phi)
    assert l2l.load(tmp_path / "o.npz")[0] == rule


def test_scheduled_rule_may_be_one_of_the_groups():
    groups = Groups({"a": Scheduled({"adam": Adam(0.1)}), "b": Adam(0.1)})
    theta, losses = l2l.minimize(
        lambda t: (t["a"] ** 2.0 + t["b"] ** 2.0)[0], {"a": np.ones(1), "b": np.ones(1)}, groups
    )
    assert losses[-1] < losses[0]
    assert theta["a"] != theta["b"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rule": {"a": Adam(), "b": Adam()}}, "rule is one rule, not 2"),
        ({"rule": {"a": Groups({})}}, "Groups cannot be scheduled: give each group a scheduled rule"),
        ({"rule": {"a": Newton()}}, "Newton cannot be scheduled: take a rule that uses gradients"),
        ({"rule": {"a": LSTM()}, "learning_rate": 0.1}, "LSTM has no learning rate: leave learning_rate out"),
        ({"schedule": "step"}, "schedule is cosine or linear or constant, not 'step'"),
        ({"warmup": 1.0}, "warmup is a number of at most 0.9"),
        ({"warmup": -0.1}, "warmup is a number of at least 0"),
    ],
)
def test_what_cannot_be_scheduled_is_refused(arguments, message):
    with pytest.raises(L2LError, match=message):
        Scheduled(**arguments)


def test_untrained_network_has_no_rate_to_tune():
    with pytest.raises(L2LError, match="LSTM has to be trained first"):
        l2l.compare(Simple(), {"it": (Scheduled({"lstm": LSTM()}), None)}, steps=2, repeats=1)
