# %% [markdown]
# # 9 · What do the Hessian, Gauss–Newton and Fisher see that the gradient does not?
#
# A gradient is a direction. It does not say how far to go: that was the learning rate's business, and lessons 2 to 4 were
# spent on it. A *curvature matrix* $C$ does say it. It completes the slope to a bowl, and a bowl has a bottom.
#
# Lesson 8 made products with such a matrix cheap. But there are several matrices, they carry famous names, and one of them
# is often taken for another. This lesson draws all of them at one point, and shows where they agree and where they
# mislead.
#
# You need: lesson 8 for the products, lesson 5 for what a fair race is.

# %%
import numpy as np
from course import check, recall, show, show_source, verdicts

import l2l
import minigrad as mg
from l2l import plots
from l2l.evaluation import run, tune
from l2l.optimizers.curvature import Newton
from l2l.problems import MNIST, draw_task
from lessons import figures

# %% [markdown]
# ## Bowls
#
# Around a point $\theta$ we replace the loss by a quadratic model in the step $d$. The model with curvature $C$, and the
# step to its bottom, are
#
# $$ q(d) = f(\theta) + \nabla \cdot d + \tfrac{1}{2}\, d^\top C\, d, \qquad d^* = -C^{-1} \nabla $$
#
# Gradient descent takes $C = I/\alpha$: the same curvature in every direction, made up by you. With the Hessian, $C = H$, it
# is Newton's step. For models with outputs there are other candidates. Write the loss as $f(\theta) = L(z(\theta))$: outputs
# $z$, for example logits, with Jacobian $J = \partial z/\partial\theta$, and a loss $L$ of the outputs. The chain rule,
# applied twice, gives two terms ($\nabla^2$ stands for the Hessian of what follows):
#
# $$ H = J^\top H_L\, J \;+\; \sum_k \frac{\partial L}{\partial z_k}\, \nabla^2 z_k, \qquad H_L = \nabla^2 L $$
#
# The first term is the curvature of $L$, seen through $J$. The second is the curvature of the model itself, weighted
# by how wrong its outputs are. **Gauss–Newton** keeps the first term (Schraudolph 2002):
#
# $$ G\,v = J^\top H_L\, J\, v \tag{9.1} $$
#
# Where $L$ is convex in $z$, as cross-entropy and squared error are, $G$ has no negative eigenvalue. (Implementation:
# `gauss_newton_product` in [curvature.py](../minigrad/curvature.py). Test: [test_curvature.py](../tests/minigrad/test_curvature.py).)

# %% [markdown]
# The **Fisher information** asks another question: how fast does the *predicted distribution* change? How far
# two distributions are apart is measured by the Kullback–Leibler divergence. Between the predictions before and after a
# small step it is about $\frac{1}{2} d^\top F d$, where
#
# $$ F = \frac{1}{n} \sum_{i=1}^n\; \mathbb{E}_{y \sim p(\cdot \mid i)}\bigl[\, \nabla \log p(y \mid i)\; \nabla \log p(y \mid i)^\top \bigr] \tag{9.2} $$
#
# $\mathbb{E}$ is the mean over labels $y$ that are drawn from the model's own prediction $p$, not taken from the data.
# $F^{-1}\nabla$ is Amari's *natural gradient*. The **empirical Fisher** takes the labels $y_i$ of the data instead. With $\ell_i = -\log p(y_i \mid i)$:
#
# $$ E = \frac{1}{n} \sum_{i=1}^n\; \nabla \ell_i\, \nabla \ell_i^\top \tag{9.3} $$
#
# It is easier to get, for one has these gradients anyway. (Implementations: `fisher_product` and `empirical_fisher_product`
# in [curvature.py](../minigrad/curvature.py). Test: [test_curvature.py](../tests/minigrad/test_curvature.py).)

# %%
show_source(mg.gauss_newton_product, mg.fisher_product, mg.empirical_fisher_product)

# %% [markdown]
# ## A model with two parameters
#
# It has to be small enough to be drawn, and bent enough to be interesting: a network with one hidden unit,
# $p(y = 1 \mid x) = \text{sigmoid}\bigl(a \tanh(b x)\bigr)$, so $\theta = (a, b)$. The 60 examples are drawn from such a
# model, so their labels are noisy.

# %%
rng = np.random.default_rng(0)
inputs = rng.normal(scale=1.5, size=60)
labels = (rng.uniform(size=60) < 1.0 / (1.0 + np.exp(-2.5 * np.tanh(1.2 * inputs)))).astype(int)


