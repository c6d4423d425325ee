"""Hand-designed update rules that use gradients only. Their constants are stored in φ (see `constants`), so that each
of them can be meta-trained as well."""

from dataclasses import dataclass

import numpy as np

import minigrad as mg
from l2l.optimizers.constants import fraction, log, logit, positive
from l2l.registry import Checked, setting


@dataclass(frozen=True)
class SGD(Checked):
    """Gradient descent: g_t = −α ∇_t."""

    learning_rate: float = setting(0.01, "learning rate α", above=0)

    def init(self, rng=None):
        return {"log_learning_rate": log(self.learning_rate)}

    def init_state(self, theta):
        return {}

    def __call__(self, phi, grad, state):
        return -positive(phi["log_learning_rate"], grad) * grad, state


@dataclass(frozen=True)
class Momentum(Checked):
    """Heavy-ball momentum (Polyak 1964) in the form of Sutskever et al. 2013, eq. 1, with α factored out:

    v_{t+1} = μ v_t + ∇_t        g_t = −α v_{t+1}
    """

    learning_rate: float = setting(0.01, "learning rate α", above=0)
    momentum: float = setting(0.9, "momentum μ", above=0, below=1)

    def init(self, rng=None):
        return {"log_learning_rate": log(self.learning_rate), "logit_momentum": logit(self.momentum)}

    def init_state(self, theta):
        return {"velocity": np.zeros_like(theta)}

    def __call__(self, phi, grad, state):
        velocity = fraction(phi["logit_momentum"], grad) * state["velocity"] + grad
        return -positive(phi["log_learning_rate"], grad) * velocity, {"velocity": velocity}


@dataclass(frozen=True)
class NAG(Momentum):
    """Nesterov's accelerated gradient (Nesterov 1983; Sutskever et al. 2013, eqs. 3–4), rewritten for a gradient that
    is taken at the current point, which is the variable θ_t + μ v_t of the original (Bengio et al. 2012, eq. 7):

        v_{t+1} = μ v_t + ∇_t        g_t = −α (∇_t + μ v_{t+1})
    """

    def __call__(self, phi, grad, state):
        momentum = fraction(phi["logit_momentum"], grad)
        velocity = momentum * state["velocity"] + grad
        return -positive(phi["log_learning_rate"], grad) * (grad + momentum * velocity), {"velocity": velocity}


@dataclass(frozen=True)
class Rprop(Checked):
    """Resilient backpropagation (Riedmiller & Braun 1993): a step size for each coordinate, and only the sign of ∇:

        Δ_t = clip(Δ_{t−1} · (η⁺ where ∇_{t−1} ∇_t > 0, η⁻ where < 0, else 1), Δ_min, Δ_max)        g_t = −Δ_t sign ∇_t

    Where the sign has changed, ∇_t counts as 0, here and in the next product: the coordinate does not move, and then
    continues with the smaller step. This is the variant iRprop− (Igel & Hüsken 2000), as in PyTorch; the original
    reverts its last update instead. Δ_0 is the learning rate. Rprop is meant for full batches: the noise of minibatches
    changes signs, and so steps shrink.
    """

    learning_rate: float = setting(0.01, "first step Δ_0", above=0)
    eta_minus: float = setting(0.5, "factor η⁻ of a step whose gradient changes its sign", above=0, below=1)
    eta_plus: float = setting(1.2, "factor η⁺ of a step whose gradient keeps its sign", above=0)
    step_min: float = setting(1e-6, "smallest step Δ_min", above=0)
    step_max: float = setting(50.0, "largest step Δ_max", above=0)

    def init(self, rng=None):
        return {
            "log_learning_rate": log(self.learning_rate),
            "logit_eta_minus": logit(self.eta_minus),
            "log_eta_plus": log(self.eta_plus),
            "log_step_min": log(self.step_min),
            "log_step_max": log(self.step_max),
        }

    def init_state(self, theta):
        return {"relative_step": np.ones_like(theta), "sign": np.zeros_like(theta)}

    def __call__(self, phi, grad, state):
        # The state holds Δ/α, so that α = Δ_0 scales every step, and its gradient comes from every step.
        alpha = positive(phi["log_learning_rate"], grad)
        sign = mg.sign(grad)
        agreement = sign * state["sign"]
        slower, faster = fraction(phi["logit_eta_minus"], grad), positive(phi["log_eta_plus"], grad)
        factor = mg.where(agreement > 0, faster, mg.where(agreement < 0, slower, mg.astype(1.0, grad.dtype)))
        step = mg.maximum(alpha * state["relative_step"] * factor, positive(phi["log_step_min"], grad))
        step = mg.minimum(step, positive(phi["log_step_max"], grad))
        sign = mg.where(agreement < 0, mg.astype(0.0, grad.dtype), sign)
        return -step * sign, {"relative_step": step / alpha, "sign": sign}


def safe_root(x):
    """√x with the derivative 0 at 0: a coordinate whose gradient was always 0 must not make φ's gradient infinite."""
    return mg.sqrt(mg.maximum(x, float(np.finfo(x.dtype).tiny)))


