"""Relatives of the mixture's perceptrons and convnets: deeper, with norms and residuals, and not on digits."""

import numpy as np

import minigrad as mg
from l2l.problems.families import dense, minibatches, normal
from l2l.suite.interface import loss
from l2l.suite.pieces import forward, network

# ------------------------------------------------------------------------------------------ deep perceptrons


def spirals(rng, n, arms):
    """n points (n, 2) on spirals of one turn, at a random angle, with noise, and the spiral of each."""
    label, r = rng.integers(arms, size=n), rng.uniform(0.1, 1, size=n)
    angle = 2 * np.pi * (r + label / arms + rng.random())
    x = np.stack([r * np.cos(angle), r * np.sin(angle)], axis=1) + 0.08 * rng.normal(size=(n, 2))
    return (2 * x).astype(np.float32), label


def teacher(rng, n, d, classes):
    """n normal inputs (n, d), and for each the largest output of a random tanh network."""
    x = normal(rng, n, d)
    return x, np.argmax(np.tanh(x @ rng.normal(size=(d, 20)) / np.sqrt(d)) @ rng.normal(size=(20, classes)), axis=1)


@loss("deep-mlp", "kin")
def deep_silu(rng):
    """Four layers of 32 SiLU units that tell 3 spirals apart, on minibatches of 64; f = cross-entropy."""
    drawn = minibatches(rng, 64, *spirals(rng, 600, 3))

    def f(theta, batch):
        return mg.cross_entropy(forward(theta, batch[0], mg.silu), batch[1])

    return f, network(rng, 2, *[32] * 4, 3, gain=np.sqrt(2)), drawn


@loss("deep-mlp", "kin")
def deep_relu_norm(rng):
    """Four layers of 24 units, layer norm and ReLU, on minibatches of 32; f = cross-entropy.

    The labels are the largest of 5 outputs of a random network with 16 inputs. Ba et al. 2016.
    """
    drawn = minibatches(rng, 32, *teacher(rng, 800, 16, 5))
    norms = [{"gamma": np.ones(24, np.float32), "beta": np.zeros(24, np.float32)} for _ in range(4)]

    def f(theta, batch):
        h, answers = batch
        *inner, last = theta["layers"]
        for layer, norm in zip(inner, theta["norms"], strict=True):
            h = mg.relu(mg.layer_norm(mg.layers.dense(layer, h), **norm))
        return mg.cross_entropy(mg.layers.dense(last, h), answers)

    return f, {"layers": network(rng, 16, *[24] * 4, 5, gain=np.sqrt(2)), "norms": norms}, drawn


@loss("deep-mlp", "kin")
def deep_sigmoid(rng):
    """Four layers of 24 sigmoid units, on minibatches of 64; f = cross-entropy.

    The labels are the largest of 4 outputs of a random network with 10 inputs. Weights have 4 times the usual deviation
    1/√inputs, because a sigmoid's slope is ¼ at most.
    """
    drawn = minibatches(rng, 64, *teacher(rng, 800, 10, 4))

    def f(theta, batch):
        return mg.cross_entropy(forward(theta, batch[0], mg.sigmoid), batch[1])

    return f, network(rng, 10, *[24] * 4, 4, gain=4), drawn


# ------------------------------------------------------------------------------------------ residual convnets

SIDE, CHANNELS = 10, 6


def gratings(rng, n):
    """Images (n, 1, 10, 10) of waves in one of 4 directions, of any phase and of 4 to 13 pixels, in noise."""
    label, row, column = rng.integers(4, size=n), *np.indices((SIDE, SIDE))
    angle = np.pi * (label[:, None, None] + rng.normal(size=(n, 1, 1)) / 8) / 4
    frequency, phase = rng.uniform(0.5, 1.5, size=(n, 1, 1)), rng.uniform(0, 2 * np.pi, size=(n, 1, 1))
    x = np.sin(frequency * (np.cos(angle) * row + np.sin(angle) * column) + phase)
    return (x + 1.2 * rng.normal(size=x.shape)).astype(np.float32)[:, None], label


def shapes(rng, n):
    """Images (n, 1, 10, 10) of a square, a disc, a cross or a diagonal cross of 5 pixels, at any place, with noise."""
    row, column = np.abs(np.indices((5, 5)) - 2)
    masks = np.stack([np.maximum(row, column) == 2, row + column <= 2, (row == 0) | (column == 0), row == column])
    label, places = rng.integers(4, size=n), rng.integers(SIDE - 4, size=(n, 2))
    x = 0.3 * rng.normal(size=(n, SIDE, SIDE))
    for image, k, (i, j) in zip(x, label, places, strict=True):
        image[i : i + 5, j : j + 5] += masks[k]
    return x.astype(np.float32)[:, None], label


def kernel(rng, inputs, outputs):
    return normal(rng, outputs, inputs, 3, 3, scale=np.sqrt(2 / (9 * inputs)))


def convnet(rng):
    """θ_0 of `residual_logits`: the first kernel, two kernels of a block with a norm before each, the read-out."""
    norm = {"gamma": np.ones(CHANNELS, np.float32), "beta": np.zeros(CHANNELS, np.float32)}
    return {
        "block": [{"W": kernel(rng, CHANNELS, CHANNELS), **norm} for _ in range(2)],
        "first": kernel(rng, 1, CHANNELS),
        "rest": dense(rng, CHANNELS, 4),
    }


def residual_logits(theta, x, norm):
    """The logits of one residual block with the norm first (He et al. 2016, arXiv 1603.05027): x ← W x, then x ← x +
    W' relu(norm(W'' relu(norm(x)))), then a dense layer of the means of the channels."""
    x = mg.conv2d(x, theta["first"], padding="same")
    h = x
    for layer in theta["block"]:
        h = mg.conv2d(mg.relu(norm(h, layer["gamma"], layer["beta"])), layer["W"], padding="same")
    return mg.layers.dense(theta["rest"], mg.mean(mg.relu(x + h), (2, 3)))


def norm_of_channels(x, gamma, beta):
    """Layer norm of the channels at each pixel of x (n, channels, height, width)."""
    return mg.moveaxis(mg.layer_norm(mg.moveaxis(x, 1, -1), gamma, beta), -1, 1)


@loss("residual-convnet", "kin")
def residual_batch_norm(rng):
    """A residual convnet with batch norm that tells the direction of waves, on minibatches of 16 images; f =
    cross-entropy of `residual_logits`."""
    drawn = minibatches(rng, 16, *gratings(rng, 400))

    def f(theta, batch):
        return mg.cross_entropy(residual_logits(theta, batch[0], mg.batch_norm), batch[1])

    return f, convnet(rng), drawn


@loss("residual-convnet", "kin")
def residual_layer_norm(rng):
    """A residual convnet with layer norm that tells shapes apart, on minibatches of 12 images; f = cross-entropy of
    `residual_logits`."""
    drawn = minibatches(rng, 12, *shapes(rng, 400))

    def f(theta, batch):
        return mg.cross_entropy(residual_logits(theta, batch[0], norm_of_channels), batch[1])

    return f, convnet(rng), drawn
