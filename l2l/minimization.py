"""Use an optimizer, learned or not, on your own loss."""

import itertools
import math
import numbers
import warnings
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from tqdm import tqdm

from l2l.errors import L2LError
from l2l.optimizers import check_optimizer, fitted
from l2l.optimizers.interface import Optimizer, Tree, check_rule
from l2l.problems.interface import task_of
from l2l.registry import whole
from l2l.storage import checkpoint
from l2l.unrolling import unroll
from minigrad import threads

GROWTH = 10.0  # times its start: a loss beyond that has diverged
PATIENCE = 10  # steps in which the loss has to improve by the tolerance
REMEDY = "lower the learning rate, or take an optimizer that was trained on losses like this one"


FELL_BACK = "this is θ of the lowest loss; take more steps, or an optimizer with a learning rate to tune"
DEFAULT = "general"  # of the optimizers that come with the package


class DivergenceWarning(RuntimeWarning):
    """The loss of `minimize` is not finite, or more than GROWTH times its start."""


@threads.for_kernels()
def minimize(
    loss: Callable[..., Any],
    theta: Tree,
    optimizer: Optimizer | tuple[Optimizer, Tree] | None = None,
    phi: Tree = None,
    steps: int = 100,
    *,
    batches: Iterable[Any] | Callable[[int], Any] | None = None,
    callback: Callable[[int, Tree, float], object] | None = None,
    history: bool = False,
    tolerance: float | None = None,
    stop_on_divergence: bool = False,
    progress: bool = False,
) -> tuple[Any, ...]:
    """Take `steps` steps on loss(theta), a scalar built from minigrad functions, theta an array or a tree of them:

        l2l.minimize(loss, theta, steps=100)
        l2l.minimize(loss, theta, l2l.load("mnist"), steps=100)
        l2l.minimize(loss, theta, l2l.make_optimizer("adam", learning_rate=0.1), steps=100)

    optimizer: a rule, or a pair (rule, φ) as `l2l.load` returns it. None: the learned optimizer "general", which has
    nothing to tune, with a guard: where the loss at the end is above that at the start, both on the last batch, θ of
    the lowest loss is returned, or θ_0, with a DivergenceWarning. phi: φ, where optimizer is a rule alone; None takes
    the rule's own constants, which only hand-designed rules have. batches: the batch of each step, as an iterable or a
    function of the step t = 0, 1, …; the loss is then loss(theta, batch). callback(t, θ_t, f(θ_t)) is called at every
    step. progress: show a bar.

    The minimization ends at step t, before `steps`, where

    - callback returns something true;
    - tolerance is given, and the lowest loss improved by less than that in the last 10 steps:
      min_{s ≤ t−10} f(θ_s) − min_{s ≤ t} f(θ_s) < tolerance;
    - stop_on_divergence is True, and f(θ_t) is not finite or exceeds 10 |f(θ_0)|. With or without it, the first such
      loss gives a DivergenceWarning.

    Returns (θ, losses), θ in the structure it came in and in one precision, the widest there was. After all steps these
    are θ_steps and [f(θ_0), …, f(θ_{steps−1})]; where it ended at step t they are θ_t and [f(θ_0), …, f(θ_t)].
    history=True returns (θ, losses, [θ_0, θ_1, …, θ]); without it only the last θ is kept.

    loss is called once a step, and once more for every product that a rule which uses curvature asks for; without an
    optimizer three times more at the end. Where it does not depend on theta its gradient is 0. Non-finite losses are
    returned; exceptions raised by loss, batches or callback propagate. The loss cannot change theta, whose arrays are
    copied first and are immutable inside it.

    Raises L2LError for arguments that cannot work, a loss that returns no scalar, an optimizer that does not keep the
    contract of `optimizers.UpdateRule`, or batches that run out; TypeError where theta is not made of floats.
    """
    rule, phi = _rule_and_phi(optimizer, phi)
    _check_arguments(loss, steps, batches, callback, tolerance)
    task, unravel = task_of(loss, theta, _one_by_one(batches, steps))
    guard = _Guard(task)
    task = replace(task, next_batch=guard.next_batch)
    rule, now = fitted(rule, task, steps), task.theta
    if not getattr(rule, "uses_curvature", False):  # a trial of such a rule would call the loss
        check_rule(rule, phi, now)
    state, losses, thetas, ending = rule.init_state(now), [], [unravel(now)], _Ending(tolerance, stop_on_divergence)
    for step in tqdm(range(steps), desc="minimizing", unit="step", disable=not progress):
        _, after, state, (value,) = unroll(rule, phi, task, now, state, [1.0])
        losses.append(value)
        guard.note(now, float(value))
        stopped = callback is not None and callback(step, unravel(now), float(value))
        if ending.reached(step, float(value)) or stopped:
            break
        now = after
        if history:
            thetas.append(unravel(now))
    if optimizer is None and (kept := guard.checked(now)) is not now:
        now = kept
        thetas.append(unravel(now))
    result = unravel(now), np.array(losses)
    return (*result, thetas) if history else result


