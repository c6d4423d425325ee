# %% [markdown]
# # 5 · Who wins, by which rule, and is there a free lunch?
#
# Every paper on optimizers has a figure in which the new one wins. A few years later, someone tunes the old one as
# carefully, and it does not lose any more. From lesson 10 on this course builds an optimizer of its own. So before that we need a race
# that we would believe if somebody else had run it.
#
# You need: the rules of the last lesson ({{lesson(4)}}).

# %%
import itertools
from dataclasses import dataclass, replace

import numpy as np
from course import check, recall, show, show_source, verdicts

import minigrad as mg
from l2l import evaluation, plots
from l2l.optimizers import SGD, Adam, Momentum, RMSprop
from l2l.problems import MNIST, Quadratic, Task, draw_task
from lessons import figures

# %% [markdown]
# ## The rules of a race
#
# Four rules, all of which have been broken in print:
#
# 1. **Same tasks.** Task number $i$ is the same for every optimizer: same start, same data, same order.
# 2. **Everyone is tuned**, over the same learning rates and for the quantity that decides the race.
# 3. **Tuned elsewhere.** The rate is chosen on validation tasks; the race is on test tasks that nobody has seen.
# 4. **No winner at the edge of its grid.** If the largest rate that was tried is the best, a larger one might be better still.
#
# This is how the package does it. The seed, the split and the number of the task determine the task, and `tune` goes on outwards
# while the best lies on the edge. `compare` tunes whoever comes without weights φ, and then runs them all.

# %%
show_source(evaluation.run, evaluation.tune, evaluation.compare)

# %% [markdown]
# ## Three problems
#
# - **Quadratics** of the paper: $f(\theta) = \lVert W\theta - y\rVert^2$ with a random 10×10 matrix, rotated valleys of all
#   widths.
# - **Digits**: a network with 10 hidden units, on minibatches of 32 handwritten digits. (The stored outputs are from the 5,000
#   digits that are there without a network. If yours come from the whole of MNIST, the numbers differ.)
# - **Round bowls**: $f(\theta) = \frac c2 \lVert\theta\rVert^2$, where the task draws $c$ between `0.5` and `2`.
#
# Every run has 100 steps. The score is the sum of the losses on the way, so that speed counts as well as the end. The table and
# the figures divide it by the number of steps.


# %%
@dataclass(frozen=True)
class Bowl:
    """f(θ) = ½ Σ c_i θ_i²: 10 curvatures, spaced evenly on a logarithmic scale; the largest is `spread` times the smallest."""

    spread: float = 1.0

    def sample(self, rng, split="train"):
        c = rng.uniform(0.5, 2.0) * np.geomspace(self.spread**-0.5, self.spread**0.5, 10)
        return Task(rng.normal(size=10), lambda theta, batch: 0.5 * mg.sum(c * mg.square(theta)))


problems = {"quadratics": Quadratic(functions=1), "digits": MNIST(hidden=10, batch=32), "round bowls": Bowl()}
rules = {"SGD": SGD(), "Momentum": Momentum(), "RMSprop": RMSprop(), "Adam": Adam()}
tuning = {"quadratics": 5, "digits": 3, "round bowls": 5}  # tasks to tune on, coarsely
refining = {"quadratics": 20, "digits": 8, "round bowls": 20}  # and finely
races = {"quadratics": 20, "digits": 10, "round bowls": 20}  # tasks to race on
longer = {"quadratics": 200, "digits": 40, "round bowls": 100}  # and to go on to

# %% [markdown]
# ## Your prediction
#
# Momentum, RMSprop and Adam have their constants at the usual values, all four have their learning rates tuned. **Which rule wins on
# the quadratics, which on the digits, which on the round bowls?**

# %% tags=["prediction"]
prediction = ...  # three names, for example "Adam, Adam, Adam"

# %% [markdown]
# ## Run it
#
# First what a tuner sees: the score at every learning rate, on the validation tasks. Lines are means over 5 tasks
# (3 for the digits), bands go from the worst task to the best. Where a run diverges, its line leaves the picture.

# %%
rates = 10.0 ** (np.arange(-8, 4) / 3)


