"""Update rules designed by hand that use curvature: they solve (C + λI) d = ∇ for the step, by products C v alone."""

from dataclasses import dataclass

import numpy as np

import minigrad as mg
from l2l.optimizers.constants import log, positive
from l2l.registry import Checked, setting


def conjugate_gradients(product, b, iterations):
    """The x with A x = b, A symmetric and given as v ↦ A v: `iterations` steps from x = 0 (Hestenes & Stiefel 1952,
    section 3), of which n suffice for n unknowns but for rounding.

    Stops early where the residual is down to rounding, and before a direction d with dᵀAd ≤ 0: it keeps the x reached
    so far, or b itself where that is the first direction (Dembo & Steihaug 1983; Nocedal & Wright 2006, Algorithm 7.1).
    So bᵀx > 0 for b ≠ 0, whatever A is, and b = 0 gives 0. A, b and x have any one shape. Differentiable.
    """
    x, residual, direction = np.zeros_like(mg.stop_gradient(b)), b, b
    squared = mg.sum(b * b)
    rounding = float(np.finfo(b.dtype).eps) ** 2 * mg.stop_gradient(squared)
    for i in range(iterations):
        image = product(direction)
        curvature = mg.sum(direction * image)
        if not curvature > 0.0:
            return x if i else b
        length = squared / curvature
        x = x + length * direction
        residual = residual - length * image
        previous, squared = squared, mg.sum(residual * residual)
        if not squared > rounding:
            break
        direction = residual + (squared / previous) * direction
    return x


@dataclass(frozen=True)
class Newton(Checked):
    """Newton's method, damped and truncated (Dembo & Steihaug 1983; for networks, Martens 2010):

        g_t = −α (H_t + λI)⁻¹ ∇_t        H_t = ∂²f/∂θ² at θ_t, on the batch of ∇_t

    by `iterations` steps of `conjugate_gradients`, which stop at the first direction of negative curvature that they
    meet: the update is a descent direction even where H_t + λI has negative eigenvalues. There is neither a line search
    nor a trust region, so a step is long where an eigenvalue of H_t is close to −λ: raise λ, or lower α.
    """

    learning_rate: float = setting(1.0, "learning rate α", above=0)
    damping: float = setting(0.3, "damping λ", above=0)
    iterations: int = setting(10, "steps of conjugate gradients", least=1, most=10_000)

    uses_curvature = True

    def init(self, rng=None):
        return {"log_learning_rate": log(self.learning_rate), "log_damping": log(self.damping)}

    def init_state(self, theta):
        return {}

    def __call__(self, phi, grad, state, curvature):
        damping, product = positive(phi["log_damping"], grad), self.product(curvature)
        step = conjugate_gradients(lambda v: product(v) + damping * v, grad, self.iterations)
        return -positive(phi["log_learning_rate"], grad) * step, state

    def product(self, curvature):
        return curvature.hessian


@dataclass(frozen=True)
class GaussNewton(Newton):
    """The Gauss–Newton method with constant Levenberg–Marquardt damping (Levenberg 1944; Schraudolph 2002):

        g_t = −α (JᵀH_L J + λI)⁻¹ ∇_t        J = ∂z/∂θ, H_L = ∂²L/∂z², for f = L(z(θ))

    No curvature is negative where L is convex, so less damping is enough. For least squares H_L is a multiple of I.
    """

    damping: float = setting(0.1, "damping λ", above=0)

    def product(self, curvature):
        return curvature.gauss_newton


@dataclass(frozen=True)
class NaturalGradient(Newton):
    """The natural gradient, damped (Amari 1998, Theorem 1):

        g_t = −α (F + λI)⁻¹ ∇_t        F = E[∇log p(y|x) ∇log p(y|x)ᵀ], y drawn from the model's own p

    For softmax and cross-entropy F is the Gauss–Newton matrix (Martens 2020), computed in another way.
    """

    damping: float = setting(0.1, "damping λ", above=0)

    def product(self, curvature):
        return curvature.fisher
