"""Functions of a known shape: quadratics and curved valleys."""

from dataclasses import dataclass

import numpy as np

import minigrad as mg
from l2l.problems.families import Family, normal, rotation, whole_number
from l2l.problems.interface import task_of
from l2l.registry import setting

MOST = 1000  # variables; the rotation has as many rows and columns


@dataclass(frozen=True)
class IllConditioned(Family):
    """Quadratics whose curvatures differ by orders of magnitude, for directions that need different steps.

    f(θ) = Σ_i λ_i (Qθ − Qv)_i² / Σ_i λ_i, with λ_i log-uniform from 10^−k to 1, k uniform from 0 to `decades`, and a
    random rotation Q; v and θ_0 are uniform in [−1, 1]ⁿ. With decades=0 this is ‖θ − v‖²/n, the convex function that Lv
    et al. 2017 (arXiv 1703.03633) add to a problem; `ensemble` makes such a sum.
    """

    dimension: tuple[int, ...] = setting((10, 100), "range of the variables", least=1, most=MOST)
    decades: float = setting(5.0, "largest log10 of the condition number", least=0, most=30)

    def sample(self, rng, split="train"):
        n = whole_number(rng, self.dimension)
        spectrum = 10 ** rng.uniform(-rng.uniform(0, self.decades), 0, size=n)
        root = (np.sqrt(spectrum)[:, None] * rotation(rng, n)).astype(np.float32)
        root /= np.sqrt(spectrum.sum(), dtype=np.float32)
        v, start = rng.uniform(-1, 1, size=(2, n)).astype(np.float32)
        return task_of(lambda theta: mg.sum(mg.square(root @ (theta - v))), start)[0]


@dataclass(frozen=True)
class Valley(Family):
    """Curved valleys, for directions that turn on the way.

    f(θ) = mean_i [a_i (z_{i+1} − z_i²)² + (1 − z_i)²] with z = Qθ: Rosenbrock's function (1960) in n variables, with
    coefficients a_i that are log-uniform from 1 to `steepness`, in a random rotation Q. The minimum is 0, at z = 1, and
    z_0 ~ N(0, ½²).
    """

    dimension: tuple[int, ...] = setting((4, 50), "range of the variables", least=2, most=MOST)
    steepness: float = setting(100.0, "largest coefficient of the valley's walls", least=1, most=1e6)

    def sample(self, rng, split="train"):
        n = whole_number(rng, self.dimension)
        Q = rotation(rng, n).astype(np.float32)
        a = np.exp(rng.uniform(0, np.log(self.steepness), size=n - 1)).astype(np.float32)

        def loss(theta):
            z = Q @ theta
            here, after = z[:-1], z[1:]
            return mg.mean(a * mg.square(after - mg.square(here)) + mg.square(1.0 - here))

        return task_of(loss, Q.T @ normal(rng, n, scale=0.5))[0]
