# %% [markdown]
# # 4 · Rprop, AdaGrad, RMSprop, Adam: why each?
#
# Momentum made a narrow valley bearable. It did not ask why the valley is narrow. Often the reason is dull: one
# coordinate is measured in millimetres and another in kilometres. Then their gradients differ by powers of ten, and a
# single learning rate must serve both.
#
# Four famous rules let every coordinate have a step of its own: Rprop, AdaGrad, RMSprop, Adam. Each mends something that
# fails before it. We make each of them fail, and see what the next one does about it.
#
# You need: a quadratic bowl, its curvature, and momentum ({{lesson(3)}}).

# %%
from dataclasses import dataclass

import numpy as np
from course import check, recall, show, show_source, verdicts

import minigrad as mg
from l2l import evaluation, plots
from l2l.optimizers import SGD, Adagrad, Adam, Momentum, RMSprop, Rprop
from l2l.problems import Task
from lessons import figures

# %% [markdown]
# ## One bowl, three scales
#
# The bowl is $f(\theta) = \frac12 \sum_i c_i\,\theta_i^2$. Its gradient in coordinate $i$ is $c_i\,\theta_i$. The
# curvatures $c$ are `100`, `1` and `0.01`: from the steepest to the flattest they differ by a factor of ten thousand. Every
# coordinate starts at `2`, so each has the same way to go.
#
# All rules in this project are called in the same way: gradient and state in, update and state out. So one loop plays
# all of them.

# %%
curvatures = np.array([100.0, 1.0, 0.01])
start = np.full(3, 2.0)


def bowl(theta, t):
    return curvatures * theta


def play(rule, gradient, theta, steps):
    """The points that a rule visits, (steps + 1, n), where gradient(theta, t) is what it sees in step t."""
    phi, state, path = rule.init(), rule.init_state(theta), [theta]
    for t in range(steps):
        update, state = rule(phi, gradient(theta, t), state)
        theta = theta + update
        path.append(theta)
    return np.array(path)


def home(path):
    """For each coordinate, after how many steps it is within 0.02 of zero for good (0: never)."""
    return [int(np.argmax(np.cumprod(np.abs(x[::-1]) < 0.02)[::-1])) for x in path.T]


# %% [markdown]
# Gradient descent first. The steepest coordinate allows no rate above `2/100`. With `0.009`, a little under half of that, it is
# home almost at once. Each step multiplies the flattest by $1 - 0.009 \cdot 0.01$, so we need not wait: the number of
# steps can be computed.

# %%
sgd_home = home(play(SGD(0.009), bowl, start, 600))
flat_sgd = np.log(0.02 / 2) / np.log1p(-0.009 * 0.01)
steep_adam = home(play(Adam(0.1), lambda theta, t: 100.0 * theta, np.array([2.0]), 400))[0]
print(f"SGD:  curvature 100 is home after {sgd_home[0]} steps, curvature 0.01 after {flat_sgd:,.0f}")
print(f"Adam: curvature 100 is home after {steep_adam} steps, curvature 0.01 after ?")

# %% [markdown]
# ## Your prediction
#
# Adam, with a learning rate of `0.1`, brings the steepest coordinate home in the number of steps above. (That is slower than gradient
# descent, because it swings.) **After how many steps is the flattest coordinate home, whose gradient is ten thousand
# times smaller?** Write a number down.

# %% tags=["prediction"]
prediction = ...  # a number of steps, for example 5000

# %% [markdown]
# ## Run it
#
# For each rule, the length of the step that each coordinate takes, $|g_{t,i}|$, over the first 80 steps. The learning rate is `0.1`,
# but `0.009` for gradient descent. No chance is involved, so there is no spread to show.

# %%
rules = {
    "SGD": SGD(0.009),
    "Rprop": Rprop(0.1),
    "AdaGrad": Adagrad(0.1),
    "RMSprop": RMSprop(0.1, decay=0.9),
    "Adam": Adam(0.1),
}
paths = {name: play(rule, bowl, start, 400) for name, rule in rules.items()}
widths = {100.0: 4.5, 1.0: 2.5, 0.01: 1.3}


def step_lengths(path, steps=80):
    lengths = np.abs(np.diff(path, axis=0))[:steps].T
    lengths = np.where(lengths < 1e-9, np.nan, lengths)  # Rprop rests after a change of sign: a gap
    return {
        f"curvature {c:g}": (range(steps), x, {"linewidth": widths[c]})
        for c, x in zip(curvatures, lengths, strict=True)
    }


