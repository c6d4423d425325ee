# %% [markdown]
# # 7 · What undoes broadcasting?
#
# A layer adds a bias of 10 numbers to a batch of 128 rows, and nobody writes a loop. NumPy repeats the small array until
# it fits the large one. This is *broadcasting*. The result has 1,280 numbers, and so has its cotangent. But the bias has 10 slopes.
# Who makes 10 out of 1,280, and how?
#
# The answer is short, and it holds for every operation on arrays, up to softmax: **walking back, a linear map turns into
# its transpose, and nobody ever writes the matrix down.**
#
# You need: the tape of lesson 6, and what a matrix product is.

# %%
import tracemalloc

import numpy as np
from course import check, expect, recall, show, show_source, verdicts

import minigrad as mg
from lessons import figures
from minigrad.core import traced
from minigrad.ops import linalg, nn, reduce, shape

# %% [markdown]
# ## A column meets a row
#
# NumPy lines the shapes up at their right ends. Where one array has length 1, or no axis at all, it is repeated. So a
# column of shape `(3, 1)` and a row of shape `(4,)` add up to a table of shape `(3, 4)`:
#
# $$ z_{ij} = x_i + y_j $$

# %%
x = np.array([[10.0], [20.0], [30.0]])
y = np.array([1.0, 2.0, 3.0, 4.0])
w = np.array([[1.0, 0.0, 2.0, 1.0], [0.0, 3.0, 1.0, 2.0], [2.0, 2.0, 0.0, 4.0]])


def f(x, y):
    return mg.sum(w * (x + y))


print(x + y)
print(f"x {x.shape}, y {y.shape}, x + y {(x + y).shape}, f = {f(x, y):g}")

# %% [markdown]
# ## Your prediction
#
# $f = \sum_{ij} w_{ij}\,(x_i + y_j)$ is one number. **What is the gradient of $f$ with respect to the column $x$?** Write down
# its numbers, and mind the shape.

# %% tags=["prediction"]
prediction = ...  # nested lists, for example [[1, 2, 3, 4]]

# %% [markdown]
# ## Run it

# %%
to_x, to_y = mg.grad(lambda both: f(*both))((x, y))
show(
    figures.shape_flow(x, y, x + y, w, to_x, to_y, "What was copied on the way out is summed on the way back"),
    alt="Two drawings of the same three arrays. Forward: a column x of 3 numbers is copied 4 times sideways, a row y of 4 numbers "
    "is copied 3 times downwards, and together they make a table z of 3 by 4. Backward: the arrows are turned around. "
    "Each row of the cotangent of z is summed to one number of the column, 4, 6 and 8, and each of its columns to one "
    "number of the row, 3, 5, 3 and 7.",
)

# %%
recall(prediction, str(to_x.tolist()))

# %% [markdown]
# ## Why a sum
#
# The number $x_1$ was used four times, in each entry of its row of $z$. Lesson 6 says what happens to a number that is used
# several times: its cotangents add up. The cotangent of $z$ is $w$ here. So the slope of $x_1$ is the sum of the first row of $w$.
#
# There is a second way to see it, and it will carry us much further. Copying is a linear map, so it is a matrix.
# `mg.jacobian` returns all slopes of all outputs, one row for each output. That matrix is the *Jacobian*, and a linear
# map is its own. Here is the one that copies a vector of 3 numbers into 2 rows:

# %%
copying = mg.jacobian(lambda x: mg.ravel(mg.broadcast_to(x, (2, 3))))(np.zeros(3))
print(copying.astype(int))
print("its transpose:")
print(copying.T.astype(int))

