# %% [markdown]
# # 3 · Why does gradient descent zig-zag, and what does momentum buy?
#
# Lesson 2 ended with a quarrel. The steep direction of a bowl forbids large steps. The flat one needs them. Gradient
# descent has one learning rate for both, so the steep direction wins and the flat one waits.
#
# The shortest cure is from 1964: remember the last steps. In this lesson you see what one number of
# memory per parameter buys, how much of it is best, and a case in which it never arrives.
#
# You need: lesson 2.

# %%
import numpy as np
from course import check, recall, show, show_source, verdicts

import minigrad as mg
from l2l import plots, unroll
from l2l.optimizers import NAG, SGD, Momentum
from l2l.problems import Task
from lessons import figures

# %% [markdown]
# ## The ravine
#
# How hard a bowl is, one number says: its *condition number* $\kappa = \lambda_{\max}/\lambda_{\min}$, the largest
# curvature over the smallest. For $\kappa = 1$ the bowl is round. For large $\kappa$ it is a ravine.
#
# Here is $\kappa = 20$, with the curvatures 1 along $\theta_1$ and 20 along $\theta_2$. We want to see the path, so we
# take the steps one at a time with `unroll`, the loop that `l2l.minimize` runs inside. (It wants a `Task`: a start and a
# loss, which may look at a batch of data; ours does not. The list `[1.0]` asks for one step.) The rate is the best one for
# gradient descent, $2/(\lambda_{\min}+\lambda_{\max})$.


# %%
def bowl(curvatures):
    """The loss ½ Σ λᵢ θᵢ²: a bowl whose eigenvectors are the axes, with its minimum at zero."""
    return lambda theta: 0.5 * mg.sum(curvatures * mg.square(theta))


def path(rule, loss, start, steps):
    """θ_0, …, θ_steps, as rows."""
    task = Task(start, lambda theta, batch: loss(theta))
    phi, theta, state = rule.init(), start, rule.init_state(start)
    points = [theta]
    for _ in range(steps):
        _, theta, state, _ = unroll(rule, phi, task, theta, state, [1.0])
        points.append(theta)
    return np.array(points)


ravine = np.array([1.0, 20.0])
descent = path(SGD(2.0 / ravine.sum()), bowl(ravine), np.array([1.0, 0.35]), 25)
figure, axes = figures.paths(
    lambda a, b: 0.5 * (ravine[0] * a**2 + ravine[1] * b**2),
    {"gradient descent, 25 steps": descent},
    "Gradient descent crosses the ravine at every step and creeps along it",
    reach=((-0.3, 1.1), (-0.5, 0.5)),
)
show(
    figure,
    alt="Contours of a ravine that is narrow along θ₂ and long along θ₁, with the path of gradient descent. From (1, 0.35) "
    "it jumps from one wall to the other at every step, the jumps shrinking slowly from 0.67 on. After 25 steps it is "
    "still 0.08 away from the minimum along θ₁.",
)

# %% [markdown]
# The zig-zag is lesson 2, seen from above. Along $\theta_2$ every step multiplies by
# $1 - 20\alpha$, which is −{{20 * 2 / 21 - 1:.2f}}: the sign flips. Along $\theta_1$ it multiplies by $1 - \alpha$, which is
# {{1 - 2 / 21:.2f}}: it creeps. At the best rate the two are equally slow.
#
# ## A step that remembers
#
# Look at two steps in a row. Their parts across the ravine cancel. Their parts along it agree. So add up past
# gradients, forgetting the old ones slowly: what flips cancels, what agrees grows.
#
# $$ v_{t+1} = \mu\,v_t + \nabla_t \qquad\qquad \theta_{t+1} = \theta_t - \alpha\,v_{t+1} \tag{3.1} $$
#
# The sum $v$ is the *velocity*, it begins at zero, and $\mu$ between 0 and 1 is the *momentum*. With $\mu = 0$ this is gradient descent. The
# method is Polyak's *heavy ball* of 1964. (Implementation: `Momentum` in [hand_designed.py](../l2l/optimizers/hand_designed.py).
# Test: [test_optimizers.py](../tests/l2l/test_optimizers.py).) In the code, the velocity is the rule's *state*: it comes in, and
# it goes out renewed. `fraction` does for $\mu$ what `positive` does for $\alpha$: it keeps it between 0 and 1.

