"""Primitives on batches of images, arrays (n, channels, height, width): convolution and pooling."""

import numpy as np

from minigrad.core import primitive, stop_gradient
from minigrad.kernels import convolution, pooling
from minigrad.ops.reduce import channel_sums

# ------------------------------------------------------------------------------------------ convolution
#
# conv2d is linear in the images and linear in the weights. With T(x, w, g) = Σ g · conv2d(x, w), conv2d,
# conv2d_transpose and conv2d_weights are the three derivatives of T, and the derivatives of each of them are among
# these three. So the three rules refer to each other, and derivatives of any order exist.


def _pair(value, name):
    """An int for both axes, or a pair (vertical, horizontal)."""
    pair = (value, value) if isinstance(value, (int, np.integer)) else tuple(value)
    if len(pair) != 2:
        raise ValueError(f"{name} is an int or a pair (vertical, horizontal), got {value!r}")
    return pair


def _strides(stride):
    pair = _pair(stride, "stride")
    if min(pair) < 1:
        raise ValueError(f"stride must be at least 1, got {stride!r}")
    return pair


def _borders(padding, size, stride):
    """padding as a pair (before, after) for each axis."""
    if padding == "same":
        if stride != (1, 1):
            raise ValueError(f'padding "same" needs stride 1, got {stride}: give the padding as numbers')
        return tuple(((k - 1) // 2, k // 2) for k in size)
    borders = tuple(_pair(p, "padding") for p in _pair(padding, "padding"))
    if min(map(min, borders)) < 0:
        raise ValueError(f"padding must not be negative, got {padding!r}")
    return borders


def _geometry(size, image, stride, padding, both):
    """The stride and borders of a convolution as pairs, and the size (rows, columns) of its result."""
    stride = _strides(stride)
    borders = _borders(padding, size, stride)
    padded = [n + before + after for n, (before, after) in zip(image, borders, strict=True)]
    if any(k < 1 or k > n for k, n in zip(size, padded, strict=True)):
        raise ValueError(f"the kernel {tuple(size)} does not fit the padded image {tuple(padded)}, for shapes {both}")
    return stride, borders, tuple((n - k) // s + 1 for n, k, s in zip(padded, size, stride, strict=True))


def _agree(x, y, axes, what):
    """Both have four axes, and equal lengths along the pair `axes`."""
    if x.ndim != 4 or y.ndim != 4 or x.shape[axes[0]] != y.shape[axes[1]]:
        raise ValueError(f"{what}, got {x.shape} and {y.shape}")


def _conv2d_rule(y, x, weights, bias=None, stride=1, padding=0):
    image, size = x.shape[2:], weights.shape[2:]
    return (
        lambda g: conv2d_transpose(g, weights, image, stride, padding),
        lambda g: conv2d_weights(x, g, size, stride, padding),
        channel_sums,
    )


def _conv2d_samples(r):
    x, w, bias = r.normal(size=(2, 3, 5, 4)), r.normal(size=(2, 3, 3, 2)), r.normal(size=2)
    return [
        (x, w),
        (x, w, bias, 1, ((1, 1), (0, 1))),
        (x, w, None, 2, 1),
        (x, w, bias, (1, 2), (0, 3)),
        (x, w, None, (3, 1), ((2, 0), (0, 1))),
        (x[:1, :, :1, :1], w, None, 1, 2),  # a kernel larger than the image
        (x[:0], w, bias),
    ]


@primitive(samples=_conv2d_samples, rule=_conv2d_rule)
def conv2d(x, weights, bias=None, /, stride=1, padding=0):
    """y[n, f, i, j] = b[f] + Σ w[f, c, k, l] · x̄[n, c, i·s + k, j·t + l] over c, k and l: a cross-correlation.

    x: images (n, channels, height, width), and x̄ the same with zeros around them; weights w (filters, channels, kh,
    kw); bias b (filters,) or None. stride (s, t) is an int or a pair (vertical, horizontal). padding is an int, a pair,
    or for each axis a pair (before, after); "same", with stride 1, keeps height and width (an even kernel has the extra
    zero after). Returns (n, filters, rows, columns), where rows = ⌊(padded height − kh)/s⌋ + 1.

    VJP: conv2d_transpose(g, w); conv2d_weights(x, g); Σ g over n, i and j.
    """
    _agree(x, weights, (1, 1), "conv2d takes x (n, channels, height, width) and weights (filters, channels, kh, kw)")
    if bias is not None and bias.shape != weights.shape[:1]:
        raise ValueError(f"conv2d takes one bias per filter, got {bias.shape} for weights {weights.shape}")
    stride, borders, _ = _geometry(weights.shape[2:], x.shape[2:], stride, padding, (x.shape, weights.shape))
    return convolution.correlate(x, weights, bias, stride, borders)


def _conv2d_transpose_rule(x, y, weights, image, stride=1, padding=0):
    size = weights.shape[2:]
    return (
        lambda g: conv2d(g, weights, None, stride, padding),
        lambda g: conv2d_weights(g, y, size, stride, padding),
    )


@primitive(
    samples=lambda r: [
        (r.normal(size=(2, 2, 3, 3)), r.normal(size=(2, 3, 3, 2)), (5, 4)),
        (r.normal(size=(2, 2, 5, 4)), r.normal(size=(2, 3, 3, 2)), (5, 4), 1, ((1, 1), (0, 1))),
        (r.normal(size=(2, 2, 2, 3)), r.normal(size=(2, 3, 3, 2)), (5, 6), 2),
    ],
    rule=_conv2d_transpose_rule,
)
def conv2d_transpose(y, weights, /, image, stride=1, padding=0):
    """x[n, c, p, q] = Σ w[f, c, k, l] · y[n, f, i, j] over f and all i·s + k = p, j·t + l = q: the transpose of conv2d.

    y (n, filters, rows, columns), weights (filters, channels, kh, kw); returns (n, channels, *image). image, stride and
    padding are those of the conv2d that it transposes: Σ y · conv2d(x, w) = Σ x · conv2d_transpose(y, w).

    VJP: conv2d(g, w); conv2d_weights(g, y).
    """
    _agree(
        y,
        weights,
        (1, 0),
        "conv2d_transpose takes y (n, filters, rows, columns) and weights (filters, channels, kh, kw)",
    )
    both = (y.shape, weights.shape)
    stride, borders, size = _geometry(weights.shape[2:], image, stride, padding, both)
    if y.shape[2:] != size:
        raise ValueError(f"conv2d maps an image {tuple(image)} to {size}, so y cannot have shape {y.shape}")
    return convolution.input_gradient(y, weights, tuple(image), stride, borders)


def _conv2d_weights_rule(w, x, y, size, stride=1, padding=0):
    image = x.shape[2:]
    return (
        lambda g: conv2d_transpose(y, g, image, stride, padding),
        lambda g: conv2d(x, g, None, stride, padding),
    )


@primitive(
    samples=lambda r: [
        (r.normal(size=(2, 3, 5, 4)), r.normal(size=(2, 2, 3, 3)), (3, 2)),
        (r.normal(size=(2, 3, 5, 4)), r.normal(size=(2, 2, 5, 4)), (3, 2), 1, ((1, 1), (0, 1))),
        (r.normal(size=(2, 3, 5, 6)), r.normal(size=(2, 2, 2, 3)), (3, 2), 2),
    ],
    rule=_conv2d_weights_rule,
)
def conv2d_weights(x, y, /, size, stride=1, padding=0):
    """w[f, c, k, l] = Σ y[n, f, i, j] · x̄[n, c, i·s + k, j·t + l] over n, i and j.

    x (n, channels, height, width), y (n, filters, rows, columns); returns (filters, channels, *size). stride and
    padding are those of the conv2d whose derivative it is: Σ y · conv2d(x, w) = Σ w · conv2d_weights(x, y).

    VJP: conv2d_transpose(y, g); conv2d(x, g).
    """
    _agree(x, y, (0, 0), "conv2d_weights takes x (n, channels, height, width) and y (n, filters, rows, columns)")
    stride, borders, expected = _geometry(size, x.shape[2:], stride, padding, (x.shape, y.shape))
    if y.shape[2:] != expected:
        raise ValueError(f"conv2d maps images {x.shape} to {expected}, so y cannot have shape {y.shape}")
    return convolution.weight_gradient(x, y, tuple(size), stride, borders)


# ---------------------------------------------------------------------------------------------- pooling
#
# Windows are counted from the top left; rows and columns of x that fill no whole window are left out. Each pooling
# has its transpose, whose rule is the pooling again, so derivatives of all orders exist.


def _pools(x, window, stride):
    """The window and the stride as pairs (vertical, horizontal)."""
    window = _pair(window, "window")
    stride = window if stride is None else _strides(stride)
    if len(x) != 4 or any(k < 1 or k > n for k, n in zip(window, x[2:], strict=True)):
        raise ValueError(f"pooling takes images (n, channels, height, width) that hold the window {window}, got {x}")
    return window, stride


def _tiles(r):
    """Samples for pooling, without ties: windows that tile the image, overlap or leave a rest, and zero images."""
    x = r.permutation(np.linspace(-3.0, 3.0, 120)).reshape(2, 3, 4, 5)
    return [(x, 2), (x, (2, 3), 1), (x, (1, 2), (3, 2)), (x[:0], 2)]


def max_pool2d(x, window, stride=None):
    """The largest element of every window of x (n, channels, height, width).

    window and stride are ints or pairs (vertical, horizontal); stride is the window where None, so that windows tile x.
    Returns (n, channels, rows, columns) with rows = ⌊(height − window)/stride⌋ + 1.

    The gradient goes to the largest element of each window, where several are equal to the first in row-major order.
    """
    largest, winners = pooling.find(stop_gradient(x), *_pools(x.shape, window, stride))
    return pick2d(x, winners, window, stride, largest)


def _winners(r, x, window, stride=None):
    """Arbitrary winners for the windows of the samples."""
    windows = max_pool2d(x, window, stride).shape
    return r.integers(0, np.prod(window), windows).astype(np.int32)


def _pick2d_samples(r):
    x = r.normal(size=(2, 3, 4, 5))
    return [(x, _winners(r, x, (2, 2)), (2, 2)), (x, _winners(r, x, (2, 3), 1), (2, 3), 1)]


def _pick2d_rule(y, x, winners, window, stride=None, found=None):
    shape = x.shape
    return lambda g: place2d(g, winners, shape, window, stride)


@primitive(samples=_pick2d_samples, rule=_pick2d_rule)
def pick2d(x, /, winners, window, stride=None, found=None):
    """The element of every window of x at the place `winners`, constant integers that count in row-major order.

    winners is (n, channels, rows, columns); window and stride are as in max_pool2d. max_pool2d passes the elements that
    it has computed as `found`.

    VJP: g, added at the place it was taken from: place2d.
    """
    if found is not None:
        return found
    window, stride = _pools(x.shape, window, stride)
    expected = pooling.windows(x.shape, window, stride)
    if winners.shape != expected:
        raise ValueError(f"pick2d takes one winner for every window, {expected}, not {winners.shape}")
    return pooling.pick(x, winners, window, stride)


def _place2d_samples(r):
    x = r.normal(size=(2, 3, 4, 5))
    return [
        (r.normal(size=(2, 3, 2, 2)), _winners(r, x, (2, 2)), x.shape, (2, 2)),
        (r.normal(size=(2, 3, 3, 3)), _winners(r, x, (2, 3), 1), x.shape, (2, 3), 1),
    ]


@primitive(
    samples=_place2d_samples,
    rule=lambda x, y, winners, shape, window, stride=None: lambda g: pick2d(g, winners, window, stride),
)
def place2d(y, /, winners, shape, window, stride=None):
    """Zeros of `shape` with every element of y added at its window's winner: the transpose of pick2d.

    VJP: pick2d(g).
    """
    window, stride = _pools(shape, window, stride)
    expected = pooling.windows(shape, window, stride)
    if not y.shape == winners.shape == expected:
        found = f"{y.shape} and {winners.shape}"
        raise ValueError(f"place2d takes one number and one winner for every window, {expected}, not {found}")
    return pooling.place(y, winners, shape, window, stride)


def _avg_pool_rule(y, x, window, stride=None):
    shape = x.shape
    return lambda g: avg_unpool2d(g, shape, window, stride)


@primitive(samples=_tiles, rule=_avg_pool_rule)
def avg_pool2d(x, /, window, stride=None):
    """The mean of every window of x (n, channels, height, width); window, stride and result as in max_pool2d.

    VJP: g/(elements of a window), added to every element of the window: avg_unpool2d.
    """
    places = list(pooling.places(x.shape, *_pools(x.shape, window, stride)))
    total = x[places[0]].copy()
    for place in places[1:]:
        total += x[place]
    return total / len(places)


@primitive(
    samples=lambda r: [
        (r.normal(size=(2, 3, 2, 2)), (2, 3, 4, 5), 2),
        (r.normal(size=(2, 3, 3, 3)), (2, 3, 4, 5), (2, 3), 1),
    ],
    rule=lambda x, y, shape, window, stride=None: lambda g: avg_pool2d(g, window, stride),
)
def avg_unpool2d(y, /, shape, window, stride=None):
    """Zeros of `shape` with every y distributed evenly over its window: the transpose of avg_pool2d.

    VJP: avg_pool2d(g).
    """
    places = list(pooling.places(shape, *_pools(shape, window, stride)))
    share, x = y / len(places), np.zeros(shape, y.dtype)
    for place in places:
        x[place] += share
    return x
