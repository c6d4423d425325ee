"""Classical test functions, from random starts and with a minimum of 0."""

import numpy as np

import minigrad as mg
from l2l.problems.families import normal
from l2l.suite.interface import loss


@loss("test-functions", "validation")
def powell_singular(rng):
    """Powell's function (1962) in 12 variables, whose Hessian is singular at the minimum, 0.

    f(θ) = mean over quadruples of (a + 10b)² + 5 (c − d)² + (b − 2c)⁴ + 10 (a − d)⁴, from his start (3, −1, 0, 1) plus
    normal numbers times ½.
    """

    def f(theta):
        a, b, c, d = mg.reshape(theta, (4, 3))
        squares = mg.square(a + 10.0 * b) + 5.0 * mg.square(c - d)
        return mg.mean(squares + mg.square(mg.square(b - 2.0 * c)) + 10.0 * mg.square(mg.square(a - d)))

    return f, np.repeat(np.array([3, -1, 0, 1], np.float32), 3) + normal(rng, 12, scale=0.5), None


@loss("test-functions", "validation")
def levy(rng):
    """Levy's function in 10 variables: a parabola under waves. In this form, Laguna and Martí 2005.

    f = sin²(πw_1) + Σ_{i<n} (w_i − 1)² (1 + 10 sin²(πw_i + 1)) + (w_n − 1)² (1 + sin²(2πw_n)), w = 1 + (θ − 1)/4, from
    uniform numbers in [−10, 10].
    """

    def f(theta):
        w = 1.0 + (theta - 1.0) / 4.0
        waves = 1.0 + 10.0 * mg.square(mg.sin(np.pi * w[:-1] + 1.0))
        end = mg.square(w[-1] - 1.0) * (1.0 + mg.square(mg.sin(2 * np.pi * w[-1])))
        return mg.square(mg.sin(np.pi * w[0])) + mg.sum(mg.square(w[:-1] - 1.0) * waves) + end

    return f, rng.uniform(-10, 10, size=10).astype(np.float32), None


@loss("test-functions", "validation")
def styblinski_tang(rng):
    """The function of Styblinski and Tang (1990) in 10 variables, each with a second minimum 14.1 above the first.

    f = ½ mean_i (θ_i⁴ − 16 θ_i² + 5 θ_i), less its minimum ½ (a⁴ − 16 a² + 5 a) at a = −2.9035340, from uniform numbers
    in [−5, 5]. Written as ½ (θ − a)² ((θ + a)² + 2 a² − 16) it is not below 0 in any precision.
    """
    a = -2.9035340277711770

    def f(theta):
        return 0.5 * mg.mean(mg.square(theta - a) * (mg.square(theta + a) + (2 * a**2 - 16)))

    return f, rng.uniform(-5, 5, size=10).astype(np.float32), None


@loss("test-functions", "validation")
def ackley(rng):
    """Ackley's function (1987) in 10 variables: a cone with waves, whose local minima are near whole numbers.

    f = 20 (1 − exp(−0.2 |θ|/√n)) + e − exp(mean_i cos 2πθ_i), from uniform numbers in [−3, 3].
    """
    n = 10

    def f(theta):
        cone = mg.expm1(-0.2 * n**-0.5 * mg.norm(theta))
        waves = mg.expm1(mg.mean(mg.cos(2 * np.pi * theta)) - 1.0)
        return -20.0 * cone - np.e * waves

    return f, rng.uniform(-3, 3, size=n).astype(np.float32), None


@loss("valley", "kin")
def rosenbrock(rng):
    """Rosenbrock's function (1960) in 10 variables, not rotated.

    f = Σ_i [100 (θ_{i+1} − θ_i²)² + (1 − θ_i)²], which is 0 at 1, from his start (−1.2, 1, −1.2, …) plus normal numbers
    times 0.1.
    """

    def f(theta):
        here, after = theta[:-1], theta[1:]
        return mg.sum(100.0 * mg.square(after - mg.square(here)) + mg.square(1.0 - here))

    return f, np.tile(np.array([-1.2, 1], np.float32), 5) + normal(rng, 10, scale=0.1), None
