"""Meta-training."""

import json

import numpy as np
import pytest

import l2l
import minigrad as mg
from l2l.cli import report
from l2l.errors import DivergenceError, L2LError
from l2l.meta_training import loop, unrolls
from l2l.optimizers import LSTM, make_optimizer
from l2l.problems import Quadratic, Simple, Task

SMALL = {"episodes": 4, "steps": 10, "unroll_length": 5, "validate_every": 2}


def leaves(*trees):
    return mg.tree.flatten(list(trees))[0]


def test_training_lowers_the_validation_loss():
    records = []
    l2l.train(
        Quadratic(dimension=4, functions=16),
        LSTM(hidden=(5,), preprocess="none"),
        episodes=20,
        steps=20,
        unroll_length=10,
        report=lambda training: records.append(training.best),
    )
    assert records[-1] < 0.5 * records[0]


def test_learning_rate_learned_by_gradient_descent_approaches_the_best_one():
    # On f = x² a step of w·2x with w = −1/2 ends at 0 at once.
    training = l2l.train(
        Simple(), make_optimizer("linear"), episodes=200, steps=5, unroll_length=5, meta_learning_rate=0.05
    )
    assert training.phi["w"] == pytest.approx(-0.5, abs=0.05)


def test_same_seed_same_numbers_and_other_seed_others():
    runs = [l2l.train(Simple(), LSTM(hidden=(3,)), seed=seed, **SMALL) for seed in (0, 0, 1)]
    first, again, other = ([{**record, "seconds": None} for record in run.history] for run in runs)
    assert first == again != other
    np.testing.assert_array_equal(*(mg.tree.ravel(run.phi)[0] for run in runs[:2]))


def test_no_gradient_crosses_the_boundary_between_two_unrolls(monkeypatch):
    entered = []

    def spy(optimizer, phi, task, theta, state, weights, second_derivatives, term):
        entered.append([type(leaf) for leaf in leaves(theta, state)])
        assert all(type(leaf) is mg.Var for leaf in leaves(phi))
        return l2l.unroll(optimizer, phi, task, theta, state, weights, second_derivatives)

    monkeypatch.setattr(unrolls, "unroll", spy)
    l2l.train(Simple(), LSTM(hidden=(3,)), second_derivatives=True, **SMALL)
    assert len(entered) == 8
    assert all(kind is np.ndarray for kinds in entered for kind in kinds)


def test_state_and_theta_are_carried_from_one_unroll_to_the_next(monkeypatch):
    starts = []

    def spy(optimizer, phi, task, theta, *rest):
        starts.append((theta, rest[0]))
        return l2l.unroll(optimizer, phi, task, theta, *rest)

    monkeypatch.setattr(unrolls, "unroll", spy)
    l2l.train(Simple(), make_optimizer("momentum"), episodes=1, steps=4, unroll_length=2)
    (first, state), (second, carried) = starts
    assert not np.array_equal(first, second)
    assert np.all(state["velocity"] == 0.0)
    assert np.all(carried["velocity"] != 0.0)


def test_last_unroll_takes_the_steps_that_are_left(monkeypatch):
    lengths = []

    def spy(optimizer, phi, task, theta, state, weights, second_derivatives, term):
        lengths.append(len(weights))
        return l2l.unroll(optimizer, phi, task, theta, state, weights, second_derivatives)

    monkeypatch.setattr(unrolls, "unroll", spy)
    l2l.train(Simple(), make_optimizer("sgd"), episodes=1, steps=7, unroll_length=3)
    assert lengths == [3, 3, 1]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, [[1.0] * 3, [1.0] * 3, [1.0]]),
        ({"weights": "uniform"}, [[1.0] * 3, [1.0] * 3, [1.0]]),
        ({"weights": "linear"}, [[0.5, 1.0, 1.5], [0.5, 1.0, 1.5], [1.0]]),
        ({"weights": "last"}, [[0.0, 0.0, 1.0], [0.0, 0.0, 1.0], [1.0]]),
    ],
    ids=["by default", "uniform", "linear", "last"],
)
def test_losses_of_an_unroll_are_weighted_as_the_setting_says(given, expected, monkeypatch):
    seen = []

    def spy(optimizer, phi, task, theta, state, weights, second_derivatives, term):
        seen.append(weights)
        return l2l.unroll(optimizer, phi, task, theta, state, weights, second_derivatives)

    monkeypatch.setattr(unrolls, "unroll", spy)
    l2l.train(Simple(), make_optimizer("sgd"), episodes=1, steps=7, unroll_length=3, **given)
    assert seen == expected


