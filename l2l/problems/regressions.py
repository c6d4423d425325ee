"""Models fitted to data that are drawn with each task."""

from dataclasses import dataclass

import numpy as np

import minigrad as mg
from l2l.problems.families import ACTIVATIONS, Family, dense, minibatches, normal, whole_number
from l2l.problems.interface import task_of
from l2l.registry import setting

MOST = 1000  # of every size: the largest table of data then has a million numbers


def inputs(rng, n, d):
    """n inputs (n, d) whose features have different scales and, in half of the draws, are correlated."""
    x = rng.normal(size=(n, d)) * np.exp(rng.uniform(-1.5, 1.5, size=d))
    if rng.random() < 0.5:
        x = x @ rng.normal(size=(d, d)) / np.sqrt(d)
    return x.astype(np.float32)


@dataclass(frozen=True)
class Logistic(Family):
    """Logistic regression on all of the data, for convex losses that flatten out.

    f(w, b) = (1/n) Σ_i log(1 + exp(−y_i (x_i·w + b))), with y_i the sign of x_i·w* plus noise that is 0 to 1 times as
    large. θ_0 ~ N(0, 0.01²).
    """

    features: tuple[int, ...] = setting((5, 100), "range of the features of an input", least=1, most=MOST)
    examples: tuple[int, ...] = setting((50, 500), "range of the inputs", least=1, most=MOST)

    def sample(self, rng, split="train"):
        n, d = whole_number(rng, self.examples), whole_number(rng, self.features)
        x = inputs(rng, n, d)
        z = x @ rng.normal(size=d)
        y = np.where(z + rng.uniform(0, 1) * z.std() * rng.normal(size=n) > 0, 1, -1).astype(np.float32)

        def loss(theta):
            return mg.mean(mg.softplus(-y * (x @ theta["w"] + theta["b"])))

        return task_of(loss, {"b": normal(rng, 1, scale=0.01), "w": normal(rng, d, scale=0.01)})[0]


@dataclass(frozen=True)
class Softmax(Family):
    """Softmax regression on minibatches, for convex losses with noisy gradients.

    f(W, b) = cross-entropy of the logits x W + b, with labels drawn from a softmax model of other weights. θ_0 ~
    N(0, 0.01²).
    """

    features: tuple[int, ...] = setting((5, 100), "range of the features of an input", least=1, most=MOST)
    classes: tuple[int, ...] = setting((3, 10), "range of the classes", least=2, most=100)
    examples: tuple[int, ...] = setting((100, 1000), "range of the inputs", least=1, most=MOST)
    batch: tuple[int, ...] = setting((16, 128), "range of the inputs of a step", least=1, most=MOST)

    def sample(self, rng, split="train"):
        n, d, k = (whole_number(rng, limits) for limits in (self.examples, self.features, self.classes))
        x = inputs(rng, n, d)
        z = x @ rng.normal(size=(d, k))
        labels = np.argmax(z / z.std() * np.exp(rng.uniform(0, 2)) + rng.gumbel(size=(n, k)), axis=1)
        start = {"W": normal(rng, d, k, scale=0.01), "b": normal(rng, k, scale=0.01)}

        def loss(theta, batch):
            return mg.cross_entropy(mg.layers.dense(theta, batch[0]), batch[1])

        return task_of(loss, start, minibatches(rng, whole_number(rng, self.batch), x, labels))[0]


@dataclass(frozen=True)
class TeacherStudent(Family):
    """A small network fitted to the outputs of another one, for losses with plateaus and many minima.

    f = mean_i (student(x_i) − y_i)²: student(x) = a(x W_1 + b_1) W_2 + b_2, with the activation a drawn from sigmoid,
    tanh, ReLU and GELU; y_i are the outputs of a tanh network, standardized (Saad and Solla 1995).
    """

    features: tuple[int, ...] = setting((3, 30), "range of the features of an input", least=1, most=MOST)
    hidden: tuple[int, ...] = setting((4, 40), "range of the units, of either network", least=1, most=MOST)
    examples: tuple[int, ...] = setting((50, 300), "range of the inputs", least=2, most=MOST)

    def sample(self, rng, split="train"):
        n, d = whole_number(rng, self.examples), whole_number(rng, self.features)
        units, teachers = whole_number(rng, self.hidden), whole_number(rng, self.hidden)
        x = normal(rng, n, d)
        y = np.tanh(x @ rng.normal(size=(d, teachers))) @ rng.normal(size=teachers)
        y = ((y - y.mean()) / y.std()).astype(np.float32)[:, None]
        activation = ACTIVATIONS[rng.integers(len(ACTIVATIONS))]

        def loss(theta):
            first, second = theta
            return mg.mean(mg.square(mg.layers.dense(second, activation(mg.layers.dense(first, x))) - y))

        return task_of(loss, [dense(rng, d, units), dense(rng, units, 1)])[0]


@dataclass(frozen=True)
class MatrixFactorization(Family):
    """A matrix of low rank found from some of its elements, for saddle points.

    f(U, V) = the mean of (U V − M)²_ij over the observed elements, 30 to 100 % of all: U is (n, k), V (k, m), and M a
    product of two such matrices of i.i.d. normal elements, divided by √k. θ_0 ~ N(0, s²), s log-uniform from 0.03 to 1;
    θ = 0 is a saddle point.
    """

    size: tuple[int, ...] = setting((8, 50), "range of the rows and of the columns", least=1, most=MOST)
    rank: tuple[int, ...] = setting((2, 8), "range of the rank", least=1, most=100)

    def sample(self, rng, split="train"):
        n, m, k = (whole_number(rng, limits) for limits in (self.size, self.size, self.rank))
        M = normal(rng, n, k) @ normal(rng, k, m, scale=1 / np.sqrt(k))
        seen = (rng.random((n, m)) < rng.uniform(0.3, 1)).astype(np.float32)
        seen /= max(seen.sum(), 1)
        scale = np.exp(rng.uniform(np.log(0.03), 0))

        def loss(theta):
            return mg.sum(seen * mg.square(theta["U"] @ theta["V"] - M))

        return task_of(loss, {"U": normal(rng, n, k, scale=scale), "V": normal(rng, k, m, scale=scale)})[0]
