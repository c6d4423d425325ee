"""Optimizees: families of functions f that optimizers are trained and compared on.

`interface.Problem` says what a problem is. To add one, write the class and name it here; from outside the package, call
`l2l.register`.
"""

from typing import Any

import numpy as np

from l2l.errors import L2LError
from l2l.problems.convnet import CIFAR, CIFAR2, CIFAR5, MNISTConv
from l2l.problems.ensemble import Ensemble
from l2l.problems.interface import Problem, problem_of
from l2l.problems.mixture import FAMILIES, Mixture
from l2l.problems.mnist import MNIST
from l2l.problems.synthetic import Quadratic, Simple
from l2l.problems.task import SPLITS, Curvature, ModelLoss, Task
from l2l.problems.wrappers import Noisy, Scaled
from l2l.registry import MOST_SEED, PROBLEMS, build, whole

PROBLEMS |= {
    "simple": Simple,
    "quadratic": Quadratic,
    "mnist": MNIST,
    "mnist-conv": MNISTConv,
    "cifar": CIFAR,
    "cifar-5": CIFAR5,
    "cifar-2": CIFAR2,
    "ensemble": Ensemble,
    **FAMILIES,
    "mixture": Mixture,
    "scaled": Scaled,
    "noisy": Noisy,
}

__all__ = [
    "CIFAR",
    "CIFAR2",
    "CIFAR5",
    "FAMILIES",
    "MNIST",
    "PROBLEMS",
    "SPLITS",
    "Curvature",
    "Ensemble",
    "MNISTConv",
    "Mixture",
    "ModelLoss",
    "Noisy",
    "Problem",
    "Quadratic",
    "Scaled",
    "Simple",
    "Task",
    "draw_task",
    "family_of",
    "make_problem",
    "problem_of",
]


def make_problem(name, **settings):
    """The problem called `name` with these options. Raises L2LError, naming what there is, where one is wrong."""
    return build("problem", PROBLEMS, name, settings)


def draw_task(problem: Problem, split: str, seed: int, index: int) -> Task:
    """The index-th task of a split: seed, split and index determine it, and no two of them share random numbers.

    Raises L2LError where problem is none, draws no Task, or seed is not a whole number from 0 to 2⁶³.
    """
    if isinstance(problem, type) or not hasattr(problem, "sample"):
        raise L2LError(f"a problem is what l2l.make_problem returns, not {problem!r}")
    whole(0, MOST_SEED, seed=seed)
    task = problem.sample(_generator(split, seed, index), split)
    if not isinstance(task, Task):
        name = type(problem).__name__
        raise L2LError(f"{name}.sample must return a Task, not {task!r}: end it with `return Task(theta, loss)`")
    return task


def family_of(problem: Any, split: str, seed: int, index: int) -> str:
    """The family of the task that `draw_task` draws, of a problem that has some: `problem.draw_family(rng)` names the
    one that `problem.sample(rng, split)` takes."""
    return str(problem.draw_family(_generator(split, seed, index)))


def _generator(split, seed, index):
    return np.random.default_rng([seed, SPLITS.index(split), index])
