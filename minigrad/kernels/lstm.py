"""One step of a stack of LSTM layers over many coordinates, forward and backward (formulas: `layers.lstm_cell`).

Everything is feature-major, (features, P) for P coordinates. A kernel walks over tiles of coordinates and takes each
through all layers, so that what a layer hands to the next never leaves the cache. The products are BLAS calls of a size
that BLAS has its fastest code for; everything between them is one loop that vectorizes across coordinates.

Backward keeps nothing but the states, which the caller has anyway, and recomputes the gates from them.
"""

import math

import numpy as np

from minigrad.kernels._jit import by_precision, enabled, jit, prange, wide_vectors

TILE = 256  # coordinates; gates and inputs of a tile stay in L2
CHUNKS = 32  # at most; the unit of parallel work, and of the partial sums of weight gradients

# ------------------------------------------------------------------------------------------- activations

_P = tuple(np.float32([1.0, 1.3379718e-1, 3.4940345e-3, 2.0583482e-5, 1.3319073e-8]))
_Q = tuple(np.float32([1.0, 4.6713033e-1, 2.5871074e-2, 3.2830928e-4, 7.7620200e-7]))
_P0, _P1, _P2, _P3, _P4 = _P
_Q0, _Q1, _Q2, _Q3, _Q4 = _Q
_LIMIT = np.float32(9.02)
_HALF = np.float32(0.5)


@jit(inline=True)
def _rational_tanh(x):
    x = -_LIMIT if x < -_LIMIT else x
    x = _LIMIT if x > _LIMIT else x
    u = x * x
    p = (((_P4 * u + _P3) * u + _P2) * u + _P1) * u + _P0
    q = (((_Q4 * u + _Q3) * u + _Q2) * u + _Q1) * u + _Q0
    return x * p, q


@jit
def _exact_tanh(x):
    return math.tanh(x), 1.0


tanh = by_precision(_rational_tanh, _exact_tanh)


@jit(inline=True)
def _gates(zi, zf, zg, zo, half):
    """sigmoid(zi), sigmoid(zf), tanh(zg), sigmoid(zo), with one division for all: it costs as much as ten products."""
    ni, di = tanh(half * zi)
    nf, df = tanh(half * zf)
    ng, dg = tanh(zg)
    no, do = tanh(half * zo)
    dif, dgo = di * df, dg * do
    inverse = (half + half) / (dif * dgo)
    over_if, over_go = inverse * dgo, inverse * dif
    i = half + half * (ni * df * over_if)
    f = half + half * (nf * di * over_if)
    g = ng * do * over_go
    o = half + half * (no * dg * over_go)
    return i, f, g, o


# ------------------------------------------------------------------------------------------- one tile


@jit
def _copy(rows, n, target, row, column, source, source_row, source_column):
    """A block (rows, n) of source into target. Row by row, because that is what Numba turns into wide moves."""
    for k in range(rows):
        to = target[row + k, column : column + n]
        of = source[source_row + k, source_column : source_column + n]
        for t in range(n):
            to[t] = of[t]


@jit
def _forward_tile(z, b, c, h_new, c_new, start):
    wide_vectors()
    hidden, n = c.shape[0], z.shape[1]
    half = z.dtype.type(0.5)
    for u in range(hidden):
        zi, zf, zg, zo = z[u], z[hidden + u], z[2 * hidden + u], z[3 * hidden + u]
        bi, bf, bg, bo = b[u], b[hidden + u], b[2 * hidden + u], b[3 * hidden + u]
        c_old = c[u, start : start + n]
        c_out = c_new[u, start : start + n]
        h_out = h_new[u, start : start + n]
        for t in range(n):
            i, f, g, o = _gates(zi[t] + bi, zf[t] + bf, zg[t] + bg, zo[t] + bo, half)
            new = f * c_old[t] + i * g
            p, q = tanh(new)
            c_out[t] = new
            h_out[t] = o * p / q


