"""Max-pooling in NumPy: one slice of the images for every place of a window, however many windows there are."""

import numpy as np


def largest(x, places):
    """The largest element of every window; places are the indices of the windows' elements in x, in order."""
    y = x[places[0]].copy()
    for place in places[1:]:
        np.maximum(y, x[place], out=y)
    return y


def winners(x, places):
    """Which place holds the largest element, the first where several do."""
    best, y = np.zeros(x[places[0]].shape, np.int32), x[places[0]].copy()
    for k, place in enumerate(places):
        better = x[place] > y
        best[better] = k
        np.maximum(y, x[place], out=y)
    return best


def pick(x, winners, places):
    """The element of every window at the place that winners names."""
    y = np.zeros(winners.shape, x.dtype)
    for k, place in enumerate(places):
        np.copyto(y, x[place], where=winners == k)
    return y


def place(y, winners, shape, places):
    """Zeros with every y added at the place of its window that winners names."""
    x = np.zeros(shape, y.dtype)
    for k, index in enumerate(places):
        x[index] += np.where(winners == k, y, 0)
    return x
