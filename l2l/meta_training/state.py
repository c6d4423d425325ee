"""The settings of a meta-training, and its state after an episode: all that resuming and reporting need."""

import functools
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from l2l.errors import L2LError
from l2l.meta_training.estimators import ESTIMATORS, Estimator
from l2l.registry import MOST, MOST_SEED, OPTIMIZERS, Checked, build, parse, setting

WEIGHTS = {
    "uniform": lambda steps: [1.0] * steps,
    "linear": lambda steps: [2.0 * t / (steps + 1) for t in range(1, steps + 1)],
    "last": lambda steps: [0.0] * (steps - 1) + [1.0],
}
"""The weights w_t of the meta-loss Σ_t w_t f(θ_t) of an unroll (Andrychowicz et al. 2016, eq. 3), by name. The paper
takes "uniform", for every step then has a gradient to learn from; "last" is its eq. 2, with the T of each unroll;
"linear" lies between them, with a mean of 1. A function of one's own is added as WEIGHTS["mine"] = function."""

NORMALIZE = ("none", "start", "log")
"""What the meta-loss sums of a loss f(θ_t): "none", f(θ_t) itself; "start",
f(θ_t)/(|f| + |f(θ_0)|/1000) with f the unroll's first loss and θ_0 the task's start; "log", log(f(θ_t)/f(θ_0) + 1e-6),
for positive losses (Wichrowska et al. 2017, section 4.2). With the last two, tasks whose losses differ in scale count
alike."""

MOST_TASKS = 100_000


