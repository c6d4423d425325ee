"""What dropping the second derivatives costs: the first-order meta-gradient compared with the exact one."""

import time
import tracemalloc
from functools import partial

import numpy as np

from l2l import evaluation, plots
from l2l.errors import DivergenceError
from l2l.experiments.runner import Outcome, markdown, rounded, spread
from l2l.meta_training.unrolls import meta_gradient
from l2l.optimizers import make_optimizer
from l2l.problems import draw_task
from minigrad import threads

MODES = {"first-order": False, "exact": True}


def run(settings, runner):
    """For each problem and mode: tune the meta learning rate and the clipping on validation tasks, then train with the
    best pair and other seeds, and test."""
    rows, tried, claims, angles, results = [], [], [], {}, {}
    seeds = settings["seeds"]
    for kind, given in settings["kinds"].items():
        if given is None:  # a quick run leaves this problem out
            continue
        entry = partial(_entry, runner, kind, given)
        rates, clips = given["grid"]["meta_learning_rate"], given["grid"]["clip"]
        grid = [{"meta_learning_rate": rate, "clip": clip} for rate in rates for clip in clips]
        tuning = {
            mode: [[_loss(entry(mode, cell, seed, "validation"), given) for seed in seeds["tuning"]] for cell in grid]
            for mode in MODES
        }
        tuned = {mode: grid[np.argmin(np.mean(tuning[mode], axis=1))] for mode in MODES}
        tests = {mode: [entry(mode, tuned[mode], seed, "test") for seed in seeds["reported"]] for mode in MODES}
        sums = {mode: [_loss(result, given) for result in tests[mode]] for mode in MODES}
        clipped = {mode: [result["clipped"] for result in tests[mode]] for mode in MODES}
        along = entry("first-order", tuned["first-order"], seeds["reported"][0], "along")
        cosines, prices = along["cosine"], along["price"]
        angles[kind] = {int(step): np.degrees(np.arccos(np.minimum(1.0, c))) for step, c in cosines.items()}
        better = np.array(sums["first-order"]) - np.array(sums["exact"])
        text = f"{spread(better)}, in {(better > 0).sum()} of {len(better)} seeds"
        for mode, last in zip(MODES, ("", text), strict=True):
            measured = [f"{np.mean(clipped[mode]):.0%}", spread(sums[mode])]
            price = [f"{prices[mode][unit]:.0f}" for unit in ("ms", "megabytes")]
            rows.append([kind, mode, *map(_number_or_none, tuned[mode].values()), *measured, *price, last])
        for k, cell in enumerate(grid):
            means = [f"{np.mean(tuning[mode][k]):.3g}" for mode in MODES]
            tried.append([kind, *map(_number_or_none, cell.values()), *means])
        claims += _claims(kind, angles[kind])
        results[kind] = {
            "tuned": tuned,
            "tuning": [{**cell, **{mode: rounded(tuning[mode][k]) for mode in MODES}} for k, cell in enumerate(grid)],
            "summed loss": rounded(sums),
            "exact is better by": text,
            "share of meta-steps clipped": rounded(clipped),
            "cosine": cosines,
            "price": prices,
        }
    plots.angles(runner.out / "figure.png", angles, "How far the first-order meta-gradient points from the exact one")
    header = [
        "problem",
        "meta-gradient",
        "meta learning rate",
        "clip",
        "meta-steps clipped",
        "summed loss of what it trains, ± over seeds",
        "ms",
        "MB",
        "exact is better by",
    ]
    others = ", ".join(map(str, seeds["tuning"]))
    how = f"Both were chosen for the mean summed loss on validation tasks, of trainings with other seeds ({others}):"
    tuning = markdown(["problem", "meta learning rate", "clip", *MODES], tried)
    return Outcome(f"{markdown(header, rows)}\n{how}\n\n{tuning}", claims, results)


