"""Layers written with primitives, and so differentiable to any order: the readable reference."""

from minigrad.ops.elementwise import sigmoid, tanh
from minigrad.ops.shape import concatenate
from minigrad.structure import Array, Tree


def dense(weights: Tree, x: Array) -> Array:
    """x W + b, for x (n, inputs) and weights {"W": (inputs, outputs), "b": (outputs,)}; returns (n, outputs)."""
    return x @ weights["W"] + weights["b"]


def lstm_gates(weights: Tree, x: Array, h: Array) -> tuple[Array, Array, Array, Array]:
    """The four gates of an LSTM, each (hidden, n): input i, forget f, candidate g and output o.

        i, f, o = sigmoid(W_k [x; h] + b_k)      g = tanh(W_g [x; h] + b_g)

    Arguments as in `lstm_cell`. Returns (i, f, g, o).
    """
    both = concatenate([x, h])
    i, f, g, o = (weights["W"][k] @ both + weights["b"][k] for k in range(4))
    return sigmoid(i), sigmoid(f), tanh(g), sigmoid(o)


def lstm_cell(weights: Tree, x: Array, h: Array, c: Array) -> tuple[Array, Array]:
    """One step of an LSTM (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000).

        i, f, o = sigmoid(W_k [x; h] + b_k)      c' = f·c + i·g
        g       = tanh(W_g [x; h] + b_g)         h' = o·tanh(c')

    Each column is one sequence: x (inputs, n), h and c (hidden, n). Returns the new h and c. weights: "W" (4, hidden,
    inputs + hidden) and "b" (4, hidden, 1), for the four gates in the order i, f, g, o.
    """
    i, f, g, o = lstm_gates(weights, x, h)
    c = f * c + i * g
    h = o * tanh(c)
    return h, c


def lstm(weights: Tree, x: Array, state: Tree) -> tuple[Array, list[tuple[Array, Array]]]:
    """One step of a stack of LSTM layers and a read-out y = W h + b. Each layer's input is the new h of the one below.

    weights: "layers", a list of `lstm_cell`'s weights, and "output", with "W" (1, hidden) and "b" (1, 1).
    x: (inputs, n). state: a pair (h, c) for each layer. Returns y (n,) and the new state. `minigrad.fused.lstm`
    computes the same with compiled kernels.
    """
    new = []
    for layer, (h, c) in zip(weights["layers"], state, strict=True):
        new.append(lstm_cell(layer, x, h, c))
        x = new[-1][0]
    return (weights["output"]["W"] @ x + weights["output"]["b"])[0], new
