"""Steps that move elements of arrays without changing them, for `graphs.py`: as in `graph_steps.py`."""

import numpy as np

from tests.minigrad.graph_steps import MARGIN, proposal


@proposal(2)
def reshape(b):
    x = b.pick()
    shape = regrouped(b, b.value(x).shape)
    if shape and b.chance(0.5):
        shape[b.integer(0, len(shape) - 1)] = -1
    shape = [b.as_integer(n) for n in shape]
    if len(shape) == 1 and b.chance(0.5):
        return b.push("reshape", x, shape[0])
    return b.push("reshape", x, tuple(shape) if b.chance(0.8) else shape)


def regrouped(b, shape):
    """Axes of other lengths, as many elements."""
    factors = [p for n in shape for p in {4: (2, 2), 6: (2, 3), 8: (2, 2, 2), 9: (3, 3)}.get(n, (n,))]
    axes = [1] * (b.integer(0, 4) or (b.integer(0, 1) if np.prod(shape) == 1 else 1))
    for factor in factors:
        if axes:
            axes[b.integer(0, len(axes) - 1)] *= factor
    return axes


@proposal(2)
def transpose(b):
    x = b.pick()
    if b.chance(0.25):
        return b.push("transpose", x)
    axes = b.permutation(b.value(x).ndim)
    if axes and b.chance(0.03):
        axes[0] = axes[-1]
    return b.push("transpose", x, b.choice([tuple(axes), axes, np.array(axes, int)]))


@proposal(2)
def one_axis(b):
    x = b.pick()
    axes = b.value(x).ndim
    name = b.choice(["moveaxis", "swapaxes", "expand_dims", "squeeze"])
    if name == "expand_dims":
        return b.push(name, x, b.axis(axes + 1))
    if name == "squeeze":
        return squeeze(b)
    return b.push(name, x, b.axis(axes), b.axis(axes))


def squeeze(b):
    x = b.pick(lambda x: 1 in x.shape or b.chance(0.1))
    shape = b.value(x).shape
    if b.chance(0.2):
        return b.push("squeeze", x)
    if shape and b.chance(0.1):  # NumPy lets 0-d arrays have an axis here; minigrad does not
        return b.push("squeeze", x, b.axis(len(shape)))
    ones = [a - len(shape) * b.chance(0.5) for a, n in enumerate(shape) if n == 1][: b.integer(1, 3)]
    axes = [b.as_integer(a) for a in ones]
    return b.push("squeeze", x, axes[0] if axes and b.chance(0.5) else tuple(axes))


@proposal()
def ravel(b):
    return b.push("ravel", b.pick())


@proposal()
def broadcast_to(b):
    x = b.pick()
    shape = [b.side() if n == 1 else n for n in b.value(x).shape]
    return b.push("broadcast_to", x, (*b.shape(b.integer(0, 2)), *shape))


@proposal(3)
def basic_index(b):
    x = b.pick()
    return b.push("getitem", x, basic(b, b.value(x).shape))


def basic(b, shape):
    index = [b.as_integer(a_place(b, n)) if b.chance(0.3) else a_slice(b, n) for n in shape[: b.integer(0, len(shape))]]
    if b.chance(0.3):
        index.insert(b.integer(0, len(index)), None)
    if b.chance(0.2):
        index.insert(b.integer(0, len(index)), Ellipsis)
    return index[0] if len(index) == 1 and b.chance(0.5) else tuple(index)


def a_place(b, n):
    """An index into an axis of length n, from either end, seldom beyond it."""
    return n if n == 0 or b.chance(0.01) else b.integer(-n, n - 1)


def a_slice(b, n):
    start, stop = (None if b.chance(0.4) else b.integer(-n - 1, n + 1) for _ in range(2))
    cut = slice(start, stop, b.choice([None, 1, 2, -1, -2]))
    return cut if len(range(n)[cut]) or b.chance(0.2) else slice(None, None, cut.step)


def places(b, n, shape):
    """Integers into an axis of length n, from either end, that may repeat."""
    if n == 0 and np.prod(shape):
        return np.zeros(shape, int)  # which NumPy refuses
    return b.integers(-n, n - 1, shape) if n else np.zeros(shape, int)


def some_shape(b):
    return b.choice([(), (b.side(),), (b.side(), b.side(1, 2)), (b.side(), 1), (1, b.side())])


@proposal(3)
def array_index(b):
    """Integer arrays that repeat and broadcast, among slices, numbers and new axes."""
    x = b.pick(lambda x: x.ndim)
    shape = b.value(x).shape
    index = [a_slice(b, n) for n in shape]
    common = some_shape(b)
    for axis in b.rng.permutation(len(shape))[: b.integer(1, 2)]:
        index[axis] = places(b, shape[axis], common[b.integer(0, len(common)) :] if b.chance(0.5) else common)
    if b.chance(0.15):
        index[b.integer(0, len(index) - 1)] = b.as_integer(0)
    if b.chance(0.15):
        index.insert(b.integer(0, len(index)), None)
    if b.chance(0.1):
        return b.push("getitem", x, places(b, shape[0], (b.side(),)).tolist())
    return b.push("getitem", x, index[0] if len(index) == 1 and b.chance(0.5) else tuple(index))


@proposal()
def boolean_index(b):
    x = b.pick(lambda x: x.ndim)
    shape = b.value(x).shape
    axis = b.integer(0, len(shape) - 1)
    if b.chance(0.5):
        return b.push("getitem", x, b.mask(shape[: axis + 1]))
    return b.push("getitem", x, (*(a_slice(b, n) for n in shape[:axis]), b.mask(shape[axis : axis + b.integer(1, 2)])))


