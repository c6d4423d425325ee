# %% [markdown]
# # 2 · How big a step is too big?
#
# The gradient says which way is up. It says nothing about how far to walk down. One number decides that, the *learning
# rate* $\alpha$. Too small, and half an hour passes without progress. Too large, and the loss is `nan` after ten steps.
#
# In this lesson the loss is a bowl. A bowl is simple enough to compute the largest rate beforehand. At the end we ask
# a small network whether it has heard of that.
#
# You need: lesson 1, and what an eigenvalue is. (If you have forgotten: it is said again below.)

# %%
import numpy as np
from course import check, recall, show, show_source, verdicts

import l2l
import minigrad as mg
from l2l.optimizers import SGD
from lessons import figures

# %% [markdown]
# ## Gradient descent
#
# Call the parameters $\theta$ and the loss $f(\theta)$. One step goes against the gradient $\nabla_t$ of $f$ at
# $\theta_t$:
#
# $$ \theta_{t+1} = \theta_t - \alpha\,\nabla_t \tag{2.1} $$
#
# In this project an optimizer is a function from a gradient to an *update* $g_t$, which is then added:
# $\theta_{t+1} = \theta_t + g_t$. For gradient descent $g_t = -\alpha\nabla_t$, which is the last line of the code below.
# (Implementation: `SGD` in [hand_designed.py](../l2l/optimizers/hand_designed.py). Test:
# [test_optimizers.py](../tests/l2l/test_optimizers.py).)
#
# Two things there are for later. A rule is handed its constants as `phi`, because in lesson 10 they are learned themselves; the
# rate is kept as its logarithm, so that it stays positive, and `positive` undoes that. And `state` is what a rule remembers
# from step to step: here nothing.

# %%
show_source(SGD)

# %% [markdown]
# `l2l.minimize` takes such steps. It wants a loss written with `mg.` functions, a start, a rule and a number of steps. It
# returns the last $\theta$ and the losses on the way. Here are five steps down a bowl in one dimension, $f(\theta) = 2\theta^2$, from
# $\theta_0 = 1$:


# %%
def bowl(theta):
    return 2.0 * mg.square(theta)


theta, losses = l2l.minimize(bowl, 1.0, SGD(learning_rate=0.1), steps=5)
print("losses    ", losses.round(3))
print("last theta", theta.round(3))

# %% [markdown]
# ## Your prediction
#
# Same bowl, $f(\theta) = 2\theta^2$, same start. You want to go faster and raise the rate. At some rate the loss no longer
# shrinks; beyond it, it grows with every step. **At which $\alpha$ does that happen?** And a second question, for your
# head only: does that rate depend on how many steps you take?

# %% tags=["prediction"]
prediction = ...  # the largest learning rate that does not make the loss grow

# %% [markdown]
# ## Run it
#
# We try 73 rates, eight to every doubling, and look at the loss after 10, 30 and 100 steps.

# %%
rates = 0.5 * 2.0 ** (np.arange(-64, 9) / 8)


def final_loss(loss, start, rate, steps):
    theta, _ = l2l.minimize(loss, start, SGD(rate), steps=steps)
    return float(loss(theta))


after = {steps: np.array([final_loss(bowl, 1.0, rate, steps) for rate in rates]) for steps in (10, 30, 100)}
figure, axes = figures.lines(
    {f"after {steps} steps": (rates, loss) for steps, loss in after.items()},
    "However many steps: beyond α = 0.5 the loss explodes",
    x="learning rate α",
    y="loss f(θ)",
    log="xy",
)
axes.axhline(2.0, color="grey", linewidth=1)
axes.text(0.1, 5.0, "loss at the start", va="bottom", fontsize=9, color="dimgrey")
axes.axvline(0.5, color="grey", linewidth=1)
axes.set_ylim(1e-15, 1e15)
show(
    figure,
    alt="Loss after 10, 30 and 100 steps against the learning rate, both logarithmic. Coming from α = 0.002, each curve "
    "bends down from the starting loss of 2, ever more steeply, and falls out of the picture before 0.25. It comes back "
    "after 0.25, and all three cross the starting loss in one point, at α = 0.5. To the right they shoot up, the curve "
    "of 100 steps to more than 1e15 within a fifth of a doubling.",
)