def scores(rule, problem, repeats):
    """The mean loss per step, one row for each learning rate and one column for each validation task."""
    candidates = [replace(rule, learning_rate=float(rate)) for rate in rates]
    curves = [evaluation.run(c, c.init(), problem, "validation", 0, repeats, 100) for c in candidates]
    means = np.array([c.mean(axis=1) for c in curves])
    return np.nan_to_num(means, nan=1e99, posinf=1e99)  # diverged: far above the picture


seen = {p: {r: scores(rule, problem, tuning[p]) for r, rule in rules.items()} for p, problem in problems.items()}
figure, axes = figures.line_panels(
    {p: {r: (rates, s.mean(axis=1)) for r, s in by_rule.items()} for p, by_rule in seen.items()},
    "Every rule has good rates, and no rule is lowest everywhere",
    x="learning rate",
    y="mean loss per step",
    log="xy",
    size=(10, 4),
)
for ax, by_rule in zip(axes, seen.values(), strict=True):
    for line, s in zip(ax.lines, by_rule.values(), strict=True):
        ax.fill_between(rates, s.min(axis=1), s.max(axis=1), color=line.get_color(), alpha=0.15, linewidth=0)
axes[0].set_ylim(0.05, 30)
show(
    figure,
    alt="Mean loss per step against learning rate in three panels, logarithmic, four rules each. Every curve is a valley "
    "with a steep right side. Lowest points: on the quadratics 0.5 (Momentum, Adam) and 0.7 to 0.8 (RMSprop, SGD), with wide "
    "overlapping bands; on the digits 1.2 (Adam, RMSprop) and 1.4 (SGD, Momentum); on the round bowls 0.1 (SGD), 0.2 "
    "(RMSprop), 0.4 (Adam) and 0.5 (Momentum).",
)

# %% [markdown]
# A comparison at *one* rate is a vertical line through such a panel. It can make any rule win: choose the line. So each gets the
# bottom of its own valley.
#
# Here each rate is more than twice the one before. That is coarse, and hard on a rule whose valley is deepest just before it ends in a cliff. So
# from the bottom each walks on, in steps of a fifth and on more validation tasks, for as long as that helps. Then the race is
# run on new tasks.


# %%
def refined(rule, problem, tasks):
    """The rule with the best rate near its own: a walk in steps of 10^(1/12) to where both neighbours are worse."""

    def near(k):
        return replace(rule, learning_rate=float(rule.learning_rate * 10 ** (k / 12)))

    def score(k):
        mean = evaluation.run(near(k), near(k).init(), problem, "validation", 0, tasks, 100).mean()
        return mean if np.isfinite(mean) else np.inf

    scores = {k: score(k) for k in (-1, 0, 1)}
    while (best := min(scores, key=scores.get)) in (min(scores), max(scores)):
        further = best - 1 if best == min(scores) else best + 1
        scores[further] = score(further)
    return near(best)


def tuned(rule, p):
    best = np.argmin(seen[p][rule].mean(axis=1))
    assert 0 < best < len(rates) - 1, "no winner at the edge of its grid"
    return refined(replace(rules[rule], learning_rate=float(rates[best])), problems[p], refining[p])


raced = {p: {name: tuned(name, p) for name in rules} for p in problems}
more = {
    p: evaluation.compare(problems[p], {name: (rule, rule.init()) for name, rule in by_name.items()}, repeats=longer[p])
    for p, by_name in raced.items()
}
found = {
    p: {name: {**entry, "curves": entry["curves"][: races[p]]} for name, entry in result.items()}
    for p, result in more.items()
}


def table(result):
    """For each rule the score of every task, (rules, tasks); infinite where a run left the numbers."""
    scores = np.array([entry["curves"].mean(axis=1) for entry in result.values()])
    return np.where(np.isfinite(scores), scores, np.inf)


def winner(result):
    return list(result)[int(np.argmin(table(result).mean(axis=1)))]


