"""The workloads of the meta-step benchmarks, as plain arrays for every engine."""

from dataclasses import dataclass

import numpy as np

import l2l
import minigrad as mg
from l2l.problems import Task


@dataclass(frozen=True)
class Workload:
    """An optimizer (φ, a tree of float32 arrays) and an optimizee on which it takes `steps` steps.

    kind: "mnist", an MLP 784-20-10 with sigmoid units on batches (steps, 128, 784), or "quadratic", the sum of
    ‖Wθ − y‖² over independent functions. preprocess: whether the LSTM sees log_sign(∇, p = 10) or ∇ itself.
    """

    kind: str
    theta: np.ndarray
    data: tuple
    phi: dict
    steps: int
    preprocess: bool
    optimizer: object

    P, SCALE = 10.0, 0.1


def mnist(steps=20, hidden=20, units=20):
    """Random images in place of digits: the arithmetic is the same. 15,910 coordinates with 20 units."""
    rng = np.random.default_rng(0)
    x = rng.uniform(size=(steps, 128, 784)).astype(np.float32)
    labels = rng.integers(10, size=(steps, 128))
    theta = rng.normal(scale=0.1, size=785 * units + (units + 1) * 10).astype(np.float32)
    return _workload("mnist", theta, (x, labels, units), steps, True, hidden)


def quadratic(functions, steps=20, dimension=10):
    rng = np.random.default_rng(0)
    W = rng.normal(size=(functions, dimension, dimension)).astype(np.float32)
    y = rng.normal(size=(functions, dimension, 1)).astype(np.float32)
    theta = rng.normal(size=functions * dimension).astype(np.float32)
    return _workload("quadratic", theta, (W, y), steps, False, 20)


def _workload(kind, theta, data, steps, preprocess, hidden):
    optimizer = l2l.make_optimizer("lstm", hidden=(hidden, hidden), preprocess="log-sign" if preprocess else "none")
    return Workload(kind, theta, data, optimizer.init(np.random.default_rng(1)), steps, preprocess, optimizer)


def task(workload):
    """The workload's optimizee as a `Task`, which returns the batches in order."""
    if workload.kind == "quadratic":
        W, y = workload.data
        shape = y.shape
        return Task(workload.theta, lambda theta, batch: mg.sum(mg.square(W @ theta.reshape(shape) - y)))
    images, labels, units = workload.data
    sizes = {"W1": (784, units), "b1": (units,), "W2": (units, 10), "b2": (10,)}
    order = sorted(sizes)
    _, unravel = mg.tree.ravel({name: np.zeros(sizes[name], np.float32) for name in order})
    batches = iter([(images[t], labels[t]) for t in range(len(images))] * 1000)

    def loss(theta, batch):
        w = unravel(theta)
        hidden = mg.sigmoid(batch[0] @ w["W1"] + w["b1"])
        return mg.cross_entropy(hidden @ w["W2"] + w["b2"], batch[1])

    return Task(workload.theta, loss, lambda: next(batches))


def pieces(units):
    """The slices of θ that hold W1, W2, b1 and b2: {name: (slice, shape)}, in the order of `minigrad.tree`."""
    shapes = {"W1": (784, units), "W2": (units, 10), "b1": (units,), "b2": (10,)}
    slices, start = {}, 0
    for name, shape in shapes.items():
        size = int(np.prod(shape))
        slices[name] = (slice(start, start + size), shape)
        start += size
    return slices
