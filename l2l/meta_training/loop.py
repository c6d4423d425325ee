"""Meta-training: gradient descent on φ through unrolled optimization, by truncated backpropagation through time."""

import functools
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import fields, replace
from typing import Any

import numpy as np

import minigrad as mg
from l2l.errors import DivergenceError, L2LError
from l2l.evaluation import check_contracts, run
from l2l.meta_training.measurements import finite, measure
from l2l.meta_training.state import Settings, Training, Trajectory
from l2l.meta_training.unrolls import Unroll
from l2l.meta_training.validation import validation_loss, validation_tasks
from l2l.optimizers import Adam, check_optimizer
from l2l.optimizers.interface import Optimizer, Tree, check_phi
from l2l.problems import Problem, family_of
from l2l.workers import spread
from minigrad import threads

MOST_SKIPPED = 10  # in a row: one skipped episode can happen, ten of them mean that φ no longer works on any task


@threads.for_kernels()
def meta_train(
    problem: Problem,
    optimizer: Optimizer,
    *,
    phi: Tree = None,
    resume: Training | None = None,
    report: Callable[[Training], object] | None = None,
    executor: Executor | None = None,
    **settings: Any,
) -> Training:
    """Meta-train optimizer on problem and return a `Training`: the loop of `l2l.train`, without files or progress bar.

    A task is drawn afresh: f and θ_0. The optimizer takes `steps` steps on it, cut into unrolls of `unroll_length`, and
    Adam takes one on φ after each unroll, with the mean over `tasks` tasks. An episode ends when one of them does.
    Before the first and after every `validate_every`-th episode φ is frozen and judged on `validation_tasks` tasks, and
    the best one is kept.

    phi: where to begin, if not at `optimizer.init`. settings: fields of `Settings`. report(training) is called before
    the first and after every episode. executor: whose workers share the tasks of a meta-step and of a validation; None:
    this process does all. The bits are the same.

    resume: a Training, such as report was given, to continue on the same problem with the same optimizer. The result is
    bit-identical to that of an uninterrupted run: an episode depends on nothing else, for its task is drawn by seed and
    number.

    Where the meta-loss or its gradient is not finite, that meta-step is skipped, the rest of the episode is dropped,
    and the next episode starts from the φ there was. Raises DivergenceError after MOST_SKIPPED such episodes in a row,
    or where there was no other. Raises L2LError for settings that cannot work, and for a problem or an optimizer that
    does not keep its contract (`problems.Problem`, `optimizers.UpdateRule`).
    """
    if resume is not None and (phi is not None or settings):
        raise L2LError("a resumed meta-training has its φ and settings: give resume alone")
    check_optimizer(optimizer, phi)
    training = _begun(problem, optimizer, phi, settings_from(settings)) if resume is None else resume
    judges = validation_tasks(problem, training.settings)
    if resume is None:
        training = _validated(problem, optimizer, training, judges, executor)
    unroll_each = spread(Unroll(problem, optimizer, training.settings), executor)
    while True:
        if report:
            report(training)
        _check_not_lost(training)
        if training.finished:
            return training
        training = _after_episode(problem, training, unroll_each)
        if training.validation_is_due:
            training = _validated(problem, optimizer, training, judges, executor)


def settings_from(given: dict[str, Any]) -> Settings:
    """Settings(**given). Raises L2LError, with the names there are, for one that is no setting."""
    names = [field.name for field in fields(Settings)]
    unknown = [name for name in given if name not in names]
    if unknown:
        raise L2LError(f"meta-training has no setting {unknown[0]!r}; it has: {', '.join(names)}")
    return Settings(**given)


def _begun(problem, optimizer, phi, settings):
    phi = optimizer.init(np.random.default_rng([settings.seed, 17])) if phi is None else phi
    check_phi(optimizer, phi)
    if settings.imitation and getattr(optimizer, "uses_curvature", False):
        raise L2LError(f"imitation is for rules that use gradients: set imitation to 0 for {type(optimizer).__name__}")
    check_contracts(problem, optimizer, phi, settings.seed)
    meta_state = Adam().init_state(mg.tree.ravel(phi)[0])
    return Training(phi, phi, phi, meta_state, settings, trajectories=(None,) * settings.tasks)


def _check_not_lost(training):
    skipped = training.skipped_in_a_row
    if skipped >= MOST_SKIPPED or (training.finished and skipped == len(training.history)):
        raise DivergenceError(
            f"the meta-loss or its gradient was not finite in {skipped} episodes in a row, the last being episode "
            f"{len(training.history)}: lower the meta learning rate ({training.settings.meta_learning_rate:g}) or the "
            "optimizer's output scale; for a run with a log, `python -m l2l doctor DIR` says more"
        )


def _after_episode(problem, training, unroll_each):
    """The training after one more episode. The given one is not changed, so that a caller may keep it."""
    begin, episode = time.perf_counter(), len(training.history) + 1
    training, numbers = run_episode(training, training.settings.rate(episode), unroll_each, problem)
    record = {"episode": episode, **numbers, "seconds": time.perf_counter() - begin}
    return replace(training, history=[*training.history, record])