# %%
show_source(Momentum)

# %% [markdown]
# ## Your prediction
#
# Take $\kappa = 100$: 20 curvatures from 1 to 100, evenly spaced in their logarithm, and a start at distance 1 along
# each eigenvector. We count the steps until the error along every eigenvector stays below a thousandth. Gradient descent at its
# best rate multiplies by 99/101 and needs 346 steps. **How many does momentum need, at its best rate and best momentum?**

# %% tags=["prediction"]
prediction = ...  # a number of steps; gradient descent needs 346

# %% [markdown]
# ## Run it
#
# We tune momentum by trial: 12 rates times 10 momenta, 400 steps each.

# %%
curvatures = np.geomspace(1.0, 100.0, 20)


def steps_needed(rule, curvatures, limit):
    """The step from which on the error along every eigenvector stays below a thousandth of its start."""
    points = path(rule, bowl(curvatures), np.ones(len(curvatures)), limit)
    above = np.flatnonzero(abs(points).max(axis=1) > 1e-3)
    return above[-1] + 1 if above[-1] < limit else np.inf


plain = steps_needed(SGD(2.0 / (1.0 + 100.0)), curvatures, 400)
grid = [(rate, mu) for rate in np.geomspace(0.01, 0.04, 12) for mu in np.arange(0.5, 0.99, 0.05)]
tried = {(rate, mu): steps_needed(Momentum(rate, mu), curvatures, 400) for rate, mu in grid}
rate, mu = min(tried, key=tried.get)
print(f"gradient descent {plain} steps; momentum {tried[rate, mu]} steps, with α = {rate:.3f} and μ = {mu:.2f}")
recall(prediction, tried[rate, mu])

# %% [markdown]
# {{plain / tried[rate, mu]:.0f}} times fewer steps, for one more number per parameter and not one more gradient a step. Note the rate, too: $2/\lambda_{\max}$, the cliff of gradient descent, is `0.02`. Momentum is
# best {{"beyond" if rate > 0.02 else "before"}} it.
#
# Where does the gain come from? Look at each eigenvector by itself:

# %%
steps = np.arange(101)
runs = {
    "gradient descent": path(SGD(2.0 / 101.0), bowl(curvatures), np.ones(20), 100),
    f"momentum, μ = {mu:.2f}": path(Momentum(rate, mu), bowl(curvatures), np.ones(20), 100),
}
figure, panels = plots.canvas("Momentum makes flat, middle and steep equally fast", width=2, size=(9, 4.2), sharey=True)
for axes, (name, points) in zip(panels, runs.items(), strict=True):
    for k, style in ((0, "-"), (9, "--"), (19, ":")):
        axes.plot(
            steps, abs(points[:, k]), style, color=plots.COLOURS[(0, 9, 19).index(k)], label=f"λ = {curvatures[k]:.0f}"
        )
    axes.set(yscale="log", ylim=(1e-6, 5), xlabel="step")
    axes.set_title(name, fontsize=10)
    axes.grid(True, alpha=0.25)
panels[0].set_ylabel("error along the eigenvector")
panels[0].legend(frameon=False, fontsize=9)
show(
    figure,
    alt="Error along three eigenvectors over 100 steps, logarithmic, in two panels. With gradient descent the flat and the "
    "steep one fall together to 0.14, while the middle one drops out of the picture, below 1e-6, after some 70 steps. "
    "With momentum all three fall at about the same pace, swinging, and are below 1e-6 within about 80 steps.",
)

# %% [markdown]
# Gradient descent is fast in the middle, where nobody needs it, and slow at both ends. Momentum spends the same effort
# everywhere. That cannot be chance.
#
# ## Two numbers instead of one
#
# Along one eigenvector the state is now two numbers: the error $e = \theta - \theta^*$, and the velocity. The gradient is
# $\lambda e$. Put it into $(3.1)$, as a step from $(e, \alpha v)$ to the next:
#
# $$ \left[\begin{matrix} e_{t+1} \\ \alpha v_{t+1} \end{matrix}\right] = \left[\begin{matrix} 1 - \alpha\lambda & -\mu \\ \alpha\lambda & \mu
# \end{matrix}\right] \left[\begin{matrix} e_t \\ \alpha v_t \end{matrix}\right] $$
#
# In lesson 2 a number decided, $|1 - \alpha\lambda|$. Now it is the larger of the two eigenvalues of this matrix, in size: its
# *spectral radius* $\rho$. Only $\alpha\lambda$ and $\mu$ enter, so everything that can happen fits on one map.
#
# We do not trust the matrix, we measure. `Momentum` runs on 150 curvatures at once, for each of 80 momenta; the colour is the
# factor by which a step shrinks error and velocity. The lines are theory.

