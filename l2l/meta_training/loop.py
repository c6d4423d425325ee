"""Meta-training: gradient descent on φ through unrolled optimization, by truncated backpropagation through time."""

import time
from dataclasses import replace

import numpy as np

import minigrad as mg
from l2l.errors import DivergenceError, L2LError
from l2l.evaluation import run
from l2l.meta_training.measurements import finite, measure
from l2l.meta_training.state import Settings, Training
from l2l.optimizers import Adam, check_optimizer, fitted
from l2l.problems import draw_task
from l2l.unrolling import unroll
from minigrad import threads

MOST_SKIPPED = 10  # in a row: one bad episode is bad luck, ten of them are a φ that no longer works anywhere


@threads.for_kernels()
def train(problem, optimizer, *, phi=None, resume=None, report=None, **settings):
    """Meta-train optimizer on problem and return a `Training`. phi: where to begin, if not at `optimizer.init`.
    settings: fields of `Settings`.

    An episode draws f and θ_0 afresh, takes `steps` steps cut into unrolls of `unroll_length`, and after each unroll
    one step of Adam on φ. The rate of these falls geometrically, from meta_learning_rate in the first episode to decay
    times that in the last, but only rises to that over the first `warmup` episodes: a φ that knows nothing yet is
    easily thrown to where every optimizee saturates, and nothing is learned again. A meta-gradient longer than clip is
    scaled down to it; second_derivatives makes it exact. Before the first and after every `validate_every`-th episode φ
    is frozen and judged on `validation_tasks` tasks; the best one is kept, and after `patience` validations in a row
    without a better one training ends. report, where given, is called with the Training before the first and after
    every episode.

    resume: a Training, such as report was given, to go on from with its own settings, on the same problem with the same
    optimizer. What comes out is, bit for bit, what would have come out at once: an episode depends on nothing else, for
    its task is drawn by seed and number.

    Where the meta-loss or its gradient is not finite, that meta-step is skipped, the rest of the episode is dropped,
    and the next one goes on from the φ there was. Raises DivergenceError after MOST_SKIPPED such episodes in a row, or
    where there was no other: what was reported until then stands. Raises L2LError for settings that cannot work.
    """
    if resume is not None and (phi is not None or settings):
        raise L2LError("a meta-training that goes on has its φ and settings: give resume alone")
    check_optimizer(optimizer, phi)
    training = _begun(problem, optimizer, phi, Settings(**settings)) if resume is None else resume
    while True:
        if report:
            report(training)
        _check_not_lost(training)
        if training.finished:
            return training
        training = _after_episode(problem, optimizer, training)


def _begun(problem, optimizer, phi, settings):
    phi = optimizer.init(np.random.default_rng([settings.seed, 17])) if phi is None else phi
    meta_state = Adam().init_state(mg.tree.ravel(phi)[0])
    training = Training(phi, latest=phi, initial=phi, meta_state=meta_state, settings=settings)
    return _validated(problem, optimizer, training)


def _check_not_lost(training):
    skipped = training.skipped_in_a_row
    if skipped >= MOST_SKIPPED or (training.finished and skipped == len(training.history)):
        raise DivergenceError(
            f"the meta-loss or its gradient was not finite in {skipped} episodes in a row, the last being episode "
            f"{len(training.history)}: lower the meta learning rate ({training.settings.meta_learning_rate:g}) or the "
            "optimizer's output scale; `python -m l2l doctor DIR` tells more about a run with a log"
        )


def _after_episode(problem, optimizer, training):
    """The training one episode later. The one given stays as it is: whoever holds it holds a whole state."""
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


def run_episode(optimizer, task, training, rate):
    """An episode on task: φ and the meta-optimizer's state after it, its meta-gradients' norms, and its numbers."""
    settings, phi, meta_state = training.settings, training.latest, training.meta_state
    meta_optimizer, meta_phi = Adam(), Adam(rate).init()
    optimizer = fitted(optimizer, task)
    theta, state, losses = task.theta, optimizer.init_state(task.theta), []
    norms, clipped, skipped = [], 0, 0
    for start in range(0, settings.steps, settings.unroll_length):
        weights = [1.0] * min(settings.unroll_length, settings.steps - start)
        with np.errstate(over="ignore", invalid="ignore"):  # checked below
            total, gradient, theta, state, part = meta_gradient(
                optimizer, phi, task, theta, state, weights, settings.second_derivatives
            )
            norm = np.linalg.norm(gradient)  # overflows where Adam's squares would, and spoil its state
        if not (np.isfinite(total) and np.isfinite(norm)):
            skipped = 1
            break  # θ is spoilt
        norms.append(float(norm))
        if settings.clip is not None and norm > settings.clip:
            gradient, clipped = gradient * (settings.clip / norm), clipped + 1
        with np.errstate(over="ignore", invalid="ignore"):  # a rate beyond float32: the next losses show it
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
    """φ with every leaf in the precision that it had: `ravel` gives all of them one, and a mixture of rules has two."""
    leaves, rebuild = mg.tree.flatten(phi)
    return rebuild([leaf.astype(was.dtype) for leaf, was in zip(leaves, mg.tree.flatten(old)[0], strict=True)])


def _validated(problem, optimizer, training):
    """The training with its latest φ judged, and kept where it is the best."""
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


def meta_gradient(optimizer, phi, task, theta, state, weights, second_derivatives):
    """One unroll from (theta, state): the meta-loss, its gradient with respect to φ as a vector, (theta, state) at the
    end, which are constants to the unroll after it, and the losses on the way."""

    def meta_loss(phi):
        total, *reached = unroll(optimizer, phi, task, theta, state, weights, second_derivatives)
        return total, mg.stop_gradient(reached)

    (total, (*end, losses)), gradient = mg.value_and_grad(meta_loss, has_aux=True)(phi)
    return total, mg.tree.ravel(gradient)[0], *end, losses
