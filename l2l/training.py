"""What a meta-training is at the end of an episode: all that it needs to go on, and all that there is to tell of it."""

import math
from dataclasses import dataclass, field, fields
from numbers import Integral, Real

from l2l.errors import L2LError

_KINDS = {
    "a positive whole number": lambda value: isinstance(value, Integral) and value >= 1,
    "a whole number, 0 or more": lambda value: isinstance(value, Integral) and value >= 0,
    "a positive number": lambda value: isinstance(value, Real) and 0 < value < math.inf,
    "a positive number, at most 1": lambda value: isinstance(value, Real) and 0 < value <= 1,
    "True or False": lambda value: isinstance(value, bool),
}


def _setting(default, kind):
    return field(default=default, metadata={"kind": kind})


@dataclass(frozen=True)
class Settings:
    """How to meta-train; `train` says what each of these does. Raises L2LError for one that cannot work."""

    episodes: int = _setting(100, "a positive whole number")
    steps: int = _setting(100, "a positive whole number")
    unroll_length: int = _setting(20, "a positive whole number")
    meta_learning_rate: float = _setting(0.01, "a positive number")
    warmup: int = _setting(0, "a whole number, 0 or more")
    decay: float = _setting(1.0, "a positive number, at most 1")
    clip: float | None = _setting(None, "a positive number")
    second_derivatives: bool = _setting(False, "True or False")
    seed: int = _setting(0, "a whole number, 0 or more")
    validate_every: int = _setting(5, "a positive whole number")
    validation_tasks: int = _setting(2, "a positive whole number")
    patience: int | None = _setting(None, "a positive whole number")

    def __post_init__(self):
        for f in fields(self):
            value, kind = getattr(self, f.name), f.metadata["kind"]
            if not (_KINDS[kind](value) or value is f.default is None):
                raise L2LError(f"{f.name} is {kind}{', or None' if f.default is None else ''}, not {value!r}")

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

    phi: object
    latest: object = None
    initial: object = None
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
