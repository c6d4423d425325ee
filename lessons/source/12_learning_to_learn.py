# %% [markdown]
# # 12 · Can a whole update rule be learned?
#
# In lesson 10 gradient descent found a learning rate: one number. The form of the rule, "a number times the gradient", was
# ours. In lesson 11 we built something with no such form, an LSTM that reads gradients and remembers. It has thousands of
# weights, and so far they mean nothing.
#
# Now we train it. Nobody tells it about momentum, about steep and flat directions or about learning rates. It is told one
# number: the sum of the losses that it met on its way.
#
# You need: the meta-loss and `unroll` of lesson 10, and the coordinatewise LSTM of lesson 11.

# %%
import numpy as np
from course import check, recall, show, show_animation, show_source, verdicts

import l2l
import minigrad as mg
from l2l import plots
from l2l.evaluation import run, tune
from l2l.meta_training.estimators import backpropagated
from l2l.meta_training.loop import run_episode
from l2l.meta_training.unrolls import meta_gradient
from l2l.optimizers import LSTM, make_optimizer
from l2l.problems import Task, draw_task
from lessons import figures

# %% [markdown]
# ## A rule that does nothing yet
#
# The optimizee is the paper's quadratic, $f(\theta) = \lVert W\theta - y\rVert^2$ with random $W$ and $y$. A task holds 25
# of them, with ten coordinates each. The LSTM has two layers of 20 units, and its output is multiplied by `0.1`, its
# *scale*. It sees the bare gradient, as in the paper's experiment on quadratics.

# %%
problem = l2l.make_problem("quadratic", functions=25)
lstm = make_optimizer("lstm", preprocess="none", scale=0.1)
phi = lstm.init(np.random.default_rng(0))
task = draw_task(problem, "train", 0, 1)
update, _ = lstm(phi, mg.grad(task.loss)(task.theta, None), lstm.init_state(task.theta))
weights_in_phi = mg.tree.ravel(phi)[0].size
print(f"{weights_in_phi:,} weights, one state for each of {task.theta.size} coordinates")
print(f"the largest of the first updates: {np.max(np.abs(update))}")

# %% [markdown]
# The untrained rule stands still, exactly. That is on purpose, and we come back to it.
#
# ## Data for a learner of learners
#
# Everything that you know about training has a counterpart one floor up:
#
# | training | meta-training |
# |---|---|
# | an example: an image and its label | a *task*: a function $f$ and a start $\theta_0$ |
# | the weights $\theta$ of a model | the weights $\phi$ of a rule |
# | the loss $f(\theta)$ | the meta-loss $L(\phi) = \sum_t w_t f(\theta_t)$ |
# | a step on $\theta$, after a minibatch | a meta-step on $\phi$, here by Adam, after an unroll of 20 steps |
# | training, validation and test images | training, validation and test *tasks* |
#
# The last row matters most. A rule that is good on the bowls it has trained on may be useless on others: lesson 10 showed
# one. So tasks are drawn from three streams of random numbers that never meet. One is for meta-steps, one for
# choosing, and one for what we report.

# %%
show_source("l2l.problems.task.SPLITS", draw_task)

# %% [markdown]
# ## Your prediction
#
# First the rivals. Five rules designed by hand get the learning rate that is best for the summed loss on eight
# validation tasks, 200 functions. This is the fair race of lesson 5.

# %%
rivals = {
    name: tune(make_optimizer(name), problem, seed=0, repeats=8, steps=100)[0]
    for name in ("sgd", "momentum", "nag", "rmsprop", "adam")
}
sums = {
    name: run(rule, rule.init(), problem, "validation", 0, 8, 100).sum(axis=1).mean() for name, rule in rivals.items()
}
for name, rule in rivals.items():
    print(
        f"{name:<9} learning rate {rule.learning_rate:<7.2g} summed loss of 100 steps, per function: {sums[name]:.0f}"
    )
champion = min(sums, key=sums.get)
print(f"standing still: {100 * run(lstm, phi, problem, 'validation', 0, 8, 1).mean():.0f}; best by hand: {champion}")

