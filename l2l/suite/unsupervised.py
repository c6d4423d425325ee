"""Models that describe data without a target: autoencoders, mixtures as densities, sparse codes."""

import numpy as np

import minigrad as mg
from l2l.problems.families import dense, minibatches, normal, rotation
from l2l.suite.interface import loss
from l2l.suite.pieces import forward, network, small_digits

# ------------------------------------------------------------------------------------------ autoencoders


@loss("autoencoder", "validation")
def deep_autoencoder(rng):
    """7×7 digits through 4 numbers and back, by tanh layers of 49-24-4-24-49 units, on minibatches of 32.

    f = mean (x̂ − x)² over digits and pixels; the last layer is sigmoid. Hinton and Salakhutdinov 2006, without
    pretraining.
    """

    def f(theta, batch):
        (x,) = batch
        return mg.mean(mg.square(mg.sigmoid(forward(theta, x)) - x))

    return f, network(rng, 49, 24, 4, 24, 49), minibatches(rng, 32, small_digits(rng, 500))


@loss("autoencoder", "validation")
def denoising_autoencoder(rng):
    """7×7 digits from the same with 3 of 10 pixels set to 0, on minibatches of 32. Vincent et al. 2008.

    f = mean_i Σ_p [softplus(s_ip) − x_ip s_ip − H(x_ip)], the cross-entropy of the logits s of a network with 40 ReLU
    units, less its least value: H(x) = −x log x − (1 − x) log(1 − x), that of s = log(x/(1 − x)).
    """
    x = small_digits(rng, 500)
    inside = np.clip(x, 1e-7, 1 - 1e-7)  # where x is 0 or 1, H is 0
    entropy = -x * np.log(inside) - (1 - x) * np.log(1 - inside)
    rows = minibatches(rng, 32, x, entropy.sum(1))

    def next_batch():
        x, least = rows()
        return x, x * (rng.random(x.shape) > 0.3), least

    def f(theta, batch):
        x, seen, least = batch
        s = forward(theta, seen, mg.relu)
        return mg.mean(mg.sum(mg.softplus(s) - x * s, 1) - least)

    return f, network(rng, 49, 40, 49, gain=np.sqrt(2)), next_batch


@loss("autoencoder", "validation")
def sparse_autoencoder(rng):
    """7×7 digits, centred, by 64 sigmoid units of which few shall be active, on minibatches of 64.

    f = mean_i [|x̂_i − x_i|² + 0.05 Σ_j h_ij] with h = sigmoid(x W + b) and x̂ = h Wᵀ + c, the same W. Ng 2011, with an
    absolute value in place of the divergence.
    """
    x = small_digits(rng, 500)
    x -= x.mean(0)
    W = dense(rng, 49, 64)["W"]
    start = {"W": W, "b": np.zeros(64, np.float32), "c": np.zeros(49, np.float32)}

    def f(theta, batch):
        (x,) = batch
        h = mg.sigmoid(mg.layers.dense(theta, x))
        rest = h @ theta["W"].T + theta["c"] - x
        return mg.mean(mg.sum(mg.square(rest), 1) + 0.05 * mg.sum(h, 1))

    return f, start, minibatches(rng, 64, x)


# ------------------------------------------------------------------------------------------ mixtures
#
# No component is narrower than FLOOR, so that −log of a density of d values has a lower bound, d·log(FLOOR·√(2π)).

FLOOR = 0.1


def mixture_loss(logits, rests, scales):
    """−mean_i log Σ_k π_k Π_j N(r_ijk; 0, σ_k²) less its lower bound, with π = softmax(logits) and σ = FLOOR +
    softplus(scales).

    rests r: (n, d, k), the distances of the values from the means; logits and scales: (k,).
    """
    d, sigma = rests.shape[1], FLOOR + mg.softplus(scales)
    logs = mg.log_softmax(logits) - d * mg.log(sigma / FLOOR) - 0.5 * mg.sum(mg.square(rests / sigma), 1)
    return -mg.mean(mg.logsumexp(logs, 1))


