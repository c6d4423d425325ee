"""What `kernels.lstm` computes, in plain NumPy with its exact tanh: the reference of the compiled kernels."""

import numpy as np

from minigrad.kernels.lstm_compiled import Arguments, State, Weights


def _gates(W, b, x, h):
    i, f, g, o = W @ np.concatenate([x, h]) + b
    i, f, o = (0.5 + 0.5 * np.tanh(0.5 * k) for k in (i, f, o))
    return i, f, np.tanh(g), o


def forward(arguments: Arguments) -> tuple[np.ndarray, State]:
    (W, b, v, e), x, (h, c) = arguments
    h_new, c_new = [], []
    for k in range(len(W)):
        i, f, g, o = _gates(W[k], b[k], x, h[k])
        c_new.append(f * c[k] + i * g)
        x = o * np.tanh(c_new[k])
        h_new.append(x)
    return (v @ x + e)[0], State(tuple(h_new), tuple(c_new))


def backward(arguments: Arguments, h_new, dy: np.ndarray, dnew: State, input_gradient: bool) -> Arguments:
    (W, b, v, _), x, (h, c) = arguments
    above, found = v.T * dy, []
    for k in reversed(range(len(W))):
        inputs = h_new[k - 1] if k else x
        i, f, g, o = _gates(W[k], b[k], inputs, h[k])
        tanh_c = np.tanh(f * c[k] + i * g)
        dh = dnew.h[k] + above
        dc = dnew.c[k] + dh * o * (1 - tanh_c * tanh_c)
        dz = dc * g * (i - i * i), dc * c[k] * (f - f * f), dc * i * (1 - g * g), dh * tanh_c * (o - o * o)
        dW = np.stack(dz) @ np.concatenate([inputs, h[k]]).T
        above, dh = np.split(sum(W[k][j].T @ dz[j] for j in range(4)), [len(inputs)])
        found.append((dW, np.stack(dz).sum(2, keepdims=True), dh, dc * f))
    dW, db, dh, dc = zip(*reversed(found), strict=True)
    dweights = Weights(dW, db, (h_new[-1] @ dy)[None], dy.sum().reshape(1, 1))
    return Arguments(dweights, above if input_gradient else above[:0], State(dh, dc))