def _rule_and_phi(optimizer: Any, phi: Tree) -> tuple[Any, Tree]:
    rule = optimizer
    if optimizer is None:
        if phi is not None:
            raise L2LError("phi belongs to an optimizer: pass that, too, or neither for the learned one")
        return checkpoint.load(DEFAULT)
    if isinstance(optimizer, (tuple, list)) and len(optimizer) == 2:
        if phi is not None:
            raise L2LError("phi is given twice: pass the pair (optimizer, φ), or the two as two arguments")
        rule, phi = optimizer
    check_optimizer(rule, phi)
    return rule, rule.init(None) if phi is None else phi


def _check_arguments(loss, steps, batches, callback, tolerance: float | None):
    if not callable(loss):
        raise L2LError(f"loss is a function of theta, not {loss!r}")
    whole(0, steps=steps)
    if not (batches is None or callable(batches) or isinstance(batches, Iterable)):
        raise L2LError(f"batches is an iterable of batches or a function of the step, not {batches!r}")
    if not (callback is None or callable(callback)):
        raise L2LError(f"callback is a function of (step, theta, loss), not {callback!r}")
    if not (tolerance is None or (isinstance(tolerance, numbers.Real) and 0 < tolerance < math.inf)):
        raise L2LError(f"tolerance is a positive number, not {tolerance!r}")


def _one_by_one(batches, steps):
    """A function that returns the next batch; None where there are none."""
    if batches is None:
        return None
    if callable(batches):
        times = itertools.count()
        return lambda: batches(next(times))
    if hasattr(batches, "__len__") and len(batches) < steps:
        raise _too_few(len(batches), steps)
    rest, taken = iter(batches), itertools.count()

    def next_batch():
        number = next(taken)
        for batch in rest:
            return batch
        raise _too_few(number, steps)

    return next_batch


def _too_few(there, steps):
    fix = f"pass steps={there}, or itertools.cycle(batches)"
    return L2LError(f"{steps} steps need as many batches, but there are only {there}: {fix}")


class _Guard:
    """Keeps the last batch and the best θ, so that a minimization need not end above its start."""

    def __init__(self, task):
        self.task, self.batch, self.best, self.lowest = task, None, task.theta, math.inf

    def next_batch(self):
        self.batch = self.task.next_batch()
        return self.batch

    def note(self, theta, loss):
        if loss < self.lowest:
            self.best, self.lowest = theta, loss

    def checked(self, theta):
        """theta, or what is better where its loss is above that of the start."""
        if self.lowest == math.inf:  # there was no step, or no finite loss
            return theta
        with np.errstate(all="ignore"):
            start, end, best = (float(self.task.loss(at, self.batch)) for at in (self.task.theta, theta, self.best))
        if end <= start:
            return theta
        message = f"the loss ended at {end:.3g} and was {start:.3g} at the start: {FELL_BACK}"
        warnings.warn(message, DivergenceWarning, stacklevel=4)  # at the call of minimize
        return self.best if best <= start else self.task.theta


class _Ending:
    """Tells from the losses where a minimization ends, and warns of one that diverges."""

    def __init__(self, tolerance, stop_on_divergence):
        self.tolerance, self.stop_on_divergence = tolerance, stop_on_divergence
        self.start, self.warned = 0.0, False
        self.lowest = deque(maxlen=PATIENCE + 1)  # of the losses up to each of the last steps

    def reached(self, step, loss):
        settled, diverged = self._settled(loss), self._diverged(step, loss)
        return settled or (diverged and self.stop_on_divergence)

    def _settled(self, loss):
        self.lowest.append(min([loss, *list(self.lowest)[-1:]]))
        full = len(self.lowest) > PATIENCE
        return self.tolerance is not None and full and self.lowest[0] - self.lowest[-1] < self.tolerance

    def _diverged(self, step, loss):
        self.start = loss if step == 0 else self.start
        if np.isfinite(loss) and loss <= GROWTH * abs(self.start):
            return False
        if not self.warned:
            message = f"the loss is {loss:.3g} at step {step} and was {self.start:.3g} at the start: {REMEDY}"
            warnings.warn(message, DivergenceWarning, stacklevel=5)  # at the call of minimize
        self.warned = True
        return True
