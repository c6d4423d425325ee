"""Curvature matrices as products with a vector, without forming the matrix, and the Hessian itself.

x and v are trees of the same structure, and so is a product. ValueError is raised where their shapes differ. Costs are
given in gradients of f, roughly.
"""

from collections.abc import Callable

import numpy as np

from minigrad import tree
from minigrad.core import vjp
from minigrad.ops.elementwise import exp
from minigrad.ops.nn import log_softmax
from minigrad.ops.reduce import sum
from minigrad.structure import Array, Tree
from minigrad.transforms import grad, jacobian, jvp, matching


def hvp(f: Callable[[Tree], Array], x: Tree, v: Tree) -> Tree:
    """The Hessian of the scalar f at x times v: ∇(∇f(x)·v) (Pearlmutter 1994). Cost: two to three gradients."""
    direction = matching(v, x)
    return grad(lambda x: sum(tree.ravel(grad(f)(x))[0] * direction))(x)


def hessian(f: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """The function x ↦ ∂²f/∂x² of an array x: shape (*x.shape, *x.shape), one `hvp` per element of x."""
    return jacobian(grad(f))


def gauss_newton_product(f: Callable[[Tree], Array], loss: Callable[[Array], Array], x: Tree, v: Tree) -> Tree:
    """Jᵀ H J v, with J = ∂f/∂x and H the Hessian of the scalar loss at f(x) (Schraudolph 2002).

    This is the Hessian of loss(f(x)) without the term with f's second derivatives. It is positive semi-definite if loss
    is convex.
    """
    outputs, pullback = vjp(f, x)
    return pullback(hvp(loss, outputs, jvp(f, x, v)[1]))


def fisher_product(logits: Callable[[Tree], Array], x: Tree, v: Tree) -> Tree:
    """The Fisher information of a classifier times v: (1/n) Σᵢ E_y [∇log p(y|i) ∇log p(y|i)ᵀ] v (Amari 1998).

    logits: x ↦ (n, classes). The expectation is over labels y drawn from the model's own probabilities p, not over the
    data's labels; it equals Jᵀ (diag p − p pᵀ) J v / n.
    """
    outputs, pullback = vjp(logits, x)
    if len(outputs.shape) != 2:
        raise ValueError(f"logits must return shape (n, classes), not {outputs.shape}")
    forward = jvp(logits, x, v)[1]
    p = exp(log_softmax(outputs))
    return pullback(p * (forward - sum(p * forward, -1, True)) / outputs.shape[0])


def empirical_fisher_product(losses: Callable[[Tree], Array], x: Tree, v: Tree) -> Tree:
    """(1/n) Σᵢ ∇ℓᵢ ∇ℓᵢᵀ v, with losses: x ↦ (ℓ₁ … ℓₙ), the loss of each example at its observed label.

    It is often mistaken for the Fisher information, but its labels are the data's, not drawn from the model
    (Kunstner, Balles & Hennig 2019).
    """
    values, pullback = vjp(losses, x)
    if len(np.shape(values)) != 1:
        raise ValueError(f"losses must return one number per example, shape (n,), not {np.shape(values)}")
    return pullback(jvp(losses, x, v)[1] / values.shape[0])
