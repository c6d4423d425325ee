"""Functions of a special form that are fitted to data: experts with a gate, functions of sets and of coordinates."""

import numpy as np

import minigrad as mg
from l2l.problems.families import dense, minibatches, normal
from l2l.suite.interface import loss
from l2l.suite.pieces import digits, forward, network, standardized

# ------------------------------------------------------------------------------------------ gates and sets


@loss("gates-and-sets", "test")
def mixture_of_experts(rng):
    """Six linear experts and the gate that chooses among them, on minibatches of 64. Jacobs et al. 1991, equation 1.3.

    f = −mean_i log Σ_k g_k(x_i) exp(−½ (y_i − o_k(x_i))²/0.3²), g = softmax of a dense layer, o dense; y is another
    linear function of x in each of 5 regions, plus noise. The sum is at most 1, so f ≥ 0.
    """
    n, d, regions, experts = 800, 6, 5, 6
    x = normal(rng, n, d)
    region = np.argmax(x @ rng.normal(size=(d, regions)), axis=1)
    y = np.sum(x * rng.normal(size=(regions, d))[region], axis=1) + rng.normal(size=regions)[region]
    y = (y / y.std() + 0.2 * rng.normal(size=n)).astype(np.float32)

    def f(theta, batch):
        x, y = batch
        gate = mg.log_softmax(mg.layers.dense(theta["gate"], x))
        errors = (mg.layers.dense(theta["experts"], x) - y[:, None]) / 0.3
        return -mg.mean(mg.logsumexp(gate - 0.5 * mg.square(errors), 1))

    return f, {"experts": dense(rng, d, experts), "gate": dense(rng, d, experts)}, minibatches(rng, 64, x, y)


@loss("gates-and-sets", "test")
def deep_set(rng):
    """A function of a set of points, whatever their order, on minibatches of 32 sets. Zaheer et al. 2017.

    f = mean_i (ρ(mean_j φ(x_ij)) − y_i)², for sets of 12 points in the plane from a normal distribution each, whose
    entropy, standardized, is y_i. φ and ρ have a layer of 20 ReLU units and a linear one.
    """
    sets, points = 500, 12
    roots = rng.normal(size=(sets, 2, 2))
    x = (rng.normal(size=(sets, points, 2)) @ roots).astype(np.float32)
    y = standardized(np.linalg.slogdet(roots)[1])

    def f(theta, batch):
        x, y = batch
        features = forward(theta["each"], mg.reshape(x, (-1, 2)), mg.relu)
        whole = mg.mean(mg.reshape(features, (len(y), points, -1)), 1)
        return mg.mean(mg.square(forward(theta["all"], whole, mg.relu)[:, 0] - y))

    gain = np.sqrt(2)  # that keeps the size of what passes through ReLU
    start = {"each": network(rng, 2, 20, 20, gain=gain), "all": network(rng, 20, 20, 1, gain=gain)}
    return f, start, minibatches(rng, 32, x, y)


# ------------------------------------------------------------------------------------------ coordinates


def uniform(rng, inputs, outputs, limit):
    """Weights of `mg.layers.dense`, uniform in [−limit, limit], and biases in [−1, 1]/√inputs."""
    W = rng.uniform(-limit, limit, size=(inputs, outputs)).astype(np.float32)
    return {"W": W, "b": (rng.uniform(-1, 1, size=outputs) / np.sqrt(inputs)).astype(np.float32)}


@loss("coordinates", "test")
def sine_network(rng):
    """An image as a function of its coordinates: a network of sines. Sitzmann et al. 2020 (SIREN).

    f = the mean over 784 pixels p in [−1, 1]² of (u(p) − x_p)², x a digit of the split "test", standardized: u has two
    layers of 32 units sin(30 (x W + b)) and a linear one, W uniform to ±1/inputs at first, then ±√(6/inputs)/30.
    """
    digit = standardized(digits(rng, 1)[0])[:, None]
    line = np.linspace(-1, 1, 28, dtype=np.float32)
    at = np.stack(np.meshgrid(line, line), axis=2).reshape(-1, 2)

    def f(theta):
        first, second, last = theta
        h = mg.sin(30.0 * mg.layers.dense(first, at))
        h = mg.sin(30.0 * mg.layers.dense(second, h))
        return mg.mean(mg.square(mg.layers.dense(last, h) - digit))

    later = np.sqrt(6 / 32) / 30
    return f, [uniform(rng, 2, 32, 1 / 2), uniform(rng, 32, 32, later), uniform(rng, 32, 1, later)], None


@loss("coordinates", "test")
def radial_basis_network(rng):
    """A surface as a sum of bumps whose centres, widths and heights are learned. Broomhead and Lowe 1988.

    f = mean_i (Σ_k w_k exp(−½ |x_i − c_k|² e^(−2 s_k)) − y_i)² at 250 random points of [−1, 1]², y a sum of 6 waves
    plus noise. The 25 centres start at points of the data, the widths e^s at about 0.3, the weights near 0.
    """
    n, k = 250, 25
    x = rng.uniform(-1, 1, size=(n, 2)).astype(np.float32)
    y = np.sin(x @ rng.normal(size=(2, 6)) * 3 + rng.uniform(0, 2 * np.pi, size=6)) @ rng.normal(size=6)
    y = (y / y.std() + 0.1 * rng.normal(size=n)).astype(np.float32)

    def f(theta):
        squares = mg.sum(mg.square(x[:, None] - theta["centres"]), 2)
        return mg.mean(mg.square(mg.exp(-0.5 * squares * mg.exp(-2.0 * theta["widths"])) @ theta["weights"] - y))

    start = {
        "centres": x[rng.choice(n, k, replace=False)],
        "weights": normal(rng, k, scale=0.1),
        "widths": normal(rng, k, scale=0.1) - 1.2,
    }
    return f, start, None