@dataclass(frozen=True)
class Settings(Checked):
    """How to meta-train. Raises L2LError for a setting that cannot work."""

    episodes: int = setting(100, "episodes of meta-training, each on new tasks", least=1, most=MOST)
    tasks: int = setting(1, "tasks whose meta-gradients each meta-step averages", least=1, most=MOST_TASKS)
    steps: int = setting(100, "steps that the optimizer takes on a task", least=1, most=MOST)
    horizon: tuple[int, ...] | None = setting(
        None, "range of the steps on a training task, drawn on a log scale; none: steps", least=1, most=MOST
    )
    curriculum: tuple[int, ...] | None = setting(
        None, "steps on a training task, one after another: the next where patience ends", least=1, most=MOST
    )
    stop_above: float | None = setting(None, "leave a task whose loss exceeds this multiple of its first one", above=1)
    unroll_length: int = setting(20, "steps between two meta-steps", least=1, most=MOST)
    checkpoint_every: int | None = setting(
        None, "steps of an unroll to recompute at a time, for less memory; none: keep all steps", least=1, most=MOST
    )
    meta_learning_rate: float = setting(0.01, "learning rate of the Adam that trains φ", above=0)
    warmup: int = setting(0, "episodes over which the meta learning rate rises linearly", least=0, most=MOST_SEED)
    decay: float = setting(1.0, "final meta learning rate as a fraction of the initial one", above=0, most=1)
    clip: float | None = setting(None, "largest norm of a meta-gradient, scaled down to it; none: no limit", above=0)
    weights: str = setting("uniform", "weights of an unroll's losses in the meta-loss", choices=WEIGHTS)
    normalize: str = setting(
        "none", "divide losses by the first of the unroll, or take logs of ratios", choices=NORMALIZE
    )
    estimator: str = setting("truncated", "of the meta-gradient, as NAME or NAME:SETTING=VALUE")
    imitation: float = setting(0.0, "share of the tasks on which the teacher's steps are learned", least=0, most=1)
    teacher: str = setting("adam", "hand-designed rule to imitate, as NAME or NAME:SETTING=VALUE")
    second_derivatives: bool = setting(False, "take the exact meta-gradient, which is slower")
    seed: int = setting(0, "seed of the first φ and of all tasks", least=0, most=MOST_SEED)
    validate_every: int = setting(5, "episodes between two validations", least=1, most=MOST)
    validation_tasks: int = setting(
        2, "tasks of a validation, rounded up to equally many of each family", least=1, most=MOST
    )
    patience: int | None = setting(
        None, "stop after this many validations without a new best; none: never", least=1, most=MOST
    )

    def __post_init__(self):
        super().__post_init__()
        self.make_estimator()
        self.make_teacher()
        if self.curriculum and (self.patience is None or self.horizon):
            raise L2LError("curriculum needs patience, which ends each part of it, and excludes horizon")
        if self.horizon is not None and not (len(self.horizon) == 2 and self.horizon[0] <= self.horizon[1]):
            raise L2LError(f"horizon is the least and the most steps of a task, as in 50-1000, not {self.horizon}")

    def make_estimator(self) -> Estimator:
        """The estimator that the text names. Raises L2LError, naming what there is, where it names none."""
        return build("estimator", ESTIMATORS, *parse("estimator", self.estimator))

    def make_teacher(self):
        """The rule that the text names. Raises L2LError where it names none, or one that cannot teach."""
        try:
            teacher = build("optimizer", OPTIMIZERS, *parse("optimizer", self.teacher))
            teacher.init(None)  # a network raises, for it has to be trained first
        except L2LError as error:
            raise L2LError(f"teacher {self.teacher!r} cannot teach: {error}") from None
        if getattr(teacher, "uses_curvature", False):
            raise L2LError(f"teacher {self.teacher!r} needs curvature: take a rule that uses gradients")
        return teacher

    def imitates(self, number):
        """Whether the teacher takes the steps on the training task of this number."""
        return np.random.default_rng([self.seed, 31, number]).random() < self.imitation

    def steps_on(self, number, stage=0):
        """The steps on the training task of this number: `steps`, those of this stage of the `curriculum`, or drawn
        log-uniformly from `horizon`."""
        if self.curriculum:
            return self.curriculum[min(stage, len(self.curriculum) - 1)]
        if self.horizon is None:
            return self.steps
        least, most = np.log(self.horizon)
        return round(math.exp(np.random.default_rng([self.seed, 23, number]).uniform(least, most)))

    @property
    def unrolls(self):
        """How many unrolls an episode has; None where the steps on a task are drawn or grow, so that they vary."""
        return None if self.horizon or self.curriculum else self.tasks * -(-self.steps // self.unroll_length)

    def exploded(self, losses):
        """Whether a task's last loss exceeds `stop_above` times the first, where Wichrowska et al. 2017 stop."""
        return self.stop_above is not None and losses[-1] > self.stop_above * abs(losses[0])

    def rate(self, episode):
        """The rate of the meta-steps in an episode, counted from 1: linear warm-up times geometric decay."""
        share = (episode - 1) / max(self.episodes - 1, 1)
        return self.meta_learning_rate * self.decay**share * min(1.0, episode / (self.warmup + 1))


@dataclass(frozen=True)
class Trajectory:
    """The optimizer's way on one task, of which `step` of `steps` steps are done.

    number: the task's among the training tasks. reached: θ and the optimizer's state there; None at both ends. losses:
    f(θ_0), f(θ_1), …, each a sum over the task's `functions`.
    """

    number: int
    steps: int
    step: int = 0
    reached: Any = None
    losses: Any = ()
    functions: int = 1

    @property
    def finished(self):
        return self.step == self.steps


@dataclass(frozen=True)
class Training:
    """The state of a meta-training after an episode: plain numbers, and trees for φ.

    phi: the φ with the lowest validation loss so far, from episode `best_episode`; `latest` is the current φ, after
    `meta_steps` steps, and `initial` the first. meta_state: the moments of Adam. drawn: how many tasks were drawn.
    trajectories: one for each of the `tasks` that are learned from at a time, None where the next episode draws a new
    task. history: one record per episode, with

        episode               its number, from 1
        train                 the summed loss of the tasks that ended in it, their mean
        meta_learning_rate    the rate of its meta-steps
        meta_gradient_norm    the mean norm of its meta-gradients, before clipping
        clipped, skipped      how many meta-gradients were clipped; how many tasks were dropped, because the meta-loss
                              or its gradient was not finite or a loss exploded
        seconds               its duration, without validation
        families              of a problem with families: {name: [mean of log(last loss / first loss), tasks]}, of the
                              tasks that ended

    and, after a validation, "validation", the number of `validation.validation_loss`: the summed loss, as the mean over
    validation tasks, or of a problem with families the mean log-ratio to the first loss; and "diagnostics", the numbers
    of `measurements.measure`. `untrained` holds these two for the initial φ. Losses are divided by the task's
    number of functions; a number that is not finite is None.
    """

    phi: Any
    latest: Any = None
    initial: Any = None
    meta_state: dict = field(default_factory=dict)
    settings: Settings = Settings()
    best_episode: int = 0
    best: float = math.inf
    meta_steps: int = 0
    untrained: dict = field(default_factory=dict)
    history: list = field(default_factory=list)
    drawn: int = 0
    trajectories: tuple[Trajectory | None, ...] = (None,)

    @property
    def finished(self):
        """Whether all episodes are done, or `patience` validations in a row brought no new best, and there is nothing
        left of the curriculum."""
        return len(self.history) >= self.settings.episodes or self.stage >= len(
            self.settings.curriculum or [self.settings.steps]
        )

    @functools.cached_property  # each meta-step asks for it, and it reads the whole history
    def stage(self):
        """How many times `patience` validations in a row brought no new best (Chen et al. 2020 lengthen the tasks
        then)."""
        if self.settings.patience is None:
            return 0
        stage, fruitless, best = 0, 0, self.untrained.get("validation")
        for loss in (record["validation"] for record in self.history if "validation" in record):
            better = loss is not None and (best is None or loss < best)
            best, fruitless = (loss, 0) if better else (best, fruitless + 1)
            if fruitless == self.settings.patience:
                stage, fruitless = stage + 1, 0
        return stage

    @property
    def validation_is_due(self):
        """Whether a validation follows the last episode."""
        return len(self.history) % self.settings.validate_every == 0 or len(self.history) == self.settings.episodes

    @property
    def by_family(self):
        """Whether the problem has families, so that validations are log-ratios."""
        return any("families" in record for record in self.history)

    @property
    def judged_by(self):
        """What the number of a validation is, in words."""
        return "mean log(validation loss / first loss)" if self.by_family else "summed validation loss"

    @property
    def skipped_in_a_row(self):
        """How many of the last episodes had no task that ended with finite numbers."""
        lost = [bool(record["skipped"]) and record["train"] is None for record in reversed(self.history)]
        return next((i for i, all_lost in enumerate(lost) if not all_lost), len(lost))

    def curve(self):
        """The losses by episode, rounded to keep files with thousands of them small."""

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
