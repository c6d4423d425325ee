"""LSTMs that see normalised gradients, so that the scale of f does not matter."""

from dataclasses import dataclass

import numpy as np

import minigrad as mg
from l2l.errors import L2LError
from l2l.optimizers.constants import log, positive
from l2l.optimizers.features import FEATURES, chosen, look, start
from l2l.optimizers.fitting import Fittable
from l2l.optimizers.hand_designed import safe_root
from l2l.optimizers.learned import check_layers, lstm_state, lstm_step, lstm_weights, shaped
from l2l.registry import Checked, setting


@dataclass(frozen=True)
class RNNProp(Checked):
    """RNNprop (Lv, Jiang & Li 2017): a coordinatewise LSTM that sees the steps of Adam and RMSprop:

        x = (m̂/(√v̂ + ε), ∇_t/(√v̂ + ε))      y, (h, c)_{t+1} = LSTM(ELU(W x + b), (h, c)_t)      g_t = α tanh y

    m̂ and v̂ are Adam's running means of ∇ and ∇² with the decays β₁ and β₂. W, b and the LSTM are φ; at first W is
    N(0, 1/2), and the read-out 0 as in `LSTM`. Where ε is small beside ∇, updates do not depend on the scale of f.
    State arrays of the LSTM are (hidden, coordinates); fused as in `LSTM`.
    """

    dense: int = setting(20, "units of the first layer, with ELU", least=1, most=512)
    hidden: tuple[int, ...] = setting((20, 20), "units of each layer of the LSTM, 1 to 8 layers", least=1, most=512)
    scale: float = setting(0.1, "largest update α", above=0)
    beta1: float = setting(0.95, "decay β₁ of the mean of gradients", above=0, below=1)
    beta2: float = setting(0.95, "decay β₂ of the mean of squared gradients", above=0, below=1)
    epsilon: float = setting(1e-8, "ε, added to the denominator", above=0)
    dtype: str = setting("float32", "precision of φ and of the state", choices=("float32", "float64"))
    fused: bool = setting(True, "run compiled kernels; false: the readable cells")

    def __post_init__(self):
        super().__post_init__()
        check_layers(self.hidden)

    def init(self, rng):
        phi = lstm_weights(self, rng, self.dense)
        W = rng.normal(scale=2**-0.5, size=(self.dense, 2)).astype(self.dtype)  # two inputs
        return {"input": {"W": W, "b": np.zeros((self.dense, 1), self.dtype)}, **phi}

    def init_state(self, theta):
        zero = np.zeros(theta.size, self.dtype)
        return {"lstm": lstm_state(self, theta.size), "m": zero, "v": zero, "t": 0}

    def __call__(self, phi, grad, state):
        g, t = shaped(grad, (grad.size,), self.dtype), state["t"] + 1
        m = self.beta1 * state["m"] + (1.0 - self.beta1) * g
        v = self.beta2 * state["v"] + (1.0 - self.beta2) * mg.square(g)
        scale = safe_root(v / (1.0 - self.beta2**t)) + self.epsilon
        x = phi["input"]["W"] @ mg.stack([m / (1.0 - self.beta1**t) / scale, g / scale]) + phi["input"]["b"]
        y, lstm = lstm_step(self, phi, mg.relu(x) + mg.expm1(mg.minimum(x, 0.0)), state["lstm"])
        update = self.scale * mg.tanh(y)
        return shaped(update, grad.shape, grad.dtype), {"lstm": lstm, "m": m, "v": v, "t": t}


@dataclass(frozen=True)
class FeatureLSTM(Fittable):
    """A coordinatewise LSTM that sees chosen `features` x of the gradients, the tensor and the time, and changes Adam's
    step, its direction and its length:

        y, r, (h, c)_{t+1} = LSTM(x, (h, c)_t; φ)        g_t = −exp(n + 2·clip(r, −3, 3)) (m̂/√v̂ + y)

    n is in φ as well; m̂/√v̂ is `features.momentum`. y and r are two read-outs of the last layer, 0 at first: then this
    is Adam of rate `nominal`. Such a term makes a learned rule stable (STAR, Harrison et al. 2022). A length that is a
    factor can fall towards the end, as in a schedule; a network that only adds to Adam's step has to cancel it. Metz et
    al. 2022 learn a direction and the logarithm of a length, too. Updates do not depend on the scale of f. The rule has
    to know T and the tensors: see `fitted`. State arrays of the LSTM are (hidden, coordinates); fused as in `LSTM`.
    """

    hidden: tuple[int, ...] = setting((20, 20), "units of each layer, 1 to 8 layers", least=1, most=512)
    features: tuple[str, ...] = setting(
        ("momentum", "slow_momentum", "gradient", "trend", "tensor_trend", "progress", "time", "horizon"),
        "what the LSTM sees, one or several",
        choices=tuple(FEATURES),
    )
    nominal: float = setting(0.005, "first rate exp(n)", above=0)
    dtype: str = setting("float32", "precision of φ and of the state", choices=("float32", "float64"))
    fused: bool = setting(True, "run compiled kernels; false: the readable cells")

    def __post_init__(self):
        super().__post_init__()
        check_layers(self.hidden)
        if not self.features:
            raise L2LError(f"features names at least one of: {', '.join(FEATURES)}")

    def init(self, rng):
        rate = {"W": np.zeros((1, self.hidden[-1]), self.dtype), "b": np.zeros((1, 1), self.dtype)}
        return {**lstm_weights(self, rng, len(self.features)), "rate": rate, "log_nominal": log(self.nominal)}

    def init_state(self, theta):
        self.check_fitted(theta)
        return {"lstm": lstm_state(self, theta.size), "seen": start(theta.size, self.dtype)}

    def __call__(self, phi, grad, state):
        seen, remembered = look(shaped(grad, (grad.size,), self.dtype), state["seen"], self.shapes, self.steps)
        y, lstm = lstm_step(self, phi, chosen(self.features, seen), state["lstm"])
        r = (phi["rate"]["W"] @ lstm[-1][0] + phi["rate"]["b"])[0]  # of the last layer's new h
        length = positive(phi["log_nominal"], y) * mg.exp(2.0 * mg.clip(r, -3.0, 3.0))
        update = -length * (FEATURES["momentum"](seen) + y)
        return shaped(update, grad.shape, grad.dtype), {"lstm": lstm, "seen": remembered}