# %% [markdown]
# The LSTM starts from standing still. An *episode* is one new task, run from $\theta_0$ for 100 steps, with a meta-step on
# all of $\phi$ after every 20 of them. **How many meta-steps until it is ahead of the best of the five?** (If never, write
# `float("inf")`.)

# %% tags=["prediction"]
prediction = ...  # a number of meta-steps

# %% [markdown]
# ## Run it
#
# 80 episodes, 400 meta-steps, with three seeds. A seed decides about the first $\phi$ and about all tasks. `report` is called
# before the first and after each episode; we use it to keep every $\phi$ on the way. Each seed takes some seconds.


# %%
def learn(seed=0, **settings):
    """A meta-training, and all φ on the way: one before the first and one after each episode."""
    kept = []
    given = {"episodes": 80, "meta_learning_rate": 0.01, "validate_every": 4, **settings}
    training = l2l.train(problem, lstm, seed=seed, report=lambda training: kept.append(training.latest), **given)
    return training, kept


trainings, phis = zip(*(learn(seed) for seed in range(3)), strict=True)


def on_test(phi):
    """Losses of eight test tasks, 200 functions that nothing was ever chosen by: (8, 100)."""
    return run(lstm, phi, problem, "test", 0, 8, 100)


hand = rivals[champion]
by_hand = run(hand, hand.init(), problem, "test", 0, 8, 100).mean(axis=0)
stages = {5 * episode: on_test(phis[0][episode]).mean(axis=0) for episode in (0, 1, 4, 12, 24, 80)}
figure, axes = figures.stages(
    {f"after {count} meta-steps": (np.arange(100), curve) for count, curve in stages.items()},
    "From standing still to ahead of the best tuned rule, in a few hundred meta-steps",
    x="step t on fresh functions",
    y="loss f(θ$_t$), mean of 200 functions",
    log="y",
)
axes.plot(by_hand, label=f"{champion.upper()}, tuned", color=plots.COLOURS[5], linestyle="--")
axes.set_ylim(0.04, 13)
axes.legend(frameon=False, fontsize=9, loc="lower left")
show(
    figure,
    alt="Loss on 200 fresh functions against step, from 0 to 99, loss logarithmic, for one rule at six moments of its "
    "training and for tuned NAG. Untrained it is a flat line at 10. After 5 meta-steps it falls to 4 and then swings around "
    "that. After 20 it falls slowly to 1, after 60 to 0.45, after 120 to 0.23. After 400 it falls at once, ends below 0.2, and lies below "
    "NAG, which ends at 0.34, from step 5 on.",
)

# %% [markdown]
# Each solid line is the same rule at another age, always on the same fresh functions. After five meta-steps it has found out which
# way is down. It goes there and then swings to and fro. After 20 it no longer swings, but it is slow. From then on it gets faster.
#
# So far it looks smooth. Now watch the training itself, on 50 of these functions. In grey, the best curve so far.

# %%
moments = [0, 1, 2, 4, 8, 12, 24, 32, 33, 34, 35, 36, 37, 38, 39, 40, 42, 44, 48, 56, 68, 80]
film = figures.film(
    {f"{5 * m} meta-steps": run(lstm, phis[0][m], problem, "test", 0, 2, 100).mean(axis=0) for m in moments},
    (f"{champion.upper()}, tuned", run(hand, hand.init(), problem, "test", 0, 2, 100).mean(axis=0)),
    "It learns, falls off a cliff, and learns again",
    x="step t",
    y="loss f(θ$_t$)",
)
show_animation(
    *film,
    alt="A film of the loss curve, loss logarithmic, while the rule is trained for 400 meta-steps, next to tuned NAG. It starts "
    "as a flat line at 10 and sinks below NAG. Near 180 meta-steps it rises above NAG again, its right end first, where it becomes several times "
    "what it had been. Then it sinks once more, and ends lowest.",
    interval=250,
)

# %% [markdown]
# Near 180 meta-steps something goes wrong. The right end lifts first: the rule has become a little bolder, which pays in early steps, and
# late ones swing. Then the whole curve rises, and it takes dozens of meta-steps to recover. You know this place from lesson 10: the best rule
# lives next to a cliff.
#
# Was it this seed? Here is the validation loss of all three, as a multiple of what the best rival needs on the same tasks.

