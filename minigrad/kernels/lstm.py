"""One step of a stack of LSTM layers and its read-out over many coordinates, forward and backward.

The formulas are those of `layers.lstm`. The work is done by lstm_compiled.py, or without Numba by lstm_numpy.py.

All arrays are float32 or all float64, C-contiguous and of fitting shapes; `fused.lstm` sees to that, and compiled code
does not check. In names, d stands for the cotangent of what follows.
"""

import itertools

import numpy as np

from minigrad.kernels import lstm_compiled as compiled
from minigrad.kernels import lstm_numpy
from minigrad.kernels._jit import enabled
from minigrad.kernels.lstm_compiled import Arguments, State, Weights
from minigrad.threads import keep_scipy_to_one_thread

CHUNKS = 32  # at most. A chunk of tiles is the unit of parallel work, and has its own sums of weight gradients


def _chunk_size(P):
    """Coordinates per chunk. It depends on P only, and so do the partial sums: the number of threads changes no bit.

    Few coordinates are divided into an even number of equal chunks of at most a tile, many into CHUNKS of several
    tiles.
    """
    if P <= compiled.TILE:
        return compiled.TILE
    if P > compiled.TILE * CHUNKS:
        return -(-P // (compiled.TILE * CHUNKS)) * compiled.TILE
    chunks = 2 * -(-P // (2 * compiled.TILE))
    return -(-P // (16 * chunks)) * 16


def _room(state):
    """Room for a state like this. In one array: from 4 MB on, NumPy asks for huge pages, which are filled faster."""
    ends = [0, *itertools.accumulate(map(len, state.h + state.c))]
    rows = np.empty((ends[-1], state.h[0].shape[1]), state.h[0].dtype)
    parts = tuple([rows[start:end] for start, end in itertools.pairwise(ends)])
    return State(parts[: len(state.h)], parts[len(state.h) :])


def forward(arguments: Arguments) -> tuple[np.ndarray, State]:
    """y (P,) and the new state, in fresh arrays. Up to TILE coordinates take one thread."""
    if not enabled:
        return lstm_numpy.forward(arguments)
    keep_scipy_to_one_thread()
    P = arguments.x.shape[1]
    y, new = np.empty(P, arguments.x.dtype), _room(arguments.state)
    size = _chunk_size(P)
    if size >= P:
        compiled.forward_chunk(0, P, arguments, y, new)
    else:
        compiled.forward_chunks(size, arguments, y, new)
    return y, new


def backward(arguments: Arguments, h_new, dy: np.ndarray, dnew: State, input_gradient: bool) -> Arguments:
    """The cotangents of forward's arguments, in fresh arrays, given those of its results.

    h_new is the new state's h. The cotangent of x is empty, (0, P), unless input_gradient. Sums over coordinates are
    taken in the same order whatever the number of threads.
    """
    if not enabled:
        return lstm_numpy.backward(arguments, h_new, dy, dnew, input_gradient)
    keep_scipy_to_one_thread()
    weights, x, state = arguments
    P = x.shape[1]
    size = _chunk_size(P)
    parts = max(1, -(-P // size))
    sums = _each(lambda weight: np.zeros((parts, *weight.shape), weight.dtype), weights)
    found = Arguments(sums, np.empty((len(x) if input_gradient else 0, P), x.dtype), _room(state))
    if size >= P:
        compiled.backward_chunk(0, 0, P, arguments, h_new, dy, dnew, found)
    else:
        compiled.backward_chunks(size, arguments, h_new, dy, dnew, found)
    total = _each(lambda sums: sums[0] if parts == 1 else sums.sum(0), found.weights)
    return Arguments(total, found.x, found.state)


def _each(f, weights):
    W, b, v, e = weights
    return Weights(tuple(map(f, W)), tuple(map(f, b)), f(v), f(e))