# %% [markdown]
# The matrix copies. Its transpose adds up what was copied. For every linear map $J$, the backward pass applies the
# *transpose*: if $y = Jx$, the result changes by $u^\top J\,v$ when $x$ moves along $v$, and that is $(J^\top u)^\top v$.
# So the two directions must agree on one number, for all $u$ and $v$ ($\langle a, b\rangle$ is the sum of the products of
# their entries):
#
# $$ \langle u,\; J v \rangle = \langle J^\top u,\; v \rangle \tag{7.1} $$
#
# On the left stands the *Jacobian-vector product* (JVP): how the output moves. On the right the *vector-Jacobian product*
# (VJP): what a backward pass computes. (Implementation: `jvp` in [transforms.py](../minigrad/transforms.py)
# and `vjp` in [core.py](../minigrad/core.py). Test: [test_curvature.py](../tests/minigrad/test_curvature.py).)
#
# We check it for the operations that move numbers around. They are linear, so $Jv$ is the operation itself, applied to
# $v$. This is a test without any finite difference, and it is exact up to rounding. ($v$ and $u$ are random, seed `0`.)

# %%
random = np.random.default_rng(0)
moves = {
    "broadcast_to (2, 3, 4)": (lambda x: mg.broadcast_to(x, (2, 3, 4)), (3, 1)),
    "sum over axis 0": (lambda x: mg.sum(x, 0), (3, 4)),
    "reshape to (2, 6)": (lambda x: mg.reshape(x, (2, 6)), (3, 4)),
    "transpose": (mg.transpose, (3, 4)),
    "x[1:, ::2]": (lambda x: x[1:, ::2], (3, 4)),
    "x[[0, 2, 2]]": (lambda x: x[np.array([0, 2, 2])], (3, 4)),
    "pad by 1": (lambda x: mg.pad(x, ((1, 1), (1, 1))), (3, 4)),
}
for name, (move, size) in moves.items():
    v = random.normal(size=size)
    u = random.normal(size=move(v).shape)
    back = mg.vjp(move, np.zeros(size))[1](u)
    left, right = np.sum(u * move(v)), np.sum(back * v)
    print(f"{name:23} {size!s:7} to {u.shape!s:10} ⟨u, Jv⟩ = {left:+.12f}   ⟨Jᵀu, v⟩ = {right:+.12f}")

# %% [markdown]
# Read the table as pairs. The transpose of copying is summing, and **the transpose of summing is copying**: $(J^\top)^\top = J$. The
# transpose of a reshape is the reshape back. Of cutting a piece out: putting it back into zeros. Here is the sum's rule:

# %%
show_source(reduce._sum_rule, reduce._spread)

# %% [markdown]
# ## In one place
#
# Nearly every operation of two arrays broadcasts: `+`, `*`, `where`, `maximum`, … Each of their rules would have to sum over the
# right axes, and sooner or later one forgets. So the engine's rules do not care. The rule of `x + y` returns the
# cotangent, in the engine called `g`, for both arguments, in the shape of $z$. The backward loop compares that with the shape which the tape has noted, and if they
# differ, one function sums: first over the axes that broadcasting added in front, then over those that it stretched from length 1. A
# rule whose cotangent fits neither way is refused.

# %%
show_source(mg.core._fit)

broken = traced(lambda x, /: np.tanh(x), rule=lambda y, x: lambda u: np.ones(7))
with expect(ValueError):
    mg.grad(lambda x: mg.sum(broken(x)))(np.ones(2))

# %% [markdown]
# Shapes catch much, but not all. Take the mean in place of the sum, and every shape still fits. With a batch of 128, the bias would
# learn 128 times too slowly, and nothing would crash. `check_gradients` of lesson 1 sees that. The next fault it does not see.
#
# ## The right gradient of the wrong function
#
# Fit a line $a s + b$ to targets $t = 2s$, plus noise. The model returns a column `(40, 1)`, as layers do; the targets
# are a vector `(40,)`. The difference of the two is broadcast.


# %%
def fit(seed, column):
    """a and b after 300 steps of gradient descent, and the data; column: whether the model returns shape (40, 1)."""
    random = np.random.default_rng(seed)
    s = random.uniform(-1.0, 1.0, (40, 1))
    t = 2.0 * s[:, 0] + 0.2 * random.normal(size=40)

    def loss(line):
        model = line[0] * s + line[1]
        return mg.mean(mg.square((model if column else mg.ravel(model)) - t))

    mg.check_gradients(loss, random.normal(size=2))  # passes, in both cases
    line = np.zeros(2)
    for _ in range(300):
        line = line - 0.3 * mg.grad(loss)(line)
    return line, s[:, 0], t


