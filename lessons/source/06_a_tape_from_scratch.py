# %% [markdown]
# # 6 · What does the engine record, and why does order matter?
#
# In lesson 1, `minigrad` was a box that we did not trust. The checks say that it is right. Now we open it.
#
# There is less inside than you may expect. While your program runs, the engine writes down a list. To get a gradient it
# walks that list backwards, once. In this lesson you build such an engine yourself, in about thirty lines, for numbers.
# Walking back in the wrong order makes it either wrong or so slow that it never ends. Both happen below.
#
# You need: the chain rule, and lesson 1 for what a *rule* is.

# %%
import sys
import tracemalloc

import numpy as np
from course import check, expect, recall, show, show_animation, show_source, verdicts

import minigrad as mg
from lessons import figures

# %% [markdown]
# ## A program is a list of small steps
#
# A program computes one number after the other, each from a few earlier ones. We number them: $x_0$ is the argument, $x_1$ what
# was computed first, and so on. For every small step the slopes are known: for $x_i = x_j + x_k$ they are 1 and 1, for
# $x_i = x_j \cdot x_k$ they are $x_k$ and $x_j$.
#
# So let a number write down, when it is made, **which numbers it came from, and the slope with respect to each**. The list
# of these notes is the *tape*. A number is a *node* of the tape, each of its notes is an *edge* that leads back.


# %%
class Number:
    """A value, and its position on a tape. tape[i] holds the edges of the i-th number: pairs (argument, slope)."""

    def __init__(self, value, tape, *edges):
        self.value, self.tape, self.node = value, tape, len(tape)
        tape.append(edges)

    def __add__(self, other):
        return Number(self.value + other.value, self.tape, (self.node, 1.0), (other.node, 1.0))

    def __mul__(self, other):
        return Number(self.value * other.value, self.tape, (self.node, other.value), (other.node, self.value))


def sin(x):
    return Number(np.sin(x.value), x.tape, (x.node, np.cos(x.value)))


tape = []
a = Number(2.0, tape)
y = sin(a) * a + a
for node, edges in enumerate(tape):
    print(f"number {node}, edges (argument, slope): {[(int(j), round(float(slope), 3)) for j, slope in edges]}")

# %% [markdown]
# That is all the recording there is. Operators were overloaded, so an ordinary Python function can be recorded without being changed.
# Loops and branches do not appear on the tape: only what was computed does.
#
# ## Walking back
#
# Ask how fast the result changes when $x_j$ does. This is the *cotangent* of $x_j$, written $u_j$. The cotangent of the result itself is 1. The
# chain rule says: $x_j$ matters through every number that used it.
#
# $$ u_j = \sum_{i \text{ used } j} u_i \, \frac{\partial x_i}{\partial x_j} \tag{6.1} $$
#
# (Implementation: `_backward` in [core.py](../minigrad/core.py), which we will meet below. Test:
# [test_core.py](../tests/minigrad/test_core.py).)
#
# The obvious program is a recursion. Start at the result. Send its cotangent along each edge, multiplied by the slope,
# and continue from there at once. What arrives at a number is added up. (`yield` hands out one edge at a time, and
# `yield from` all those that the recursion finds further down, so that we can list or count them.)


# %%
def recursion(tape, node, u=1.0):
    """Every edge in the order of the walk: (from, to, what is sent along)."""
    for argument, slope in tape[node]:
        yield node, argument, u * slope
        yield from recursion(tape, argument, u * slope)


def received(walk, node):
    return sum(sent for _, to, sent in walk if to == node)


print("by recursion:", received(recursion(tape, y.node), a.node))
print("by hand:     ", np.cos(2.0) * 2.0 + np.sin(2.0) + 1.0)

# %% [markdown]
# It is right, and it always will be: it adds up the product of the slopes over every path from the result to the argument.
#
# ## Your prediction
#
# Now the shortest program with shared numbers. It doubles, again and again: `b = a + a`, `c = b + b`, `d = c + c`, …
# Each number is used twice, so each has two edges with the slope 1. After 20 doublings the tape has 21 numbers and 40 edges. The slope is $2^{20}$, and the recursion will find it.
# **How many edges does the recursion walk, counting an edge again each time it is walked?**