for p, result in found.items():
    first = np.argmin(table(result), axis=0)
    print(f"{p}, {races[p]} tasks")
    for i, (name, entry) in enumerate(result.items()):
        score = table(result)[i]
        error = score.std(ddof=1) / np.sqrt(len(score))
        print(
            f"  {name:9} {score.mean():6.3f} ± {error:.3f}   first on {np.sum(first == i):2} tasks"
            f"   learning rate {entry['learning_rate']:.2g}"
        )

# %%
recall(prediction, ", ".join(map(winner, found.values())))

# %% [markdown]
# Three problems, three winners: {{winner(found["quadratics"])}} in rotated valleys, {{winner(found["digits"])}} on a noisy
# network, {{winner(found["round bowls"])}} on a round bowl, where there is nothing to adapt to. The race was fair. Is it also
# *decided*?
#
# ## Is a victory real?
#
# Behind each ± stands the *standard error*: the spread of the scores over the tasks, divided by the root of their number. It says
# how far a mean may be off by chance. On the quadratics it is several times the lead. But that is the wrong error: a hard task is hard for
# all, and since the tasks are the same, we can subtract task by task. The error of the *difference* is what counts, and it is much
# smaller. Still, is it small enough? The race has gone on, with all four, on more tasks (they are in `more`). We watch the mean lead over the
# second, and twice its standard error.


# %%
def runners_up(result):
    """The names of the first and the second."""
    order = np.argsort(table(result).mean(axis=1))
    return [list(result)[i] for i in order[:2]]


def lead(p, name):
    """The score of a rule minus the winner's, for each task of the long race."""
    scores = dict(zip(rules, table(more[p]), strict=True))
    return scores[name] - scores[winner(found[p])]


def running(x):
    """For k = 5, 6, …: k, the mean of the first k, and twice its standard error."""
    k = np.arange(5, len(x) + 1)
    return k, np.array([x[:n].mean() for n in k]), np.array([2 * x[:n].std(ddof=1) / np.sqrt(n) for n in k])


groups, bands = {}, []
for p, result in found.items():
    first, second = runners_up(result)
    score = table(more[p])[list(rules).index(first)].mean()
    k, mean, error = running(lead(p, second))
    mean, error = 100 / score * mean, 100 / score * error
    groups[f"{p}: {first} before {second}"] = {"mean lead (band: ± 2 standard errors)": (k, mean)}
    bands.append((k, mean - error, mean + error))
figure, axes = figures.line_panels(
    groups,
    "Of three victories one holds, one hangs in the balance, and one was luck",
    x="tasks in the race",
    y="lead, % of the winner's score",
    log="x",
    size=(10, 4),
)
for ax, band, p in zip(axes, bands, found, strict=True):
    ax.fill_between(*band, color=plots.COLOURS[0], alpha=0.15, linewidth=0)
    ax.axhline(0, color="black", linewidth=0.8)
    ax.axvline(races[p], color="grey", linestyle=":", linewidth=1.2)
    ax.annotate(
        "our race", (races[p], 0.97), xycoords=("data", "axes fraction"), rotation=90, va="top", ha="right", fontsize=8
    )
    ax.set_title(ax.get_title(), fontsize=8.5)
axes[0].set_ylim(-30, 50)
show(
    figure,
    alt="Mean lead of the winner over the second, in per cent of its score, against the number of tasks, with bands of two "
    "standard errors. Quadratics, Momentum before Adam: from 8 per cent at 20 tasks it falls to 2 at 200, and the band "
    "holds zero. Digits, Adam before RMSprop: 4 per cent at 10 tasks and at 40, where the lower end of the band is just above zero. "
    "Round bowls, SGD before RMSprop: 20 per cent at 20 tasks and 38 at 100, with all of the band well above zero.",
)


# %%
def error_of(x):
    return x.std(ddof=1) / np.sqrt(len(x))


for p, n in races.items():
    print(f"{p}: the lead of {winner(found[p])} after {n} tasks, and after {longer[p]}")
    for name in rules:
        if name != winner(found[p]):
            gap = lead(p, name)
            print(
                f"  over {name:9}{gap[:n].mean():7.3f} ± {error_of(gap[:n]):.3f}"
                f"   {gap.mean():9.3g} ± {error_of(gap):.2g}   ahead on {np.sum(gap > 0)}"
            )

