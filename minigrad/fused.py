"""First-order primitives bound to compiled kernels: differentiable once, and as fast as we could make them.

`lstm` computes what `layers.lstm` does, which stays the readable reference.
"""

import operator

import numpy as np

from minigrad.core import SecondDerivativeError, Var, new_node

# ------------------------------------------------------------------------------------------ several results at once
#
# A primitive of the engine has one result and a rule for each argument. A kernel has many results, and computes the
# cotangents of all its arguments in one go. So its results get nodes of their own, which pass their cotangents on to a
# node for all of them; from there one call of the kernel's pullback leads to a node for all arguments.


class Several(dict):
    """Cotangents by position. What is absent is zero."""

    shape = dtype = None  # the engine compares a node's with its cotangent's, and finds them equal

    def __add__(self, other):
        return Several({**self, **other})  # every result has a node of its own: no position comes twice


def _only(k):
    return lambda g: Several({k: g})


def record_several(name, function, pullback, arguments):
    """The tuple function(*arguments) of arrays, recorded so that one call of a pullback serves all arguments.

    pullback(results, *arguments) returns a function from the results' cotangents, a dict by position, to the sequence
    of the arguments'. Raises SecondDerivativeError, here, where two nested derivatives watch the arguments.
    """
    tapes = [argument.tape for argument in arguments if type(argument) is Var]
    if not tapes:
        return function(*arguments)
    tape = max(tapes, key=operator.attrgetter("level"))
    inner = [a.value if type(a) is Var and a.tape is tape else a for a in arguments]
    _refuse_vars(name, inner)
    results = function(*inner)
    back = pullback(results, *inner)

    def checked(cotangents):
        _refuse_vars(name, cotangents.values())
        return Several(enumerate(back(cotangents)))

    before = new_node(tape, Several)
    for k, argument in enumerate(arguments):
        if type(argument) is Var and argument.tape is tape:
            tape.edges.append((before, argument.node, operator.itemgetter(k)))
    after = new_node(tape, Several)
    tape.edges.append((after, before, checked))
    watched = []
    for k, result in enumerate(results):
        watched.append(Var(result, new_node(tape, result), tape))
        tape.edges.append((watched[-1].node, after, _only(k)))
    return tuple(watched)


def _refuse_vars(name, values):
    if any(type(value) is Var for value in values):
        raise SecondDerivativeError(
            f"fused.{name} has no second derivative: use layers.{name}, or the optimizer LSTM(fused=False), "
            "or minigrad.stop_gradient on an argument"
        )


# ------------------------------------------------------------------------------------------ the LSTM


def lstm(weights, x, state):
    """One step of a stack of LSTM layers and its read-out: `layers.lstm`, with the same result up to rounding.

    weights: "layers", a list of {"W": (4, hidden, inputs + hidden), "b": (4, hidden, 1)}, and "output", {"W": (1,
    hidden), "b": (1, 1)}. x: (inputs, n). state: a pair (h, c) of (hidden, n) for each layer. Returns y (n,) and the
    new state, a list of pairs.

    All arrays are float32 or all float64. In float32, tanh is the rational approximation of `kernels.lstm`. A tape
    keeps the arguments and the new state but no gates: backward recomputes them.

    Raises ValueError where shapes do not fit, TypeError where dtypes do not, and SecondDerivativeError, at the call,
    where two nested derivatives watch the arguments.
    """
    from minigrad.kernels import lstm as kernel

    depth = len(weights["layers"])
    arguments = [x, weights["output"]["W"], weights["output"]["b"]]
    for layer, (h, c) in zip(weights["layers"], state, strict=True):
        arguments += [layer["W"], layer["b"], h, c]
    _check(arguments)
    needs_x = type(x) is Var

    def forward(*arrays):
        y, h, c = kernel.forward(*_operands(arrays))
        return (y, *(array for pair in zip(h, c, strict=True) for array in pair))

    def pullback(results, *arrays):
        def back(g):
            cotangents = [_cotangent(g.get(k), result) for k, result in enumerate(results)]
            dy, dh_new, dc_new = cotangents[0], tuple(cotangents[1::2]), tuple(cotangents[2::2])
            dx, dv, de, dW, db, dh, dc = kernel.backward(*_operands(arrays), results[1::2], dy, dh_new, dc_new, needs_x)
            found = [dx, dv.reshape(1, -1), de.reshape(1, 1)]
            for k in range(depth):
                found += [dW[k].reshape(arrays[3 + 4 * k].shape), db[k].reshape(4, -1, 1), dh[k], dc[k]]
            return found

        return back

    y, *new = record_several("lstm", forward, pullback, arguments)
    return y, list(zip(new[::2], new[1::2], strict=True))


def _operands(arrays):
    """The kernel's arguments, contiguous: x, read-out and its bias, and tuples over the layers of W, b, h and c."""
    x, v, e, *layers = map(np.ascontiguousarray, arrays)
    W, b = (tuple(a.reshape(-1, *a.shape[2:]) for a in layers[k::4]) for k in (0, 1))
    return x, v.ravel(), e.ravel(), W, tuple(a.ravel() for a in b), tuple(layers[2::4]), tuple(layers[3::4])


def _cotangent(g, like):
    return np.zeros_like(like) if g is None else np.ascontiguousarray(g)


def _check(arguments):
    """Compiled code does not check bounds: no array of a wrong shape may reach it."""
    x, v, e, *layers = arguments
    if len({a.dtype for a in arguments}) != 1 or x.dtype not in (np.float32, np.float64):
        found = sorted({str(a.dtype) for a in arguments})
        raise TypeError(f"fused.lstm takes arrays of one dtype, float32 or float64, not {found}: use astype")
    below, n = x.shape[0], x.shape[1:]
    for k in range(0, len(layers), 4):
        W, b, h, c = (a.shape for a in layers[k : k + 4])
        hidden = h[0] if h else 0
        expected = (4, hidden, below + hidden), (4, hidden, 1), (hidden, *n), (hidden, *n)
        if (W, b, h, c) != expected or len(n) != 1:
            raise ValueError(f"fused.lstm, layer {k // 4}: W, b, h and c have shapes {W, b, h, c}, not {expected}")
        below = hidden
    if v.shape != (1, below) or e.shape != (1, 1):
        raise ValueError(f"fused.lstm: the read-out has shapes {v.shape} and {e.shape}, not (1, {below}) and (1, 1)")
