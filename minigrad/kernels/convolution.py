"""Convolution of a batch of images: the three derivatives of one trilinear form.

    T(x, w, g) = Σ g[n, f, i, j] · w[f, c, k, l] · x̄[n, c, i·s + k, j·t + l]       x̄: x with zeros around it

over all indices. `correlate` is ∂T/∂g (the convolution), `input_gradient` is ∂T/∂x (its transpose), `weight_gradient`
is ∂T/∂w.
Shapes: x (n, channels, height, width), w (filters, channels, kh, kw), g (n, filters, rows, columns). stride (s, t) is a
pair, padding a pair (before, after) for the vertical axis and one for the horizontal.

The kernels do stride 1, without a matrix of windows. Lay the rows of a padded image end to end, `pitch` apart: then the
elements that the tap (c, k, l) of a filter meets, for all places (i, j) at once, are one slice of that vector,

    y[f, ·] = Σ w[f, tap] · flat[offset[tap] + ·]        offset = (c, k, l) in the flat image,

and a convolution is a product of matrices whose second one is never built: its rows are slices of one vector. The zeros
to the right of a row serve as those to the left of the next. A place (i, j ≥ columns) meets two rows, and is dropped.
0 · NaN is NaN: these zeros spread what is not finite to some elements of a gradient that the definition leaves finite.
"""

import numpy as np

from minigrad.kernels._jit import enabled, jit, prange, usual

BAND = 1024  # elements of one filter's result that are summed up together: 4 filters and 4 slices then fit the L1 cache
PARTS = 8  # partial sums of weight_gradient: constant, so that rounding does not depend on the number of threads
SMALL = 2**18  # multiply-adds, or elements moved, below which one thread is faster than several


def correlate(x, w, bias, stride, padding):
    """∂T/∂g (n, filters, rows, columns), plus a bias (filters,) unless it is None."""
    if not _has_kernel(x, w, stride):
        y = correlate_numpy(x, w, stride, padding)
        return y if bias is None else y + bias[:, None, None]
    filters = len(w)
    flat, offsets, pitch, (rows, columns) = _flatten(x, w.shape[2:], padding)
    taps = np.zeros((_fours(filters), len(offsets)), w.dtype)
    taps[:filters, : w[0].size] = w.reshape(filters, -1)
    start = np.zeros(_fours(filters), w.dtype)
    if bias is not None:
        start[:filters] = bias
    y = np.empty((len(x), filters, rows, columns), x.dtype)
    _correlate(flat, offsets, taps, start, pitch, y)
    return y


def input_gradient(g, w, size, stride, padding):
    """∂T/∂x (n, channels, *size): for stride 1 the convolution of g with the filters turned by 180°."""
    borders = tuple((k - 1 - before, k - 1 - after) for k, (before, after) in zip(w.shape[2:], padding, strict=True))
    if not _has_kernel(g, w, stride) or min(map(min, borders)) < 0:
        return input_gradient_numpy(g, w, size, stride, padding)
    return correlate(g, w[:, :, ::-1, ::-1].swapaxes(0, 1), None, stride, borders)


def weight_gradient(x, g, size, stride, padding):
    """∂T/∂w (filters, channels, *size)."""
    if not _has_kernel(x, g, stride):
        return weight_gradient_numpy(x, g, size, stride, padding)
    n, filters = g.shape[:2]
    flat, offsets, pitch, _ = _flatten(x, size, padding)
    partial_sums = np.zeros((min(n, PARTS), _fours(filters), len(offsets)), g.dtype)
    _weight_gradient(flat, offsets, np.ascontiguousarray(g), pitch, partial_sums)
    shape = (filters, x.shape[1], *size)
    return partial_sums.sum(0)[:filters, : np.prod(shape[1:])].reshape(shape)


def _has_kernel(x, y, stride):
    return enabled and stride == (1, 1) and usual(x, y) and x.dtype == y.dtype and x.size > 0 < y.size