slopes = {column: [fit(seed, column)[0][0] for seed in range(10)] for column in (False, True)}
for column, found in slopes.items():
    low, middle, high = np.percentile(found, [0, 50, 100]).round(3) + 0.0
    print(f"column={column!s:5}  slope a over 10 seeds: median {middle}, from {low} to {high}")

# %%
(right_line, s, t), (wrong_line, _, _) = fit(0, column=False), fit(0, column=True)
ends = np.array([-1.0, 1.0])
figure, axes = figures.lines(
    {
        "data": (s, t, {"linestyle": "none", "marker": "o", "color": "grey"}),
        "model (40,), targets (40,)": (ends, right_line[0] * ends + right_line[1]),
        "model (40, 1), targets (40,)": (ends, wrong_line[0] * ends + wrong_line[1]),
    },
    "A broadcast that nobody wanted: every gradient right, nothing learned",
    x="input s",
    y="target t",
)
show(
    figure,
    alt="Forty points along a line of slope 2, from (-1, -2) to (1, 2). The line that was fitted with equal shapes runs through them. The "
    "line that was fitted with a column against a vector is flat, near the mean of the targets, and misses nearly all points.",
)

# %% [markdown]
# The loss was a mean over 1,600 differences, each prediction against *each* target. The best answer to that is the mean of the
# targets: the median slope is {{abs(np.median(slopes[True])):.0f}} in place of 2. Every check of gradients passes, because every gradient is right. It
# is the gradient of another function. The cure is to **assert shapes where arrays meet**. The engine's own `cross_entropy` does.
#
# ## Picked twice, paid twice
#
# Indexing is a linear map, too. The transpose of picking is *adding at the same places*. In `x[[0, 2, 2]]` the last row was picked
# twice, so it receives two cotangents. NumPy has a trap here: `g[index] += u` adds only once.

# %%
index = np.array([0, 2, 2])
once = np.zeros(3)
once[index] += 1.0
print("g[index] += 1:", once)
print("minigrad:     ", mg.grad(lambda x: mg.sum(x[index]))(np.zeros(3)))
show_source(shape._getitem_rule, shape.scatter)

# %% [markdown]
# ## Matrix products
#
# $Z = XY$ is linear in $X$ when $Y$ is held fixed, and the other way round. So each argument gets a transpose. You need not look the
# formula up, because the shapes leave one choice. $X$ is $(m, k)$, $Y$ is $(k, n)$, and the cotangent $U$ has the shape of $Z$, $(m, n)$. From $U$
# and $Y$ you want something of the shape of $X$.
#
# ## Exercise: the rule of a matrix product
#
# Write the two VJPs. They must also work for *stacks* of matrices, as in `(5, 2, 3) @ (3, 4)`: the product is over the last two
# axes, the axes in front broadcast. (Summing over what was broadcast is the engine's task, not yours.) Use `mg.` functions and `@`.


# %% tags=["exercise"]
def matmul_rule(z, x, y):
    """The pair of VJPs of z = x @ y: each takes u, of the shape of z."""

    def to_x(u):
        return ...

    def to_y(u):
        return ...

    return to_x, to_y


# %% tags=["check"]
def fault(rule):
    product = traced(lambda x, y, /: np.matmul(x, y), rule)
    for sizes in (((2, 3), (3, 4)), ((1, 6), (6, 2)), ((5, 2, 3), (3, 4)), ((4, 3), (2, 3, 2))):
        random = np.random.default_rng(1)
        x, y = (random.normal(size=size) for size in sizes)
        verdicts.parts(rule(x @ y, x, y), "the VJP to x", "the VJP to y")
        try:
            found = mg.vjp(lambda both: product(*both), (x, y))[1](x @ y)
            mg.check_gradients(product, x, y)
        except (ValueError, mg.GradientError) as error:
            return f"shapes {sizes[0]} @ {sizes[1]}: {error}"
        expected = mg.vjp(lambda both: both[0] @ both[1], (x, y))[1](x @ y)
        if not all(np.allclose(a, b) for a, b in zip(found, expected, strict=True)):
            return f"shapes {sizes[0]} @ {sizes[1]}: another cotangent than minigrad's."
    return None