# %%
products = np.linspace(0.02, 4.0, 150)  # αλ, with α = 1
momenta = np.linspace(0.006, 0.98, 80)


def size_after(rule, curvatures, steps):
    """The larger of error and velocity, for each curvature."""
    start = np.ones(len(curvatures))
    task = Task(start, lambda theta, batch: bowl(curvatures)(theta))
    _, theta, state, _ = unroll(rule, rule.init(), task, start, rule.init_state(start), [1.0] * steps)
    return np.maximum(abs(theta), abs(state["velocity"]))


def spectral_radius(product, mu):
    return np.max(np.abs(np.linalg.eigvals([[1.0 - product, -mu], [product, mu]])))


rules = [Momentum(1.0, mu) for mu in momenta]
measured = np.array([(size_after(rule, products, 130) / size_after(rule, products, 30)) ** 0.01 for rule in rules])
radius = np.array([[spectral_radius(product, mu) for product in products] for mu in momenta])

# %%
figure, axes = figures.field(
    products,
    momenta,
    measured,
    "Between the white lines, the pace depends on the momentum alone",
    x="learning rate times curvature, αλ",
    y="momentum μ",
    scale="measured factor per step",
)
root = np.sqrt(momenta)
axes.plot((1.0 - root) ** 2, momenta, color="white", linewidth=2)
axes.plot((1.0 + root) ** 2, momenta, color="white", linewidth=2)
axes.plot([0.25, 2.25], [0.25, 0.25], color=plots.COLOURS[5], marker="o", linewidth=2)
axes.set(xlim=(products[0], products[-1]), ylim=(momenta[0], momenta[-1]))
framed = {"ha": "center", "fontsize": 9, "bbox": {"facecolor": "white", "alpha": 0.85, "linewidth": 0}}
for place, words in {
    (0.3, 0.05): "creeps", (1.4, 0.75): "swings", (1.82, 0.03): "flips", (3.2, 0.25): "diverges", (1.25, 0.29): "best for κ = 9"
}.items():  # fmt: skip
    axes.text(*place, words, **framed)
show(
    figure,
    alt="Map of the factor per step over αλ from 0 to 4 and momentum from 0 to 1. Two white lines open from the point αλ = 1, "
    "μ = 0, as a parabola. Between them, labelled swings, the colours are horizontal bands, from near 0 at the tip to near 1 at "
    "the top. To the left it creeps, to the right it flips, both close to 1. Further right, hatched, it diverges. At μ = 0.25 a bar from αλ = 0.25 to 2.25 "
    "just fits between the white lines: best for κ = 9.",
)

# %% [markdown]
# Half of the measured factors agree with the spectral radius to {{sci(np.median(abs(measured - radius)), 1)}}, 99 per cent of
# them to {{np.percentile(abs(measured - radius), 99):.2f}}. How to read the map:
#
# * **Swings**: $(1-\sqrt\mu)^2 < \alpha\lambda < (1+\sqrt\mu)^2$. The two eigenvalues are a complex pair. Their product is the
#   determinant of the matrix, and that is $\mu$. So both have the size $\sqrt\mu$, *whatever the curvature*: the bands are
#   horizontal.
# * **Creeps**: left of that. Both eigenvalues are real and positive, and one is larger than $\sqrt\mu$. More momentum would help here.
# * **Flips**: right of that, with a new sign at each step, up to $\alpha\lambda = 2(1+\mu)$.
# * **Diverges** beyond. Momentum moves the cliff of lesson 2 outwards, to up to twice as far.
#
# The bottom edge, $\mu = 0$, is gradient descent, and the V of lesson 2. On the left white line the motion is *critically damped*: as
# fast as it can be without swinging, like a good door closer.
#
# A bowl is a horizontal bar on this map: all its curvatures, at one $\mu$, from $\alpha\lambda_{\min}$ to
# $\alpha\lambda_{\max}$. $\alpha$ stretches it, $\mu$ lifts it. Darker is faster.

