"""What is measured during a meta-training, at each validation, for `doctor` to judge: cheap, and plain numbers."""

import math

import numpy as np

import minigrad as mg
from l2l.optimizers import LSTM
from l2l.optimizers.learned import log_sign
from l2l.problems import draw_task
from minigrad.layers import lstm_cell

MEASURED_STEPS = 20  # of one validation task: an unroll of the paper, and little beside the validation itself


def measure(optimizer, phi, untrained, problem, seed, curves):
    """Numbers that tell a working φ from a broken one, a dict. untrained: the φ that training began from.
    curves: the validation losses of φ, (tasks, steps).

        first, last         the losses f(θ_0), and f's mean over the last tenth of the steps
        chance              the loss of a guess, where the problem has one
        moved               ‖φ − untrained‖ / ‖untrained‖, or √mean φ² where untrained is 0
        reach               steps · mean_t ‖g_t‖ ‖∇_t‖ / f(θ_t): the length of the path of all updates, in units of the
                            way to f = 0 along a straight line (Polyak's step, (f/‖∇‖²) ∇, for a smallest loss of 0)
        saturated           of an LSTM: the share of gates on a flat part of their curve
        state_change        of an LSTM: √mean (h_{t+1} − h_t)² over units, coordinates and steps, for h and c

    The last three come from MEASURED_STEPS steps on a validation task. A number that is not finite is None.
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


def _walk(optimizer, phi, task, steps):
    theta, state, reaches, changes = task.theta, optimizer.init_state(task.theta), [], []
    for _ in range(min(steps, MEASURED_STEPS)):
        loss, grad = mg.value_and_grad(task.loss)(theta, task.next_batch())
        before = state
        update, state = optimizer(phi, grad, before)
        theta = theta + update
        reaches.append(np.linalg.norm(update) * np.linalg.norm(grad) / loss)
        if type(optimizer) is LSTM:
            changes.append(_root_mean_square(mg.tree.ravel(state)[0] - mg.tree.ravel(before)[0]))
    numbers = {"reach": steps * np.mean(reaches)}
    if type(optimizer) is LSTM:
        numbers["state_change"] = np.mean(changes[1:] or changes)  # the first step, from 0, says little
        numbers["saturated"] = _saturated(optimizer, phi, grad, before)
    return numbers


def _saturated(optimizer, phi, grad, state):
    """The share of an LSTM's gates whose slope is below a tenth of its largest: σ'(z) < 0.025, or tanh'(z) < 0.1."""
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
