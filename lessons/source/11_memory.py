# %% [markdown]
# # 11 · How does an LSTM carry state, and how far back does its gradient reach?
#
# A rule that sees one gradient at a time cannot tell a slope from noise, or a ravine from a plain. Momentum can, a
# little: it remembers one number per coordinate. The learned optimizer of this course remembers eighty. It keeps them in an
# LSTM, a network made for one purpose: not to forget, unless it decides to.
#
# But remembering is only half of it. Meta-training must *find* what to remember, by a gradient that goes back
# through all the steps. A gradient that dies on the way finds nothing. So this lesson asks how far back it reaches.
#
# You need: lesson 10, and the chain rule.

# %%
import numpy as np
from course import check, recall, show, show_source, verdicts

import l2l
import minigrad as mg
from l2l.optimizers import LSTM, Adam, Momentum, learned
from l2l.problems import Task
from lessons import figures
from minigrad.layers import lstm_cell, lstm_gates

# %% [markdown]
# ## From momentum to a cell
#
# Momentum keeps a velocity, $v \leftarrow \mu v + \nabla$. Two things about it are fixed: what share $\mu$ is kept, and
# that every gradient is written with weight 1. Let both depend on what comes in, and add a third choice, how much
# of the memory is shown. That is an LSTM cell. Each *gate* is a small network with outputs between 0 and 1, which the
# *sigmoid* $\sigma(z) = \frac{ 1 }{ 1 + e^{-z} }$ brings about:
#
# $$ i, f, o = \sigma\bigl(W_k\,[x; h] + b_k\bigr) \qquad g = \tanh\bigl(W_g\,[x; h] + b_g\bigr) \tag{11.1} $$
#
# $$ c' = f \cdot c + i \cdot g \qquad h' = o \cdot \tanh c' \tag{11.2} $$
#
# Here $[x; h]$ is $x$ on top of $h$, and each gate has a $W_k$ and a $b_k$ of its own.
# (Implementation: [`lstm_gates` and `lstm_cell`](../minigrad/layers.py). Test: [test_layers.py](../tests/minigrad/test_layers.py).)
#
# The *forget gate* $f$ says what share of the memory $c$ is kept. The *input gate* $i$ says how much of the proposal $g$
# is written. The *output gate* $o$ says how much is shown. What is shown, $h$, is also what the gates see in the next step.

# %%
show_source(lstm_gates, lstm_cell)

# %% [markdown]
# So the memory line, `c = f * c + i * g`, is momentum with $f$ for $\mu$. Is that more than a likeness? Set all weights to
# zero but the one from $x$ to $g$, and the biases so that $f$ is `0.9` and $i$ is nearly 1. Keep $x$ small, where the tanh
# is a straight line. Now the cell should *be* momentum.

# %%
gradients = 1e-3 * np.random.default_rng(0).normal(size=(50, 1, 4))  # 50 steps of 4 coordinates
weights = {"W": np.zeros((4, 1, 2)), "b": np.array([40.0, np.log(9.0), 0.0, 0.0]).reshape(4, 1, 1)}
weights["W"][2, 0, 0] = 1.0  # the order is i, f, g, o; σ(40) is nearly 1, and σ(log 9) is 0.9
h = c = velocity = np.zeros((1, 4))
rule = Momentum(learning_rate=1.0, momentum=0.9)
for gradient in gradients:
    h, c = lstm_cell(weights, gradient, h, c)
    velocity = rule(rule.init(), gradient, {"velocity": velocity})[1]["velocity"]
alike = np.max(np.abs(c - velocity)) / np.max(np.abs(velocity))
print(f"velocity {velocity[0]}\ncell     {c[0]}")

# %% [markdown]
# They differ by {{sci(alike, 1)}} of the largest, which is the bend of the tanh. Whatever momentum can do, an LSTM can
# do. What else it does, it must learn.
#
# ## Your prediction
#
# Run an LSTM for 100 steps on random inputs. Nudge its memory $c$ at some earlier step, and ask how much the last output
# moves: that is $\partial h_T/\partial c_{T-k}$, at *lag* $k$. The package starts its forget gates
# with a bias of 1, so that they are near $\sigma(1) =$ {{1 / (1 + np.exp(-1)):.2f}}. **After how many steps is less than
# a hundredth of it left?**

# %% tags=["prediction"]
prediction = ...  # a lag, from 1 to 100