# %%
ratios = []
for seed, training in enumerate(trainings):
    best_by_hand = run(hand, hand.init(), problem, "validation", seed, 2, 100).sum(axis=1).mean()
    validated = [record for record in training.history if "validation" in record]
    ratios.append([record["validation"] / best_by_hand for record in validated])
ratios, meta_steps = np.array(ratios), np.array([5 * record["episode"] for record in validated])
figure, axes = figures.lines(
    {f"seed {seed}": (meta_steps, ratio, {"marker": "."}) for seed, ratio in enumerate(ratios)},
    "All three seeds overtake the best tuned rule, fall back, and overtake it again",
    x="meta-steps",
    y=f"summed validation loss / that of {champion.upper()}, tuned",
    log="y",
)
axes.axhline(1, color="grey", linestyle=":")
axes.set_yticks([0.5, 1, 2, 4], ["0.5", "1", "2", "4"])
axes.minorticks_off()
show(
    figure,
    alt="Summed validation loss of the learned rule, as a multiple of the best tuned rule's, against meta-steps from 20 "
    "to 400, for three seeds. All begin between 2 and 3, fall below 1 near 100 to 140 meta-steps and end near 0.7 or 0.8. "
    "On the way each of them rises above 1 again at least once, one up to 1.7, and comes down again.",
)
ahead = [meta_steps[np.argmax(ratio < 1)] for ratio in ratios]
recall(prediction, float(np.median(ahead)))

# %% [markdown]
# So a rule with {{weights_in_phi:,}} weights, which began with nothing, is ahead after little more than a hundred
# meta-steps. And all three seeds jump: a slight change of $\phi$ acts in all 100 steps, and next to a cliff it takes little. Had we
# stopped after 200 meta-steps, {{np.sum(ratios[:, meta_steps == 200] > 1):.0f}} of 3 rules would have been behind {{champion.upper()}} again.
#
# So `train` returns not the last $\phi$ but the one with the best validation so far: *early stopping*, as in the paper. (Here we
# were lucky. The last one is the best, or nearly so.)
#
# If you run this yourself, your curves may part from these at the first jump. Another rounding of a last digit is enough.
#
# Validation tasks have now been used for a choice, so they may no longer judge. The test tasks have not. `compare` races the
# learned rule and all five rivals there.

# %%
results = l2l.compare(
    problem,
    {"lstm": (lstm, trainings[0].phi), **{name: (rule, rule.init()) for name, rule in rivals.items()}},
    repeats=8,
)
show(
    plots.curves(None, results, "The learned rule is ahead of five tuned rules from step 5 on"),
    alt="Loss against step from 0 to 99 on 200 fresh functions, loss logarithmic, for the learned rule and five tuned "
    "ones. All start at 10. From step 5 on the learned rule is lowest. At the end it is below 0.2, momentum at 0.24, Adam "
    "at 0.28, NAG at 0.34, RMSprop at 0.6 and gradient descent at 1. The bands of the best three overlap with its own.",
)

# %%
tested = {name: result["curves"].sum(axis=1).mean() for name, result in results.items()}
best_rival = min(tested[name] for name in rivals)
kept_phi = np.array([on_test(training.phi).sum(axis=1).mean() for training in trainings])
last_phi = np.array([on_test(training.latest).sum(axis=1).mean() for training in trainings])
print("summed test loss:", ", ".join(f"{name} {total:.0f}" for name, total in tested.items()))
print(
    "learned, best φ of seeds 0, 1, 2:", *np.round(kept_phi).astype(int), "  last φ:", *np.round(last_phi).astype(int)
)

# %% [markdown]
# The learned rules save about {{1 - np.median(kept_phi) / best_rival:.1f}} of the best rival's summed loss. On these
# tasks no rate was chosen and no meta-step was taken, for any of the six.
#
# ## Is it the form, or the training?
#
# Be fair about it. Each rival had one number tuned, on 200 functions. The LSTM has seen 2,000. But lesson 10 has taught us
# that a rival's constants can be trained, too. So give momentum, NAG and Adam the same meta-training: all their constants,
# three seeds, starting from the tuned rate, and with the exact meta-gradient, since lesson 10 found the first-order one
# leading a learning rate past its best. They get 30 episodes.