# %% [markdown]
# ## Exercise: critical damping
#
# Write `critical`: for a bowl with curvatures between `lowest` and `highest`, the pair $(\alpha, \mu)$ with the smallest spectral
# radius. The bar in the figure shows the answer for $\kappa = 9$.


# %% tags=["exercise"]
def critical(lowest, highest):
    rate = ...
    mu = ...
    return rate, mu


# %% tags=["check"]
def fault_of_critical(critical):
    for lowest, highest in ((1.0, 9.0), (1.0, 100.0), (0.5, 2.0), (3.0, 3000.0)):
        rate, mu = verdicts.parts(critical(lowest, highest), "α", "μ")
        rate, mu = verdicts.number(rate, "your α"), verdicts.number(mu, "your μ")
        between = np.geomspace(lowest, highest, 9)
        radii = [spectral_radius(rate * c, mu) for c in between]
        root = np.sqrt(highest / lowest)
        if max(radii) > (root - 1.0) / (root + 1.0) + 1e-5:
            found = f"for curvatures from {lowest:g} to {highest:g} your α = {rate:.4g}, μ = {mu:.4g} has the radius {max(radii):.4f}"
            where = (
                "all of it swings: less momentum would do"
                if np.ptp(radii) < 1e-5
                else f"the worst is at λ = {between[np.argmax(radii)]:g}"
            )
            return f"{found}; {where}."
    return None


check(critical, that=fault_of_critical, right="both ends of the bar lie on the white lines.")

# %% [markdown]
# <details><summary>Hint</summary>
#
# The ends of the bar lie on the white lines: $\alpha\lambda_{\min} = (1-\sqrt\mu)^2$ and $\alpha\lambda_{\max} = (1+\sqrt\mu)^2$. Take the
# roots of both equations. Then add them; then divide one by the other.
#
# </details>

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# The sum of the roots is $\sqrt\alpha\,(\sqrt{\lambda_{\min}}+\sqrt{\lambda_{\max}}) = 2$. Their quotient is $\sqrt\kappa = (1+\sqrt\mu)/(1-\sqrt\mu)$.
#
# ```python
# def critical(lowest, highest):
#     rate = (2.0 / (np.sqrt(lowest) + np.sqrt(highest))) ** 2
#     root = np.sqrt(highest / lowest)
#     mu = ((root - 1.0) / (root + 1.0)) ** 2
#     return rate, mu
# ```
#
# </details>

# %% [markdown]
# ## What it buys: a square root
#
# The best factor of gradient descent is $\frac{\kappa-1}{\kappa+1}$ (lesson 2). The best of momentum is $\sqrt\mu$ at critical
# damping, and that turns out as
#
# $$ \frac{\sqrt\kappa-1}{\sqrt\kappa+1} $$
#
# The number of steps grows as $\kappa$ for the one, and as $\sqrt\kappa$ for the other, which is how narrow the ravine looks: its
# contours are $\sqrt\kappa$ times as long as wide. Lines: what these factors promise.
# Dots: steps counted, as above.

# %%
conditions = np.array([10.0, 30.0, 100.0, 300.0, 1000.0])
roots = np.sqrt(conditions)
factors = {"gradient descent": (conditions - 1) / (conditions + 1), "momentum": (roots - 1) / (roots + 1)}
best = {
    "gradient descent": [SGD(2.0 / (1.0 + k)) for k in conditions],
    "momentum": [Momentum(4.0 / (1.0 + r) ** 2, ((r - 1.0) / (r + 1.0)) ** 2) for r in roots],
}
counted = {
    name: np.array(
        [steps_needed(rule, np.geomspace(1.0, k, 20), 5000) for rule, k in zip(best[name], conditions, strict=True)]
    )
    for name in best
}
promised = {name: np.log(1000.0) / -np.log(factor) for name, factor in factors.items()}
series = {f"{name}, theory": (conditions, promised[name]) for name in best}
for k, name in enumerate(best):
    style = {"linestyle": "", "marker": "os"[k], "color": plots.COLOURS[k], "markersize": 6}
    series[f"{name}, counted"] = (conditions, counted[name], style)