figure, axes = figures.line_panels(
    {name: step_lengths(path) for name, path in paths.items()},
    "Gradient descent takes steps of three sizes, each of the others takes one size for all",
    x="step t",
    y="length of the step |g|",
    log="y",
)
axes[0].set_ylim(1e-5, 5)
show(
    figure,
    alt="Length of the step against time in five panels, three coordinates each, logarithmic. With gradient descent the "
    "lines start at 1.8, 0.02 and 0.0002 and never meet. With Rprop, AdaGrad, RMSprop and Adam the three lines lie on "
    "one another. Rprop grows to 0.4 and then halves in a sawtooth; AdaGrad falls steadily; RMSprop starts at 0.3; "
    "Adam keeps 0.1 for 15 steps and then swings.",
)

# %%
adam_home = home(paths["Adam"])
recall(prediction, adam_home[2])

# %% [markdown]
# ## Why the same
#
# Each of the four divides the gradient by something that is measured in the same unit: by its own absolute value, or by the
# root of a sum or a mean of its squares. Multiply a coordinate's gradients by $c$, and the update does not change:
#
# $$ m(c\,\nabla_1,\, c\,\nabla_2,\, \dots) = m(\nabla_1,\, \nabla_2,\, \dots) \qquad\text{for every } c > 0 $$
#
# All three coordinates started at the same distance, so they see the same gradients up to a factor, and they walk
# together, step for step. (Almost: there is a tiny $\varepsilon$ in the division. It will come back.)
#
# Equal steps are right because the distances are equal. Where a coordinate must go a thousand times as far, it needs
# longer steps, and the gradient alone does not tell. That is a question about curvature, for lesson 9.
#
# So much for what the four have in common. They differ in what they divide by.
#
# ## Rprop: look only at the sign
#
# The oldest answer throws the size of the gradient away. Each coordinate keeps a step length $\Delta$. While the
# sign stays, it grows; when the sign turns, the coordinate has jumped over the bottom, and it shrinks:
#
# $$ \Delta_t = \Delta_{t-1} \cdot \begin{cases} \eta^+ & \text{the sign has stayed} \\ \eta^- & \text{the sign has turned} \end{cases}
# \qquad g_t = -\Delta_t\, \mathrm{sign}\,\nabla_t \tag{4.1} $$
#
# with $\eta^+ = 1.2$ and $\eta^- = 0.5$; after a turn it rests for a step, and the next step counts as no turn. This is the variant iRprop⁻ of Igel and Hüsken (2000); Riedmiller
# and Braun's Rprop (1993) takes the last update back after a turn. (Implementation: `Rprop` in
# [hand_designed.py](../l2l/optimizers/hand_designed.py). Test: [test_optimizers.py](../tests/l2l/test_optimizers.py).)

# %%
show_source(Rprop.__call__)

# %% [markdown]
# On the bowl it is the fastest of the five to bring all coordinates home: after {{home(paths["Rprop"])[2]}} steps. Then why does
# nobody train networks with it?
#
# ## What a minibatch does to a sign
#
# Because networks are trained on minibatches, a few examples drawn at random for each step, and their gradient is noisy. Take
# one coordinate, and replace the gradient $\theta$ by $\theta$ plus normal noise with a standard deviation of `5`. We compare Rprop with RMSprop, whose idea comes later, over 20 seeds.


# %%
def noisy(seed):
    rng = np.random.default_rng(seed)
    return lambda theta, t: theta + 5.0 * rng.normal(size=1)


after = {
    name: np.array([np.abs(play(rule, noisy(seed), np.array([2.0]), 400)[-50:]).mean() for seed in range(20)])
    for name, rule in {"Rprop": Rprop(0.1), "RMSprop": RMSprop(0.02)}.items()
}
for name, distance in after.items():
    low, high = np.percentile(distance, [10, 90])
    print(
        f"{name:8} median distance from the bottom {np.median(distance):.2f} (80 % of seeds: {low:.2f} to {high:.2f})"
    )

# %% [markdown]
# RMSprop gets near. Rprop stops somewhere on the way. When the noise decides, the sign turns every other step, and
# $1.2 \cdot 0.5 < 1$. The steps die long before the bottom.
#
# Noise that is *lopsided* is worse. Hinton's example, from the lecture that introduced RMSprop: nine minibatches
# say `+0.1`, the tenth says `-0.9`. The mean gradient is zero, so a good rule stays about where it is.


