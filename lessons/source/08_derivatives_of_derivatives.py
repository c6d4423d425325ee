# %% [markdown]
# # 8 · What does a Hessian-vector product cost?
#
# A gradient says which way is down. How the slope *changes* along the way is a question for second derivatives. With
# $n$ parameters there are $n^2$ of them, in a matrix: the *Hessian* $H$. A network of the size that this course trains
# has about 16,000 weights. Its Hessian in `float32` fills 1 GB. At a million weights it fills 4 TB.
#
# So nobody writes it down. What one needs of it is nearly always a product $Hv$ with one vector: how the gradient
# changes when the parameters move along $v$. This lesson asks for the price of that product. It also shows where the
# engine's second derivatives come from, and how they go wrong without a sound.
#
# You need: lessons 6 and 7, and from lesson 1 the V of the finite differences.

# %%
import math
from unittest.mock import patch

import numpy as np
from course import check, expect, recall, show, show_source, verdicts

import minigrad as mg
from l2l.problems import MNIST, draw_task
from lessons import figures
from minigrad.core import traced
from minigrad.testing import difference

# %% [markdown]
# ## A slope of a slope
#
# Take the gradient $\nabla f(x)$ and multiply it by a fixed vector $v$. The result is one number, the slope of $f$ along
# $v$, and it depends on $x$. So it has a gradient of its own. Its entry $i$ is
# $\sum_j v_j\, \partial^2 f / \partial x_i \partial x_j$, which is row $i$ of $H$ times $v$:
#
# $$ H v = \nabla\bigl(\nabla f(x) \cdot v\bigr) \tag{8.1} $$
#
# Pearlmutter (1994) gave this to neural networks. (Implementation: `hvp` in [curvature.py](../minigrad/curvature.py). Test:
# [test_curvature.py](../tests/minigrad/test_curvature.py).)
#
# Here is a function in which every coordinate meets every other. For three coordinates we print its Hessian, a product
# by the formula, and the same product from the matrix.


# %%
def f(x):
    """Neighbours want x[i+1] = x[i]², and one term joins all of them."""
    return mg.sum((x[1:] - x[:-1] ** 2.0) ** 2.0) + mg.sum(mg.sin(x)) ** 2.0


x, v = np.array([0.5, -1.0, 2.0]), np.array([1.0, 0.0, -1.0])
H = mg.hessian(f)(x)
print(H.round(3), "\n\nby the formula   ", mg.hvp(f, x, v).round(3), "\nfrom the matrix  ", (H @ v).round(3))

# %% [markdown]
# ## A meter
#
# Prices in seconds depend on the machine. We want a count that is the same everywhere: **how many numbers are computed**.
#
# The engine brings the meter along. A tape writes down each operation on a watched value, and the shape of its result.
# A tape can watch a program that itself opens tapes: `grad`, or `grad` of `grad`. Then it writes down their backward
# passes, too. Lesson 6 ended with such a pair; here we only read the outer tape and add up.


# %%
def cost(f, x):
    """How many numbers f computes from x, derivatives taken inside f included."""
    tapes = []

    def watched(x):
        tapes.append(x.tape)
        return f(x)

    mg.vjp(watched, x)
    return sum(math.prod(shape) for shape in tapes[0].shapes[1:])  # the first one is x itself


def wave(x):
    return mg.sin(mg.sin(x))


program = wave
for order in range(6):
    print(f"derivative {order} of sin(sin x): {cost(program, np.array(0.3)):3} numbers")
    program = mg.grad(program)

# %% [markdown]
# That is a warning before we begin. Each further derivative takes the whole program so far, backward pass and all, and
# makes a new one that is nearly three times as long. Two orders are cheap. Ten are not.
#
# The meter is honest about elementwise work, of which our $f$ is made. It does not see arithmetic in which $x$ has no part,
# and it counts a matrix product by its result, not by the multiplications inside.
#
# ## Your prediction
#
# For $n = 512$ coordinates: **how many gradients does one product $Hv$ cost?** One? A handful? 512?

# %% tags=["prediction"]
prediction = ...  # the cost of Hv, in gradients

# %% [markdown]
# ## Run it
#
# The dimension goes from 2 to 16,384. The whole Hessian is followed up to 512: its tape holds every one of those numbers.

