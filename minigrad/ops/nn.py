"""Primitives of neural networks."""

import numpy as np

from minigrad import structure
from minigrad.core import primitive
from minigrad.ops.elementwise import exp
from minigrad.ops.reduce import sum


def _log_softmax_rule(y, x, axis=-1):
    return lambda g: g - exp(y) * sum(g, axis, True)


@primitive(
    samples=lambda r: [
        *((r.normal(size=(3, 4)),), (r.normal(size=(3, 4)), 0), (r.normal(size=(2, 3, 4)), -2)),
        *((r.normal(size=(3, 4)), np.int64(1)), (r.normal(size=5),), (r.normal(size=(0, 3)),)),
    ],
    rule=_log_softmax_rule,
)
def log_softmax(x, /, axis=-1):
    """y = x − log Σ eˣ over axis: the log-probabilities of logits x.

    VJP: g − eʸ·Σ g.
    """
    shifted = x - np.max(x, axis=axis, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


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

    Raises ValueError where the shapes do not fit or a label is no class, TypeError where logits are no numbers or
    labels no integers.
    """
    logits = structure.numbers(logits, "logits of cross_entropy")
    if not isinstance(labels, np.ndarray) or labels.dtype.kind not in "iu":
        kind = getattr(labels, "dtype", type(labels).__name__)
        raise TypeError(f"cross_entropy takes an array of integer labels, not {kind}: pass np.asarray(labels, int)")
    if logits.ndim != 2 or labels.shape != logits.shape[:1]:
        raise ValueError(
            f"cross_entropy takes logits (n, classes) and labels (n,), got {logits.shape} and {labels.shape}"
        )
    classes = logits.shape[1]
    if labels.size and not 0 <= labels.min() <= labels.max() < classes:
        raise ValueError(f"the labels of {classes} classes are 0 to {classes - 1}, these are not")
    log_p = np.take_along_axis(log_softmax(logits), labels[:, None], axis=1)
    return -np.mean(log_p)
