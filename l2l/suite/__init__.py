"""Losses to judge an optimizer by that no meta-training has seen: python -m l2l suite NAME

Each is a function of rng that draws one loss, as people bring it, and where to start. `LOSSES` has them all. The split
of a loss says what it is for: "validation" for choices, "test" for what is reported, "kin" for what is reported apart,
because the default mixture of meta-training has a family of the same kind.
"""

from l2l.suite import (  # each enters its losses into LOSSES
    deep_networks,  # noqa: F401
    dynamics,  # noqa: F401
    functions,  # noqa: F401
    graphs,  # noqa: F401
    landscapes,  # noqa: F401
    likelihoods,  # noqa: F401
    regressions,  # noqa: F401
    representations,  # noqa: F401
    sequences,  # noqa: F401
    unsupervised,  # noqa: F401
)
from l2l.suite.interface import LOSSES, SPLITS, SuiteLoss

__all__ = ["LOSSES", "SPLITS", "SuiteLoss"]
