"""One step of a stack of LSTM layers over many coordinates, forward and backward (formulas: `layers.lstm_cell`).

Everything is feature-major, (features, P) for P coordinates. A kernel walks over tiles of coordinates and takes each
through all layers, so that what a layer hands to the next never leaves the cache. The products are BLAS calls of a size
that BLAS has its fastest code for; everything between them is one loop that vectorizes across coordinates.

Backward keeps nothing but the states, which the caller has anyway, and recomputes the gates from them.
"""

import math

import numpy as np

from minigrad.kernels._jit import by_precision, enabled, jit, prange

TILE = 256  # coordinates; gates and inputs of a tile stay in L2
CHUNKS = 32  # at most; the unit of parallel work, and of the partial sums of weight gradients

# ------------------------------------------------------------------------------------------- activations

_P = tuple(np.float32([1.0, 1.3379718e-1, 3.4940345e-3, 2.0583482e-5, 1.3319073e-8]))
_Q = tuple(np.float32([1.0, 4.6713033e-1, 2.5871074e-2, 3.2830928e-4, 7.7620200e-7]))
_P0, _P1, _P2, _P3, _P4 = _P
_Q0, _Q1, _Q2, _Q3, _Q4 = _Q
_LIMIT = np.float32(9.02)
_HALF = np.float32(0.5)


@jit
def rational_tanh(x):
    """tanh(x) in float32 as x·P(x²)/Q(x²)."""
    x = -_LIMIT if x < -_LIMIT else x
    x = _LIMIT if x > _LIMIT else x
    u = x * x
    p = (((_P4 * u + _P3) * u + _P2) * u + _P1) * u + _P0
    q = (((_Q4 * u + _Q3) * u + _Q2) * u + _Q1) * u + _Q0
    return x * p / q


@jit
def _rational_sigmoid(x):
    return _HALF + _HALF * rational_tanh(_HALF * x)


@jit
def _exact_tanh(x):
    return math.tanh(x)


@jit
def _exact_sigmoid(x):
    return 0.5 + 0.5 * math.tanh(0.5 * x)


tanh = by_precision(rational_tanh, _exact_tanh)
sigmoid = by_precision(_rational_sigmoid, _exact_sigmoid)

# ------------------------------------------------------------------------------------------- one tile


@jit
def _load(inputs, below, h, start):
    """inputs (below + hidden, n) = the tile of [below; h] that begins at `start`."""
    n, rows = inputs.shape[1], below.shape[0]
    for k in range(rows):
        inputs[k] = below[k, start : start + n]
    for k in range(h.shape[0]):
        inputs[rows + k] = h[k, start : start + n]


@jit
def _forward_tile(z, b, c, h_new, c_new, start):
    hidden, n = c.shape[0], z.shape[1]
    for u in range(hidden):
        zi, zf, zg, zo = z[u], z[hidden + u], z[2 * hidden + u], z[3 * hidden + u]
        bi, bf, bg, bo = b[u], b[hidden + u], b[2 * hidden + u], b[3 * hidden + u]
        c_old = c[u, start : start + n]
        c_out = c_new[u, start : start + n]
        h_out = h_new[u, start : start + n]
        for t in range(n):
            new = sigmoid(zf[t] + bf) * c_old[t] + sigmoid(zi[t] + bi) * tanh(zg[t] + bg)
            c_out[t] = new
            h_out[t] = sigmoid(zo[t] + bo) * tanh(new)


@jit
def _backward_tile(z, b, c, dh_new, dc_new, above, dc, db, start):
    hidden, n = c.shape[0], z.shape[1]
    one = z.dtype.type(1)
    for u in range(hidden):
        zi, zf, zg, zo = z[u], z[hidden + u], z[2 * hidden + u], z[3 * hidden + u]
        bi, bf, bg, bo = b[u], b[hidden + u], b[2 * hidden + u], b[3 * hidden + u]
        c_old = c[u, start : start + n]
        dh_in = dh_new[u, start : start + n]
        dc_in = dc_new[u, start : start + n]
        dc_out = dc[u, start : start + n]
        for t in range(n):
            i, f, g, o = sigmoid(zi[t] + bi), sigmoid(zf[t] + bf), tanh(zg[t] + bg), sigmoid(zo[t] + bo)
            y = tanh(f * c_old[t] + i * g)
            dh = dh_in[t] + above[u, t]
            dcell = dc_in[t] + dh * o * (one - y * y)
            dc_out[t] = dcell * f
            zi[t] = dcell * g * (i - i * i)
            zf[t] = dcell * c_old[t] * (f - f * f)
            zg[t] = dcell * i * (one - g * g)
            zo[t] = dh * y * (o - o * o)
        for k in range(u, 4 * hidden, hidden):
            db[k] += z[k].sum()


