"""What it costs to drop the second derivatives: the first-order meta-gradient beside the exact one."""

import time
import tracemalloc

import numpy as np

from l2l import plots
from l2l.optimizers import make_optimizer
from l2l.problems import draw_task
from l2l.reproduce.workshop import Learned, Outcome, markdown, race, rounded, spread
from l2l.train import meta_gradient
from minigrad import threads

MODES = {"first-order": False, "exact": True}


def run(settings, workshop):
    rows, claims, angles, results = [], [], {}, {}
    for kind, changes in settings["kinds"].items():
        if changes is None:  # a quick run does without
            continue
        recipe = workshop.recipe(kind)
        recipe["training"] |= changes["training"]
        test, problem = changes["test"], workshop.problem(recipe["problem"])
        sums, snapshots = {mode: [] for mode in MODES}, []
        for seed in range(settings["seeds"]["count"]):
            for mode, exact in MODES.items():
                watch = _keep(snapshots) if not seed and not exact else None
                what = f"{kind}, {mode}, seed {seed}"
                options = {"seed": seed, "second_derivatives": exact}
                training = workshop.train(recipe, changes["meta_learning_rate"], what, watch, **options)
                learned = Learned(make_optimizer("lstm", **recipe["lstm"]), training.phi, {})
                curves = race(learned, problem, test)["curves"]
                sums[mode].append(curves.sum(axis=1).mean() / test["divide_by"])
        optimizer, length = make_optimizer("lstm", **recipe["lstm"]), recipe["training"]["unroll_length"]
        cosines = {
            step: _cosines(problem, optimizer, phi, recipe["training"]["steps"], length) for step, phi in snapshots
        }
        angles[kind] = {step: np.degrees(np.arccos(np.minimum(1.0, c))) for step, c in cosines.items()}
        prices = _prices(problem, optimizer, snapshots[-1][1], length)
        better = np.array(sums["first-order"]) - np.array(sums["exact"])
        for mode in MODES:
            price = prices[mode]
            rows.append([kind, mode, spread(sums[mode]), f"{price['ms']:.0f}", f"{price['megabytes']:.0f}"])
        claims += _claims(kind, angles[kind])
        results[kind] = {
            "summed loss": rounded(sums),
            "exact is better by": f"{spread(better)}, in {(better > 0).sum()} of {len(better)} seeds",
            "cosine": {str(step): rounded(c) for step, c in cosines.items()},
            "price": rounded(prices),
        }
        rows[-1].append(results[kind]["exact is better by"])
        rows[-2].append("")
    plots.angles(workshop.out / "figure.png", angles, "How far the first-order meta-gradient points from the exact one")
    header = [
        "problem",
        "meta-gradient",
        "summed loss of what it trains, ± over seeds",
        "ms",
        "MB",
        "exact is better by",
    ]
    return Outcome(markdown(header, rows), claims, results)


def _claims(kind, by_step):
    """That the two agree before training, and do not later: by_step {meta-steps: degrees of each unroll}."""
    before, most = by_step[0].max(), max(degrees.max() for degrees in by_step.values())
    return [
        (f"{kind}: before training the two point the same way, to {before:.1g}°", before < 1.0),
        (f"{kind}: along training they part, by up to {most:.0f}°", most > 10.0),
    ]


def _keep(snapshots):
    """A look at a training that takes φ along whenever there was a validation, as pairs (meta-steps, φ)."""

    def watch(training):
        if not training.history or "validation" in training.history[-1]:
            snapshots.append((training.meta_steps, training.latest))

    return watch


@threads.for_kernels()
def _cosines(problem, optimizer, phi, steps, length):
    """The cosine between the two meta-gradients at φ, for each unroll along one validation episode."""
    task, found = draw_task(problem, "validation", 0, 0), []
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
        found.append(first @ exact / norms if norms > 0 else 1.0)
    return np.array(found)


@threads.for_kernels()
def _prices(problem, optimizer, phi, length, rounds=5):
    """Median milliseconds and peak megabytes of arrays of one meta-gradient, the modes taking turns."""
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
