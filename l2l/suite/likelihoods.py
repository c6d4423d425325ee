"""Likelihoods of statistics: Gaussian processes, counts, times of survival."""

import numpy as np

import minigrad as mg
from l2l.problems.families import minibatches, normal
from l2l.problems.regressions import inputs
from l2l.suite.interface import loss
from l2l.suite.pieces import standardized

# ------------------------------------------------------------------------------------------ Gaussian processes

FLOOR = 0.01  # the least noise, in units of the kernel's diagonal: R − FLOOR·I is positive semidefinite


def likelihood(R, y):
    """½ log(yᵀR⁻¹y/n) + log det(R)/(2n), less its lower bound: −log p(y) per value, up to a constant, for y ~ N(0, s²
    R) at the best s² (Jones et al. 1998).

    With yᵀy = n, det(R) ≥ FLOORⁿ and no eigenvalue of R above n + FLOOR, the bound is ½ log(FLOOR/(n + FLOOR)).
    """
    n = len(y)
    fit = mg.log(y @ mg.linalg.solve(R, y) / n)
    return 0.5 * (fit + mg.linalg.slogdet(R)[1] / n) - 0.5 * float(np.log(FLOOR / (n + FLOOR)))


@loss("gaussian-process", "test")
def gaussian_process_ard(rng):
    """The length of each input in the kernel of a Gaussian process, and the noise; half of the inputs are useless.

    f = `likelihood` of 50 values with R_ij = exp(−½ Σ_k (x_ik − x_jk)²/l_k²) + (FLOOR + e^2τ) δ_ij; θ = (log l, τ).
    Rasmussen and Williams 2006, section 5.1.
    """
    n, d = 50, 6
    x = rng.normal(size=(n, d))
    y = standardized(np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2] / 2 + 0.1 * rng.normal(size=n))
    squares = np.square(x[:, None] - x).astype(np.float32).reshape(n * n, d)
    eye = np.eye(n, dtype=np.float32)

    def f(theta):
        distances = mg.reshape(squares @ mg.exp(-2.0 * theta["lengths"]), (n, n))
        return likelihood(mg.exp(-0.5 * distances) + (FLOOR + mg.exp(2.0 * theta["noise"])) * eye, y)

    return f, {"lengths": normal(rng, d, scale=0.1), "noise": normal(rng, 1, scale=0.1)}, None


@loss("gaussian-process", "test")
def gaussian_process_sum(rng):
    """A series as the sum of a trend, a season and noise.

    f = `likelihood` of 60 values at times t with R = w_1 exp(−δ²/(2 l_1²)) + w_2 exp(−2 sin²(πδ/p)/l_2²) + (w_3 +
    FLOOR)·I, δ = t − t', w = softmax(v); θ = (log l, log p, v). Duvenaud 2014 (thesis), chapter 2.
    """
    n = 60
    t = rng.uniform(0, 4, size=n)
    trend, phase, period = rng.normal(size=2), rng.uniform(0, 2 * np.pi), rng.uniform(0.9, 1.1)
    season = 2 * np.pi * t / period + phase
    values = np.stack([trend[0] * t / 2 + trend[1] * np.sin(t), 2 * np.sin(season + np.sin(season))])
    y = standardized(values.sum(0) + 0.1 * rng.normal(size=n))
    apart = (t[:, None] - t).astype(np.float32)
    squares = np.square(apart)
    eye = np.eye(n, dtype=np.float32)

    def f(theta):
        w = mg.softmax(theta["weights"])
        long, wiggle = mg.exp(-2.0 * theta["lengths"])
        slow = mg.exp(-0.5 * squares * long)
        periodic = mg.exp(-2.0 * wiggle * mg.square(mg.sin(np.pi * apart * mg.exp(-theta["period"]))))
        return likelihood(w[0] * slow + w[1] * periodic + (w[2] + FLOOR) * eye, y)

    return f, {key: normal(rng, m, scale=0.1) for key, m in (("lengths", 2), ("period", 1), ("weights", 3))}, None


