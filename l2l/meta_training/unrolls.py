"""One unroll of one task, with its meta-gradient: the unit of work of a meta-training, here or on a worker."""

import functools
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np

import minigrad as mg
from l2l.meta_training.estimators import backpropagated
from l2l.meta_training.imitation import imitate
from l2l.meta_training.state import WEIGHTS, Settings, Trajectory
from l2l.optimizers import fitted
from l2l.optimizers.interface import Array, Optimizer, Tree
from l2l.problems import Problem, Task, draw_task
from l2l.unrolling import unroll

SOLVED = 1e-3  # of the loss at a task's start: below that, a task counts less and less
MOST_KEPT = 1000  # tasks with their batches that a worker keeps


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

    def unrolled(phi, start):
        total, *end, losses = unroll(optimizer, phi, task, start[0], start[1], weights, second_derivatives)
        return total, (end, losses)

    total, gradient, (end, losses) = backpropagated(unrolled, phi, (theta, state))
    return total, gradient, *end, losses


class Unroll:
    """Takes the meta-gradient of the next unroll of a trajectory: what a worker has of a meta-training.

    θ and the optimizer's state travel with the trajectory. The tasks in use stay here with their streams of batches.
    One that is not here, or not at this step, as after another worker had it, is drawn again, and its batches up to
    there.
    """

    def __init__(self, problem: Problem, optimizer: Optimizer, settings: Settings):
        self.problem, self.optimizer, self.settings = problem, optimizer, settings
        self.estimator, self.teacher = settings.make_estimator(), settings.make_teacher()
        self._tasks = {}  # {number: (task, batches taken)}

    def __reduce__(self):
        return Unroll, (self.problem, self.optimizer, self.settings)

    def __call__(self, phi: Tree, trajectory: Trajectory) -> tuple[Any, Array, Trajectory]:
        """The meta-loss, its gradient with respect to φ as a vector, and the trajectory after the unroll."""
        way, task = trajectory, self._task(trajectory)
        particles = way.reached or self.begin(way, task, phi)
        step = min(way.step + self.settings.unroll_length, way.steps)
        unrolled = self._unrolled(task, way, step - way.step)
        rng = np.random.default_rng([self.settings.seed, 29, way.number, way.step])
        with np.errstate(over="ignore", invalid="ignore"):  # the caller checks
            total, gradient, particles, losses = self.estimator(unrolled, phi, particles, rng)
        losses = np.concatenate([way.losses, losses]) if way.step else np.asarray(losses)
        way = replace(way, step=step, losses=losses, reached=None, functions=task.functions)
        if not way.finished:
            way = replace(way, reached=particles)
            self._keep(way, task)
        return total, gradient, way

    def begin(self, way: Trajectory, task: Task, phi: Tree) -> Tree:
        """What the trajectory on this task carries from unroll to unroll, at its start."""
        state, *of_teacher = (rule.init_state(task.theta) for rule in self._rules(way, task))
        return self.estimator.begin((task.theta, (state, *of_teacher) if of_teacher else state), phi)

    def _rules(self, way, task):
        """The optimizer, fitted to this task, and the teacher, where it takes the steps."""
        rules = [self.optimizer, self.teacher] if self.settings.imitates(way.number) else [self.optimizer]
        return [fitted(rule, task, way.steps) for rule in rules]

    def _unrolled(self, task, way, length):
        """The next unroll as a function of φ and (θ, h), for an estimator: the meta-loss, and what is reached.

        With `checkpoint_every` it is cut into segments of so many steps, and all but the last are checkpointed: the
        backward pass runs them again, on the same batches. What is kept grows with the batches, the states between
        segments and the steps of one segment.
        """
        settings, weights = self.settings, WEIGHTS[self.settings.weights](length)
        optimizer, *teacher = self._rules(way, task)
        every = min(settings.checkpoint_every or length, length)
        replays = self.estimator.replays or every < length
        batches = [deepcopy(task.next_batch()) for _ in weights] if replays else None
        term = _LogRatio(way.losses[0] if way.step else None) if settings.normalize == "log" else None

        def segment(part, x):
            phi, (theta, state) = x
            same = task if batches is None else replace(task, next_batch=iter(batches[part]).__next__)
            if teacher:
                return imitate(optimizer, phi, teacher[0], same, theta, state, weights[part])
            return unroll(optimizer, phi, same, theta, state, weights[part], settings.second_derivatives, term)

        def unrolled(phi, start):
            total, reached, losses = 0.0, start, []
            for begin in range(0, length, every):
                run = functools.partial(segment, slice(begin, begin + every))
                run = mg.checkpoint(run) if begin + every < length else run
                part, *reached, some = run((phi, reached))
                total, losses = total + part, losses + mg.stop_gradient(some)
            if settings.normalize == "start" and not teacher:
                first = way.losses[0] if way.step else losses[0]
                total = total / (abs(losses[0]) + SOLVED * abs(first))
            return total, (tuple(reached), losses)

        return unrolled

    def _task(self, way):
        task, taken = self._tasks.pop(way.number, (None, -1))
        if task is None or taken != way.step:
            task = draw_task(self.problem, "train", self.settings.seed, way.number)
            for _ in range(way.step):
                task.next_batch()
        return task

    def _keep(self, way, task):
        if len(self._tasks) >= MOST_KEPT:  # of some the trajectories went on elsewhere
            self._tasks.clear()
        self._tasks[way.number] = task, way.step


class _LogRatio:
    """log(f/f_0 + 1e-6) of a loss f. f_0, if not given, is the first one that it is called with."""

    def __init__(self, first):
        self.first = first

    def __call__(self, loss):
        if self.first is None:
            self.first = mg.stop_gradient(loss)
        return mg.log(loss / self.first + 1e-6)
