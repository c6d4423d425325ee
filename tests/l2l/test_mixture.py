"""A mixture of problems, and the wrappers around a problem."""

import json
import math
from collections import Counter

import numpy as np
import pytest

import l2l
import minigrad as mg
from l2l.__main__ import main
from l2l.errors import L2LError
from l2l.problems import FAMILIES, MNIST, Ensemble, Mixture, Noisy, Quadratic, Scaled, Simple, draw_task, make_problem
from l2l.storage import checkpoint

# ------------------------------------------------------------------------------------------ wrappers


@pytest.mark.parametrize("settings", [{}, {"coordinates": 0, "tensors": 1, "loss": 0}])
def test_scaled_problem_is_the_same_function_in_other_units(settings):
    problem = make_problem("valley", dimension=6)
    plain, scaled = (p.sample(np.random.default_rng(3)) for p in (problem, Scaled({"f": problem}, **settings)))
    c = (plain.theta / scaled.theta).astype(float)
    s = scaled.loss(scaled.theta, None) / plain.loss(plain.theta, None)
    theta = np.random.default_rng(0).normal(size=6)
    assert scaled.loss(theta / c, None) / s == pytest.approx(plain.loss(theta, None), rel=1e-4)
    gradient = mg.grad(scaled.loss)(theta / c, None)
    np.testing.assert_allclose(gradient, c * s * mg.grad(plain.loss)(theta, None), rtol=1e-4)


def scales(problem, seed, **settings):
    """(c, s, the task) of a draw."""
    plain, scaled = (p.sample(np.random.default_rng(seed)) for p in (problem, Scaled({"f": problem}, **settings)))
    batch = plain.next_batch()
    s = scaled.loss(scaled.theta, batch) / plain.loss(plain.theta, batch)
    return plain.theta / scaled.theta, float(s), plain


def test_scales_of_coordinates_and_of_the_loss_fill_their_ranges():
    problem = make_problem("ill-conditioned", dimension=100)
    c, s, _ = zip(*(scales(problem, seed, coordinates=2, loss=1) for seed in range(20)), strict=True)
    for found, largest in ((np.log(c), 2), (np.log(s), 1)):
        assert 0.8 * largest < np.abs(found).max() <= largest + 1e-4
        assert np.mean(found) == pytest.approx(0, abs=0.4)


def test_scales_of_tensors_are_one_for_each():
    c, _, task = scales(MNIST(hidden=3), 0, coordinates=0, tensors=2)
    tensors = np.split(c, np.cumsum([math.prod(shape) for shape in task.shapes])[:-1])
    for tensor in tensors:
        np.testing.assert_allclose(tensor, tensor[0], rtol=1e-5)
    assert len({round(float(tensor[0]), 3) for tensor in tensors}) == len(tensors) == 4


def test_noise_is_in_the_gradient_and_not_in_the_loss_at_the_start():
    problem = make_problem("ill-conditioned", dimension=50)
    plain, noisy = (p.sample(np.random.default_rng(3)) for p in (problem, Noisy({"f": problem}, noise=0.5)))
    batches = [noisy.next_batch() for _ in range(200)]
    assert noisy.loss(noisy.theta, batches[0]) == plain.loss(plain.theta, None)
    theta = plain.theta + np.float32(0.1)
    noise = [mg.grad(noisy.loss)(theta, batch) - mg.grad(plain.loss)(theta, None) for batch in batches]
    unit = 0.5 * np.sqrt(np.mean(mg.grad(plain.loss)(plain.theta, None) ** 2))
    assert np.std(noise) == pytest.approx(unit, rel=0.05)
    assert np.abs(np.mean(noise, axis=0)).max() < 4.5 * unit / np.sqrt(200)
    assert np.mean([noisy.loss(theta, batch) for batch in batches]) == pytest.approx(plain.loss(theta, None), rel=0.05)


@pytest.mark.parametrize("wrapper", [Scaled, Noisy])
def test_wrapped_task_keeps_its_parts_functions_and_data(wrapper):
    problem = Ensemble({"a": Quadratic(dimension=2, functions=3), "b": MNIST(hidden=2)})
    wrapped = wrapper({"f": problem})
    assert (wrapped.data, wrapped.checksum) == (problem.data, problem.checksum)
    task, plain = draw_task(wrapped, "train", 0, 0), draw_task(problem, "train", 0, 0)
    assert (task.parts, task.shapes) == (plain.parts, plain.shapes)
    assert draw_task(wrapper({"f": Quadratic(functions=3)}), "train", 0, 0).functions == 3


