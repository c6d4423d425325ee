"""Unrolls whose backward pass recomputes segments: the same meta-gradients as without, in less memory."""

import tracemalloc
from dataclasses import dataclass

import numpy as np
import pytest

import minigrad as mg
from l2l.meta_training.state import Settings, Trajectory
from l2l.meta_training.unrolls import Unroll
from l2l.optimizers import LSTM, OPTIMIZERS, make_optimizer
from l2l.problems import ModelLoss, Quadratic, Task
from tests.conftest import some_phi

STEPS, UNROLL = 12, 7  # an unroll of 7 steps and one of 5, so that the last segment of 3 is shorter
FLOAT64 = LSTM(hidden=(3, 2), dtype="float64", p=2.0)


@dataclass(frozen=True)
class Softmax:
    """Softmax regression on a new minibatch at each step."""

    data = "random numbers"

    def sample(self, rng, split="train"):
        def next_batch():
            return rng.normal(size=(5, 2)), rng.integers(3, size=5)

        loss = ModelLoss(
            lambda theta, batch: batch[0] @ mg.reshape(theta, (2, 3)),
            lambda z, batch: mg.cross_entropy(z, batch[1]),
            classifier=True,
        )
        return Task(rng.normal(size=6), loss, next_batch)


def unrolls(problem, optimizer, **settings):
    """What `Unroll` gives of the two unrolls of a trajectory, as arrays."""
    settings = Settings(steps=STEPS, unroll_length=UNROLL, **settings)
    take, way, found, phi = Unroll(problem, optimizer, settings), Trajectory(1, STEPS), [], some_phi(optimizer)
    while not way.finished:
        total, gradient, way = take(phi, way)
        found += [total, gradient, way.losses, *mg.tree.flatten(way.reached)[0]]
    assert np.any(found[1])
    return found


def assert_same_with_and_without(problem, optimizer, rtol=1e-10, **settings):
    whole, cut = (unrolls(problem, optimizer, checkpoint_every=every, **settings) for every in (None, 3))
    for a, b in zip(whole, cut, strict=True):
        assert type(a) is type(b)
        assert np.asarray(a).dtype == np.asarray(b).dtype
        np.testing.assert_allclose(b, a, rtol=rtol, atol=rtol * np.max(np.abs(a)))


@pytest.mark.parametrize("second_derivatives", [False, True], ids=["first-order", "exact"])
@pytest.mark.parametrize("fused", [False, True], ids=["readable", "fused"])
def test_meta_gradient_and_all_else_is_that_of_the_whole_unroll(fused, second_derivatives):
    optimizer = LSTM(hidden=(3, 2), dtype="float64", p=2.0, fused=fused)
    assert_same_with_and_without(Softmax(), optimizer, second_derivatives=second_derivatives)


@pytest.mark.parametrize(
    "settings",
    [
        {"normalize": "start"},
        {"normalize": "log"},
        {"weights": "linear"},
        {"weights": "last"},
        {"imitation": 1.0, "teacher": "adam:learning_rate=0.05"},
        {"estimator": "blend:pairs=2"},
        {"estimator": "pes:pairs=2"},
    ],
    ids=str,
)
def test_other_settings_mean_the_same_with_it(settings):
    assert_same_with_and_without(Softmax(), FLOAT64, **settings)


@pytest.mark.parametrize("second_derivatives", [False, True], ids=["first-order", "exact"])
@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if name not in ("groups", "kernel-lstm")])
def test_every_rule_can_be_unrolled_with_it(name, second_derivatives):
    assert_same_with_and_without(Softmax(), make_optimizer(name), rtol=1e-4, second_derivatives=second_derivatives)


def test_gradient_flows_from_segment_to_segment():
    # Three unrolls, each cut from the others, have another meta-gradient than one unroll of three segments.
    settings = Settings(steps=6, unroll_length=6, checkpoint_every=2)
    phi, whole = some_phi(FLOAT64), Unroll(Softmax(), FLOAT64, settings)(some_phi(FLOAT64), Trajectory(1, 6))[1]
    take, way, parts = Unroll(Softmax(), FLOAT64, Settings(steps=6, unroll_length=2)), Trajectory(1, 6), []
    while not way.finished:
        _, gradient, way = take(phi, way)
        parts.append(gradient)
    assert np.linalg.norm(whole - sum(parts)) > 0.1 * np.linalg.norm(whole)


def test_segment_that_is_not_shorter_than_the_unroll_changes_no_bit():
    whole, cut = (unrolls(Softmax(), FLOAT64, checkpoint_every=every) for every in (None, UNROLL))
    for a, b in zip(whole, cut, strict=True):
        np.testing.assert_array_equal(a, b)


def test_memory_of_a_long_unroll_is_that_of_a_segment():
    def peak(**settings):
        optimizer, settings = LSTM(), Settings(steps=400, unroll_length=400, **settings)
        take, phi = (
            Unroll(Quadratic(dimension=10, functions=10), optimizer, settings),
            optimizer.init(np.random.default_rng(0)),
        )
        take(phi, Trajectory(1, 1))  # which may compile kernels
        tracemalloc.start()
        try:
            take(phi, Trajectory(1, 400))
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(checkpoint_every=20) < peak() / 3