# %%
trained = {}
for name in ("momentum", "nag", "adam"):
    rule, sums_of_seeds = rivals[name], []
    for seed in range(3):
        given = {"episodes": 30, "meta_learning_rate": 0.03, "second_derivatives": True, "validation_tasks": 4}
        constants = l2l.train(problem, rule, seed=seed, **given).phi
        sums_of_seeds.append(run(rule, constants, problem, "test", 0, 8, 100).sum(axis=1).mean())
    trained[name] = np.array(sums_of_seeds)
    print(f"{name:<9} rate tuned: {tested[name]:.0f}   all constants trained:", *(f"{x:.3g}" for x in sums_of_seeds))

# %% [markdown]
# Training pays for them, too. Momentum saves {{1 - np.median(trained["momentum"]) / tested["momentum"]:.0%}} of its sum and Adam
# {{1 - np.median(trained["adam"]) / tested["adam"]:.0%}}. Trained momentum closes about
# {{(best_rival - np.median(trained["momentum"])) / (best_rival - np.median(kept_phi)):.1f}} of the LSTM's lead over the best tuned rule. The rest
# is the form: what a few constants cannot say.
#
# NAG shows the price. With {{np.sum(trained["nag"] > 1000):.0f}} of 3 seeds its constants were good on the validation tasks, but among the test
# functions there is a steeper one, beyond the cliff. The LSTM cannot fly off like that. Its updates are bounded, as Adam's are: $h$
# lies between −1 and 1, and the read-out is a weighted sum of it.
#
# And all of this is home ground: random bowls of just the kind that they were trained on. What happens elsewhere is the
# question of lesson 15.
#
# ## What a meta-step is
#
# Here is the heart of it. One unroll of $T$ steps starts where the one before has ended; its meta-loss is differentiated, and
# $\phi$ takes a step:
#
# $$ \phi \leftarrow \phi + \mathrm{Adam}\!\left(\frac{\partial}{\partial \phi} \sum_{t=kT}^{(k+1)T-1} w_t\, f(\theta_t)\right)
# \qquad \theta_{kT},\ h_{kT} \text{ constant} \tag{12.1} $$
#
# (Implementation: `backpropagated` in [meta_training/estimators.py](../l2l/meta_training/estimators.py), `run_episode` in [meta_training/loop.py](../l2l/meta_training/loop.py). Test: [test_meta_training.py](../tests/l2l/test_meta_training.py), whose
# `test_no_gradient_crosses_the_boundary_between_two_unrolls` is about the last words.)

# %%
show_source(backpropagated)

# %% [markdown]
# `unrolled` is the loop of the exercise below as a function of $\phi$ and of the state it starts from, $(\theta, h)$. Values cross the
# border between two unrolls, derivatives do not. `reached` goes through `stop_gradient`, so the next unroll takes
# its $\theta$ and $h$ as plain numbers. This is *truncated backpropagation through time*: 100 steps are run, and each
# derivative looks 20 steps ahead at most. The tape holds 20 steps, never 100, and $\phi$ moves five times in an episode and not once.
#
# Around it stands the loop over the unrolls of an episode. `unroll_each` takes this meta-gradient on each of the tasks that are
# learned from at a time. Here that is one task, so every list in the loop has one item. `_meta_step` is Adam's step on the vector of
# all weights. The rest is bookkeeping and care for numbers that are not finite. `l2l.train` does this once for each episode, and
# validates in between.

# %%
show_source(run_episode)

# %% [markdown]
# ## Exercise: write the unrolled loop
#
# At the center of it all stands `unroll`: a loop of five lines. You now know enough to write it. `value_and_grad(task.loss)(theta, batch)` gives
# $f(\theta_t)$ and $\nabla_t$. Three things decide whether the meta-gradient is right:
#
# - $\nabla_t$ is to be a *constant* to the tape that watches $\phi$, as in the paper and in the training above. It does depend on $\phi$,
#   through $\theta_t$; this path is dropped, and with it all second derivatives of $f$.
# - The loss is *not* to be a constant: it must depend on `theta`, or no slope gets back to $\phi$. Plain
#   `task.loss(theta, batch)` does. `mg.known_gradient(loss, theta, gradient)` does, too, and saves work: it is the value `loss`, with a slope
#   that is known already.
# - $f(\theta_t)$ counts *before* update $t$.


