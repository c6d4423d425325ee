"""Rules that depend on the shapes of θ's tensors or on the number of steps T: what such a rule is told, and how."""

import copy
import math
from typing import ClassVar

import numpy as np

import minigrad as mg
from l2l.errors import L2LError
from l2l.registry import Checked


class Fittable(Checked):
    """Base of a rule with a method `fit`, as `interface.UpdateRule` describes it. The settings stay what they were, so
    the fitted rule is equal to the rule, and is saved as the rule."""

    shapes: ClassVar[tuple[tuple[int, ...], ...]]
    steps: ClassVar[int]

    def fit(self, shapes, steps):
        told = copy.copy(self)
        vars(told).update(shapes=tuple(shapes), steps=max(1, steps))
        return told

    def check_fitted(self, theta):
        """Raises L2LError where the rule was not fitted, or to another θ."""
        name = type(self).__name__
        if not hasattr(self, "steps"):
            raise L2LError(f"{name} knows no steps and no tensors: take l2l.optimizers.fitted(rule, task, steps)")
        if sum(map(math.prod, self.shapes)) != theta.size:
            raise L2LError(
                f"{name} was fitted to tensors {self.shapes}, not to {theta.size:,} coordinates: fit it anew"
            )


def fit(rule, shapes, steps):
    """The rule for a θ of these tensors and this many steps: itself where it depends on neither."""
    return rule.fit(shapes, steps) if hasattr(rule, "fit") else rule


def shifted(rule, state, by):
    """The rule's state after θ went further by this than the rule's own update: the same where it does not keep θ."""
    return rule.shift(state, by) if hasattr(rule, "shift") else state


def tensors(vector, shapes):
    """The vector's tensors, in their order."""
    ends = np.cumsum([math.prod(shape) for shape in shapes]).tolist()
    starts = [0, *ends]
    return [mg.reshape(vector[a:b], shape) for a, b, shape in zip(starts, ends, shapes, strict=False)]


def tensor_means(x, shapes):
    """The mean of x over each tensor, at every coordinate of the tensor: (n,) → (n,)."""
    pieces = [mg.reshape(piece, (-1,)) for piece in tensors(x, shapes)]
    return mg.concatenate([mg.broadcast_to(mg.sum(piece) / max(1, piece.size), piece.shape) for piece in pieces])
