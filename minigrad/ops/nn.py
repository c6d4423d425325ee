"""What neural networks and their losses are written with."""

import math
import numbers

import numpy as np

from minigrad import structure
from minigrad.core import primitive
from minigrad.ops.elementwise import exp, sigmoid, sqrt, square, where
from minigrad.ops.reduce import mean, sum, var


def _of_logits(r):
    return [
        *((r.normal(size=(3, 4)),), (r.normal(size=(3, 4)), 0), (r.normal(size=(2, 3, 4)), -2)),
        *((r.normal(size=(3, 4)), np.int64(1)), (r.normal(size=5),), (r.normal(size=(0, 3)),)),
    ]


def _softmax_rule(y, x, axis=-1):
    return lambda g: y * (g - sum(g * y, axis, True))


@primitive(samples=_of_logits, rule=_softmax_rule)
def softmax(x, /, axis=-1):
    """y = eˣ/Σ eˣ over axis, shifted by the largest x so that it cannot overflow.

    VJP: y·(g − Σ g·y).

    For log(softmax(x)) use `log_softmax`, which stays exact where y is small.
    """
    y = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return y / np.sum(y, axis=axis, keepdims=True)


def _log_softmax_rule(y, x, axis=-1):
    return lambda g: g - exp(y) * sum(g, axis, True)


@primitive(samples=_of_logits, rule=_log_softmax_rule)
def log_softmax(x, /, axis=-1):
    """y = x − log Σ eˣ over axis: the log-probabilities of logits x.

    VJP: g − eʸ·Σ g.
    """
    shifted = x - np.max(x, axis=axis, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


def _check_classes(labels, classes):
    if labels.size and not 0 <= labels.min() <= labels.max() < classes:
        raise ValueError(f"labels must be from 0 to {classes - 1} for {classes} classes")


def _cross_entropy_rule(y, logits, labels):
    return (lambda g: g * ((exp(log_softmax(logits)) - _one_hot(labels, logits)) / logits.shape[0])), None


def _one_hot(labels, logits):
    return np.arange(logits.shape[1]) == labels[:, None]


@primitive(
    samples=lambda r: [(r.normal(size=(4, 3)), np.array([0, 2, 1, 2])), (r.normal(size=(1, 5)), np.array([4]))],
    rule=_cross_entropy_rule,
)
def cross_entropy(logits, labels, /):
    """−(1/n) Σᵢ log_softmax(logitsᵢ)[labelsᵢ] in nats, for logits (n, classes) and integer labels (n,).

    VJP: g·(softmax(logits) − one_hot(labels))/n; not differentiated.

    Raises ValueError where the shapes do not fit or a label is not a class, TypeError where logits are not numbers or
    labels are not integers.
    """
    logits = structure.numbers(logits, "logits of cross_entropy")
    if not isinstance(labels, np.ndarray) or labels.dtype.kind not in "iu":
        kind = getattr(labels, "dtype", type(labels).__name__)
        raise TypeError(f"cross_entropy takes an array of integer labels, not {kind}: pass np.asarray(labels, int)")
    if logits.ndim != 2 or labels.shape != logits.shape[:1]:
        raise ValueError(
            f"cross_entropy takes logits (n, classes) and labels (n,), got {logits.shape} and {labels.shape}"
        )
    _check_classes(labels, logits.shape[1])
    log_p = np.take_along_axis(log_softmax(logits), labels[:, None], axis=1)
    return -np.mean(log_p)


# ------------------------------------------------------------------------------------------ compositions


def silu(x):
    """x·sigmoid(x), also called swish. Elfwing et al. 2017, arXiv 1702.03118."""
    return x * sigmoid(x)


def gelu(x):
    """x·½·(1 + tanh(√(2/π)·(x + 0.044715·x³))), which is x·Φ(x) up to 0.0005, Φ the normal distribution function.

    This is PyTorch's gelu with approximate="tanh". Hendrycks & Gimpel 2016, arXiv 1606.08415.
    """
    a = math.sqrt(8.0 / math.pi)  # ½·(1 + tanh z) is sigmoid(2z)
    return x * sigmoid(x * (a + (0.044715 * a) * square(x)))


def layer_norm(x, gamma, beta, epsilon=1e-5):
    """γ·(x − μ)/√(σ² + ε) + β with the mean μ and variance σ² of each vector in the last axis of x.

    gamma γ and beta β have the length of that axis. Ba et al. 2016, arXiv 1607.06450.
    """
    if not x.shape[-1:] == np.shape(gamma) == np.shape(beta):
        raise ValueError(
            "layer_norm takes gamma and beta of the length of x's last axis, "
            f"got x {x.shape} with {np.shape(gamma)} and {np.shape(beta)}"
        )
    return (x - mean(x, -1, True)) / sqrt(var(x, -1, True) + epsilon) * gamma + beta


def one_hot(labels, classes, dtype=np.float64):
    """The array (…, classes) that is 1 at each of the integer labels (…) and 0 elsewhere: a constant.

    Raises TypeError where labels are no integers, ValueError where one is no class.
    """
    labels = structure.numbers(labels, "labels of one_hot")
    if labels.dtype.kind not in "iu":
        raise TypeError(f"one_hot takes integer labels, not {labels.dtype}: pass np.asarray(labels, int)")
    _check_classes(labels, classes)
    return (labels[..., None] == np.arange(classes)).astype(dtype)


def dropout(x, rate: float, rng):
    """x with each element set to 0 with probability `rate`, the others divided by 1 − rate: the mean stays.

    rng: the numpy Generator that chooses them. Srivastava et al. 2014, JMLR 15.

    Raises TypeError where rng is no Generator, ValueError where rate is not in [0, 1).
    """
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"dropout takes a numpy Generator, not {type(rng).__name__}: pass np.random.default_rng(seed)")
    if not (isinstance(rate, numbers.Real) and 0.0 <= rate < 1.0):
        raise ValueError(f"the rate of dropout is a number, at least 0 and below 1, not {rate!r}")
    return where(rng.random(np.shape(x)) >= rate, x / (1.0 - float(rate)), 0.0)