# %% [markdown]
# SGD's victory on the round bowls was beyond two errors after our race, and it stayed there. Adam's on the digits was not; its lead
# has kept its size, and after 40 tasks it is about {{lead("digits", "RMSprop").mean() / error_of(lead("digits", "RMSprop")):.0f}} errors wide: nearly decided.
# Momentum's on the quadratics melts away: on 200 tasks it is ahead of Adam on {{(lead("quadratics", "Adam") > 0).sum()}}, and the two
# are equal as far as we can see. Twenty runs, tuned, fair, and the name on the medal was luck. Expect that: whoever comes first was
# picked *because* its lead was large, so on new tasks the lead tends to shrink.
#
# Note what the subtraction has saved. On the quadratics Momentum's scores spread over the tasks by
# {{table(more["quadratics"])[1].std():.2f}}, their differences to Adam's by {{lead("quadratics", "Adam").std():.2f}}. Two races on separate tasks would need some
# {{2 * table(more["quadratics"])[1].var() / lead("quadratics", "Adam").var():.0f}} times as many to see as much.
#
# ## What twenty tasks did not show
#
# One line above is no misprint. On the quadratics SGD was last after 20 tasks, and not far behind. After 200 it is behind by
# {{sci(lead("quadratics", "SGD").mean(), 1)}}: on a few tasks its tuned rate *diverges*. On which? Lesson 2 knows. A quadratic has a cliff, at
# $2/\lambda_{\max}$, and each task has its own.

# %%
tasks = [draw_task(problems["quadratics"], "test", 0, i) for i in range(longer["quadratics"])]
hessians = [mg.hessian(lambda theta, task=task: task.loss(theta, None))(task.theta) for task in tasks]
cliffs = np.array([2.0 / np.linalg.eigvalsh(H)[-1] for H in hessians])
rate = raced["quadratics"]["SGD"].learning_rate
rising = {name: entry["curves"][:, -1] > entry["curves"][:, 0] for name, entry in more["quadratics"].items()}
dots = {"linestyle": "", "markersize": 4}
figure, axes = figures.lines(
    {
        "SGD": (cliffs, table(more["quadratics"])[0], {**dots, "marker": "o"}),
        "Momentum": (cliffs, table(more["quadratics"])[1], {**dots, "marker": "s", "alpha": 0.6}),
    },
    "Tuned SGD diverges on the tasks whose cliff lies below its rate",
    x="cliff of the task, 2/λmax",
    y="mean loss per step",
    log="y",
)
axes.axvline(rate, color="grey", linewidth=1)
axes.text(rate + 2e-4, 1e12, f"SGD's rate, {rate:.2g}", va="top", fontsize=9)
show(
    figure,
    alt="Mean loss per step of 200 quadratic tasks, logarithmic, against each task's cliff, from 0.02 to 0.055, for SGD and "
    "Momentum. A vertical line marks SGD's rate, 0.022. To the right of it the dots of both lie between 0.1 and 7. To the left are "
    "8 tasks: two near the line look like the others, on the other six SGD's dots climb steeply, from 20 to 2e13, and Momentum's stay below 3.",
)
for name, scores in zip(rules, table(more["quadratics"]), strict=True):
    print(
        f"{name:9} on {len(scores)} quadratics: mean {scores.mean():8.3g}, median {np.median(scores):.2f}, "
        f"the loss ends above its start on {rising[name].sum()}"
    )

# %% [markdown]
# SGD's rate lies beyond the cliff of {{(cliffs < rate).sum()}} of the 200 tasks. On {{rising["SGD"].sum()}} of them the loss ends above its start, and these few
# are its mean. The best rate of SGD lies just before the cliff (lesson 2 again), so a tuner moves it there: as far as its
# validation tasks allow. All 20 of these allowed it, and so did all 20 of the race. Momentum's cliff is nearly twice as far out, and its best rate
# keeps away from it. **Good on twenty tasks is not safe on two hundred.**
#
# Nor does the error help. The lead over SGD is {{lead("quadratics", "SGD").mean() / error_of(lead("quadratics", "SGD")):.1f}} errors wide, less
# than two: one huge run makes the error as large as the mean. So with every mean say how many runs diverged, and give the
# median, which a few cannot move.
#
# ## Another question, another winner
#
# Now we change what people rarely mention: how long the run is, and whether everyone was tuned. Each row of the table is a fair race, but for
# the last: there every rule has the default rate of its class.