def logits(theta):
    z = theta[0] * mg.tanh(theta[1] * inputs)
    return mg.stack([0.0 * z, z], 1)


def loss(theta):
    return mg.cross_entropy(logits(theta), labels)


def curvatures(theta, logits, labels):
    """The matrices H, G, F and E of a classifier at theta, from their products with the unit vectors."""

    def criterion(z):
        return mg.cross_entropy(z, labels)

    def losses(theta):
        return -mg.log_softmax(logits(theta))[np.arange(len(labels)), labels]

    products = {
        "Hessian": lambda v: mg.hvp(lambda theta: criterion(logits(theta)), theta, v),
        "Gauss–Newton": lambda v: mg.gauss_newton_product(logits, criterion, theta, v),
        "Fisher": lambda v: mg.fisher_product(logits, theta, v),
        "empirical Fisher": lambda v: mg.empirical_fisher_product(losses, theta, v),
    }
    return {name: np.array([product(v) for v in np.eye(theta.size)]) for name, product in products.items()}


theta = np.array([0.3, 1.0])
gradient, C = mg.grad(loss)(theta), curvatures(theta, logits, labels)
for name, matrix in C.items():
    print(f"{name:<17} eigenvalues {np.linalg.eigvalsh(matrix).round(3)}")

# %% [markdown]
# All four have two positive eigenvalues here, so all four are bowls with a bottom. Gauss–Newton and Fisher have the
# same ones. That is no accident; see below.
#
# ## Your prediction
#
# From $\theta = (0.3, 1)$ we jump to the bottom of each bowl, with no learning rate. **Which jumps lower the true loss?**
# Gauss–Newton and Fisher count as one. Write, for example, `"Hessian, Gauss–Newton"`, or `"all"`, or `"none"`.

# %% tags=["prediction"]
prediction = ...

# %% [markdown]
# ## Run it
#
# Grey are the contours of the true loss. Each coloured ellipse is a contour of the quadratic model; the long ones close
# outside the picture. The outermost passes through our point, and the arrow leads to the common centre. Above each panel
# stands the true loss before and after the jump.

# %%
shown = {"Hessian": C["Hessian"], "Gauss–Newton = Fisher": C["Fisher"], "empirical Fisher": C["empirical Fisher"]}
figure, axes = figures.local_models(
    loss,
    theta,
    gradient,
    shown,
    "One slope, three bowls: from here, only the bottom of Gauss–Newton's is a better place",
    window=((-0.7, 5.0), (-1.5, 6.5)),
    names=("a", "b"),
)
show(
    figure,
    alt="Three panels over a (-0.7 to 5) and b (-1.5 to 6.5) with the same grey contours of the loss, lowest near a = 2, "
    "b = 0.8, and ellipses through (0.3, 1) with an arrow to their centre. The Hessian's lean right, with the centre at "
    "(2.7, 4.6), where the loss is 0.69, more than the 0.64 at the start. The other two are long and upright: Gauss–Newton's "
    "centre is (1.6, 0.9) with loss 0.53, the empirical Fisher's (1.9, 0) with loss 0.69.",
)

# %%
jumps = {name: theta - np.linalg.solve(matrix, gradient) for name, matrix in shown.items()}
better = [name for name, there in jumps.items() if loss(there) < loss(theta)]
recall(prediction, ", ".join(better))

# %% [markdown]
# At the point all three have the same slope. What they see beyond it is different. The Hessian is true to the loss, but
# only nearby: the bend of the model is in it, and that changes along the way. Gauss–Newton leaves this part out, and here
# that is luck.
#
# One point can be chosen to prove anything. So here are 300 random ones, with $a$ and $b$ between `0.2` and `4`. We also
# shorten the jump, with $C + \lambda I$ in place of $C$. This is *damping*: the larger $\lambda$, the shorter the step, and the
# closer to plain gradient descent.

# %%
places = np.random.default_rng(1).uniform(0.2, 4.0, size=(300, 2))
known = [(place, loss(place), mg.grad(loss)(place), curvatures(place, logits, labels)) for place in places]
dampings = np.logspace(-4, 1, 21)


def share(name, damping):
    """The share of the places from which the damped jump lowers the loss."""
    jumps = [(x, f, np.linalg.solve(C[name] + damping * np.eye(2), g)) for x, f, g, C in known]
    return np.mean([loss(x - step) < f for x, f, step in jumps])


