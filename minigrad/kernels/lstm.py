"""One step of a stack of LSTM layers over many coordinates, forward and backward (formulas: `layers.lstm_cell`).

Everything is feature-major, (features, P) for P coordinates. A kernel walks over tiles of coordinates and takes each
one through all layers, so what a layer hands to the next stays in the cache. The products of a tile are BLAS calls
(`np.dot`), near the peak of the machine; what lies between them is one loop, vectorized across coordinates.

Backward needs nothing but the states, which the caller keeps anyway: it recomputes the gates from them. Keeping the
gates instead would take three times the memory, and save a third of backward's products.

Arguments of `forward` and `backward`, all float32 or all float64, C-contiguous and of fitting shapes (`fused.lstm`
sees to that; compiled code does not check); tuples have one array for each layer, the first layer first:

    x (inputs, P)      W (4, hidden, inputs + hidden)      b (4, hidden, 1)      h, c (hidden, P)
    v (1, hidden), e (1, 1): the read-out y = v h_new + e of the last layer, y (P,)
"""

import itertools
import math

import numpy as np

from minigrad.kernels._jit import by_precision, enabled, jit, prange, prefetch, wide_vectors
from minigrad.threads import keep_scipy_to_one_thread

TILE = 256  # coordinates: the gates and inputs of a tile fit into a second-level cache
CHUNKS = 32  # at most. A chunk of tiles is the unit of parallel work, and has its own sums of weight gradients

# ------------------------------------------------------------------------------------------ tanh and the gates

_P = (1.23835921, 1.65866122e-1, 4.34794836e-3, 2.58388845e-5, 1.69837815e-8)
_Q = (1.23835921, 5.78652382e-1, 3.21177617e-2, 4.10020788e-4, 9.81128551e-7)
_P0, _P1, _P2, _P3, _P4 = map(np.float32, _P)
_Q0, _Q1, _Q2, _Q3, _Q4 = map(np.float32, _Q)
_LIMIT = np.float32(8.8)  # beyond it tanh is within one unit in the last place of ±1
TANH_ULPS = 8


@jit(inline=True)
def _single(x):
    x = -_LIMIT if x < -_LIMIT else x  # written so that NaN stays NaN
    x = _LIMIT if x > _LIMIT else x
    u = x * x
    p = (((_P4 * u + _P3) * u + _P2) * u + _P1) * u + _P0
    q = (((_Q4 * u + _Q3) * u + _Q2) * u + _Q1) * u + _Q0
    return x * p, q


@jit(inline=True)
def _double(x):
    return math.tanh(x), 1.0


tanh = by_precision(_single, _double)
"""tanh(x) as a quotient: a numerator and a denominator, which callers divide when and with whatever it suits them.

float64: (math.tanh(x), 1). float32: (x·P(x²), Q(x²)) with |x| clamped to 8.8 and P, Q of degree 4, fitted for the least
relative error (Lawson's iteration), their last bits searched for the least error with rounding included: the quotient
is within TANH_ULPS units in the last place of tanh(x) for all float32 numbers (5.4 measured; 7.2 where a processor has
no fused multiply-add).
"""


@jit(inline=True)
def _gates(zi, zf, zg, zo, half):
    """sigmoid(zi), sigmoid(zf), tanh(zg), sigmoid(zo). One division serves all: it costs as much as ten products."""
    ni, di = tanh(half * zi)
    nf, df = tanh(half * zf)
    ng, dg = tanh(zg)
    no, do = tanh(half * zo)
    dif, dgo = di * df, dg * do
    inverse = (half + half) / (dif * dgo)
    inverse_if, inverse_go = inverse * dgo, inverse * dif
    i = half + half * (ni * df * inverse_if)
    f = half + half * (nf * di * inverse_if)
    g = ng * do * inverse_go
    o = half + half * (no * dg * inverse_go)
    return i, f, g, o


# ------------------------------------------------------------------------------------------ one tile of one layer


@jit
def _forward_tile(z, b, c, h_new, c_new, start):
    """The columns of h_new and c_new from `start` on, from the gates' arguments z + b, z (4·hidden, n)."""
    wide_vectors()
    hidden, n = c.shape[0], z.shape[1]
    half = z.dtype.type(0.5)  # a Python float would turn float32 arithmetic into float64
    for u in range(hidden):
        zi, zf, zg, zo = z[u], z[hidden + u], z[2 * hidden + u], z[3 * hidden + u]
        bi, bf, bg, bo = b[0, u, 0], b[1, u, 0], b[2, u, 0], b[3, u, 0]
        c_old, c_out, h_out = c[u, start : start + n], c_new[u, start : start + n], h_new[u, start : start + n]
        prefetch(c[u, start + n : start + 2 * n])
        for t in range(n):
            i, f, g, o = _gates(zi[t] + bi, zf[t] + bf, zg[t] + bg, zo[t] + bo, half)
            cell = f * c_old[t] + i * g
            p, q = tanh(cell)
            c_out[t] = cell
            h_out[t] = o * p / q