def run_episode(
    training: Training, rate: float, unroll_each: Callable, problem: Problem | None = None
) -> tuple[Training, dict]:
    """Take meta-steps until the first of the trajectories ends. Returns the training after it, but for its history,
    and the numbers of the episode's record.

    unroll_each: gives of a list of pairs (φ, trajectory) what `Unroll` gives of each. A meta-step averages the
    meta-gradients of all trajectories, each clipped by itself, in the order of their tasks' numbers. One whose
    meta-loss or gradient is not finite, or whose loss exploded, is left out and ends: its θ is of no use any more. A
    new task takes the place of one that ended. problem: if it has families, the record tells of each.
    """
    settings, phi, meta_state, clip = training.settings, training.latest, training.meta_state, training.settings.clip
    trajectories: list[Any] = list(training.trajectories)
    drawn = training.drawn
    norms, meta_steps, ended, skipped = [], 0, [], 0
    while True:
        drawn = _draw_missing(trajectories, drawn, settings, training.stage)
        ways = sorted(enumerate(trajectories), key=lambda item: item[1].number)
        gradients, found = [], unroll_each([(phi, way) for _, way in ways])
        for (k, _), (total, gradient, after) in zip(ways, found, strict=True):
            with np.errstate(over="ignore"):
                norm = np.linalg.norm(gradient)  # infinite where Adam's squares would overflow and break its state
            sound = np.isfinite(total) and np.isfinite(norm) and not settings.exploded(after.losses)
            trajectories[k] = after if sound and not after.finished else None
            if sound:
                norms.append(float(norm))
                gradients.append(gradient if clip is None or norm <= clip else gradient * (clip / norm))
                ended += [after] if after.finished else []
            else:
                skipped += 1
        if gradients:
            phi, meta_state = _meta_step(phi, meta_state, gradients, rate)
            meta_steps += 1
        if trajectories[0] is None or not gradients:
            break
    training = replace(training, latest=phi, meta_state=meta_state, meta_steps=training.meta_steps + meta_steps)
    numbers = {
        "train": float(np.mean([float(np.sum(way.losses)) / way.functions for way in ended])) if ended else None,
        "meta_learning_rate": rate,
        "meta_gradient_norm": float(np.mean(norms)) if norms else None,
        "clipped": 0 if clip is None else sum(norm > clip for norm in norms),
        "skipped": skipped,
        **_families(problem, settings.seed, ended),
    }
    return replace(training, drawn=drawn, trajectories=tuple(trajectories)), numbers


def _families(problem, seed, ended):
    """Of a problem with families, as {"families": {name: [mean, count]}}: of each the mean over its tasks that ended of
    log(last loss / first loss), and their number. Of another problem, nothing."""
    if not hasattr(problem, "draw_family"):
        return {}
    ratios = {}
    with np.errstate(all="ignore"):  # a loss may be 0 or below
        for way in ended:
            name = family_of(problem, "train", seed, way.number)
            ratios.setdefault(name, []).append(np.log(way.losses[-1] / way.losses[0]))
        return {"families": {name: [finite(np.mean(some)), len(some)] for name, some in sorted(ratios.items())}}


def _meta_step(phi, meta_state, gradients, rate):
    """φ and the state of Adam after one step with the mean of the meta-gradients."""
    mean = functools.reduce(np.add, [gradient / len(gradients) for gradient in gradients])
    with np.errstate(over="ignore", invalid="ignore"):  # if the rate exceeds float32, the next losses show it
        update, meta_state = Adam()(Adam(rate).init(), mean, meta_state)
    flat, unravel = mg.tree.ravel(phi)
    return _with_dtypes_of(phi, unravel(flat + update)), meta_state


def _draw_missing(trajectories, drawn, settings, stage):
    """Put a new task's trajectory wherever one is missing. Returns how many tasks are drawn then.

    The first ones end early, at different steps, and so those after them begin at different meta-steps: no meta-step
    learns from beginnings alone.
    """
    for k, there in enumerate(trajectories):
        if there is None:
            drawn, steps = drawn + 1, settings.steps_on(drawn + 1, stage)
            early = k if drawn <= settings.tasks else 0
            trajectories[k] = Trajectory(drawn, -(-steps * early // settings.tasks) if early else steps)
    return drawn


def _with_dtypes_of(old, phi):
    """φ with the dtypes of the old one. `ravel` gives all leaves one dtype, but a mixture of rules can have two."""
    leaves, rebuild = mg.tree.flatten(phi)
    return rebuild([leaf.astype(was.dtype) for leaf, was in zip(leaves, mg.tree.flatten(old)[0], strict=True)])


def _validated(problem, optimizer, training, judges, executor):
    """The training after its latest φ was evaluated on validation tasks, and kept if it is the best. judges: what
    `validation_tasks` gives."""
    seed, steps, (numbers, families) = training.settings.seed, training.settings.steps, judges
    phi, history = training.latest, training.history
    curves = run(optimizer, phi, problem, "validation", seed, len(numbers), steps, executor, numbers)
    loss = validation_loss(curves, families)
    diagnostics = measure(optimizer, phi, training.initial, problem, seed, curves)
    found = {"validation": finite(loss), "diagnostics": diagnostics}
    if loss < training.best:  # never true of a loss that is not finite
        training = replace(training, phi=phi, best=loss, best_episode=len(history))
    if not history:
        return replace(training, untrained=found)
    return replace(training, history=[*history[:-1], {**history[-1], **found}])