def test_training_loss_is_the_sum_over_all_steps_whatever_the_weights():
    # All of it in one unroll, so that φ has not moved yet.
    records = [
        l2l.train(Simple(), make_optimizer("sgd"), episodes=1, steps=3, unroll_length=3, weights=weights).history[0]
        for weights in ("uniform", "last")
    ]
    assert records[0]["train"] == records[1]["train"]
    assert records[0]["meta_gradient_norm"] != records[1]["meta_gradient_norm"]


def test_best_phi_is_the_one_with_the_lowest_validation_loss():
    # A meta learning rate so large that training only makes things worse: the untrained φ must be kept.
    optimizer = make_optimizer("linear", initial=-0.45)
    training = l2l.train(Simple(), optimizer, meta_learning_rate=0.5, **SMALL)
    assert training.best_episode == 0
    assert training.phi["w"] == -0.45
    assert min(record["validation"] for record in training.history if "validation" in record) > training.best


def test_training_without_one_good_episode_says_what_to_lower():
    optimizer = make_optimizer("linear", initial=1e30)
    with pytest.raises(DivergenceError, match=r"4 episodes in a row.*lower the meta learning rate.*l2l doctor"):
        l2l.train(Simple(), optimizer, **SMALL)


class Broken(Simple):
    """Simple, but in the given episodes the loss is NaN from the given step on."""

    def __init__(self, episodes, step=0):
        self.drawn, self.episodes, self.step = 0, episodes, step

    def sample(self, rng, split="train"):
        task = super().sample(rng, split)
        if split != "train":
            return task
        self.drawn += 1
        factors = iter([np.nan if self.drawn in self.episodes and t >= self.step else 1.0 for t in range(100)])
        return Task(task.theta, lambda theta, batch: batch * task.loss(theta, None), lambda: next(factors))


def test_rest_of_an_episode_that_is_not_finite_is_dropped_and_training_goes_on():
    training = l2l.train(Broken({2}, step=5), LSTM(hidden=(3,)), **SMALL)
    assert [record["skipped"] for record in training.history] == [0, 1, 0, 0]
    assert training.history[1]["train"] is None
    assert training.meta_steps == 7  # two an episode; in the second, only the first
    assert np.isfinite(mg.tree.ravel(training.latest)[0]).all()


def test_skipped_episode_leaves_phi_and_the_meta_optimizer_as_they_were(monkeypatch):
    given, returned, phis = [], [], []

    class Spy(loop.Adam):
        def __call__(self, phi, grad, state):
            given.append(state)
            update, state = super().__call__(phi, grad, state)
            returned.append(state)
            return update, state

    monkeypatch.setattr(loop, "Adam", Spy)
    l2l.train(
        Broken({3}), LSTM(hidden=(3,)), **SMALL, report=lambda training: phis.append(mg.tree.ravel(training.latest)[0])
    )
    np.testing.assert_array_equal(phis[3], phis[2])
    assert not np.array_equal(phis[2], phis[0])
    assert len(given) == 6
    assert all(state is before for state, before in zip(given[1:], returned, strict=False))


def test_ten_skipped_episodes_in_a_row_end_the_training_and_leave_their_records():
    seen = []
    with pytest.raises(DivergenceError, match=r"10 episodes in a row.*episode 13"):
        l2l.train(
            Broken(set(range(1, 3)) | set(range(4, 30))),
            LSTM(hidden=(3,)),
            **{**SMALL, "episodes": 30},
            report=lambda training: seen.append(list(training.history)),
        )
    assert [record["skipped"] for record in seen[-1]] == [1, 1, 0] + [1] * 10


def test_patience_that_runs_out_before_one_good_episode_ends_in_an_error():
    with pytest.raises(DivergenceError, match="3 episodes in a row"):
        l2l.train(
            Broken(range(30)), make_optimizer("sgd"), patience=3, **{**SMALL, "episodes": 30, "validate_every": 1}
        )