figure, axes = figures.lines(
    series,
    "κ × 100, a ravine 10 times narrower: 100 times the steps, or 13 times with momentum",
    x="condition number κ",
    y="steps until the error is a thousandth",
    log="xy",
)
show(
    figure,
    alt="Steps against condition number from 10 to 1,000, both logarithmic. Gradient descent: dots on a line of slope 1, from "
    "about 35 to 3,450 steps. Momentum: a line of slope one half, from 11 to 109 steps, and dots above it, from 16 to 204.",
)

# %% [markdown]
# Gradient descent needs {{counted["gradient descent"][-1]:,.0f}} steps at $\kappa = 1000$, momentum {{counted["momentum"][-1]:.0f}}.
# But momentum takes more steps than its factor promises: {{counted["momentum"][2]}} at $\kappa = 100$, not
# {{promised["momentum"][2]:.0f}}. At critical damping the two eigenvalues are equal, and then the error falls as $t\,\rho^t$ and not as
# $\rho^t$. A spectral radius says how fast it is *in the end*. For a mere thousandth, the pair that we found by trial, with
# slightly more momentum, needs only {{tried[rate, mu]}} steps.
#
# There are two more things that the map does not say. You must know $\lambda_{\min}$ and $\lambda_{\max}$, which nobody does for a
# network; one tunes $\alpha$ and $\mu$ instead. And only on a bowl is the best momentum one fixed number.

# %% [markdown]
# ## Exercise: Nesterov's step
#
# A ball that looks where it will land can brake in time. Nesterov's *accelerated gradient* (1983), as Sutskever et al.
# write it, first coasts from $x$ with the old velocity, $\mu v$, then takes the gradient *at that point*, and corrects with it.
# Here $v$ includes the rate: it is the step from the last point to this one.
#
# Write one step. It returns the new $x$ and the new $v$. `gradient` is a function.


# %% tags=["exercise"]
def nesterov(gradient, x, v, rate, mu):
    new_v = ...
    new_x = ...
    return new_x, new_v


# %% tags=["check"]
def fault_of_nesterov(step):
    for seed in range(3):
        rng = np.random.default_rng(seed)
        x, v, c = rng.normal(size=(3, 4))
        step_taken = step(lambda x, c=c: c * x + x**3, x.copy(), v.copy(), 0.1, 0.7)  # it may change its arrays
        got_x, got_v = verdicts.parts(step_taken, "the new x", "the new v")
        landing = x + 0.7 * v
        want = 0.7 * v - 0.1 * (c * landing + landing**3)
        heavy = 0.7 * v - 0.1 * (c * x + x**3)
        if not verdicts.differs("v", got_v, heavy):
            return "this is the heavy ball: your gradient is taken at x, not where x would land."
        if not verdicts.differs("x", got_x, want) and not verdicts.differs("v", got_v, x + want):
            return "both are right, in the other order: the new x comes first, then the new v."
        fault = verdicts.differs("the new velocity", got_v, want)
        if fault:
            return fault
        if verdicts.differs("x", got_x, x + want):
            return "the velocity is right, but the new x is not x plus the new velocity."
    return None


check(nesterov, that=fault_of_nesterov, right="first coast, then correct.")

# %% [markdown]
# <details><summary>Hint</summary>
#
# Three lines: the point where it lands, `x + mu * v`; the new velocity, which is the old one times `mu`, minus the rate times the
# gradient there; the new point.
#
# </details>

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# def nesterov(gradient, x, v, rate, mu):
#     v = mu * v - rate * gradient(x + mu * v)
#     return x + v, v
# ```
#
# </details>

# %% [markdown]
# An update rule in this project is handed *the* gradient, at $\theta_t$. It cannot ask for another one. So `NAG` calls the landing
# point $\theta$, which is where the gradient is taken, and with the velocity of $(3.1)$ the step is
#
# $$ v_{t+1} = \mu\,v_t + \nabla_t \qquad\qquad \theta_{t+1} = \theta_t - \alpha\,(\nabla_t + \mu\,v_{t+1}) \tag{3.2} $$
#
# It is the same method in another variable. (Implementation: `NAG` in [hand_designed.py](../l2l/optimizers/hand_designed.py). Test, against the
# original form too: [test_optimizers.py](../tests/l2l/test_optimizers.py).)

