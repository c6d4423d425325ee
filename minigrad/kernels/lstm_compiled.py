"""The compiled kernels of `kernels.lstm`.

Everything is feature-major, (features, P) for P coordinates. A kernel walks over tiles of coordinates and takes each
one through all layers, so what a layer hands to the next stays in the cache. The products of a tile are BLAS calls
(`np.dot`), near the peak of the machine; what lies between them is one loop, vectorized across coordinates.

Backward needs nothing but the states, which the caller keeps anyway: it recomputes the gates from them. Keeping the
gates instead would take three times the memory, and save a third of backward's products.

In names, d stands for the cotangent of what follows.
"""

import math
from typing import NamedTuple

import numpy as np

from minigrad.kernels._jit import by_precision, jit, prange, prefetch, wide_vectors

TILE = 256  # coordinates: the gates and inputs of a tile fit into a second-level cache

# What a kernel takes is declared here, beside it: Numba's cache would not notice that the fields changed elsewhere.


class Weights(NamedTuple):
    """Those of the layers, the first layer first, and of the read-out y = v h + e of the last layer's new h."""

    W: tuple[np.ndarray, ...]  # (4, hidden, inputs + hidden), the gates in the order i, f, g, o
    b: tuple[np.ndarray, ...]  # (4, hidden, 1)
    v: np.ndarray  # (1, hidden)
    e: np.ndarray  # (1, 1)


class State(NamedTuple):
    h: tuple[np.ndarray, ...]  # (hidden, P), one for each layer
    c: tuple[np.ndarray, ...]


class Arguments(NamedTuple):
    weights: Weights
    x: np.ndarray  # (inputs, P)
    state: State


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
            tanh_c = p / q
            dh = dh_in[t] + above[u, t]
            dcell = dc_in[t] + dh * o * (one - tanh_c * tanh_c)
            dzi, dzf = dcell * g * (i - i * i), dcell * c_old[t] * (f - f * f)
            dzg, dzo = dcell * i * (one - g * g), dh * tanh_c * (o - o * o)
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


# ------------------------------------------------------------------------------------------ chunks of tiles


@jit
def _buffer(W, n):
    """Room for the gates, or the inputs, of n coordinates in any layer."""
    widest = 0
    for k in range(len(W)):
        _, hidden, columns = W[k].shape
        widest = max(widest, 4 * hidden, columns)
    return np.empty(widest * n, W[0].dtype)


@jit
def _gate_arguments(W, below, h, inputs, z, start):
    """inputs = [below; h] in the columns of a tile from `start` on, and z = W inputs, without the bias."""
    n = z.shape[1]
    _copy(len(below), n, inputs, 0, 0, below, 0, start)
    _copy(len(h), n, inputs, len(below), 0, h, 0, start)
    np.dot(W.reshape(len(z), len(inputs)), inputs, z)


@jit
def _read_out(v, e, h, y, start, n):
    """The columns of y = v·h + e from `start` on."""
    wide_vectors()
    out = y[start : start + n]
    out[:] = e[0, 0]
    for u in range(len(h)):
        row = h[u, start : start + n]
        for t in range(n):
            out[t] += v[0, u] * row[t]


@jit
def _add_product(a, b, total):
    """Adds the matrix product a b to total, an array of as many elements."""
    product = np.empty((a.shape[0], b.shape[1]), a.dtype)
    np.dot(a, b, product)
    sums, terms = total.reshape(-1), product.reshape(-1)
    for t in range(sums.size):
        sums[t] += terms[t]


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
def forward_chunk(first, last, arguments, y, new):
    """The columns first to last of y and of the new state."""
    (W, b, v, e), x, (h, c) = arguments
    width = min(TILE, last - first)
    z_buffer, input_buffer = _buffer(W, width), _buffer(W, width)
    for start in range(first, last, TILE):
        n = min(TILE, last - start)
        for k in range(len(W)):
            _, hidden, columns = W[k].shape
            z, inputs = _matrix(z_buffer, 4 * hidden, n), _matrix(input_buffer, columns, n)
            _gate_arguments(W[k], new.h[k - 1] if k else x, h[k], inputs, z, start)
            _forward_tile(z, b[k], c[k], new.h[k], new.c[k], start)
        _read_out(v, e, new.h[-1], y, start, n)


@jit(entry=True)
def backward_chunk(part, first, last, arguments, h_new, dy, dnew, darguments):
    """The columns first to last of dx and of the old state's cotangents, and one part of the sums for the weights.

    In darguments, the weights' arrays have a leading axis, one place for each part.
    """
    (W, b, v, _), x, (h, c) = arguments
    (dW, db, dv, de), dx, (dh, dc) = darguments
    width = min(TILE, last - first)
    z_buffer, input_buffer, above_buffer = _buffer(W, width), _buffer(W, width), _buffer(W, width)
    for start in range(first, last, TILE):
        n = min(TILE, last - start)
        above = _matrix(above_buffer, v.size, n)
        _read_out_back(v, h_new[-1], dy, above, dv[part], de[part], start)
        for k in range(len(W) - 1, -1, -1):
            _, hidden, columns = W[k].shape
            below = columns - hidden
            z, inputs = _matrix(z_buffer, 4 * hidden, n), _matrix(input_buffer, columns, n)
            _gate_arguments(W[k], h_new[k - 1] if k else x, h[k], inputs, z, start)
            _backward_tile(z, b[k], c[k], dnew.h[k], dnew.c[k], above, dc[k], db[k][part], start)
            _add_product(z, inputs.T, dW[k][part])
            np.dot(W[k].reshape(4 * hidden, columns).T, z, inputs)  # which become their cotangent
            _copy(hidden, n, dh[k], 0, start, inputs, below, 0)
            above = _matrix(above_buffer, below, n)
            _copy(below, n, above, 0, 0, inputs, 0, 0)
        if len(dx):
            _copy(len(dx), n, dx, 0, start, above, 0, 0)


# The threads of `prange` take no tuple within a tuple, so here they are unpacked, and packed again inside the loop.


@jit(parallel=True, entry=True)
def forward_chunks(size, arguments, y, new):
    (W, b, v, e), x, (h, c) = arguments
    h_new, c_new = new
    P = x.shape[1]
    for k in prange((P + size - 1) // size):
        inside = Arguments(Weights(W, b, v, e), x, State(h, c))
        forward_chunk(k * size, min(P, (k + 1) * size), inside, y, State(h_new, c_new))


@jit(parallel=True, entry=True)
def backward_chunks(size, arguments, h_new, dy, dnew, darguments):
    (W, b, v, e), x, (h, c) = arguments
    (dW, db, dv, de), dx, (dh, dc) = darguments
    dh_new, dc_new = dnew
    P = x.shape[1]
    for k in prange((P + size - 1) // size):
        inside, found = (
            Arguments(Weights(W, b, v, e), x, State(h, c)),
            Arguments(Weights(dW, db, dv, de), dx, State(dh, dc)),
        )
        backward_chunk(k, k * size, min(P, (k + 1) * size), inside, h_new, dy, State(dh_new, dc_new), found)
