"""Steps that compute, for `graphs.py`: each function adds one step to a Builder, or a few, and returns the result."""

import numpy as np

from tests.minigrad.oracles import borders, pair, windows

MARGIN = 0.05
"""How far from a kink a value stays; finite differences take far smaller steps."""


def proposal(weight=1):
    """Mark a function as one of those that `graphs.py` chooses from, so many times as often as another."""

    def mark(propose):
        propose.weight = weight
        return propose

    return mark


# ------------------------------------------------------------------------------------------ elementwise

SMOOTH = ["negative", "square", "exp", "expm1", "log", "log1p", "sin", "cos", "tanh", "sigmoid", "softplus", "sqrt"]
SMOOTH += ["arctan", "sinh", "cosh", "gelu", "silu"]
FROM = {"log": 0.3, "sqrt": 0.3, "log1p": -0.6}


@proposal(9)
def smooth(b):
    name = b.choice(SMOOTH)
    x = b.pick()
    return b.push(name, b.positive(x) if np.any(b.value(x) < FROM.get(name, -np.inf)) else x)


@proposal()
def tan(b):
    return b.push("tan", b.pick(lambda x: np.all(np.cos(x) > 0.4)))  # far from its poles


@proposal(3)
def kinked(b):
    return b.push(b.choice(["abs", "sign", "relu"]), b.pick(lambda x: np.all(np.abs(x) > MARGIN)))


@proposal()
def clip(b):
    x = b.pick()
    lower, upper = -b.integer(1, 9) / 10, b.integer(1, 9) / 10
    if b.chance(0.3):
        lower = np.full(b.broadcastable(b.value(x).shape), lower)
    b.require(all(np.all(np.abs(b.value(x) - limit) > MARGIN) for limit in (lower, upper)))
    return b.push("clip", x, lower, upper)


@proposal()
def constant_gate(b):
    x = b.pick()
    return b.push("gate", x, b.integers(-1, 1, b.value(x).shape))


@proposal()
def astype(b):
    return b.push("astype", b.pick(), np.float64)


def partner(b, x):
    """Something to combine with x: a value or constant of a shape that broadcasts with x's, or a number."""
    shape = b.value(x).shape
    if b.chance(0.15):
        return b.number()
    if b.chance(0.5):
        return b.pick(lambda y: b.chance(0.03) or broadcast(shape, y.shape))
    return b.some(b.broadcastable(shape))


def broadcast(shape, other):
    try:
        np.broadcast_shapes(shape, other)
        return True
    except ValueError:
        return False


@proposal(6)
def binary(b):
    name = b.choice(["add", "subtract", "multiply", "divide", "maximum", "minimum", "logaddexp"])
    x = b.pick()
    y = partner(b, x)
    x, y = (y, x) if b.chance(0.5) else (x, y)
    if name == "divide":
        y = b.positive(y)
    result = b.push(name, x, y)
    if name in ("maximum", "minimum"):
        b.require(np.all(np.abs(np.subtract(b.value(x), b.value(y))) > MARGIN))
    return result


@proposal()
def power(b):
    if b.chance(0.4):  # any base but 0, to a constant whole power
        x = b.pick(lambda x: np.all(np.abs(x) > MARGIN))
        exponent = b.choice([0, 1, 2, 3, 2.0, 3.0])
        return b.push("power", x, exponent if b.chance(0.5) else b.integers(0, 3, b.value(x).shape).astype(float))
    x = b.pick()
    y = partner(b, x)
    return b.push("power", b.positive(x), y) if b.chance(0.5) else b.push("power", b.positive(y), x)


@proposal()
def where(b):
    x = b.pick()
    both = [x, partner(b, x)]
    shape = b.broadcastable(b.value(x).shape)
    return b.push("where", b.mask(shape[-2:]), *(both[::-1] if b.chance(0.5) else both))


# ------------------------------------------------------------------------------------------ reductions


def reducing(b, axis):
    """The options of a reduction over axis, as positions or by name."""
    args, options = ((), {}) if axis is None and b.chance(0.5) else ((axis,), {})
    if args and b.chance(0.5):
        args, options = (), {"axis": axis}
    if b.chance(0.4):
        options["keepdims"] = b.chance(0.7)
    return args, options


@proposal(7)
def reduction(b):
    name = b.choice(["sum", "mean", "max", "min", "logsumexp", "var", "norm", "prod", "std"])
    x = b.pick()
    axis = b.axes(b.value(x).ndim)
    args, options = reducing(b, axis)
    y = b.push(name, x, *args, **options)
    if name in ("max", "min"):  # only one element near the largest
        best = getattr(np, name)(b.value(x), axis, keepdims=True)
        b.require(np.all(np.sum(np.abs(b.value(x) - best) < MARGIN, axis) == 1))
    b.require(name not in ("norm", "std") or np.all(b.value(y) > 0.2))
    return y


@proposal(2)
def running(b):
    x = b.pick()
    axis = [] if b.chance(0.3) else [b.axis(b.value(x).ndim)]
    return b.push(b.choice(["cumsum", "cumprod"]), x, *axis)


@proposal()
def logsumexp_of_nothing(b):
    """Where a mask leaves nothing to sum, the logarithm is -inf, and must not spoil the gradients of the others."""
    x = b.pick(lambda x: x.size)
    mask = b.mask(b.broadcastable(b.value(x).shape))
    masked = b.push("where", mask, x, -np.inf)
    axis = b.axes(b.value(masked).ndim)
    args, options = reducing(b, axis)
    y = b.push("logsumexp", masked, *args, **options)
    return b.push("where", np.asarray(b.value(y) > -np.inf), y, 0.0)