# %%
def lopsided(theta, t):
    return np.array([0.1 if t % 10 < 9 else -0.9])


drifts = {
    "SGD": SGD(0.1),
    "Rprop": Rprop(0.1),
    "RMSprop, short memory (ρ = 0.5)": RMSprop(0.1, decay=0.5),
    "RMSprop, long memory (ρ = 0.99)": RMSprop(0.1, decay=0.99),
    "Adam": Adam(0.1),
}
drift = {name: play(rule, lopsided, np.zeros(1), 200)[:, 0] for name, rule in drifts.items()}
figure, axes = figures.lines(
    {name: (range(201), path) for name, path in drift.items()},
    "The mean gradient is zero: who forgets within ten steps walks away",
    x="step",
    y="θ",
)
axes.set_ylim(-12, 2)
show(
    figure,
    alt="Position against step under a gradient whose mean is zero. Gradient descent stays within 0.1 of zero and Adam "
    "near -1. RMSprop with a long memory jumps to -4.7 at first and then stays near -4.5. RMSprop with a short memory "
    "drifts steadily, to -9 at step 200. Rprop leaves the picture below -12 before step 30.",
)

# %% [markdown]
# Rprop counts votes: nine against one. At step 200 it is at {{sci(drift["Rprop"][200])}}. The cure is to divide by
# something that is *nearly the same* in neighbouring steps: then nine small steps and a large one cancel again. That needs a
# memory longer than the cycle. RMSprop with $\rho = 0.5$ forgets too fast, and drifts, too. (Why it jumps at the start where its
# memory is long, we shall see below.)
#
# That is not a toy problem only. Reddi, Kale and Kumar (2018) built a convex problem of this kind where Adam
# walks to the *worst* point: a rare large gradient is right, and the memory is too short for it. For any fixed memory there is a cycle that is
# longer.
#
# ## AdaGrad: never forget
#
# The longest memory sums the squares of all gradients since the start:
#
# $$ s_{t+1} = s_t + \nabla_t^2 \qquad g_t = -\alpha\,\frac{\nabla_t}{\sqrt{s_{t+1}} + \varepsilon} \tag{4.2} $$
#
# (Implementation: `Adagrad` in [hand_designed.py](../l2l/optimizers/hand_designed.py). Test:
# [test_optimizers.py](../tests/l2l/test_optimizers.py).) A coordinate with rare gradients keeps its rate for them, and
# for convex problems there is a proof that the rule is nearly as good as the best rates in hindsight. But $s$ only grows. Suppose that a run starts on a cliff: ten gradients of `100`, then
# gradients of `1`, for good.

# %%
show_source(Adagrad.__call__, RMSprop.__call__)


def cliff(theta, t):
    return np.array([100.0 if t < 10 else 1.0])


cliffs = {"AdaGrad": Adagrad(0.1), "RMSprop (ρ = 0.99)": RMSprop(0.1), "RMSprop (ρ = 0.9)": RMSprop(0.1, decay=0.9)}
lengths = {name: -np.diff(play(rule, cliff, np.zeros(1), 2000)[:, 0]) for name, rule in cliffs.items()}
figure, axes = figures.lines(
    {name: (np.arange(1, 2001), x) for name, x in lengths.items()},
    "After ten large gradients AdaGrad's steps stay tiny; RMSprop's come back",
    x="step",
    y="length of the step",
    log="xy",
)
axes.axvspan(1, 10, color="grey", alpha=0.15, linewidth=0)
axes.annotate("cliff", (1.1, 4e-4), fontsize=9, color="dimgrey")
show(
    figure,
    alt="Length of the step against its number, both logarithmic. In the first ten steps, on the cliff, all are between "
    "0.03 and 1. Then all fall a hundredfold. AdaGrad stays at 0.0003 to the end. RMSprop with decay 0.9 is back at "
    "0.1 after some 100 steps, with decay 0.99 after some 1000.",
)

