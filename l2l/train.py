"""Meta-training: gradient descent on φ through unrolled optimization, by truncated backpropagation through time."""

import time
from dataclasses import dataclass, field

import numpy as np

import minigrad as mg
from l2l.diagnostics import finite, measure
from l2l.errors import DivergenceError, L2LError
from l2l.evaluate import run
from l2l.optimizers import Adam, check_optimizer
from l2l.options import positive, whole
from l2l.problems import draw_task
from l2l.unroll import unroll
from minigrad import threads

MOST_SKIPPED = 10  # in a row: one bad episode is bad luck, ten of them are a φ that no longer works anywhere


@dataclass
class Training:
    """The state of a meta-training, all of it plain numbers but for φ.

    phi: the φ with the lowest validation loss so far, found after `best_episode`; `latest` is the current one, after
    `meta_steps` steps. history: one record an episode, with

        episode               its number, from 1
        train                 the summed loss of the episode's own task
        meta_learning_rate    the rate of its meta-steps
        meta_gradient_norm    the mean over them, before clipping
        clipped, skipped      how many of them had their gradient clipped, or were not taken for not being finite
        seconds               how long it took, without validation

    and, where there was a validation, "validation", the summed loss's mean over validation tasks, and "diagnostics",
    the numbers of `diagnostics.measure`. `untrained` holds these two for the first φ. Losses are per function; a number
    that is not finite is None.
    """

    phi: object
    latest: object = None
    best_episode: int = 0
    best: float = np.inf
    meta_steps: int = 0
    untrained: dict = field(default_factory=dict)
    history: list = field(default_factory=list)

    def curve(self):
        """The losses by episode, rounded, so that a file with thousands of them stays small."""

        def rounded(loss):
            return None if loss is None else float(f"{loss:.4g}")

        validated = [record for record in self.history if "validation" in record]
        return {
            "train": [rounded(record["train"]) for record in self.history],
            "validation": [
                [0, rounded(self.untrained["validation"])],
                *([record["episode"], rounded(record["validation"])] for record in validated),
            ],
        }


