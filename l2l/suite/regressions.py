"""Regressions that the data make hard: outliers, and columns in very different units."""

import numpy as np

import minigrad as mg
from l2l.problems.families import minibatches, normal
from l2l.suite.interface import loss
from l2l.suite.pieces import forward, network

# ------------------------------------------------------------------------------------------ robust


def with_outliers(rng, y, share=0.15, factor=10.0):
    """y plus noise of a tenth of its standard deviation; a share of the values is wrong by `factor` times that much."""
    scale = np.where(rng.random(y.shape) < share, factor, 0.1) * y.std()
    return (y + scale * rng.normal(size=y.shape)).astype(np.float32)


@loss("robust", "validation")
def huber_regression(rng):
    """A linear regression on all of 300 values, some of them wrong, with the loss of Huber 1964.

    f(w, b) = mean_i h(y_i − x_i·w − b), h(r) = ½ r² where |r| ≤ 1, else |r| − ½; 20 features.
    """
    x = normal(rng, 300, 20)
    y = with_outliers(rng, x @ rng.normal(size=20) + 2.0)

    def f(theta):
        r = mg.abs(y - x @ theta["w"] - theta["b"])
        inside = mg.minimum(r, 1.0)
        return mg.mean(inside * (r - 0.5 * inside))

    return f, {"b": normal(rng, 1, scale=0.01), "w": normal(rng, 20, scale=0.01)}, None


@loss("robust", "validation")
def cauchy_dose_response(rng):
    """Dose-response curves of 12 substances, from 20 doses each, some measured wrongly, with Cauchy's loss.

    f = mean log(1 + r²/0.1²), r_sd = a_s + b_s sigmoid(c_s (x_d − m_s)) − y_sd, x the logs of the doses (Hill 1910): a
    is the level without the substance, b the effect, c the steepness and m the log of the dose with half of the effect.
    """
    substances, x = 12, np.linspace(-3, 3, 20, dtype=np.float32)
    a, b, c, m = rng.normal(size=(4, substances, 1)) * [[[0.5]], [[2]], [[0.3]], [[1]]] + [[[1]], [[0]], [[1.5]], [[0]]]
    y = with_outliers(rng, a + b / (1 + np.exp(-c * (x - m))))

    def f(theta):
        a, b, c, m = (mg.reshape(theta[name], (-1, 1)) for name in "abcm")
        return mg.mean(mg.log1p(mg.square((a + b * mg.sigmoid(c * (x - m)) - y) / 0.1)))

    at = {"a": 0.0, "b": 0.0, "c": 1.0, "m": 0.0}
    return f, {name: value + normal(rng, substances, scale=0.1) for name, value in at.items()}, None


@loss("robust", "validation")
def quantile_regression(rng):
    """The quantiles 0.1, 0.5 and 0.9 of skewed data, on minibatches of 32. Koenker and Bassett 1978.

    f(W, b) = mean max(q r, (q − 1) r) with r = y_i − (x_i W + b)_q; 15 features, and noise that grows with one of them.
    """
    n, d = 500, 15
    q = np.array([0.1, 0.5, 0.9], np.float32)
    x = normal(rng, n, d)
    y = x @ rng.normal(size=d) + np.exp(0.5 * x[:, 0]) * rng.exponential(size=n)
    drawn = minibatches(rng, 32, x, y.astype(np.float32)[:, None])

    def f(theta, batch):
        x, y = batch
        r = y - mg.layers.dense(theta, x)
        return mg.mean(mg.maximum(q * r, (q - 1.0) * r))

    return f, {"W": normal(rng, d, 3, scale=0.01), "b": np.zeros(3, np.float32)}, drawn


# ------------------------------------------------------------------------------------------ raw columns


def raw_table(rng, n, d):
    """x (n, d), whose columns have units from 1e−2 to 1e2 and means other than 0; and z, the same without units and
    means, on which the answers depend."""
    z = rng.normal(size=(n, d))
    units = 10.0 ** rng.permutation(np.linspace(-2, 2, d))
    return ((z + rng.normal(size=d)) * units).astype(np.float32), z


@loss("raw-columns", "validation")
def raw_columns_silu(rng):
    """A network on a table as it comes, neither inputs nor outputs standardized, on minibatches of 32.

    f = mean_i (net(x_i) − y_i)²; 9 columns in units from 1e−2 to 1e2, two layers of 24 SiLU units, y from about 100 to
    500.
    """
    n, d = 400, 9
    x, z = raw_table(rng, n, d)
    y = 300 + 60 * (np.tanh(z @ rng.normal(size=d)) + z @ rng.normal(size=d) / 3)
    drawn = minibatches(rng, 32, x, y.astype(np.float32)[:, None])

    def f(theta, batch):
        x, y = batch
        return mg.mean(mg.square(forward(theta, x, mg.silu) - y))

    return f, network(rng, d, 24, 24, 1), drawn


@loss("raw-columns", "validation")
def raw_columns_tanh(rng):
    """A network for two outputs of different units, from a table as it comes, on all of the data.

    f = mean_i |net(x_i) − y_i|²; 6 columns in units from 1e−2 to 1e2, 40 tanh units, most of which the large
    columns saturate; one output is in the hundreds, the other about 1.
    """
    n, d = 200, 6
    x, z = raw_table(rng, n, d)
    y = np.sin(z @ rng.normal(size=(d, 2))) * [80, 1] + [rng.uniform(100, 300), 0]
    y = y.astype(np.float32)

    def f(theta):
        return mg.mean(mg.sum(mg.square(forward(theta, x) - y), 1))

    return f, network(rng, d, 40, 2), None