# %%
harmless = rates[after[100] <= 2.0 * (1.0 + 1e-9)]
recall(prediction, harmless.max())

# %% [markdown]
# Up to `0.25`, every larger rate is better. From there on it gets worse again, but after 100 steps you would hardly
# notice: at {{rates[rates < 0.45][-1]:.2f}} the loss still is {{sci(after[100][rates < 0.45][-1], 1)}}. At
# {{rates[rates > 0.54][0]:.2f}} it is {{sci(after[100][rates > 0.54][0], 1)}}. This is the cliff. More steps make it
# steeper, but they do not move it.
#
# ## Why there
#
# The slope of $f(\theta) = \frac{\lambda}{2}\theta^2$ is $\lambda\theta$. The number $\lambda$ is the *curvature*, the
# slope of the slope; ours is 4. Put the slope into the step:
#
# $$ \theta_{t+1} = \theta_t - \alpha\lambda\theta_t = (1 - \alpha\lambda)\,\theta_t
# \qquad\text{so}\qquad \theta_t = (1 - \alpha\lambda)^t\,\theta_0 $$
#
# All that gradient descent does to a bowl is multiply by $1 - \alpha\lambda$, again and again. It shrinks $\theta$ if
# that factor lies between $-1$ and $1$, and that is
#
# $$ 0 < \alpha < \frac{2}{\lambda} $$
#
# The number of steps is not in it. Neither is the start, nor the height of the bowl. Four rates, four kinds of motion:

# %%
curvature = 4.0
kinds = {"creeps": 0.2, "arrives at once": 1.0, "swings": 1.8, "diverges": 2.1}
series = {}
for kind, product in kinds.items():
    path = [l2l.minimize(bowl, 1.0, SGD(product / curvature), steps=t)[0] for t in range(13)]
    series[f"αλ = {product}: {kind}"] = (range(13), path, {"marker": "o", "markersize": 4})
figure, axes = figures.lines(series, "Below 1/λ it creeps, above it swings, beyond 2/λ it diverges", x="step t", y="θ")
show(
    figure,
    alt="Parameter θ over 12 steps from θ = 1, for four values of α times λ. At 0.2 it creeps down to 0.07 without crossing zero. "
    "At 1 it is zero after one step. At 1.8 it jumps from side to side and shrinks to 0.07. At 2.1 it jumps from side to "
    "side and grows to 3.1.",
)

# %% [markdown]
# Creeping at $\alpha\lambda = 0.2$ and swinging at $1.8$ are equally fast: the factors are $0.8$ and $-0.8$. A loss curve
# cannot tell them apart, because it squares the sign away. The best rate in one dimension is $1/\lambda$: the factor is
# zero, and you arrive in one step. Newton's method aims at that; lesson 9.
#
# ## More than one curvature
#
# A bowl in $n$ dimensions is $f(\theta) = \frac{1}{2}(\theta-\theta^*)^\top A\,(\theta-\theta^*)$, with a symmetric matrix
# $A$ and its minimum at $\theta^*$. The gradient is $A(\theta-\theta^*)$. From most places a step against it leads downhill, but not straight at
# the minimum. In $n$ special directions, the *eigenvectors* of $A$, it does: there $A$ only stretches, by the *eigenvalue* $\lambda_i$. For a
# bowl all of these are positive; with a negative one there is no minimum. Along
# each eigenvector the bowl is a bowl of the kind above:
#
# $$ \text{error along eigenvector } i \text{ after } t \text{ steps} = (1 - \alpha\lambda_i)^t \cdot \text{error at the start} $$
#
# So there are $n$ separate problems, and one $\alpha$ for all of them. Take curvatures 1 and 10. The lines below are the
# two factors, the dots are measured: how much closer one step brings us, averaged over 200 steps. (The first 100 are left
# out: in them the faster direction dies away.)