check(matmul_rule, that=fault, right="for matrices and for stacks, and it can be differentiated again.")

# %% [markdown]
# <details><summary>Hint</summary>
#
# $(m, n)$ times what is $(m, k)$? Something of shape $(n, k)$: the transpose of $Y$. For a stack, `.T` would reverse all axes. `mg.swapaxes(y, -1, -2)`
# exchanges the last two.
#
# </details>

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# $U Y^\top$ and $X^\top U$.
#
# ```python
# def matmul_rule(z, x, y):
#     """The pair of VJPs of z = x @ y: each takes u, of the shape of z."""
#
#     def to_x(u):
#         return u @ mg.swapaxes(y, -1, -2)
#
#     def to_y(u):
#         return mg.swapaxes(x, -1, -2) @ u
#
#     return to_x, to_y
# ```
#
# </details>

# %% [markdown]
# Here is the engine's. Its last lines are the two formulas; the rest gives meaning to vectors, which NumPy treats as a
# row on the left and as a column on the right.

# %%
show_source(linalg._matmul_rule)

# %% [markdown]
# ## Softmax, and a matrix that is never formed
#
# Softmax turns a row of numbers into probabilities: $y_i = e^{x_i} / \sum_k e^{x_k}$. It is not linear, so its Jacobian depends on
# the point. Every output depends on every input, and the matrix is full:
#
# $$ \frac{\partial y_i}{\partial x_j} = y_i\,(\delta_{ij} - y_j), \qquad \delta_{ij} = 1 \text{ if } i = j, \text{ else } 0 $$
#
# But a backward pass wants only $J^\top u$. Write the product out before you program it, and the matrix disappears.
#
# ## Exercise: the rule of softmax
#
# Write the VJP for rows: `y` and the cotangent `u` have the shape `(rows, classes)`, softmax runs along the last axis. Form no matrix.
# Keep nothing but `y`. Use `mg.` functions.


# %% tags=["exercise"]
def softmax_rule(y, x):
    """The VJP of y = softmax(x) along the last axis: a function of the cotangent u of y."""

    def to_x(u):
        return ...

    return to_x


# %% tags=["check"]
def plain_softmax(x, /):
    e = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


def fault(rule):
    random = np.random.default_rng(2)
    softmax = traced(plain_softmax, rule)
    for size in ((4,), (3, 5)):
        x, u = random.normal(size=(2, *size))
        try:
            found = mg.vjp(softmax, x)[1](u)
            mg.check_gradients(softmax, x)
        except (ValueError, mg.GradientError) as error:
            return f"shape {size}: {error}"
        if not np.allclose(found, mg.vjp(lambda x: mg.exp(mg.log_softmax(x)), x)[1](u)):
            return f"shape {size}: another cotangent than minigrad's exp(log_softmax(x))."
    x = random.normal(size=(2, 1000))
    y, pullback = plain_softmax(x), rule(plain_softmax(x), x)
    tracemalloc.start()
    pullback(x)
    largest = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    if largest > 20 * y.nbytes:  # a matrix for each row has 1,000 times as many numbers
        return f"right, but for {y.size:,} numbers it takes {largest // 8:,} more at a time: the whole Jacobian."
    return verdicts.keeps(rule, y, x)


check(softmax_rule, that=fault, right="two products and one sum for each row.")

# %% [markdown]
# <details><summary>Hint</summary>
#
# $\sum_i u_i\, y_i\,(\delta_{ij} - y_j)$ are two sums. In the first only $i = j$ survives. In the second, $y_j$ does not depend on $i$.
# `mg.sum(…, -1, True)` keeps the axis, so that the result broadcasts.
#
# </details>

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# $u_j y_j - y_j \sum_i u_i y_i = y_j\,\bigl(u_j - \sum_i u_i y_i\bigr)$. The sum is the same for the whole row.
#
# ```python
# def softmax_rule(y, x):
#     """The VJP of y = softmax(x) along the last axis: a function of the cotangent u of y."""
#
#     def to_x(u):
#         return y * (u - mg.sum(u * y, -1, True))
#
#     return to_x
# ```
#
# </details>