def test_meta_gradient_is_scaled_down_to_clip_and_counted(monkeypatch):
    norms = []

    class Spy(loop.Adam):
        def __call__(self, phi, grad, state):
            norms.append(np.linalg.norm(grad))
            return super().__call__(phi, grad, state)

    monkeypatch.setattr(loop, "Adam", Spy)
    free = l2l.train(Simple(), LSTM(hidden=(3,)), **SMALL)
    unclipped, clip = list(norms), np.median(norms)
    norms.clear()
    training = l2l.train(Simple(), LSTM(hidden=(3,)), clip=float(clip), **SMALL)
    assert max(unclipped) > clip * 1.01
    assert max(norms) <= clip * (1 + 1e-6)
    assert sum(record["clipped"] for record in training.history) > 0 == sum(r["clipped"] for r in free.history)


def test_recorded_norm_is_the_one_before_clipping():
    record = l2l.train(Simple(), LSTM(hidden=(3,)), clip=1e-9, **SMALL).history[0]
    assert record["clipped"] == 2
    assert record["meta_gradient_norm"] > 1e-3


def test_meta_learning_rate_falls_geometrically_to_decay_times_itself():
    training = l2l.train(Simple(), LSTM(hidden=(3,)), meta_learning_rate=0.1, decay=0.001, **SMALL)
    rates = [record["meta_learning_rate"] for record in training.history]
    np.testing.assert_allclose(rates, [0.1, 0.01, 0.001, 0.0001])


def test_meta_learning_rate_rises_linearly_over_the_warmup():
    training = l2l.train(Simple(), LSTM(hidden=(3,)), meta_learning_rate=0.1, warmup=3, **{**SMALL, "episodes": 6})
    rates = [record["meta_learning_rate"] for record in training.history]
    np.testing.assert_allclose(rates, [0.025, 0.05, 0.075, 0.1, 0.1, 0.1])


def test_decayed_rate_is_the_one_that_moves_phi():
    phis = []
    l2l.train(
        Simple(),
        make_optimizer("linear"),
        decay=1e-6,
        **SMALL,
        report=lambda training: phis.append(float(training.latest["w"])),
    )
    assert abs(phis[-1] - phis[-2]) < 1e-4 * abs(phis[1] - phis[0])


def test_patience_ends_the_training_after_that_many_validations_without_a_new_best():
    settings = {**SMALL, "episodes": 50, "validate_every": 2, "meta_learning_rate": 0.5}
    training = l2l.train(Simple(), make_optimizer("linear", initial=-0.45), patience=3, **settings)
    assert training.best_episode == 0
    assert len(training.history) == 6


def test_new_best_renews_the_patience():
    # From far below the best rate every validation is better than the one before.
    training = l2l.train(
        Simple(), make_optimizer("linear"), patience=1, **{**SMALL, "episodes": 12, "meta_learning_rate": 0.002}
    )
    assert len(training.history) == 12


def test_latest_is_the_current_phi_and_phi_the_best():
    training = l2l.train(Simple(), make_optimizer("linear", initial=-0.45), meta_learning_rate=0.5, **SMALL)
    assert training.phi["w"] == -0.45 != training.latest["w"]
    assert training.meta_steps == 8


def test_history_is_plain_json_even_where_losses_are_not_finite():
    seen = []
    with pytest.raises(DivergenceError):
        l2l.train(Simple(), make_optimizer("linear", initial=1e30), **SMALL, report=seen.append)
    text = json.dumps([seen[-1].untrained, seen[-1].history], allow_nan=False)
    assert '"validation": null' in text
    assert '"train": null' in text


@pytest.mark.parametrize(
    "name",
    [*("episodes", "steps", "unroll_length", "meta_learning_rate", "validation_tasks", "decay", "clip", "patience")],
)
def test_settings_that_are_not_positive_are_refused(name):
    with pytest.raises(L2LError, match=f"^{name} is a (positive number|whole number of at least 1), not 0$"):
        l2l.train(Simple(), make_optimizer("sgd"), **{name: 0})


def test_clipped_meta_steps_are_told():
    training = l2l.train(Simple(), LSTM(hidden=(3,)), clip=1e-9, **SMALL)
    assert list(report.exceptions(training)) == ["8 meta-gradients were clipped, in 8 meta-steps"]