# %% tags=["exercise"]
def my_unroll(optimizer, phi, task, theta, state, weights):
    """The meta-loss Σ w_t f(θ_t) and the last θ and h, in first-order mode."""
    meta_loss = 0.0
    for weight in weights:
        loss, gradient = ...  # of task.loss, on a batch from task.next_batch()
        meta_loss = meta_loss + weight * ...
        update, state = ...
        theta = ...
    return meta_loss, theta, state


# %% tags=["check"]
def noisy(seed):
    """A bowl whose every batch shifts its minimum; and a seed gives the same batches again."""
    rng = np.random.default_rng(seed)
    W, y, batches = rng.normal(size=(4, 4)), rng.normal(size=4), np.random.default_rng(seed + 1)
    return Task(rng.normal(size=4), lambda theta, b: mg.sum(mg.square(W @ theta - y - b)), lambda: batches.normal())


def through(unroll, optimizer, phi, weights, seed, **mode):
    """Meta-loss, last θ and h, and meta-gradient."""

    def of_phi(phi):
        task = noisy(seed)
        found = unroll(optimizer, phi, task, task.theta, optimizer.init_state(task.theta), weights, **mode)
        return found[0], mg.stop_gradient(list(found[1:3]))

    (total, (theta, state)), gradient = mg.value_and_grad(of_phi, has_aux=True)(phi)
    return float(mg.stop_gradient(total)), theta, mg.tree.ravel(state)[0], mg.tree.ravel(gradient)[0]


def fault(unroll):
    def yours(*given):
        return verdicts.parts(unroll(*given), "the meta-loss", "the last θ", "the last h")

    small = LSTM(hidden=(3,), preprocess="none", dtype="float64")
    rng = np.random.default_rng(5)
    wild = mg.tree.map(lambda w: rng.normal(scale=0.7, size=w.shape), small.init(rng))
    nag = make_optimizer("nag", learning_rate=0.02)
    for rule, phi, weights, seed in ((small, wild, [0.5, 2.0, 0.0, 3.0], 1), (nag, nag.init(), [1.0] * 6, 2)):
        total, theta, state, gradient = through(l2l.unroll, rule, phi, weights, seed)
        exact = through(l2l.unroll, rule, phi, weights, seed, second_derivatives=True)[-1]
        equal = through(l2l.unroll, rule, phi, [1.0] * len(weights), seed)[0]
        found, end, memory, slope = through(yours, rule, phi, weights, seed)
        fault = verdicts.differs(f"after {len(weights)} steps θ", end, theta, tolerance=1e-6)
        if fault:
            return f"{fault}. Is the update added, the state handed on, and one batch drawn a step?"
        if memory.shape != state.shape or not np.allclose(memory, state):
            return "θ is right; the state that you return is not the last one."
        if np.isclose(found, equal) and not np.isclose(found, total):
            return f"with the weights {weights} the meta-loss is {total:.4f}; {found:.4f} is the sum without weights."
        if not np.isclose(found, total):
            wanted, got = verdicts.apart(total, found)
            return f"the meta-loss is {wanted}, yours {got}. Each f(θ_t) counts before update t, on one batch a step."
        if not np.any(slope):
            return "the value is right, and the meta-gradient is zero: your meta-loss does not depend on theta, as the tape sees it."
        if np.allclose(slope, exact):
            return "the value is right, and so is the exact meta-gradient; but the first-order one was asked for. Stop the gradient at the theta that you differentiate at."
        if not np.allclose(slope, gradient, rtol=1e-8):
            off = np.linalg.norm(slope - gradient) / np.linalg.norm(gradient)
            return f"the value is right; the meta-gradient is off by {100 * off:.2g} %. Only ∇_t is a constant: θ and the state keep their slopes."
    return None