# %%
show_source(NAG)

# %% [markdown]
# ## Where the heavy ball never arrives
#
# On a bowl, the tuned heavy ball is faster than Nesterov. So why does anybody use Nesterov's step? Because losses are not bowls. Here
# is a loss of one parameter, by Lessard, Recht and Packard, made of three pieces of parabolas: its curvature is 25, but 1 for $\theta$ between 1
# and 2. It is convex, has one minimum, at 0, and no curvature outside of 1 to 25. Both rules take their textbook settings for
# $\kappa = 25$.


# %%
def pieces(theta):
    outer = mg.where(theta < 1.0, 12.5 * mg.square(theta), 12.5 * mg.square(theta) - 24.0 * theta + 36.0)
    return mg.sum(mg.where((theta >= 1.0) & (theta < 2.0), 0.5 * mg.square(theta) + 24.0 * theta - 12.0, outer))


rules = {
    "heavy ball": Momentum(1.0 / 9.0, 4.0 / 9.0),  # critical damping
    "Nesterov": NAG(1.0 / 25.0, 2.0 / 3.0),  # α = 1/λmax, μ = (√κ − 1)/(√κ + 1)
    "gradient descent": SGD(2.0 / 26.0),
}
ways = {name: path(rule, pieces, np.array([3.3]), 1000)[:, 0] for name, rule in rules.items()}
figure, axes = figures.lines(
    {name: (np.arange(61), way[:61]) for name, way in ways.items()},
    "On this convex loss the tuned heavy ball circles for ever, the others arrive",
    x="step",
    y="θ",
)
show(
    figure,
    alt="Parameter θ over 60 steps from 3.3. The heavy ball soon repeats three values, about 2.1, 0.6 and −1.8, "
    "without end. Nesterov's step is at 0 within 10 steps, gradient descent swings around 0 and is there after about 40.",
)

# %% [markdown]
# After 1,000 steps the heavy ball still repeats {{len(set(ways["heavy ball"][-12:].round(6)))}} values. What is proved on bowls
# is proved on bowls. Nesterov's method, with the right constants, has a proof for every smooth convex function. It is a little
# slower where the heavy ball is at its best, and it arrives where the heavy ball does not.
#
# For networks neither has such a proof. What remains is experiment. Sutskever et al. found that a careful start and a momentum
# that is raised slowly, to `0.99` and beyond, train deep networks that had been thought to need second derivatives.

# %% [markdown]
# ## Summary
#
# 1. In a ravine with condition number $\kappa$, gradient descent flips across and creeps along, and needs steps in proportion to
#    $\kappa$.
# 2. Momentum adds what agrees and cancels what flips, and at critical damping every direction shrinks by
#    $\sqrt\mu = (\sqrt\kappa-1)/(\sqrt\kappa+1)$ per step.
# 3. This is a fact about bowls, for beyond them the tuned heavy ball may circle for ever, while Nesterov's step keeps a guarantee on
#    convex losses.
#
# ## References
#
# - B. T. Polyak, [Some methods of speeding up the convergence of iteration methods](https://doi.org/10.1016/0041-5553(64)90137-5),
#   USSR Computational Mathematics and Mathematical Physics 4 (1964): the heavy ball.
# - Y. Nesterov, A method of solving a convex programming problem with convergence rate O(1/k²), Soviet Mathematics Doklady 27
#   (1983).
# - I. Sutskever, J. Martens, G. Dahl and G. Hinton, [On the importance of initialization and momentum in deep
#   learning](https://proceedings.mlr.press/v28/sutskever13.html), ICML 2013.
# - G. Goh, [Why momentum really works](https://distill.pub/2017/momentum/), Distill (2017): this map, to play with.
# - L. Lessard, B. Recht and A. Packard, [Analysis and design of optimization algorithms via integral quadratic
#   constraints](https://doi.org/10.1137/15M1009597), SIAM Journal on Optimization 26 (2016): the loss with the cycle.
#
# ## Next
#
# Momentum still gives every parameter the same rate. If the axes themselves have different scales, why not give each parameter its
# own? Next question: {{lesson(4)}}