# %%
sizes = 2 ** np.arange(1, 15)
points = {n: np.random.default_rng(n).normal(size=(2, n)) for n in sizes}  # x and v
programs = {
    "value f": lambda v: f,
    "gradient": lambda v: mg.grad(f),
    "product Hv": lambda v: lambda x: mg.hvp(f, x, v),
    "whole Hessian": lambda v: mg.hessian(f),
}
costs = {
    name: {n: cost(program(v), x) for n, (x, v) in points.items() if n <= 512 or name != "whole Hessian"}
    for name, program in programs.items()
}
figure, axes = figures.lines(
    {name: (list(found), list(found.values()), {"marker": "o", "markersize": 4}) for name, found in costs.items()},
    "Hv costs a few gradients; the whole Hessian, more than one per coordinate",
    x="dimension n (number of coordinates)",
    y="numbers computed",
    log="xy",
)
show(
    figure,
    alt="Numbers computed against the dimension, 2 to 16,384, both logarithmic. Value, gradient and product Hv are three "
    "parallel lines of slope 1, the gradient about 3 times and Hv about 9 times above the value. The whole Hessian has "
    "slope 2: at dimension 512 it takes 9 million numbers, about 300 times more than Hv.",
)

# %%
n = 512
in_gradients = {name: found[n] / costs["gradient"][n] for name, found in costs.items()}
recall(prediction, in_gradients["product Hv"])

# %% [markdown]
# ## Why so cheap
#
# One product costs {{in_gradients["product Hv"]:.1f}} gradients, in any dimension. The whole Hessian costs
# {{in_gradients["whole Hessian"]:.0f}} gradients here, more than one for each coordinate.
#
# The reason is in two steps. First, the *cheap gradient principle*: a backward pass visits each operation once, and its
# rule costs a small multiple of the operation. How many coordinates there are does not enter. Here a gradient costs
# {{1 / in_gradients["value f"]:.1f}} values. Second, $x \mapsto \nabla f(x) \cdot v$ is again a program with one number as
# its result. So the principle holds for it as well, and we pay the factor twice. By their own way of
# counting, Griewank and Walther come to at most 4 values of $f$ for a gradient, and to at most 10 for $Hv$. Here $Hv$ costs
# {{in_gradients["product Hv"] / in_gradients["value f"]:.0f}}.
#
# Memory is the other half of the price. The outer tape keeps what the inner backward pass computed, so $Hv$ needs a few
# times the memory of a gradient. It never needs $n^2$.

# %% [markdown]
# ## Exercise: one line
#
# You used `mg.hvp` as a box. Now write it. $x$ and $v$ are vectors; `mg.grad` takes a function and returns its
# gradient, and `mg.sum(a * b)` is a dot product. The check compares numbers and price, on a function that you have not
# seen.


# %% tags=["exercise"]
def my_hvp(f, x, v):
    """The Hessian of f at x times v, without the Hessian."""
    return ...


# %% tags=["check"]
def fault(my_hvp):
    def unseen(x):
        return mg.logsumexp(mg.sin(x) * x[::-1]) + mg.sum(x[1:] ** 3.0)

    def box(*_):
        raise verdicts.WrongAnswerError("mg.hvp is the box. Write what is in it, with mg.grad.")

    x, v = np.random.default_rng(8).normal(size=(2, 64))
    exact = mg.hvp(unseen, x, v)
    with patch.object(mg, "hvp", box):
        found = verdicts.written(my_hvp(unseen, x.copy(), v.copy()))
    if np.shape(found) != (64,):
        return f"for 64 coordinates the result has shape {np.shape(found)}, it should have (64,)"
    error = np.linalg.norm(found - exact) / np.linalg.norm(exact)
    if not error <= 1e-3:
        return f"the result is off by {100 * error:.2g} %. Is the outer derivative that of ∇f(x)·v, with v held fixed?"
    if error > 1e-12:
        return f"the relative error is {error:.0e}: that is a finite difference, the next part of this lesson."
    price = cost(lambda x: my_hvp(unseen, x, v), x) / cost(mg.grad(unseen), x)
    if price > 8:
        return f"the numbers are right, but they cost {price:.0f} gradients: the whole Hessian, for one product."
    return None


check(my_hvp, that=fault, right="the right numbers, for a few gradients.")

# %% [markdown]
# <details><summary>Hint</summary>
#
# Read the formula for $Hv$ from the inside. `mg.grad(f)(x)` is a vector. Make it a number. Wrap that in a `lambda x:`, take the gradient
# of the lambda, and call it at `x`.
#
# </details>

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# def my_hvp(f, x, v):
#     """The Hessian of f at x times v, without the Hessian."""
#     return mg.grad(lambda x: mg.sum(mg.grad(f)(x) * v))(x)
# ```
#
# The inner `mg.grad` gets a watched `x`, so its whole backward pass lands on the outer tape.
#
# </details>