def _entry(runner, kind, given, mode, cell, seed, split):
    """The cached result of one meta-training: the losses of its optimizer on tasks of the split. For split "along": the
    cosines between the two meta-gradients along the training, and what each costs."""
    recipe, test = runner.recipe(kind, **given["problem"]), given["test"]
    recipe["training"] |= {**given["training"], "clip": cell["clip"]}
    rate = cell["meta_learning_rate"]
    what = f"{kind}, {mode}, rate {rate:g}, clip {_number_or_none(cell['clip'])}, {split}, seed {seed}"
    problem, optimizer = runner.problem(recipe["problem"]), make_optimizer("lstm", **recipe["lstm"])

    def train(watch=None):
        return runner.train(recipe, rate, what, watch, seed=seed, second_derivatives=MODES[mode])

    def race():
        try:
            training = train()
        except DivergenceError:  # the worst possible result for this pair
            return {"curves": np.full((1, 1), np.inf), "clipped": np.nan}
        curves = evaluation.run(optimizer, training.phi, problem, split, test["seed"], test["runs"], test["steps"])
        clipped = sum(record["clipped"] for record in training.history) / training.meta_steps
        return {"curves": curves, "clipped": clipped}

    def along():
        snapshots, steps, length = [], recipe["training"]["steps"], recipe["training"]["unroll_length"]
        training = train(_take_snapshots(snapshots))
        cosines = {str(step): rounded(_cosines(problem, optimizer, phi, steps, length)) for step, phi in snapshots}
        price = rounded(_prices(problem, optimizer, training.latest, length))
        return {"curves": np.zeros((0, 0)), "cosine": cosines, "price": price}

    key = {"recipe": recipe, "rate": rate, "test": test}
    return runner.cache(what, key, along if split == "along" else race)


def _loss(entry, given):
    """The summed loss, in the problem's unit; infinite where a run diverged."""
    loss = entry["curves"].sum(axis=1).mean() / given["test"]["divide_by"]
    return loss if np.isfinite(loss) else np.inf


def _claims(kind, by_step):
    """The claims that the two agree before training and not later. by_step: {meta-steps: degrees of each unroll}."""
    before, most = by_step[0].max(), max(degrees.max() for degrees in by_step.values())
    return [
        (f"{kind}: before training the two point the same way, to {before:.1g}°", before < 1.0),
        (f"{kind}: along training they part, by up to {most:.0f}°", most > 10.0),
    ]


def _number_or_none(value):
    return "none" if value is None else f"{value:g}"


def _take_snapshots(snapshots):
    """A watch function that appends φ to snapshots ten times during the training, as pairs (meta-steps, φ)."""

    def watch(training):
        if len(training.history) % max(1, training.settings.episodes // 10) == 0:
            snapshots.append((training.meta_steps, training.latest))

    return watch


@threads.for_kernels()
def _cosines(problem, optimizer, phi, steps, length):
    """The cosine between the two meta-gradients at φ, for each unroll along one validation episode."""
    task, cosines = draw_task(problem, "validation", 0, 0), []
    theta, state = task.theta, optimizer.init_state(task.theta)
    for _ in range(steps // length):
        batches = [task.next_batch() for _ in range(length)]
        gradients = []
        for exact in MODES.values():
            replay = iter(batches)
            same = type(task)(task.theta, task.loss, lambda replay=replay: next(replay), task.functions)
            _, gradient, *reached = meta_gradient(optimizer, phi, same, theta, state, [1.0] * length, exact)
            gradients.append(np.asarray(gradient, np.float64))
        theta, state, _ = reached
        first, exact = gradients
        norms = np.linalg.norm(first) * np.linalg.norm(exact)
        cosines.append(first @ exact / norms if norms > 0 else 1.0)
    return np.array(cosines)


@threads.for_kernels()
def _prices(problem, optimizer, phi, length, rounds=5):
    """Median milliseconds and peak megabytes of arrays of one meta-gradient; the modes take turns."""
    task = draw_task(problem, "validation", 0, 0)
    seconds, megabytes = {mode: [] for mode in MODES}, {}

    def once(exact):
        meta_gradient(optimizer, phi, task, task.theta, optimizer.init_state(task.theta), [1.0] * length, exact)

    for _ in range(rounds):
        for mode, exact in MODES.items():
            start = time.perf_counter()
            once(exact)
            seconds[mode].append(time.perf_counter() - start)
    for mode, exact in MODES.items():
        tracemalloc.start()
        once(exact)
        megabytes[mode] = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
    return {mode: {"ms": 1e3 * float(np.median(seconds[mode])), "megabytes": megabytes[mode]} for mode in MODES}
