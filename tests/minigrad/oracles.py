"""What minigrad's functions compute, said again in NumPy, for `test_random_graphs.py`: the definitions.

`numpy_function(name)` finds a function by its name in minigrad. `torch_oracle.py` says the same in PyTorch.
"""

import math

import numpy as np


def pair(value):
    return value if isinstance(value, tuple) else (value, value)


def borders(padding, size):
    if padding == "same":
        return tuple(((k - 1) // 2, k // 2) for k in size)
    return tuple(pair(p) for p in pair(padding))


def windows(x, size, stride=None):
    """Every window of the images x, as (n, channels, rows, columns, height, width)."""
    size = pair(size)
    s, t = size if stride is None else pair(stride)
    return np.lib.stride_tricks.sliding_window_view(x, size, (2, 3))[:, :, ::s, ::t]


def bordered(x, padding, size):
    return np.pad(x, ((0, 0), (0, 0), *borders(padding, size)))


def conv2d(x, weights, bias=None, stride=1, padding=0):
    size = weights.shape[2:]
    y = np.einsum("ncijkl,fckl->nfij", windows(bordered(x, padding, size), size, stride), weights)
    return y if bias is None else y + bias[:, None, None]


def conv2d_weights(x, y, size, stride=1, padding=0):
    return np.einsum("ncijkl,nfij->fckl", windows(bordered(x, padding, size), size, stride), y)


def unfolded(parts, shape, stride):
    """Zeros of `shape` with parts (n, channels, rows, columns, height, width) added where the windows are."""
    x, (s, t) = np.zeros(shape), pair(stride)
    rows, columns, height, width = parts.shape[2:]
    for k in range(height):
        for j in range(width):
            x[:, :, k : k + s * rows : s, j : j + t * columns : t][:, :, :rows, :columns] += parts[..., k, j]
    return x


def conv2d_transpose(y, weights, image, stride=1, padding=0):
    (top, bottom), (left, right) = borders(padding, weights.shape[2:])
    shape = (len(y), weights.shape[1], image[0] + top + bottom, image[1] + left + right)
    x = unfolded(np.einsum("nfij,fckl->ncijkl", y, weights), shape, stride)
    return x[:, :, top : top + image[0], left : left + image[1]]


def pick2d(x, winners, window, stride=None):
    every = windows(x, window, stride)
    return np.take_along_axis(every.reshape(*every.shape[:4], -1), winners[..., None].astype(int), -1)[..., 0]


def added_at(positions, y, shape):
    x = np.zeros(shape)
    np.add.at(x.reshape(-1), positions, y)
    return x


def positions(shape):
    return np.arange(math.prod(shape)).reshape(shape)


def avg_unpool2d(y, shape, window, stride=None):
    window = pair(window)
    parts = np.broadcast_to((y / np.prod(window))[..., None, None], (*y.shape, *window))
    return unfolded(parts, shape, window if stride is None else stride)


def standardized(x, epsilon):
    axes = (0, 2, 3)[: x.ndim - 1]
    sigma = np.sqrt(np.var(x, axes, keepdims=True) + epsilon)
    return (x - np.mean(x, axes, keepdims=True)) / sigma, sigma, axes


def by_channel(p, x):
    return p.reshape((-1, *(1,) * (x.ndim - 2)))


def batch_norm(x, gamma, beta, epsilon=1e-5):
    return standardized(x, epsilon)[0] * by_channel(gamma, x) + by_channel(beta, x)


def batch_norm_to_x(g, x, gamma, epsilon):
    x_hat, sigma, axes = standardized(x, epsilon)
    centred = g - np.mean(g, axes, keepdims=True) - x_hat * np.mean(g * x_hat, axes, keepdims=True)
    return by_channel(gamma, x) / sigma * centred


def batch_norm_to_gamma(g, x, epsilon):
    x_hat, _, axes = standardized(x, epsilon)
    return np.sum(g * x_hat, axes)


def logsumexp(x, axis=None, keepdims=False):
    np.max(x, axis)  # refuses an axis of length 0, as minigrad does
    with np.errstate(divide="ignore"):  # log 0 is -inf
        return np.log(np.sum(np.exp(x), axis, keepdims=keepdims))


def log_softmax(x, axis=-1):
    return x - logsumexp(x, axis, keepdims=True)


def cross_entropy(logits, labels):
    return -np.mean(log_softmax(logits)[np.arange(len(labels)), labels])


def layer_norm(x, gamma, beta, epsilon=1e-5):
    sigma = np.sqrt(np.var(x, -1, keepdims=True) + epsilon)
    return gamma * (x - np.mean(x, -1, keepdims=True)) / sigma + beta


def gelu(x):
    return 0.5 * x * (1.0 + np.tanh(np.sqrt(2.0 / np.pi) * (x + 0.044715 * x**3)))


def kept(x, rate, rng):
    """What dropout multiplies by."""
    return (rng.random(tuple(x.shape)) >= rate) / (1.0 - rate)


def dot(x, y):
    if max(np.ndim(x), np.ndim(y)) > 2 and min(np.ndim(x), np.ndim(y)) > 0:
        raise ValueError("minigrad's dot is for at most two axes")
    return np.dot(x, y)


NUMPY = {
    "astype": lambda x, dtype: np.asarray(x, dtype),
    "avg_pool2d": lambda x, window, stride=None: np.mean(windows(x, window, stride), (4, 5)),
    "avg_unpool2d": avg_unpool2d,
    "batch_norm": batch_norm,
    "batch_norm_to_gamma": batch_norm_to_gamma,
    "batch_norm_to_x": batch_norm_to_x,
    "conv2d": conv2d,
    "conv2d_transpose": conv2d_transpose,
    "conv2d_weights": conv2d_weights,
    "cross_entropy": cross_entropy,
    "cholesky": np.linalg.cholesky,
    "dot": dot,
    "dropout": lambda x, rate, rng: x * kept(x, rate, rng),
    "gelu": gelu,
    "inv": np.linalg.inv,
    "layer_norm": layer_norm,
    "logabsdet": lambda x: np.linalg.slogdet(x)[1],
    "one_hot": lambda labels, classes: np.eye(classes)[labels],
    "silu": lambda x: x / (1.0 + np.exp(-x)),
    "slogdet": lambda x: list(np.linalg.slogdet(x)),
    "softmax": lambda x, axis=-1: np.exp(log_softmax(x, axis)),
    "solve": np.linalg.solve,
    "gate": lambda g, y: np.where(y > 0, g, 0.0),
    "getitem": lambda x, index: x[index],
    "join": lambda *arrays, axis=0: np.concatenate(arrays, axis),
    "log_softmax": log_softmax,
    "logsumexp": logsumexp,
    "max_pool2d": lambda x, window, stride=None: np.max(windows(x, window, stride), (4, 5)),
    "norm": lambda x, axis=None, keepdims=False: np.sqrt(np.sum(x * x, axis, keepdims=keepdims)),
    "pick2d": pick2d,
    "place2d": lambda y, winners, shape, window, stride=None: added_at(
        pick2d(positions(shape), winners, window, stride), y, shape
    ),
    "relu": lambda x: np.where(x > 0, x, 0.0),
    "scatter": lambda x, index, shape: added_at(positions(shape)[index], x, shape),
    "sigmoid": lambda x: 1.0 / (1.0 + np.exp(-x)),
    "softplus": lambda x: np.log1p(np.exp(x)),
    "stack": lambda arrays, axis=0: np.stack(arrays, axis),
}


def numpy_function(name):
    return NUMPY.get(name) or getattr(np, name)