@jit
def _backward_tile(z, b, c, dh_new, dc_new, above, dc, db, start):
    """Replaces z by its cotangent, fills the columns of dc from `start` on, and adds to db.

    The cotangent of the new h has two parts: dh_new from the next step, and above (hidden, n) from the next layer.
    """
    wide_vectors()
    hidden, n = c.shape[0], z.shape[1]
    half, one = z.dtype.type(0.5), z.dtype.type(1)
    for u in range(hidden):
        zi, zf, zg, zo = z[u], z[hidden + u], z[2 * hidden + u], z[3 * hidden + u]
        bi, bf, bg, bo = b[0, u, 0], b[1, u, 0], b[2, u, 0], b[3, u, 0]
        c_old, dc_out = c[u, start : start + n], dc[u, start : start + n]
        dh_in, dc_in = dh_new[u, start : start + n], dc_new[u, start : start + n]
        prefetch(c[u, start + n : start + 2 * n])
        prefetch(dh_new[u, start + n : start + 2 * n])
        prefetch(dc_new[u, start + n : start + 2 * n])
        sum_i = sum_f = sum_g = sum_o = one - one
        for t in range(n):
            i, f, g, o = _gates(zi[t] + bi, zf[t] + bf, zg[t] + bg, zo[t] + bo, half)
            p, q = tanh(f * c_old[t] + i * g)
            y = p / q
            dh = dh_in[t] + above[u, t]
            dcell = dc_in[t] + dh * o * (one - y * y)
            dzi, dzf = dcell * g * (i - i * i), dcell * c_old[t] * (f - f * f)
            dzg, dzo = dcell * i * (one - g * g), dh * y * (o - o * o)
            zi[t], zf[t], zg[t], zo[t] = dzi, dzf, dzg, dzo
            dc_out[t] = dcell * f
            sum_i += dzi
            sum_f += dzf
            sum_g += dzg
            sum_o += dzo
        db[0, u, 0] += sum_i
        db[1, u, 0] += sum_f
        db[2, u, 0] += sum_g
        db[3, u, 0] += sum_o


@jit
def _copy(rows, n, target, row, column, source, source_row, source_column):
    """A block (rows, n) of source into target. Numba turns an assignment between slices into scalar moves, this not.

    Here and in the two functions above, the same rows of the next tile are asked for one tile ahead: each lies in a
    page of memory of its own, which the processor does not foresee. That is worth an eighth of the time.
    """
    for k in range(rows):
        to = target[row + k, column : column + n]
        of = source[source_row + k, source_column : source_column + n]
        prefetch(source[source_row + k, source_column + n : source_column + 2 * n])
        for t in range(n):
            to[t] = of[t]


@jit
def _matrix(buffer, rows, columns):
    """The beginning of a flat buffer as a contiguous matrix, which is what BLAS wants."""
    return buffer[: rows * columns].reshape(rows, columns)


# ------------------------------------------------------------------------------------------ one chunk of tiles


@jit
def _buffer(W, n):
    """Room for the gates, or the inputs, of n coordinates in any layer."""
    widest = 0
    for layer in range(len(W)):
        widest = max(widest, 4 * W[layer].shape[1], W[layer].shape[2])
    return np.empty(widest * n, W[0].dtype)


@jit
def _gate_arguments(W, below, h, inputs, z, start):
    """inputs = [below; h] in the columns of a tile from `start` on, and z = W inputs, without the bias."""
    n = z.shape[1]
    _copy(len(below), n, inputs, 0, 0, below, 0, start)
    _copy(len(h), n, inputs, len(below), 0, h, 0, start)
    np.dot(W.reshape(len(z), len(inputs)), inputs, z)


@jit
def _read_out(v, e, h_new, y, start, n):
    """The columns of y = v·h_new + e from `start` on."""
    wide_vectors()
    out = y[start : start + n]
    out[:] = e[0, 0]
    for u in range(len(h_new)):
        row = h_new[u, start : start + n]
        for t in range(n):
            out[t] += v[0, u] * row[t]