# %% [markdown]
# ## Run it
#
# There is a trick to get the derivative with respect to a value in the middle of a program: add a zero to it, and
# differentiate with respect to the zero. `by_lag` adds one at every step. One backward pass then gives all lags.
#
# We compare an LSTM of 20 units with forget-gate biases 0, 1 and 2, and a plain recurrent network, $h' = \tanh(W [x; h])$.
# All weights are drawn as in the package, uniform in $\pm 1/\sqrt{20}$. Lines are medians over eight seeds, bands go from the 10th to the
# 90th percentile.

# %%
hidden, steps, sequences = 20, 100, 16


def by_lag(step, which, seed):
    """The norm of uᵀ ∂h_T/∂s_{T−k} for k = 1 … steps, u random of length 1; s is h (which = 0) or c (which = 1)."""
    rng = np.random.default_rng([seed, 1])
    inputs, u = rng.normal(size=(steps, 1, sequences)), rng.normal(size=(hidden, sequences))

    def last_output(zeros):
        state = [np.zeros((hidden, sequences))] * 2
        for x, zero in zip(inputs, zeros, strict=True):
            state[which] = state[which] + zero
            state = list(step(x, *state))
        return mg.sum(u * state[0])

    gradient = mg.grad(last_output)([np.zeros((hidden, sequences))] * steps)
    return np.array([np.linalg.norm(g) for g in gradient])[::-1] / np.linalg.norm(u)


def drawn(seed, bias):
    """The weights of an LSTM cell as the package draws them, with this bias of the forget gates."""
    phi = LSTM(hidden=(hidden,), preprocess="none", dtype="float64").init(np.random.default_rng(seed))
    cell = phi["layers"][0]
    cell["b"][1] = bias
    return cell


def lstm_step(seed, bias):
    cell = drawn(seed, bias)
    return lambda x, h, c: lstm_cell(cell, x, h, c)


def plain_step(seed, scale=1.0):
    W = scale * drawn(seed, 0.0)["W"][2]
    return lambda x, h, c: (mg.tanh(W @ mg.concatenate([x, h])), c)


seeds = range(8)
found = {f"LSTM, forget bias {b}": np.array([by_lag(lstm_step(s, b), 1, s) for s in seeds]) for b in (2, 1, 0)}
found["plain tanh network"] = np.array([by_lag(plain_step(s), 0, s) for s in seeds])
lags = np.arange(1, steps + 1)
figure, axes = figures.lines(
    {name: (lags, np.median(norms, axis=0)) for name, norms in found.items()},
    "The forget gate's bias decides how far back the gradient reaches",
    x="lag k (steps back)",
    y="gradient norm, |∂h$_T$ / ∂state$_{T-k}$|",
    log="y",
)
for line, norms in zip(axes.lines, found.values(), strict=True):
    axes.fill_between(lags, *np.percentile(norms, [10, 90], axis=0), color=line.get_color(), alpha=0.15, linewidth=0)
axes.set_ylim(1e-12, 10)
show(
    figure,
    alt="Norm of the gradient of the last output with respect to the state k steps before, against k from 1 to 100, with a logarithmic "
    "vertical axis from 1e-12 to 10. With forget bias 2 it stays near 0.2 throughout. With bias 1 it falls as a "
    "straight line to about 1e-7 at lag 100. With bias 0, and in the plain tanh network, it falls below 1e-11 by lag 55.",
)


# %%
def reach(norms):
    """The first lag at which the median is below a hundredth of what it is at lag 1, or None."""
    median = np.median(norms, axis=0)
    below = np.flatnonzero(median < 0.01 * median[0])
    return int(lags[below[0]]) if below.size else None


reached = {name: reach(norms) for name, norms in found.items()}
recall(prediction, reached["LSTM, forget bias 1"])

# %% [markdown]
# The reach is {{reached["LSTM, forget bias 0"]}} steps with bias 0, {{reached["LSTM, forget bias 1"]}} with bias 1,
# and with bias 2 it is more than 100. For the plain network it is {{reached["plain tanh network"]}}. Three of the curves are
# straight lines here: the gradient is multiplied by about the same factor in each step, as in lesson 2. The only difference between a memory of ten
# steps and one of a hundred is a number in the initialization.
#
# The paper unrolls 20 steps. Through those, a bias of 1 is enough.
#
# ## Is it the highway?
#
# The usual explanation: from $c$ to $c'$ there is a direct road, whose derivative is just $f$. So $k$ steps back there is $f^k$ left.
# Cut all other roads, which lead through $h$ into the gates, with `stop_gradient`. How much is left?