@pytest.mark.parametrize("problems", [{}, {"a": Simple(), "b": Simple()}])
@pytest.mark.parametrize("name", ["scaled", "noisy"])
def test_wrapper_takes_one_problem(name, problems):
    with pytest.raises(L2LError, match=f"problem is one, written as NAME=PROBLEM, not {len(problems)} problems"):
        make_problem(name, problem=problems)


# ------------------------------------------------------------------------------------------ mixture

THREE = {"b": Quadratic(dimension=2, functions=1), "a": Simple(), "c": Quadratic(dimension=3, functions=1)}


def test_mixture_draws_its_problems_as_often_as_their_weights_say():
    rng, mixture = np.random.default_rng(0), Mixture(THREE, weights=(1.0, 2.0, 5.0))
    sizes = Counter(len(mixture.sample(rng).theta) for _ in range(4000))
    assert [sizes[n] / 4000 for n in (1, 2, 3)] == pytest.approx([1 / 8, 2 / 8, 5 / 8], abs=0.03)


def test_weights_may_be_as_large_or_small_as_numbers_are():
    assert {
        Mixture(THREE, weights=(1e308, 5e-324, 1e308)).draw_family(np.random.default_rng(s)) for s in range(20)
    } == {
        "a",
        "c",
    }


def test_one_weight_makes_all_problems_of_a_mixture_as_frequent():
    rng, mixture = np.random.default_rng(0), Mixture(THREE)
    drawn = Counter(mixture.draw_family(rng) for _ in range(3000))
    assert [drawn[name] / 3000 for name in "abc"] == pytest.approx([1 / 3] * 3, abs=0.03)


def test_draw_tells_the_problem_of_a_task_from_its_generator_alone():
    mixture = Mixture(THREE)
    for seed in range(10):
        rng = np.random.default_rng(seed)
        task, alone = mixture.sample(np.random.default_rng(seed)), THREE[mixture.draw_family(rng)].sample(rng)
        np.testing.assert_array_equal(task.theta, alone.theta)
        assert task.loss(task.theta, None) == alone.loss(alone.theta, None)


def test_no_scale_at_all_may_be_minus_zero():
    """NumPy 2.0 refuses a range from 0 to −0."""
    task = Scaled({"x": Simple()}, coordinates=-0.0, tensors=-0.0, loss=-0.0).sample(np.random.default_rng(0))
    np.testing.assert_array_equal(task.theta, Simple().sample(np.random.default_rng(0)).theta)


def test_mixture_without_problems_is_every_family_scaled():
    mixture = Mixture()
    assert {name: type(scaled.inner) for name, scaled in mixture.problems.items()} == FAMILIES
    assert {mixture.draw_family(np.random.default_rng(seed)) for seed in range(200)} == set(FAMILIES)
    assert mixture.data == f"{MNIST().data} and random numbers"


@pytest.mark.parametrize("problem", [Mixture(), Mixture(THREE, weights=(1, 2, 3)), Noisy({"x": Mixture(THREE)})])
def test_checkpoint_holds_mixtures_and_wrappers(problem, tmp_path):
    sgd = l2l.make_optimizer("sgd", learning_rate=0.01)
    l2l.train(problem, sgd, out=tmp_path / "run", episodes=1, steps=2, unroll_length=2, validation_tasks=1)
    loaded, _, training, _ = checkpoint.load_training(tmp_path / "run" / "checkpoint.npz")
    assert loaded == problem
    assert np.isfinite(training.best)


SHORT = ["--episodes", "1", "--steps", "2", "--unroll-length", "2", "--validation-tasks", "1", "--optimizer", "sgd"]


def test_command_line_trains_on_the_default_mixture(tmp_path):
    assert main(["train", "mixture", *SHORT, "--out", str(tmp_path / "run")]) == 0
    notes = json.loads((tmp_path / "run" / "log.json").read_text())
    assert set(notes["problem"]["problems"]) == set(FAMILIES)


def test_command_line_trains_on_a_mixture_of_wrapped_problems(tmp_path):
    problems = "q=quadratic:dimension=2:functions=2,s=scaled:problem=x=valley:loss=0.5,n=noisy:problem=x=simple"
    call = ["train", "mixture", "--problems", problems, "--problem-weights", "3,1,2", *SHORT]
    assert main([*call, "--out", str(tmp_path / "run")]) == 0
    loaded = checkpoint.load_training(tmp_path / "run" / "checkpoint.npz")[0]
    assert loaded.weights == (3.0, 1.0, 2.0)
    assert loaded.problems["q"] == Quadratic(dimension=2, functions=2)
    assert loaded.problems["s"] == Scaled({"x": FAMILIES["valley"]()}, loss=0.5)
    assert loaded.problems["n"] == Noisy({"x": Simple()})