@proposal(2)
def softmax(b):
    x = b.pick()
    axis = b.axis(b.value(x).ndim)
    name = b.choice(["softmax", "log_softmax"])
    return b.push(name, x) if b.chance(0.3) else b.push(name, x, axis)


@proposal()
def cross_entropy(b):
    n, classes = b.side(), b.side(2)
    labels = b.integers(0, classes - 1, n).astype(b.choice([np.int64, np.int32, np.uint8]))
    logits = b.pick(lambda x: x.shape == (n, classes)) if b.chance(0.2) else b.some((n, classes), constant=False)
    return b.push("cross_entropy", logits, labels)


# ------------------------------------------------------------------------------------------ products


@proposal(4)
def matmul(b):
    x = b.pick(lambda x: x.ndim)
    shape = b.value(x).shape
    batch = b.broadcastable(shape[:-2]) if b.chance(0.6) else ()
    if b.chance(0.5):
        n = shape[-1]
        y = b.some(b.choice([(n,), (n, b.side()), (*batch, n, b.side())]))
        return b.push("matmul", x, y)
    n = shape[-2] if len(shape) > 1 else shape[0]
    return b.push("matmul", b.some(b.choice([(n,), (b.side(), n), (*batch, b.side(), n)])), x)


@proposal()
def dot(b):
    x = b.pick(lambda x: x.ndim < 3 or b.chance(0.03))
    shape = b.value(x).shape
    n = shape[-1] if shape else b.side()
    y = b.some(b.choice([(), (n,), (n, b.side())]))
    return b.push("dot", x, y)


@proposal()
def outer(b):
    x = b.pick(lambda x: x.size <= 16)
    return b.push("outer", x, b.pick(lambda y: y.size <= 9) if b.chance(0.5) else b.some((b.side(),)))


# ------------------------------------------------------------------------------------------ images


def an_image(b):
    if b.chance(0.3):
        return b.pick(lambda x: x.ndim == 4 and min(x.shape[2:]) > 1 and x.size)
    return b.some((b.side(1, 2), b.side(1, 3), b.side(2, 5), b.side(2, 5)), constant=False)


def geometry(b, image):
    """A kernel's size, stride and padding for images of this size, and the size of the result."""
    size = b.side(1, 3), b.side(1, 3)
    stride = b.choice([1, 1, 2, (1, 2), (3, 1)])
    padding = b.choice([0, 1, (0, 2), ((1, 0), (0, 1)), "same"] if stride == 1 else [0, 1, (1, 0), ((2, 0), (0, 1))])
    padded = [n + sum(border) for n, border in zip(image, borders(padding, size), strict=True)]
    b.require(all(k <= n for k, n in zip(size, padded, strict=True)))
    result = tuple((n - k) // s + 1 for n, k, s in zip(padded, size, pair(stride), strict=True))
    return size, (stride, padding), result


@proposal(3)
def convolution(b):
    x = an_image(b)
    n, channels, *image = b.value(x).shape
    size, options, result = geometry(b, image)
    filters = b.side(1, 2)
    name = b.choice(["conv2d", "conv2d_weights", "conv2d_transpose"])
    if name == "conv2d":
        bias = b.some((filters,)) if b.chance(0.5) else None
        return b.push(name, x, b.some((filters, channels, *size)), bias, *options)
    if name == "conv2d_weights":
        return b.push(name, x, b.some((n, filters, *result)), size, *options)
    y, weights = b.some((n, filters, *result), constant=False), b.some((filters, channels, *size))
    return b.push(name, y, weights, tuple(image), *options)


@proposal(3)
def pooling(b):
    x = an_image(b)
    shape = b.value(x).shape
    window = b.choice([w for w in (1, 2, (1, 2), (2, 1), (2, 3), (3, 2)) if np.all(np.array(pair(w)) <= shape[2:])])
    options = b.choice([(window,), (window, 1), (window, 2), (window, (2, 1))])
    every = windows(b.value(x), *options)
    winners = b.integers(0, np.prod(pair(window)) - 1, every.shape[:4]).astype(np.int32)
    name = b.choice(["max_pool2d", "avg_pool2d", "avg_unpool2d", "pick2d", "place2d"])
    if name == "max_pool2d":
        best = np.max(every, (4, 5), keepdims=True)
        b.require(np.all(np.sum(np.abs(every - best) < MARGIN, (4, 5)) == 1))
    if name == "pick2d":
        return b.push(name, x, winners, *options)
    if name in ("avg_unpool2d", "place2d"):
        y = b.some(every.shape[:4], constant=False)
        return b.push(name, y, *([winners] if name == "place2d" else []), shape, *options)
    return b.push(name, x, *options)


@proposal(2)
def batch_norm(b):
    x = an_image(b) if b.chance(0.7) else b.some((b.side(2, 4), b.side()), constant=False)
    shape = b.value(x).shape
    b.require(np.all(np.var(b.value(x), (0, 2, 3)[: len(shape) - 1]) > 0.1))
    name = b.choice(["batch_norm", "batch_norm_to_x", "batch_norm_to_gamma"])
    if name == "batch_norm":
        gamma, beta = b.some(shape[1:2]), b.some(shape[1:2])
        return b.push(name, x, gamma, beta, *(() if b.chance(0.5) else (1e-2,)))
    gamma = [b.some(shape[1:2])] if name == "batch_norm_to_x" else []
    return b.push(name, b.some(shape), x, *gamma, b.choice([1e-5, 1e-2]))
