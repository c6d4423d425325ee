"""Convolutional optimizees, and ensembles of problems."""

import math

import numpy as np
import pytest

import minigrad as mg
from l2l.errors import L2LError
from l2l.problems import CIFAR, MNIST, Ensemble, MNISTConv, Quadratic, Simple, data, draw_task, make_problem

SMALL = {"channels": (2, 3), "hidden": 4, "batch": 6}


def test_network_of_the_paper_has_the_expected_coordinates():
    task = draw_task(CIFAR(), "train", 0, 0)
    convolutions = 25 * 16 * (3 + 16 + 16)
    assert task.parts == {"conv": convolutions, "rest": (3 * 16 + 32) + 16 * 4 * 4 * 32 + 33 * 10}
    assert len(task.theta) == 22_602


def test_logits_are_those_of_the_written_out_network():
    task = draw_task(MNISTConv(**SMALL), "train", 0, 0)
    theta = np.random.default_rng(0).normal(size=task.theta.shape)
    cuts = np.cumsum([25 * 2, 25 * 2 * 3, 2, 3, 4, 3 * 49 * 4, 40])
    first, second, beta1, beta2, beta3, hidden, W, b = np.split(theta, cuts)
    batch = task.next_batch()

    def norm(x, beta):
        axes = (0, *range(2, x.ndim))
        x = (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + 1e-5)
        return np.maximum(x + beta.reshape(-1, *[1] * (x.ndim - 2)), 0.0)

    def layer(x, weights, beta):
        padded = np.pad(x, [(0, 0), (0, 0), (2, 2), (2, 2)])
        windows = np.lib.stride_tricks.sliding_window_view(padded, (5, 5), axis=(2, 3))
        x = norm(np.einsum("ncijkl,fckl->nfij", windows, weights), beta)
        n, f, i, j = x.shape
        return x.reshape(n, f, i // 2, 2, j // 2, 2).max(axis=(3, 5))

    x = layer(layer(batch[0].astype(float), first.reshape(2, 1, 5, 5), beta1), second.reshape(3, 2, 5, 5), beta2)
    z = norm(x.reshape(6, -1) @ hidden.reshape(-1, 4), beta3) @ W.reshape(4, 10) + b
    expected = -np.mean(z[np.arange(6), batch[1]] - np.log(np.exp(z).sum(axis=1)))
    assert task.loss(theta, batch) == pytest.approx(expected, rel=1e-6)


def test_gradient_agrees_with_finite_differences():
    task = draw_task(MNISTConv(**SMALL), "train", 0, 0)
    batch = task.next_batch()
    theta = np.random.default_rng(0).normal(size=task.theta.shape)
    mg.check_gradients(lambda t: task.loss(t, batch), theta, order=1, step=1e-5, tolerance=1e-5)


def test_labels_are_the_only_ones_drawn_and_are_counted_from_0():
    problem = MNISTConv(**SMALL | {"labels": (7, 3), "batch": 200})
    batch, answers = draw_task(problem, "train", 0, 0).next_batch()
    images, labels = data.mnist().splits["train"]
    of_image = {image.tobytes(): label for image, label in zip(images, labels, strict=True)}
    drawn = [of_image[np.rint(image * 255).astype(np.uint8).tobytes()] for image in batch]
    assert [(7, 3)[answer] for answer in answers] == drawn
    assert set(answers) == {0, 1}


def test_task_with_few_examples_has_a_choice_of_its_own():
    problem = MNISTConv(**SMALL | {"examples": 5, "batch": 100})

    def drawn(number):
        batch, answers = draw_task(problem, "train", 0, number).next_batch()
        return {(image.tobytes(), answer) for image, answer in zip(batch, answers, strict=True)}

    first, second = drawn(0), drawn(1)
    assert len(first) == len(second) == 5
    assert not first & second


def test_examples_of_few_labels_have_those_labels():
    problem = MNISTConv(**SMALL | {"labels": (7, 3), "examples": 20, "batch": 200})
    images, labels = data.mnist().splits["train"]
    of_image = {image.tobytes(): label for image, label in zip(images, labels, strict=True)}
    batch, answers = draw_task(problem, "train", 0, 0).next_batch()
    drawn = [of_image[np.rint(image * 255).astype(np.uint8).tobytes()] for image in batch]
    assert [(7, 3)[answer] for answer in answers] == drawn
    assert len({image.tobytes() for image in batch}) <= 20


def test_more_examples_than_there_are_are_refused():
    with pytest.raises(L2LError, match=r"examples is at most [\d,]+, the images that there are, not 10,000"):
        draw_task(MNISTConv(**SMALL | {"examples": 10_000}), "validation", 0, 0)


@pytest.mark.parametrize(("name", "labels"), [("cifar-5", (0, 1, 2, 3, 4)), ("cifar-2", (0, 1))])
def test_presets_are_cifar_on_some_labels(name, labels):
    preset = make_problem(name)
    assert preset.labels == labels
    assert preset.chance == math.log(len(labels))
    first, second = (draw_task(problem, "test", 0, 0) for problem in (preset, CIFAR(labels=labels)))
    np.testing.assert_array_equal(first.next_batch()[0], second.next_batch()[0])


def test_loss_starts_at_guessing():
    task = draw_task(make_problem("cifar-2", batch=32), "train", 0, 0)
    assert task.loss(task.theta, task.next_batch()) == pytest.approx(math.log(2), abs=0.05)


def test_labels_are_read_from_text():
    assert make_problem("cifar", labels="0,1").labels == (0, 1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"labels": (1,)}, "at least two different ones"),
        ({"labels": (1, 1)}, "at least two different ones"),
        ({"labels": (0, 10)}, "labels is a whole number of at most 9, not 10"),
        ({"channels": (1,) * 6}, "6 poolings leave nothing of 32×32 pixels"),
        ({"channels": (1000, 1000)}, "network of more than 10,000,000 weights"),
    ],
)
def test_wrong_networks_are_refused(settings, message):
    with pytest.raises(L2LError, match=message):
        make_problem("cifar", **settings)


