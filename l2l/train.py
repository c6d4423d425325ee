"""Meta-training: gradient descent on φ through unrolled optimization, by truncated backpropagation through time."""

from dataclasses import dataclass, field

import numpy as np

import minigrad as mg
from l2l.errors import DivergenceError, L2LError
from l2l.evaluate import run
from l2l.optimizers import Adam
from l2l.problems import draw_task
from l2l.unroll import unroll
from minigrad import threads


@dataclass
class Training:
    """The state of a meta-training. phi: the φ with the lowest validation loss so far, found after `best_episode`.

    history: one record an episode: its number, "train" (the summed loss of the episode's own task) and, where there
    was a validation, "validation" (the mean over validation tasks). Losses are per function.
    """

    phi: object
    best_episode: int = 0
    best: float = np.inf
    history: list = field(default_factory=list)


@threads.for_kernels()
def train(
    problem,
    optimizer,
    *,
    episodes=100,
    steps=100,
    unroll_length=20,
    meta_learning_rate=0.01,
    second_derivatives=False,
    seed=0,
    validate_every=5,
    validation_tasks=2,
    report=None,
):
    """Meta-train optimizer on problem and return a `Training`.

    An episode draws f and θ_0 afresh, takes `steps` steps cut into unrolls of `unroll_length`, and after each unroll
    one step of Adam on φ. Before the first and after every `validate_every`-th episode φ is frozen and judged on
    validation tasks; the best one is kept. report, where given, is called with the Training before the first and
    after every episode.

    Raises L2LError for settings that cannot work, DivergenceError where the meta-loss stops being finite: what was
    reported until then stands.
    """
    if min(episodes, steps, unroll_length, validate_every, validation_tasks) < 1 or not meta_learning_rate > 0:
        raise L2LError("episodes, steps, unroll, validation and the meta learning rate must be positive")
    phi = optimizer.init(np.random.default_rng([seed, 17]))
    meta_optimizer = Adam(meta_learning_rate)
    meta_phi = meta_optimizer.init()
    meta_state = meta_optimizer.init_state(mg.tree.ravel(phi)[0])
    training = Training(phi)
    _validate(training, problem, optimizer, phi, 0, steps, seed, validation_tasks)
    if report:
        report(training)
    for episode in range(1, episodes + 1):
        task = draw_task(problem, "train", seed, episode)
        theta, state, losses = task.theta, optimizer.init_state(task.theta), []
        for start in range(0, steps, unroll_length):
            weights = [1.0] * min(unroll_length, steps - start)

            def meta_loss(phi, theta=theta, state=state, weights=weights, task=task):
                total, *reached = unroll(optimizer, phi, task, theta, state, weights, second_derivatives)
                return total, mg.stop_gradient(reached)  # the next unroll starts from constants

            with np.errstate(over="ignore", invalid="ignore"):  # checked below, and said more clearly
                (total, (theta, state, part)), gradient = mg.value_and_grad(meta_loss, has_aux=True)(phi)
            flat, unravel = mg.tree.ravel(phi)
            meta_gradient = mg.tree.ravel(gradient)[0]
            if not (np.isfinite(total) and np.isfinite(meta_gradient).all()):
                raise DivergenceError(
                    f"the meta-loss is no longer finite in episode {episode}: lower the meta learning rate "
                    f"({meta_learning_rate:g}) or the optimizer's output scale"
                )
            update, meta_state = meta_optimizer(meta_phi, meta_gradient, meta_state)
            phi = unravel(flat + update)
            losses += part
        training.history.append({"episode": episode, "train": float(np.sum(losses)) / task.functions})
        if episode % validate_every == 0 or episode == episodes:
            _validate(training, problem, optimizer, phi, episode, steps, seed, validation_tasks)
        if report:
            report(training)
    return training


def _validate(training, problem, optimizer, phi, episode, steps, seed, tasks):
    loss = float(run(optimizer, phi, problem, "validation", seed, tasks, steps).sum(axis=1).mean())
    if training.history:
        training.history[-1]["validation"] = loss
    if loss < training.best:  # never true of a loss that is not finite
        training.phi, training.best, training.best_episode = phi, loss, episode