# %%
spectrum = np.array([1.0, 10.0])


def two(theta):
    return 0.5 * mg.sum(spectrum * mg.square(theta))


def factor_per_step(loss, start, rate):
    """The factor by which a step shrinks the distance: the loss shrinks by its square."""
    return (final_loss(loss, start, rate, 300) / final_loss(loss, start, rate, 100)) ** (0.5 / 200)


fine = np.linspace(0.0, 0.22, 221)
tried = np.linspace(0.01, 0.22, 22)
measured = np.array([factor_per_step(two, np.ones(2), rate) for rate in tried])
figure, axes = figures.lines(
    {
        "|1 − α·1|: the flat direction": (fine, abs(1 - fine)),
        "|1 − α·10|: the steep direction": (fine, abs(1 - 10 * fine)),
        "measured": (tried, measured, {"color": "black", "linestyle": "", "marker": "o", "markersize": 4}),
    },
    "The bowl follows its slower direction, and the steep one sets the cliff",
    x="learning rate α",
    y="factor per step (above 1: diverges)",
)
axes.axhline(1.0, color="grey", linewidth=1)
axes.set_ylim(0.0, 1.3)
show(
    figure,
    alt="Factor per step against the learning rate from 0 to 0.22. One line, for curvature 1, falls gently from 1 to 0.78. "
    "The other, for curvature 10, is a V with its tip at 0.1, and passes 1 again at 0.2. Measured dots lie on the upper "
    "one of the two lines. They are lowest, at about 0.82, where the lines cross, at 0.18.",
)

# %% [markdown]
# Up to the crossing the flat direction is the slow one. A larger $\alpha$ helps it. After the crossing the steep direction is
# the slow one, and at $2/\lambda_{\max} = 0.2$ it diverges. The best rate found is {{tried[np.argmin(measured)]:.2f}}, with
# a factor of {{measured.min():.2f}}. In one dimension the best factor was 0.
#
# Note how close the best rate is to the cliff. If the curvatures differ much, **the best rate lies just before the
# cliff**. Here a rate that is 10 per cent too small costs little, and one that is 10 per cent too large never arrives.

# %% [markdown]
# ## Exercise: the best rate
#
# Write `best_rate`. It gets the eigenvalues of a bowl, in any order, and returns the one $\alpha$ with the smallest
# factor per step. The figure tells you which condition holds there.


# %% tags=["exercise"]
def best_rate(eigenvalues):
    return ...


# %% tags=["check"]
def fault_of_rate(best_rate):
    for curvatures in ([1.0, 10.0], [3.0, 0.5, 7.0], [2.0, 2.0], [40.0, 1.0, 39.0, 1.5]):
        c = np.array(curvatures)
        rate = verdicts.number(best_rate(c.copy()), "your α, one for all directions,")
        factor, possible = max(abs(1 - rate * c)), (max(c) - min(c)) / (max(c) + min(c))
        if factor > possible + 1e-9:
            slow = c[np.argmax(abs(1 - rate * c))]
            factor, possible = verdicts.apart(factor, possible)
            return f"for {curvatures} your α = {rate:.4g} gives the factor {factor}, the worst along λ = {slow:g}; {possible} is possible."
    return None


check(best_rate, that=fault_of_rate, right="no other rate does better on these bowls.")

# %% [markdown]
# <details><summary>Hint</summary>
#
# Only two of the eigenvalues matter. At the crossing their factors are equal in size and opposite in sign:
# $1 - \alpha\lambda_{\min} = -(1 - \alpha\lambda_{\max})$.
#
# </details>

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# Solve the equation of the hint for $\alpha$. In between, $|1 - \alpha\lambda|$ is smaller, so no other eigenvalue has a
# say.
#
# ```python
# def best_rate(eigenvalues):
#     return 2.0 / (min(eigenvalues) + max(eigenvalues))
# ```
#
# The factor is then $(\kappa-1)/(\kappa+1)$ with $\kappa = \lambda_{\max}/\lambda_{\min}$. For $\kappa = 1$ it is 0: a round bowl
# is done in one step. For $\kappa = 100$ it is `0.98`.
#
# </details>

