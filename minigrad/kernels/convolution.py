"""Convolution of a batch of images in NumPy: the three derivatives of one trilinear form.

    T(x, w, g) = Σ g[n, f, i, j] · w[f, c, k, l] · x̄[n, c, i·s + k, j·t + l]       x̄: x with zeros around it

over all indices. `correlate` is ∂T/∂g (the convolution), `spread` is ∂T/∂x (its transpose) and `overlap` is ∂T/∂w.
Shapes: x (n, channels, height, width), w (filters, channels, kh, kw), g (n, filters, rows, columns). stride is a pair,
padding a pair (before, after) for the vertical axis and one for the horizontal.
"""

import numpy as np


def _windows(x, size, stride, padding):
    """A view (n, channels, rows, columns, kh, kw) of every window of the padded images."""
    padded = np.pad(x, ((0, 0), (0, 0), *padding))
    windows = np.lib.stride_tricks.sliding_window_view(padded, size, axis=(2, 3))
    return windows[:, :, :: stride[0], :: stride[1]]


def correlate_numpy(x, w, stride, padding):
    windows = _windows(x, w.shape[2:], stride, padding)
    return np.moveaxis(np.tensordot(windows, w, ((1, 4, 5), (1, 2, 3))), -1, 1)


def overlap_numpy(x, g, size, stride, padding):
    windows = _windows(x, size, stride, padding)
    return np.tensordot(g, windows, ((0, 2, 3), (0, 2, 3)))


def spread_numpy(g, w, size, stride, padding):
    (top, bottom), (left, right) = padding
    height, width = size
    rows, columns = g.shape[2:]
    shares = np.tensordot(w, g, (0, 1))  # (channels, kh, kw, n, rows, columns)
    y = np.zeros((w.shape[1], g.shape[0], top + height + bottom, left + width + right), shares.dtype)
    for i, j in np.ndindex(w.shape[2:]):
        y[:, :, i : i + stride[0] * rows : stride[0], j : j + stride[1] * columns : stride[1]] += shares[:, i, j]
    return np.moveaxis(y[:, :, top : top + height, left : left + width], 0, 1)