# %% [markdown]
# ## The code that runs
#
# The package's version differs from yours in that `x` and `v` may be trees of arrays; `ravel` makes vectors of them.
# The matrix is the Jacobian of the gradient, one backward pass for each row.

# %%
show_source(mg.hvp, mg.hessian, mg.jacobian)

# %% [markdown]
# ## Three roads to the same product
#
# The Hessian is symmetric: it does not matter in which order one differentiates. So $Hv$, a column, is the same as
# $v^\top H$, a row. A row is what a backward pass of $\nabla f$ returns. That is a second road.
#
# A third: differentiate *forward*. The pullback $u \mapsto J^\top u$ of a function with Jacobian $J$ is linear in $u$.
# A linear function is its own derivative, so the pullback of the pullback multiplies by $J$. Two backward passes make a
# forward one (Townsend 2017):
#
# $$ J v = \Bigl( \frac{\partial}{\partial u}\, J^\top u \Bigr)^{\!\top} v \qquad\text{for any } u \tag{8.2} $$
#
# (Implementation: `jvp` in [transforms.py](../minigrad/transforms.py). Test: [test_curvature.py](../tests/minigrad/test_curvature.py).)
# Applied to $\nabla f$, whose Jacobian is $H$, it gives $Hv$. A finite difference of two gradients is a fourth road, nearly
# right.

# %%
show_source(mg.jvp)
x, v = points[512]
roads = {
    "gradient of ∇f·v": lambda x: mg.hvp(f, x, v),
    "pullback of ∇f": lambda x: mg.vjp(mg.grad(f), x)[1](v),
    "forward derivative of ∇f": lambda x: mg.jvp(mg.grad(f), x, v)[1],
    "central difference of ∇f": lambda x: difference(mg.grad(f), x, 1e-5, order=2, v=v),
}
price = {name: cost(road, x) / cost(mg.grad(f), x) for name, road in roads.items()}
for name, road in roads.items():
    off = np.max(np.abs(road(x) - mg.hvp(f, x, v))) / np.max(np.abs(mg.hvp(f, x, v)))
    print(
        f"{name:<26} {price[name]:.1f} gradients, differs by less than {10.0 ** math.ceil(math.log10(max(off, 1e-14))):.0e}"
    )

# %% [markdown]
# The first two agree to rounding at the same price. The forward road is dearer, because this engine has only backward
# passes to make it of; an engine with a forward mode of its own would not pay that. And the finite difference saves
# next to nothing: it needs two gradients, and it has fewer digits.
#
# ## How many digits it loses
#
# Lesson 1 found the V: a large step truncates, a small one rounds. Here the thing that is subtracted is a gradient. Medians
# and 10th to 90th percentiles over 100 points in 20 dimensions:

# %%
pairs = np.random.default_rng(0).normal(size=(100, 2, 20))
steps = np.logspace(0, -12, 49)


def relative_error(found, exact):
    return np.linalg.norm(found - exact) / np.linalg.norm(exact)


def errors(dtype):
    """Relative errors of the central difference of ∇f: one row for each step, one column for each point."""
    return np.array(
        [
            [relative_error(difference(mg.grad(f), x.astype(dtype), dtype(h), 2, v.astype(dtype)), mg.hvp(f, x, v))
             for x, v in pairs]
            for h in steps
        ]
    )  # fmt: skip


by_difference = {"difference, float32": errors(np.float32), "difference, float64": errors(np.float64)}
single = np.float32
by_rules = np.median([relative_error(mg.hvp(f, x.astype(single), v.astype(single)), mg.hvp(f, x, v)) for x, v in pairs])
figure, axes = figures.lines(
    {name: (steps, np.median(e, axis=1)) for name, e in by_difference.items()},
    "In single precision, differences lose a third of the digits that the rules keep",
    x="step h",
    y="relative error of Hv",
    log="xy",
)
for line, e in zip(axes.lines, by_difference.values(), strict=True):
    axes.fill_between(steps, *np.percentile(e, [10, 90], axis=1), color=line.get_color(), alpha=0.15, linewidth=0)
