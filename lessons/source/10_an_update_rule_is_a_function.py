# %% [markdown]
# # 10 · Can the learning rate be learned by gradient descent?
#
# In lessons 2 to 5 the learning rate was yours to find: try some, look at the losses, keep the best. That is a search,
# and with four constants it becomes a long one.
#
# But a learning rate is just a number, and the loss after some steps depends on it. Where a number goes in and a loss
# comes out, there is a slope. The engine of lessons 6 to 8 takes slopes through any program, and twenty steps of
# gradient descent are a program. So put the learning rate where the weights usually are, and descend.
#
# You need: the fair race of lesson 5, and derivatives of derivatives from lesson 8.

# %%
import numpy as np
from course import check, expect, recall, show, show_source, verdicts

import l2l
import minigrad as mg
from l2l.meta_training.unrolls import meta_gradient
from l2l.optimizers import SGD, Linear, Momentum, make_optimizer
from l2l.problems import Task, draw_task
from lessons import figures
from minigrad.testing import difference

# %% [markdown]
# ## A rule is a function
#
# Every optimizer of this course has one form. It takes the gradient $\nabla_t$ and what it remembers, the *state* $h_t$.
# It returns an update $g_t$ and a new state. What it is made of, its constants, we write behind a semicolon:
#
# $$ (g_t, h_{t+1}) = m(\nabla_t, h_t; \phi) \qquad\qquad \theta_{t+1} = \theta_t + g_t \tag{10.1} $$
#
# (Implementation: [hand_designed.py](../l2l/optimizers/hand_designed.py), and `unroll` in [unrolling.py](../l2l/unrolling.py) for the
# second half. Test: [test_optimizers.py](../tests/l2l/test_optimizers.py).)
#
# Here are two. `SGD` remembers nothing, `Momentum` remembers a velocity. Both are functions of `phi`, `grad` and `state`.

# %%
show_source(SGD, Momentum)

# %% [markdown]
# The other rules of the earlier lessons have a $\phi$, too. `init` returns it. A positive constant is kept as its
# logarithm, and one between 0 and 1, call it $p$, as its logit, $\log\frac{p}{1-p}$. Both may then be any number, so that no step can make them illegal.

# %%
for name in ("sgd", "momentum", "rmsprop", "adam"):
    print(f"{name:<9}", {constant: round(float(value), 2) for constant, value in make_optimizer(name).init().items()})

# %% [markdown]
# ## The loop, and what it costs
#
# Run a rule for $T$ steps and add up the losses that it meets, each with a weight $w_t$. This sum is the *meta-loss*:
#
# $$ L(\phi) = \sum_{t=0}^{T-1} w_t\, f(\theta_t) \tag{10.2} $$
#
# Each $\theta_t$ but the first depends on $\phi$, through all the updates before it. Writing these updates one after
# another, as one long program from $\phi$ to $L$, is *unrolling*. (Implementation: `unroll` in [unrolling.py](../l2l/unrolling.py). Test:
# [test_unrolling.py](../tests/l2l/test_unrolling.py).)
#
# This is the central function of the project, and it is one screen. Give it plain numbers, and it optimizes. Give it a
# $\phi$ that is watched, and its result has a gradient with respect to $\phi$: the *meta-gradient*.

# %%
show_source(l2l.unroll)

# %% [markdown]
# Follow `phi` through it: into `update`, from there into `theta`, and from the next `theta` into the next loss.
# (`known_gradient` is that loss, with the slope that is at hand already, which saves computing it twice. The line with
# `curvature` is for the rules of lesson 9.) There is a switch, `second_derivatives`. We turn it on, and come back to it.
#
# Our optimizee is the paper's quadratic, $f(\theta) = \lVert W\theta - y\rVert^2$: eight random bowls with ten
# coordinates each, and $T = 20$ steps. We choose $w_t = 1/(T f(\theta_0))$. Then $L$ is the average loss as a share of
# the first one, and $L = 1$ means that the optimizer might as well have stayed at home.

# %%
T = 20
problem = l2l.make_problem("quadratic", functions=8)


def draw(index, split="train"):
    """A task in double precision."""
    task = draw_task(problem, split, 0, index)
    return Task(task.theta.astype(np.float64), task.loss, functions=8)


