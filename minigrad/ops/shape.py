"""Primitives that move elements without changing them, and functions composed of those."""

import math

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

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


def _transpose_rule(y, x, axes=None):
    back = None if axes is None else np.argsort(normalize_axis_tuple(axes, x.ndim))
    return lambda g: transpose(g, back)


@primitive(
    samples=lambda r: [
        (r.normal(size=(2, 3, 4)),),
        (r.normal(size=(2, 3, 4)), (1, 2, 0)),
        (r.normal(size=(2, 3, 4)), (-1, 0, -2)),
        (r.normal(size=(2, 3, 4)), np.array([2, 0, 1])),
        (r.normal(size=(2, 0)), (-1, 0)),
        (r.normal(size=()), ()),
    ],
    rule=_transpose_rule,
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
    """x repeated along new axes and axes of length 1; a new array, not NumPy's read-only view.

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
        (r.normal(size=(2, 3, 4)), (slice(None), np.array([[-1], [0]]), np.array([1, -4, 1]))),
        (r.normal(size=(2, 3, 4)), (np.int64(-1), slice(None), np.array([], int))),
        (r.normal(size=()), ()),
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
        (r.normal(size=(2, 3)), (np.array([[-1], [0]]), np.array([1, -4, 1])), (3, 4)),
        (r.normal(size=(0, 4)), np.array([], int), (3, 4)),
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
    samples=lambda r: [
        (r.normal(size=(2, 3)), r.normal(size=(4, 3))),
        (r.normal(size=2), r.normal(size=0)),
        (r.normal(size=(1, 2)),),
    ],
    rule=_join_rule,
)
def join(*arrays, axis=0):
    """`concatenate` with the arrays as separate arguments, as a primitive needs them.

    VJP: the slice of g where each array lies.
    """
    return np.concatenate(arrays, axis=axis)


def _pad_rule(y, x, widths):
    inside = tuple(slice(a, a + n) for (a, _), n in zip(np.broadcast_to(widths, (x.ndim, 2)), x.shape, strict=True))
    return lambda g: g[inside]


@primitive(
    samples=lambda r: [
        (r.normal(size=(2, 3)), ((1, 0), (2, 1))),
        (r.normal(size=(2, 3)), (np.int64(2), 0)),
        (r.normal(size=2), ((0, 0),)),
        (r.normal(size=(2, 0)), 1),
        (r.normal(size=()), 1),
    ],
    rule=_pad_rule,
)
def pad(x, /, widths):
    """x with zeros around it: widths is a pair (before, after) for every axis, or one pair or number for all of them.

    VJP: g without the border.
    """
    return np.pad(x, widths)


# ------------------------------------------------------------------------------------------ compositions


def concatenate(arrays, axis=0):
    """The arrays one after another along an existing axis, or all elements in a row where axis is None."""
    if axis is None:
        arrays, axis = [reshape(x, -1) for x in arrays], 0
    return join(*arrays, axis=axis)


def stack(arrays, axis=0):
    """The arrays, of one shape, along a new axis."""
    return join(*(expand_dims(x, axis) for x in arrays), axis=axis)


def split(x, sections, axis=0):
    """x cut along axis into `sections` equal parts, or before each index of a list."""
    axis = normalize_axis_index(axis, x.ndim)
    n = x.shape[axis]
    if isinstance(sections, (int, np.integer)):
        if sections < 1 or n % sections:
            raise ValueError(f"an axis of length {n} cannot be split into {sections} equal parts")
        sections = [k * (n // sections) for k in range(1, sections)]
    cuts = [0, *sections, n]
    before = (slice(None),) * axis
    return [x[(*before, slice(a, b))] for a, b in zip(cuts, cuts[1:], strict=False)]


def expand_dims(x, axis):
    """x with a new axis of length 1 at position `axis` of the result, or at each of several positions."""
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    ndim = x.ndim + len(axes)
    axes, old = normalize_axis_tuple(axes, ndim), iter(x.shape)
    return reshape(x, tuple(1 if i in axes else next(old) for i in range(ndim)))


def squeeze(x, axis=None):
    """x without its axes of length 1, or without the ones named."""
    axes = [i for i, n in enumerate(x.shape) if n == 1] if axis is None else normalize_axis_tuple(axis, x.ndim)
    if any(x.shape[a] != 1 for a in axes):
        raise ValueError(f"only axes of length 1 can be squeezed: axis {axis} of shape {x.shape}")
    return reshape(x, tuple(n for i, n in enumerate(x.shape) if i not in axes))


def moveaxis(x, source, destination):
    """x with one axis, or each of several, moved to another position, the others in their order."""
    source, destination = (normalize_axis_tuple(axes, x.ndim) for axes in (source, destination))
    order = [i for i in range(x.ndim) if i not in source]
    for position, axis in sorted(zip(destination, source, strict=True)):
        order.insert(position, axis)
    return transpose(x, order)


def swapaxes(x, axis1, axis2):
    """x with two axes exchanged."""
    order = list(range(x.ndim))
    axis1, axis2 = normalize_axis_index(axis1, x.ndim), normalize_axis_index(axis2, x.ndim)
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return transpose(x, order)


def take(x, indices, axis=None):
    """The elements of x at integer indices along axis, or of the flattened x."""
    if axis is None:
        x, axis = reshape(x, -1), 0
    indices = np.asarray(indices).astype(np.intp, casting="same_kind")  # booleans are 0 and 1, not a mask
    return x[(*(slice(None),) * normalize_axis_index(axis, x.ndim), indices)]


def take_along_axis(x, indices, axis):
    """y[…, i, …] = x[…, indices[…, i, …], …]: one choice along axis for every place of indices.

    Along the other axes x and indices broadcast. Where axis is None, x is flattened and indices are a vector.
    """
    if axis is None:
        x, axis = reshape(x, -1), 0
    if np.ndim(indices) != x.ndim:
        raise ValueError(f"indices need as many axes as x: take_along_axis got {np.shape(indices)} for x {x.shape}")
    grid = list(np.ogrid[tuple(slice(n) for n in x.shape)])
    grid[normalize_axis_index(axis, x.ndim)] = indices
    return x[tuple(grid)]


def ravel(x):
    """x as a vector. For a tree of arrays see `minigrad.tree.ravel`."""
    return reshape(x, (math.prod(x.shape),))
