"""Problems made of another problem: scaled, and with noise."""

import math
from dataclasses import dataclass, replace

import numpy as np

import minigrad as mg
from l2l.errors import L2LError
from l2l.registry import Checked, setting


@dataclass(frozen=True)
class _Wrapper(Checked):
    problem: dict = setting(dict, "NAME=PROBLEM, the one that is changed")

    def __post_init__(self):
        super().__post_init__()
        if len(self.problem) != 1:
            raise L2LError(f"problem is one, written as NAME=PROBLEM, not {len(self.problem)} problems")

    @property
    def inner(self):
        return next(iter(self.problem.values()))

    @property
    def data(self):
        return self.inner.data

    @property
    def checksum(self):
        return getattr(self.inner, "checksum", None)


@dataclass(frozen=True)
class Scaled(_Wrapper):
    """A problem in other units, for rules that no scale of θ or of f should mislead.

    θ ↦ s·f(c ⊙ θ) from θ_0/c, with ln c = a number uniform in [−coordinates, coordinates] for each coordinate plus one
    uniform in [−tensors, tensors] for each tensor, and ln s uniform in [−loss, loss]. Lv et al. 2017 (arXiv 1703.03633)
    scale coordinates alone, by 3, and not f.
    """

    coordinates: float = setting(3.0, "largest |ln c| of a coordinate", least=0, most=10)
    tensors: float = setting(0.0, "largest |ln c| of a tensor", least=0, most=10)
    loss: float = setting(3.0, "largest |ln s| of the loss", least=0, most=10)

    def sample(self, rng, split="train"):
        task = self.inner.sample(rng, split)
        sizes = [math.prod(shape) for shape in task.shapes] or [len(task.theta)]
        tensors = np.repeat(self.tensors * rng.uniform(-1, 1, size=len(sizes)), sizes)
        coordinates = self.coordinates * rng.uniform(-1, 1, size=len(task.theta))
        c = np.exp(tensors + coordinates).astype(task.theta.dtype)
        s = float(np.exp(self.loss * rng.uniform(-1, 1)))
        return replace(task, theta=task.theta / c, loss=lambda theta, batch: s * task.loss(c * theta, batch))


@dataclass(frozen=True)
class Noisy(_Wrapper):
    """A problem with noise in its gradients, for rules that should average.

    f(θ) + σ·n_t·(θ − θ_0), where n_t ~ N(0, I) is drawn for each step: the gradient becomes ∇f + σ·n_t, and f(θ_0)
    stays as it is. σ = `noise` · the root mean square of ∇f(θ_0), so that one setting suits losses of all scales.
    Losses can be negative.
    """

    noise: float = setting(1.0, "noise in units of the gradient at the start", least=0, most=1000)

    def sample(self, rng, split="train"):
        task = self.inner.sample(rng, split)
        gradient = mg.grad(task.loss)(task.theta, task.next_batch())
        sigma = self.noise * float(np.sqrt(np.mean(np.square(gradient))))

        def next_batch():
            n = sigma * rng.normal(size=len(task.theta))
            return task.next_batch(), n.astype(task.theta.dtype)

        def loss(theta, batch):
            inner, n = batch
            return task.loss(theta, inner) + mg.dot(n, theta - task.theta)

        return replace(task, loss=loss, next_batch=next_batch)