# %%


def of_length(steps):
    """The race on the quadratics with another number of steps: tuned again, on the coarse grid, from the old rates on."""
    problem, again = problems["quadratics"], {}
    for name, rule in raced["quadratics"].items():
        again[name], _ = evaluation.tune(rule, problem, 0, 5, steps, around=rule.learning_rate)
    return evaluation.compare(problem, {name: (rule, rule.init()) for name, rule in again.items()}, steps=steps)


settings = {
    "quadratics,\n10 steps": of_length(10),
    "quadratics,\n100 steps": found["quadratics"],
    "quadratics,\n300 steps": of_length(300),
    "digits,\ntuned": found["digits"],
    "digits,\nnot tuned": evaluation.compare(
        problems["digits"], {name: (rule, rule.init()) for name, rule in rules.items()}, repeats=races["digits"]
    ),
}
swing = {name.split()[1]: table(result)[0] - table(result)[1] for name, result in settings.items() if "steps" in name}
swing = {steps: abs(gap.mean()) / error_of(gap) for steps, gap in swing.items()}  # SGD against Momentum
means = np.array([table(result).mean(axis=1) for result in settings.values()])
ratios = means / means.min(axis=1, keepdims=True)
firsts = [np.bincount(np.argmin(table(result), axis=0), minlength=4) for result in settings.values()]
texts = np.array(
    [
        [f"{'first' if r == 1 else f'{r:.2f} ×'}\nbest on {k} of {sum(row)}" for r, k in zip(line, row, strict=True)]
        for line, row in zip(ratios, firsts, strict=True)
    ]
)
figure = plots.heatmap(
    None,
    ratios,
    texts,
    (list(rules), "rule"),
    (list(settings), "race"),
    "Change the horizon or the tuning, and another rule is first",
    "mean score, relative to the best of the row",
)
show(
    figure,
    alt="A table of five races by four rules: mean score relative to the best. Quadratics: with 10 steps SGD is first, with "
    "100 and 300 steps Momentum, and SGD falls to 1.3 and 1.5 times the best. Digits: tuned, Adam is first and the others are within 1.04 to 1.21; "
    "not tuned, RMSprop is first and the other three are 1.7 times as high.",
)

# %% [markdown]
# With 10 steps, gradient descent is well ahead of Momentum. With 300 it is as far behind. Nothing about the problem has changed.
# The gaps are {{swing["10"]:.1f}} and {{swing["300"]:.1f}} standard errors wide, task by task. (At 100 steps Momentum and Adam
# are equal, as we know by now.) And without tuning, RMSprop
# wins on the digits, only because its default of `0.01` happens to suit this network. Adam's default of `0.001` does not.
#
# Tuning can also be *unequal*. Adam with a free $\varepsilon$ contains momentum as a special case: let $\varepsilon$ be huge. So
# a careful enough search cannot, in principle, leave Adam behind. Choi et al. (2019) found that the ranking of optimizers depends on which
# constants were searched, and turns when the search grows.
#
# ## Another score, another winner
#
# We scored the sum of the losses. Many papers score the last loss. It looks harmless. Here is what `tune` finds for RMSprop on
# the round bowls when the last losses decide:

# %%
show_source("l2l.evaluation.OBJECTIVES")
odd, on_edge = evaluation.tune(RMSprop(), problems["round bowls"], seed=0, repeats=5, steps=100, objective="final")
odd_curves = evaluation.run(odd, odd.init(), problems["round bowls"], "test", 0, 20, 100)
print(f"learning rate {odd.learning_rate:,.0f}, at the edge: {on_edge}")
print("losses of one run:", "  ".join(f"{loss:.1e}" for loss in odd_curves[0][[0, 1, 2, 3, 4, 99]]))

