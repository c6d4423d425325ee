"""Problems made of random numbers."""

from dataclasses import dataclass

import numpy as np

import minigrad as mg
from l2l.errors import L2LError
from l2l.problems.task import ModelLoss, Task
from l2l.registry import Checked, setting

MOST_NUMBERS = 10**7


def _sum_of_squares(z, batch):
    return mg.sum(mg.square(z))


@dataclass(frozen=True)
class Simple:
    """f(θ) = θ² in one variable, from θ_0 ~ N(0, 1)."""

    data = "random numbers"

    def sample(self, rng, split="train"):
        loss = ModelLoss(lambda theta, batch: theta, _sum_of_squares)
        return Task(rng.normal(size=1).astype(np.float32), loss)


@dataclass(frozen=True)
class Quadratic(Checked):
    """f(θ) = ‖Wθ − y‖², W (dimension × dimension) and y i.i.d. standard normal (Andrychowicz et al. 2016, section 3.1).

    θ_0 ~ N(0, 0.01²), as in the released code; f(0) = ‖y‖², on average `dimension`. f is the sum of `functions`
    independent draws with separate coordinates, so that one task trains an optimizer on many functions at once.
    """

    dimension: int = setting(10, "variables of each function", least=1, most=10_000)
    functions: int = setting(128, "functions of a task", least=1, most=100_000)

    data = "random numbers"

    def __post_init__(self):
        super().__post_init__()
        if self.functions * self.dimension**2 > MOST_NUMBERS:
            raise L2LError(f"functions · dimension², the size of W, is at most {MOST_NUMBERS:,}: lower one of them")

    def sample(self, rng, split="train"):
        n, d = self.functions, self.dimension
        W = rng.normal(size=(n, d, d)).astype(np.float32)
        y = rng.normal(size=(n, d, 1)).astype(np.float32)
        theta = rng.normal(scale=0.01, size=n * d).astype(np.float32)

        def residual(theta, batch):
            return W @ theta.reshape((n, d, 1)) - y

        return Task(theta, ModelLoss(residual, _sum_of_squares), functions=n)