def relative(task, steps=T):
    """Weights that make the meta-loss of standing still 1."""
    return [1.0 / (steps * task.loss(task.theta, None))] * steps


def meta_loss(optimizer, phi, task, second_derivatives=True):
    state = optimizer.init_state(task.theta)
    return l2l.unroll(optimizer, phi, task, task.theta, state, relative(task), second_derivatives)[0]


def at_rate(rate, task):
    return meta_loss(SGD(), {"log_learning_rate": np.log(rate)}, task)


task = draw(3)
for rate in (1e-4, 1e-3, 1e-2):
    print(f"learning rate {rate:<6}  meta-loss {at_rate(rate, task):.3f}")

# %% [markdown]
# ## Your prediction
#
# Larger was better so far. Somewhere there is a best rate, $\alpha^*$, and beyond it things get worse. **How many times
# $\alpha^*$ may you choose, before 20 steps are worse than not moving at all?** Write down a factor.

# %% tags=["prediction"]
prediction = ...  # for example 3, if you think that three times the best rate breaks even

# %% [markdown]
# ## Run it
#
# The line is the meta-loss on a grid of rates: the search of lesson 5. The dots are gradient descent on
# $\phi = \log\alpha$, 60 steps $\phi \leftarrow \phi - \eta\,\partial L/\partial\phi$ from
# $\alpha =$ `0.001`. The rate of these *meta-steps* is $\eta =$ `0.5`. We write $\eta$, because $\alpha$ is now what is learned.


# %%
def descend(optimizer, phi, task, eta, steps=60, second_derivatives=True):
    """Gradient descent on φ: all the φ on the way, as rows, and their meta-losses."""
    flat, unravel = mg.tree.ravel(phi)
    path, losses = [], []
    with np.errstate(all="ignore"):  # some of them will fly off
        for _ in range(steps + 1):
            start = task.theta, optimizer.init_state(task.theta)
            loss, gradient, *_ = meta_gradient(
                optimizer, unravel(flat), task, *start, relative(task), second_derivatives
            )
            path.append(flat)
            losses.append(loss)
            flat = flat - eta * gradient
    return np.array(path), np.array(losses)


grid = np.logspace(-2.3, -1.3, 101)


def search(task):
    """The best rate of a grid, the meta-loss there, and the largest rate that is no worse than standing still."""
    losses = np.array([at_rate(rate, task) for rate in grid])
    return grid[losses.argmin()], losses.min(), grid[losses <= 1][-1]


rates = np.append(np.logspace(-4, -2, 30), np.logspace(-2, -1.4, 120))
path, losses = descend(SGD(), SGD(0.001).init(), task, eta=0.5)
learned = np.exp(path[-1, 0])
figure, axes = figures.lines(
    {
        "meta-loss (grid of rates)": (rates, [at_rate(rate, task) for rate in rates]),
        "standing still": ([1e-4, 0.1], [1, 1], {"color": "grey", "linestyle": ":"}),
        "gradient descent on log α, 60 steps": (
            np.exp(path[:, 0]), losses, {"color": "black", "linestyle": "", "marker": "o", "markersize": 4},
        ),
    },
    "Gradient descent finds the best rate, one step from a cliff",
    x="learning rate α",
    y="meta-loss: average loss of 20 steps / first loss",
    log="x",
)  # fmt: skip
axes.set(ylim=(0, 1.4), xlim=(1e-4, 0.06))
axes.legend(frameon=False, fontsize=9, loc="lower left")
show(
    figure,
    alt="Meta-loss against learning rate, rates logarithmic from 0.0001 to 0.06. The curve falls slowly from nearly 1, "
    "reaches its lowest point, 0.29, near a rate of 0.019, and then rises almost vertically past 1. Black dots, the "
    "steps of gradient descent, start at 0.001, follow the curve down and gather at its lowest point.",
)

# %%
best, lowest, break_even = search(task)
recall(prediction, break_even / best)

# %% [markdown]
# The dots end at {{learned:.4f}}; the search says {{best:.4f}}. So the answer to our question is yes.
#
# And it is a dangerous place to end. Only {{break_even / best - 1:.0%}} above the best rate, optimizing is worse than doing
# nothing. At half the best rate the meta-loss is {{at_rate(best / 2, task):.2f}} instead of {{lowest:.2f}}; at twice the
# best it is {{sci(at_rate(2 * best, task), 1)}}. You know why from lesson 2: beyond $2/\lambda_{\max}$ one direction grows in
# every step, and 20 steps multiply. The best rate lies close to that edge, because the flat directions want all the
# rate they can get.
#
# Was it luck? Ten draws of the bowls, each with three rates $\eta$ of the meta-steps:

