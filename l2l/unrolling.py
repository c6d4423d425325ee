"""The algorithm of the paper, on one screen: run an optimizer on a task and sum the losses on the way.

With φ a plain tree of arrays this is optimization. With φ watched by `minigrad.value_and_grad` the very same loop is
the unrolled graph of the paper's Figure 2, and the gradient of the meta-loss with respect to φ comes out of it.
"""

from copy import deepcopy
from typing import Any

from l2l.optimizers.interface import Array, Optimizer, Tree
from l2l.problems import Curvature, Task
from minigrad import known_gradient, stop_gradient, value_and_grad


def unroll(
    optimizer: Optimizer,
    phi: Tree,
    task: Task,
    theta: Array,
    state: Tree,
    weights: list[float],
    second_derivatives=False,
) -> tuple[Any, Any, Tree, list]:
    """The meta-loss L = Σ_t w_t f(θ_t) over len(weights) steps (Andrychowicz et al. 2016, eq. 3), with

        ∇_t = ∂f(θ_t)/∂θ_t        (g_t, h_{t+1}) = m(∇_t, h_t; φ)        θ_{t+1} = θ_t + g_t

    theta: θ_0, one array; state: h_0. f is `task.loss` on a fresh minibatch each step. second_derivatives=False makes
    the paper's assumption ∂∇_t/∂φ = 0; True gives the exact meta-gradient, at a higher price. The curvature that
    some rules use is taken at the same θ_t, under the same assumption.

    Returns (L, θ_T, h_T, [f(θ_0), …, f(θ_{T−1})]). The first three depend on φ; the losses are plain numbers.
    """
    meta_loss, losses = 0.0, []
    for weight in weights:
        seen = theta if second_derivatives else stop_gradient(theta)  # here the dashed edges of Figure 2 are cut
        batch = task.next_batch()
        if second_derivatives:  # the backward pass looks at it again, and by then next_batch may have refilled it
            batch = deepcopy(batch)
        loss, gradient = value_and_grad(task.loss)(seen, batch)
        meta_loss = meta_loss + weight * known_gradient(loss, theta, gradient)
        curvature = [Curvature(task.loss, seen, batch)] if getattr(optimizer, "uses_curvature", False) else []
        update, state = optimizer(phi, gradient, state, *curvature)
        theta = theta + update
        losses.append(stop_gradient(loss))
    return meta_loss, theta, state, losses
