"""First-order primitives bound to compiled kernels: differentiable once, and as fast as we could make them.

`lstm` computes what `layers.lstm` does, which stays the readable reference.
"""

import functools
import itertools
import operator

import numpy as np

from minigrad.core import SecondDerivativeError, Var, new_node
from minigrad.kernels import lstm as kernel

# ------------------------------------------------------------------------------------------ several results at once
#
# A primitive of the engine has one result and a rule for each argument. A kernel has many results, and computes the
# cotangents of all its arguments in one go. So one edge leads from the nodes of all its results, a slice of the tape,
# to a node for all arguments, and from there one to each.


class Several(list):
    """The cotangents of all arguments, in their order."""

    shape = dtype = None  # the engine compares a node's with its cotangent's, and finds them equal


def record_several(name, function, arguments):
    """The arrays that function(*arguments) computes, recorded so that one pullback serves all arguments.

    function returns a list of arrays, and the pullback: from the list of their cotangents, None where one is zero, to
    the list of the arguments'. Raises SecondDerivativeError, here, where two nested derivatives watch the arguments.
    """
    tapes = [argument.tape for argument in arguments if type(argument) is Var]
    if not tapes:
        return function(*arguments)[0]
    tape = max(tapes, key=operator.attrgetter("level"))
    inner = [a.value if type(a) is Var and a.tape is tape else a for a in arguments]
    _refuse_vars(name, inner)
    results, pullback = function(*inner)

    def checked(cotangents):
        _refuse_vars(name, cotangents)
        return Several(pullback(cotangents))

    together = new_node(tape, Several)
    for k, argument in enumerate(arguments):
        if type(argument) is Var and argument.tape is tape:
            tape.edges.append((together, argument.node, operator.itemgetter(k)))
    watched = [Var(result, new_node(tape, result), tape) for result in results]
    tape.edges.append((slice(together + 1, together + 1 + len(watched)), together, checked))
    return watched


def _refuse_vars(name, values):
    for value in values:
        if type(value) is Var:
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
    arguments, needs_x = [x, weights["output"]["W"], weights["output"]["b"]], type(x) is Var
    for layer, (h, c) in zip(weights["layers"], state, strict=True):
        arguments += [layer["W"], layer["b"], h, c]

    def function(*arrays):
        _check(tuple([a.shape for a in arrays]), *{a.dtype for a in arrays})
        x, v, e, *layers = map(np.ascontiguousarray, arrays)
        operands = x, v, e, *(tuple(layers[k::4]) for k in range(4))
        y, h_new, c_new = kernel.forward(*operands)
        results = [y, *itertools.chain(*zip(h_new, c_new, strict=True))]
        shapes = [result.shape for result in results]  # the closure below shall not keep y

        def pullback(cotangents):
            dy, *new = (
                np.zeros(shape, x.dtype) if g is None else np.ascontiguousarray(g)
                for g, shape in zip(cotangents, shapes, strict=True)
            )
            found = kernel.backward(*operands, h_new, dy, tuple(new[::2]), tuple(new[1::2]), needs_x)
            return [*found[:3], *itertools.chain(*zip(*found[3:], strict=True))]

        return results, pullback

    y, *new = record_several("lstm", function, arguments)
    return y, list(zip(new[::2], new[1::2], strict=True))


@functools.lru_cache
def _check(shapes, *dtypes):
    """Compiled code does not check bounds: no array of a wrong shape may reach it."""
    if len(dtypes) != 1 or dtypes[0] not in (np.float32, np.float64):
        found = sorted(map(str, dtypes))
        raise TypeError(f"fused.lstm takes arrays of one dtype, float32 or float64, not {found}: use astype")
    (below, *n), v, e, *layers = shapes
    for k in range(0, len(layers), 4):
        W, b, h, c = layers[k : k + 4]
        hidden = h[0] if h else 0
        expected = (4, hidden, below + hidden), (4, hidden, 1), (hidden, *n), (hidden, *n)
        if (W, b, h, c) != expected or len(n) != 1:
            raise ValueError(f"fused.lstm, layer {k // 4}: W, b, h and c have shapes {W, b, h, c}, not {expected}")
        below = hidden
    if v != (1, below) or e != (1, 1):
        raise ValueError(f"fused.lstm: the read-out has shapes {v} and {e}, not (1, {below}) and (1, 1)")