# %%


def highway_step(seed, bias):
    cell = drawn(seed, bias)
    return lambda x, h, c: lstm_cell(cell, x, mg.stop_gradient(h), c)


share = {}
print("bias   median gradient at lag 50: all roads, highway alone")
for bias in (0, 1, 2, 3):
    both = [np.median([by_lag(make(s, bias), 1, s)[49] for s in seeds]) for make in (lstm_step, highway_step)]
    share[bias] = both
    print(f"{bias:>4}   {both[0]:>25.1e}   {both[1]:.1e}")

# %% [markdown]
# Half of the explanation is right. The bias works through the highway. But after 50 steps with bias 2 the highway
# alone carries {{sci(share[2][1], 1)}}, and all roads together {{share[2][0]:.2f}}, more than a hundred times as much. The roads through the gates feed back
# into the memory and make up for what the forget gate loses.
#
# Such feedback has a price. With bias 3 the gradient no longer falls:

# %%
growth = [by_lag(lstm_step(s, 3), 1, s) for s in seeds]
growing = np.median([g[99] / g[9] for g in growth])
print(f"forget bias 3: gradient at lag 100 / at lag 10, median of 8 seeds: {growing:.0f}")
for scale in (1.0, 1.7, 2.4):
    far = [by_lag(plain_step(s, scale), 0, s)[49] for s in seeds]
    print(f"plain network, weights times {scale}: at lag 50, the 8 seeds: " + " ".join(f"{g:.0e}" for g in sorted(far)))

# %% [markdown]
# With bias 3 it *grows*, {{growing:.0f}}-fold. An LSTM does not abolish exploding gradients.
#
# And the plain network, could one not scale its weights up? One can, and the last lines show what happens: with the
# same scale, one seed loses the gradient and another one keeps it. Its memory and its computation share one matrix. In the LSTM the reach has a
# dial of its own.
#
# ## Exercise: trust the cell
#
# All of this leans on the derivatives of `lstm_cell`. Check them, with respect to the weights and to $x$, $h$ and $c$,
# with `mg.check_gradients`. It wants a function that returns *one* array. A check that looks at half of the cell is a loose
# check: yours will be tried on cells with planted faults.

# %% tags=["exercise"]
rng = np.random.default_rng(3)
some_weights = {"W": rng.normal(size=(4, 3, 5)), "b": rng.normal(size=(4, 3, 1))}
some_x, some_h, some_c = rng.normal(size=(2, 4)), rng.normal(size=(3, 4)), rng.normal(size=(3, 4))


def check_cell(cell):
    """Raise mg.GradientError unless the gradients of cell(weights, x, h, c) are right."""
    mg.check_gradients(..., some_weights, some_x, some_h, some_c, order=1, step=3e-3)


# %% tags=["check"]
def cut(*names):
    """lstm_cell, with right values, and with no gradient through these."""
    keep = {
        name: mg.stop_gradient if name in names else (lambda value: value) for name in ("x", "h", "c", "b", "h'", "c'")
    }

    def cell(weights, x, h, c):
        weights = {"W": weights["W"], "b": keep["b"](weights["b"])}
        h, c = lstm_cell(weights, keep["x"](x), keep["h"](h), keep["c"](c))
        return keep["h'"](h), keep["c'"](c)

    return cell


def fault(check_cell):
    try:
        check_cell(lstm_cell)
    except mg.GradientError as error:
        return f"it refuses the right cell: {error}"
    for name in ("x", "h", "c", "b", "h'", "c'"):
        try:
            check_cell(cut(name))
        except mg.GradientError:
            continue
        return f"it passes the right cell, and also one that has no gradient through {name}."
    return None


check(check_cell, that=fault, right="it passes the right cell, and catches six planted faults.")

