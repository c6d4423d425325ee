"""Which validation tasks a φ is judged on, and the number that their losses give."""

import itertools

import numpy as np

from l2l.meta_training.state import Settings
from l2l.problems import Problem, family_of

LOOKED_AT = 1000  # task numbers in which every family is expected to occur
WORST = 1e6  # a ratio of losses beyond this counts as this, as does one that is not finite
OFFSET = 1e-6


def validation_tasks(problem: Problem, settings: Settings) -> tuple[list[int], list[str]]:
    """The numbers of the validation tasks and, of a problem with families, the family of each.

    These are the first `validation_tasks` numbers. Of a problem with families they are the first ones of each family,
    equally many of each: as few as make up `validation_tasks`, but at least one. Only names are drawn to find them.
    """
    count = settings.validation_tasks
    if not hasattr(problem, "draw_family"):
        return list(range(count)), []
    numbers = {}
    for number in itertools.count():
        if number >= LOOKED_AT and all(len(own) * len(numbers) >= count for own in numbers.values()):
            break
        numbers.setdefault(family_of(problem, "validation", settings.seed, number), []).append(number)
    of_each = -(-count // len(numbers))
    pairs = sorted((number, name) for name, own in numbers.items() for number in own[:of_each])
    return [number for number, _ in pairs], [name for _, name in pairs]


def validation_loss(curves: np.ndarray, families: list[str]) -> float:
    """The number that tells a better φ from a worse one. curves: the losses f_t of each task, (tasks, steps).

    Without families: Σ_t f_t, as the mean over tasks. With the family of each task:

        mean over families of the mean over their tasks and over t of log(clip(f_t/|f_0|, 0, 10⁶) + 10⁻⁶)

    so that neither the scale of a loss nor the number of a family's tasks matters. It is negative where losses fall. A
    loss that is not finite counts as 10⁶ f_0: a rule that diverges on one task is far behind, but can be compared.
    """
    if not families:
        return float(curves.sum(axis=1).mean())
    with np.errstate(all="ignore"):
        ratios = curves / np.abs(curves[:, :1])
    ratios = np.where(np.isfinite(ratios), np.clip(ratios, 0.0, WORST), WORST)
    values = np.log(ratios + OFFSET).mean(axis=1)
    of_each = [values[[family == name for family in families]].mean() for name in sorted(set(families))]
    return float(np.mean(of_each))
