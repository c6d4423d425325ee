"""Sums and affine maps channel by channel, for batch normalization. All arrays are (n, channels, places)."""

import numpy as np

from minigrad.kernels._jit import enabled, jit, prange, usual

SMALL = 2**18  # elements, below which one thread is faster than several


def moments(x):
    """The mean and the variance (channels,) of every channel."""
    if not (enabled and usual(x)):
        return x.mean((0, 2)), x.var((0, 2))
    mean, variance = np.empty((2, x.shape[1]), x.dtype)
    _moments(x, mean, variance)
    return mean, variance


def overlaps(g, x, mean):
    """Σ g and Σ g·(x − mean) (channels,) over every channel."""
    if not (enabled and usual(g, x, mean)):
        return g.sum((0, 2)), (g * (x - mean[:, None])).sum((0, 2))
    total, overlap = np.empty((2, x.shape[1]), x.dtype)
    _overlaps(g, x, mean, total, overlap)
    return total, overlap


def scale(x, a, mean, b):
    """a·(x − mean) + b with a number of each for every channel."""
    if not (enabled and usual(x, a, mean, b)):
        return a[:, None] * (x - mean[:, None]) + b[:, None]
    y = np.empty(x.shape, x.dtype)
    _scale(x, a, mean, b, y)
    return y


def combine(g, x, mean, a, b, c):
    """a·g + b·(x − mean) + c with a number of each for every channel."""
    if not (enabled and usual(g, x, mean, a, b, c)):
        return a[:, None] * g + b[:, None] * (x - mean[:, None]) + c[:, None]
    y = np.empty(x.shape, x.dtype)
    _combine(g, x, mean, a, b, c, y)
    return y


@jit
def _total(x):
    total = x.dtype.type(0)
    for i in range(len(x)):
        total += x[i]
    return total


@jit
def _overlap(g, x, mean):
    total = x.dtype.type(0)
    for i in range(len(x)):
        total += g[i] * (x[i] - mean)
    return total


@jit
def _square(x, mean):
    total = x.dtype.type(0)
    for i in range(len(x)):
        total += (x[i] - mean) ** 2
    return total


@jit
def _moments_of(x, c):
    """The mean and variance of channel c: sums over a row in x's precision, over rows in float64."""
    n, _, places = x.shape
    total = 0.0
    for i in range(n):
        total += _total(x[i, c])
    mean = x.dtype.type(total / (n * places))
    total = 0.0
    for i in range(n):
        total += _square(x[i, c], mean)
    return mean, total / (n * places)


@jit(parallel=True, entry=True)
def _moments(x, mean, variance):
    if x.size < SMALL:
        for c in range(len(mean)):
            mean[c], variance[c] = _moments_of(x, c)
    else:
        for c in prange(len(mean)):
            mean[c], variance[c] = _moments_of(x, c)


@jit
def _overlaps_of(g, x, mean, c):
    """Σ g and Σ g·(x − mean) over channel c."""
    total = overlap = 0.0
    for i in range(len(x)):
        total += _total(g[i, c])
        overlap += _overlap(g[i, c], x[i, c], mean[c])
    return total, overlap


@jit(parallel=True, entry=True)
def _overlaps(g, x, mean, total, overlap):
    if x.size < SMALL:
        for c in range(len(mean)):
            total[c], overlap[c] = _overlaps_of(g, x, mean, c)
    else:
        for c in prange(len(mean)):
            total[c], overlap[c] = _overlaps_of(g, x, mean, c)


@jit
def _scale_image(x, a, mean, b, y):
    channels, places = x.shape
    for c in range(channels):
        factor, shift, centre = a[c], b[c], mean[c]
        for j in range(places):
            y[c, j] = factor * (x[c, j] - centre) + shift


@jit(parallel=True, entry=True)
def _scale(x, a, mean, b, y):
    if x.size < SMALL:
        for n in range(len(x)):
            _scale_image(x[n], a, mean, b, y[n])
    else:
        for n in prange(len(x)):
            _scale_image(x[n], a, mean, b, y[n])


@jit
def _combine_image(g, x, mean, a, b, c, y):
    channels, places = x.shape
    for k in range(channels):
        g_factor, x_factor, shift, centre = a[k], b[k], c[k], mean[k]
        for j in range(places):
            y[k, j] = g_factor * g[k, j] + x_factor * (x[k, j] - centre) + shift


@jit(parallel=True, entry=True)
def _combine(g, x, mean, a, b, c, y):
    if x.size < SMALL:
        for n in range(len(x)):
            _combine_image(g[n], x[n], mean, a, b, c, y[n])
    else:
        for n in prange(len(x)):
            _combine_image(g[n], x[n], mean, a, b, c, y[n])
