"""Update rules designed by hand. Their constants are kept in φ, so each of them can be meta-trained as well.

φ holds unconstrained numbers: a positive constant as its logarithm, one in (0, 1) as its logit.
"""

from dataclasses import dataclass

import numpy as np

import minigrad as mg


def _log(x):
    return np.asarray(np.log(x), np.float64)


def _logit(x):
    return np.asarray(np.log(x) - np.log1p(-x), np.float64)


def _positive(log_x, like):
    """exp(log_x), in the precision of `like`: φ is float64, θ need not be."""
    return mg.astype(mg.exp(log_x), like.dtype)


def _fraction(logit_x, like):
    return mg.astype(mg.sigmoid(logit_x), like.dtype)


@dataclass(frozen=True)
class SGD:
    """Gradient descent: g_t = −α ∇_t."""

    learning_rate: float = 0.01

    def init(self, rng=None):
        return {"log_learning_rate": _log(self.learning_rate)}

    def init_state(self, theta):
        return {}

    def __call__(self, phi, grad, state):
        return -_positive(phi["log_learning_rate"], grad) * grad, state


@dataclass(frozen=True)
class Momentum:
    """Heavy-ball momentum (Polyak 1964) in the form of Sutskever et al. 2013, eq. 1, with α factored out:

    v_{t+1} = μ v_t + ∇_t        g_t = −α v_{t+1}
    """

    learning_rate: float = 0.01
    momentum: float = 0.9

    def init(self, rng=None):
        return {"log_learning_rate": _log(self.learning_rate), "logit_momentum": _logit(self.momentum)}

    def init_state(self, theta):
        return {"velocity": np.zeros_like(theta)}

    def __call__(self, phi, grad, state):
        velocity = _fraction(phi["logit_momentum"], grad) * state["velocity"] + grad
        return -_positive(phi["log_learning_rate"], grad) * velocity, {"velocity": velocity}


@dataclass(frozen=True)
class NAG(Momentum):
    """Nesterov's accelerated gradient (Nesterov 1983; Sutskever et al. 2013, eqs. 3–4), rewritten for a gradient that
    is taken at the current point, which is the variable θ_t + μ v_t of the original (Bengio et al. 2012, eq. 7):

        v_{t+1} = μ v_t + ∇_t        g_t = −α (∇_t + μ v_{t+1})
    """

    def __call__(self, phi, grad, state):
        momentum = _fraction(phi["logit_momentum"], grad)
        velocity = momentum * state["velocity"] + grad
        return -_positive(phi["log_learning_rate"], grad) * (grad + momentum * velocity), {"velocity": velocity}


def _root(x):
    """√x, whose derivative at 0 counts as 0: a coordinate that never had a gradient must not make φ's infinite."""
    return mg.sqrt(mg.maximum(x, float(np.finfo(x.dtype).tiny)))


@dataclass(frozen=True)
class RMSprop:
    """RMSprop (Tieleman & Hinton 2012, Coursera lecture 6.5), uncentred:

    s_{t+1} = ρ s_t + (1 − ρ) ∇_t²        g_t = −α ∇_t / (√s_{t+1} + ε)
    """

    learning_rate: float = 0.01
    decay: float = 0.99
    epsilon: float = 1e-8

    def init(self, rng=None):
        return {
            "log_learning_rate": _log(self.learning_rate),
            "logit_decay": _logit(self.decay),
            "log_epsilon": _log(self.epsilon),
        }

    def init_state(self, theta):
        return {"square": np.zeros_like(theta)}

    def __call__(self, phi, grad, state):
        decay = _fraction(phi["logit_decay"], grad)
        square = decay * state["square"] + (1.0 - decay) * mg.square(grad)
        step = grad / (_root(square) + _positive(phi["log_epsilon"], grad))
        return -_positive(phi["log_learning_rate"], grad) * step, {"square": square}


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma & Ba 2015, Algorithm 1):

    m_{t+1} = β₁ m_t + (1 − β₁) ∇_t        m̂ = m_{t+1} / (1 − β₁^{t+1})
    v_{t+1} = β₂ v_t + (1 − β₂) ∇_t²       v̂ = v_{t+1} / (1 − β₂^{t+1})        g_t = −α m̂ / (√v̂ + ε)
    """

    learning_rate: float = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def init(self, rng=None):
        return {
            "log_learning_rate": _log(self.learning_rate),
            "logit_beta1": _logit(self.beta1),
            "logit_beta2": _logit(self.beta2),
            "log_epsilon": _log(self.epsilon),
        }

    def init_state(self, theta):
        return {"m": np.zeros_like(theta), "v": np.zeros_like(theta), "t": 0}

    def __call__(self, phi, grad, state):
        beta1, beta2 = _fraction(phi["logit_beta1"], grad), _fraction(phi["logit_beta2"], grad)
        t = state["t"] + 1
        m = beta1 * state["m"] + (1.0 - beta1) * grad
        v = beta2 * state["v"] + (1.0 - beta2) * mg.square(grad)
        root = _root(v / (1.0 - beta2**t))
        step = m / (1.0 - beta1**t) / (root + _positive(phi["log_epsilon"], grad))
        return -_positive(phi["log_learning_rate"], grad) * step, {"m": m, "v": v, "t": t}