check(my_unroll, that=fault, right="meta-loss, θ and meta-gradient are those of l2l.unroll, for an LSTM and for NAG.")

# %% [markdown]
# <details><summary>Hint</summary>
#
# $\nabla_t$ is a constant if the $\theta$ at which it is taken is one: `mg.stop_gradient(theta)`. The other lines need
# `theta` as it is. The optimizer is called as `optimizer(phi, gradient, state)`.
#
# </details>

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# def my_unroll(optimizer, phi, task, theta, state, weights):
#     """The meta-loss Σ w_t f(θ_t) and the last θ and h, in first-order mode."""
#     meta_loss = 0.0
#     for weight in weights:
#         batch = task.next_batch()
#         loss, gradient = mg.value_and_grad(task.loss)(mg.stop_gradient(theta), batch)
#         meta_loss = meta_loss + weight * mg.known_gradient(loss, theta, gradient)
#         update, state = optimizer(phi, gradient, state)
#         theta = theta + update
#     return meta_loss, theta, state
# ```
#
# Compare it with `l2l.unroll`. What is missing is the switch for the other mode, the curvature that some rules want, and the list of losses.
#
# </details>

# %% [markdown]
# ## Why it begins by standing still
#
# The last layer, the *read-out*, starts with weights 0. So the first updates are 0, whatever the gates say. How
# can something that does nothing learn? Look at the meta-gradient, part by part, before and after one meta-step:

# %%
flat, unravel = mg.tree.ravel(phi)
adam = make_optimizer("adam", learning_rate=0.01)
moments = adam.init_state(flat)
for step in range(2):
    start = task.theta, lstm.init_state(task.theta)
    _, gradient, *_ = meta_gradient(lstm, unravel(flat), task, *start, [1.0] * 20, False)
    parts = unravel(gradient)
    norms = {f"layer {k + 1}": mg.tree.ravel(layer)[0] for k, layer in enumerate(parts["layers"])}
    norms["read-out"] = mg.tree.ravel(parts["output"])[0]
    print(f"meta-step {step}:", "   ".join(f"{name} {np.linalg.norm(g):.3g}" for name, g in norms.items()))
    move, moments = adam(adam.init(), gradient, moments)
    flat = flat + move

# %% [markdown]
# At first only the read-out has a slope. The layers below act on the updates through it, times 0. One meta-step later the
# read-out is not 0, and everything learns. That costs one meta-step. It buys a safe start: a random read-out pushes all
# coordinates the same way, before anything is known about them.
#
# ## How long an unroll?
#
# Here is something to trip over. Cut the 100 steps into unrolls of length 1, and the meta-gradient is not bad but *zero*:

# %%
for length in (1, 2):
    total, gradient, *_ = meta_gradient(lstm, phis[0][1], task, *start, [1.0] * length, False)
    print(f"an unroll of {length}: meta-loss {total:.1f}, length of its meta-gradient {np.linalg.norm(gradient):.3g}")

# %% [markdown]
# $f(\theta_0)$ is paid before the first update, so no $\phi$ can change it. In an unroll of $T$ steps, $T - 1$ updates are judged; the last
# one is never seen by any loss. From $T = 2$ on there is something to learn from. Longer unrolls see further, but then there are
# fewer meta-steps in an episode. Which is better? We give all lengths the same price, 12 episodes of 100 steps. But we have got
# rid of a learning rate only to buy another one, $\eta$ of the meta-steps, and each length may want its own. So try five, with two seeds.

# %%
short = {"episodes": 12, "validate_every": 3, "validation_tasks": 1}
rates, lengths = np.array([1e-3, 1e-2, 3e-2, 0.1, 1.0]), (100, 20, 2)
price = {
    (length, rate): [learn(seed, unroll_length=length, meta_learning_rate=rate, **short)[0] for seed in range(2)]
    for length in lengths
    for rate in rates
}
best = {length: np.array([[t.best for t in price[length, rate]] for rate in rates]) for length in lengths}
figure, axes = figures.lines(
    {
        f"unroll {length}: {1200 // length} meta-steps": (rates, found.mean(axis=1), {"marker": marker})
        for (length, found), marker in zip(best.items(), "so^", strict=True)
    },
    "At the same price, short unrolls learn more",
    x="meta learning rate η",
    y="summed validation loss of the best φ",
    log="xy",
)
for line, found in zip(axes.lines, best.values(), strict=True):
    axes.fill_between(rates, found.min(axis=1), found.max(axis=1), color=line.get_color(), alpha=0.15, linewidth=0)
