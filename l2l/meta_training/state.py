"""What a meta-training is at the end of an episode: all that it needs to go on, and all that there is to tell of it."""

import math
from dataclasses import dataclass, field
from typing import Any

from l2l.errors import L2LError
from l2l.registry import MOST_SEED, positive, whole

WEIGHTS = {"uniform": lambda steps: [1.0] * steps, "last": lambda steps: [0.0] * (steps - 1) + [1.0]}
"""The weights w_t of the meta-loss Σ_t w_t f(θ_t) of an unroll (Andrychowicz et al. 2016, eq. 3), by name. The paper
takes "uniform", for every step then has a gradient to learn from; "last" is its eq. 2, with the T of each unroll."""


@dataclass(frozen=True)
class Settings:
    """How to meta-train; `train` says what each of these does. Raises L2LError for one that cannot work."""

    episodes: int = 100
    steps: int = 100
    unroll_length: int = 20
    meta_learning_rate: float = 0.01
    warmup: int = 0
    decay: float = 1.0
    clip: float | None = None
    weights: str = "uniform"
    second_derivatives: bool = False
    seed: int = 0
    validate_every: int = 5
    validation_tasks: int = 2
    patience: int | None = None

    def __post_init__(self):
        whole(episodes=self.episodes, steps=self.steps, unroll_length=self.unroll_length)
        whole(validate_every=self.validate_every, validation_tasks=self.validation_tasks)
        if self.patience is not None:
            whole(patience=self.patience)
        whole(0, MOST_SEED, warmup=self.warmup, seed=self.seed)
        positive(meta_learning_rate=self.meta_learning_rate, decay=self.decay)
        if self.clip is not None:
            positive(clip=self.clip)
        if self.decay > 1:
            raise L2LError(f"decay is at most 1, not {self.decay}")
        if not isinstance(self.weights, str) or self.weights not in WEIGHTS:
            raise L2LError(f"weights is one of {', '.join(WEIGHTS)}, not {self.weights!r}")
        if not isinstance(self.second_derivatives, bool):
            raise L2LError(f"second_derivatives is True or False, not {self.second_derivatives!r}")

    def rate(self, episode):
        """The rate of the meta-steps in an episode, counted from 1."""
        share = (episode - 1) / max(self.episodes - 1, 1)
        return self.meta_learning_rate * self.decay**share * min(1.0, episode / (self.warmup + 1))


@dataclass(frozen=True)
class Training:
    """The state of a meta-training at the end of an episode, all of it plain numbers but for the trees φ.

    phi: the φ with the lowest validation loss so far, found after `best_episode`; `latest` is the current one, after
    `meta_steps` steps, and `initial` the first. meta_state: the moments of the Adam that takes these steps. history:
    one record an episode, with

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

    @property
    def finished(self):
        """Whether all episodes are done, or patience has run out."""
        fruitless = sum("validation" in record for record in self.history[self.best_episode :])
        return len(self.history) >= self.settings.episodes or fruitless >= (self.settings.patience or math.inf)

    @property
    def skipped_in_a_row(self):
        return next((i for i, record in enumerate(reversed(self.history)) if not record["skipped"]), len(self.history))

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