@threads.for_kernels()
def train(
    problem,
    optimizer,
    *,
    phi=None,
    episodes=100,
    steps=100,
    unroll_length=20,
    meta_learning_rate=0.01,
    warmup=0,
    decay=1.0,
    clip=None,
    second_derivatives=False,
    seed=0,
    validate_every=5,
    validation_tasks=2,
    patience=None,
    report=None,
):
    """Meta-train optimizer on problem and return a `Training`. phi: where to begin, if not at `optimizer.init`.

    An episode draws f and θ_0 afresh, takes `steps` steps cut into unrolls of `unroll_length`, and after each unroll
    one step of Adam on φ. The rate of these falls geometrically, from meta_learning_rate in the first episode to decay
    times that in the last, but only rises to that over the first `warmup` episodes: a φ that knows nothing yet is
    easily thrown to where every optimizee saturates, and nothing is learned again. A meta-gradient longer than clip is
    scaled down to it. Before the first and after every `validate_every`-th episode φ is frozen and judged on validation
    tasks; the best one is kept, and after `patience` validations in a row without a better one training ends. report,
    where given, is called with the Training before the first and after every episode.

    Where the meta-loss or its gradient is not finite, that meta-step is skipped, the rest of the episode is dropped,
    and the next one goes on from the φ there was. Raises DivergenceError after MOST_SKIPPED such episodes in a row, or
    where there was no other: what was reported until then stands. Raises L2LError for settings that cannot work.
    """
    whole(episodes=episodes, steps=steps, unroll_length=unroll_length)
    whole(
        validate_every=validate_every, validation_tasks=validation_tasks, patience=1 if patience is None else patience
    )
    whole(0, warmup=warmup, seed=seed)
    positive(meta_learning_rate=meta_learning_rate, decay=decay, clip=1.0 if clip is None else clip)
    if decay > 1:
        raise L2LError(f"decay is at most 1, not {decay}")
    check_optimizer(optimizer, phi)
    phi = untrained = optimizer.init(np.random.default_rng([seed, 17])) if phi is None else phi
    meta_optimizer = Adam()
    meta_state = meta_optimizer.init_state(mg.tree.ravel(phi)[0])
    training = Training(phi, phi)

    def validate(episode):
        curves = run(optimizer, phi, problem, "validation", seed, validation_tasks, steps)
        loss = float(curves.sum(axis=1).mean())
        if loss < training.best:  # never true of a loss that is not finite
            training.phi, training.best, training.best_episode = phi, loss, episode
        diagnostics = measure(optimizer, phi, untrained, problem, seed, curves)
        return {"validation": finite(loss), "diagnostics": diagnostics}

    training.untrained = validate(0)
    if report:
        report(training)
    skipped_in_a_row = 0
    for episode in range(1, episodes + 1):
        begin = time.perf_counter()
        rate = meta_learning_rate * decay ** ((episode - 1) / max(episodes - 1, 1)) * min(1.0, episode / (warmup + 1))
        meta_phi = Adam(rate).init()
        task = draw_task(problem, "train", seed, episode)
        theta, state, losses = task.theta, optimizer.init_state(task.theta), []
        norms, clipped, skipped = [], 0, 0
        for start in range(0, steps, unroll_length):
            weights = [1.0] * min(unroll_length, steps - start)
            with np.errstate(over="ignore", invalid="ignore"):  # checked below
                total, gradient, theta, state, part = meta_gradient(
                    optimizer, phi, task, theta, state, weights, second_derivatives
                )
                norm = np.linalg.norm(gradient)  # overflows where Adam's squares would, and spoil its state
            if not (np.isfinite(total) and np.isfinite(norm)):
                skipped = 1
                break  # θ is spoilt
            norms.append(float(norm))
            if clip is not None and norm > clip:
                gradient, clipped = gradient * (clip / norm), clipped + 1
            with np.errstate(over="ignore", invalid="ignore"):  # a rate beyond float32: the next losses show it
                update, meta_state = meta_optimizer(meta_phi, gradient, meta_state)
            flat, unravel = mg.tree.ravel(phi)
            phi = unravel(flat + update)
            losses += part
        training.latest = phi
        training.meta_steps += len(norms)
        record = {
            "episode": episode,
            "train": None if skipped else float(np.sum(losses)) / task.functions,
            "meta_learning_rate": rate,
            "meta_gradient_norm": float(np.mean(norms)) if norms else None,
            "clipped": clipped,
            "skipped": skipped,
            "seconds": time.perf_counter() - begin,
        }
        training.history.append(record)
        if episode % validate_every == 0 or episode == episodes:
            record.update(validate(episode))
        if report:
            report(training)
        skipped_in_a_row = skipped_in_a_row + 1 if skipped else 0
        if skipped_in_a_row in (MOST_SKIPPED, episodes):
            raise DivergenceError(
                f"the meta-loss or its gradient was not finite in {skipped_in_a_row} episodes in a row, the last being "
                f"episode {episode}: lower the meta learning rate ({meta_learning_rate:g}) or the optimizer's output "
                "scale; `python -m l2l doctor DIR` tells more about a run with a log"
            )
        if patience and sum("validation" in r for r in training.history[training.best_episode :]) >= patience:
            break
    return training


def meta_gradient(optimizer, phi, task, theta, state, weights, second_derivatives):
    """One unroll from (theta, state): the meta-loss, its gradient with respect to φ as a vector, (theta, state) at the
    end, which are constants to the unroll after it, and the losses on the way."""

    def meta_loss(phi):
        total, *reached = unroll(optimizer, phi, task, theta, state, weights, second_derivatives)
        return total, mg.stop_gradient(reached)

    (total, (*end, losses)), gradient = mg.value_and_grad(meta_loss, has_aux=True)(phi)
    return total, mg.tree.ravel(gradient)[0], *end, losses
