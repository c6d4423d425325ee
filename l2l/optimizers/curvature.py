"""Hand-designed update rules that use curvature: they solve (C + λI) d = ∇ for the step d, with products C v only."""

from dataclasses import dataclass

import numpy as np

import minigrad as mg
from l2l.optimizers.constants import log, positive
from l2l.registry import Checked, setting


def conjugate_gradients(product, b, iterations):
    """The solution x of A x = b by `iterations` steps of conjugate gradients from x = 0 (Hestenes & Stiefel 1952,
    section 3). A is symmetric and given as v ↦ A v. Without rounding, n steps solve n equations.

    Stops when the residual is as small as rounding, and before a direction d with dᵀAd ≤ 0. In that case it returns the
    current x, or b if d is the first direction (Dembo & Steihaug 1983; Nocedal & Wright 2006, Algorithm 7.1). So
    bᵀx > 0 for b ≠ 0 and any A, and b = 0 gives 0. b and x have the same shape, any. Differentiable.
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

    by `iterations` steps of `conjugate_gradients`, which stop at the first direction of negative curvature: the update
    is a descent direction even where H_t + λI has negative eigenvalues. There is no line search and no trust region, so
    a step can be very long where an eigenvalue of H_t is close to −λ; then raise λ or lower α.
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

    The matrix is positive semi-definite if L is convex, so less damping is enough. For least squares H_L is a multiple
    of I.
    """

    damping: float = setting(0.1, "damping λ", above=0)

    def product(self, curvature):
        return curvature.gauss_newton


@dataclass(frozen=True)
class NaturalGradient(Newton):
    """The natural gradient, damped (Amari 1998, Theorem 1):

        g_t = −α (F + λI)⁻¹ ∇_t        F = E[∇log p(y|x) ∇log p(y|x)ᵀ], y drawn from the model's own p

    For softmax with cross-entropy F equals the Gauss–Newton matrix (Martens 2020), but is computed in another way.
    """

    damping: float = setting(0.1, "damping λ", above=0)

    def product(self, curvature):
        return curvature.fisher
