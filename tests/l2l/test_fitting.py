"""What a rule is told of its task: the shapes of θ's tensors and the number of steps."""

from dataclasses import dataclass

import numpy as np
import pytest

import l2l
import minigrad as mg
from l2l.errors import L2LError
from l2l.optimizers import SGD, FeatureLSTM, Groups, Scheduled, fitted
from l2l.optimizers.fitting import tensor_means, tensors
from l2l.problems import MNIST, Ensemble, MNISTConv, Quadratic, Simple, Task, draw_task
from l2l.problems.interface import task_of

TOLD = []


@dataclass(frozen=True)
class Asks(SGD):
    """SGD that notes what it is told."""

    def fit(self, shapes, steps):
        TOLD.append((shapes, steps))
        return SGD(self.learning_rate)


@pytest.fixture(autouse=True)
def nothing_told():
    TOLD.clear()


TREE = {"b": np.ones((2, 3)), "a": [np.ones(4), np.ones(())]}
SHAPES = (4,), (), (2, 3)  # in the order of ravel


def loss(theta):
    return mg.sum(mg.square(theta["b"])) + mg.sum(mg.square(theta["a"][0])) + mg.square(theta["a"][1])


@pytest.mark.parametrize(
    ("problem", "shapes"),
    [
        (MNIST(hidden=3, layers=2, batch=2), ((784, 3), (3,), (3, 3), (3,), (3, 10), (10,))),
        (
            MNISTConv(channels=(2,), hidden=3, batch=2),
            ((2, 1, 5, 5), (2,), (3,), (392, 3), (3, 10), (10,)),
        ),
        (Ensemble({"b": MNIST(hidden=1, batch=2), "a": Simple()}), ((1,), (784, 1), (1,), (1, 10), (10,))),
        (Quadratic(), ()),
    ],
)
def test_problem_says_of_which_tensors_theta_is_made(problem, shapes):
    assert draw_task(problem, "train", 0, 0).shapes == shapes


def test_task_of_a_tree_has_its_shapes():
    assert task_of(loss, TREE)[0].shapes == SHAPES


@pytest.mark.parametrize(
    ("shapes", "parts", "message"),
    [
        (((2, 2),), {}, r"shapes \(\(2, 2\),\) do not make up its theta of 6 coordinates"),
        (((2, 2), (2,)), {"a": 3, "b": 3}, "parts {'a': 3, 'b': 3} cut through one of its tensors"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(shapes, parts, message):
    with pytest.raises(L2LError, match=message):
        Task(np.ones(6), lambda theta, batch: mg.sum(theta), shapes=shapes, parts=parts)


# ------------------------------------------------------------------------------------------ how a rule is told


def test_minimize_tells_shapes_and_steps():
    l2l.minimize(loss, TREE, Asks(), steps=7)
    assert TOLD == [(SHAPES, 7)]


def test_compare_tells_shapes_and_steps():
    l2l.compare(l2l.problem_of(loss, TREE), {"asks": (Asks(), Asks().init())}, steps=7, repeats=1)
    assert {shapes for shapes, _ in TOLD} == {SHAPES}
    assert TOLD[-1][1] == 7


def test_train_tells_shapes_and_the_steps_of_the_whole_episode():
    l2l.train(l2l.problem_of(loss, TREE), Asks(), episodes=1, steps=7, unroll_length=2, validation_tasks=1)
    assert {shapes for shapes, _ in TOLD} == {SHAPES}
    assert {steps for _, steps in TOLD[1:]} == {7}  # the first one checks its contract, in two steps


def test_theta_without_shapes_is_one_vector():
    l2l.compare(Quadratic(dimension=3, functions=2), {"asks": (Asks(), Asks().init())}, steps=2, repeats=1)
    assert {shapes for shapes, _ in TOLD} == {((6,),)}


@pytest.mark.parametrize(
    ("task", "shapes"),
    [
        (task_of(loss, TREE)[0], [((4,), ()), ((2, 3),)]),
        (Task(np.ones(5), lambda theta, batch: mg.sum(theta), parts={"a": 2, "b": 3}), [((2,),), ((3,),)]),
    ],
)
def test_each_of_the_groups_is_told_the_shapes_of_its_part(task, shapes):
    fitted(Groups({"a": Asks(), "b": Asks()}), task, 9)
    assert [found for found, _ in TOLD] == shapes
    assert {steps for _, steps in TOLD} == {9}


def test_rule_that_asks_for_nothing_is_its_own_fit():
    rule = SGD()
    assert fitted(rule, task_of(loss, TREE)[0], 5) is rule


def test_fitting_changes_nothing_in_the_rule_itself():
    rule = FeatureLSTM()
    told = fitted(rule, task_of(loss, TREE)[0], 5)
    assert (told.shapes, told.steps) == (SHAPES, 5)
    with pytest.raises(L2LError, match=r"knows no steps and no tensors: take l2l.optimizers.fitted\(rule, task, steps"):
        rule.init_state(np.ones(11))


def test_rule_that_was_fitted_to_another_theta_says_so():
    told = fitted(FeatureLSTM(), task_of(loss, TREE)[0], 5)
    with pytest.raises(L2LError, match="not to 3 coordinates: fit it anew"):
        told.init_state(np.ones(3))


# ------------------------------------------------------------------------------------------ tensors of a vector


def test_tensors_are_those_of_the_tree():
    vector = np.arange(11.0)
    for found, wanted in zip(tensors(vector, SHAPES), mg.tree.flatten(task_of(loss, TREE)[1](vector))[0], strict=True):
        np.testing.assert_array_equal(found, wanted)
        assert found.shape == wanted.shape


def test_tensor_means_are_the_mean_of_each_tensor_at_its_coordinates():
    found = tensor_means(np.arange(7.0), ((2, 2), (0,), (3,)))
    np.testing.assert_array_equal(found, [1.5] * 4 + [5.0] * 3)


@pytest.mark.parametrize("rule", [Scheduled(), FeatureLSTM()])
def test_no_step_at_all_is_a_number_of_steps_too(rule):
    phi = rule.init(np.random.default_rng(0))
    theta, losses = l2l.minimize(loss, TREE, (rule, phi), steps=0)
    np.testing.assert_array_equal(theta["b"], TREE["b"])
    assert len(losses) == 0