# %% [markdown]
# That is no misprint. The first step, ten times the rate whatever the gradient, throws the point tens of thousands of units away.
# There the gradient is enormous, and RMSprop's memory stores its size: that is the curvature. The next step
# has just the length of the way back, and those after it go straight to the bottom. The last loss is perfect, and a loss on the way was some billions. The tuner did
# what it was told. **A score is an order**, and a search will obey it to the letter. That is why this project sums the
# losses, and why lesson 12 will think about weights.
#
# ## No free lunch
#
# Could one rule win everywhere? Wolpert and Macready (1997) proved that it cannot. Averaged over *all* functions on a finite set, all
# searches that never look twice are equal. We can check that by force. Five places in a row, three possible values: 243 functions. Three
# strategies choose where to look next: in order, near the best so far, or as far from the best as possible.


# %%
def look(f, choose):
    """The lowest value seen after 1, 2, … looks at f, a tuple of values."""
    seen = [2]
    while len(seen) < len(f):
        best = min(seen, key=lambda place: f[place])
        seen.append(choose([place for place in range(len(f)) if place not in seen], best))
    return np.minimum.accumulate([f[place] for place in seen])


strategies = {
    "in order": lambda free, best: free[0],
    "near the best": lambda free, best: min(free, key=lambda place: abs(place - best)),
    "far from the best": lambda free, best: max(free, key=lambda place: abs(place - best)),
}
everything = list(itertools.product(range(3), repeat=5))
smooth = [f for f in everything if all(abs(a - b) <= 1 for a, b in itertools.pairwise(f))]
lunch = {
    (world, name): np.mean([look(f, choose) for f in functions], axis=0)
    for world, functions in {"all": everything, "smooth": smooth}.items()
    for name, choose in strategies.items()
}
for (world, name), mean in lunch.items():
    print(f"{world:7}{name:18}", " ".join(f"{x:.4f}" for x in mean))

# %% [markdown]
# Over all 243 functions the three rows are equal to the last digit, although one of the strategies looks stupid. Keep only the
# {{len(smooth)}} functions whose neighbours differ by at most one, and the rows part. Now the strategy that runs away from the
# best is ahead from the third look on: neighbours are alike, so far places bring more news.
#
# This is not a reason to give up. **A rule wins because it fits the problems**, and the problems of practice are a small and
# orderly part of all functions. That is the very hope of this course: if winning means fitting, a rule could be *fitted*.
#
# In the field the picture is the same. Schmidt, Schneider and Hennig (2021) ran fifteen optimizers, over 50,000 runs in all: the winner varies
# with the task, trying several optimizers with default settings does about as well as tuning one, and Adam remains hard
# to beat.
#
# ## Exercise: make the loser win, and say from where on
#
# RMSprop has won none of our three tuned races. Find one that it wins, **honestly**. That it *can* win is soon shown: a claim
# says where it begins, too. So give a family of problems, which goes by a number $s$, and a border: an $s$ at which RMSprop
# wins, and at a third of which it does not. Choose the family and the number of steps; score (the
# sum) and rules stay. The check runs both races with all four rules and asks for: tasks that differ, at least 5 of
# them for tuning and 20 for the race, and, at the border, nobody at the edge of the grid and a lead of more than two
# standard errors, task by task. Last, write down what you changed and from where on it matters, as you would in a paper.

# %% tags=["exercise"]
family = ...  # a function from a number s to a problem, for example Bowl, or a problem class of your own
border = ...
steps = ...
tuning_tasks = ...
race_tasks = ...
changed = ...  # a sentence


# %% tags=["check"]
def race(problem, **settings):
    """RMSprop's scores, its mean lead over the best of the others, the standard error, that other, whose rate is at the edge."""
    result = evaluation.compare(problem, {name: (rule, None) for name, rule in rules.items()}, **settings)
    scores = {name: entry["curves"].mean(axis=1) for name, entry in result.items()}
    own = scores.pop("RMSprop")
    best = min(scores, key=lambda name: np.nan_to_num(scores[name].mean(), nan=np.inf))
    lead = scores[best] - own
    edge = [name for name, entry in result.items() if entry["grid_edge"]]
    return own, lead.mean(), lead.std(ddof=1) / np.sqrt(len(lead)), best, edge