axes.axhline(by_rules, color="black", linestyle=":", label="rules (8.1), float32")
axes.set_ylim(1e-12, 10)
axes.legend(frameon=False, fontsize=9)
show(
    figure,
    alt="Relative error of Hv against the step h from 1 to 1e-12, both logarithmic. Two V-shaped curves: the difference "
    "in float32 has its lowest point near h = 3e-3 and error 2e-5, the one in float64 near h = 4e-6 and 3e-11. A dotted "
    "line near 1e-7 marks the rules in float32; it has no step to choose and lies far below the float32 V.",
)

# %%
lowest = {name: np.median(e, axis=1).min() for name, e in by_difference.items()}
digits = {name: -np.log10(e) for name, e in lowest.items()}
digits["rules (8.1), float32"] = -np.log10(by_rules)
for name, d in digits.items():
    print(f"{name:<22} {d:.1f} digits")

# %% [markdown]
# Networks are trained in `float32`. There the best step leaves {{digits["difference, float32"]:.1f}} digits, and the rules
# keep {{-np.log10(by_rules):.1f}}. The best step of a central difference always loses about a third of the digits: its
# error is near $\varepsilon^{2/3}$. In `float64` that leaves {{digits["difference, float64"]:.1f}}, which is good
# enough for a test, and that is what it is used for. But a step must be chosen, and it depends on one thing more.

# %% [markdown]
# ## Exercise: where the digits go
#
# With `h = 1e-5` the function below is good for a $v$ of length 1. Somebody calls it with a $v$ of length a million, and
# then with one of length a millionth. Both results are poor. **Choose `h`** so that a $v$ of any length, except zero, leaves
# at least 8 digits in `float64`.


# %% tags=["exercise"]
def differenced_hvp(f, x, v):
    """H v at x, about: a central difference of the gradient along v."""
    h = ...
    return (mg.grad(f)(x + h * v) - mg.grad(f)(x - h * v)) / (2.0 * h)


# %% tags=["check"]
def fault(differenced_hvp):
    x, v = points[16]
    many = {"of random numbers": v, "of zeros and one number": np.eye(16)[9], "whose sum is 0": v - v.mean()}
    for name, direction in many.items():
        for length in (1.0, 1e6, 1e-6):
            w = direction * (length / np.linalg.norm(direction))
            with np.errstate(all="ignore"):
                error = relative_error(verdicts.written(differenced_hvp(f, x, w.copy())), mg.hvp(f, x, w))
            if error < 1e-14:
                return "that is exact: it must have used a second derivative."
            if not error <= 1e-8:
                return f"with a v {name}, of length {length:.0e}, the relative error is {error:.0e}."
    return None


check(differenced_hvp, that=fault, right="x moves by the same distance, however long v is.")

# %% [markdown]
# <details><summary>Hint</summary>
#
# How far does `x` move? Not by `h`, but by `h` times the length of `v`. Keep that distance at `1e-5`. `np.linalg.norm(v)`
# is the length.
#
# </details>

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# def differenced_hvp(f, x, v):
#     """H v at x, about: a central difference of the gradient along v."""
#     h = 1e-5 / np.linalg.norm(v)
#     return (mg.grad(f)(x + h * v) - mg.grad(f)(x - h * v)) / (2.0 * h)
# ```
#
# With `h = 1e-5` and a $v$ of length a million, `x` would move by 10, far out of the region where the gradient is nearly
# straight: truncation. With a millionth it would move by `1e-11`: rounding. A large $x$ wants a larger distance, too. The
# rules need none of this.
#
# </details>

# %% [markdown]
# ## What a rule must be made of
#
# A second derivative differentiates the backward pass. So the backward pass must be visible: every rule is written with
# operations that a tape can watch. What if it is not? We write three faulty functions. Each has a correct first
# derivative.

# %%
tanh_numpy = traced(lambda x, /: np.tanh(x), rule=lambda y, x: lambda s: s / np.cosh(x) ** 2)
tanh_frozen = traced(lambda x, /: np.tanh(x), rule=lambda y, x: lambda s: s * (1.0 - mg.stop_gradient(y) ** 2))
times_half_frozen = traced(
    lambda x, y, /: x * y, rule=lambda z, x, y: (lambda s: s * y, lambda s: s * mg.stop_gradient(x))
)
functions = {
    "tanh, rule hidden in NumPy": lambda x: mg.sum(tanh_numpy(x) * x[::-1]),
    "tanh, rule on plain values": lambda x: mg.sum(tanh_frozen(x) * x[::-1]),
    "product, half of its rule so": lambda x: mg.sum(times_half_frozen(mg.sin(x), mg.exp(x[::-1]))),
}
x, v, w = np.random.default_rng(1).normal(size=(3, 4))
for function in functions.values():
    mg.check_gradients(function, x, order=1)
