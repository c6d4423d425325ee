"""Classifiers of handwritten digits."""

import math
from dataclasses import dataclass

import numpy as np

import minigrad as mg
from l2l.errors import L2LError
from l2l.problems import data
from l2l.problems.task import ModelLoss, Task, shapes_of
from l2l.registry import Checked, setting

ACTIVATIONS = {"sigmoid": mg.sigmoid, "relu": mg.relu, "tanh": mg.tanh}
MOST_WEIGHTS = 10**7


@dataclass(frozen=True)
class MNIST(Checked):
    """Cross-entropy of a multilayer perceptron on minibatches of MNIST (Andrychowicz et al. 2016, section 3.2).

    `layers` fully connected hidden layers of `hidden` units, then 10 logits; `batch` images per step, drawn with
    replacement. θ_0 ~ N(0, 0.01²), weights and biases, as in the released code. The splits have different images, so
    optimizers are compared on images that were not used in meta-training.
    """

    hidden: int = setting(20, "units of each hidden layer", least=1, most=10_000)
    layers: int = setting(1, "hidden layers", least=1, most=100)
    activation: str = setting("sigmoid", "activation function", choices=tuple(ACTIVATIONS))
    batch: int = setting(128, "images of a step", least=1, most=100_000)

    chance = math.log(10.0)
    """The loss of a guess that gives each digit the same probability. A saturated network stays at this loss."""

    def __post_init__(self):
        super().__post_init__()
        if self.hidden * (784 + self.hidden * (self.layers - 1)) > MOST_WEIGHTS:
            raise L2LError(f"hidden and layers make a network of more than {MOST_WEIGHTS:,} weights: lower one of them")

    @property
    def data(self):
        return data.mnist().source

    @property
    def checksum(self):
        return data.mnist().checksum

    def sample(self, rng, split="train"):
        images, labels = data.mnist().splits[split]
        sizes = [784, *[self.hidden] * self.layers, 10]
        weights = [
            {"W": rng.normal(scale=0.01, size=(n, m)), "b": rng.normal(scale=0.01, size=m)}
            for n, m in zip(sizes, sizes[1:], strict=False)
        ]
        theta, unravel = mg.tree.ravel(weights)
        activation = ACTIVATIONS[self.activation]

        def logits(theta, batch):
            x, _ = batch
            *inner, last = unravel(theta)
            for layer in inner:
                x = activation(mg.layers.dense(layer, x))
            return mg.layers.dense(last, x)

        loss = ModelLoss(logits, lambda z, batch: mg.cross_entropy(z, batch[1]), classifier=True)

        def next_batch():
            chosen = rng.integers(len(labels), size=self.batch)
            return images[chosen].astype(np.float32) / 255, labels[chosen]

        return Task(theta.astype(np.float32), loss, next_batch, shapes=shapes_of(weights))
