"""Update rules m, hand-designed and learned, behind one interface:

    phi           = optimizer.init(rng)                 # the rule's own parameters φ, a tree of arrays
    state         = optimizer.init_state(theta)         # h_0
    update, state = optimizer(phi, grad, state)         # (g_t, h_{t+1}) = m(∇_t, h_t; φ)
    theta         = theta + update                      # θ_{t+1} = θ_t + g_t

grad is an array of any shape, update has its shape and precision; `interface.UpdateRule` is the whole contract. A rule
is a frozen dataclass whose fields are its settings, declared by `registry.setting`; everything that could be learned is
in φ. To add one, write the class and name it here; from outside the package, call `l2l.register`.

A rule that depends on the number of steps T or on θ's tensors has a method `fit` as well; `fitted` makes the rule for a
task. A rule with `uses_curvature = True` takes a fourth argument, the `problems.Curvature` of f at θ_t, whose
hessian(v), gauss_newton(v) and fisher(v) are products with a vector, and which has f at other points.
"""

import numpy as np

import minigrad as mg
from l2l.errors import L2LError
from l2l.optimizers.curvature import GaussNewton, NaturalGradient, Newton
from l2l.optimizers.groups import Groups, fitted
from l2l.optimizers.guarded import Guarded
from l2l.optimizers.hand_designed import NAG, SGD, Adagrad, Adam, AdamW, Momentum, RMSprop, Rprop
from l2l.optimizers.interface import UpdateRule
from l2l.optimizers.learned import LSTM, AveragingLSTM, KernelLSTM, Linear
from l2l.optimizers.mlp import MLP
from l2l.optimizers.recurrent import FeatureLSTM, RNNProp
from l2l.optimizers.scheduled import Scheduled
from l2l.registry import OPTIMIZERS, build

OPTIMIZERS |= {
    "sgd": SGD,
    "momentum": Momentum,
    "nag": NAG,
    "rprop": Rprop,
    "adagrad": Adagrad,
    "rmsprop": RMSprop,
    "adam": Adam,
    "adamw": AdamW,
    "newton": Newton,
    "gauss_newton": GaussNewton,
    "natural_gradient": NaturalGradient,
    "linear": Linear,
    "lstm": LSTM,
    "lstm-gac": AveragingLSTM,
    "kernel-lstm": KernelLSTM,
    "rnnprop": RNNProp,
    "feature-lstm": FeatureLSTM,
    "mlp": MLP,
    "scheduled": Scheduled,
    "guarded": Guarded,
    "groups": Groups,
}

__all__ = [
    "LSTM",
    "MLP",
    "NAG",
    "OPTIMIZERS",
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "AveragingLSTM",
    "FeatureLSTM",
    "GaussNewton",
    "Groups",
    "Guarded",
    "KernelLSTM",
    "Linear",
    "Momentum",
    "NaturalGradient",
    "Newton",
    "RMSprop",
    "RNNProp",
    "Rprop",
    "Scheduled",
    "UpdateRule",
    "check_optimizer",
    "fitted",
    "make_optimizer",
]


def make_optimizer(name, **settings):
    """The optimizer called `name` with these settings. The setting "preset" sets those that are not given.

    Raises L2LError, naming what there is, for an unknown name, preset or setting, or a value of the wrong kind.
    """
    return build("optimizer", OPTIMIZERS, name, settings)


def check_optimizer(optimizer, phi=None):
    """Raises L2LError where optimizer is not an update rule, or where phi is given and does not have its φ's shapes."""
    protocol = callable(optimizer) and hasattr(optimizer, "init") and hasattr(optimizer, "init_state")
    if isinstance(optimizer, type) or not protocol:
        raise L2LError(f"an optimizer is what l2l.make_optimizer or l2l.load returns, not {optimizer!r}")
    if phi is None:
        return
    wanted = mg.tree.map(np.shape, optimizer.init(np.random.default_rng(0)))
    try:
        found = mg.tree.map(np.shape, phi)
    except (TypeError, ValueError):
        found = type(phi).__name__
    if found != wanted:
        raise L2LError(f"phi is {found}, but the shapes in this optimizer's φ are {wanted}: pass the φ made for it")