print("All three pass the check of the first derivative.")

with expect(TypeError):
    mg.hvp(functions["tanh, rule hidden in NumPy"], x, v)

# %% [markdown]
# The first fault is loud: `np.cosh` met a watched value, a `Var`, and refused. The engine wants it so. If it handed NumPy the
# plain value, the second derivative would be silently wrong. The other two rules ask for plain values themselves, with
# `stop_gradient`, and that cannot be refused.
#
# Is there a cheap test? The Hessian is symmetric, so $w^\top (Hv) = v^\top (Hw)$ for any two vectors. That takes two
# products and no finite difference.

# %%
for name in list(functions)[1:]:
    Hv, Hw = mg.hvp(functions[name], x, v), mg.hvp(functions[name], x, w)
    print(f"{name}:  w·Hv = {w @ Hv:.6f}   v·Hw = {v @ Hw:.6f}")
    with expect(mg.GradientError):
        mg.check_gradients(functions[name], x)

# %% [markdown]
# Symmetry catches the product: its frozen factor is differentiated in one order and not in the other. It misses the
# $\tanh$. There the diagonal of the Hessian lacks a term, and a wrong diagonal is as symmetric as a right one. The
# check at order 2 compares with differences of the gradient, and it catches both. That is why every rule of `minigrad` is [tested at order 2](../tests/minigrad/test_primitives.py).
#
# Some code has a compiled rule that no tape can watch, such as `minigrad.fused.lstm`. It says so: a second derivative
# through it raises `SecondDerivativeError`.
#
# ## What one product is good for
#
# Multiply a vector by $H$ again and again, and it turns towards the direction in which the curvature $\lambda$ is largest
# in size. This is *power iteration*. Lesson 2 showed that gradient descent on a bowl diverges above $\alpha = 2/\lambda$. So
# here is the limit for the network that reads digits in lesson 14, on one batch of 128 images, found with 20 products
# instead of 15,910.

# %%
task = draw_task(MNIST(), "train", 0, 0)
batch = task.next_batch()


def digit_loss(theta):
    return task.loss(theta, batch)


theta = task.theta
for _ in range(200):
    theta = theta - 0.5 * mg.grad(digit_loss)(theta)


def largest_curvature(seed, products=20):
    v = np.random.default_rng(seed).normal(size=theta.shape).astype(theta.dtype)
    for _ in range(products):
        v = v / np.linalg.norm(v)
        Hv = mg.hvp(digit_loss, theta, v)
        curvature, v = v @ Hv, Hv
    return float(curvature)


found = [largest_curvature(seed) for seed in range(3)]
print(f"{theta.size} weights, largest curvature from three random starts: {np.round(found, 3)}")

# %% [markdown]
# After 200 steps with $\alpha = 0.5$ the largest curvature is about {{np.median(found):.1f}}, whatever the start, so
# $\alpha$ could be as large as {{2 / np.median(found):.1f}} before that direction blows up. It holds here only: on the
# next batch and after the next step the curvature is another one.
#
# ## Summary
#
# 1. A product with the Hessian is the gradient of $\nabla f \cdot v$, and it costs two to three gradients in any
#    dimension, while the whole Hessian costs more than one for each coordinate.
# 2. A finite difference of gradients costs nearly the same, loses a third of the digits, and asks you for a step.
# 3. Second derivatives are right only if every rule is visible to the outer tape; symmetry is a cheap alarm that misses some
#    faults, and the check at order 2 is the test.
#
# ## References
#
# - B. A. Pearlmutter, [Fast exact multiplication by the Hessian](https://doi.org/10.1162/neco.1994.6.1.147), Neural
#   Computation 6 (1994).
# - A. Griewank and A. Walther, [*Evaluating Derivatives*](https://doi.org/10.1137/1.9780898717761), 2nd ed., SIAM 2008: the
#   cheap gradient principle, and what second derivatives cost.
# - J. Townsend, [A new trick for calculating Jacobian vector products](https://j-towns.github.io/2017/06/12/A-new-trick.html), 2017.
# - Here: [rules with planted faults](../tests/minigrad/test_planted_faults.py), at order 1 and 2.
#
# ## Next
#
# Now products with a curvature matrix are cheap. But which matrix? The Hessian is not the only one, and often not the best.
# Next question: {{lesson(9)}}
