"""What the families of small tasks share. Each draws its sizes with every task, so that a mixture of them is wide."""

from dataclasses import dataclass, fields

import numpy as np

import minigrad as mg
from l2l.errors import L2LError
from l2l.registry import Checked

ACTIVATIONS = (mg.sigmoid, mg.tanh, mg.relu, mg.gelu)


@dataclass(frozen=True)
class Family(Checked):
    """Base of a dataclass whose tuples are ranges: one number, or the least and the most."""

    data = "random numbers"

    def __post_init__(self):
        super().__post_init__()
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, tuple) and (len(value) not in (1, 2) or value[0] > value[-1]):
                raise L2LError(f"{field.name} is one number, or the least and the most, as in 5-50, not {value}")


def whole_number(rng, limits):
    """One of the whole numbers in a range, log-uniform: as many small as large ones, in ratio."""
    low, high = limits[0], limits[-1]
    return int(np.clip(np.exp(rng.uniform(np.log(low), np.log(high + 1))), low, high))


def normal(rng, *shape, scale=1.0):
    """N(0, scale²) in float32."""
    return (scale * rng.normal(size=shape)).astype(np.float32)


def dense(rng, inputs, outputs, gain=1.0):
    """Weights of `mg.layers.dense`, with variance gain²/inputs, and biases of 0."""
    return {
        "W": normal(rng, inputs, outputs, scale=gain / np.sqrt(inputs)),
        "b": np.zeros(outputs, np.float32),
    }


def rotation(rng, n):
    """A random orthogonal matrix (n, n)."""
    return np.linalg.qr(rng.normal(size=(n, n)))[0]


def minibatches(rng, batch, *arrays):
    """The function next_batch that picks `batch` rows of the arrays, the same of each, with replacement."""

    def next_batch():
        rows = rng.integers(len(arrays[0]), size=batch)
        return tuple(array[rows] for array in arrays)

    return next_batch
