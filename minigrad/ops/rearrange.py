"""Functions composed of primitives that reorder, repeat or pick elements. Names and signatures are NumPy's."""

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from minigrad.core import stop_gradient
from minigrad.ops.elementwise import where
from minigrad.ops.reduce import sum
from minigrad.ops.shape import broadcast_to, concatenate, moveaxis, reshape, scatter, take, take_along_axis


def flip(x, axis=None):
    """x with its elements in reverse order along one axis, several, or all where axis is None."""
    axes = range(x.ndim) if axis is None else normalize_axis_tuple(axis, x.ndim)
    return x[tuple(slice(None, None, -1) if i in axes else slice(None) for i in range(x.ndim))]


def roll(x, shift, axis=None):
    """x with its elements moved on by `shift` places, the last ones to the front.

    axis: one axis, or several, each with its shift or all with the same; None rolls the flattened x.
    """
    if axis is None:
        return reshape(roll(reshape(x, -1), shift, 0), x.shape)
    for by, along in zip(*map(np.atleast_1d, np.broadcast_arrays(shift, axis)), strict=True):
        along = normalize_axis_index(along, x.ndim)
        n = x.shape[along]
        if n and by % n:
            before, cut = (slice(None),) * along, n - by % n
            x = concatenate([x[(*before, slice(cut, None))], x[(*before, slice(cut))]], along)
    return x


def tile(x, reps):
    """x repeated as a whole: reps times along its last axis, or reps[i] times along axis i.

    Of x's shape and reps, the shorter one is filled up with ones in front.
    """
    reps = tuple(reps) if np.ndim(reps) else (reps,)
    ndim = max(len(reps), x.ndim)
    shape, reps = ((1,) * (ndim - len(t)) + t for t in (x.shape, reps))
    pairs = list(zip(reps, shape, strict=True))
    x = reshape(x, tuple(m for n in shape for m in (1, n)))
    x = broadcast_to(x, tuple(m for pair in pairs for m in pair))
    return reshape(x, tuple(r * n for r, n in pairs))


def repeat(x, repeats, axis=None):
    """Every element of x `repeats` times, one beside the other, along axis or in the flattened x.

    repeats: one number, or one for each place along axis.
    """
    if axis is None:
        x, axis = reshape(x, -1), 0
    axis = normalize_axis_index(axis, x.ndim)
    return take(x, np.repeat(np.arange(x.shape[axis]), repeats), axis)


def sort(x, axis=-1):
    """The elements of x in ascending order along axis, NaN last; of the flattened x where axis is None.

    A cotangent goes back to where each element came from; equal elements keep their order.
    """
    return take_along_axis(x, np.argsort(stop_gradient(x), axis, kind="stable"), axis)


def tril(x, k=0):
    """The matrices in the last two axes of x, with 0 above the diagonal k."""
    return where(np.tri(*x.shape[-2:], k=k, dtype=bool), x, 0.0)


def triu(x, k=0):
    """The matrices in the last two axes of x, with 0 below the diagonal k."""
    return where(np.tri(*x.shape[-2:], k=k - 1, dtype=bool), 0.0, x)


def _diagonal(rows, columns, k):
    """Where the diagonal k of a matrix lies, as an index: k > 0 is above the main one."""
    i = np.arange(max(0, min(rows + min(k, 0), columns - max(k, 0))))
    return i - min(k, 0), i + max(k, 0)


def diag(x, k=0):
    """The diagonal k of a matrix x, or the matrix with the vector x as its diagonal k and 0 elsewhere."""
    if x.ndim == 2:
        rows, columns = x.shape
        return x[_diagonal(rows, columns, k)]
    if x.ndim != 1:
        raise ValueError(f"diag takes a vector or a matrix, got shape {x.shape}: use einsum('...ii->...i', x)")
    n = x.shape[0] + abs(k)
    return scatter(x, _diagonal(n, n, k), (n, n))


def trace(x, offset=0, axis1=0, axis2=1):
    """The sum of the diagonal `offset` of the matrices that axis1 and axis2 of x span."""
    x = moveaxis(x, (axis1, axis2), (-2, -1))
    rows, columns = x.shape[-2:]
    return sum(x[(..., *_diagonal(rows, columns, offset))], -1)
