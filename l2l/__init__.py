"""Learning to learn by gradient descent by gradient descent (Andrychowicz et al. 2016), built on minigrad."""

import sys
from importlib import metadata

try:
    from l2l.diagnosis.doctor import diagnose
    from l2l.evaluation import compare
    from l2l.minimization import DivergenceWarning, minimize
    from l2l.optimizers import Groups, make_optimizer
    from l2l.problems import Task, make_problem, problem_of
    from l2l.registry import register
    from l2l.storage.checkpoint import load, save
    from l2l.storage.runs import resume, train
    from l2l.unrolling import unroll
except KeyboardInterrupt:
    # `python -m l2l` loads libraries for a second or two before its main can meet a Ctrl-C. Of another program that
    # imports l2l, this is none of our business.
    if sys.argv[:1] == ["-m"] and sys.orig_argv[-len(sys.argv)] == "l2l":
        sys.exit(130)
    raise

__all__ = [
    "DivergenceWarning",
    "Groups",
    "Task",
    "compare",
    "diagnose",
    "load",
    "make_optimizer",
    "make_problem",
    "minimize",
    "problem_of",
    "register",
    "resume",
    "save",
    "train",
    "unroll",
]

try:
    __version__ = metadata.version("l2l")
except metadata.PackageNotFoundError:  # in a folder that was copied, not installed
    __version__ = "unknown"