def unfair(answer):
    family, border, steps, tuning_tasks, race_tasks, changed = answer
    border = verdicts.number(border, "border")
    if not isinstance(changed, str) or len(changed.split()) < 6:
        return "say what you changed, in a sentence of at least six words."
    if tuning_tasks < 5 or race_tasks < 20:
        return f"{tuning_tasks} tasks for tuning and {race_tasks} for the race are too few: 5 and 20 is the least."
    if not 10 <= steps <= 300 or race_tasks > 100 or tuning_tasks > 20:
        return "keep to 10 to 300 steps, at most 20 tasks for tuning and 100 for the race."
    settings = {"steps": steps, "repeats": race_tasks, "tuning_repeats": tuning_tasks}
    scores, lead, error, best, edge = race(family(border), **settings)
    different = len(np.unique(np.round(1000 * scores / np.abs(scores).mean())))
    if different < race_tasks / 2:
        return f"to a thousandth, {race_tasks} tasks have {different} scores: one task, run many times, is one task."
    if edge:
        return f"the best rate of {' and '.join(edge)} lies at the edge of the grid: nobody knows how good it could be."
    if lead <= 0:
        return f"at s = {border:g} RMSprop loses to {best} by {-lead:.3g} ± {error:.3g}."
    if not lead > 2 * error:
        return f"RMSprop leads {best} by {lead:.3g} ± {error:.3g}: less than two errors, it may be luck."
    _, lead, error, _, _ = race(family(border / 3), **settings)
    if lead > 2 * error:
        return f"at a third of s = {border:g} it wins, too, by {lead:.3g} ± {error:.3g}. The border lies lower."
    return None


check(
    (family, border, steps, tuning_tasks, race_tasks, changed),
    that=unfair,
    right="a fair win. Would a reader of your sentence know when *not* to use RMSprop?",
)

# %% [markdown]
# <details><summary>Hint</summary>
#
# What does RMSprop have that SGD and Momentum lack? When is it worth something ({{lesson(4)}})? The class `Bowl` has a setting for it. And what
# does it have less of than Adam, so that it does not swing? Try a large $s$ first, then thirds of it.
#
# </details>

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# Scales that belong to the coordinates. The curvatures of one bowl differ by a factor $s$, along the coordinates. SGD and Momentum
# must serve all with one rate; Adam adapts, but its momentum swings where there is no noise to average. With 100 and with 1,000
# RMSprop wins as well; with 3 the bowls are too round for it.
#
# ```python
# family = Bowl
# border = 10.0
# steps = 100
# tuning_tasks = 5
# race_tasks = 20
# changed = "The curvatures of a bowl differ along the coordinates, by a factor of 10 or more; all else is as before."
# ```
#
# It is honest, and it is no praise of RMSprop: on the quadratics, whose valleys are rotated, it came third.
#
# </details>

# %% [markdown]
# ## Summary
#
# 1. In a fair race everyone meets the same tasks, is tuned as carefully, on other tasks, and wins nowhere at the edge of a grid.
# 2. A lead is judged by its error, task by task, and more tasks bring news: one of three victories vanished, and a rule that was
#    tuned close to its cliff diverged.
# 3. Problem, horizon, tuning and score each change the winner, so a claim without them says nothing, and no rule wins on all.
#
# ## References
#
# - D. Choi, C. J. Shallue, Z. Nado, J. Lee, C. J. Maddison and G. E. Dahl, [On empirical comparisons of optimizers for deep
#   learning](https://arxiv.org/abs/1910.05446), 2019.
# - R. M. Schmidt, F. Schneider and P. Hennig, [Descending through a crowded valley: benchmarking deep learning
#   optimizers](https://arxiv.org/abs/2007.01547), ICML 2021.
# - D. H. Wolpert and W. G. Macready, [No free lunch theorems for optimization](https://doi.org/10.1109/4235.585893), IEEE
#   Transactions on Evolutionary Computation 1 (1997).
#
# ## Next
#
# A race that can be believed is there. Before a rule can be fitted, something must take derivatives through the rule. Next
# question: {{lesson(6)}}