names = ("Hessian", "Gauss–Newton", "empirical Fisher")
shares = {name: [share(name, damping) for damping in dampings] for name in names}
undamped = {name: share(name, 0.0) for name in names}
indefinite = np.mean([np.linalg.eigvalsh(C["Hessian"])[0] < 0 for *_, C in known])
figure, axes = figures.lines(
    {name: (dampings, values) for name, values in shares.items()},
    "With enough damping every jump helps, and the Hessian needs the most",
    x="damping λ",
    y="share of 300 jumps that lower the loss",
    log="x",
)
axes.set_ylim(0, 1.02)
show(
    figure,
    alt="Share of 300 jumps that lower the loss, against the damping from 1e-4 to 10, logarithmic. At 1e-4 it is 65 per cent "
    "with the Hessian, 60 with the empirical Fisher and 31 with Gauss–Newton. It reaches 100 per cent near 0.003 for the "
    "empirical Fisher, near 0.03 for Gauss–Newton and near 0.3 for the Hessian.",
)
print("undamped:", {name: f"{value:.0%}" for name, value in undamped.items()})
# %% [markdown]
# Without damping, the jump lowers the loss from {{undamped["Hessian"]:.0%}} of the points with the Hessian, from
# {{undamped["Gauss–Newton"]:.0%}} with Gauss–Newton, and from {{undamped["empirical Fisher"]:.0%}} with the empirical Fisher. So the
# picture at one point was no verdict. **No matrix is safe to trust for a whole jump.** With damping all of them become safe;
# the Hessian last, because it has negative eigenvalues to outweigh. The empirical Fisher is the first here. That is no
# merit in general: wait for the second exercise.
#
# ## Where Newton goes uphill
#
# At {{indefinite:.0%}} of the points the Hessian has a negative eigenvalue. Then the model is a saddle and has no
# bottom. Its stationary point still exists, and Newton's step goes there. Watch it repeat, from $(0.3, 0.2)$:

# %%
place = np.array([0.3, 0.2])
for step in range(5):
    eigenvalues = np.linalg.eigvalsh(mg.hessian(loss)(place))
    print(f"step {step}: loss {loss(place):.4f} at {place.round(4)}, Hessian's eigenvalues {eigenvalues.round(3)}")
    place = place - np.linalg.solve(mg.hessian(loss)(place), mg.grad(loss)(place))

# %% [markdown]
# It converges, fast and precisely, to the saddle at $(0, 0)$, where the loss is $\ln 2$: higher than at the start. Newton's
# method looks for a zero of the gradient. It does not ask which kind.
#
# ## When they agree
#
# Three statements. The next cell checks the first two on numbers; the third is yours to use in the exercise.
#
# - Softmax with cross-entropy: **Fisher = Gauss–Newton**, always. Both are $J^\top (\mathrm{diag}\,p - p p^\top) J / n$. No
#   label appears in it (Martens 2020).
# - A model linear in $\theta$: **Gauss–Newton = Hessian**, for $\nabla^2 z_k = 0$.
# - Outputs that cannot be improved, $\partial L/\partial z = 0$: **Gauss–Newton = Hessian**, for the second term has weight 0.

# %%
X = np.random.default_rng(2).normal(size=(40, 4))
classes = np.random.default_rng(3).integers(3, size=40)
point = np.random.default_rng(4).normal(size=12)


def apart(A, B):
    return np.linalg.norm(A - B) / np.linalg.norm(A)


for name, bend in {"linear": lambda z: z, "bent": mg.tanh}.items():
    M = curvatures(point, lambda w, bend=bend: 2.0 * bend(X @ mg.reshape(w, (4, 3))), classes)
    print(f"{name} model: Fisher and Gauss–Newton differ by {apart(M['Fisher'], M['Gauss–Newton']):.0e},", end=" ")
    print(f"Hessian and Gauss–Newton by {apart(M['Hessian'], M['Gauss–Newton']):.0e}")

# %% [markdown]
# ## Exercise: make Gauss–Newton exact
#
# Now least squares, $L(z) = \frac{1}{2}\lVert z - y \rVert^2$, with a model that is not linear. At `spot`, Gauss–Newton is not
# the Hessian for most targets $y$. **Choose targets for which it is**, without changing the model.

# %% tags=["exercise"]
spot = np.array([0.7, -1.3, 0.4])


def curve(theta):
    """Eight outputs, bent in each of the three parameters."""
    return theta[0] * mg.sin(theta[1] * X[:8, 0] + theta[2])