# %% [markdown]
# ## Bowls at random
#
# Two dimensions can be drawn, but they can also deceive. The paper that this course ends with tests its optimizers on
# random bowls in ten dimensions: $f(\theta) = \lVert W\theta - y\rVert^2$, with $W$ and $y$ drawn from a normal
# distribution. For these $A = 2\,W^\top W$. (The 2 is there because $f$ has no $\frac{1}{2}$. Forget it, and your cliff is off by two.)
#
# Here are 16 of them, seeds 0 to 15. We find each cliff by trial: 300 steps, too high or too low, bisect. Then we compare with two
# predictions, one from the largest eigenvalue and one from the average.


# %%
def random_bowl(seed, n=10):
    """The loss of a random bowl, and its matrix A."""
    rng = np.random.default_rng(seed)
    W, y = rng.normal(size=(n, n)), rng.normal(size=n)
    return lambda theta: mg.sum(mg.square(W @ theta - y)), 2.0 * W.T @ W


def grows(loss, start, rate, steps=300):
    with np.errstate(all="ignore"):  # a rate that is far too large overflows, and that counts as growing
        return not final_loss(loss, start, rate, steps) <= float(loss(start))


def cliff_by_trial(loss, n, low=1e-3, high=1.0):
    for _ in range(12):
        middle = np.sqrt(low * high)
        low, high = (low, middle) if grows(loss, np.zeros(n), middle) else (middle, high)
    return np.sqrt(low * high)


bowls = [random_bowl(seed) for seed in range(16)]
cliffs = np.array([cliff_by_trial(loss, 10) for loss, _ in bowls])
eigenvalues = np.array([np.linalg.eigvalsh(A) for _, A in bowls])
from_largest, from_average = 2.0 / eigenvalues[:, -1], 2.0 / eigenvalues.mean(axis=1)

# %%
dots = {"linestyle": "", "marker": "o", "markersize": 5}
figure, axes = figures.lines(
    {
        "from the largest eigenvalue": (from_largest, cliffs, dots),
        "from the average eigenvalue": (from_average, cliffs, {**dots, "marker": "s"}),
        "prediction = measurement": ([0.01, 0.2], [0.01, 0.2], {"color": "grey", "linewidth": 1, "linestyle": "-"}),
    },
    "The largest eigenvalue predicts the cliff, the average one does not",
    x="predicted cliff: 2 / eigenvalue",
    y="measured cliff α",
    log="xy",
)
show(
    figure,
    alt="Measured cliff against predicted cliff for 16 random bowls, both logarithmic. The dots for the largest "
    "eigenvalue lie on the diagonal, between 0.024 and 0.046. The squares for the average eigenvalue lie to the right "
    "of it, at predictions between 0.08 and 0.14, about three times too large, and they are scattered.",
)

# %% [markdown]
# The largest eigenvalue alone is off by at most {{max(abs(cliffs / from_largest - 1)):.1%}}, and that is the resolution of
# 300 steps. The average promises a rate that is {{np.median(from_average / cliffs):.1f}} times too large
# ({{(from_average / cliffs).min():.1f}} to {{(from_average / cliffs).max():.1f}}). Nine gentle directions do not make up
# for one steep one.
#
# And the price of obeying it: the eigenvalues of such a bowl span a factor of
# {{np.median(eigenvalues[:, -1] / eigenvalues[:, 0]):.0f}} in the median. Just below the cliff, the flattest direction
# then needs about {{round(np.log(1000) * np.median(eigenvalues[:, -1] / eigenvalues[:, 0]) / 2, -2):,.0f}} steps to come a thousand times
# closer. That is the subject of the next lesson.

# %% [markdown]
# ## Exercise: predict the cliff
#
# Usually nobody hands you $A$. You have a gradient. Write `cliff(gradient, n)`: the largest harmless rate of a bowl in $n$ dimensions, of which
# you know only the function `gradient`, from an array of $n$ numbers to an array of $n$ numbers. The minimum need not be at zero. The check
# takes bowls that you have not seen, and runs gradient descent just below and just above your answer.