# %% tags=["prediction"]
prediction = ...  # a whole number: edges walked after 20 doublings

# %% [markdown]
# ## Run it
#
# To have something to compare with, we watch `minigrad` walk back through the same program. We wrap the
# rules on its tape, so that each one reports when it is used. Nothing else is changed.


# %%
def doubled(x, times):
    for _ in range(times):
        x = x + x
    return x


def watched(f, x):
    """The edges that minigrad walks for the derivative of f at x, in order."""
    walk = []

    def reporting(node, parent, rule):
        def reported(u):
            sent = rule(u)
            walk.append((node, parent, float(sent)))
            return sent

        return node, parent, reported

    def recorded(x):
        y = f(x)
        x.tape.edges[:] = [reporting(*edge) for edge in x.tape.edges]
        return y

    mg.grad(recorded)(x)
    return walk


def ours(times):
    """Our tape of the same program. Its result is the last number."""
    tape = []
    doubled(Number(1.0, tape), times)
    return tape


passes = {"minigrad": watched(lambda x: doubled(x, 3), 1.0), "recursion": list(recursion(ours(3), 3))}
figure, draw, frames = figures.backward_passes(
    passes, ["a", "b", "c", "d"], "Wait until a cotangent is complete,\nand each edge is walked once"
)
show_animation(
    figure,
    draw,
    frames,
    interval=900,
    alt="Two columns of four boxes, a to d from bottom to top, joined by pairs of arrows downwards. Each box shows the cotangent "
    "that has arrived so far, orange while it is incomplete and green when it is complete. On the left minigrad completes d = 1, "
    "c = 2, b = 4 and a = 8 one after the other, in 6 edges. On the right the recursion runs down to a with parts of 1, "
    "comes back and runs down again, and needs 14 edges for the same numbers.",
)

# %%
walked = sum(1 for _ in recursion(ours(20), 20))
recall(prediction, walked)

# %% [markdown]
# ## Why so many
#
# Look at the right column. The recursion reaches `c` with half of its cotangent, and hurries on to `b` with that half. When
# the second half arrives at `c`, everything below has to be done again. Every doubling doubles the work: $2^{n+1} - 2$ edges for $n$
# doublings, {{walked:,}} for 20.
#
# The left column waits. It leaves `c` only when all of `c`'s cotangent is there, so each edge is walked once: $2n$.

# %%
counts = np.arange(1, 17)
figure, axes = figures.lines(
    {
        "recursion": (counts, [sum(1 for _ in recursion(ours(n), n)) for n in counts], {"marker": "o"}),
        "minigrad": (counts, [len(watched(lambda x, n=n: doubled(x, n), 1.0)) for n in counts], {"marker": "s"}),
    },
    "The same slope: recursion pays for paths, a tape pays for edges",
    x="doublings",
    y="edges walked",
    log="y",
)
show(
    figure,
    alt="Edges walked against the number of doublings from 1 to 16, the vertical axis logarithmic. The recursion is a straight line that "
    "climbs from 2 to 131,070. minigrad's curve flattens and ends at 32.",
)

# %% [markdown]
# Nobody writes twenty doublings. But a recurrent network uses its state in four gates, every step, and the number of paths grows
# just as fast. Here is the kind of network that will be our optimizer, unrolled for 100 steps. We need not walk the paths to
# count them: one goes through the edges in reverse, and a number's paths are the sum over whoever used it.

# %%
hidden, lstm_edges = 20, []
weights = {"W": np.random.default_rng(0).normal(size=(4, hidden, hidden + 1)) / 5, "b": np.zeros((4, hidden, 1))}


def unrolled(state):
    h, c = state["h"], state["c"]
    for _ in range(100):
        h, c = mg.layers.lstm_cell(weights, np.ones((1, 1)), h, c)
    total = mg.sum(h)
    lstm_edges.extend(total.tape.edges)  # a copy: the backward pass empties its tape, which frees memory on the way
    return total


mg.grad(unrolled)({"h": np.zeros((hidden, 1)), "c": np.zeros((hidden, 1))})
last = lstm_edges[-1][0]
paths = [0] * last + [1]  # whole numbers in Python have no largest one
for node, parent, _ in reversed(lstm_edges):
    paths[parent] += paths[node]