axes.axhline(1000, color="grey", linestyle=":")
axes.annotate("standing still", (1e-3, 1040), color="dimgrey", fontsize=9)
axes.set_ylim(50, 1300)
axes.set_yticks([50, 100, 200, 500, 1000], ["50", "100", "200", "500", "1000"])
axes.minorticks_off()
show(
    figure,
    alt="Summed validation loss of the best φ after 12 episodes against the meta learning rate, both logarithmic, for unrolls of 100, 20 "
    "and 2 steps, with the range of two seeds. Unrolls of 2 have their lowest point, near 70, at 0.01; unrolls of 20 theirs, near "
    "90, at 0.03; unrolls of 100 stay near 300 at best. At a rate of 1, nearly all stay at 1000, which is standing still.",
)

# %% [markdown]
# Did you expect that? Unrolls of 2 learn fastest. Many shortsighted meta-steps beat few farsighted ones.
# It fits lesson 10: without noise in $f$, a short horizon hardly misleads. And the *state* still runs through all 100 steps;
# only the derivative is cut. With noise, as on a real network, do not count on it. The paper's 20 lies in between.
#
# ## When it does not learn
#
# On the left of each valley training is only slow. On the right there is a cliff: at $\eta =$ `1` nearly all is lost. But from a
# flat line alone you would not know why. Is the rate too high or too low, or is the LSTM broken? `l2l.diagnose` looks at the numbers
# that `train` has recorded:

# %%
print(l2l.diagnose(price[20, 1.0][0]))

# %% [markdown]
# *Saturated gates*: the first big steps have thrown the weights to where sigmoids are flat, and flat means hardly any gradient.
# Later steps cannot do much about it. The damage is done early, when $\phi$ knows nothing. That is what `warmup` in `train` is for:
# it lets $\eta$ rise over the first episodes. It prevents the accident; it does not make a rate good.
#
# ## Summary
#
# 1. A whole update rule can be learned: an LSTM that began by standing still overtook five tuned rules on fresh functions of the same
#    family after about a hundred meta-steps, with three seeds of three, and stayed ahead when momentum, NAG and Adam had all their constants trained.
# 2. A meta-step differentiates a short unroll whose start is a constant, and the loss of every step must depend on $\theta_t$ while the
#    gradient that the rule reads need not.
# 3. Training jumps, so tasks are split three ways and the $\phi$ that is best on validation tasks is kept; and a meta learning rate that
#    is too large saturates the gates, after which hardly a gradient passes.
#
# ## References
#
# - M. Andrychowicz et al., [Learning to learn by gradient descent by gradient descent](https://arxiv.org/abs/1606.04474), NIPS 2016:
#   sections 2.1 and 3.1.
# - S. Hochreiter, A. S. Younger and P. R. Conwell, [Learning to learn using gradient descent](https://doi.org/10.1007/3-540-44668-0_13),
#   ICANN 2001: an LSTM that learns a learning rule.
# - R. J. Williams and J. Peng, [An efficient gradient-based algorithm for on-line training of recurrent network trajectories](https://doi.org/10.1162/neco.1990.2.4.490),
#   Neural Computation 2 (1990): truncated backpropagation through time.
# - Y. Wu, M. Ren, R. Liao and R. Grosse, [Understanding short-horizon bias in stochastic meta-optimization](https://arxiv.org/abs/1803.02021), ICLR 2018.
# - Here: [the experiment at full size](../results/quadratic/table.md), 128 functions and 600 episodes.
#
# ## Next
#
# One line of your loop said `stop_gradient`. It makes the meta-gradient wrong, and the training worked all the same. What was
# thrown away? Next question: {{lesson(13)}}
