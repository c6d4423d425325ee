"""ReLU and its derivative: on several threads for large arrays, by NumPy for small ones."""

import numpy as np

from minigrad.kernels._jit import enabled, jit, prange, usual

SMALL = 2**17  # elements, below which NumPy on one thread is faster
BLOCK = 2**14  # elements that one thread takes at a time


def relu(x):
    """max(x, 0)."""
    if _is_small(x):
        return relu_numpy(x)
    y = np.empty(x.shape, x.dtype)
    _relu(np.ascontiguousarray(x).reshape(-1), y.reshape(-1))
    return y


def gate(g, y):
    """g where y > 0, else 0."""
    if _is_small(g, y) or g.dtype != y.dtype or g.shape != y.shape:
        return gate_numpy(g, y)
    x = np.empty(g.shape, g.dtype)
    _gate(np.ascontiguousarray(g).reshape(-1), np.ascontiguousarray(y).reshape(-1), x.reshape(-1))
    return x


def _is_small(*arrays):
    return not enabled or arrays[0].size < SMALL or not usual(*arrays)


@jit(parallel=True, entry=True)
def _relu(x, y):
    for k in prange((x.size + BLOCK - 1) // BLOCK):
        of, to = x[k * BLOCK : (k + 1) * BLOCK], y[k * BLOCK : (k + 1) * BLOCK]
        zero = x.dtype.type(0)
        for t in range(of.size):
            to[t] = zero if of[t] < zero else of[t]  # NaN stays NaN


@jit(parallel=True, entry=True)
def _gate(g, y, x):
    for k in prange((g.size + BLOCK - 1) // BLOCK):
        start, end = k * BLOCK, (k + 1) * BLOCK
        of, by, to = g[start:end], y[start:end], x[start:end]
        zero = g.dtype.type(0)
        for t in range(of.size):
            to[t] = of[t] if by[t] > zero else zero


def relu_numpy(x):
    return np.maximum(x, 0.0)


def gate_numpy(g, y):
    return np.where(y > 0, g, 0.0)
