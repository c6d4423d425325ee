"""Max-pooling of images (n, channels, height, width).

window and stride are pairs (vertical, horizontal). The winner of a window is the place of its largest element, counted
in row-major order; a number outside the window picks nothing. NaN counts as the largest of all numbers.
"""

import numpy as np

from minigrad.kernels._jit import enabled, jit, prange, usual

SMALL = 2**18  # elements of the images, below which one thread is faster than several


def windows(shape, window, stride):
    """The shape (n, channels, rows, columns) of one number for every window."""
    return (*shape[:2], *((n - k) // s + 1 for n, k, s in zip(shape[2:], window, stride, strict=True)))


def places(shape, window, stride):
    """For every place (k, l) of a window in row-major order, the index of that place in all windows of an image."""
    counts = windows(shape, window, stride)[2:]
    for corner in np.ndindex(*window):
        spans = zip(corner, stride, counts, strict=True)
        yield (..., *(slice(k, k + s * (n - 1) + 1, s) for k, s, n in spans))


def pick(x, winners, window, stride):
    """The element of every window at its winner."""
    y = np.zeros(winners.shape, x.dtype)
    for k, place in enumerate(places(x.shape, window, stride)):
        np.copyto(y, x[place], where=winners == k)
    return y


def find(x, window, stride):
    """The largest element of every window, and the winners: which it is, the first where several are equal."""
    if not (enabled and usual(x)):
        return find_numpy(x, window, stride)
    shape = windows(x.shape, window, stride)
    y, winners = np.empty(shape, x.dtype), np.empty(shape, np.int32)
    _find(np.ascontiguousarray(x), window, stride, y, winners)
    return y, winners


def place(y, winners, shape, window, stride):
    """Zeros with every y added at its winner."""
    if not (enabled and usual(y)):
        return place_numpy(y, winners, shape, window, stride)
    x = np.empty(shape, y.dtype)
    _place(np.ascontiguousarray(y), np.ascontiguousarray(winners), window, stride, x)
    return x


@jit
def _first_nan(window, best, winner):
    """The first NaN of a window and its place, or the given best and winner. This is a separate search, because another
    comparison for each element would double the time of the search for the largest."""
    for k in range(window.shape[0]):
        for m in range(window.shape[1]):
            if window[k, m] != window[k, m]:
                return window[k, m], k * window.shape[1] + m
    return best, winner


@jit
def _find_in_image(x, window, stride, y, winners):
    channels, rows, columns = winners.shape
    for c in range(channels):
        for i in range(rows):
            for j in range(columns):
                top, left = i * stride[0], j * stride[1]
                best, winner, total = x[c, top, left], 0, x.dtype.type(0)
                for k in range(window[0]):
                    for m in range(window[1]):
                        candidate = x[c, top + k, left + m]
                        total += candidate
                        if candidate > best:
                            best, winner = candidate, k * window[1] + m
                if total != total:  # NaN, or ∞ − ∞
                    best, winner = _first_nan(x[c, top : top + window[0], left : left + window[1]], best, winner)
                y[c, i, j], winners[c, i, j] = best, winner


@jit(parallel=True, entry=True)
def _find(x, window, stride, y, winners):
    if x.size < SMALL:
        for n in range(len(x)):
            _find_in_image(x[n], window, stride, y[n], winners[n])
    else:
        for n in prange(len(x)):
            _find_in_image(x[n], window, stride, y[n], winners[n])


@jit
def _place_in_image(y, winners, window, stride, x):
    height, width = window
    channels, rows, columns = winners.shape
    x[:] = 0.0  # here, and not by np.zeros, whose fresh pages cost more than the rest
    for c in range(channels):
        for i in range(rows):
            for j in range(columns):
                k, m = 0, winners[c, i, j]
                if not 0 <= m < height * width:
                    continue
                while m >= width:  # a division takes longer: windows are small
                    k, m = k + 1, m - width
                x[c, i * stride[0] + k, j * stride[1] + m] += y[c, i, j]


@jit(parallel=True, entry=True)
def _place(y, winners, window, stride, x):
    if x.size < SMALL:
        for n in range(len(x)):
            _place_in_image(y[n], winners[n], window, stride, x[n])
    else:
        for n in prange(len(x)):
            _place_in_image(y[n], winners[n], window, stride, x[n])


def find_numpy(x, window, stride):
    first, *others = places(x.shape, window, stride)
    y = x[first].copy()
    winners = np.zeros(y.shape, np.int32)
    for k, place in enumerate(others, 1):
        winners[(y == y) & ~(x[place] <= y)] = k  # larger, or the first NaN
        np.maximum(y, x[place], out=y)
    return y, winners


def place_numpy(y, winners, shape, window, stride):
    x = np.zeros(shape, y.dtype)
    for k, place in enumerate(places(shape, window, stride)):
        x[place] += np.where(winners == k, y, 0)
    return x