@loss("mixture-density", "validation")
def gaussian_mixture(rng):
    """300 points of 5 clusters in the plane as a mixture of 6 normal distributions: the means, widths and weights.

    f = `mixture_loss` of all points. The means are points at first (Bishop 2006, section 9.2, by gradients in place of
    EM).
    """
    n, clusters, k = 300, 5, 6
    label, width = rng.integers(clusters, size=n), rng.uniform(0.3, 1, size=clusters)
    x = 3 * rng.normal(size=(clusters, 2))[label] + width[label, None] * rng.normal(size=(n, 2))
    x = x.astype(np.float32)

    def f(theta):
        return mixture_loss(theta["weights"], x[:, :, None] - theta["means"], theta["scales"])

    means = np.ascontiguousarray(x[rng.choice(n, k, replace=False)].T)
    return f, {"means": means, "scales": normal(rng, k, scale=0.1), "weights": np.zeros(k, np.float32)}, None


@loss("mixture-density", "validation")
def mixture_of_regressions(rng):
    """Values that follow one of 3 linear functions, nobody knows which, on minibatches of 64. De Veaux 1989.

    f = `mixture_loss` of y_i − (x_i W + b)_k: the functions, their noise and their weights, from 6 features.
    """
    n, d, k = 500, 6, 3
    x = normal(rng, n, d)
    y = np.sum(x * (2 * rng.normal(size=(k, d)))[rng.integers(k, size=n)], axis=1) + 0.2 * rng.normal(size=n)
    drawn = minibatches(rng, 64, x, y.astype(np.float32))

    def f(theta, batch):
        x, y = batch
        rests = y[:, None] - mg.layers.dense(theta["lines"], x)
        return mixture_loss(theta["weights"], mg.expand_dims(rests, 1), theta["scales"])

    start = {"lines": dense(rng, d, k), "scales": normal(rng, k, scale=0.1), "weights": np.zeros(k, np.float32)}
    return f, start, drawn


# ------------------------------------------------------------------------------------------ sparse codes


@loss("sparse-coding", "validation")
def independent_components(rng):
    """8 sources from 8 mixtures of them: independent components with reconstruction. Le et al. 2011.

    f(W) = mean_i [Σ_j log cosh(x_i W)_j + ½ |x_i W Wᵀ − x_i|²], x whitened, 8 → 12 components, minibatches of 64. No
    term is negative.
    """
    n, d, k = 1000, 8, 12
    x = rng.laplace(size=(n, d)) @ rng.normal(size=(d, d))
    U, _, _ = np.linalg.svd(x - x.mean(0), full_matrices=False)
    x = (np.sqrt(n) * U @ rotation(rng, d)).astype(np.float32)

    def f(W, batch):
        (x,) = batch
        z = mg.abs(x @ W)
        log_cosh = z + mg.softplus(-2.0 * z) - float(np.log(2))
        return mg.mean(mg.sum(log_cosh, 1) + 0.5 * mg.sum(mg.square((x @ W) @ W.T - x), 1))

    return f, normal(rng, d, k, scale=1 / np.sqrt(d)), minibatches(rng, 64, x)


@loss("sparse-coding", "validation")
def learned_shrinkage(rng):
    """A network that finds sparse codes h of signals x in 3 steps, on minibatches of 64. Gregor and LeCun 2010.

    f = mean_i [½ |x_i − h_i D|² + 0.2 Σ_j |h_ij|], D (20 × 10) known, its rows of length 1. h_0 = 0, h_{t+1} =
    shrink(x W + h_t S, λ) with shrink(z, λ) = sign(z) max(|z| − λ, 0). W, S and λ are at first those of proximal
    gradient descent (ISTA) at half of its rate.
    """
    n, d, k = 800, 10, 20
    D = rng.normal(size=(k, d))
    D /= np.linalg.norm(D, axis=1, keepdims=True)
    codes = rng.normal(size=(n, k)) * (rng.random((n, k)) < 0.15)
    x = (2 * codes @ D + 0.05 * rng.normal(size=(n, d))).astype(np.float32)
    rate = 0.5 / np.linalg.norm(D, 2) ** 2
    start = {
        "lambda": np.full(k, 0.2 * rate, np.float32),
        "S": (np.eye(k) - rate * D @ D.T).astype(np.float32),
        "W": (rate * D.T).astype(np.float32),
    }
    D = D.astype(np.float32)

    def f(theta, batch):
        (x,) = batch
        given, h = x @ theta["W"], np.zeros((len(x), k), np.float32)
        for _ in range(3):
            z = given + h @ theta["S"]
            h = mg.relu(z - theta["lambda"]) - mg.relu(-z - theta["lambda"])
        return mg.mean(0.5 * mg.sum(mg.square(x - h @ D), 1) + 0.2 * mg.sum(mg.abs(h), 1))

    return f, start, minibatches(rng, 64, x)
