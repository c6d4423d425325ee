"""The diagnostics that a meta-training measures at each validation, for the doctor: cheap to compute, plain numbers."""

import math

import numpy as np

import minigrad as mg
from l2l.optimizers import LSTM, fitted
from l2l.optimizers.learned import log_sign
from l2l.problems import draw_task
from l2l.unrolling import unroll
from minigrad.layers import lstm_cell

MEASURED_STEPS = 20  # of one validation task: the paper's unroll length, and short compared with the validation


def measure(optimizer, phi, untrained, problem, seed, curves):
    """A dict of numbers that distinguish a working φ from a broken one. untrained: the initial φ.
    curves: the validation losses of φ, (tasks, steps).

        first, last         the mean of f(θ_0), and the mean of f over the last tenth of the steps
        chance              the loss of a random guess, if the problem defines one
        moved               ‖φ − untrained‖ / ‖untrained‖, or √mean φ² where untrained is 0
        reach               steps · mean_t ‖g_t‖ ‖∇_t‖ / f(θ_t): the length of all updates over the distance to f = 0
                            in a linear model (Polyak's step, (f/‖∇‖²) ∇, for a minimum of 0)
        saturated           for an LSTM: the share of gates on the flat part of their curve
        state_change        for an LSTM: √mean (h_{t+1} − h_t)² over units, coordinates and steps, for h and c

    The last three are measured over MEASURED_STEPS steps on a validation task. A number that is not finite is None.
    """
    steps = curves.shape[1]
    with np.errstate(all="ignore"):
        numbers = {
            "first": np.mean(curves[:, 0]),
            "last": np.mean(curves[:, -math.ceil(steps / 10) :]),
            "chance": getattr(problem, "chance", None),
            "moved": _moved(phi, untrained),
            **_walk(optimizer, phi, draw_task(problem, "validation", seed, 0), steps),
        }
    return {name: finite(number) for name, number in numbers.items() if number is not None}


def finite(number):
    """number as a float that JSON can hold: None where it is not finite."""
    return float(number) if np.isfinite(number) else None


class _Watched:
    """A wrapper that `unroll` runs in place of the optimizer, and that records its updates and states."""

    def __init__(self, optimizer):
        self.optimizer, self.uses_curvature = optimizer, getattr(optimizer, "uses_curvature", False)
        self.init, self.init_state = optimizer.init, optimizer.init_state  # as every rule has
        self.products, self.changes = [], []

    def __call__(self, phi, grad, state, *curvature):
        update, after = self.optimizer(phi, grad, state, *curvature)
        self.products.append(np.linalg.norm(update) * np.linalg.norm(grad))
        if type(self.optimizer) is LSTM:
            self.changes.append(_root_mean_square(mg.tree.ravel(after)[0] - mg.tree.ravel(state)[0]))
        self.grad, self.state = grad, state
        return update, after


def _walk(optimizer, phi, task, steps):
    optimizer = fitted(optimizer, task, steps)
    watched = _Watched(optimizer)
    weights = [1.0] * min(steps, MEASURED_STEPS)
    *_, losses = unroll(watched, phi, task, task.theta, optimizer.init_state(task.theta), weights)
    numbers = {"reach": steps * np.mean(np.divide(watched.products, losses))}
    if type(optimizer) is LSTM:
        numbers["state_change"] = np.mean(watched.changes[1:] or watched.changes)  # but the first, from h = 0
        numbers["saturated"] = _saturated(optimizer, phi, watched.grad, watched.state)
    return numbers


def _saturated(optimizer, phi, grad, state):
    """The share of an LSTM's gates whose slope is below a tenth of the largest: σ'(z) < 0.025, or tanh'(z) < 0.1."""
    grad = grad.reshape(-1).astype(optimizer.dtype)
    x = log_sign(grad, optimizer.p) if optimizer.preprocess == "log-sign" else grad[None]
    flat = []
    for layer, (h, c) in zip(phi["layers"], state, strict=True):
        z = layer["W"] @ np.concatenate([x, h]) + layer["b"]  # (4, hidden, coordinates), as in lstm_cell
        z[[0, 1, 3]] /= 2.0  # σ(z) = (1 + tanh(z/2))/2
        flat.append(1.0 - np.tanh(z) ** 2 < 0.1)
        x, _ = lstm_cell(layer, x, h, c)
    return np.mean(np.concatenate(flat, axis=1))


def _moved(phi, untrained):
    now, then = (mg.tree.ravel(tree)[0] for tree in (phi, untrained))
    return _root_mean_square(now - then) / (_root_mean_square(then) or 1.0)


def _root_mean_square(x):
    return np.sqrt(np.mean(np.square(x, dtype=np.float64)))