targets = ...


# %% tags=["check"]
def given(theta):
    return theta[0] * mg.sin(theta[1] * X[:8, 0] + theta[2])


def fault(targets):
    def criterion(z):
        return 0.5 * mg.sum((z - targets) ** 2.0)

    if np.shape(targets) != (8,):
        return f"targets should have shape (8,), as the outputs have, not {np.shape(targets)}"
    place = np.array([0.7, -1.3, 0.4])
    if verdicts.differs("spot", spot, place):
        return "spot has changed. Choose targets; the place and the model stay."
    for theta in (place, -2.0 * place, place[::-1]):
        if verdicts.differs("curve", curve(theta), given(theta)):
            return "curve is another function now. Choose targets; the model stays."
    H = mg.hessian(lambda theta: criterion(given(theta)))(place)
    G = np.array([mg.gauss_newton_product(given, criterion, place, v) for v in np.eye(3)])
    return (
        None if apart(G, H) < 1e-9 else f"the two matrices differ by {100 * apart(G, H):.2g} % of Gauss–Newton's size."
    )


check(targets, that=fault, right="the residuals take the weight from the model's own bend.")

# %% [markdown]
# <details><summary>Hint</summary>
#
# The second term of the Hessian is $\sum_k (z_k - y_k)\, \nabla^2 z_k$. Which targets make it vanish, whatever the
# $\nabla^2 z_k$ are?
#
# </details>

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# spot = np.array([0.7, -1.3, 0.4])
#
#
# def curve(theta):
#     """Eight outputs, bent in each of the three parameters."""
#     return theta[0] * mg.sin(theta[1] * X[:8, 0] + theta[2])
#
#
# targets = curve(spot)
# ```
#
# A model that fits well has small residuals, so close to a good fit Gauss–Newton is close to the Hessian, and it
# has no negative eigenvalues.
#
# </details>

# %% [markdown]
# ## The spectrum of a small network
#
# Two parameters can be drawn. For more, look at the eigenvalues. A network with 8 hidden units learns three arms of a
# spiral: 51 weights, 90 examples, 300 steps of gradient descent.

# %%
arm = np.repeat(np.arange(3), 30)
radius = np.tile(np.linspace(0.2, 1.0, 30), 3)
angle = 2.0 * np.pi * arm / 3 + 3.0 * radius + np.random.default_rng(5).normal(scale=0.15, size=90)
plane = 2.0 * radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
rng = np.random.default_rng(6)
shapes = {"W1": (2, 8), "b1": (8,), "W2": (8, 3), "b2": (3,)}
start, unravel = mg.tree.ravel({name: rng.normal(scale=0.5, size=shape) for name, shape in shapes.items()})


def spiral_logits(theta):
    w = unravel(theta)
    return mg.tanh(plane @ w["W1"] + w["b1"]) @ w["W2"] + w["b2"]


def spiral_loss(theta):
    return mg.cross_entropy(spiral_logits(theta), arm)


weights = start
for _ in range(300):
    weights = weights - 0.5 * mg.grad(spiral_loss)(weights)
trained = curvatures(weights, spiral_logits, arm)
spectrum = {name: np.sort(np.linalg.eigvalsh(matrix))[::-1] for name, matrix in trained.items() if name != "Fisher"}
rank = np.arange(1, 52)
positive = {name: np.where(values > 1e-9, values, np.nan) for name, values in spectrum.items()}
negative = np.where(spectrum["Hessian"] < -1e-9, -spectrum["Hessian"], np.nan)
marks = {"marker": "o", "markersize": 4, "linestyle": "none"}
figure, axes = figures.lines(
    {
        "Hessian, positive": (rank, positive["Hessian"], marks),
        "Gauss–Newton": (rank, positive["Gauss–Newton"], {**marks, "marker": "s"}),
        "empirical Fisher": (rank, positive["empirical Fisher"], {**marks, "marker": "^"}),
        "Hessian, negative": (rank, negative, {**marks, "marker": "x", "color": plots.COLOURS[0]}),
    },
    "Hessian and Gauss–Newton share the largest eigenvalues, not the small ones",
    x="rank of the eigenvalue, from the largest",
    y="eigenvalue (absolute value)",
    log="y",
)
show(
    figure,
    alt="Eigenvalues against their rank from 1 to 51, logarithmic, falling over several powers of ten. The largest are 0.42 for "
    "the Hessian, 0.41 for Gauss–Newton and 0.09 for the empirical Fisher, which falls fastest, below 1e-8 at rank 39. The "
    "Hessian's last nine are negative, up to 0.02 in size.",
)


