"""The logs that a meta-training writes while it goes, read."""

import itertools
import json
import math
import os
from pathlib import Path

from l2l import files
from l2l.errors import L2LError
from l2l.meta_training.state import Settings, Training
from l2l.storage import runs

SETTINGS = ("episodes", "tasks", "steps", "horizon", "curriculum", "unroll_length", "patience")
DAMAGE = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)
"""The errors that reading a damaged or foreign file raises."""


def read(folder: str | os.PathLike) -> Training:
    """The training so far whose logs are in the folder: all but φ.

    Raises L2LError, naming the fix, where a log is missing or damaged.
    """
    log, lines = Path(folder) / runs.LOG, Path(folder) / runs.RECORDS
    for path in (log, lines):
        if not files.exists(path):
            hint = "name the folder that `python -m l2l train PROBLEM --out DIR` writes"
            raise L2LError(f"there is no {path}: {hint}, once its first validation is done")
    notes, records = files.read(log), files.read(lines)
    try:
        return _training(json.loads(notes), records)
    except DAMAGE:
        raise L2LError(f"{log} or {lines} is damaged, or not of a meta-training by this version: train again") from None


def numbers(record: dict) -> dict[str, float]:
    """{name: number} of those in a record that are known; "families/NAME" is the mean of a family."""
    families = {f"families/{name}": mean for name, (mean, _) in record.get("families", {}).items()}
    return {name: number for name, number in {**record, **families}.items() if isinstance(number, (int, float))}


def _training(notes, records):
    given = notes["training"] if "training" in notes else notes["recipe"]["training"]  # of an experiment
    settings = Settings(**{name: given[name] for name in SETTINGS if name in given})
    untrained, whole = notes["untrained"], records.split(b"\n")[:-1]  # what follows the last "\n" is being written
    history = [json.loads(line) for line in whole]
    losses = [(untrained["validation"], 0), *((record.get("validation"), record["episode"]) for record in history)]
    known = [(loss, episode) for loss, episode in losses if loss is not None]
    if not all(map(math.isfinite, [*itertools.chain(*map(_numbers, history)), *(loss for loss, _ in known)])):
        raise ValueError
    best, episode = min(known, default=(math.inf, 0))
    return Training(None, settings=settings, untrained=untrained, history=history, best=best, best_episode=episode)


def _numbers(record):
    """The numbers of a record that is as `Training.history` has them."""
    families = record.get("families", {}).values()
    unknown = [record["train"], record["meta_gradient_norm"], *(mean for mean, _ in families)]  # None: not finite
    return [
        *(record[name] for name in ("meta_learning_rate", "clipped", "skipped", "seconds")),
        *(number for number in unknown if number is not None),
        *(1 / count for _, count in families),
    ]