# %%
draws = [draw(i) for i in range(10)]
lows = [search(t)[1] for t in draws]
excess = {}
for eta in (0.15, 0.5, 1.5):
    excess[eta] = np.array([descend(SGD(), SGD(0.001).init(), t, eta)[1][-1] for t in draws]) / lows
    print(f"η = {eta:<4}  meta-loss at the end / lowest of the grid:", *(f"{e:.2f}" for e in excess[eta]))

# %% [markdown]
# With $\eta =$ `0.5` all ten arrive within {{np.max(excess[0.5]) - 1:.1%}} of the search. With `0.15` none is there after
# 60 steps. Of the ten with `1.5`, {{np.sum(excess[1.5] > 1.5):.0f}} are lost. **We have got rid of one learning rate and bought
# another.** What did we gain? One $\eta$ served ten tasks, and one meta-gradient serves any number of constants.
#
# ## Is it the right gradient?
#
# After lesson 1 you would not take it on trust. Exact mode first, then the switch off, which is what the paper does:

# %%
phi = SGD(0.01).init()
mg.check_gradients(lambda phi: meta_loss(SGD(), phi, task), phi, order=1, step=1e-3)
print("second_derivatives=True passes.")
with expect(mg.GradientError):
    mg.check_gradients(lambda phi: meta_loss(SGD(), phi, task, second_derivatives=False), phi, order=1, step=1e-3)

# %% [markdown]
# The loop is the same, the losses are the same to the last bit, and the gradient is another one. Here are both, at many
# rates, with finite differences as the judge.

# %%
some = np.append(np.geomspace(1e-4, 0.8 * best, 20), np.geomspace(0.8 * best, 1.12 * best, 40))
slopes = {
    mode: np.array(
        [
            mg.grad(lambda p, m=mode: meta_loss(SGD(), p, task, m))(SGD(rate).init())["log_learning_rate"]
            for rate in some
        ]
    )
    for mode in (True, False)
}
judge = [difference(lambda p: at_rate(np.exp(p), task), np.log(rate), 1e-3) for rate in some]
figure, axes = figures.lines(
    {
        "exact: second_derivatives=True": (some, slopes[True]),
        "first order: second_derivatives=False": (some, slopes[False]),
        "finite differences": (some, judge, {"color": "black", "linestyle": "", "marker": "o", "markersize": 3}),
    },
    "At the best rate, the first-order meta-gradient still says: more",
    x="learning rate α",
    y="∂L/∂φ, with φ = log α",
    log="x",
)
axes.axhline(0, color="grey", linewidth=0.8)
axes.set_ylim(-0.3, 0.4)
axes.legend(frameon=False, fontsize=9, loc="upper left")
first_zero = some[np.argmax(slopes[False] > 0)]


def ratio(rate):
    first, exact = (np.interp(rate, some, slopes[mode]) for mode in (False, True))
    return first / exact


show(
    figure,
    alt="Slope of the meta-loss against learning rate from 0.0001 to 0.021. Finite differences lie on the exact curve: "
    "about -0.04 at 0.0001, -0.18 at 0.002, and then upwards through zero at 0.019, nearly vertically. The first-order "
    "curve is close to it at small rates, a third lower from 0.003 on, and crosses zero only near 0.021.",
)

# %% [markdown]
# At tiny rates the two agree. At `0.001` the first-order slope is {{ratio(1e-3):.1f}} times the true one, at
# `0.01` {{ratio(1e-2):.1f}} times. At the best rate, where the true slope is zero, it still says *more*. Its own zero lies {{first_zero / best - 1:.0%}}
# further, on the face of the cliff, where the meta-loss is {{at_rate(first_zero, task) / lowest - 1:.0%}} higher. That is a surprise, for the paper trains its LSTM with just this gradient, and it
# works. What is dropped, and when it matters, is lesson 13.
#
# There is one case where nothing is dropped: a single update. $L = f(\theta_1)$ with $\theta_1 = \theta_0 - e^{\phi}\nabla_0$
# has the slope $-\alpha\,\nabla_1\!\cdot\!\nabla_0$. It says: raise the rate while successive gradients agree. Taken in
# every step, it is an optimizer of its own, *hypergradient descent* (Baydin et al. 2018).