# %% [markdown]
# The cliff is long past, and after 2,000 steps AdaGrad's step is {{sci(lengths["AdaGrad"][-1], 1)}}. Nothing is wrong with its
# gradient. Its rate died, and cannot come back. Even without a cliff it falls as $1/\sqrt t$.
#
# ## RMSprop: forget, slowly
#
# One symbol changes. The sum becomes a moving average, whose memory is about $1/(1-\rho)$ steps long:
#
# $$ s_{t+1} = \rho\, s_t + (1-\rho)\,\nabla_t^2 \qquad g_t = -\alpha\,\frac{\nabla_t}{\sqrt{s_{t+1}} + \varepsilon} \tag{4.3} $$
#
# (`RMSprop`, in the same [file](../l2l/optimizers/hand_designed.py), with the same [test](../tests/l2l/test_optimizers.py).)
# But look at its first step in the figure above, and at its jump in the figure before. With $\alpha = 0.1$ the first step is
# {{lengths["RMSprop (ρ = 0.99)"][0]:.1f}}. The mean starts at $s_0 = 0$, so after one gradient it is $(1-\rho)\nabla^2$: too
# small by a factor of 100, and the step too long by a factor of 10. The longer the memory, the longer the first step.
#
# ## Adam: correct the start
#
# Adam divides the mean by the sum of the weights that it has seen so far, $1-\beta_2^{t+1}$. And it replaces the
# gradient by a moving average, too, which is momentum:
#
# $$ m_{t+1} = \beta_1 m_t + (1-\beta_1)\nabla_t \qquad v_{t+1} = \beta_2 v_t + (1-\beta_2)\nabla_t^2 $$
#
# $$ \hat m = \frac{m_{t+1}}{1-\beta_1^{t+1}} \qquad \hat v = \frac{v_{t+1}}{1-\beta_2^{t+1}} \qquad
# g_t = -\alpha\,\frac{\hat m}{\sqrt{\hat v} + \varepsilon} \tag{4.4} $$
#
# Both averages start at zero. (Implementation: `Adam` in [hand_designed.py](../l2l/optimizers/hand_designed.py). Test:
# [test_optimizers.py](../tests/l2l/test_optimizers.py).)

# %%
show_source(Adam.__call__)

# %% [markdown]
# To see the correction alone, switch it off. It is over when $t$ is large. So we start Adam's clock at a million, and feed
# a constant gradient of `1`.


# %%
class Uncorrected(Adam):
    def init_state(self, theta):
        return {**super().init_state(theta), "t": 10**6}


ones = {"Adam": Adam(0.1), "Adam, uncorrected": Uncorrected(0.1), "RMSprop (ρ = 0.99)": RMSprop(0.1)}
first = {
    name: -np.diff(play(rule, lambda theta, t: np.ones(1), np.zeros(1), 300)[:, 0]) / 0.1 for name, rule in ones.items()
}
for name, x in first.items():
    print(f"{name:18} step / α: first {x[0]:5.2f}, longest {x.max():5.2f}, 300th {x[-1]:5.2f}")

# %% [markdown]
# Corrected, every step is $\alpha$, from the first. Uncorrected, the steps are up to {{first["Adam, uncorrected"].max():.1f}} times
# as long, and they are too long for hundreds of steps. The learning rate would mean something else in each phase of the run.
#
# ## Take Adam apart
#
# Which part of Adam earns its keep? We remove one at a time: the second moment (what is left is momentum), momentum
# ($\beta_1$ next to 0), the correction. Fairness first: **each variant gets its own learning rate**, tuned on other tasks than
# it is tested on ({{lesson(5)}} says why).
#
# The tasks are bowls with 9 curvatures from `0.01` to `100` and random starts. In a third of the table the bowl is *rotated*: the same valley,
# but no longer along the coordinates. In another, each step sees its own minibatch.
# (`sample` draws a task: its start, its loss, and a function that draws the batch of each step.)


# %%
@dataclass(frozen=True)
class Bowl:
    """f(θ) = ½ Σ c_i (Rθ)_i² − noise: R the identity or a random rotation, noise linear in θ and of mean zero."""

    rotated: bool = False
    noise: float = 0.0

    def sample(self, rng, split="train"):
        c = np.logspace(-2, 2, 9)
        R = np.linalg.qr(rng.normal(size=(9, 9)))[0] if self.rotated else np.eye(9)

        def loss(theta, batch):
            x = R @ theta
            return mg.sum(c * (0.5 * mg.square(x) - batch * x))

        return Task(rng.normal(size=9), loss, lambda: self.noise * rng.normal(size=9))


variants = {
    "Adam": Adam(),
    "without second moment": Momentum(momentum=0.9),
    "without momentum": Adam(beta1=1e-9),
    "without correction": Uncorrected(),
}
bowls = {"along the coordinates": Bowl(), "rotated": Bowl(rotated=True), "minibatches": Bowl(noise=0.1)}


