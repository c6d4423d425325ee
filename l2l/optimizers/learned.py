"""Update rules whose parameters φ are learned."""

import math
from dataclasses import dataclass

import numpy as np

import minigrad as mg
from l2l.errors import L2LError


@dataclass(frozen=True)
class Linear:
    """The smallest learnable rule: g_t = w·∇_t with φ = {w}. Gradient descent with learning rate −w."""

    initial: float = -0.01

    def init(self, rng=None):
        return {"w": np.asarray(self.initial, np.float64)}

    def init_state(self, theta):
        return {}

    def __call__(self, phi, grad, state):
        return mg.astype(phi["w"], grad.dtype) * grad, state


def log_sign(grad, p):
    """The gradient as two numbers of moderate size (Andrychowicz et al. 2016, Appendix A):

        (log|∇|/p, sign ∇) where |∇| ≥ e⁻ᵖ, else (−1, eᵖ·∇)

    grad: (coordinates,); returns (2, coordinates).
    """
    magnitude = mg.log(mg.maximum(mg.abs(grad), math.exp(-p))) / p
    return mg.stack([magnitude, mg.clip(math.exp(p) * grad, -1.0, 1.0)])


MOST_LAYERS, MOST_UNITS = 8, 512  # 25 times the paper's units: what a CPU could train, and no file can exceed


@dataclass(frozen=True)
class LSTM:
    """The coordinatewise LSTM optimizer (Andrychowicz et al. 2016, section 2.1): one small network, the same for every
    coordinate of θ, with a state of its own for each.

        x = log_sign(∇_t, p), or ∇_t itself      y, (h, c)_{t+1} = LSTM(x, (h, c)_t; φ)      g_t = scale · y

    hidden: units of each layer. preprocess: "log-sign" or "none". φ and the state are float32 unless dtype says
    otherwise; an update has the precision of its gradient. State arrays are (hidden, coordinates). fused=False takes
    the readable `minigrad.layers.lstm_cell` in place of the compiled kernels: several times slower, and differentiable
    to any order.
    """

    hidden: tuple = (20, 20)
    preprocess: str = "log-sign"
    p: float = 10.0
    scale: float = 0.1
    dtype: str = "float32"
    fused: bool = True

    presets = {"paper": {"p": 10.0, "scale": 0.1}, "deepmind": {"p": 5.0, "scale": 0.01}}
    """The settings of the paper (Appendix A, section 3.2), and of the code its authors released."""

    def __post_init__(self):
        if self.preprocess not in ("log-sign", "none"):
            raise L2LError(f"preprocess is 'log-sign' or 'none', not {self.preprocess!r}")
        if not self.hidden or min(self.hidden) < 1:
            raise L2LError(f"hidden lists the units of each layer, such as (20, 20), not {self.hidden!r}")
        if len(self.hidden) > MOST_LAYERS or max(self.hidden) > MOST_UNITS:
            raise L2LError(f"hidden lists at most {MOST_LAYERS} layers of at most {MOST_UNITS} units")
        if self.dtype not in ("float32", "float64"):
            raise L2LError(f"dtype is 'float32' or 'float64', not {self.dtype!r}")
        if not (self.p > 0 and self.scale > 0):
            raise L2LError(f"p and scale are positive, not {self.p} and {self.scale}")

    def init(self, rng):
        """Weights uniform in ±1/√hidden; biases 0, but 1 for the forget gates, which then begin by remembering.

        The read-out starts at 0, so that the first updates are. A random one pushes all coordinates the same way at
        first; where that saturates the optimizee, no gradient is left to learn from (2 of 5 seeds on MNIST).
        """
        layers, inputs = [], 2 if self.preprocess == "log-sign" else 1
        for hidden in self.hidden:
            uniform = self._uniform(rng, hidden)
            b = np.zeros((4, hidden, 1), self.dtype)
            b[1] = 1.0
            layers.append({"W": uniform(4, hidden, inputs + hidden), "b": b})
            inputs = hidden
        return {"layers": layers, "output": {"W": np.zeros((1, inputs), self.dtype), "b": np.zeros((1, 1), self.dtype)}}

    def _uniform(self, rng, hidden):
        bound = 1.0 / math.sqrt(hidden)
        return lambda *shape: rng.uniform(-bound, bound, shape).astype(self.dtype)

    def init_state(self, theta):
        return [(np.zeros((n, theta.size), self.dtype),) * 2 for n in self.hidden]

    def __call__(self, phi, grad, state):
        x = _shaped(grad, (grad.size,), self.dtype)
        x = log_sign(x, self.p) if self.preprocess == "log-sign" else mg.reshape(x, (1, grad.size))
        y, state = (mg.fused.lstm if self.fused else mg.layers.lstm)(phi, x, state)
        return _shaped(self.scale * y, grad.shape, grad.dtype), state


def _shaped(x, shape, dtype):
    """x in another shape and precision; where both are what they are, nothing is recorded."""
    x = x if x.dtype == dtype else mg.astype(x, dtype)
    return x if x.shape == shape else mg.reshape(x, shape)
