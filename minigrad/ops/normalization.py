"""Batch normalization and its derivatives.

The first derivatives are primitives of their own, each computed in a few passes over x. Their rules differentiate the
same formulas written with other primitives, so all orders exist.
"""

import numpy as np

from minigrad.core import primitive, vjp
from minigrad.kernels import normalization
from minigrad.ops.elementwise import sqrt
from minigrad.ops.reduce import channel_sums, mean, sum, var


def _axes(x):
    """What the statistics of a channel run over: n, and in images height and width too."""
    return (0, 2, 3) if x.ndim == 4 else (0,)


def _three_axes(x):
    """x as (n, channels, places), which is how the kernels take it."""
    return np.ascontiguousarray(x).reshape((*x.shape[:2], -1))


def _statistics(x, epsilon):
    """μ and 1/σ = 1/√(variance + epsilon) of every channel."""
    mean, variance = normalization.moments(x)
    return mean, 1.0 / np.sqrt(variance + epsilon)


def _for(x, p):
    """p, a number for every channel, shaped to broadcast with x."""
    return p.reshape((p.shape[0], 1, 1)) if x.ndim == 4 else p


def _standardized(x, epsilon):
    """x̂ = (x − μ)/σ, and σ = √(variance + epsilon)."""
    sigma = sqrt(var(x, _axes(x), True) + epsilon)
    return (x - mean(x, _axes(x), True)) / sigma, sigma


def _pull_to_x(g, x, gamma, epsilon):
    axes, (x_hat, sigma) = _axes(x), _standardized(x, epsilon)
    return (g - mean(g, axes, True) - x_hat * mean(g * x_hat, axes, True)) * (_for(x, gamma) / sigma)


def _pull_to_gamma(g, x, epsilon):
    return sum(g * _standardized(x, epsilon)[0], _axes(x))


def _rule_of(f):
    """The rule of a primitive whose value is f(*arrays, epsilon), f written with primitives."""

    def rule(y, *arguments):
        *arrays, epsilon = arguments

        def to(i):
            return lambda h: vjp(lambda inputs: f(*inputs, epsilon), arrays)[1](h)[i]

        return tuple(to(i) for i in range(len(arrays)))

    return rule


def _check(x, gamma, beta):
    if x.ndim not in (2, 4) or gamma.shape != x.shape[1:2] or beta.shape != gamma.shape:
        raise ValueError(
            "batch_norm takes x (n, channels) or (n, channels, height, width) with gamma and beta (channels,), "
            f"got {x.shape} with {gamma.shape} and {beta.shape}"
        )
    if x.size == 0:
        raise ValueError(f"batch_norm needs something to average over, got x {x.shape}")


def _samples(r):
    return [(r.normal(size=s), r.normal(size=s[1]), r.normal(size=s[1])) for s in ((3, 2, 4, 3), (5, 3), (1, 2, 2, 1))]


def _with_cotangent(r):
    """The same samples as (g, x, gamma, epsilon)."""
    return [(r.normal(size=x.shape), x, gamma, 1e-5) for x, gamma, _ in _samples(r)]


def _batch_norm_rule(y, x, gamma, beta, epsilon=1e-5):
    return (
        lambda g: batch_norm_to_x(g, x, gamma, epsilon),
        lambda g: batch_norm_to_gamma(g, x, epsilon),
        channel_sums,
    )


@primitive(samples=_samples, rule=_batch_norm_rule)
def batch_norm(x, gamma, beta, /, epsilon=1e-5):
    """γ·x̂ + β with x̂ = (x − μ)/√(σ² + ε), where μ and σ² are the mean and variance of each channel of this batch.

    x is (n, channels) or (n, channels, height, width), and a channel's statistics run over all axes but its own; gamma
    γ and beta β are (channels,). There are no running averages: these are the statistics of training. Ioffe & Szegedy
    2015, arXiv 1502.03167, Algorithm 1.

    VJP: (γ/σ)·(g − mean g − x̂·mean(g·x̂)); Σ g·x̂; Σ g, means and sums over a channel.
    """
    _check(x, gamma, beta)
    x3 = _three_axes(x)
    mean, inverse = _statistics(x3, epsilon)
    return normalization.scale(x3, gamma * inverse, mean, beta).reshape(x.shape)


@primitive(samples=_with_cotangent, rule=_rule_of(_pull_to_x))
def batch_norm_to_x(g, x, gamma, /, epsilon):
    """(γ/σ)·(g − mean g − x̂·mean(g·x̂)): a cotangent g of batch_norm, pulled back to x.

    VJP: the formula's own, by composition.
    """
    g3, x3 = _three_axes(g), _three_axes(x)
    mean, inverse = _statistics(x3, epsilon)
    total, overlap = normalization.overlaps(g3, x3, mean)
    count, a = x3.size // x3.shape[1], gamma * inverse
    y = normalization.combine(g3, x3, mean, a, -a * inverse**2 * overlap / count, -a * total / count)
    return y.reshape(x.shape)


@primitive(
    samples=lambda r: [(g, x, epsilon) for g, x, _, epsilon in _with_cotangent(r)], rule=_rule_of(_pull_to_gamma)
)
def batch_norm_to_gamma(g, x, /, epsilon):
    """Σ g·x̂ over each channel: a cotangent g of batch_norm, pulled back to gamma.

    VJP: the formula's own, by composition.
    """
    g3, x3 = _three_axes(g), _three_axes(x)
    mean, inverse = _statistics(x3, epsilon)
    return normalization.overlaps(g3, x3, mean)[1] * inverse