def last_loss(rule, problem):
    tuned, on_edge = evaluation.tune(rule, problem, seed=0, repeats=5, steps=100, objective="final")
    assert not on_edge
    return evaluation.run(tuned, tuned.init(), problem, "test", seed=0, repeats=20, steps=100)[:, -10:].mean(axis=1)


losses = {(v, b): last_loss(rule, problem) for v, rule in variants.items() for b, problem in bowls.items()}
ratios = np.array([[np.median(losses[v, b]) / np.median(losses["Adam", b]) for b in bowls] for v in list(variants)[1:]])
worse = [[int(np.sum(losses[v, b] > losses["Adam", b])) for b in bowls] for v in list(variants)[1:]]
texts = np.array(
    [[f"{r:.2g} ×\nworse on {w} of 20" for r, w in zip(*row, strict=True)] for row in zip(ratios, worse, strict=True)]
)
figure = plots.heatmap(
    None,
    ratios,
    texts,
    (list(bowls), "bowl"),
    (["without\nsecond moment", "without\nmomentum", "without\ncorrection"], "Adam"),
    "Without its second moment Adam loses, unless the bowl is rotated",
    "median loss after 100 steps, relative to Adam's",
)
show(
    figure,
    alt="A table of colours, three parts removed from Adam by three kinds of bowl, as the ratio of the median last loss to that "
    "of the whole Adam. Without the second moment: 9 along the coordinates, 0.2 rotated, 4 with minibatches. Without "
    "momentum: 0.2, 10 and 2. Without the correction: between 0.7 and 1.3 everywhere.",
)

# %% [markdown]
# Three findings, over 20 tasks each:
#
# - **The second moment pays where scales belong to coordinates.** Take it away, and the loss is {{ratios[0, 0]:.0f}} times as
#   high. Rotate the bowl, and plain momentum is the better rule, on {{20 - worse[0][1]}} of 20 tasks. A step of its own for each
#   coordinate helps only if the coordinates are the right ones.
# - **Momentum pays where the valley is rotated.** Along the coordinates, a bowl is just nine separate lines, and the median is
#   better without momentum.
# - **The correction hardly matters here**, once the learning rate is tuned for each: it helps a little along the
#   coordinates, and in the other two columns Adam is a little better without. It keeps the meaning of $\alpha$ the same
#   throughout the run, and a rate that was tuned to the wrong meaning works as well.
#
# ## Exercise: find the faults
#
# Below is Adam as it might stand in a repository with many stars. It runs, and on our bowl it even comes home in good time. **It
# has three faults**, one of them in two lines. The author has $t$ count from 0, as the package does.


# %%
def published(gradient, m, v, t, alpha=0.1, beta1=0.9, beta2=0.999, epsilon=1e-8):
    """The update of step t = 0, 1, 2, …, and the new m and v."""
    m = beta1 * m + (1 - beta1) * gradient
    m_hat = m / (1 - beta1 ** max(t, 1))  # t = 0 would divide by zero
    v = beta2 * v + (1 - beta2) * m_hat**2
    v_hat = v / (1 - beta2 ** max(t, 1))
    return -alpha * m_hat / np.sqrt(v_hat + epsilon), m, v


theta, m, v, path = start, np.zeros(3), np.zeros(3), [start]
for t in range(400):
    update, m, v = published(bowl(theta, t), m, v, t)
    theta = theta + update
    path.append(theta)
print("published: home after", home(np.array(path)), "steps; Adam:", adam_home)

# %% [markdown]
# Write the repaired version. The check plays your rule and the package's Adam side by side on three streams of gradients,
# each of which makes one of the faults visible. So its verdict is a clue.


# %% tags=["exercise"]
def repaired(gradient, m, v, t, alpha=0.1, beta1=0.9, beta2=0.999, epsilon=1e-8):
    """The update of step t = 0, 1, 2, …, and the new m and v."""
    m = beta1 * m + (1 - beta1) * gradient
    v = ...
    update = ...
    return update, m, v


# %% tags=["check"]
streams = {
    "the gradient is always 3": np.full(12, 3.0),
    "the gradients are 1, -2, 1, -2, …": np.tile([1.0, -2.0], 6),
    "the gradient is always 2e-7": np.full(12, 2e-7),
}