@jit
def _backward_tile(z, b, c, dh_new, dc_new, above, dc, db, start):
    wide_vectors()
    hidden, n = c.shape[0], z.shape[1]
    half = z.dtype.type(0.5)
    one = z.dtype.type(1)
    for u in range(hidden):
        zi, zf, zg, zo = z[u], z[hidden + u], z[2 * hidden + u], z[3 * hidden + u]
        bi, bf, bg, bo = b[u], b[hidden + u], b[2 * hidden + u], b[3 * hidden + u]
        c_old = c[u, start : start + n]
        dh_in = dh_new[u, start : start + n]
        dc_in = dc_new[u, start : start + n]
        dc_out = dc[u, start : start + n]
        si = sf = sg = so = one - one
        for t in range(n):
            i, f, g, o = _gates(zi[t] + bi, zf[t] + bf, zg[t] + bg, zo[t] + bo, half)
            p, q = tanh(f * c_old[t] + i * g)
            y = p / q
            dh = dh_in[t] + above[u, t]
            dcell = dc_in[t] + dh * o * (one - y * y)
            dc_out[t] = dcell * f
            dzi = dcell * g * (i - i * i)
            dzf = dcell * c_old[t] * (f - f * f)
            dzg = dcell * i * (one - g * g)
            dzo = dh * y * (o - o * o)
            zi[t], zf[t], zg[t], zo[t] = dzi, dzf, dzg, dzo
            si += dzi
            sf += dzf
            sg += dzg
            so += dzo
        db[u] += si
        db[hidden + u] += sf
        db[2 * hidden + u] += sg
        db[3 * hidden + u] += so


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
            rows, columns = A[layer].shape
            z, inputs = _matrix(z_buffer, rows, n), _matrix(in_buffer, columns, n)
            below = columns - h[layer].shape[0]
            _copy(below, n, inputs, 0, 0, h_new[layer - 1] if layer else x, 0, start)
            _copy(columns - below, n, inputs, below, 0, h[layer], 0, start)
            np.dot(A[layer], inputs, z)
            _forward_tile(z, b[layer], c[layer], h_new[layer], c_new[layer], start)


@jit
def _backward_chunk(k, first, last, x, h, c, A, b, h_new, dh_new, dc_new, dx, dh, dc, dA, db):
    most = 0
    for layer in range(len(A)):
        most = max(most, A[layer].shape[0], A[layer].shape[1])
    z_buffer, in_buffer = np.empty(most * TILE, x.dtype), np.empty(most * TILE, x.dtype)
    above_buffer = np.empty(most * TILE, x.dtype)
    out_buffer, weight_buffer = np.empty(most * TILE, x.dtype), np.empty(most * most, x.dtype)
    for start in range(first, last, TILE):
        n = min(TILE, last - start)
        top = len(A) - 1
        above = _matrix(above_buffer, h[top].shape[0], n)
        above[:] = 0
        for layer in range(top, -1, -1):
            rows, columns = A[layer].shape
            z, inputs = _matrix(z_buffer, rows, n), _matrix(in_buffer, columns, n)
            dinputs, dweights = _matrix(out_buffer, columns, n), _matrix(weight_buffer, rows, columns)
            below = columns - h[layer].shape[0]
            _copy(below, n, inputs, 0, 0, h_new[layer - 1] if layer else x, 0, start)
            _copy(columns - below, n, inputs, below, 0, h[layer], 0, start)
            np.dot(A[layer], inputs, z)
            _backward_tile(z, b[layer], c[layer], dh_new[layer], dc_new[layer], above, dc[layer], db[layer][k], start)
            np.dot(z, inputs.T, dweights)
            dA[layer][k] += dweights
            np.dot(A[layer].T, z, dinputs)
            _copy(columns - below, n, dh[layer], 0, start, dinputs, below, 0)
            above = _matrix(above_buffer, below, n)
            _copy(below, n, above, 0, 0, dinputs, 0, 0)
        if dx.shape[0]:
            _copy(dx.shape[0], n, dx, 0, start, above, 0, 0)


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


_forward_parallel = jit(_forward, parallel=True)
_backward_parallel = jit(_backward, parallel=True)


def _chunk(P):
    tiles = -(-P // TILE)
    return max(1, -(-tiles // CHUNKS)) * TILE


def forward(x, h, c, A, b):
    h_new, c_new = tuple(map(np.empty_like, h)), tuple(map(np.empty_like, c))
    size = _chunk(x.shape[1])
    if x.shape[1] <= size:
        _forward_chunk(0, x.shape[1], x, h, c, A, b, h_new, c_new)
    else:
        _forward_parallel(size, x, h, c, A, b, h_new, c_new)
    return h_new, c_new


def backward(x, h, c, A, b, h_new, dh_new, dc_new, want_dx):
    P, size = x.shape[1], _chunk(x.shape[1])
    dx = np.empty_like(x if want_dx else x[:0])
    dh, dc = tuple(map(np.empty_like, h)), tuple(map(np.empty_like, c))
    chunks = -(-P // size)
    dA = tuple(np.zeros((chunks, *a.shape), a.dtype) for a in A)
    db = tuple(np.zeros((chunks, a.shape[0]), a.dtype) for a in A)
    if P <= size:
        _backward_chunk(0, 0, P, x, h, c, A, b, h_new, dh_new, dc_new, dx, dh, dc, dA, db)
    else:
        _backward_parallel(size, x, h, c, A, b, h_new, dh_new, dc_new, dx, dh, dc, dA, db)
    return dx, dh, dc, tuple(a.sum(0) for a in dA), tuple(a.sum(0) for a in db)
