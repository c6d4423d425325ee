"""Learning from a teacher: the unroll of a task whose steps another rule takes."""

from typing import Any

import numpy as np

import minigrad as mg
from l2l.optimizers.fitting import shifted
from l2l.optimizers.interface import Array, Tree, UpdateRule
from l2l.problems import Task


def imitate(
    optimizer: UpdateRule, phi: Tree, teacher: Any, task: Task, theta: Array, state: Tree, weights: list[float]
) -> tuple[Any, Array, Tree, list]:
    """How far the updates g_t of the optimizer are from those of the teacher, ĝ_t, on the way that the teacher takes:

        L = Σ_t w_t ‖g_t − ĝ_t‖²/‖ĝ_t‖²        θ_{t+1} = θ_t + ĝ_t

    as `unroll` returns it: (L, θ_T, states, losses). state: the pair of the two rules' states. Chen et al. 2020 (arXiv
    2010.09089, section 4.2) take the squared distance alone; divided by ‖ĝ_t‖², it does not depend on the scale of θ.
    """
    total, losses, constants = 0.0, [], teacher.init()
    student, (theta, master) = state[0], mg.stop_gradient((theta, state[1]))  # φ moves neither
    for weight in weights:
        loss, gradient = mg.value_and_grad(task.loss)(theta, task.next_batch())
        update, student = optimizer(phi, gradient, student)
        wanted, master = teacher(constants, gradient, master)
        student = shifted(optimizer, student, wanted - update)
        distance = mg.sum(mg.square(update - wanted)) / max(float(np.sum(np.square(wanted))), 1e-30)
        total, theta = total + weight * distance, theta + wanted
        losses.append(loss)
    return total, theta, (student, master), losses
