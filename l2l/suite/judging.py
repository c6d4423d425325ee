"""How far an optimizer comes on the losses of the suite, and how far tuned rivals come."""

import functools
import json
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np

from l2l import files
from l2l.optimizers import Scheduled, fitted, make_optimizer
from l2l.optimizers.interface import Optimizer, Tree
from l2l.problems import draw_task
from l2l.suite.interface import SuiteLoss
from l2l.unrolling import unroll
from l2l.workers import spread
from minigrad import threads, value_and_grad

BATCHES = 20  # fresh minibatches on which a loss is measured, before the first step and after the last
EPSILON = 1e-6  # of the loss at the start: whoever reaches that has solved the task
WORST = 5.0  # the log ratio that counts for a run which ended worse than that, or diverged
RATES = tuple(10.0 ** (k / 2) for k in range(-8, 1))  # nine, from 1e-4 to 1
TUNED = ("adam", "adamw", "nag", "rmsprop")


def judge(
    optimizer: Optimizer,
    phi: Tree,
    losses: list[SuiteLoss],
    steps: int,
    runs: int,
    executor: Executor | None = None,
) -> dict[str, list[float]]:
    """{name of the loss: log(f(θ_T)/f(θ_0) + EPSILON) of each run}, WORST at most.

    Run i is on the same task, from the same θ_0, for every optimizer. Losses of minibatches are means over BATCHES
    fresh ones, the same at θ_0 and at θ_T. executor: whose workers share the runs; None: this process does all.
    """
    calls = [(loss, i) for loss in losses for i in range(runs)]
    found = spread(functools.partial(_reached, optimizer, phi, steps), executor)(calls)
    return {loss.name: found[k * runs : (k + 1) * runs] for k, loss in enumerate(losses)}


@threads.for_kernels()
def _reached(optimizer, phi, steps, loss, i):
    task = draw_task(loss, "test", 0, i)
    rule = fitted(optimizer, task, steps)
    with np.errstate(all="ignore"):  # a diverging run is a result
        _, theta, *_ = unroll(rule, phi, task, task.theta, rule.init_state(task.theta), [1.0] * steps)
        return log_ratio(task, theta)


def log_ratio(task: Any, theta: Any) -> float:
    """log(f(θ)/f(θ_0) + EPSILON) on the task's next BATCHES batches, WORST where it is more or f(θ) is not finite."""
    batches = [task.next_batch() for _ in range(BATCHES)]
    batches = batches[:1] if batches[0] is None else batches
    start, end = (np.mean([float(task.loss(at, batch)) for batch in batches]) for at in (task.theta, theta))
    return min(WORST, float(np.log(end / start + EPSILON))) if np.isfinite(end) else WORST


def rivals(rules: Sequence[str]) -> dict[str, Any]:
    """{name: rule} of the rules at each of RATES, at that rate throughout and with cosine decay to 0."""
    plain = {(name, rate): make_optimizer(name, learning_rate=rate) for name in rules for rate in RATES}
    constant = {name_of(*key): rule for key, rule in plain.items()}
    return constant | {name_of(*key, cosine=True): Scheduled({key[0]: rule}) for key, rule in plain.items()}


def name_of(rule: str, rate: float, cosine: bool = False) -> str:
    return f"{rule} {rate:.2g}{' cosine' if cosine else ''}"


def lbfgs(losses: list[SuiteLoss], steps: int, runs: int) -> dict[str, list[float]]:
    """As `judge`, of SciPy's L-BFGS with `steps` gradients, on the losses that have no minibatches."""
    found = {}
    for loss in losses:
        tasks = [draw_task(loss, "test", 0, i) for i in range(runs)]
        if tasks[0].next_batch() is None:
            found[loss.name] = [_lbfgs(task, steps) for task in tasks]
    return found


@threads.for_kernels()
def _lbfgs(task, steps):
    from scipy.optimize import minimize  # takes half a second, and SciPy 1.13 fails where stderr is closed

    best = [np.inf, task.theta]
    gradient_of = value_and_grad(task.loss)

    def f(theta):
        value, gradient = gradient_of(theta.astype(task.theta.dtype), None)
        if value < best[0]:
            best[:] = float(value), theta.astype(task.theta.dtype)
        return float(value), np.asarray(gradient, float)

    with np.errstate(all="ignore"):
        # It counts gradients only between line searches, so it may take a few more than `steps`.
        minimize(f, task.theta.astype(float), jac=True, method="L-BFGS-B", options={"maxfun": steps})
        return log_ratio(task, best[1])


def judge_rivals(
    path: Path,
    losses: list[SuiteLoss],
    steps: int,
    runs: int,
    executor: Executor | None = None,
    rules: Sequence[str] = TUNED,
    report: Callable[[str], object] | None = None,
) -> dict[str, dict[str, list[float]]]:
    """{rival: its results}, of `rivals(rules)` and "l-bfgs". What the JSON file at path has already is read from there,
    and what it lacks is added, one rival after another; report(rival), where given, is called after each of them."""
    there = json.loads(path.read_text()) if path.exists() else {}
    if there.get("runs") != runs:
        there = {"runs": runs, "steps": steps, "results": {}}
    results = there["results"]
    for name, rule in {**rivals(rules), "l-bfgs": None}.items():
        known = results.setdefault(name, {})
        if todo := [loss for loss in losses if loss.name not in known]:
            new = judge(rule, rule.init(), todo, steps, runs, executor) if rule else lbfgs(todo, steps, runs)
            known.update({loss: [float(f"{x:.5g}") for x in ratios] for loss, ratios in new.items()})
            files.write_json(path, there)
        if report:
            report(name)
    names = [loss.name for loss in losses]
    asked = {rival: known for rival, known in results.items() if rival == "l-bfgs" or rival.split()[0] in rules}
    return {rival: {name: known[name] for name in names if name in known} for rival, known in asked.items()}