# ------------------------------------------------------------------------------------------ counts and survival


def predictor(rng, n, d, spread):
    """Inputs x (n, d) of different scales, and x·w for random w, of standard deviation `spread`."""
    x = inputs(rng, n, d)
    z = x @ rng.normal(size=d)
    return x, spread * z / z.std()


@loss("counts-and-survival", "test")
def poisson_regression(rng):
    """Counts whose log-rate is linear in the inputs: half of the mean deviance.

    f(w, b) = mean_i [exp(η_i) − y_i η_i + y_i log y_i − y_i] with η_i = x_i·w + b: −log-likelihood less its least
    value, that of η_i = log y_i. Nelder and Wedderburn 1972.
    """
    x, eta = predictor(rng, 300, 20, 0.8)
    y = rng.poisson(np.exp(eta + 1))
    least = float(np.mean(y - y * np.log(np.maximum(y, 1))))
    y = y.astype(np.float32)

    def f(theta):
        eta = x @ theta["w"] + theta["b"]
        return mg.mean(mg.exp(eta) - y * eta) - least

    return f, {"b": normal(rng, 1, scale=0.01), "w": normal(rng, 20, scale=0.01)}, None


@loss("counts-and-survival", "test")
def negative_binomial(rng):
    """Counts that scatter more than Poisson's, at most 100, from 40 groups with a level each, on minibatches of 64.

    f = −mean_i log p(y_i), p(y) = Γ(y + r)/(Γ(r) y!) (r/(r + μ))^r (μ/(r + μ))^y, with log μ_i = x_i·w + b_g(i) and r =
    exp(ρ); not below 0, because p is a probability. Hilbe 2011, Negative Binomial Regression.
    """
    n, d, groups, largest = 600, 10, 40, 100
    x, eta = predictor(rng, n, d, 0.5)
    group = rng.integers(groups, size=n)
    rate = np.exp(eta + 2 + 0.5 * rng.normal(size=groups)[group])
    y = np.minimum(rng.poisson(rate * rng.gamma(2.0, 0.5, size=n)), largest)
    below = np.arange(largest, dtype=np.float32)
    drawn = minibatches(rng, 64, x, group, y.astype(np.float32))

    def f(theta, batch):
        x, group, y = batch
        eta, rho = x @ theta["w"] + theta["levels"][group], theta["rho"]
        r = mg.exp(rho)
        ratios = mg.cumsum(mg.log(r + below) - np.log1p(below))  # Γ(y + r)/(Γ(r) y!) = Π_{k<y} (r + k)/(k + 1)
        choose = mg.where(y > 0, ratios[np.maximum(y.astype(int) - 1, 0)], 0.0)
        return mg.mean(r * mg.softplus(eta - rho) + y * mg.softplus(rho - eta) - choose)

    start = {
        "levels": normal(rng, groups, scale=0.1),
        "rho": normal(rng, 1, scale=0.1),
        "w": normal(rng, d, scale=0.01),
    }
    return f, start, drawn


@loss("counts-and-survival", "test")
def cox(rng):
    """Which of those still alive dies next: the proportional hazards of Cox 1972, two fifths of the times censored.

    f(w) = mean over the deaths i of [log Σ_{j: t_j ≥ t_i} exp(x_j·w) − x_i·w], which is not below 0.
    """
    n, d = 150, 15
    x, eta = predictor(rng, n, d, 2.0)
    times, censored = rng.exponential(np.exp(-eta)), rng.exponential(2.0, size=n)
    died = np.flatnonzero(times <= censored)
    seen = np.minimum(times, censored)
    left = np.where(seen >= seen[died, None], 0, -1e9).astype(np.float32)  # (deaths, n): 0 where j is at risk

    def f(w):
        eta = x @ w
        return mg.mean(mg.logsumexp(eta + left, 1) - eta[died])

    return f, normal(rng, d, scale=0.01), None
