"""How φ stores a rule's constants: as unconstrained float64 numbers, valid after any step of meta-training.

A positive constant is stored as its logarithm, one in (0, 1) as its logit.
"""

import numpy as np

import minigrad as mg


def log(x):
    return np.asarray(np.log(x), np.float64)


def logit(x):
    return np.asarray(np.log(x) - np.log1p(-x), np.float64)


def positive(log_x, like):
    """exp(log_x) in the dtype of `like`: φ is float64, but θ may not be."""
    return mg.astype(mg.exp(log_x), like.dtype)


def fraction(logit_x, like):
    return mg.astype(mg.sigmoid(logit_x), like.dtype)