# %% tags=["exercise"]
def cliff(gradient, n):
    return ...


# %% tags=["check"]
def fault_of_cliff(cliff):
    for seed, n in ((100, 2), (101, 3), (102, 6)):
        loss, A = random_bowl(seed, n)
        answer = verdicts.number(cliff(mg.grad(loss), n), f"your α for a bowl in {n} dimensions")
        if answer <= 0.0:
            return f"your α = {answer:.4g} for a bowl in {n} dimensions; a rate is above zero."
        for share, should_grow in ((0.98, False), (1.02, True)):
            if grows(loss, np.ones(n), share * answer, steps=1000) != should_grow:
                if np.isclose(cliff(lambda theta, A=A: A @ theta, n), 2.0 / np.linalg.eigvalsh(A)[-1]):
                    return "right for a bowl with its minimum at zero. Elsewhere gradient(0) is not zero: take it off."
                side = "falls: your cliff is too low" if should_grow else "grows: your cliff is too high"
                return f"a bowl in {n} dimensions, your α = {answer:.4g}: at {share} times that, the loss still {side}."
    return None


check(cliff, that=fault_of_cliff, right="2 per cent below it all bowls are safe, 2 per cent above it none is.")

# %% [markdown]
# <details><summary>Hint</summary>
#
# The gradient of a bowl is $A\theta - A\theta^*$. What is `gradient(e) - gradient(0)` for a unit vector $e$?
# `np.linalg.eigvalsh` returns the eigenvalues of a symmetric matrix, smallest first.
#
# </details>

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# def cliff(gradient, n):
#     origin = gradient(np.zeros(n))
#     A = np.array([gradient(e) - origin for e in np.eye(n)])
#     return 2.0 / np.linalg.eigvalsh(A)[-1]
# ```
#
# $n + 1$ gradients are affordable for ten parameters and not for a million. Then one multiplies a random vector by $A$,
# again and again: what survives is the eigenvector of $\lambda_{\max}$. Gradient descent beyond its cliff does just that.
#
# </details>

# %% [markdown]
# ## A network is not a bowl
#
# The loss of a network has another curvature at every point. What is left of $2/\lambda$ there? We take a small one:
# one input, 16 tanh units, one output, 48 parameters. It learns a curve with three turning points from 20 points, with all of
# them at every step: a *full batch*. The matrix of all second derivatives of a loss is its *Hessian*; for a bowl that is $A$.
# Every 100 steps we compute its largest eigenvalue, the *sharpness* (`mg.hessian` is for lesson 8).

# %%
inputs = np.linspace(-1.0, 1.0, 20)[:, None]
targets = np.cos(4.0 * np.arccos(inputs))  # the Chebyshev polynomial of degree 4


def network(seed, width=16):
    """A start, and the loss of a network with one hidden layer."""
    rng = np.random.default_rng(seed)
    weights = {
        "W": rng.normal(size=(1, width)),
        "b": 0.5 * rng.normal(size=width),
        "V": rng.normal(size=(width, 1)) / 4,
    }
    start, unravel = mg.tree.ravel(weights)

    def loss(theta):
        w = unravel(theta)
        return mg.mean(mg.square(mg.tanh(inputs @ w["W"] + w["b"]) @ w["V"] - targets))

    return start, loss


def train(seed, rate, rounds=36, steps=100):
    theta, loss = network(seed)
    sharpness, losses = [], []
    for _ in range(rounds):
        sharpness.append(np.linalg.eigvalsh(mg.hessian(loss)(theta))[-1])
        theta, some = l2l.minimize(loss, theta, SGD(rate), steps=steps)
        losses.extend(some)
    return np.array(sharpness), np.array(losses)


runs = {rate: [train(seed, rate) for seed in range(3)] for rate in (0.2, 0.15, 0.1)}