print(f"{len(lstm_edges):,} edges, {paths[0] + paths[1]:.1e} paths")

# %% [markdown]
# {{len(lstm_edges):,}} edges, {{sci(float(paths[0] + paths[1]), 1)}} paths. At a billion edges a second, the recursion would
# not end in the lifetime of the universe.
#
# ## An obvious repair, and why it is wrong
#
# "Remember which numbers were visited, and do not go through them again." It is fast. Is it right?


# %%
def visit_once(tape, node, u=1.0, visited=None):
    """The recursion again, but it never leaves a number for a second time."""
    visited = set() if visited is None else visited
    if node in visited:
        return
    visited.add(node)
    for argument, slope in tape[node]:
        yield node, argument, u * slope
        yield from visit_once(tape, argument, u * slope, visited)


for n in (1, 2, 3, 4):
    print(f"doublings: {n}, slope: {2**n}, visit_once says: {received(visit_once(ours(n), n), 0):g}")

# %% [markdown]
# Fast and wrong. `c` was left with half of its cotangent, and the other half came too late. Two rules follow. **Add up what
# arrives. Leave a number only when all who used it have been left.**
#
# An order that obeys the second rule is called *topological*. Usually one has to compute it, by sorting the graph. But
# a number can be used only after it was made. So everything that used number $i$ stands later on the tape, and *the tape is
# already sorted*. Walk it from the end to the start.
#
# ## Exercise: the backward loop
#
# Write the loop: `b = a + a; c = b + b; …` must come out right, and each edge be walked at most once. No recursion, no
# sorting. Return the list of all cotangents, and the count of edges that you walked. A number that the result does not depend on
# has cotangent 0.


# %% tags=["exercise"]
def backward(tape, output):
    """([u_0, u_1, …], edges walked): the cotangents of all numbers on the tape, when that of `output` is 1."""
    return ...


# %% tags=["check"]
def fault(backward):
    for n in (2, 3):
        u, walked = verdicts.parts(backward(ours(n), n), "the cotangents", "the edges walked")
        fault = verdicts.differs(
            f"the list of the cotangents of {n} doublings", list(u), [2.0 ** (n - i) for i in range(n + 1)]
        )
        if fault:
            return fault
        if walked != 2 * n:
            return f"{n} doublings have {2 * n} edges, you walked {walked}."
    tape = []
    a = Number(0.7, tape)
    b = sin(a)
    c = b * a  # a is used early and late, b three times
    d = c * b + b * a
    late = sin(d)  # stands after the result
    u, walked = backward(tape, d.node)
    if len(u) != len(tape):
        return f"{len(tape)} numbers are on the tape, one of them after the output; you return {len(u)} cotangents."
    want = 2 * np.sin(0.7) * np.cos(0.7) * 0.7 + np.sin(0.7) ** 2 + np.cos(0.7) * 0.7 + np.sin(0.7)
    if u[late.node] != 0 or u[d.node] != 1:
        return f"the output has cotangent 1 and what comes after it 0, yours are {u[d.node]} and {u[late.node]}."
    if not np.isclose(u[a.node], want):
        want, yours = verdicts.apart(want, u[a.node], digits=6)
        return f"for b = sin(a); d = (b·a)·b + b·a at a = 0.7 the slope is {want}, yours is {yours}."
    u, walked = backward(ours(1000), 1000)
    if walked != 2000:
        return f"1,000 doublings have 2,000 edges, you walked {walked:,}."
    return None if u[0] == 2.0**1000 else f"1,000 doublings have the slope 2^1000, yours is 2^{np.log2(u[0]):.6g}."


check(backward, that=fault, right="1,000 doublings, 2,000 edges, and 2^1000 paths that you did not walk.")

# %% [markdown]
# <details><summary>Hint</summary>
#
# Set the cotangent of `output` to 1. Then let `node` run from `output` down to 0. When you arrive at `node`, who could still
# add to its cotangent? Nobody: they all stand later. So send it along each edge of `node`, and add.
#
# </details>

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# def backward(tape, output):
#     """([u_0, u_1, …], edges walked): the cotangents of all numbers on the tape, when that of `output` is 1."""
#     cotangents = [0.0] * len(tape)
#     walked = 0
#     cotangents[output] = 1.0
#     for node in reversed(range(output + 1)):
#         for argument, slope in tape[node]:
#             cotangents[argument] += cotangents[node] * slope
#             walked += 1
#     return cotangents, walked
# ```
#
# With `Number` and `sin` that makes a complete engine of about thirty lines. `+=` is the first rule, `reversed` the second.
#
# </details>

