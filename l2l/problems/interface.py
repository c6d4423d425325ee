"""What a problem is, and a problem made of a loss alone."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from reprlib import repr  # of something long it shows the beginning
from typing import Any, Protocol

import numpy as np

import minigrad as mg
from l2l.errors import L2LError
from l2l.problems.task import Task, shapes_of, sizes_of
from minigrad import structure


class Problem(Protocol):
    """A family of functions f, on which optimizers are trained and compared.

    To be saved, a problem is a frozen dataclass whose fields are its options. Where its data are read from files,
    `checksum`, a text, tells them from any others.
    """

    @property
    def data(self) -> str:
        """A line that says what the problem is made of, for reports and files. A class attribute serves as well."""
        ...

    def sample(self, rng: np.random.Generator, split: str, /) -> Task:
        """Draw a task: f, its θ_0 and its batches. All randomness comes from rng, so the same rng gives the same task.
        split: "train", "validation" or "test"; tasks of two splits share no data.

        A problem made of families may also have draw_family(rng), which names the one that sample takes for the same
        rng. The log of a meta-training then tells of each.
        """
        ...


@dataclass(frozen=True)
class OwnLoss:
    """The problem that `problem_of` makes."""

    loss: Callable
    start: Any
    batches: Callable | None = None

    data = "a loss of one's own"

    def sample(self, rng: np.random.Generator, split: str = "train") -> Task:
        theta = self.start(rng) if callable(self.start) else self.start
        draw, steps = self.batches, itertools.count()
        return task_of(self.loss, theta, None if draw is None else lambda: draw(next(steps)))[0]


def problem_of(loss: Callable, start: Any, batches: Callable | None = None) -> OwnLoss:
    """A problem made of one loss, for `l2l.compare` and `l2l.train`:

        l2l.compare(l2l.problem_of(loss, start), {"sgd": (l2l.make_optimizer("sgd"), None)})

    loss, batches: as `l2l.minimize` takes them, batches being a function of the step; every run sees the same ones.
    start: a function start(rng) that draws θ_0, an array or a tree of them. Validation and test tasks are then the same
    loss from other starts: learning rates are tuned on starts that the race does not see, but on the same loss. Where
    start is θ_0 itself, all tasks are one and the same: rates are tuned on the very task that is raced, every run
    gives the same losses, and repeats=1, tuning_repeats=1 is enough.

    Raises L2LError where loss or batches is no function.
    """
    if not callable(loss):
        raise L2LError(f"loss is a function of theta, not {loss!r}")
    if not (batches is None or callable(batches)):
        raise L2LError(f"batches is a function of the step that returns its batch, not {batches!r}")
    return OwnLoss(loss, start, batches)


def task_of(loss, theta, next_batch=None):
    """The task of loss(theta), or loss(theta, batch) where there is a next_batch, with theta any tree of float arrays;
    and the function that makes such a tree of the task's vector."""
    for leaf in mg.tree.flatten(theta)[0]:
        structure.check_float(leaf, "theta holds")
    flat, unravel = mg.tree.ravel(theta)
    parts = sizes_of(theta) if isinstance(theta, dict) else {}

    def f(vector, batch):
        return scalar(loss(unravel(vector)) if next_batch is None else loss(unravel(vector), batch))

    return Task(flat, f, next_batch or (lambda: None), parts=parts, shapes=shapes_of(theta)), unravel


def scalar(value):
    """value, that of a loss. Raises L2LError where it is not one float, with its dtype and shape."""
    kind, shape = getattr(value, "dtype", None), getattr(value, "shape", ())
    if shape != () or (kind.kind != "f" if kind else not isinstance(value, float)):
        found = f"{kind} of shape {shape}" if kind else repr(value)
        fix = "reduce it with minigrad.sum or minigrad.mean" if shape else "return the loss alone, made of floats"
        raise L2LError(f"a loss returns one float, not {found}: {fix}")
    return value
