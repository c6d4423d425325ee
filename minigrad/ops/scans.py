"""Running sums and products, and the product over an axis.

No rule of a product divides by x, so their gradients are right where elements are 0, at every order.
"""

import numpy as np

from minigrad.core import primitive, vjp
from minigrad.ops.rearrange import flip
from minigrad.ops.reduce import _axes, _count, _distinct, _spread
from minigrad.ops.shape import concatenate, reshape, swapaxes, transpose


def _samples(r):
    x = r.normal(size=(2, 3, 4))
    return [
        *((x,), (x, 1), (x, -1), (x, np.int64(0)), (r.normal(size=7), 0)),
        *((r.normal(size=()),), (r.normal(size=(0, 3)), 1), (r.normal(size=(2, 0)), -1)),
    ]


def _with_zeros(samples):
    """The samples, and rows with no, one, two and only zeros."""
    rows = np.array([[0.5, -1.5, 2.0, 0.8], [0.5, 0.0, 2.0, 0.8], [0.0, -1.5, 2.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    return lambda r: [*samples(r), (rows, 1), (rows.T, 0)]


def _cumsum_rule(y, x, axis=None):
    shape = x.shape
    return lambda g: reshape(flip(cumsum(flip(g, axis), axis), axis), shape)


@primitive(samples=_samples, rule=_cumsum_rule)
def cumsum(x, /, axis=None):
    """yₖ = x₁ + … + xₖ along axis, or along the flattened x.

    VJP: gᵢ + … + gₙ, the running sum from the end.
    """
    return np.cumsum(x, axis)


def _cumprod_by_doubling(x, axis):
    """cumprod, of primitives: after k rounds, every element is the product of the 2ᵏ up to its place."""
    if axis is None or x.ndim == 0:
        x, axis = reshape(x, -1), 0
    rows, shift = swapaxes(x, axis, -1), 1
    while shift < rows.shape[-1]:
        rows = concatenate([rows[..., :shift], rows[..., shift:] * rows[..., :-shift]], -1)
        shift *= 2
    return swapaxes(rows, axis, -1)


def _cumprod_rule(y, x, axis=None):
    return lambda g: vjp(lambda x: _cumprod_by_doubling(x, axis), x)[1](g)


@primitive(samples=_with_zeros(_samples), rule=_cumprod_rule)
def cumprod(x, /, axis=None):
    """yₖ = x₁ · … · xₖ along axis, or along the flattened x.

    VJP: Σₖ gₖ·∂yₖ/∂xᵢ, through log₂ n rounds of products.
    """
    return np.cumprod(x, axis)


def _products_before(rows):
    """For every element the product of those before it in its row."""
    ones = np.ones((*rows.shape[:-1], 1), rows.dtype)
    return concatenate([ones, cumprod(rows[..., :-1], -1)], -1)


def _prod_rule(y, x, axis=None, keepdims=False):
    def back(g):
        g = _spread(g, x.shape, axis)
        if x.ndim == 0 or x.size == 0 or _count(x.shape, axis) == 1:
            return g
        reduced = sorted(_axes(x.shape, axis))
        order = [i for i in range(x.ndim) if i not in reduced] + reduced
        moved = transpose(x, order)
        rows = reshape(moved, (*moved.shape[: x.ndim - len(reduced)], -1))  # the factors of one product in each
        others = _products_before(rows) * flip(_products_before(flip(rows, -1)), -1)
        return g * transpose(reshape(others, moved.shape), np.argsort(order))

    return back


@primitive(samples=_with_zeros(_distinct), rule=_prod_rule)
def prod(x, /, axis=None, keepdims=False):
    """Π x over axis.

    VJP: g times the product of the other elements.
    """
    return np.prod(x, axis=axis, keepdims=keepdims)
