"""Networks on a graph whose nodes are in hidden groups."""

import numpy as np

import minigrad as mg
from l2l.problems.families import dense, normal
from l2l.suite.interface import loss


def block_model(rng, n, groups, inside, between):
    """The group of each node, and the symmetric adjacency matrix (n, n) without loops, whose edges are drawn with these
    probabilities: a stochastic block model (Holland et al. 1983)."""
    group = rng.integers(groups, size=n)
    odds = np.where(group[:, None] == group, inside, between)
    upper = np.triu(rng.random((n, n)) < odds, 1)
    return group, (upper | upper.T).astype(np.float32)


def normalized(adjacency):
    """D^−½ (A + I) D^−½ with the degrees D of A + I: what a graph convolution multiplies by."""
    A = adjacency + np.eye(len(adjacency), dtype=np.float32)
    root = np.sqrt(A.sum(axis=1))
    return A / root / root[:, None]


@loss("graph", "validation")
def graph_convolution(rng):
    """The groups of 100 nodes from 40 of them and from noisy features. Kipf and Welling 2017, equation 9.

    f = −mean_i Σ_k q_ik log p_ik over the 40, p = softmax(Â relu(Â X W_1 + b_1) W_2 + b_2) with 16 units, q the label,
    one of 4, smoothed by 0.1 (Szegedy et al. 2016).
    """
    n, groups, d, known = 100, 4, 12, 40
    group, A = block_model(rng, n, groups, 0.15, 0.02)
    x = (0.5 * rng.normal(size=(groups, d))[group] + rng.normal(size=(n, d))).astype(np.float32)
    A, smooth = normalized(A), (0.9 * np.eye(groups)[group[:known]] + 0.1 / groups).astype(np.float32)
    Ax = A @ x

    def f(theta):
        first, second = theta
        logits = mg.layers.dense(second, A[:known] @ mg.relu(mg.layers.dense(first, Ax)))
        return -mg.mean(mg.sum(smooth * mg.log_softmax(logits), 1))

    return f, [dense(rng, d, 16, np.sqrt(2)), dense(rng, 16, groups)], None


@loss("graph", "validation")
def graph_autoencoder(rng):
    """The edges between 60 nodes from places z of the nodes. Kipf and Welling 2016, arXiv 1611.07308.

    f = the mean over pairs of softplus(s_ij) − A_ij s_ij, edges weighted so that they count as much as the rest, s =
    z zᵀ + c, z = Â tanh(Â W_1) W_2 with 16 units and 4 coordinates; nodes have no features.
    """
    n, units = 60, 16
    _, A = block_model(rng, n, 4, 0.4, 0.03)
    weight = np.where(A > 0, 0.5 / A.sum(), 0.5 / (A.size - A.sum())).astype(np.float32)
    near = normalized(A)

    def f(theta):
        z = near @ mg.tanh(near @ theta["first"]) @ theta["second"]
        s = z @ z.T + theta["offset"]
        return mg.sum(weight * (mg.softplus(s) - A * s))

    start = {
        "first": normal(rng, n, units, scale=np.sqrt(2 / (n + units))),
        "offset": np.zeros(1, np.float32),
        "second": normal(rng, units, 4, scale=np.sqrt(2 / (units + 4))),
    }
    return f, start, None
