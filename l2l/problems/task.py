"""What a problem's `sample` returns: one optimizee with its starting point and its data."""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from l2l.errors import L2LError
from minigrad import Var, fisher_product, gauss_newton_product, hvp, stop_gradient, value_and_grad
from minigrad.tree import flatten

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Task:
    """One draw from a family of optimization problems.

    theta: θ_0, a vector of floats. loss(theta, batch): f, a scalar; it must not change its arguments.
    next_batch(): the data of the next step, or None; it may reuse one buffer for all steps.
    functions: the number of independent functions that f sums. Losses are reported as f/functions. (If f were their
    mean, gradients would shrink with their number, and so every good learning rate would depend on it.)
    parts: {name: number of coordinates} of the parts of θ, in their order, for `optimizers.Groups`; {} without parts.
    shapes: the shapes of θ's tensors, in their order, for rules that look at whole tensors; () for one vector.

    Raises L2LError where theta is not a vector of floats, loss or next_batch is not a function, or the parts or
    the shapes do not make up theta, or a tensor lies in two parts. Exceptions that loss and next_batch raise later
    propagate.
    """

    theta: np.ndarray
    loss: Callable
    next_batch: Callable = lambda: None
    functions: int = 1
    parts: dict = field(default_factory=dict)
    shapes: tuple = ()

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
        self._check_shapes()

    def _check_shapes(self):
        ends = list(itertools.accumulate(math.prod(shape) for shape in self.shapes))
        if self.shapes and ends[-1] != len(self.theta):
            raise L2LError(f"a task's shapes {self.shapes} do not make up its theta of {len(self.theta)} coordinates")
        if self.shapes and not set(itertools.accumulate(self.parts.values())) <= {0, *ends}:
            raise L2LError(f"a task's parts {self.parts} cut through one of its tensors, of shapes {self.shapes}")


def sizes_of(tree: dict) -> dict[str, int]:
    """The `parts` of a task whose theta is `ravel(tree)`: {key: number of coordinates}, in the order of ravel."""
    return {name: sum(np.size(leaf) for leaf in flatten(tree[name])[0]) for name in sorted(tree)}


def shapes_of(tree) -> tuple[tuple[int, ...], ...]:
    """The `shapes` of a task whose theta is `ravel(tree)`."""
    return tuple(np.shape(leaf) for leaf in flatten(tree)[0])


@dataclass(frozen=True)
class ModelLoss:
    """A loss as the composition that Gauss–Newton needs: f(θ, batch) = criterion(model(θ, batch), batch).

    criterion: a scalar, convex in the model's outputs. classifier: True where the outputs are logits (n, classes) and
    the criterion is their cross-entropy; only then is the Fisher matrix defined.
    """

    model: Callable
    criterion: Callable
    classifier: bool = False

    def __call__(self, theta, batch):
        return self.criterion(self.model(theta, batch), batch)


@dataclass(frozen=True)
class Curvature:
    """The curvature of loss(·, batch) at theta as products with a vector v of θ's shape: see `minigrad.curvature`. And
    the loss at other points, on the same batch.

    gauss_newton raises L2LError where the loss is not a ModelLoss, fisher where it is not a classifier's.
    """

    loss: Callable
    theta: np.ndarray
    batch: object

    def hessian(self, v):
        return hvp(lambda theta: self.loss(theta, self.batch), self.theta, v)

    def gauss_newton(self, v):
        if not isinstance(self.loss, ModelLoss):
            raise L2LError("gauss_newton needs a loss that is a ModelLoss, which this one is not: use newton")
        return gauss_newton_product(self._outputs, lambda z: self.loss.criterion(z, self.batch), self.theta, v)

    def fisher(self, v):
        if not getattr(self.loss, "classifier", False):
            raise L2LError("natural_gradient needs a classifier's loss (ModelLoss), which this one is not: use newton")
        return fisher_product(self._outputs, self.theta, v)

    def loss_at(self, theta):
        """The loss at another point, a plain number."""
        return float(self.loss(stop_gradient(theta), self.batch))

    def value_and_grad_at(self, theta):
        """The loss at another point, a plain number, and its gradient: a constant for φ, where that of f at θ_t is."""
        point = theta if isinstance(self.theta, Var) else stop_gradient(theta)
        loss, gradient = value_and_grad(self.loss)(point, self.batch)
        return float(stop_gradient(loss)), gradient

    def _outputs(self, theta):
        return self.loss.model(theta, self.batch)