# %%
rate, weights = 0.01, [0.0, 1.0]
nabla_0 = mg.grad(task.loss)(task.theta, None)
nabla_1 = mg.grad(task.loss)(task.theta - rate * nabla_0, None)
print(f"by hand      {-rate * nabla_1 @ nabla_0:.6f}")
for mode in (True, False):
    found = meta_gradient(SGD(), SGD(rate).init(), task, task.theta, {}, weights, mode)[1][0]
    print(f"by unrolling {found:.6f}   second_derivatives={mode}")

# %% [markdown]
# ## Exercise: the meta-step
#
# You have seen dots move, and not the code that moved them. Write it: one step of gradient descent on
# $\phi = \log\alpha$, with `mg.value_and_grad` through `l2l.unroll`, in exact mode. The rule is `SGD()`; its $\phi$
# is a dict with one key, and its state is `{}`. Return two numbers: the meta-loss
# before the step, and the new `log_rate`.


# %% tags=["exercise"]
def meta_step(log_rate, task, weights, eta):
    """One step of gradient descent on the logarithm of SGD's learning rate: (meta-loss, new log_rate)."""
    return ...


# %% tags=["check"]
def fault(step):
    for index, steps, rate, eta in ((1, 20, 0.005, 0.5), (2, 7, 0.02, 0.1)):
        t = draw(index)
        given = SGD(), SGD(rate).init(), t, t.theta, {}, relative(t, steps)
        (loss, exact, *_), (_, first, *_) = meta_gradient(*given, True), meta_gradient(*given, False)
        before = np.log(rate)
        found_loss, new = verdicts.parts(step(before, t, relative(t, steps), eta), "the meta-loss", "the new log_rate")
        found_loss, new = verdicts.number(found_loss, "the meta-loss"), verdicts.number(new, "the new log_rate")
        moved = before - new
        if np.isclose(new, loss, rtol=1e-9):
            return "you return the meta-loss last; it comes first, then the new log_rate."
        if not np.isclose(found_loss, loss, rtol=1e-9):
            want, yours = verdicts.apart(loss, found_loss)
            return f"at rate {rate} the meta-loss of {steps} steps, before the step, is {want}, you return {yours}."
        for wrong, why in (
            (-exact[0], "you walk uphill: subtract the gradient."),
            (first[0], "that is the first-order gradient: pass second_derivatives=True to unroll."),
            (exact[0] / rate, "that is the slope along α. The argument that you differentiate is log α."),
        ):
            if np.isclose(moved, eta * wrong, rtol=1e-6):
                return why
        if not np.isclose(moved, eta * exact[0], rtol=1e-9):
            want, yours = verdicts.apart(-eta * exact[0], -moved)
            return f"from rate {rate} log_rate should move by {want}, yours moves by {yours}."
    return None


check(meta_step, that=fault, right="your step is the package's, for two tasks and two horizons.")

# %% [markdown]
# <details><summary>Hint</summary>
#
# Write an inner function of `log_rate` alone, which puts it into a dict, calls `l2l.unroll` and returns the first of its
# four results. `mg.value_and_grad` of that function, called at `log_rate`, gives both numbers that you need.
#
# </details>

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# def meta_step(log_rate, task, weights, eta):
#     """One step of gradient descent on the logarithm of SGD's learning rate: (meta-loss, new log_rate)."""
#
#     def loss_of(log_rate):
#         phi = {"log_learning_rate": log_rate}
#         return l2l.unroll(SGD(), phi, task, task.theta, {}, weights, second_derivatives=True)[0]
#
#     loss, gradient = mg.value_and_grad(loss_of)(log_rate)
#     return loss, log_rate - eta * gradient
# ```
#
# `meta_gradient` in [l2l/meta_training/unrolls.py](../l2l/meta_training/unrolls.py) is the same for any rule. The training of the LSTM calls it.
#
# </details>