# %% [markdown]
# `minigrad` has the logarithm of it, which does not overflow, and whose rule is shorter still:

# %%
show_source(nn._log_softmax_rule, nn.log_softmax)

# %% [markdown]
# ## What the matrix would cost
#
# For $n$ numbers in and $n$ out, the Jacobian has $n^2$ entries. The VJP above needs a few arrays of $n$. We measure the largest
# amount of memory in use, once for the matrix and once for one backward pass.


# %%
def peak(work):
    """The largest number of bytes that work() had in use at one time."""
    tracemalloc.start()
    work()
    _, highest = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return highest


sizes = [256, 512, 1024, 2048]
logits = {n: np.random.default_rng(n).normal(size=n) for n in sizes}
matrix = [peak(lambda n=n: mg.jacobian(mg.log_softmax)(logits[n])) for n in sizes]
product = [peak(lambda n=n: mg.vjp(mg.log_softmax, logits[n])[1](np.ones(n))) for n in sizes]
figure, axes = figures.lines(
    {
        "the whole Jacobian": (sizes, np.array(matrix) / 1e6, {"marker": "o"}),
        "one vector-Jacobian product": (sizes, np.array(product) / 1e6, {"marker": "s"}),
    },
    "Twice the classes: four times the memory for the matrix, twice for the product",
    x="classes n",
    y="peak memory, MB",
    log="xy",
)
axes.set_xticks(sizes, sizes)
axes.minorticks_off()
show(
    figure,
    alt="Peak memory in megabytes against the number of classes from 256 to 2,048, both logarithmic. The Jacobian's line climbs from about 2 to "
    "100, the product's line from 0.01 to 0.07.",
)

# %% [markdown]
# At {{sizes[-1]:,}} classes the matrix takes about {{round(matrix[-1] / product[-1], -2):,.0f}} times the memory, and {{sizes[-1]:,}} backward passes to
# fill. And softmax is small. The Jacobian of a product of two $100 \times 100$ matrices, with respect to one of them, has $10^8$ entries; its
# VJP is another matrix product. This is why an engine stores rules and not matrices, and why it asks for a *scalar* to start from: one
# cotangent in, one walk back, all slopes out.
#
# ## Summary
#
# 1. What was copied on the way out is summed on the way back: a backward pass applies the transpose of each step, and ⟨u, Jv⟩ = ⟨Jᵀu, v⟩
#    checks it.
# 2. Un-broadcasting belongs in one place of the engine, since shapes catch a forgotten sum but neither a wrong factor nor a
#    broadcast that nobody wanted.
# 3. A rule computes the product of a vector with the Jacobian and never the Jacobian, which saves a factor of the size of the array.
#
# ## References
#
# - C. R. Harris et al., [Array programming with NumPy](https://doi.org/10.1038/s41586-020-2649-2), Nature 585 (2020), and
#   [the rules of broadcasting](https://numpy.org/doc/stable/user/basics.broadcasting.html).
# - M. B. Giles, [Collected matrix derivative results for forward and reverse mode algorithmic differentiation](https://doi.org/10.1007/978-3-540-68942-3_4),
#   Advances in Automatic Differentiation, Springer 2008: the rules of products, inverses and determinants.
# - A. Radul, A. Paszke, R. Frostig, M. J. Johnson and D. Maclaurin, [You only linearize once](https://doi.org/10.1145/3571236), POPL 2023:
#   reverse mode as linearization, then transposition.
# - Here: [every pair of shapes that broadcasts, generated](../tests/minigrad/test_shapes.py), and
#   [what happens when `_fit` is switched off](../tests/minigrad/test_planted_faults.py).
#
# ## Next
#
# Your rules were written with `mg.` functions, not with NumPy's, and the checks asked for second derivatives, too. Why that
# matters is the next question: {{lesson(8)}}