# %% [markdown]
# <details><summary>Hint</summary>
#
# The cell returns a pair. `mg.concatenate` or `mg.stack` makes one array of it. The function takes the same four
# arguments as the cell.
#
# </details>

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# rng = np.random.default_rng(3)
# some_weights = {"W": rng.normal(size=(4, 3, 5)), "b": rng.normal(size=(4, 3, 1))}
# some_x, some_h, some_c = rng.normal(size=(2, 4)), rng.normal(size=(3, 4)), rng.normal(size=(3, 4))
#
#
# def check_cell(cell):
#     """Raise mg.GradientError unless the gradients of cell(weights, x, h, c) are right."""
#
#     def both(weights, x, h, c):
#         return mg.concatenate(cell(weights, x, h, c))
#
#     mg.check_gradients(both, some_weights, some_x, some_h, some_c, order=1, step=3e-3)
# ```
#
# </details>

# %% [markdown]
# ## Does reach matter for learning?
#
# Those were networks that have learned nothing. Now let one learn. Each input has two parts: a random sign, and a
# *mark*, which is 1 once, in one of the first four steps. After 20 steps the network must say which sign came with the mark.
# A guess of 0 has loss 1. Adam, 200 steps, four seeds for each bias:

# %%
length, units, batch = 20, 8, 64


def remember(bias, seed):
    """The task, and what makes an LSTM's weights of its vector θ."""
    rng = np.random.default_rng(seed)
    network = LSTM(hidden=(units,), dtype="float64").init(rng)
    network["layers"][0]["b"][1] = bias
    network["output"]["W"] = rng.uniform(-0.3, 0.3, (1, units))
    theta, unravel = mg.tree.ravel(network)

    def next_batch():
        signs, marks = rng.choice([-1.0, 1.0], size=(length, batch)), np.zeros((length, batch))
        when = rng.integers(4, size=batch), np.arange(batch)
        marks[when] = 1.0
        return np.stack([signs, marks], axis=1), signs[when]

    def loss(theta, drawn):
        network, state = unravel(theta), [(np.zeros((units, batch)),) * 2]
        for x in drawn[0]:
            answer, state = mg.fused.lstm(network, x, state)
        return mg.mean(mg.square(answer - drawn[1]))

    return Task(theta, loss, next_batch), unravel


adam, last = Adam(0.03), {}
for bias in (0, 1, 2):
    runs = []
    for seed in range(4):
        task, unravel = remember(bias, seed)
        state = adam.init_state(task.theta)
        _, theta, _, losses = l2l.unroll(adam, adam.init(), task, task.theta, state, [1.0] * 200)
        runs.append(np.mean(losses[-20:]))
    last[bias] = np.array(runs)
    print(f"forget bias {bias}: loss at the end, four seeds: " + " ".join(f"{r:.3f}" for r in runs))

# %% [markdown]
# Seeds that have learned it, of four: {{np.sum(last[0] < 0.1):.0f}} with bias 0, {{np.sum(last[1] < 0.1):.0f}} with bias 1,
# {{np.sum(last[2] < 0.1):.0f}} with bias 2. Network, optimizer and data are the same. It fits the figure: 18 steps
# back, bias 0 leaves {{sci(np.median(found["LSTM, forget bias 0"], axis=0)[17], 1)}} of the gradient, bias 2 leaves
# {{np.median(found["LSTM, forget bias 2"], axis=0)[17]:.1f}}. But one seed fails with bias 1, and one is only
# half-way with bias 2. Reach is needed, and it is not all that is needed.
#
# What did the last one learn? `lstm_gates` is the function that the cell itself uses. We look at all sequences with the mark at step 4,
# and at the unit whose memory the mark moves most.

# %%
network = unravel(theta)
inputs, sign = task.next_batch()
chosen = inputs[3, 1] == 1.0
inputs, sign = inputs[:, :, chosen], sign[chosen]
cell = network["layers"][0]
h = c = np.zeros((units, sign.size))
trace = []
for x in inputs:
    i, f, _, _ = lstm_gates(cell, x, h)
    h, c = lstm_cell(cell, x, h, c)
    trace.append((i, f, c))
trace = np.moveaxis(trace, 1, 0)  # (i f c, steps, units, sequences)
split = trace[2][..., sign > 0].mean(-1) - trace[2][..., sign < 0].mean(-1)  # (steps, units)
unit = np.argmax(np.abs(split[3]))
i, f, c = trace[:, :, unit]
when = np.arange(1, length + 1)
curves = {
    "memory c, sign +1": c[:, sign > 0],
    "memory c, sign −1": c[:, sign < 0],
    "input gate i": i,
    "forget gate f": f,
}
figure, axes = figures.lines(
    {name: (when, values.mean(axis=1)) for name, values in curves.items()},
    "At the mark the input gate opens, and the memory goes one of two ways",
    x="step (the mark is at step 4)",
    y="gate, or memory c (no unit)",
)
for line, values in zip(axes.lines, curves.values(), strict=True):
    axes.fill_between(when, values.min(axis=1), values.max(axis=1), color=line.get_color(), alpha=0.15, linewidth=0)
