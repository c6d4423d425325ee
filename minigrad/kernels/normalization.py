"""Sums and affine maps channel by channel, for batch normalization. All arrays are (n, channels, places)."""

from functools import partial

import numpy as np

from minigrad.kernels._jit import enabled, jit, prange


def moments(x):
    """The mean and the variance (channels,) of every channel."""
    if not enabled:
        return x.mean((0, 2)), x.var((0, 2))
    mean, variance = np.empty((2, x.shape[1]), x.dtype)
    _moments(x, mean, variance)
    return mean, variance


def overlaps(g, x, mean):
    """Σ g and Σ g·(x − mean) (channels,) over every channel."""
    if not enabled:
        return g.sum((0, 2)), (g * (x - mean[:, None])).sum((0, 2))
    total, overlap = np.empty((2, x.shape[1]), x.dtype)
    _overlaps(g, x, mean, total, overlap)
    return total, overlap


def scale(x, a, mean, b):
    """a·(x − mean) + b with a number of each for every channel."""
    if not enabled:
        return a[:, None] * (x - mean[:, None]) + b[:, None]
    y = np.empty(x.shape, x.dtype)
    _scale(x, a, mean, b, y)
    return y


def combine(g, x, mean, a, b, c):
    """a·g + b·(x − mean) + c with a number of each for every channel."""
    if not enabled:
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


@partial(jit, parallel=True)
def _moments(x, mean, variance):
    n, channels, places = x.shape
    for c in prange(channels):
        total = 0.0
        for i in range(n):
            total += _total(x[i, c])
        mean[c] = total / (n * places)
        total = 0.0
        for i in range(n):
            total += _square(x[i, c], mean[c])
        variance[c] = total / (n * places)


@partial(jit, parallel=True)
def _overlaps(g, x, mean, total, overlap):
    n, channels, _ = x.shape
    for c in prange(channels):
        g_sum = gx_sum = 0.0
        for i in range(n):
            g_sum += _total(g[i, c])
            gx_sum += _overlap(g[i, c], x[i, c], mean[c])
        total[c], overlap[c] = g_sum, gx_sum


@partial(jit, parallel=True)
def _scale(x, a, mean, b, y):
    n, channels, places = x.shape
    for row in prange(n * channels):
        i, c = row // channels, row % channels
        factor, shift, centre = a[c], b[c], mean[c]
        for j in range(places):
            y[i, c, j] = factor * (x[i, c, j] - centre) + shift


@partial(jit, parallel=True)
def _combine(g, x, mean, a, b, c, y):
    n, channels, places = x.shape
    for row in prange(n * channels):
        i, k = row // channels, row % channels
        g_factor, x_factor, shift, centre = a[k], b[k], c[k], mean[k]
        for j in range(places):
            y[i, k, j] = g_factor * g[i, k, j] + x_factor * (x[i, k, j] - centre) + shift
