"""Meta-training: gradient descent on φ through unrolled optimization, by truncated backpropagation through time."""

import time
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import numpy as np

import minigrad as mg
from l2l.errors import DivergenceError, L2LError
from l2l.evaluation import check_contracts, run
from l2l.meta_training.measurements import finite, measure
from l2l.meta_training.state import WEIGHTS, Settings, Training
from l2l.optimizers import Adam, check_optimizer, fitted
from l2l.optimizers.interface import Array, Optimizer, Tree, check_phi
from l2l.problems import Problem, Task, draw_task
from l2l.unrolling import unroll
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
    **settings: Any,
) -> Training:
    """Meta-train optimizer on problem and return a `Training`: the loop of `l2l.train`, without files or progress bar.

    An episode draws f and θ_0 afresh, takes `steps` steps cut into unrolls of `unroll_length`, and after each unroll
    one step of Adam on φ. Before the first and after every `validate_every`-th episode φ is frozen and judged on
    `validation_tasks` tasks, and the best one is kept. phi: where to begin, if not at `optimizer.init`. settings:
    fields of `Settings`. report(training) is called before the first and after every episode.

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
    while True:
        if report:
            report(training)
        _check_not_lost(training)
        if training.finished:
            return training
        training = _after_episode(problem, optimizer, training)


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
    check_contracts(problem, optimizer, phi, settings.seed)
    meta_state = Adam().init_state(mg.tree.ravel(phi)[0])
    training = Training(phi, latest=phi, initial=phi, meta_state=meta_state, settings=settings)
    return _validated(problem, optimizer, training)


def _check_not_lost(training):
    skipped = training.skipped_in_a_row
    if skipped >= MOST_SKIPPED or (training.finished and skipped == len(training.history)):
        raise DivergenceError(
            f"the meta-loss or its gradient was not finite in {skipped} episodes in a row, the last being episode "
            f"{len(training.history)}: lower the meta learning rate ({training.settings.meta_learning_rate:g}) or the "
            "optimizer's output scale; for a run with a log, `python -m l2l doctor DIR` says more"
        )


def _after_episode(problem, optimizer, training):
    """The training after one more episode. The given one is not changed, so that a caller may keep it."""
    begin, settings, episode = time.perf_counter(), training.settings, len(training.history) + 1
    task = draw_task(problem, "train", settings.seed, episode)
    phi, meta_state, norms, numbers = run_episode(optimizer, task, training, settings.rate(episode))
    record = {"episode": episode, **numbers, "seconds": time.perf_counter() - begin}
    training = replace(
        training,
        latest=phi,
        meta_state=meta_state,
        meta_steps=training.meta_steps + len(norms),
        history=[*training.history, record],
    )
    if episode % settings.validate_every == 0 or episode == settings.episodes:
        return _validated(problem, optimizer, training)
    return training


def run_episode(optimizer: Optimizer, task: Task, training: Training, rate: float):
    """Run one episode on task. Returns φ and the meta-optimizer's state after it, the meta-gradients' norms, and the
    numbers of the episode's record."""
    settings, phi, meta_state = training.settings, training.latest, training.meta_state
    meta_optimizer, meta_phi = Adam(), Adam(rate).init()
    optimizer = fitted(optimizer, task)
    theta, state, losses = task.theta, optimizer.init_state(task.theta), []
    norms, clipped, skipped = [], 0, 0
    for start in range(0, settings.steps, settings.unroll_length):
        weights = WEIGHTS[settings.weights](min(settings.unroll_length, settings.steps - start))
        with np.errstate(over="ignore", invalid="ignore"):  # checked below
            total, gradient, theta, state, part = meta_gradient(
                optimizer, phi, task, theta, state, weights, settings.second_derivatives
            )
            norm = np.linalg.norm(gradient)  # infinite where Adam's squares would overflow and break its state
        if not (np.isfinite(total) and np.isfinite(norm)):
            skipped = 1
            break  # θ is not finite any more
        norms.append(float(norm))
        if settings.clip is not None and norm > settings.clip:
            gradient, clipped = gradient * (settings.clip / norm), clipped + 1
        with np.errstate(over="ignore", invalid="ignore"):  # if the rate exceeds float32, the next losses show it
            update, meta_state = meta_optimizer(meta_phi, gradient, meta_state)
        flat, unravel = mg.tree.ravel(phi)
        phi = _with_dtypes_of(phi, unravel(flat + update))
        losses += part
    numbers = {
        "train": None if skipped else float(np.sum(losses)) / task.functions,
        "meta_learning_rate": rate,
        "meta_gradient_norm": float(np.mean(norms)) if norms else None,
        "clipped": clipped,
        "skipped": skipped,
    }
    return phi, meta_state, norms, numbers


def _with_dtypes_of(old, phi):
    """φ with the dtypes of the old one. `ravel` gives all leaves one dtype, but a mixture of rules can have two."""
    leaves, rebuild = mg.tree.flatten(phi)
    return rebuild([leaf.astype(was.dtype) for leaf, was in zip(leaves, mg.tree.flatten(old)[0], strict=True)])


def _validated(problem, optimizer, training):
    """The training after its latest φ was evaluated on validation tasks, and kept if it is the best."""
    settings, phi, history = training.settings, training.latest, training.history
    curves = run(optimizer, phi, problem, "validation", settings.seed, settings.validation_tasks, settings.steps)
    loss = float(curves.sum(axis=1).mean())
    diagnostics = measure(optimizer, phi, training.initial, problem, settings.seed, curves)
    numbers = {"validation": finite(loss), "diagnostics": diagnostics}
    if loss < training.best:  # never true of a loss that is not finite
        training = replace(training, phi=phi, best=loss, best_episode=len(history))
    if not history:
        return replace(training, untrained=numbers)
    return replace(training, history=[*history[:-1], {**history[-1], **numbers}])


def meta_gradient(
    optimizer: Optimizer,
    phi: Tree,
    task: Task,
    theta: Array,
    state: Tree,
    weights: list[float],
    second_derivatives: bool,
):
    """One unroll from (theta, state): the meta-loss, its gradient with respect to φ as a vector, theta and state at the
    end, and the losses. Theta and state are constants for the next unroll: `stop_gradient` cuts the graph here."""

    def meta_loss(phi):
        total, *reached = unroll(optimizer, phi, task, theta, state, weights, second_derivatives)
        return total, mg.stop_gradient(reached)

    (total, (*end, losses)), gradient = mg.value_and_grad(meta_loss, has_aux=True)(phi)
    return total, mg.tree.ravel(gradient)[0], *end, losses