axes.set_xticks(range(2, length + 1, 2))
show(
    figure,
    alt="One unit over 20 steps, means and ranges over the sequences with the mark at step 4. The input gate is near 0.3 and "
    "jumps to 0.74 at the mark; the forget gate is near 0.85 and dips to 0.6. There the memory splits: near -0.4 for sign +1, "
    "near 0.5 for sign -1. The two ranges stay apart in the later steps, and the upper one climbs to 1.7.",
)

# %% [markdown]
# At the mark the input gate goes from {{i.mean(axis=1)[2]:.1f}} to {{i.mean(axis=1)[3]:.1f}}, and the forget gate dips: old
# memory out, new memory in. Then the gates return, and the two means stay apart for 16 steps, although signs without a mark keep
# coming; only near step 8 do single sequences touch. Nobody told the gates about marks.
#
# And a surprise: the gap does not shrink. The forget gates alone would leave {{sci(np.prod(f.mean(axis=1)[4:]), 1)}} of it. So
# it is written back all the time, through $h$, by this unit and the others. The network has not learned a store that leaks slowly. It has
# learned a switch, which falls to one side and is held there, by the same feedback that outdid the highway above.
#
# ## One small network, many coordinates
#
# How does such a cell become an optimizer? A model has thousands of parameters, another model has others.
# The paper's answer is *coordinatewise*: one network, with the same weights for each coordinate of $\theta$, and a state of its own for each. Each column of
# the cell's arrays, which was a sequence above, is a coordinate now.
#
# The package puts one cell on top of another: what the first shows is the input of the second. A last linear layer, the
# *read-out*, makes one number of what the second shows, and `scale` times that number is the update. (`log_sign` writes
# the gradient in another form, for lesson 14.)

# %%
show_source(learned.lstm_state, learned.lstm_step, LSTM.__call__)

# %% [markdown]
# Two properties should follow. Rename the coordinates, and the updates are the same, renamed: this is *permutation equivariance*.
# And what one coordinate sees is no business of another. Both are checked for all rules in
# [test_optimizers.py](../tests/l2l/test_optimizers.py); here they are by hand.

# %%
rule = LSTM(dtype="float64")
rng = np.random.default_rng(5)
phi = rule.init(rng)
phi["output"]["W"] = rng.normal(size=phi["output"]["W"].shape)  # an untrained read-out is 0: every check would pass
stream = rng.normal(size=(10, 50))  # ten gradients of 50 coordinates


def updates(stream):
    state, found = rule.init_state(stream[0]), []
    for gradient in stream:
        update, state = rule(phi, gradient, state)
        found.append(update)
    return np.array(found)


order = rng.permutation(50)
renamed = np.max(np.abs(updates(stream[:, order]) - updates(stream)[:, order]))
other = stream.copy()
other[:, 0] *= 100.0
moved = np.max(np.abs(updates(other) - updates(stream)), axis=0)
print(f"renamed coordinates: largest difference {renamed:.0e}, of updates up to {np.max(np.abs(updates(stream))):.2f}")
print(f"another gradient for coordinate 0: it moves by {moved[0]:.2f}, all others by at most {moved[1:].max():.0e}")
print(f"weights: {mg.tree.ravel(phi)[0].size:,}, for 50 coordinates and for a million")

# %% [markdown]
# ## Exercise: two programs, one result
#
# `layers.lstm_cell` is for reading. In meta-training it runs thousands of times on thousands of coordinates, so the
# package has the same stack of cells as a compiled kernel: `mg.fused.lstm`. Its readable reference is `mg.layers.lstm`. Both
# take `(weights, x, state)` and return `(y, new_state)`, where `state` is a list of pairs `(h, c)`. Fast code deserves distrust: measure the largest difference
# between the two, over $y$ and all new $h$ and $c$.


