"""Models that describe data without a target: autoencoders and flows that are densities, maps and embeddings."""

import numpy as np

import minigrad as mg
from l2l.problems.families import minibatches, normal
from l2l.suite.interface import loss
from l2l.suite.pieces import forward, network, small_digits

# ------------------------------------------------------------------------------------------ variational autoencoders

LATENTS = 5


def encode(layers, x, noise, activation):
    """z = μ(x) + σ(x)·noise, and the mean of KL(N(μ, σ²) ‖ N(0, 1)) = ½ Σ (μ² + σ² − 1 − log σ²), never
    negative."""
    out = forward(layers, x, activation)
    mu, log_variance = out[:, :LATENTS], out[:, LATENTS:]
    kl = 0.5 * mg.sum(mg.square(mu) + mg.exp(log_variance) - 1.0 - log_variance, 1)
    return mu + mg.exp(0.5 * log_variance) * noise, mg.mean(kl)


def with_noise(rng, next_rows):
    """The function next_batch that adds normal noise (batch, LATENTS) to the batch (x,)."""

    def next_batch():
        (x,) = next_rows()
        return x, normal(rng, len(x), LATENTS)

    return next_batch


def autoencoder(rng):
    """The weights of a variational autoencoder of `small_digits`."""
    return {"encoder": network(rng, 49, 32, 2 * LATENTS), "decoder": network(rng, LATENTS, 32, 49)}


@loss("variational-autoencoder", "test")
def vae_bernoulli(rng):
    """A variational autoencoder of binary 7×7 digits, on minibatches of 32. Kingma and Welling 2014.

    f = mean_i [−Σ_p log p(x_ip | z_i) + KL(q(z|x_i) ‖ N(0, I))], p Bernoulli, 5 latents, 32 tanh units in the encoder
    and in the decoder. A pixel is 1 with its brightness as probability, drawn once (Salakhutdinov and Murray 2008). No
    term is negative, because x is binary.
    """
    x = small_digits(rng, 500)
    x = (rng.random(x.shape) < x).astype(np.float32)

    def f(theta, batch):
        x, noise = batch
        z, kl = encode(theta["encoder"], x, noise, mg.tanh)
        logits = forward(theta["decoder"], z)
        return mg.mean(mg.sum(mg.softplus(logits) - x * logits, 1)) + kl

    return f, autoencoder(rng), with_noise(rng, minibatches(rng, 32, x))


@loss("variational-autoencoder", "test")
def vae_gaussian(rng):
    """A β-VAE of standardized 7×7 digits, on minibatches of 64. Higgins et al. 2017.

    f = mean_i [Σ_p (x_ip − x̂_p(z_i))² + 4·KL(q(z|x_i) ‖ N(0, I))], which is β = 4 for a normal decoder of variance ½;
    the networks are those of `vae-bernoulli`, with ReLU.
    """
    x = small_digits(rng, 500)
    x = (x - x.mean(0)) / (x.std(0) + np.float32(0.1))

    def f(theta, batch):
        x, noise = batch
        z, kl = encode(theta["encoder"], x, noise, mg.relu)
        return mg.mean(mg.sum(mg.square(forward(theta["decoder"], z, mg.relu) - x), 1)) + 4.0 * kl

    return f, autoencoder(rng), with_noise(rng, minibatches(rng, 64, x))


# ------------------------------------------------------------------------------------------ normalizing flow


@loss("normalizing-flow", "test")
def coupling_flow(rng):
    """A density of points on two moons by affine couplings, on minibatches of 64. Dinh et al. 2017 (RealNVP).

    f = mean_i [½ |z_i|² − Σ_l s_l + layers], z from x by 4 layers that change the coordinates in turn: a ↦ a·e^s + m
    with s = tanh(·) and m outputs of a network of the other coordinate. s ≤ 1, so f ≥ 0: it is −log p(x) − log 2π +
    layers.
    """
    layers, n = 4, 1000
    angle, upper = rng.uniform(0, np.pi, size=n), rng.random(n) < rng.uniform(0.2, 0.8)
    moons = np.where(upper, [np.cos(angle), np.sin(angle)], [1 - np.cos(angle), 0.5 - np.sin(angle)]).T
    x = (moons - [0.5, 0.25] + 0.1 * rng.normal(size=(n, 2))).astype(np.float32)

    def f(theta, batch):
        a, b = batch[0][:, :1], batch[0][:, 1:]
        total = 0.0
        for layer in theta:
            out = forward(layer, b)
            s = mg.tanh(out[:, :1])
            a, b = b, a * mg.exp(s) + out[:, 1:]
            total = total + s
        return mg.mean(0.5 * (mg.square(a) + mg.square(b)) - total) + float(layers)

    return f, [network(rng, 1, 16, 16, 2) for _ in range(layers)], minibatches(rng, 64, x)


# ------------------------------------------------------------------------------------------ metric embedding


def clusters(rng, n, d, k, apart=2):
    """n points (n, d), N(0, 1) around k random centres from N(0, apart²), and the cluster of each."""
    labels = rng.integers(k, size=n)
    return apart * rng.normal(size=(k, d))[labels] + rng.normal(size=(n, d)), labels


def differences(x):
    """x_i − x_j for all pairs, (n, n, d)."""
    return x[:, None] - x[None, :]