@proposal()
def take(b):
    x = b.pick()
    shape = b.value(x).shape
    axis = None if not shape or b.chance(0.3) else b.axis(len(shape))  # 0-d arrays: as for squeeze
    there = axis is not None and -len(shape) <= axis < len(shape)
    indices = places(b, shape[axis] if there else b.value(x).size if axis is None else 1, some_shape(b))
    b.require(
        not there or shape[axis] or not indices.size
    )  # NumPy takes from an axis of length 0, if the result is empty
    if b.chance(0.05):
        indices = b.mask(indices.shape)
    return b.push("take", x, indices.tolist() if b.chance(0.1) else indices, *(() if axis is None else (axis,)))


@proposal()
def take_along_axis(b):
    x = b.pick(lambda x: x.ndim)
    shape = b.value(x).shape
    axis = b.axis(len(shape))
    other = [1 if b.chance(0.2) else b.side() if n == 1 and b.chance(0.2) else n for n in shape]
    if -len(shape) <= axis < len(shape):
        other[axis] = b.side()
        return b.push("take_along_axis", x, places(b, shape[axis], tuple(other)), axis)
    return b.push("take_along_axis", x, np.zeros(other, int), axis)


@proposal(3)
def join(b):
    x = b.pick()
    shape = b.value(x).shape
    name = b.choice(["concatenate", "stack", "join"])
    axis = b.axis(len(shape) + (name == "stack"))
    others = [list(shape) for _ in range(b.integer(0, 2))]
    if name != "stack" and -len(shape) <= axis < len(shape):
        for other in others:
            other[axis] = b.side(0, 3)
    arrays = [x, *(b.some(other) for other in others)]
    arrays = [arrays[i] for i in b.rng.permutation(len(arrays))]
    options = {} if b.chance(0.2) else {"axis": axis}
    return b.push(name, *arrays, **options) if name == "join" else b.push(name, arrays, **options)


@proposal(2)
def split(b):
    """The parts, or some of them, one after another in the reverse order."""
    x = b.pick(lambda x: x.ndim)
    shape = b.value(x).shape
    axis = b.axis(len(shape))
    n = shape[axis] if -len(shape) <= axis < len(shape) else 1
    if b.chance(0.5):
        sections = b.as_integer(b.choice([k for k in range(1, 5) if n % k == 0 or b.chance(0.02)]))
    else:
        sections = [b.integer(-n, n) for _ in range(b.integer(0, 2))]
        sections = sections if b.chance(0.2) else sorted(s % max(n, 1) for s in sections)
    parts = b.push("split", x, sections, axis)
    found = [b.push("getitem", parts, i) for i in range(len(b.value(parts))) if i == 0 or b.chance(0.8)]
    return found[0] if len(found) == 1 else b.push("concatenate", found[::-1], axis)


@proposal()
def pad(b):
    x = b.pick()
    return b.push("pad", x, tuple((b.integer(0, 2), b.integer(0, 1)) for _ in b.value(x).shape))


@proposal()
def scatter(b):
    x = b.pick(lambda x: x.ndim)
    n, *rest = b.value(x).shape
    if b.chance(0.5):
        size = b.side()
        return b.push("scatter", x, b.integers(-size, size - 1, n), (size, *rest))
    return b.push("scatter", x, (b.integer(0, 1), slice(None, None, b.choice([1, -1]))), (2, n, *rest))


@proposal(3)
def reordered(b):
    x = b.pick()
    axes = b.value(x).ndim
    name = b.choice(["flip", "roll", "tril", "triu", "diag"])
    if name == "flip":
        return b.push(name, x) if b.chance(0.2) else b.push(name, x, b.axes(axes))
    if name == "roll":
        return roll(b)
    if name == "diag":
        x = b.pick(lambda x: x.ndim in (1, 2) or b.chance(0.03))
    return b.push(name, x, *(() if b.chance(0.3) else (b.as_integer(b.integer(-3, 3)),)))


def roll(b):
    x = b.pick()
    axes = b.axes(b.value(x).ndim)
    b.require(b.value(x).ndim or not isinstance(axes, tuple))  # numbers, for which NumPy refuses ()
    if axes is None:
        return b.push("roll", x, b.integer(-9, 9))
    shift = tuple(b.integer(-4, 4) for _ in axes) if isinstance(axes, tuple) and b.chance(0.7) else b.integer(-4, 4)
    return b.push("roll", x, shift, axes)


@proposal(2)
def repeated(b):
    x = b.pick(lambda x: x.size <= 24)
    shape = b.value(x).shape
    if b.chance(0.5):
        reps = tuple(b.side(0 if b.chance(0.05) else 1, 2) for _ in range(b.integer(0, len(shape) + 1)))
        return b.push("tile", x, reps if b.chance(0.7) else b.as_integer(2))
    axis = None if not shape or b.chance(0.3) else b.axis(len(shape))  # 0-d arrays: as for squeeze
    n = shape[axis] if axis is not None and -len(shape) <= axis < len(shape) else int(np.prod(shape))
    repeats = b.side(1, 3) if b.chance(0.5) else b.integers(0, 2, n)
    return b.push("repeat", x, repeats, *(() if axis is None else (axis,)))


@proposal()
def sort(b):
    x = b.pick()
    axis = None if b.chance(0.2) else b.axis(b.value(x).ndim)
    y = b.push("sort", x) if b.chance(0.3) and axis is not None else b.push("sort", x, axis)
    axis = b.graph.steps[-1].args[1] if len(b.graph.steps[-1].args) > 1 else -1
    b.require(np.all(np.diff(b.value(y), axis=-1 if axis is None else axis) > MARGIN))  # no two change places
    return y
