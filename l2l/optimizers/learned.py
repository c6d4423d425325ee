"""Update rules whose parameters φ are learned."""

import math
from dataclasses import dataclass
from reprlib import repr  # a long tuple is shown by its first items

import numpy as np

import minigrad as mg
from l2l.errors import L2LError
from l2l.registry import Checked, setting


@dataclass(frozen=True)
class Linear(Checked):
    """The smallest learnable rule: g_t = w·∇_t with φ = {w}. Gradient descent with learning rate −w."""

    initial: float = setting(-0.01, "first value of w")

    def init(self, rng=None):
        return {"w": np.asarray(self.initial, np.float64)}

    def init_state(self, theta):
        return {}

    def __call__(self, phi, grad, state):
        return mg.astype(phi["w"], grad.dtype) * grad, state


def log_sign(grad, p):
    """The gradient as two inputs of moderate size (Andrychowicz et al. 2016, Appendix A):

        (log|∇|/p, sign ∇) where |∇| ≥ e⁻ᵖ, else (−1, eᵖ·∇)

    grad: any shape; returns (2, *shape).
    """
    magnitude = mg.log(mg.maximum(mg.abs(grad), math.exp(-p))) / p
    return mg.stack([magnitude, mg.clip(math.exp(p) * grad, -1.0, 1.0)])


def check_layers(hidden):
    if not 1 <= len(hidden) <= 8:
        raise L2LError(f"hidden lists the units of 1 to 8 layers, not {repr(hidden)}")


def check_trained(rule, rng):
    """Raises L2LError where rng is None: the first φ of a network is random, and of no use before it is trained."""
    if rng is None:
        raise L2LError(f"{type(rule).__name__} has to be trained first: pass the φ that l2l.load or l2l.train returns")


def lstm_weights(rule, rng, inputs, outputs=1):
    """The first weights of an LSTM of rule.hidden units in rule.dtype, as `minigrad.layers.lstm` takes them: uniform in
    ±1/√hidden; biases 0, but 1 for the forget gates, so that the state is kept at first.

    The read-out is 0 at first, and so are the first updates. A random read-out moves all coordinates in the same
    direction; if that saturates the optimizee, no gradient is left to learn from (2 of 5 seeds on MNIST).
    """
    check_trained(rule, rng)
    layers, n = [], outputs
    for hidden in rule.hidden:
        bound, b = 1.0 / math.sqrt(hidden), np.zeros((4, hidden, 1), rule.dtype)
        b[1] = 1.0
        layers.append({"W": rng.uniform(-bound, bound, (4, hidden, inputs + hidden)).astype(rule.dtype), "b": b})
        inputs = hidden
    return {"layers": layers, "output": {"W": np.zeros((n, inputs), rule.dtype), "b": np.zeros((n, 1), rule.dtype)}}


def lstm_state(rule, n):
    """The first state (h, c) of each layer for n coordinates: zeros of (hidden, n)."""
    return [(np.zeros((hidden, n), rule.dtype),) * 2 for hidden in rule.hidden]


def lstm_step(rule, phi, x, state):
    """The network's outputs y (n,) for its inputs x (inputs, n), and its new state."""
    return (mg.fused.lstm if rule.fused else mg.layers.lstm)(phi, x, state)


@dataclass(frozen=True)
class LSTM(Checked):
    """The coordinatewise LSTM optimizer (Andrychowicz et al. 2016, section 2.1): all coordinates of θ share the weights
    of one small network, and each has its own state.

        x = log_sign(∇_t, p), or ∇_t itself      y, (h, c)_{t+1} = LSTM(x, (h, c)_t; φ)      g_t = scale · y

    hidden: units of each layer. preprocess: "log-sign" or "none". φ and the state have this dtype; an update has the
    dtype of its gradient. State arrays are (hidden, coordinates). fused=False uses the readable
    `minigrad.layers.lstm_cell` instead of the compiled kernels: several times slower, and differentiable to any order.
    """

    hidden: tuple[int, ...] = setting((20, 20), "units of each layer, 1 to 8 layers", least=1, most=512)
    preprocess: str = setting("log-sign", "what becomes of a gradient", choices=("log-sign", "none"))
    p: float = setting(10.0, "p of log-sign", above=0, most=80)  # float32 ends at e^88
    scale: float = setting(0.1, "factor of the network's outputs", above=0)
    dtype: str = setting("float32", "precision of φ and of the state", choices=("float32", "float64"))
    fused: bool = setting(True, "run compiled kernels; false: the readable cells")

    presets = {"paper": {"p": 10.0, "scale": 0.1}, "deepmind": {"p": 5.0, "scale": 0.01}}
    """The settings of the paper (Appendix A, section 3.2), and of the code its authors released."""

    def __post_init__(self):
        super().__post_init__()
        check_layers(self.hidden)

    @property
    def _outputs(self):
        """The number of coordinates that share one state."""
        return 1

    def init(self, rng):
        inputs = (2 if self.preprocess == "log-sign" else 1) * self._outputs
        return lstm_weights(self, rng, inputs, self._outputs)

    def init_state(self, theta):
        return lstm_state(self, theta.size)

    _network = lstm_step

    def __call__(self, phi, grad, state):
        x = shaped(grad, (grad.size,), self.dtype)
        x = log_sign(x, self.p) if self.preprocess == "log-sign" else mg.reshape(x, (1, grad.size))
        y, state = self._network(phi, x, state)
        return shaped(self.scale * y, grad.shape, grad.dtype), state


