"""Differential equations and motion: physics-informed networks, trajectories, parameters of a system."""

import numpy as np

import minigrad as mg
from l2l.problems.families import dense, normal
from l2l.suite.interface import loss

# ------------------------------------------------------------------------------------------ physics-informed networks


def derivatives(network, x, inputs):
    """u(x) of a network with one hidden layer of tanh, and for each of the inputs k the pair (∂u/∂x_k, ∂²u/∂x_k²).

    u = Σ_j v_j h_j + c with h = tanh(x W + b), so ∂u/∂x_k = Σ_j v_j W_kj h'_j and ∂²u/∂x_k² = Σ_j v_j W_kj² h''_j,
    where h' = 1 − h² and h'' = −2 h h'. x: (n, inputs). Each result is (n,).
    """
    first, last = network
    h = mg.tanh(mg.layers.dense(first, x))
    slope = 1.0 - mg.square(h)
    bend = -2.0 * h * slope
    v = last["W"][:, 0]
    pairs = [(slope @ (v * first["W"][k]), bend @ (v * mg.square(first["W"][k]))) for k in inputs]
    return h @ v + last["b"], pairs


@loss("physics-informed", "test")
def pinn_oscillator(rng):
    """A network u(t) that solves a damped oscillation. Raissi et al. 2019.

    u'' + 2ζω u' + ω² u = 0 on [0, 2] with u(0) = 1, u'(0) = 0. f = mean_i r(t_i)² + (u(0) − 1)² + (u'(0)/ω)², r the
    equation's left side divided by ω², at 64 random times; u has 30 hidden units.
    """
    omega, zeta = (float(v) for v in rng.uniform((2, 0.05), (4, 0.3)))
    t = np.append(0, rng.uniform(0, 2, size=64)).astype(np.float32)[:, None]

    def f(network):
        u, [(u_t, u_tt)] = derivatives(network, t, (0,))
        residual = u_tt / omega**2 + 2 * zeta / omega * u_t + u
        return mg.mean(mg.square(residual)) + mg.square(u[0] - 1.0) + mg.square(u_t[0] / omega)

    return f, [dense(rng, 1, 30), dense(rng, 30, 1)], None


@loss("physics-informed", "test")
def pinn_heat(rng):
    """A network u(x, t) that solves the heat equation on a rod whose ends are kept cold. Raissi et al. 2019.

    u_t = α u_xx on [0, 1]², u(0, t) = u(1, t) = 0, u(x, 0) = Σ_k a_k sin(kπx), k = 1 to 3. f = the mean squares of
    u_t − α u_xx at 128 points, of the ends at 32 and of the beginning at 32; u has 30 hidden units.
    """
    alpha, a = float(rng.uniform(0.05, 0.2)), rng.normal(size=3)
    inside, end = rng.uniform(size=(128, 2)), rng.uniform(size=(32, 2))
    end[:, 0] = end[:, 0] > 0.5
    beginning = np.stack([rng.uniform(size=32), np.zeros(32)], axis=1)
    values = np.sin(np.pi * np.outer(beginning[:, 0], [1, 2, 3])) @ a
    x = np.concatenate([inside, end, beginning]).astype(np.float32)
    known = np.append(np.zeros(32), values).astype(np.float32)

    def f(network):
        u, [(_, u_xx), (u_t, _)] = derivatives(network, x, (0, 1))
        residual = (u_t - alpha * u_xx)[:128]
        return mg.mean(mg.square(residual)) + 2.0 * mg.mean(mg.square(u[128:] - known))

    return f, [dense(rng, 2, 30), dense(rng, 30, 1)], None


# ------------------------------------------------------------------------------------------ control


@loss("control", "test")
def pendulum(rng):
    """The torques that swing a pendulum up: single shooting through 40 steps of 0.15. Betts 1998.

    f(u) = mean_t [1 + cos φ_t + 0.1 ω_t² + 0.01 u_t²] + 1 + cos φ_40 + ω_40², with ω_{t+1} = ω_t + 0.15 (u_t − sin φ_t
    − c ω_t) and φ_{t+1} = φ_t + 0.15 ω_{t+1}, from near the rest that hangs down. No term is negative.
    """
    steps, dt, friction = 40, 0.15, float(rng.uniform(0.05, 0.2))
    angle, speed = normal(rng, 2, 1, scale=0.3)

    def f(torques):
        phi, omega, angles, speeds = angle, speed, [], []
        for torque in mg.split(torques, steps):
            omega = omega + dt * (torque - mg.sin(phi) - friction * omega)
            phi = phi + dt * omega
            angles.append(phi)
            speeds.append(omega)
        height, squares = 1.0 + mg.cos(mg.concatenate(angles)), mg.square(mg.concatenate(speeds))
        running = mg.mean(height + 0.1 * squares + 0.01 * mg.square(torques))
        return running + height[-1] + squares[-1]

    return f, normal(rng, steps, scale=0.1), None


def populations(rates, state, steps, dt):
    """The logs (steps, 2, n) of prey x and predators y in n places by x' = a x − b xy, y' = d xy − c y, for rates (a,
    b, c, d) and the logs (2, n) at first. In log x and log y Euler's alternating step keeps orbits closed."""
    (a, b, c, d), (x, y), course = dt * rates, state, []
    for _ in range(steps):
        x = x + (a - b * mg.exp(y))
        y = y + (d * mg.exp(x) - c)
        course += [x, y]
    return mg.reshape(mg.stack(course), (steps, 2, -1))


@loss("control", "test")
def lotka_volterra(rng):
    """The rates of predator and prey, and their first numbers in 8 places, from noisy counts at 20 times.

    f = the mean square of `populations` less the logs observed, rolled out from the parameters: θ = the logs of the
    four rates and of the first numbers, which start at the first counts. Ramsay et al. 2007; Volterra 1926.
    """
    steps, dt, places = 20, 0.2, 8
    rates, first = np.exp(0.3 * rng.normal(size=4)), 0.5 * rng.normal(size=(2, places))
    course = populations(rates, first, steps, dt)
    observed = (course + 0.1 * rng.normal(size=course.shape)).astype(np.float32)

    def f(theta):
        return mg.mean(mg.square(populations(mg.exp(theta["rates"]), theta["first"], steps, dt) - observed))

    return f, {"first": observed[0], "rates": normal(rng, 4, scale=0.3)}, None