# %%
def size(name, weights):
    return np.trace(curvatures(weights, spiral_logits, arm)[name])


ratio = {when: size("Fisher", w) / size("empirical Fisher", w) for when, w in (("before", start), ("after", weights))}
below = np.mean(spectrum["Hessian"] < -1e-9)
print(f"loss {spiral_loss(start):.3f} → {spiral_loss(weights):.3f}, negative eigenvalues of the Hessian {below:.0%}")
print("sum of the eigenvalues, Fisher / empirical Fisher:", {when: f"{value:.2f}" for when, value in ratio.items()})

# %% [markdown]
# A few directions are steep, most are nearly flat. On the three largest eigenvalues Hessian and Gauss–Newton agree within
# about a tenth. Down in the flat part they part, and {{below:.0%}} of the Hessian's eigenvalues are negative, even after training.
#
# The empirical Fisher is another thing. Before training the sums of the eigenvalues of $F$ and $E$ were close,
# {{ratio["before"]:.1f}} to 1. After training the sum of $E$ is {{ratio["after"]:.1f}} times smaller. Why would a good fit do that to it?
#
# ## Exercise: how the empirical Fisher misleads
#
# One weight $\theta$, one example, $p = \text{sigmoid}(\theta)$ the probability of its true label. The slope of the loss is
# $-(1 - p)$. By their definitions the Fisher and the empirical Fisher are one number each. **By which factor is the empirical
# Fisher's step $-E^{-1}\nabla$ longer than the natural gradient's, $-F^{-1}\nabla$**, as a function of $p$?


# %% tags=["exercise"]
def stretch(p):
    """The step with the empirical Fisher, divided by the step with the Fisher."""
    return ...


# %% tags=["check"]
check(
    stretch,
    lambda p: p / (1.0 - p),
    on=[(0.5,), (0.2,), (0.99,)],
    right="and it has no limit: the better the fit, the longer.",
)

# %% [markdown]
# <details><summary>Hint</summary>
#
# $\nabla \log p(y)$ is $1 - p$ for the true label, which has probability $p$, and $-p$ for the other one, which has
# probability $1 - p$. The mean of their squares is $F$. $E$ is the square at the true label alone.
#
# </details>

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# $F = p(1-p)^2 + (1-p)p^2 = p(1-p)$, which is also the Hessian. $E = (1-p)^2$. Both steps have the numerator $1 - p$, so
# their ratio is $F/E$.
#
# ```python
# def stretch(p):
#     """The step with the empirical Fisher, divided by the step with the Fisher."""
#     return p / (1.0 - p)
# ```
#
# </details>

# %% [markdown]
# So the empirical Fisher shrinks as the square of the gradients. Close to a good fit it lengthens the step, just where one
# should tread softly. With a damping it does less harm, and hides better. Kunstner, Balles and Hennig (2019) show more such
# cases. Adam's second moment is sometimes explained as an empirical Fisher; be careful what you conclude from that.
#
# ## A race
#
# The package has three rules with curvature. They differ in their matrix only, and solve $(C + \lambda I)\,d = \nabla$ by ten
# products, with *conjugate gradients*: a method that needs nothing of a matrix but its products.

# %%
show_source(Newton)

# %% [markdown]
# Digits, with 5 hidden units. First a look at the Hessian at the start. Power iteration finds the eigenvalue largest in size,
# $\lambda_1$; on $\lambda_1 I - H$ it finds the other end of the spectrum.

# %%
problem = MNIST(hidden=5, batch=64)
task = draw_task(problem, "test", 0, 0)
batch = task.next_batch()


def extreme(product, iterations=60):
    v = np.random.default_rng(0).normal(size=task.theta.shape).astype(np.float32)
    for _ in range(iterations):
        v = v / np.linalg.norm(v)
        image = product(v)
        value, v = float(v @ image), image
    return value


def digits_hessian(v):
    return mg.hvp(lambda theta: task.loss(theta, batch), task.theta, v)


highest = extreme(digits_hessian)
lowest = highest - extreme(lambda v: np.float32(highest) * v - digits_hessian(v))
print(f"{task.theta.size} weights, eigenvalues from {lowest:.2f} to {highest:.2f}")