# %%
steps = 100 * np.arange(36)
figure, axes = figures.lines(
    {f"α = {rate}": (steps, several[0][0]) for rate, several in runs.items()},
    "Training drives the sharpness up to 2/α; at the two larger rates, there it stays",
    x="step",
    y="sharpness: largest eigenvalue",
)
for line, (rate, several) in zip(list(axes.lines), runs.items(), strict=True):
    for sharpness, _ in several[1:]:
        axes.plot(steps, sharpness, color=line.get_color(), linestyle=line.get_linestyle(), alpha=0.6)
    axes.axhline(2.0 / rate, color=line.get_color(), linewidth=1, alpha=0.6)
    axes.text(3600, 2.0 / rate, f"2/α = {2 / rate:.1f}", va="bottom", fontsize=9)
axes.set(xlim=(-100, 4300), ylim=(4, 26))
axes.legend(frameon=False, fontsize=9, loc="upper left")
show(
    figure,
    alt="Sharpness against the step, 0 to 3,500, for three learning rates and three seeds each. All nine start between 5 "
    "and 7 and climb. With α = 0.2 they overshoot to 12, swing, and settle at the line 2/α = 10. With 0.15 they settle at "
    "13.3. With 0.1 they end between 19 and 21, about the line at 20, and one of them is still rising beyond it.",
)

# %% [markdown]
# In the median over the three seeds, the last ten measurements are
# {{np.median([s[-10:] for s, _ in runs[0.2]]) * 0.2 / 2:.2f}} times $2/\alpha$ for $\alpha = 0.2$, and
# {{np.median([s[-10:] for s, _ in runs[0.15]]) * 0.15 / 2:.2f}} times for $0.15$. With $0.1$ the
# run is too short to tell: one seed has passed the line, and still rises at the end. In a bowl nothing would be gained along
# that direction. The network keeps learning: with $\alpha = 0.2$ the loss rose in
# {{np.mean([np.mean(np.diff(loss) > 0) for _, loss in runs[0.2]]):.0%}} of the steps, and still its mean over the last 1,000 is
# {{np.mean([np.mean(loss[-1000:]) / loss[0] for _, loss in runs[0.2]]):.1%}} of its start.
#
# Cohen et al. found this in many networks and named it the *edge of stability*. Two honest limits. The bowl explains
# the line, but not why the sharpness climbs, nor why crossing the line does not end in divergence; for that one needs
# third derivatives at least (Damian et al.). And it is a fact about full batches: with *minibatches*, where every step looks
# at a few examples drawn at random, the sharpness often stays lower.

# %% [markdown]
# ## Summary
#
# 1. Along an eigenvector with curvature $\lambda$, a step of gradient descent multiplies the error by $1 - \alpha\lambda$.
# 2. It converges from every start if and only if $\alpha < 2/\lambda_{\max}$, and up to the best rate the flattest
#    direction sets the pace.
# 3. A network is no bowl, yet with full batches its sharpness tends to rise to $2/\alpha$ and to hover there.
#
# ## References
#
# - A. Cauchy, Méthode générale pour la résolution des systèmes d'équations simultanées, Comptes Rendus 25 (1847): gradient
#   descent.
# - Y. LeCun, L. Bottou, G. Orr and K.-R. Müller, [Efficient BackProp](https://doi.org/10.1007/3-540-49430-8_2), in *Neural
#   Networks: Tricks of the Trade*, Springer 1998, section 5: learning rates and eigenvalues.
# - J. Cohen, S. Kaur, Y. Li, J. Z. Kolter and A. Talwalkar, [Gradient descent on neural networks typically occurs at the edge
#   of stability](https://arxiv.org/abs/2103.00065), ICLR 2021.
# - A. Damian, E. Nichani and J. D. Lee, [Self-stabilization: the implicit bias of gradient descent at the edge of
#   stability](https://arxiv.org/abs/2209.15594), ICLR 2023.
# - M. Andrychowicz et al., [Learning to learn by gradient descent by gradient descent](https://arxiv.org/abs/1606.04474),
#   NIPS 2016, section 3.1: the random bowls.
#
# ## Next
#
# The steep direction forbids large steps, the flat one needs them, and there is one $\alpha$ for both. Next question:
# {{lesson(3)}}