@jit
def _read_out_back(v, h_new, dy, above, dv, de, start):
    """The read-out's part of the cotangent of h_new, above (hidden, n), and its shares of dv and de."""
    wide_vectors()
    n = above.shape[1]
    g = dy[start : start + n]
    for u in range(len(h_new)):
        row = h_new[u, start : start + n]
        total = v[0, u] - v[0, u]
        for t in range(n):
            above[u, t] = v[0, u] * g[t]
            total += g[t] * row[t]
        dv[0, u] += total
    for t in range(n):
        de[0, 0] += g[t]


@jit(entry=True)
def _forward_chunk(first, last, x, v, e, W, b, h, c, y, h_new, c_new):
    width = min(TILE, last - first)
    z_buffer, input_buffer = _buffer(W, width), _buffer(W, width)
    for start in range(first, last, TILE):
        n = min(TILE, last - start)
        for layer in range(len(W)):
            _, hidden, columns = W[layer].shape
            z, inputs = _matrix(z_buffer, 4 * hidden, n), _matrix(input_buffer, columns, n)
            _gate_arguments(W[layer], h_new[layer - 1] if layer else x, h[layer], inputs, z, start)
            _forward_tile(z, b[layer], c[layer], h_new[layer], c_new[layer], start)
        _read_out(v, e, h_new[-1], y, start, n)


@jit(entry=True)
def _backward_chunk(k, first, last, x, v, W, b, h, c, h_new, dy, dh_new, dc_new, dx, dv, de, dW, db, dh, dc):
    """The columns first to last of dx, dh and dc, and their part k of the sums dv, de, dW and db."""
    width = min(TILE, last - first)
    z_buffer, input_buffer, above_buffer = _buffer(W, width), _buffer(W, width), _buffer(W, width)
    for start in range(first, last, TILE):
        n = min(TILE, last - start)
        above = _matrix(above_buffer, v.size, n)
        _read_out_back(v, h_new[-1], dy, above, dv[k], de[k], start)
        for layer in range(len(W) - 1, -1, -1):
            _, hidden, columns = W[layer].shape
            below = columns - hidden
            z, inputs = _matrix(z_buffer, 4 * hidden, n), _matrix(input_buffer, columns, n)
            _gate_arguments(W[layer], h_new[layer - 1] if layer else x, h[layer], inputs, z, start)
            _backward_tile(z, b[layer], c[layer], dh_new[layer], dc_new[layer], above, dc[layer], db[layer][k], start)
            dweights = np.empty((4 * hidden, columns), x.dtype)
            np.dot(z, inputs.T, dweights)
            total, part = dW[layer][k].reshape(-1), dweights.reshape(-1)
            for t in range(total.size):
                total[t] += part[t]
            np.dot(W[layer].reshape(4 * hidden, columns).T, z, inputs)  # which become their cotangent
            _copy(hidden, n, dh[layer], 0, start, inputs, below, 0)
            above = _matrix(above_buffer, below, n)
            _copy(below, n, above, 0, 0, inputs, 0, 0)
        if len(dx):
            _copy(len(dx), n, dx, 0, start, above, 0, 0)


# ------------------------------------------------------------------------------------------ all chunks


