"""Primitives that move elements without changing them, and functions composed of those."""

import math

import numpy as np

from minigrad.core import primitive


def _reshape_rule(y, x, shape):
    original = x.shape
    return lambda g: reshape(g, original)


@primitive(
    samples=lambda r: [(r.normal(size=(3, 4)), (2, -1)), (r.normal(size=()), (1, 1)), (r.normal(size=6), -1)],
    rule=_reshape_rule,
)
def reshape(x, /, shape):
    """The elements of x, in C order, in another shape.

    VJP: g in x's shape.
    """
    return np.asarray(x).reshape(shape)


@primitive(
    samples=lambda r: [(r.normal(size=(2, 3, 4)),), (r.normal(size=(2, 3, 4)), (1, 2, 0)), (r.normal(size=()),)],
    rule=lambda y, x, axes=None: lambda g: transpose(g, None if axes is None else np.argsort(axes)),
)
def transpose(x, /, axes=None):
    """x with its axes permuted (reversed where axes is None): y's axis i is x's axis axes[i].

    VJP: g with the inverse permutation.
    """
    return np.transpose(x, axes)


def _broadcast_rule(y, x, shape):
    return lambda g: g  # the engine sums over what broadcasting repeated


@primitive(
    samples=lambda r: [(r.normal(size=(3, 1)), (2, 3, 4)), (r.normal(size=()), (2,)), (r.normal(size=(1,)), (0,))],
    rule=_broadcast_rule,
)
def broadcast_to(x, /, shape):
    """x repeated along new axes and axes of length 1; an array of its own, not NumPy's read-only view.

    VJP: g, summed over the repetitions.
    """
    y = np.empty(shape, x.dtype)  # filling it costs small arrays a fifth of np.broadcast_to
    y[...] = x
    return y


def _is_basic(index):
    items = index if isinstance(index, tuple) else (index,)
    return all(i is None or i is Ellipsis or isinstance(i, (int, np.integer, slice)) for i in items)


def _getitem_rule(y, x, index):
    shape = x.shape
    return lambda g: scatter(g, index, shape)


@primitive(
    samples=lambda r: [
        (r.normal(size=(3, 4)), 1),
        (r.normal(size=(3, 4)), (slice(None, None, -2), None, slice(1, 3))),
        (r.normal(size=(3, 4)), (Ellipsis, 2)),
        (r.normal(size=(3, 4)), np.array([0, 2, 2])),
        (r.normal(size=(3, 4)), (np.array([[0], [2]]), np.array([1, 1]))),
        (r.normal(size=(3, 4)), r.normal(size=(3, 4)) > 0),
    ],
    rule=_getitem_rule,
)
def getitem(x, /, index):
    """x[index], for basic, integer-array and boolean indices.

    VJP: zeros of x's shape with g added at index; an element picked twice receives both.
    """
    return x[index]


@primitive(
    samples=lambda r: [
        (r.normal(size=4), 1, (3, 4)),
        (r.normal(size=(3, 4)), np.array([0, 2, 2]), (3, 4)),
    ],
    rule=lambda y, x, index, shape: lambda g: getitem(g, index),
)
def scatter(x, /, index, shape):
    """Zeros of `shape` with x added at index: the transpose of getitem, and so its VJP.

    VJP: g[index].
    """
    y = np.zeros(shape, x.dtype)
    if _is_basic(index):
        y[index] = x
    else:
        np.add.at(y, index, x)
    return y


def _join_rule(y, *arrays, axis=0):
    ends = np.cumsum([x.shape[axis] for x in arrays])
    before = (slice(None),) * (axis % arrays[0].ndim)

    def part(start, end):
        return lambda g: g[(*before, slice(start, end))]

    return tuple(part(end - x.shape[axis], end) for x, end in zip(arrays, ends.tolist(), strict=True))


@primitive(
    samples=lambda r: [(r.normal(size=(2, 3)), r.normal(size=(4, 3))), (r.normal(size=2), r.normal(size=0))],
    rule=_join_rule,
)
def join(*arrays, axis=0):
    """`concatenate` with the arrays as separate arguments, which is how the engine sees them.

    VJP: the slice of g where each array lies.
    """
    return np.concatenate(arrays, axis=axis)


@primitive(
    samples=lambda r: [(r.normal(size=(2, 3)), ((1, 0), (2, 1))), (r.normal(size=2), ((0, 0),))],
    rule=lambda y, x, widths: lambda g: g[tuple(slice(a, n - b) for (a, b), n in zip(widths, g.shape, strict=True))],
)
def pad(x, /, widths):
    """x with zeros around it: widths is a pair (before, after) for every axis.

    VJP: g without the border.
    """
    return np.pad(x, widths)


# ------------------------------------------------------------------------------------------ compositions


def concatenate(arrays, axis=0):
    """The arrays one after another along an existing axis."""
    return join(*arrays, axis=axis)


def stack(arrays, axis=0):
    """The arrays, of one shape, along a new axis."""
    return join(*(expand_dims(x, axis) for x in arrays), axis=axis)


def split(x, sections, axis=0):
    """x cut along axis into `sections` equal parts, or before each index of a list."""
    n = x.shape[axis]
    if isinstance(sections, int):
        if n % sections:
            raise ValueError(f"an axis of length {n} cannot be split into {sections} equal parts")
        sections = range(n // sections, n, n // sections)
    cuts = [0, *sections, n]
    before = (slice(None),) * (axis % x.ndim)
    return [x[(*before, slice(a, b))] for a, b in zip(cuts, cuts[1:], strict=False)]


def expand_dims(x, axis):
    """x with a new axis of length 1 at position `axis`."""
    at = axis % (x.ndim + 1)
    return reshape(x, (*x.shape[:at], 1, *x.shape[at:]))


def squeeze(x, axis=None):
    """x without its axes of length 1, or without the ones named."""
    axes = [i for i, n in enumerate(x.shape) if n == 1] if axis is None else [axis] if isinstance(axis, int) else axis
    axes = {a % x.ndim for a in axes}
    if any(x.shape[a] != 1 for a in axes):
        raise ValueError(f"only axes of length 1 can be squeezed: axis {axis} of shape {x.shape}")
    return reshape(x, tuple(n for i, n in enumerate(x.shape) if i not in axes))


def moveaxis(x, source, destination):
    """x with one axis moved to another position, the others in their order."""
    order = [i for i in range(x.ndim) if i != source % x.ndim]
    order.insert(destination % x.ndim, source % x.ndim)
    return transpose(x, order)


def swapaxes(x, axis1, axis2):
    """x with two axes exchanged."""
    order = list(range(x.ndim))
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return transpose(x, order)


def take(x, indices, axis=None):
    """The elements of x at integer indices along axis, or of the flattened x."""
    if axis is None:
        x, axis = reshape(x, -1), 0
    return x[(*(slice(None),) * (axis % x.ndim), np.asarray(indices))]


def take_along_axis(x, indices, axis):
    """y[…, i, …] = x[…, indices[…, i, …], …]: one choice along axis for every place of indices."""
    grid = list(np.ogrid[tuple(slice(n) for n in indices.shape)])
    grid[axis] = indices
    return x[tuple(grid)]


def ravel(x):
    """x as a vector. For a tree of arrays see `minigrad.tree.ravel`."""
    return reshape(x, (math.prod(x.shape),))