# %% [markdown]
# A saddle: as much negative curvature as {{lowest:.1f}}. The rules with curvature run with their default settings. SGD and
# Adam have their learning rates tuned, on other tasks. A product costs about three gradients, so a step with curvature is
# charged as 31 gradients, and the others may take 31 steps for it. The bands go from the 10th to the 90th percentile.

# %%
STEPS, PRICE = 20, 31
entries = {name: (l2l.make_optimizer(name), STEPS) for name in ("newton", "gauss_newton", "natural_gradient")}
for name in ("sgd", "adam"):
    tuned, _ = tune(l2l.make_optimizer(name), problem, 0, 2, STEPS * PRICE, "final")
    entries[name] = (tuned, STEPS * PRICE)
curves = {name: run(rule, rule.init(), problem, "test", 0, 5, steps) for name, (rule, steps) in entries.items()}
paid = {name: np.arange(c.shape[1]) * (PRICE if c.shape[1] == STEPS else 1) for name, c in curves.items()}
figure, axes = figures.lines(
    {name: (paid[name], np.median(c, axis=0)) for name, c in curves.items()},
    "At equal price the rules without curvature win, and Newton stumbles over the saddle",
    x="price, in gradients (a step with curvature: 31)",
    y="loss (nats), median of 5 runs",
)
for line, (name, c) in zip(axes.lines, curves.items(), strict=True):
    axes.fill_between(paid[name], *np.percentile(c, [10, 90], axis=0), color=line.get_color(), alpha=0.15, linewidth=0)
show(
    figure,
    alt="Loss against the price in gradients, 0 to 620, for five rules. SGD and Adam fall from 2.3 to below 1 within 150 "
    "gradients and end near 0.3 and 0.2. Gauss–Newton and natural gradient lie on each other and fall slowly to about 1.1. "
    "Newton stays near the start, in some runs far above it, and ends near 2.",
)

# %%
after_steps = {name: np.median(c[:, 15:STEPS]) for name, c in curves.items()}
after_price = {name: np.median(c[:, -5 * max(1, c.shape[1] // STEPS // 5) :]) for name, c in curves.items()}
for name in curves:
    print(f"{name:<17} steps 16 to 20: {after_steps[name]:.2f}   at equal price: {after_price[name]:.2f}")

# %% [markdown]
# By steps, Gauss–Newton wins clearly: {{after_steps["gauss_newton"]:.1f}} after 20, where Adam, tuned for a longer way, is at
# {{after_steps["adam"]:.1f}}. By price, it loses as clearly: Adam is at {{after_price["adam"]:.1f}}. The natural gradient draws the same curve
# as Gauss–Newton, as it must.
#
# Newton does worst. Its damping of `0.3` only just outweighs the negative curvature at the start. What is left of
# $H + \lambda I$ is small there, so steps are long, and in some runs they lead far uphill. Where a curvature is below $-\lambda$, conjugate gradients
# stop early and return a short step instead. That is safe, and no longer Newton's method.
#
# ## Summary
#
# 1. A curvature matrix turns a slope into a bowl with a bottom, and Hessian, Gauss–Newton and empirical Fisher make
#    different bowls of the same slope.
# 2. For softmax with cross-entropy Fisher and Gauss–Newton are one, and they have no negative eigenvalues; they are the Hessian
#    where the model is linear or cannot be improved, and the empirical Fisher is another matrix, which vanishes as the fit gets good.
# 3. No matrix is safe without damping, and in our race Gauss–Newton won by steps and lost by price.
#
# ## References
#
# - S. Amari, [Natural gradient works efficiently in learning](https://doi.org/10.1162/089976698300017746), Neural Computation 10
#   (1998).
# - N. N. Schraudolph, [Fast curvature matrix-vector products for second-order gradient
#   descent](https://doi.org/10.1162/08997660260028683), Neural Computation 14 (2002).
# - J. Martens, [New insights and perspectives on the natural gradient method](https://jmlr.org/papers/v21/17-678.html), JMLR 21
#   (2020).
# - F. Kunstner, L. Balles and P. Hennig, [Limitations of the empirical Fisher approximation for natural gradient
#   descent](https://arxiv.org/abs/1905.12558), NeurIPS 2019.
# - Here: [the rules with curvature](../l2l/optimizers/curvature.py) and [their tests](../tests/l2l/test_curvature_rules.py).
#
# ## Next
#
# All rules so far were written by people: sum this, divide by that, solve for the other. Next question: {{lesson(10)}}