# %% [markdown]
# ## Why the logarithm
#
# Multiply $f$ by 10. Every gradient is ten times larger, so the best rate is ten times smaller. On the axis of $\log\alpha$ the whole
# curve of $L$ has only moved sideways: the same $\eta$ works. On the axis of $\alpha$ it is ten times narrower, its slopes
# are ten times larger, and the right $\eta$ is a *hundred* times smaller. The package has the rule without a logarithm,
# too, `Linear` with $g = w\nabla$. Its $\eta$ is chosen to work at scale 1, and each starts at a twentieth of its best rate:

# %%
for scale in (0.1, 1.0, 10.0):
    scaled = Task(task.theta, lambda theta, batch, c=scale: c * task.loss(theta, batch))
    top, start = best / scale, best / 20 / scale
    log = np.exp(descend(SGD(), SGD(start).init(), scaled, eta=0.5)[0][-1, 0])
    raw = -descend(Linear(-start), Linear(-start).init(), scaled, eta=5e-5)[0][-1, 0]
    print(f"f times {scale:<4}  learned rate / best:  log α {log / top:.2f}   α itself {raw / top:.3g}")

# %% [markdown]
# Along $\log\alpha$ nothing changes. Along $\alpha$ itself the descent creeps at one scale and flies off at the other.
# ("nan" is a loss that overflowed.) A multiplicative constant wants multiplicative steps.
#
# The logarithm does not save you from the cliff. Here is one of the lost descents, draw 0 with $\eta =$ `1.5`:

# %%
fallen, height = descend(SGD(), SGD(0.001).init(), draws[0], eta=1.5)
edge = np.argmax(height > 0.95 * height[-1])
for k in range(edge - 4, edge + 4):
    print(f"meta-step {k:>2}   rate {np.exp(fallen[k, 0]):.2g}   meta-loss {height[k]:.3f}")

# %% [markdown]
# One step too far, and the slope is huge: the face of the cliff. It throws $\phi$ so far back that the rate is
# practically zero. There the meta-loss is 1 and *flat*, so nothing pulls it out again. Cliffs like this (Metz et al. 2019) are
# why meta-training clips its gradients or uses Adam, whose steps have a bounded length.
#
# ## All constants at once
#
# The meta-gradient does not care how many constants there are. And what descends on $\phi$ may be any optimizer. So let
# Adam do it, by `l2l.minimize`, which itself calls `unroll`: the loop runs inside the loop. Each rule learns on
# one task, on purpose the gentlest of our ten draws, and is then tried on 20 fresh ones.

# %%
fresh = [draw(i, "test") for i in range(20)]
gentlest = draws[2]
tried = {}
for name in ("sgd", "momentum", "nag", "adam"):
    rule, adam = make_optimizer(name, learning_rate=0.01), make_optimizer("adam", learning_rate=0.1)
    tuned, _ = l2l.minimize(lambda phi, rule=rule: meta_loss(rule, phi, gentlest), rule.init(), adam, steps=60)
    for when, phi in (("as it came", rule.init()), ("learned", tuned)):
        own, *others = (meta_loss(rule, phi, t) for t in (gentlest, *fresh))
        tried[name, when] = np.array(others)
        print(
            f"{name:<9} {when:<11} own task {own:.2f}   fresh tasks: median {np.median(others):.2f}, worst {max(others):.2g}"
        )

# %% [markdown]
# On their own task all improve, with one constant or with four, in the same 60 meta-steps. But some fresh bowls are steeper
# than the one that they have learned on, and there the learned rate lies *beyond* the cliff. Plain gradient descent ends above 1
# on {{np.sum(tried["sgd", "learned"] > 1):.0f}} of the 20. Only Adam, whose steps do not grow with the slope, keeps its gain on all of them.
# A rule that has learned on one task knows one task. Lesson 12 draws a new one for every episode.
#
# ## How far ahead?
#
# So far a horizon of 20 steps was our choice. Does it matter? Take a ravine with curvatures 1 and `0.01`, and minibatch noise in the
# gradients. The steep coordinate is already at its minimum, the flat one is far out: the middle of a training.
# We search instead of descending, so that no descent can be blamed.


# %%
def ravine(seed, copies=2048):
    """½ Σ h θ² with noise of variance h in each gradient. Copies come in pairs with opposite noise."""
    rng = np.random.default_rng(seed)
    h, theta = np.repeat([1.0, 0.01], copies), np.repeat([0.0, 14.0], copies)

    def noise():
        half = np.sqrt(h[::2]) * rng.normal(size=copies)
        return np.ravel(np.stack([half, -half], axis=1))

    return Task(theta, lambda theta, noise: mg.sum(0.5 * h * mg.square(theta) + noise * theta), noise, copies)


