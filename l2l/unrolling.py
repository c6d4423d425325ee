"""The algorithm of the paper, on one screen: run an optimizer on a task and sum the losses.

If φ is a plain tree of arrays, this is optimization. Inside `minigrad.value_and_grad` with respect to φ, the same loop
records the unrolled graph of the paper's Figure 2, and gives the gradient of the meta-loss with respect to φ.
"""

from collections.abc import Callable
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
    second_derivatives: bool = False,
    term: Callable | None = None,
) -> tuple[Any, Any, Tree, list]:
    """The meta-loss L = Σ_t w_t f(θ_t) over len(weights) steps (Andrychowicz et al. 2016, eq. 3), with

        ∇_t = ∂f(θ_t)/∂θ_t        (g_t, h_{t+1}) = m(∇_t, h_t; φ)        θ_{t+1} = θ_t + g_t

    theta: θ_0, one array; state: h_0. f is `task.loss` on a new minibatch at each step. second_derivatives=False makes
    the paper's assumption ∂∇_t/∂φ = 0; True gives the exact meta-gradient, at a higher cost. Rules that use curvature
    get it at the same θ_t, under the same assumption. term: a function that L takes of each f(θ_t), if not f(θ_t)
    itself.

    The inner `value_and_grad` computes f's gradient ∇_t, once a step, and `known_gradient` hands it to the outer tape.
    So the outer backward pass neither keeps f's activations nor differentiates f a second time.

    Returns (L, θ_T, h_T, [f(θ_0), …, f(θ_{T−1})]). The first three depend on φ; the losses are plain numbers.
    """
    meta_loss, losses = 0.0, []
    for weight in weights:
        seen = theta if second_derivatives else stop_gradient(theta)  # cuts the dashed edges of Figure 2
        batch = task.next_batch()
        if second_derivatives:  # the backward pass reads it again, and next_batch may reuse its buffer
            batch = deepcopy(batch)
        loss, gradient = value_and_grad(task.loss)(seen, batch)
        # ∂f/∂θ_t = ∇_t is known already: the tape of φ keeps this vector, and not the optimizee's graph
        known = known_gradient(loss, theta, gradient)
        meta_loss = meta_loss + weight * (term(known) if term else known)
        curvature = [Curvature(task.loss, seen, batch)] if getattr(optimizer, "uses_curvature", False) else []
        update, state = optimizer(phi, gradient, state, *curvature)
        theta = theta + update
        losses.append(stop_gradient(loss))
    return meta_loss, theta, state, losses
