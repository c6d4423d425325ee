"""First-order primitives bound to compiled kernels: differentiable once, and as fast as we could make them.

`lstm_cell` and `lstm` compute what `layers.lstm_cell` does, which stays the readable reference. A primitive of the
engine has one output and a rule for each input, but an LSTM has many outputs, and one kernel computes the cotangents
of all inputs. So arrays travel in a `Bundle`: `_pack` puts them in, `_select` takes one out, and in between the LSTM
is a function of one value.
"""

import numpy as np

from minigrad.core import SecondDerivativeError, Var, traced
from minigrad.ops.elementwise import astype


class Bundle(dict):
    """Arrays by name, recorded as one value. As a cotangent it may be partial: what is absent is zero."""

    shape = dtype = None  # the engine compares a value's with its cotangent's, and finds them equal

    def __add__(self, other):
        shared = {k: self[k] + other[k] for k in self.keys() & other.keys()}
        return Bundle({**self, **other, **shared})


def _bundle(*arrays, names):
    return Bundle(zip(names, arrays, strict=True))


def _item(name):
    return lambda g: g[name]


_pack = traced(_bundle, lambda out, *arrays, names: tuple(map(_item, names)))
_select = traced(lambda bundle, /, *, name: bundle[name], lambda out, bundle, name: lambda g: Bundle({name: g}))


def lstm_cell(weights, x, h, c):
    """One step of one LSTM layer: `layers.lstm_cell`, with the same result up to rounding. See `lstm`."""
    return lstm([weights], x, [(h, c)])[0]


def lstm(layers, x, state):
    """One step of a stack of LSTM layers, each of which reads the new h of the one before it.

    layers: the weights of each, "W", "U" and "b" as in `layers.lstm_cell`. x: (inputs, n). state: a pair (h, c) for
    each layer, (hidden, n) both. Returns the new state, a list of pairs.

    Arrays are converted to their common dtype, float32 or float64. In float32, tanh is the approximation
    described at `kernels.lstm.tanh`. A tape keeps the arguments and the new state but no gates, which backward
    recomputes.

    Raises ValueError where shapes do not fit, TypeError where the common dtype is not float32 or float64, and
    SecondDerivativeError, at the call, where two nested derivatives watch the arguments.
    """
    depth = len(layers)
    arrays = {"x": x}
    for k, (weights, (h, c)) in enumerate(zip(layers, state, strict=True)):
        arrays |= {("h", k): h, ("c", k): c, ("W", k): weights["W"], ("U", k): weights["U"], ("b", k): weights["b"]}
    _check_shapes(arrays, depth)
    dtype = np.result_type(*{a.dtype for a in arrays.values()})
    if dtype not in (np.float32, np.float64):
        raise TypeError(f"fused.lstm works in float32 and float64, not in {dtype}: convert the arguments with astype")
    bundle = _pack(*(a if a.dtype == dtype else astype(a, dtype) for a in arrays.values()), names=tuple(arrays))
    new = _fused_lstm(bundle, depth=depth, input_gradient=type(x) is Var)
    return [(_select(new, name=("h", k)), _select(new, name=("c", k))) for k in range(depth)]


def _check_shapes(arrays, depth):
    """Compiled code does not check bounds: no array of a wrong shape may reach it."""
    below, n = ("x", arrays["x"]), arrays["x"].shape[-1:]
    for k in range(depth):
        hidden, inputs = arrays["h", k].shape[:1], below[1].shape[:1]
        expected = {
            below[0]: inputs + n,
            ("h", k): hidden + n,
            ("c", k): hidden + n,
            ("W", k): (4, *hidden, *inputs),
            ("U", k): (4, *hidden, *hidden),
            ("b", k): (4, *hidden, 1),
        }
        for name, shape in expected.items():
            if arrays[name].shape != shape or len(shape) < 2:
                raise ValueError(f"fused.lstm: {name} has shape {arrays[name].shape}, the others imply {shape}")
        below = ("h", k), arrays["h", k]


def _operands(bundle, depth):
    """x, and as a tuple over the layers each: h, c, A = [W | U] as (4·hidden, inputs + hidden) and b as (4·hidden,)."""
    x = np.ascontiguousarray(bundle["x"])
    h, c = (tuple(np.ascontiguousarray(bundle[name, k]) for k in range(depth)) for name in "hc")
    A = [np.concatenate((bundle["W", k], bundle["U", k]), axis=2) for k in range(depth)]
    b = tuple(bundle["b", k].ravel() for k in range(depth))
    return x, h, c, tuple(a.reshape(-1, a.shape[2]) for a in A), b


def _lstm(bundle, /, *, depth, input_gradient):
    from minigrad.kernels import lstm as kernel

    h_new, c_new = kernel.forward(*_operands(bundle, depth))
    return _by_layer(h=h_new, c=c_new)


def _by_layer(**arrays):
    return Bundle({(name, k): a for name, layers in arrays.items() for k, a in enumerate(layers)})


def _lstm_rule(new, bundle, depth, input_gradient):
    from minigrad.kernels import lstm as kernel

    operands = _operands(bundle, depth)
    h_new = tuple(new["h", k] for k in range(depth))

    def back(g):
        dh_new, dc_new = (tuple(_cotangent(g.get((name, k)), h_new[k]) for k in range(depth)) for name in "hc")
        dx, dh, dc, dA, db = kernel.backward(*operands, h_new, dh_new, dc_new, input_gradient)
        dA = [a.reshape(4, len(h), -1) for a, h in zip(dA, h_new, strict=True)]
        split = [np.split(a, [-a.shape[1]], axis=2) for a in dA]
        dW, dU = zip(*split, strict=True)
        db = [b.reshape(4, -1, 1) for b in db]
        return Bundle({"x": dx}) + _by_layer(h=dh, c=dc, W=dW, U=dU, b=db)

    return back


def _cotangent(g, like):
    if g is None:
        return np.zeros_like(like)
    if type(g) is Var:
        raise SecondDerivativeError(f"fused.lstm has no second derivative: {_INSTEAD}")
    return np.ascontiguousarray(g)


_INSTEAD = "use layers.lstm_cell, or the optimizer LSTM(fused=False), or minigrad.stop_gradient on an argument"
_lstm.__name__, _lstm.__doc__ = "fused.lstm", _INSTEAD  # the engine quotes them when it refuses a second derivative
_fused_lstm = traced(_lstm, _lstm_rule, order=1)
