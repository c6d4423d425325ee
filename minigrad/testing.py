"""The gradient checker, which compares derivatives with finite differences."""

from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad import tree
from minigrad.core import vjp
from minigrad.ops.shape import reshape
from minigrad.structure import Array, Tree

# Pairs (k, w), by the order p of the error O(hᵖ): the slope of f at x is about Σ w·f(x + k·h)/h.
STENCILS = {
    1: ((1, 1.0), (0, -1.0)),  # the forward difference
    2: ((1, 1 / 2), (-1, -1 / 2)),  # the central difference
    6: ((1, 45 / 60), (-1, -45 / 60), (2, -9 / 60), (-2, 9 / 60), (3, 1 / 60), (-3, -1 / 60)),
}


class GradientError(AssertionError):
    """A gradient disagrees with finite differences."""


def difference(f: Callable, x: Array, h: float, order: int = 6, v: Array = 1.0) -> Array:
    """The derivative of f at x along v by finite differences, Σ w·f(x + k·h·v)/h over `STENCILS[order]`."""
    return sum(w * f(x + k * h * v) for k, w in STENCILS[order]) / h


def check_gradients(
    f: Callable[..., Array],
    *args: Tree,
    order: int = 2,
    tolerance: float = 1e-8,
    step: float = 1e-2,
    directions: int = 3,
    seed: int = 0,
) -> None:
    """Compare the derivatives of f at args with finite differences along random directions, up to `order`.

    For a random cotangent u and direction v, (uᵀ ∂f/∂x)·v must equal the central difference of uᵀf along v. At order 2
    the same is checked for the function (x, u) ↦ uᵀ ∂f/∂x. All float arrays in args, and in trees in args, are
    differentiated in float64; Python numbers, integers and booleans are constants. f must be smooth within 3·step of
    args. Then the truncation error (about 1e-13) and the rounding error (about 1e-14) of the sixth-order difference are
    both far below `tolerance`.

    Raises GradientError where the two differ by more than `tolerance` relative to the largest of the numeric value, the
    gradient's norm and 1. Raises ValueError where nothing would be checked: args hold no float array, or order or
    directions is below 1.
    """
    if min(order, directions) < 1:
        raise ValueError(f"order and directions are at least 1, not {order} and {directions}: nothing would be checked")
    leaves, rebuild = tree.flatten(args)
    floats = [
        i for i, leaf in enumerate(leaves) if isinstance(leaf, (np.ndarray, np.floating)) and leaf.dtype.kind == "f"
    ]
    x, unravel = tree.ravel([leaves[i].astype(np.float64) for i in floats])
    if not x.size and not floats:
        raise ValueError("nothing to differentiate: pass at least one argument that is, or holds, a float array")

    def of_vector(vector):
        full = list(leaves)
        for i, leaf in zip(floats, unravel(vector), strict=True):
            full[i] = leaf
        return f(*rebuild(full))

    rng = np.random.default_rng(seed)
    for level in range(1, order + 1):
        value, pullback = vjp(of_vector, x)
        u = rng.normal(size=value.shape)
        gradient = pullback(u)
        for _ in range(directions):
            v = rng.normal(size=x.shape)
            v /= max(1.0, np.linalg.norm(v))
            numeric = difference(lambda x, u=u, f=of_vector: np.sum(u * f(x)), x, step, v=v)
            exact = gradient @ v
            if not abs(numeric - exact) <= tolerance * max(1.0, abs(numeric), np.linalg.norm(gradient)):
                raise GradientError(
                    f"order {level}: the gradient along a random direction is {exact:.12g}, "
                    f"finite differences give {numeric:.12g}"
                )
        of_vector, x = _with_cotangent(of_vector, x, u), np.concatenate([x, u.ravel()])


def _with_cotangent(f, x, u) -> Any:
    """The function (x, u) ↦ uᵀ ∂f/∂x, where one vector holds both x and u."""

    def pulled(vector):
        return vjp(f, vector[: x.size])[1](reshape(vector[x.size :], u.shape))

    return pulled