@dataclass(frozen=True)
class AveragingLSTM(LSTM):
    """LSTM+GAC, with global averaging cells (Andrychowicz et al. 2016, Appendix D): the last `averaged` units of each
    layer put out their mean over all coordinates, to the next layer and to the next step:

        h̄_k = (1/n) Σ_i h_k^(i)

    So coordinates can act together, as in clipping by the norm of ∇. Their c stay apart. There is no fused form. For an
    LSTM on part of θ, see `Groups`: coordinates are then those of the part.
    """

    fused: bool = setting(False, "must stay false")
    averaged: int = setting(4, "units of each layer that are averaged, at most all", least=1, most=512)

    def __post_init__(self):
        super().__post_init__()
        if self.fused:
            raise L2LError("lstm-gac has no fused form: omit fused")
        if self.averaged > min(self.hidden):
            raise L2LError(f"averaged is at most {min(self.hidden)}, the units of the smallest layer: lower it")

    def _network(self, phi, x, state):
        new = []
        for layer, (h, c) in zip(phi["layers"], state, strict=True):
            h, c = mg.layers.lstm_cell(layer, x, h, c)
            own, shared = h[: -self.averaged], h[-self.averaged :]
            x = mg.concatenate([own, mg.broadcast_to(mg.mean(shared, 1, keepdims=True), shared.shape)])
            new.append((x, c))
        return (phi["output"]["W"] @ x + phi["output"]["b"])[0], new


@dataclass(frozen=True)
class KernelLSTM(LSTM):
    """An LSTM optimizer with one state per convolution kernel instead of one per coordinate, as in the released code
    (`KernelDeepLSTM`): its input is the vector of the kernel's gradients, each preprocessed as in `LSTM`, and its
    output is the vector of their updates.

    kernel: rows and columns. θ, or the part of θ that this optimizer has, must be an array (filters, channels, rows,
    columns), flattened. A state array is (hidden, kernels). There are few kernels, so that the readable cells are fast
    enough, and there is no fused form.
    """

    fused: bool = setting(False, "must stay false")
    kernel: tuple[int, ...] = setting((5, 5), "rows and columns", least=1, most=10_000)

    def __post_init__(self):
        super().__post_init__()
        if self.fused:
            raise L2LError("kernel-lstm has no fused form: omit fused")
        if len(self.kernel) != 2 or self._outputs > 10_000:
            raise L2LError(f"kernel is rows and columns, of 1 to 10,000 numbers together, not {repr(self.kernel)}")

    @property
    def _outputs(self):
        return math.prod(self.kernel)

    def init_state(self, theta):
        if theta.size % self._outputs:
            rows, columns = self.kernel
            raise L2LError(
                f"{theta.size:,} coordinates cannot be kernels of {rows}×{columns}: set kernel, or see Groups"
            )
        return super().init_state(theta[:: self._outputs])

    def __call__(self, phi, grad, state):
        x = mg.transpose(shaped(grad, (-1, self._outputs), self.dtype))  # (a kernel's numbers, kernels)
        if self.preprocess == "log-sign":
            x = mg.reshape(log_sign(x, self.p), (2 * self._outputs, -1))
        new = []
        for layer, (h, c) in zip(phi["layers"], state, strict=True):
            new.append(mg.layers.lstm_cell(layer, x, h, c))
            x = new[-1][0]
        y = mg.transpose(phi["output"]["W"] @ x + phi["output"]["b"])
        return shaped(self.scale * y, grad.shape, grad.dtype), new


def shaped(x, shape, dtype):
    """x with this shape and dtype; nothing is recorded where it has them already."""
    x = x if x.dtype == dtype else mg.astype(x, dtype)
    return x if x.shape == shape else mg.reshape(x, shape)
