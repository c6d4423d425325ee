"""What several losses of the suite are made of."""

import numpy as np

import minigrad as mg
from l2l.problems import data
from l2l.problems.families import dense


def digits(rng, n):
    """n digits of the split "test", (n, 784) in whole numbers to 255. They are the embedded ones, so that results are
    the same wherever they are computed."""
    images, _ = data.embedded().splits["test"]
    return images[rng.choice(len(images), n, replace=False)]


def small_digits(rng, n):
    """Digits as the means of 4×4 pixels, (n, 49) from 0 to 1."""
    return digits(rng, n).reshape(n, 7, 4, 7, 4).mean((2, 4), dtype=np.float32).reshape(n, 49) / 255


def standardized(y):
    """y of mean 0 and variance 1, in float32."""
    return ((y - y.mean()) / y.std()).astype(np.float32)


def network(rng, *sizes, gain=1.0):
    """Weights of `forward` for layers of these sizes, the inputs' first; the gain is not the last layer's."""
    gains = [gain] * (len(sizes) - 2) + [1.0]
    return [dense(rng, *pair) for pair in zip(sizes, sizes[1:], gains, strict=False)]


def forward(layers, x, activation=mg.tanh):
    """The outputs of fully connected layers; the activation follows all but the last."""
    *inner, last = layers
    for layer in inner:
        x = activation(mg.layers.dense(layer, x))
    return mg.layers.dense(last, x)
