"""Fair comparison of optimizers: tuned on validation tasks, and run on the same test tasks."""

import dataclasses
import functools
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

import numpy as np

from l2l.errors import L2LError
from l2l.optimizers import check_optimizer, fitted
from l2l.optimizers.interface import Optimizer, Tree, check_rule
from l2l.problems import Curvature, Problem, draw_task
from l2l.problems.interface import scalar
from l2l.registry import whole
from l2l.unrolling import unroll
from l2l.workers import spread
from minigrad import threads

POINTS_PER_DECADE = 3
MOST_POINTS = 24  # of the grid of learning rates; if the best is still at its edge then, that is reported


@threads.for_kernels()
def run(
    optimizer: Optimizer,
    phi: Tree,
    problem: Problem,
    split: str,
    seed: int,
    repeats: int,
    steps: int,
    executor: Executor | None = None,
    numbers: list[int] | None = None,
) -> np.ndarray:
    """The losses f(θ_0), …, f(θ_{steps−1}) of `repeats` runs, divided by the task's `functions`: (repeats, steps).

    Run i uses task i of the split for this seed, or task numbers[i], for every optimizer. A run that diverges has
    infinite or NaN losses from that step on. executor: whose workers share the runs; None: this process does all.
    """
    whole(steps=steps, repeats=repeats)
    each = spread(functools.partial(_run, optimizer, phi, problem, split, seed, steps), executor)
    return np.stack(each([(i,) for i in numbers or range(repeats)]))


def _run(optimizer, phi, problem, split, seed, steps, i):
    task = draw_task(problem, split, seed, i)
    rule = fitted(optimizer, task, steps)
    with np.errstate(all="ignore"):  # a diverging run is a result, not a warning
        losses = unroll(rule, phi, task, task.theta, rule.init_state(task.theta), [1.0] * steps)[-1]
        return np.asarray(losses, np.float64) / task.functions


def check_contracts(problem, optimizer, phi, seed):
    """Draw a task, evaluate its loss once, take two steps. Raises L2LError where what they return cannot be used."""
    task = draw_task(problem, "validation", seed, 0)
    batch = task.next_batch()
    with np.errstate(all="ignore"):  # losses that are not finite are results
        scalar(task.loss(task.theta, batch))
    rule = fitted(optimizer, task, 2)
    curvature = [Curvature(task.loss, task.theta, batch)] if getattr(rule, "uses_curvature", False) else []
    check_rule(rule, rule.init(None) if phi is None else phi, task.theta, *curvature)


