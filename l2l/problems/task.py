"""What a problem hands out: one optimizee, ready to be optimized."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Task:
    """One draw from a family of optimization problems.

    theta: θ_0, a float32 vector. loss(theta, batch): f, a scalar. next_batch(): the data of the next step, None where
    there is none. functions: how many independent functions f sums, so that f/functions is what to report: a mean
    in f itself would shrink every gradient with the number of functions, and move every good learning rate.
    """

    theta: np.ndarray
    loss: Callable
    next_batch: Callable = lambda: None
    functions: int = 1