@jit(parallel=True, entry=True)
def _forward_chunks(size, x, v, e, W, b, h, c, y, h_new, c_new):
    P = x.shape[1]
    for k in prange((P + size - 1) // size):
        _forward_chunk(k * size, min(P, (k + 1) * size), x, v, e, W, b, h, c, y, h_new, c_new)


@jit(parallel=True, entry=True)
def _backward_chunks(size, x, v, W, b, h, c, h_new, dy, dh_new, dc_new, dx, dv, de, dW, db, dh, dc):
    P = x.shape[1]
    for k in prange((P + size - 1) // size):
        first, last = k * size, min(P, (k + 1) * size)
        _backward_chunk(k, first, last, x, v, W, b, h, c, h_new, dy, dh_new, dc_new, dx, dv, de, dW, db, dh, dc)


def _chunk_size(P):
    """Coordinates per chunk: a function of P alone, and so are the partial sums. More threads change no bit.

    Few coordinates make an even number of equal chunks, a tile each at most; many make CHUNKS of several tiles.
    """
    if P <= TILE:
        return TILE
    if P > TILE * CHUNKS:
        return -(-P // (TILE * CHUNKS)) * TILE
    chunks = 2 * -(-P // (2 * TILE))
    return -(-P // (16 * chunks)) * 16


def _state_like(h, c):
    """Room for a new h and c. One array for all: from 4 MB on, NumPy asks for huge pages, which are filled faster."""
    ends = [0, *itertools.accumulate(map(len, h + c))]
    rows = np.empty((ends[-1], h[0].shape[1]), h[0].dtype)
    parts = tuple([rows[start:end] for start, end in itertools.pairwise(ends)])
    return parts[: len(h)], parts[len(h) :]


def forward(x, v, e, W, b, h, c):
    """y, the new h and the new c: fresh arrays, the last two in tuples. Up to TILE coordinates take one thread."""
    if not enabled:
        return forward_reference(x, v, e, W, b, h, c)
    keep_scipy_to_one_thread()
    P = x.shape[1]
    y, (h_new, c_new) = np.empty(P, x.dtype), _state_like(h, c)
    size = _chunk_size(P)
    if size >= P:
        _forward_chunk(0, P, x, v, e, W, b, h, c, y, h_new, c_new)
    else:
        _forward_chunks(size, x, v, e, W, b, h, c, y, h_new, c_new)
    return y, h_new, c_new


def backward(x, v, e, W, b, h, c, h_new, dy, dh_new, dc_new, input_gradient):
    """The cotangents of forward's arguments, in their order and in fresh arrays, given those of its results.

    h_new is forward's second result. dx is empty, (0, P), unless input_gradient. The sums over coordinates in dv, de,
    dW and db are taken in the same order whatever the number of threads.
    """
    if not enabled:
        return backward_reference(x, v, e, W, b, h, c, h_new, dy, dh_new, dc_new, input_gradient)
    keep_scipy_to_one_thread()
    P = x.shape[1]
    size = _chunk_size(P)
    chunks = max(1, -(-P // size))
    dx = np.empty((len(x) if input_gradient else 0, P), x.dtype)
    dh, dc = _state_like(h, c)
    (dv, de), dW, db = (tuple([np.zeros((chunks, *a.shape), a.dtype) for a in arrays]) for arrays in ((v, e), W, b))
    if size >= P:
        _backward_chunk(0, 0, P, x, v, W, b, h, c, h_new, dy, dh_new, dc_new, dx, dv, de, dW, db, dh, dc)
    else:
        _backward_chunks(size, x, v, W, b, h, c, h_new, dy, dh_new, dc_new, dx, dv, de, dW, db, dh, dc)
    return dx, _total(dv), _total(de), tuple(map(_total, dW)), tuple(map(_total, db)), dh, dc


def _total(parts):
    return parts[0] if len(parts) == 1 else parts.sum(0)


# ------------------------------------------------------------------------------------------ the same in plain NumPy


def _gates_reference(x, h, W, b):
    i, f, g, o = W @ np.concatenate([x, h]) + b
    i, f, o = (0.5 + 0.5 * np.tanh(0.5 * k) for k in (i, f, o))
    return i, f, np.tanh(g), o


def forward_reference(x, v, e, W, b, h, c):
    """What `forward` computes, in plain NumPy with its exact tanh."""
    h_new, c_new = [], []
    for k in range(len(W)):
        i, f, g, o = _gates_reference(x, h[k], W[k], b[k])
        c_new.append(f * c[k] + i * g)
        x = o * np.tanh(c_new[k])
        h_new.append(x)
    return (v @ x + e)[0], tuple(h_new), tuple(c_new)


def backward_reference(x, v, e, W, b, h, c, h_new, dy, dh_new, dc_new, input_gradient):
    """What `backward` computes, in plain NumPy with its exact tanh."""
    above, found = v.T * dy, []
    for k in reversed(range(len(W))):
        inputs = h_new[k - 1] if k else x
        i, f, g, o = _gates_reference(inputs, h[k], W[k], b[k])
        y = np.tanh(f * c[k] + i * g)
        dh = dh_new[k] + above
        dcell = dc_new[k] + dh * o * (1 - y * y)
        dz = dcell * g * (i - i * i), dcell * c[k] * (f - f * f), dcell * i * (1 - g * g), dh * y * (o - o * o)
        both = np.concatenate([inputs, h[k]])
        above, dh = np.split(sum(W[k][j].T @ dz[j] for j in range(4)), [len(inputs)])
        found.append((np.stack(dz) @ both.T, np.stack(dz).sum(2, keepdims=True), dh, dcell * f))
    dx = above if input_gradient else above[:0]
    return dx, (h_new[-1] @ dy)[None], dy.sum().reshape(1, 1), *zip(*reversed(found), strict=True)