def best_rates(make, rates, limit):
    """For each horizon the rate with the lowest meta-loss, as a share of the largest stable rate."""
    losses = []
    for rate in rates:
        t = make()
        losses.append(l2l.unroll(SGD(), SGD(rate).init(), t, t.theta, {}, [1.0] * max(horizons))[3])
    sums = np.cumsum(losses, axis=1)[:, np.array(horizons) - 1]
    return rates[sums.argmin(axis=0)] / limit


horizons = (5, 10, 20, 50, 100, 200)
steepest = np.linalg.eigvalsh(mg.hessian(lambda theta: task.loss(theta, None))(task.theta))[-1]
noisy = np.array([best_rates(lambda s=seed: ravine(s), np.logspace(-2.3, 0.25, 18), 2.0) for seed in range(3)])
quiet = best_rates(lambda: task, 2 / steepest * np.logspace(-1, 0.1, 45), 2 / steepest)
figure, axes = figures.lines(
    {
        "ravine with noise, median of 3 seeds": (horizons, np.median(noisy, axis=0), {"marker": "o"}),
        "the quadratic above, no noise": (horizons, quiet, {"marker": "s"}),
    },
    "With noise, a short horizon picks a rate that is far too small",
    x="horizon T (steps in the unroll)",
    y="best rate / largest stable rate",
    log="xy",
)
axes.fill_between(horizons, noisy.min(axis=0), noisy.max(axis=0), color=axes.lines[0].get_color(), alpha=0.15)
show(
    figure,
    alt="Best learning rate, as a share of the largest stable one, against the horizon from 5 to 200 steps, both "
    "logarithmic. Without noise the share is about 0.9 to 1 at every horizon. In the noisy ravine it is near 0.01 to 0.02 "
    "up to 20 steps, jumps to 0.2 at 50, and is near 0.3 from 100 on.",
)

# %% [markdown]
# In the noisy ravine the best rate for 20 steps is {{noisy[0, 4] / noisy[0, 2]:.0f}} times smaller than for 100. Noise
# costs at once: it shakes the steep coordinate in the first step, the more, the larger the rate. Progress along the flat
# coordinate pays late. A short horizon sees the cost and not the gain. This is *short-horizon bias* (Wu et al. 2018).
# Nothing is wrong with the gradient. It answers a shortsighted question.
#
# The second line is as instructive: without noise there is hardly any bias. The paper unrolls 20 steps of
# 100; keep this figure in mind when the learned optimizer runs longer than it was trained, in lesson 15.
#
# ## Summary
#
# 1. An update rule is a function with constants $\phi$, and unrolling it gives a meta-loss whose exact gradient in $\phi$ passes the checks of
#    lesson 1, while the first-order gradient does not.
# 2. Gradient descent on the logarithm of the learning rate finds the best one, which lies next to a cliff that throws too bold a
#    meta-step out for good.
# 3. The constants fit the tasks and the horizon that they were learned on, and with noise a short horizon prefers rates that are far
#    too small.
#
# ## References
#
# - M. Andrychowicz et al., [Learning to learn by gradient descent by gradient descent](https://arxiv.org/abs/1606.04474), NIPS 2016:
#   the form $m(\nabla, h; \phi)$ and the meta-loss.
# - D. Maclaurin, D. Duvenaud and R. P. Adams, [Gradient-based hyperparameter optimization through reversible learning](https://arxiv.org/abs/1502.03492),
#   ICML 2015: exact gradients of learning-rate schedules.
# - A. G. Baydin et al., [Online learning rate adaptation with hypergradient descent](https://arxiv.org/abs/1703.04782), ICLR 2018.
# - Y. Wu, M. Ren, R. Liao and R. Grosse, [Understanding short-horizon bias in stochastic meta-optimization](https://arxiv.org/abs/1803.02021), ICLR 2018.
# - L. Metz et al., [Understanding and correcting pathologies in the training of learned optimizers](https://arxiv.org/abs/1810.10180), ICML 2019.
#
# ## Next
#
# Learned constants stay constants. A rule with more freedom wants a network in the place of the formula, and, like
# momentum, a memory. Next question: {{lesson(11)}}