@loss("metric-embedding", "test")
def mds_stress(rng):
    """A map of 60 points of a space of 10 dimensions that keeps distances: the squared stress. After Kruskal 1964.

    f(x) = Σ_ij (|x_i − x_j| − d_ij)² / Σ_ij d_ij² for x (60, 2), which starts at N(0, 1).
    """
    points, _ = clusters(rng, 60, 10, 4)
    d = np.linalg.norm(differences(points), axis=2).astype(np.float32)
    d /= d.mean()
    whole = float(np.sum(d * d))

    def f(x):
        return mg.sum(mg.square(mg.norm(differences(x), 2) - d)) / whole

    return f, normal(rng, 60, 2), None


def neighbours(points, perplexity):
    """p_ij of t-SNE (n, n): the mean of p_j|i and p_i|j, over n, where p_j|i ∝ exp(−b_i |x_i − x_j|²) and b_i, found by
    bisection, makes the perplexity of p_·|i the one given."""
    squares = np.sum(np.square(differences(points)), axis=2)
    np.fill_diagonal(squares, np.inf)
    squares -= squares.min(1, keepdims=True)
    low, high = np.full((len(points), 1), -20.0), np.full((len(points), 1), 20.0)  # of log b
    for _ in range(50):
        middle = (low + high) / 2
        p = np.exp(-np.exp(middle) * squares)
        p /= p.sum(1, keepdims=True)
        wide = -np.sum(p * np.log(np.maximum(p, 1e-300)), axis=1, keepdims=True) > np.log(perplexity)
        low, high = np.where(wide, middle, low), np.where(wide, high, middle)
    return (p + p.T) / (2 * len(points))


@loss("metric-embedding", "test")
def t_sne(rng):
    """A map of 60 points that keeps neighbours. Van der Maaten and Hinton 2008.

    f(x) = KL(P ‖ Q) with q_ij ∝ 1/(1 + |x_i − x_j|²), i ≠ j, for x (60, 2), which starts at N(0, 0.01²); P of
    perplexity 15.
    """
    p = neighbours(clusters(rng, 60, 10, 4)[0], 15)
    entropy = -float(np.sum(p * np.log(np.maximum(p, 1e-300))))
    p, pairs = p.astype(np.float32), 1 - np.eye(60, dtype=np.float32)

    def f(x):
        spread = 1.0 + mg.sum(mg.square(differences(x)), 2)
        return mg.sum(p * mg.log(spread)) + mg.log(mg.sum(pairs / spread)) - entropy

    return f, normal(rng, 60, 2, scale=0.01), None


@loss("metric-embedding", "test")
def triplet(rng):
    """A network that puts points of one class together, on minibatches of 64 triplets. Hermans et al. 2017.

    f = mean log(1 + exp(|g(a) − g(p)| − |g(a) − g(n)|)), p of a's class and n of another one of 6; g has 24 ReLU units
    and 8 outputs. Two thirds of the 24 inputs are noise of three times the size.
    """
    points, labels = clusters(rng, 600, 8, 6, apart=1)
    x = np.concatenate([points, 3 * rng.normal(size=(600, 16))], axis=1).astype(np.float32) / 3

    def next_batch():
        anchors, others = rng.integers(600, size=64), rng.random((64, 600))
        same = labels == labels[anchors, None]
        return x[anchors], x[np.argmax(others * same, 1)], x[np.argmax(others * ~same, 1)]

    def f(theta, batch):
        a, p, n = (forward(theta, x, mg.relu) for x in batch)
        return mg.mean(mg.softplus(mg.norm(a - p, 1) - mg.norm(a - n, 1)))

    return f, network(rng, 24, 24, 8), next_batch


# ------------------------------------------------------------------------------------------ contrastive


@loss("contrastive", "test")
def info_nce(rng):
    """Two networks that recognize which two views are of the same object, on minibatches of 48. Radford et al. 2021.

    f = ½ (cross-entropy over the rows + over the columns) of the logits e^τ·cos(g(x_i), h(y_j)), the right answers on
    the diagonal (van den Oord et al. 2018). x and y are two noisy nonlinear views, 20 numbers each, of 5 hidden ones; g
    and h have 24 GELU units and 8 outputs; τ starts at log(1/0.07).
    """
    hidden = rng.normal(size=(1000, 5))
    views = [np.tanh(hidden @ rng.normal(size=(5, 20)) / 2) + 0.3 * rng.normal(size=(1000, 20)) for _ in range(2)]
    drawn = minibatches(rng, 48, *(view.astype(np.float32) for view in views))
    answers = np.arange(48)

    def unit(z):
        return z / mg.sqrt(mg.sum(mg.square(z), 1, True) + 1e-6)

    def f(theta, batch):
        g, h = (unit(forward(layers, x, mg.gelu)) for layers, x in zip(theta["views"], batch, strict=True))
        logits = mg.exp(theta["scale"]) * (g @ mg.transpose(h))
        return 0.5 * (mg.cross_entropy(logits, answers) + mg.cross_entropy(mg.transpose(logits), answers))

    start = {"scale": np.full(1, np.log(1 / 0.07), np.float32), "views": [network(rng, 20, 24, 8) for _ in range(2)]}
    return f, start, drawn