@dataclass(frozen=True)
class Adagrad(Checked):
    """AdaGrad with a diagonal matrix (Duchi, Hazan & Singer 2011, Figure 1), which sums all squared gradients:

    s_{t+1} = s_t + ∇_t²        g_t = −α ∇_t / (√s_{t+1} + ε)
    """

    learning_rate: float = setting(0.01, "learning rate α", above=0)
    epsilon: float = setting(1e-10, "ε, added to the denominator", above=0)

    def init(self, rng=None):
        return {"log_learning_rate": log(self.learning_rate), "log_epsilon": log(self.epsilon)}

    def init_state(self, theta):
        return {"square": np.zeros_like(theta)}

    def __call__(self, phi, grad, state):
        square = state["square"] + mg.square(grad)
        step = grad / (safe_root(square) + positive(phi["log_epsilon"], grad))
        return -positive(phi["log_learning_rate"], grad) * step, {"square": square}


@dataclass(frozen=True)
class RMSprop(Checked):
    """RMSprop (Tieleman & Hinton 2012, Coursera lecture 6.5), uncentred:

    s_{t+1} = ρ s_t + (1 − ρ) ∇_t²        g_t = −α ∇_t / (√s_{t+1} + ε)
    """

    learning_rate: float = setting(0.01, "learning rate α", above=0)
    decay: float = setting(0.99, "decay ρ of the mean of squared gradients", above=0, below=1)
    epsilon: float = setting(1e-8, "ε, added to the denominator", above=0)

    def init(self, rng=None):
        return {
            "log_learning_rate": log(self.learning_rate),
            "logit_decay": logit(self.decay),
            "log_epsilon": log(self.epsilon),
        }

    def init_state(self, theta):
        return {"square": np.zeros_like(theta)}

    def __call__(self, phi, grad, state):
        decay = fraction(phi["logit_decay"], grad)
        square = decay * state["square"] + (1.0 - decay) * mg.square(grad)
        step = grad / (safe_root(square) + positive(phi["log_epsilon"], grad))
        return -positive(phi["log_learning_rate"], grad) * step, {"square": square}


@dataclass(frozen=True)
class Adam(Checked):
    """Adam (Kingma & Ba 2015, Algorithm 1):

    m_{t+1} = β₁ m_t + (1 − β₁) ∇_t        m̂ = m_{t+1} / (1 − β₁^{t+1})
    v_{t+1} = β₂ v_t + (1 − β₂) ∇_t²       v̂ = v_{t+1} / (1 − β₂^{t+1})        g_t = −α m̂ / (√v̂ + ε)
    """

    learning_rate: float = setting(0.001, "learning rate α", above=0)
    beta1: float = setting(0.9, "decay β₁ of the mean of gradients", above=0, below=1)
    beta2: float = setting(0.999, "decay β₂ of the mean of squared gradients", above=0, below=1)
    epsilon: float = setting(1e-8, "ε, added to the denominator", above=0)

    def init(self, rng=None):
        return {
            "log_learning_rate": log(self.learning_rate),
            "logit_beta1": logit(self.beta1),
            "logit_beta2": logit(self.beta2),
            "log_epsilon": log(self.epsilon),
        }

    def init_state(self, theta):
        return {"m": np.zeros_like(theta), "v": np.zeros_like(theta), "t": 0}

    def __call__(self, phi, grad, state):
        beta1, beta2 = fraction(phi["logit_beta1"], grad), fraction(phi["logit_beta2"], grad)
        t = state["t"] + 1
        m = beta1 * state["m"] + (1.0 - beta1) * grad
        v = beta2 * state["v"] + (1.0 - beta2) * mg.square(grad)
        root = safe_root(v / (1.0 - beta2**t))
        step = m / (1.0 - beta1**t) / (root + positive(phi["log_epsilon"], grad))
        return -positive(phi["log_learning_rate"], grad) * step, {"m": m, "v": v, "t": t}


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019, Algorithm 2), here with α on both terms:

        g_t = −α (m̂ / (√v̂ + ε) + λ θ_t)        m̂, v̂: as in `Adam`

    as in PyTorch, so that a schedule or a tuned α scales the decay as well. The state has θ itself, for a rule is only
    shown ∇.
    """

    weight_decay: float = setting(0.01, "weight decay λ", above=0)

    def init(self, rng=None):
        return {**super().init(rng), "log_weight_decay": log(self.weight_decay)}

    def init_state(self, theta):
        return {**super().init_state(theta), "theta": theta}

    def __call__(self, phi, grad, state):
        update, after = super().__call__(phi, grad, state)
        rate, decay = positive(phi["log_learning_rate"], grad), positive(phi["log_weight_decay"], grad)
        update = update - rate * decay * state["theta"]
        return update, {**after, "theta": state["theta"] + update}

    def shift(self, state, by):
        return {**state, "theta": state["theta"] + by}