OBJECTIVES = {
    "sum": lambda curves: curves.sum(axis=1).mean(),
    "final": lambda curves: curves[:, -max(1, curves.shape[1] // 10) :].mean(),
}
"""What a learning rate is tuned for: the summed loss, or the loss at the end (the mean over the last tenth of the
steps, because one minibatch is noisy)."""


def tune(
    optimizer: Any,
    problem: Problem,
    seed: int,
    repeats: int,
    steps: int,
    objective: str = "sum",
    around: float | None = None,
    executor: Executor | None = None,
) -> tuple[Any, bool]:
    """The optimizer with its best learning rate on validation tasks, and whether that is at the edge of the grid.

    objective: a key of OBJECTIVES. The grid has three rates per decade, from 10⁻³ to 1, or, if `around` is given, only
    the nearest one to it and its two neighbours. It grows outwards while the best rate is at its edge, up to
    MOST_POINTS rates. executor: as of `run`.
    """

    def score(exponent):
        candidate = dataclasses.replace(optimizer, learning_rate=_rate(exponent))
        curves = run(candidate, candidate.init(), problem, "validation", seed, repeats, steps, executor)
        value = OBJECTIVES[objective](curves)
        return value if np.isfinite(value) else np.inf

    first, last = -3 * POINTS_PER_DECADE, 0
    if around is not None:
        middle = round(POINTS_PER_DECADE * np.log10(around))
        first, last = middle - 1, middle + 1
    scores = {exponent: score(exponent) for exponent in range(first, last + 1)}
    while True:
        best = min(scores, key=scores.__getitem__)
        on_edge = best in (min(scores), max(scores))
        if not on_edge or len(scores) >= MOST_POINTS:
            return dataclasses.replace(optimizer, learning_rate=_rate(best)), on_edge
        further = best - 1 if best == min(scores) else best + 1
        scores[further] = score(further)


def _rate(exponent):
    return float(10.0 ** (exponent / POINTS_PER_DECADE))


def compare(
    problem: Problem,
    entries: dict[str, tuple[Optimizer, Tree]],
    *,
    steps: int = 100,
    repeats: int = 20,
    tuning_repeats: int = 5,
    seed: int = 0,
    report: Callable[[str], object] | None = None,
    executor: Executor | None = None,
) -> dict[str, dict[str, Any]]:
    """Race optimizers on the same fresh test tasks.

    problem: from `l2l.make_problem`, a class of one's own, or `l2l.problem_of(loss, start)`, made of a loss alone.
    entries: {name: (optimizer, φ)}; with φ None the rule's own constants are used, its learning rate tuned first.
    Returns {name: {"learning_rate", "grid_edge", "curves"}}, curves being `run`'s array; the learning rate is the one
    in φ, and None where a rule has none. report(name), where given, is called when an entry is done. A run that
    diverges is a result, too: see `run`. executor: any `concurrent.futures.Executor`, whose workers share the runs.

    Raises L2LError for arguments that cannot work, or a problem or an optimizer that does not keep its contract.
    """
    _check_entries(entries)
    whole(steps=steps, repeats=repeats, tuning_repeats=tuning_repeats)
    for optimizer, phi in entries.values():
        check_contracts(problem, optimizer, phi, seed)
    results = {}
    for name, (optimizer, phi) in entries.items():
        on_edge = False
        if phi is None:
            optimizer, on_edge = tune(optimizer, problem, seed, tuning_repeats, steps, executor=executor)
            phi = optimizer.init()
        curves = run(optimizer, phi, problem, "test", seed, repeats, steps, executor)
        results[name] = {"learning_rate": _rate_in(phi, optimizer), "grid_edge": on_edge, "curves": curves}
        if report:
            report(name)
    return results


def _rate_in(phi, optimizer):
    """The learning rate in φ, which meta-training may have changed, or None for a rule without one."""
    rate, log_rate = getattr(optimizer, "learning_rate", None), "log_learning_rate"
    if rate is None or not isinstance(phi, dict) or log_rate not in phi:
        return rate
    with np.errstate(over="ignore"):
        return rate if phi[log_rate] == np.log(rate) else float(np.exp(phi[log_rate]))


def _check_entries(entries):
    if not isinstance(entries, dict):
        raise L2LError(f"entries is a dict {{name: (optimizer, φ)}}, not {entries!r}")
    for name, entry in entries.items():
        if not (isinstance(entry, (tuple, list)) and len(entry) == 2):
            raise L2LError(f"entries[{name!r}] is a pair (optimizer, φ), not {entry!r}")
        optimizer, phi = entry
        check_optimizer(optimizer, phi)
        if phi is None and not hasattr(optimizer, "learning_rate"):
            raise L2LError(f"entries[{name!r}] has no learning rate to tune: give it a φ, from l2l.load or l2l.train")
        if phi is None and not dataclasses.is_dataclass(optimizer):
            raise L2LError(f"entries[{name!r}] is no dataclass, so its learning rate cannot be tuned: give it a φ")


def summary(results):
    """The results of `compare` as numbers, by name. loss_mean[t] is the mean of f(θ_t), before update t; diverged is
    the number of runs with a loss that is not finite, which makes the means infinite."""
    return {name: _summary(result) for name, result in results.items()}


def _summary(result):
    curves = np.where(np.isfinite(result["curves"]), result["curves"], np.inf)
    sums = curves.sum(axis=1)
    return {
        "learning_rate": result["learning_rate"],
        "grid_edge": result["grid_edge"],
        "diverged": int((~np.isfinite(sums)).sum()),
        "loss_mean": curves.mean(axis=0).tolist(),
        "loss_sem": standard_error(curves).tolist(),
        "sum": float(sums.mean()),
        "final": float(curves[:, -1].mean()),
        "sum_per_run": sums.tolist(),
    }


def standard_error(curves):
    """The standard error of the mean over runs, s/√n with s² = Σ_i (x_i − x̄)²/(n − 1), at each step: curves (runs,
    steps) give (steps,). 0 for a single run, and NaN where a loss is infinite."""
    if len(curves) == 1:
        return np.zeros(curves.shape[1])
    with np.errstate(invalid="ignore"):  # infinite losses
        return curves.std(axis=0, ddof=1) / np.sqrt(len(curves))