@jit
def _matrix(buffer, rows, columns):
    return buffer[: rows * columns].reshape(rows, columns)


# ------------------------------------------------------------------------------------------- one chunk of tiles


@jit
def _forward_chunk(first, last, x, h, c, A, b, h_new, c_new):
    most = 0
    for layer in range(len(A)):
        most = max(most, A[layer].shape[0], A[layer].shape[1])
    z_buffer, in_buffer = np.empty(most * TILE, x.dtype), np.empty(most * TILE, x.dtype)
    for start in range(first, last, TILE):
        n = min(TILE, last - start)
        for layer in range(len(A)):
            z, inputs = _matrix(z_buffer, A[layer].shape[0], n), _matrix(in_buffer, A[layer].shape[1], n)
            _load(inputs, h_new[layer - 1] if layer else x, h[layer], start)
            np.dot(A[layer], inputs, z)
            _forward_tile(z, b[layer], c[layer], h_new[layer], c_new[layer], start)


@jit
def _backward_chunk(k, first, last, x, h, c, A, b, h_new, dh_new, dc_new, dx, dh, dc, dA, db):
    most = 0
    for layer in range(len(A)):
        most = max(most, A[layer].shape[0], A[layer].shape[1])
    z_buffer, in_buffer = np.empty(most * TILE, x.dtype), np.empty(most * TILE, x.dtype)
    out_buffer, weight_buffer = np.empty(most * TILE, x.dtype), np.empty(most * most, x.dtype)
    for start in range(first, last, TILE):
        n = min(TILE, last - start)
        top = len(A) - 1
        above = np.zeros((h[top].shape[0], n), x.dtype)
        for layer in range(top, -1, -1):
            rows, columns = A[layer].shape
            z, inputs = _matrix(z_buffer, rows, n), _matrix(in_buffer, columns, n)
            dinputs, dweights = _matrix(out_buffer, columns, n), _matrix(weight_buffer, rows, columns)
            _load(inputs, h_new[layer - 1] if layer else x, h[layer], start)
            np.dot(A[layer], inputs, z)
            _backward_tile(z, b[layer], c[layer], dh_new[layer], dc_new[layer], above, dc[layer], db[layer][k], start)
            np.dot(z, inputs.T, dweights)
            dA[layer][k] += dweights
            np.dot(A[layer].T, z, dinputs)
            below = columns - h[layer].shape[0]
            dh[layer][:, start : start + n] = dinputs[below:]
            above = dinputs[:below].copy()
        if dx.shape[0]:
            dx[:, start : start + n] = above


# ------------------------------------------------------------------------------------------- all chunks


def _forward(size, x, h, c, A, b, h_new, c_new):
    P = x.shape[1]
    for k in prange((P + size - 1) // size):
        _forward_chunk(k * size, min(P, (k + 1) * size), x, h, c, A, b, h_new, c_new)


def _backward(size, x, h, c, A, b, h_new, dh_new, dc_new, dx, dh, dc, dA, db):
    P = x.shape[1]
    for k in prange((P + size - 1) // size):
        last = min(P, (k + 1) * size)
        _backward_chunk(k, k * size, last, x, h, c, A, b, h_new, dh_new, dc_new, dx, dh, dc, dA, db)


_serial = jit(_forward), jit(_backward)
_parallel = jit(_forward, parallel=True), jit(_backward, parallel=True)


def _chunk(P):
    tiles = -(-P // TILE)
    return max(1, -(-tiles // CHUNKS)) * TILE


def forward(x, h, c, A, b):
    h_new, c_new = tuple(map(np.empty_like, h)), tuple(map(np.empty_like, c))
    size = _chunk(x.shape[1])
    (_serial if x.shape[1] <= size else _parallel)[0](size, x, h, c, A, b, h_new, c_new)
    return h_new, c_new


def backward(x, h, c, A, b, h_new, dh_new, dc_new, want_dx):
    P, size = x.shape[1], _chunk(x.shape[1])
    dx = np.empty_like(x if want_dx else x[:0])
    dh, dc = tuple(map(np.empty_like, h)), tuple(map(np.empty_like, c))
    chunks = -(-P // size)
    dA = tuple(np.zeros((chunks, *a.shape), a.dtype) for a in A)
    db = tuple(np.zeros((chunks, a.shape[0]), a.dtype) for a in A)
    (_serial if P <= size else _parallel)[1](size, x, h, c, A, b, h_new, dh_new, dc_new, dx, dh, dc, dA, db)
    return dx, dh, dc, tuple(a.sum(0) for a in dA), tuple(a.sum(0) for a in db)
