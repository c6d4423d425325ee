"""Learning to learn by gradient descent by gradient descent (Andrychowicz et al. 2016), built on minigrad."""

import os
import signal
import sys

if sys.argv[:1] == ["-m"] and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    # `python -m l2l` loads libraries for a second or two before its main can meet a Ctrl-C.
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))

from l2l import doctor
from l2l.checkpoint import load, save
from l2l.evaluate import compare
from l2l.minimize import minimize
from l2l.optimizers import Groups, make_optimizer
from l2l.problems import make_problem
from l2l.train import train
from l2l.unroll import unroll

__all__ = [
    "Groups",
    "compare",
    "doctor",
    "load",
    "make_optimizer",
    "make_problem",
    "minimize",
    "save",
    "train",
    "unroll",
]
