"""Composite functions: readable, and differentiable because their parts are."""

from minigrad.ops.elementwise import sigmoid, tanh


def dense(weights, x):
    """x W + b, for x (n, inputs) and weights {"W": (inputs, outputs), "b": (outputs,)}; returns (n, outputs)."""
    return x @ weights["W"] + weights["b"]


def lstm_cell(weights, x, h, c):
    """One step of an LSTM (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000).

        i, f, o = sigmoid(W_k x + U_k h + b_k)      c' = f·c + i·g
        g       = tanh(W_g x + U_g h + b_g)         h' = o·tanh(c')

    Every column is one sequence: x (inputs, n), h and c (hidden, n); returns the new h and c. The weights hold
    the four gates in the order i, f, g, o: "W" (4, hidden, inputs), "U" (4, hidden, hidden), "b" (4, hidden, 1).
    """
    W, U, b = weights["W"], weights["U"], weights["b"]
    i, f, g, o = (W[k] @ x + U[k] @ h + b[k] for k in range(4))  # each (hidden, n)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    h = sigmoid(o) * tanh(c)
    return h, c


def lstm(layers, x, state):
    """One step of a stack of LSTM layers, each of which reads the new h of the one before it.

    layers: the weights of each, as `lstm_cell` takes them; x (inputs, n); state: a pair (h, c) for each layer. Returns
    the new state, a list of pairs. `minigrad.fused.lstm` is the compiled form of the same.
    """
    new = []
    for weights, (h, c) in zip(layers, state, strict=True):
        new.append(lstm_cell(weights, x, h, c))
        x = new[-1][0]
    return new
