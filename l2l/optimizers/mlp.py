"""The learned optimizer of Metz et al. 2022: no memory but running means, and a very small network."""

from dataclasses import dataclass

import numpy as np

import minigrad as mg
from l2l.optimizers.constants import fraction, logit
from l2l.optimizers.features import running
from l2l.optimizers.fitting import Fittable, tensors
from l2l.optimizers.learned import check_trained, shaped
from l2l.registry import setting

MEANS, SQUARES, FACTORS = (0.9, 0.99, 0.999), (0.999,), (0.9, 0.99, 0.999)  # the first decays of the running means
TIMES = (1, 3, 10, 30, 100, 300, 1000, 3000, 10000, 30000, 100000)
INPUTS = 28 + len(TIMES)
TINY = 1e-30


@dataclass(frozen=True)
class MLP(Fittable):
    """The per-parameter MLP of Metz et al. 2022 (small_fc_lopt), after its code. It sees 39 numbers of a coordinate:

        x = [∇, θ, m, v, m/√v, 1/√v, ∇/√f, r, c, 1/√r, 1/√c, m/√f] / their RMS over the tensor, and tanh(t/τ − 1)
        d, e = MLP(x; φ)        g_t = −scale · d exp(0.001 e)

    m: running means of ∇ with three decays. v: that of ∇². r, c and f, with three decays, are Adafactor's (Shazeer &
    Stern 2018): running means of ∇² that is averaged over one and over the other of a tensor's two longest axes, and
    f = r c/mean(r); for vectors r = c = f, a running mean of ∇². τ: 11 times from 1 to 100,000. The MLP has ReLU layers
    of `hidden` units. φ is its weights, at first N(0, 1/inputs), and the decays; with 4-4, 197 numbers. The small
    constants added under the roots are the source's: gradients far below 10⁻³ look smaller than they are.

    The state has θ itself, for a rule is only shown ∇. The rule has to know the tensors: see `fitted`.
    """

    hidden: tuple[int, ...] = setting((4, 4), "units of each hidden layer", least=1, most=512)
    scale: float = setting(0.001, "factor of the network's direction d", above=0)
    dtype: str = setting("float32", "precision of φ and of the state", choices=("float32", "float64"))

    def init(self, rng):
        check_trained(self, rng)
        sizes = [INPUTS, *self.hidden, 2]
        layers = [
            {"W": rng.normal(scale=n**-0.5, size=(m, n)).astype(self.dtype), "b": np.zeros((m, 1), self.dtype)}
            for n, m in zip(sizes, sizes[1:], strict=False)
        ]
        decays = {"means": MEANS, "squares": SQUARES, "factors": FACTORS}
        return {"layers": layers, "decays": mg.tree.map(logit, decays)}

    def init_state(self, theta):
        self.check_fitted(theta)
        vector = shaped(theta, (theta.size,), self.dtype)
        return {"t": 0, "tensors": [_memory(tensor) for tensor in tensors(vector, self.shapes)]}

    def __call__(self, phi, grad, state):
        g, t = shaped(grad, (grad.size,), self.dtype), state["t"]
        decays = mg.tree.map(lambda logit: fraction(logit, g), phi["decays"])
        pairs = zip(tensors(g, self.shapes), state["tensors"], strict=True)
        seen, remembered = zip(*[_look(gradient, memory, decays) for gradient, memory in pairs], strict=True)
        when = np.tanh(t / np.array(TIMES) - 1.0).astype(self.dtype)
        x = mg.concatenate([mg.concatenate(seen, axis=1), np.broadcast_to(when[:, None], (len(TIMES), g.size))])
        *inner, last = phi["layers"]
        for layer in inner:
            x = mg.relu(layer["W"] @ x + layer["b"])
        y = last["W"] @ x + last["b"]  # direction and magnitude
        update = -self.scale * y[0] * mg.exp(0.001 * y[1])
        moves = zip(state["tensors"], tensors(update, self.shapes), remembered, strict=True)
        new = [{"theta": before["theta"] + move, **means} for before, move, means in moves]
        return shaped(update, grad.shape, grad.dtype), {"t": t + 1, "tensors": new}

    def shift(self, state, by):
        moves = tensors(shaped(by, (by.size,), self.dtype), self.shapes)
        pairs = zip(state["tensors"], moves, strict=True)
        return {**state, "tensors": [{**memory, "theta": memory["theta"] + move} for memory, move in pairs]}


def _memory(theta):
    """What is remembered of a tensor before its first gradient."""
    zero = np.zeros_like(theta)
    factors = [[mg.mean(zero, axis, keepdims=True)] * len(FACTORS) for axis in _axes(theta.shape)]
    return {"theta": theta, "means": [zero] * len(MEANS), "squares": [zero] * len(SQUARES), "factors": factors}


def _axes(shape):
    """The two longest axes, over which Adafactor averages; for a vector none, where an average is the number itself."""
    if len(shape) < 2:
        return (), ()
    *_, second, longest = np.argsort(shape, kind="stable").tolist()
    return longest, second


def _look(g, memory, decays):
    """What is seen of a tensor: (28, coordinates), and what is then remembered."""
    square, axes = mg.square(g), _axes(g.shape)
    m, v = running(memory["means"], g, decays["means"]), running(memory["squares"], square, decays["squares"])
    r, c = (
        running(before, mg.mean(square, axis, keepdims=True), decays["factors"])
        for before, axis in zip(memory["factors"], axes, strict=True)
    )
    f = [a * b / (mg.mean(a, axes[1], keepdims=True) + TINY) for a, b in zip(r, c, strict=True)]
    scales, factored = [_inverse_root(a + 1e-6) for a in v], [_inverse_root(a + 1e-9) for a in f]
    numbers = [g, memory["theta"], *m, *v, *[a * b for a in m for b in scales], *scales, *[g * b for b in factored]]
    numbers += [*r, *c, *[_inverse_root(a + 1e-8) for a in (*r, *c)]]
    numbers += [a * b for a, b in zip(m, factored, strict=True)]
    x = mg.stack([mg.reshape(mg.broadcast_to(a, g.shape), (-1,)) for a in numbers])
    x = x * _inverse_root(mg.mean(mg.square(x), 1, keepdims=True) + 1e-5)
    return x, {"means": m, "squares": v, "factors": [r, c]}


def _inverse_root(x):
    return 1.0 / mg.sqrt(x)
