"""First-order primitives that run compiled kernels: fast, and differentiable once.

`lstm` computes the same as `layers.lstm`, which is the readable reference.
"""

import functools

import numpy as np

from minigrad import tree
from minigrad.core import Var, traced
from minigrad.kernels import lstm as kernel
from minigrad.kernels.lstm_compiled import Arguments, State, Weights
from minigrad.structure import Array, Tree


def lstm(weights: Tree, x: Array, state: Tree) -> tuple[Array, list[tuple[Array, Array]]]:
    """One step of a stack of LSTM layers and its read-out: `layers.lstm`, with the same result up to rounding.

    weights: "layers", a list of {"W": (4, hidden, inputs + hidden), "b": (4, hidden, 1)}, and "output", {"W": (1,
    hidden), "b": (1, 1)}. x: (inputs, n). state: a pair (h, c) of (hidden, n) for each layer. Returns y (n,) and the
    new state, a list of pairs.

    All arrays are float32 or all float64. In float32, tanh is the rational approximation of `kernels.lstm_compiled`. A
    tape keeps the arguments and the new state but no gates: backward recomputes them.

    Raises ValueError where shapes do not fit, TypeError where dtypes do not, and SecondDerivativeError, at the call,
    where two nested derivatives watch the arguments.
    """
    layers, read_out = weights["layers"], weights["output"]
    if len(layers) != len(state):
        raise ValueError(f"fused.lstm: the argument state has {len(state)} pairs (h, c), weights {len(layers)} layers")
    W, b = (tuple([layer[name] for layer in layers]) for name in ("W", "b"))
    h, c = (tuple([pair[k] for pair in state]) for k in (0, 1))
    arguments = Arguments(Weights(W, b, read_out["W"], read_out["b"]), x, State(h, c))
    y, *new = lstm_step(*_leaves(arguments), layers=len(W), input_gradient=type(x) is Var)
    _, rebuild_state = _rebuilds(len(W))
    return y, list(zip(*rebuild_state(new), strict=True))


# ------------------------------------------------------------------------------------------ the primitive
#
# Its arguments are the leaves of `Arguments`, and its results y and the leaves of the new `State`. One kernel computes
# the cotangents of all arguments in one go.


def _leaves(arguments):
    """What tree.flatten would give as the leaves, but in a tenth of the time, which small problems notice."""
    (W, b, v, e), x, (h, c) = arguments
    return *W, *b, v, e, x, *h, *c


@functools.cache
def _rebuilds(layers):
    """The functions that make Arguments, and State, of their leaves."""
    one = np.zeros(())
    each = (one,) * layers
    arguments = Arguments(Weights(each, each, one, one), one, State(each, each))
    return tree.flatten(arguments)[1], tree.flatten(arguments.state)[1]


def _lstm_step(*arrays, layers, input_gradient):
    """`lstm` as a function of arrays.

    Use layers.lstm, or the optimizer LSTM(fused=False), or minigrad.stop_gradient on an argument.
    """
    rebuild, _ = _rebuilds(layers)
    arguments = rebuild(map(np.ascontiguousarray, arrays))
    _check(arguments, {array.dtype for array in arrays})
    y, new = kernel.forward(arguments)
    return y, *new.h, *new.c


def _rule(results, *arrays, layers, input_gradient):
    rebuild, rebuild_state = _rebuilds(layers)
    arguments, h_new = rebuild(map(np.ascontiguousarray, arrays)), rebuild_state(results[1:]).h

    def back(cotangents):
        dy, *dnew = map(np.ascontiguousarray, cotangents)
        return _leaves(kernel.backward(arguments, h_new, dy, rebuild_state(dnew), input_gradient))

    return back


lstm_step = traced(_lstm_step, _rule, order=1, several=True)


_DTYPES = {np.dtype(np.float32), np.dtype(np.float64)}


def _check(arguments, dtypes):
    """Compiled code does not check bounds: no array of a wrong shape may reach it."""
    (W, b, v, e), x, (h, c) = arguments
    if len(dtypes) != 1 or not dtypes <= _DTYPES:
        found = sorted(map(str, dtypes))
        raise TypeError(f"fused.lstm takes arrays of one dtype, float32 or float64, not {found}: use astype")
    below, *n = x.shape
    for k in range(len(W)):
        hidden = h[k].shape[0] if h[k].ndim else 0
        found = W[k].shape, b[k].shape, h[k].shape, c[k].shape
        expected = (4, hidden, below + hidden), (4, hidden, 1), (hidden, *n), (hidden, *n)
        if found != expected or len(n) != 1:
            raise ValueError(f"fused.lstm, layer {k}: W, b, h and c have shapes {found}, not {expected}")
        below = hidden
    if v.shape != (1, below) or e.shape != (1, 1):
        raise ValueError(f"fused.lstm: the read-out has shapes {v.shape} and {e.shape}, not (1, {below}) and (1, 1)")
