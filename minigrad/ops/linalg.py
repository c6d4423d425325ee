"""Linear algebra. Products come first; then what `minigrad.linalg` shows: equations, inverses, determinants, factors.

The latter take a matrix or a stack of them, (…, n, n), in float32 or float64, and raise NumPy's LinAlgError as
`numpy.linalg` does.
"""

import math
import typing

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from minigrad.core import primitive, stop_gradient
from minigrad.ops.rearrange import tril
from minigrad.ops.shape import expand_dims, reshape, squeeze, swapaxes, transpose


def _matmul_rule(z, x, y):
    # A vector x acts as a row (the engine sums over that axis) and y as a column. NumPy removes both axes from z.
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


def tensordot(x, y, axes: typing.Any = 2):
    """Σ x·y over pairs of axes; the result has the other axes of x, then those of y.

    axes: how many, the last ones of x and the first ones of y in their order; or a pair (axes of x, axes of y).
    """
    if np.ndim(axes) == 0:
        axes = range(x.ndim - axes, x.ndim), range(axes)
    summed = [normalize_axis_tuple(a, z.ndim) for a, z in zip(axes, (x, y), strict=True)]
    lengths = [tuple(z.shape[i] for i in a) for a, z in zip(summed, (x, y), strict=True)]
    if lengths[0] != lengths[1]:
        raise ValueError(f"tensordot sums over axes of equal lengths, not {lengths[0]} of x and {lengths[1]} of y")
    kept = [[i for i in range(z.ndim) if i not in a] for a, z in zip(summed, (x, y), strict=True)]
    shapes = [tuple(z.shape[i] for i in k) for k, z in zip(kept, (x, y), strict=True)]
    n, (rows, columns) = math.prod(lengths[0]), map(math.prod, shapes)
    x = reshape(transpose(x, (*kept[0], *summed[0])), (rows, n))
    y = reshape(transpose(y, (*summed[1], *kept[1])), (n, columns))
    return reshape(x @ y, shapes[0] + shapes[1])


# ------------------------------------------------------------------------------------------ equations


def _transposed(x):
    return swapaxes(x, -1, -2)


def _regular(r, *shape):
    """Matrices far from singular ones."""
    return r.normal(size=shape) + 5.0 * np.eye(shape[-1])


def _solve_rule(x, a, b):
    vector = b.ndim == 1

    def to_b(g):
        return squeeze(solve(_transposed(a), expand_dims(g, -1)), -1) if vector else solve(_transposed(a), g)

    def to_a(g):
        w = to_b(g)
        return -(expand_dims(w, -1) * expand_dims(x, -2)) if vector else -(w @ _transposed(x))

    return to_a, to_b


@primitive(
    samples=lambda r: [
        *((_regular(r, 3, 3), r.normal(size=3)), (_regular(r, 3, 3), r.normal(size=(3, 2)))),
        *((_regular(r, 2, 3, 3), r.normal(size=3)), (_regular(r, 3, 3), r.normal(size=(2, 3, 1)))),
        *((_regular(r, 2, 1, 2, 2), r.normal(size=(3, 2, 2))), (_regular(r, 3, 3), r.normal(size=(3, 0)))),
    ],
    rule=_solve_rule,
)
def solve(a, b, /):
    """x with a x = b, for a vector b (n,) or matrices b (…, n, k), which broadcast with the matrices a (…, n, n).

    VJP: −w xᵀ; w, with w = a⁻ᵀ g.

    Raises LinAlgError where a is singular.
    """
    return np.linalg.solve(a, b)


@primitive(
    samples=lambda r: [(_regular(r, 3, 3),), (_regular(r, 2, 2, 2),), (_regular(r, 1, 1),), (np.zeros((0, 2, 2)),)],
    rule=lambda y, x: lambda g: -(_transposed(y) @ g @ _transposed(y)),
)
def inv(x, /):
    """y = x⁻¹. To multiply by it, use `solve`, which is faster and rounds less.

    VJP: −yᵀ g yᵀ.

    Raises LinAlgError where x is singular.
    """
    return np.linalg.inv(x)


@primitive(
    samples=lambda r: [(_regular(r, 3, 3),), (-_regular(r, 2, 3, 3),), (_regular(r, 1, 1),), (np.zeros((0, 2, 2)),)],
    rule=lambda y, x: lambda g: expand_dims(g, (-2, -1)) * _transposed(inv(x)),
)
def logabsdet(x, /):
    """log |det x|, −∞ where x is singular: the differentiable part of `slogdet`.

    VJP: g·x⁻ᵀ, which raises LinAlgError where x is singular.
    """
    return np.linalg.slogdet(x).logabsdet


class Slogdet(typing.NamedTuple):
    sign: np.ndarray
    logabsdet: np.ndarray


def slogdet(x):
    """The pair (sign, logabsdet) with det x = sign·e^logabsdet, which cannot overflow as det x can.

    sign, −1, 0 or 1, is a constant; the derivative of logabsdet is x⁻ᵀ.
    """
    return Slogdet(np.linalg.slogdet(stop_gradient(x)).sign, logabsdet(x))


# ------------------------------------------------------------------------------------------ Cholesky's factor


def _cholesky_rule(y, x):
    def back(g):
        n = y.shape[-1]
        inner = tril(_transposed(y) @ g) * (1.0 - 0.5 * np.eye(n, dtype=y.dtype))
        half = solve(_transposed(y), _transposed(solve(_transposed(y), inner)))  # transposed, which the sum undoes
        return 0.5 * (half + _transposed(half))

    return back


def _definite(r, *shape):
    x = r.normal(size=shape)
    return x @ np.swapaxes(x, -1, -2) + 3.0 * np.eye(shape[-1])


@primitive(
    samples=lambda r: [(_definite(r, 3, 3),), (_definite(r, 2, 2, 2),), (_definite(r, 1, 1),), (np.zeros((0, 2, 2)),)],
    rule=_cholesky_rule,
)
def cholesky(x, /):
    """The lower triangular y with y yᵀ = (x + xᵀ)/2, which is x for the symmetric, positive definite x it is meant for.

    VJP: (s + sᵀ)/2 with s = y⁻ᵀ Φ(yᵀ g) y⁻¹, where Φ takes the lower triangle and half the diagonal.

    So the gradient is symmetric, as in PyTorch and JAX: x_ij and x_ji share it equally. Murray 2016, arXiv 1602.07527,
    equation 8.

    Raises LinAlgError where x is not positive definite.
    """
    return np.linalg.cholesky(0.5 * (x + np.swapaxes(x, -1, -2)))