def fault(repaired):
    for name, stream in streams.items():
        right = np.diff(play(Adam(0.1), lambda theta, t, stream=stream: stream[t : t + 1], np.zeros(1), 12)[:, 0])
        m = v = 0.0
        for t, gradient in enumerate(stream):
            update, m, v = verdicts.parts(repaired(gradient, m, v, t), "the update", "m", "v")
            update = verdicts.number(update, "the update")
            if abs(update - right[t]) > 1e-9:
                yours, adams = verdicts.apart(update, right[t], digits=6)
                close = " So close to it, only ε can be in a wrong place." if abs(update - right[t]) < 1e-7 else ""
                return f"where {name}, your update {t} is {yours}, Adam's is {adams}.{close}"
    return None


check(repaired, that=fault, right="on all three streams, each step is Adam's.")

# %% [markdown]
# <details><summary>Hint</summary>
#
# Compare with Adam's equation, symbol by symbol. What is the sum of the weights after the *first* gradient? Which gradient is
# squared, the raw one or the mean? What stands under the root?
#
# </details>

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# The correction uses `t` where the first step needs the exponent 1, the second step 2; `max` hides the division
# by zero and leaves every later step wrong. The second moment squares the mean $\hat m$ in place of the gradient; where gradients
# swing, the mean is small, and the steps are too long. And $\varepsilon$ belongs outside of the root: inside it acts as $\sqrt\varepsilon$, which is
# `1e-4`, and a coordinate with smaller gradients hardly moves.
#
# ```python
# def repaired(gradient, m, v, t, alpha=0.1, beta1=0.9, beta2=0.999, epsilon=1e-8):
#     """The update of step t = 0, 1, 2, …, and the new m and v."""
#     m = beta1 * m + (1 - beta1) * gradient
#     m_hat = m / (1 - beta1 ** (t + 1))
#     v = beta2 * v + (1 - beta2) * gradient**2
#     v_hat = v / (1 - beta2 ** (t + 1))
#     return -alpha * m_hat / (np.sqrt(v_hat) + epsilon), m, v
# ```
#
# </details>

# %% [markdown]
# Notice which test would have found them. A falling loss found none. A comparison with a trusted implementation finds all
# three, if the gradients are chosen so that each part of the rule matters: a start, a swing, a small value. The package
# checks its own rules in this way, against their published equations.
#
# ## Summary
#
# 1. Rprop, AdaGrad, RMSprop and Adam divide a coordinate's gradient by its own size, so a scale that belongs to a
#    coordinate disappears.
# 2. They differ in memory: Rprop has next to none and fails with minibatches, AdaGrad never forgets and its rates die,
#    RMSprop forgets slowly, and Adam corrects the start and adds momentum.
# 3. What they gain along the coordinates they can lose in a rotated valley, and a falling loss does not show that an
#    implementation is right.
#
# ## References
#
# - M. Riedmiller and H. Braun, [A direct adaptive method for faster backpropagation learning: the RPROP algorithm](https://doi.org/10.1109/ICNN.1993.298623),
#   IEEE International Conference on Neural Networks 1993.
# - C. Igel and M. Hüsken, Improving the Rprop learning algorithm, Second International Symposium on Neural Computation (NC
#   2000), and [Empirical evaluation of the improved Rprop learning algorithms](https://doi.org/10.1016/S0925-2312(01)00700-7),
#   Neurocomputing 50 (2003): iRprop⁻.
# - J. Duchi, E. Hazan and Y. Singer, [Adaptive subgradient methods for online learning and stochastic optimization](https://jmlr.org/papers/v12/duchi11a.html),
#   Journal of Machine Learning Research 12 (2011): AdaGrad.
# - T. Tieleman and G. Hinton, *Lecture 6.5: RMSprop, divide the gradient by a running average of its recent magnitude*,
#   Coursera, Neural Networks for Machine Learning (2012), with the example of the nine minibatches.
# - D. P. Kingma and J. Ba, [Adam: a method for stochastic optimization](https://arxiv.org/abs/1412.6980), ICLR 2015.
# - S. J. Reddi, S. Kale and S. Kumar, [On the convergence of Adam and beyond](https://openreview.net/forum?id=ryQu7f-RZ), ICLR 2018.
#
# ## Next
#
# Five rules, and each wins somewhere. We let each variant have its own learning rate before we compared, and the verdict hung on
# that. Next question: {{lesson(5)}}