def _fours(n):
    """n, rounded up to a multiple of 4."""
    return -(-n // 4) * 4


def _flatten(x, size, padding):
    """The images laid out as vectors (n, length), the offset of each tap there, the pitch, and (rows, columns).

    Taps are filled up to a multiple of 4 with ones that meet only the zeros at the end.
    """
    n, channels, height, width = x.shape
    (kh, kw), ((top, bottom), (left, right)) = size, padding
    rows, columns = top + height + bottom - kh + 1, left + width + right - kw + 1
    pitch = max(width + max(left, right), columns)
    step = (top + height + bottom) * pitch + kw + left  # from one channel to the next
    flat = np.empty((n, channels * step + rows * pitch), x.dtype)
    _lay_out(np.ascontiguousarray(x), left + top * pitch, step, pitch, flat)
    c, k, i = np.ogrid[:channels, :kh, :kw]
    offsets = np.full(_fours(channels * kh * kw), channels * step)
    offsets[: channels * kh * kw] = (c * step + k * pitch + i).ravel()
    return flat, offsets, pitch, (rows, columns)


@jit
def _lay_out_image(x, start, step, pitch, flat):
    channels, height, width = x.shape
    flat[:] = 0.0
    for c in range(channels):
        for i in range(height):
            row = start + c * step + i * pitch
            for j in range(width):
                flat[row + j] = x[c, i, j]


@jit(parallel=True, entry=True)
def _lay_out(x, start, step, pitch, flat):
    """x[n, c, i, j] at flat[n, start + c·step + i·pitch + j], and zeros elsewhere."""
    if flat.size < SMALL:
        for n in range(len(x)):
            _lay_out_image(x[n], start, step, pitch, flat[n])
    else:
        for n in prange(len(x)):
            _lay_out_image(x[n], start, step, pitch, flat[n])


@jit
def _add_products(sums, taps, flat, offsets):
    """sums[f] += Σ taps[f, t] · flat[offsets[t] + ·] for four filters, four taps at a time."""
    a, b, c, d = sums
    m = len(a)
    for t in range(0, len(offsets), 4):
        p, q = flat[offsets[t] :][:m], flat[offsets[t + 1] :][:m]
        r, s = flat[offsets[t + 2] :][:m], flat[offsets[t + 3] :][:m]
        a0, a1, a2, a3 = taps[0, t], taps[0, t + 1], taps[0, t + 2], taps[0, t + 3]
        b0, b1, b2, b3 = taps[1, t], taps[1, t + 1], taps[1, t + 2], taps[1, t + 3]
        c0, c1, c2, c3 = taps[2, t], taps[2, t + 1], taps[2, t + 2], taps[2, t + 3]
        d0, d1, d2, d3 = taps[3, t], taps[3, t + 1], taps[3, t + 2], taps[3, t + 3]
        for j in range(m):
            a[j] += a0 * p[j] + a1 * q[j] + a2 * r[j] + a3 * s[j]
            b[j] += b0 * p[j] + b1 * q[j] + b2 * r[j] + b3 * s[j]
            c[j] += c0 * p[j] + c1 * q[j] + c2 * r[j] + c3 * s[j]
            d[j] += d0 * p[j] + d1 * q[j] + d2 * r[j] + d3 * s[j]


@jit
def _correlate_filters(flat, offsets, taps, bias, pitch, y):
    """Up to four filters of one image, band by band of `height` rows."""
    filters, rows, columns = y.shape
    height = max(1, BAND // pitch)
    sums = np.empty((4, max(BAND, pitch) + 288), flat.dtype)  # 288: rows about 4 KiB apart would slow each other down
    for top in range(0, rows, height):
        m = min(height, rows - top) * pitch
        for k in range(4):
            sums[k, :m] = bias[k]
        abcd = (sums[0, :m], sums[1, :m], sums[2, :m], sums[3, :m])
        _add_products(abcd, taps, flat[top * pitch :], offsets)
        for k in range(filters):
            for i in range(m // pitch):
                for j in range(columns):
                    y[k, top + i, j] = sums[k, i * pitch + j]


@jit(parallel=True, entry=True)
def _correlate(flat, offsets, taps, bias, pitch, y):
    blocks = len(taps) // 4
    tasks = len(y) * blocks
    if y.size * len(offsets) < SMALL:
        for task in range(tasks):
            n, f = task // blocks, 4 * (task % blocks)
            _correlate_filters(flat[n], offsets, taps[f : f + 4], bias[f : f + 4], pitch, y[n, f : f + 4])
    else:
        for task in prange(tasks):
            n, f = task // blocks, 4 * (task % blocks)
            _correlate_filters(flat[n], offsets, taps[f : f + 4], bias[f : f + 4], pitch, y[n, f : f + 4])


@jit
def _add_weight_gradients(totals, g, flat, offsets):
    """totals[f, t] += g[f] · flat[offsets[t] + ·] for four rows of g, four taps at a time."""
    a, b, c, d = g
    m = len(a)
    for t in range(0, len(offsets), 4):
        p, q = flat[offsets[t] :][:m], flat[offsets[t + 1] :][:m]
        r, s = flat[offsets[t + 2] :][:m], flat[offsets[t + 3] :][:m]
        a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = c0 = c1 = c2 = c3 = d0 = d1 = d2 = d3 = a.dtype.type(0)
        for j in range(m):
            a0 += a[j] * p[j]
            a1 += a[j] * q[j]
            a2 += a[j] * r[j]
            a3 += a[j] * s[j]
            b0 += b[j] * p[j]
            b1 += b[j] * q[j]
            b2 += b[j] * r[j]
            b3 += b[j] * s[j]
            c0 += c[j] * p[j]
            c1 += c[j] * q[j]
            c2 += c[j] * r[j]
            c3 += c[j] * s[j]
            d0 += d[j] * p[j]
            d1 += d[j] * q[j]
            d2 += d[j] * r[j]
            d3 += d[j] * s[j]
        totals[0, t] += a0
        totals[0, t + 1] += a1
        totals[0, t + 2] += a2
        totals[0, t + 3] += a3
        totals[1, t] += b0
        totals[1, t + 1] += b1
        totals[1, t + 2] += b2
        totals[1, t + 3] += b3
        totals[2, t] += c0
        totals[2, t + 1] += c1
        totals[2, t + 2] += c2
        totals[2, t + 3] += c3
        totals[3, t] += d0
        totals[3, t + 1] += d1
        totals[3, t + 2] += d2
        totals[3, t + 3] += d3


@jit
def _weight_gradient_filters(flat, offsets, g, f, pitch, totals):
    """totals[k, t] += g[n, f + k] · flat[n, offsets[t] + ·] for up to four filters, all images n and all taps t."""
    images, filters, rows, columns = g.shape
    laid_out = np.zeros((4, rows * pitch), g.dtype)  # like the images: rows `pitch` apart, and zeros between them
    for n in range(images):
        for k in range(min(4, filters - f)):
            for i in range(rows):
                for j in range(columns):
                    laid_out[k, i * pitch + j] = g[n, f + k, i, j]
        for start in range(0, rows * pitch, BAND):
            stop = min(start + BAND, rows * pitch)
            a, b, c, d = laid_out[0], laid_out[1], laid_out[2], laid_out[3]
            abcd = (a[start:stop], b[start:stop], c[start:stop], d[start:stop])
            _add_weight_gradients(totals, abcd, flat[n, start:], offsets)


@jit(parallel=True, entry=True)
def _weight_gradient(flat, offsets, g, pitch, partial_sums):
    n, (parts, filters, _) = len(g), partial_sums.shape
    tasks = parts * (filters // 4)
    if g.size * len(offsets) < SMALL:
        for task in range(tasks):
            part, f = task % parts, 4 * (task // parts)
            images = slice(part * n // parts, (part + 1) * n // parts)
            _weight_gradient_filters(flat[images], offsets, g[images], f, pitch, partial_sums[part, f : f + 4])
    else:
        for task in prange(tasks):
            part, f = task % parts, 4 * (task // parts)
            images = slice(part * n // parts, (part + 1) * n // parts)
            _weight_gradient_filters(flat[images], offsets, g[images], f, pitch, partial_sums[part, f : f + 4])


def _windows(x, size, stride, padding):
    """A view (n, channels, rows, columns, kh, kw) of every window of the padded images."""
    padded = np.pad(x, ((0, 0), (0, 0), *padding))
    windows = np.lib.stride_tricks.sliding_window_view(padded, size, axis=(2, 3))
    return windows[:, :, :: stride[0], :: stride[1]]


def correlate_numpy(x, w, stride, padding):
    windows = _windows(x, w.shape[2:], stride, padding)
    return np.moveaxis(np.tensordot(windows, w, ((1, 4, 5), (1, 2, 3))), -1, 1)


def weight_gradient_numpy(x, g, size, stride, padding):
    windows = _windows(x, size, stride, padding)
    return np.tensordot(g, windows, ((0, 2, 3), (0, 2, 3)))


def input_gradient_numpy(g, w, size, stride, padding):
    (top, bottom), (left, right) = padding
    height, width = size
    rows, columns = g.shape[2:]
    shares = np.tensordot(w, g, (0, 1))  # (channels, kh, kw, n, rows, columns)
    y = np.zeros((w.shape[1], g.shape[0], top + height + bottom, left + width + right), shares.dtype)
    for i, j in np.ndindex(w.shape[2:]):
        y[:, :, i : i + stride[0] * rows : stride[0], j : j + stride[1] * columns : stride[1]] += shares[:, i, j]
    return np.moveaxis(y[:, :, top : top + height, left : left + width], 0, 1)
