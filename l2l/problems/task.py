"""What a problem hands out: one optimizee, ready to be optimized."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from l2l.errors import L2LError
from minigrad import fisher_product, gauss_newton_product, hvp
from minigrad.tree import flatten

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Task:
    """One draw from a family of optimization problems.

    theta: θ_0, a float32 vector. loss(theta, batch): f, a scalar, which leaves its arguments and what else it uses as
    they are. next_batch(): the data of the next step, None where there is none; one buffer may serve for all steps.
    functions: how many independent functions f sums, so that f/functions is what to report: a mean in f itself would
    shrink every gradient with the number of functions, and move every good learning rate. parts: {name: coordinates}
    of θ's parts, in their order, which `optimizers.Groups` needs; {} where it has none.

    Raises L2LError where theta is no float vector, or loss or next_batch no function. What these two raise later, such
    as the StopIteration of batches that have run out, arrives unchanged.
    """

    theta: np.ndarray
    loss: Callable
    next_batch: Callable = lambda: None
    functions: int = 1
    parts: dict = field(default_factory=dict)

    def __post_init__(self):
        if np.ndim(self.theta) != 1 or self.theta.dtype.kind != "f":
            found = getattr(self.theta, "dtype", type(self.theta).__name__), np.shape(self.theta)
            raise L2LError(
                f"a task's theta is one vector of floats, not {found[0]} {found[1]}: see minigrad.tree.ravel"
            )
        if not (callable(self.loss) and callable(self.next_batch)):
            raise L2LError("a task's loss and next_batch are functions: loss(theta, batch) and next_batch()")
        if self.parts and sum(self.parts.values()) != len(self.theta):
            raise L2LError(f"a task's parts {self.parts} do not make up its theta of {len(self.theta)} coordinates")


def sizes_of(tree):
    """The parts of `ravel(tree)`: how many numbers each item of a dict holds, in the order of ravel."""
    return {name: sum(np.size(leaf) for leaf in flatten(tree[name])[0]) for name in sorted(tree)}


@dataclass(frozen=True)
class ModelLoss:
    """A task's loss in two parts, f(θ, batch) = criterion(model(θ, batch), batch), as Gauss–Newton needs it.

    criterion: a scalar, convex in the model's outputs. classifier: the outputs are logits (n, classes), and the
    criterion their cross-entropy; without it there is no Fisher.
    """

    model: Callable
    criterion: Callable
    classifier: bool = False

    def __call__(self, theta, batch):
        return self.criterion(self.model(theta, batch), batch)


@dataclass(frozen=True)
class Curvature:
    """The curvature of loss(·, batch) at theta as products with a vector v of θ's shape: see `minigrad.curvature`.

    A product raises L2LError where the loss lacks the parts that it is made of.
    """

    loss: Callable
    theta: np.ndarray
    batch: object

    def hessian(self, v):
        return hvp(lambda theta: self.loss(theta, self.batch), self.theta, v)

    def gauss_newton(self, v):
        if not isinstance(self.loss, ModelLoss):
            raise L2LError("gauss_newton needs a loss split in two (ModelLoss), which this is not: use newton")
        return gauss_newton_product(self._outputs, lambda z: self.loss.criterion(z, self.batch), self.theta, v)

    def fisher(self, v):
        if not getattr(self.loss, "classifier", False):
            raise L2LError("natural_gradient needs the loss of a classifier (ModelLoss), which this is not: use newton")
        return fisher_product(self._outputs, self.theta, v)

    def _outputs(self, theta):
        return self.loss.model(theta, self.batch)