# %% [markdown]
# ## The same three ideas in the engine
#
# Here is what the course runs. Look for what you have just built.
#
# 1. *A value knows its position.* `Var` is our `Number`: `value`, `node`, `tape`.
# 2. *Each step records its edges.* `tape.edges` is one flat list of triples (node, parent, rule). Instead of a
#    slope there is a rule, because for arrays a slope would be a matrix (lesson 7). The edges are written in
#    `traced`, in [core.py](../minigrad/core.py).
# 3. *One loop in reverse, adding up.* `_backward` is the exercise.

# %%
show_source(mg.core.Tape, mg.core.Var, mg.core._backward)
print("sorted, in the LSTM's tape:", all(parent < node for node, parent, _ in lstm_edges))

# %% [markdown]
# The loop does three more things. It frees a cotangent when its node is done. It skips what the result does not
# depend on. And `_fit` undoes broadcasting, which is the subject of lesson 7. (`several` is for a step that has several
# results and one rule for all of them; this lesson has none.) That the list is sorted need not be believed: on
# the tape of the LSTM, every edge leads to an earlier number.
#
# Two things follow. A gradient costs one walk over the edges, **whatever the number of arguments**: a small multiple
# of the program itself (Griewank & Walther 2008). And the loop needs no stack. Recursion fails even where
# no number is shared, on a chain that is merely long:

# %%
tape = []
x = Number(1.0, tape)
for _ in range(sys.getrecursionlimit()):
    x = sin(x)
with expect(RecursionError):
    sum(1 for _ in recursion(tape, x.node))


def long_chain(x):
    for _ in range(20_000):
        x = x + 1.0
    return x


print("minigrad, a chain of 20,000:", mg.grad(long_chain)(0.0))

# %% [markdown]
# ## What a rule keeps alive
#
# Our `Number` stored its slopes. A rule for arrays stores what it needs to multiply: for `sin` the argument, for `tanh`
# its own result, because $\tanh' = 1 - \tanh^2$. For `x + x` it needs nothing. All this must stay in memory until the
# walk back. We measure it, in units of one array, after 50 operations in a row:


# %%
def kept(f, x):
    """How many arrays of x's size stay in memory between the forward and the backward pass."""
    tracemalloc.start()
    pullback = mg.vjp(lambda x: mg.sum(f(x)), x)[1]
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return round(size / x.nbytes), pullback


def repeated(operation, times=50):
    def f(x):
        for _ in range(times):
            x = operation(x)
        return x

    return f


vector = np.linspace(-1.0, 1.0, 100_000)
programs = {
    "x + x": lambda x: x + x,
    "sin(x)": mg.sin,
    "tanh(x)": mg.tanh,
    "tanh(sin(x))": lambda x: mg.tanh(mg.sin(x)),
}
memory = {name: kept(repeated(operation), vector)[0] for name, operation in programs.items()}
for name, arrays in memory.items():
    print(f"50 × {name:13} {arrays:3} arrays kept")

# %% [markdown]
# For `sin` the first of the 50 arguments is the caller's own array, so {{memory["sin(x)"]}} are new. In the last line each
# `sin` keeps what the `tanh` before it keeps, too: one array, held twice. **Memory grows with the length of the program.** That is
# the price of walking backwards. It can be traded for time: `mg.checkpoint` keeps the argument only, here the
# caller's own array, and runs the piece again when the walk arrives there.

# %%
arrays, pullback = kept(mg.checkpoint(repeated(mg.tanh)), vector)
plain = kept(repeated(mg.tanh), vector)[1]
print(f"{arrays} new arrays kept, the same gradient: {np.array_equal(pullback(1.0), plain(1.0))}")