def test_labels_that_the_data_lack_are_named(monkeypatch):
    images = data.Images({"train": (np.zeros((3, 784), np.uint8), np.array([0, 1, 1], np.uint8))}, "three digits")
    monkeypatch.setattr(MNISTConv, "images", staticmethod(lambda: images))
    with pytest.raises(L2LError, match=r"three digits: none of the images for train has one of the labels \(5, 6\)"):
        draw_task(MNISTConv(labels=(5, 6)), "train", 0, 0)


# ------------------------------------------------------------------------------------------ ensembles


def test_ensemble_is_the_weighted_sum_of_its_problems():
    problems = {"b": Quadratic(dimension=2, functions=3), "a": Simple(), "c": MNIST(hidden=2, batch=3)}
    ensemble = draw_task(Ensemble(problems, weights=(0.5, 2.0, 3.0)), "train", 0, 0)
    rng = np.random.default_rng([0, 0, 0])
    tasks = [problems[name].sample(rng) for name in "abc"]
    batch = [task.next_batch() for task in tasks]
    expected = sum(w * t.loss(t.theta, b) / t.functions for w, t, b in zip((0.5, 2.0, 3.0), tasks, batch, strict=True))
    assert ensemble.loss(ensemble.theta, batch) == pytest.approx(expected, rel=1e-6)
    assert ensemble.parts == {name: len(task.theta) for name, task in zip("abc", tasks, strict=True)}


def test_one_weight_serves_all_problems_of_an_ensemble():
    problems = {"a": Simple(), "b": Simple()}
    once, twice = (draw_task(Ensemble(problems, weights=w), "train", 0, 0) for w in ((1.0,), (2.0, 2.0)))
    assert twice.loss(twice.theta, [None, None]) == 2.0 * once.loss(once.theta, [None, None])


def test_parts_of_a_problem_are_named_in_the_ensemble():
    problems = {"digits": MNISTConv(**SMALL), "x": Simple()}
    assert list(draw_task(Ensemble(problems), "train", 0, 0).parts) == ["digits.conv", "digits.rest", "x"]


def test_ensemble_says_what_all_its_problems_are_made_of():
    assert Ensemble({"a": Simple(), "b": Quadratic()}).data == "random numbers"
    assert Ensemble({"a": Simple(), "b": MNIST()}).data == "MNIST from L2L_DATA, 300 digits and random numbers"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "at least one of problems"),
        ({"problems": "a=simple,b=simple", "weights": "1,2,3"}, "one for each of the 2 problems"),
        ({"problems": "a=simple", "weights": "0"}, "weights is a positive number, not '0'"),
        ({"problems": "a=adam"}, "no problem 'adam'"),
    ],
)
def test_wrong_ensembles_are_refused(settings, message):
    with pytest.raises(L2LError, match=message):
        make_problem("ensemble", **settings)