# %% tags=["exercise"]
def distance(weights, x, state):
    """The largest absolute difference between fused.lstm and layers.lstm, over all their results."""
    return ...


# %% tags=["check"]
def cells(seed, dtype):
    rng = np.random.default_rng(seed)
    network = mg.tree.map(lambda w: rng.normal(size=w.shape).astype(dtype), LSTM().init(rng))
    state = [tuple(rng.normal(size=(20, 300)).astype(dtype) for _ in range(2)) for _ in range(2)]
    return network, rng.normal(size=(2, 300)).astype(dtype), state


def by_the_book(*given):
    """By how much fused.lstm is above layers.lstm, in all their results."""
    one, two = (mg.tree.ravel(run(*given))[0] for run in (mg.fused.lstm, mg.layers.lstm))
    return one - two


def fault(distance):
    measured = {}
    for dtype, tolerance in ((np.float64, 1e-13), (np.float32, 1e-5)):
        for seed in range(8):  # enough for a largest difference of either sign
            given = cells(seed, dtype)
            above, answer = by_the_book(*given), verdicts.number(distance(*given), "the largest difference")
            expected = np.max(np.abs(above))
            if not np.isclose(answer, expected, rtol=1e-3, atol=0):
                yours, largest = verdicts.apart(answer, expected, digits=2)
                found = f"on {dtype.__name__} arrays you find {yours}, the largest difference is {largest}"
                if any(np.isclose(answer, one, rtol=1e-3, atol=0) for one in (np.max(above), np.max(-above))):
                    return f"{found}, in the other direction. Take absolute values before the maximum."
                return f"{found}. Is it over y, h and c of both layers?"
            if not answer <= tolerance:
                return f"{dtype.__name__}: the two differ by {answer:.2g}, the tolerance is {tolerance:g}"
            measured[dtype.__name__] = answer
    right = ", ".join(f"{name} {value:.0e}" for name, value in measured.items())
    print(f"largest difference: {right}")
    return None


check(distance, that=fault, right="in float64 they agree up to rounding, in float32 to about six digits.")

# %% [markdown]
# <details><summary>Hint</summary>
#
# `mg.tree.ravel((y, new_state))[0]` makes one vector of everything.
#
# </details>

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# def distance(weights, x, state):
#     """The largest absolute difference between fused.lstm and layers.lstm, over all their results."""
#     fused, _ = mg.tree.ravel(mg.fused.lstm(weights, x, state))
#     readable, _ = mg.tree.ravel(mg.layers.lstm(weights, x, state))
#     return np.max(np.abs(fused - readable))
# ```
#
# The first call of the kernel compiles it, which takes a while; later ones find it on disk. In `float32` it takes a rational approximation of tanh, which is within a few units of the last place. Its gradients
# are compared in [test_fused.py](../tests/minigrad/test_fused.py).
#
# </details>

# %% [markdown]
# ## Summary
#
# 1. An LSTM cell is momentum with learned gates: a memory that is kept, written and shown in shares that depend on the input.
# 2. How far back its gradient reaches is set by the bias of the forget gate at the start, from about ten steps with 0 to over a hundred with
#    2, and with 0 a task over twenty steps was not learned at all.
# 3. A coordinatewise optimizer is one small cell with shared weights and a separate state for each coordinate, so it fits a model of any size and
#    does not care about the order of the parameters.
#
# ## References
#
# - S. Hochreiter and J. Schmidhuber, [Long short-term memory](https://doi.org/10.1162/neco.1997.9.8.1735), Neural Computation 9 (1997).
# - F. A. Gers, J. Schmidhuber and F. Cummins, [Learning to forget: continual prediction with LSTM](https://doi.org/10.1162/089976600300015015),
#   Neural Computation 12 (2000): the forget gate.
# - R. Jozefowicz, W. Zaremba and I. Sutskever, [An empirical exploration of recurrent network architectures](https://proceedings.mlr.press/v37/jozefowicz15.html),
#   ICML 2015: a forget bias of 1 makes the LSTM as good as its best rivals.
# - M. Andrychowicz et al., [Learning to learn by gradient descent by gradient descent](https://arxiv.org/abs/1606.04474), NIPS 2016,
#   section 2.1: the coordinatewise LSTM.
#
# ## Next
#
# There is a rule with a memory, and a gradient that reaches through it. What is missing is the training.
# Next question: {{lesson(12)}}