# %% [markdown]
# ## Exercise: keep one array, not two
#
# Take $y = \mathrm{softsign}(x) = x / (1 + |x|)$. Written with primitives it records three operations. As one primitive,
# its rule could keep $x$ *and* $y$. One of them is enough, because the slope $1/(1+|x|)^2$ can be computed from $y$ alone. Write
# the rule so that it keeps nothing but `y`. (`traced` makes a primitive; a rule gets the result and the argument, and
# returns a function of the cotangent `u`.)


# %% tags=["exercise"]
def rule(y, x):
    return ...


# %% tags=["check"]
def fault(rule):
    softsign = mg.core.traced(lambda x, /: x / (1.0 + np.abs(x)), rule)
    points = np.array([-3.0, -0.6, 0.4, 2.0])
    try:
        mg.check_gradients(softsign, points)
    except mg.GradientError as error:
        return f"the slope is wrong: {error}"
    many = np.linspace(-3.0, 3.0, 100_000)
    return verdicts.keeps(rule, many / (1.0 + np.abs(many)), many)


check(rule, that=fault, right="the tape keeps one array, and often the next operation keeps the same one.")

# %% [markdown]
# <details><summary>Hint</summary>
#
# $|y| = |x|/(1+|x|) = 1 - 1/(1+|x|)$. Solve for $1/(1+|x|)$. Write the rule with `mg.abs`, so that it can be differentiated again.
#
# </details>

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# $1/(1+|x|) = 1 - |y|$, so the slope is $(1-|y|)^2$.
#
# ```python
# def rule(y, x):
#     return lambda u: u * mg.square(1.0 - mg.abs(y))
# ```
#
# </details>

# %% [markdown]
# ## A tape inside a tape
#
# What if a differentiated function differentiates inside? Each call opens a tape of its own. A value of the inner one
# may hold a value of the outer one:


# %%
def outer(x):
    def inner(y):
        print("inside: y =", y, " y * x =", y * x)
        return y * x

    return x * mg.grad(inner)(x)  # x · ∂(y·x)/∂y = x · x


print("slope of x · x at 3:", mg.grad(outer)(3.0))

# %% [markdown]
# `Var(Var(…))`: the inner tape looks at the outside, the outer tape at the inside. When the inner walk multiplies by its
# slope $x$, that is again a step, and the outer tape records it. So the walk back is itself differentiated, and
# nothing was added for that. Lesson 8 starts there.
#
# When the inner call returns, its tape is closed. A `Var` that got out would point at a list that nobody will walk. Its
# gradient would silently be missing, so using it is an error that says what to do:

# %%
escaped = []


def leaky(x):
    escaped.append(x)
    return x * x


mg.grad(leaky)(3.0)
with expect(mg.EscapedVarError):
    escaped[0] + 1.0

# %% [markdown]
# ## Summary
#
# 1. An engine records, for every value, which earlier values it came from and the rule by which a cotangent goes back.
# 2. A cotangent may be passed on only when it is complete; the tape read backwards is such an order, so each edge is walked once,
#    where recursion walks every path.
# 3. The price is memory: what the rules need stays alive until the walk back, and it grows with the length of the program.
#
# ## References
#
# - A. Griewank and A. Walther, [*Evaluating Derivatives*](https://doi.org/10.1137/1.9780898717761), 2nd ed., SIAM 2008,
#   chapters 3, 4 and 12: reverse mode, its cost, and checkpoints.
# - A. G. Baydin, B. A. Pearlmutter, A. A. Radul and J. M. Siskind,
#   [Automatic differentiation in machine learning: a survey](https://jmlr.org/papers/v18/17-468.html), JMLR 18 (2018).
# - S. Linnainmaa, master's thesis, University of Helsinki 1970 (in Finnish), and
#   [Taylor expansion of the accumulated rounding error](https://doi.org/10.1007/BF01931367), BIT 16 (1976): the first reverse mode.
# - B. Speelpenning, *Compiling Fast Partial Derivatives of Functions Given by Algorithms*, PhD thesis, University of Illinois 1980: the
#   first program that wrote the backward pass by itself.
# - M. Johnson, D. Duvenaud and D. Maclaurin, [autodidact](https://github.com/mattjj/autodidact): a small engine to read next.
#
# ## Next
#
# Our slopes were numbers. In a network the steps are made of arrays, and NumPy quietly repeats the small ones to fit the
# large ones. Something has to take that back. Next question: {{lesson(7)}}
