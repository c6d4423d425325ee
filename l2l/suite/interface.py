"""What a loss of the suite is, and the table of all of them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from l2l.problems import Task
from l2l.problems.interface import task_of

SPLITS = ("validation", "test", "kin")


@dataclass(frozen=True)
class SuiteLoss:
    """A problem whose tasks are one loss with other data and another start.

    draw(rng): the triple (loss, θ_0, next_batch) that `l2l.problems.interface.task_of` takes; without minibatches
    next_batch is None, and the loss a function of θ alone. A loss is never below 0, so that ratios mean something.
    """

    name: str
    family: str
    split: str
    draw: Callable

    data = "random numbers"

    def sample(self, rng: np.random.Generator, split: str = "test") -> Task:
        return task_of(*self.draw(rng))[0]


LOSSES: dict[str, SuiteLoss] = {}


def loss(family, split):
    """Decorator that enters a function `draw` under its name."""

    def enter(draw):
        name = draw.__name__.replace("_", "-")
        LOSSES[name] = SuiteLoss(name, family, split, draw)
        return draw

    return enter
