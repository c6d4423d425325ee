"""How a meta-training is doing, from the logs that it writes while it goes."""

import os
import shutil
import sys
import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

from l2l.cli.events import Events
from l2l.cli.report import printable
from l2l.meta_training.state import Training
from l2l.storage import logs, runs

LATELY = 4  # means are over the last 1/LATELY of the episodes, and over as many before these


def watch(folder: Path, every: int | None, tensorboard: Path | None = None) -> None:
    """Print how the run in the folder is doing, once, or every so many seconds until it is finished. On a terminal each
    print takes the place of the one before. tensorboard: a folder for event files of it. Raises as `logs.read`."""
    terminal, shown, events = sys.stdout.isatty(), 0, None
    while True:
        training = logs.read(folder)
        lines = [printable(line) for line in look(folder, training)]
        if tensorboard:
            events = events or Events(tensorboard)
            events.write(training)
        if terminal:  # the way back up counts lines, and a long one would take two rows
            lines = [line[: shutil.get_terminal_size().columns - 1] for line in lines]
            print(f"\x1b[{shown}A\x1b[J" if shown else "", end="")  # up to the first line, and empty from there
        print("\n".join(lines), flush=True)
        if training.finished or every is None:
            return
        shown = len(lines)
        time.sleep(every)


def look(folder: Path, training: Training) -> list[str]:
    """The lines that say how the training whose logs are in the folder is doing."""
    age = max(0.0, time.time() - os.stat(folder / runs.RECORDS).st_mtime)
    settings, history = training.settings, training.history
    count = -(-len(history) // LATELY)
    lately, before = history[len(history) - count :], history[max(0, len(history) - 2 * count) : len(history) - count]
    left = (settings.episodes - len(history)) * (_mean(lately, "seconds") or 0.0)
    state = f"about {_time(left)} left" if lately else "begun"
    state = "finished" if training.finished else f"{state}; last written {_time(age)} ago"
    lines = [f"{folder}: episode {len(history):,} of {settings.episodes:,}, {state}", _validations(training)]
    if not history:
        return lines
    of = f" of {settings.unrolls:,}" if settings.unrolls else ""
    skipped = sum(record["skipped"] for record in history)
    lines += [
        f"meta-loss {_number(_mean(lately, 'train'))}"
        + (f", before {_number(_mean(before, 'train'))}" if before else "")
        + f" (means over {count} episodes)",
        f"norm of a meta-gradient {_number(_mean(lately, 'meta_gradient_norm'))}; "
        f"clipped {_number(_mean(lately, 'clipped'))}{of} in an episode; skipped {skipped} in all; "
        f"meta learning rate {_number(history[-1]['meta_learning_rate'])}",
    ]
    return lines + _families(lately, before)


def _validations(training):
    validated = [record for record in training.history if "validation" in record]
    what = training.judged_by.removeprefix("summed ")
    text = f"{what} {_number(training.untrained['validation'])} untrained"
    if validated:
        text += f", {_number(training.best)} at best (episode {training.best_episode})"
        text += f", {_number(validated[-1]['validation'])} at last (episode {validated[-1]['episode']})"
    return text


def _families(lately, before):
    """A line for each family, below one that says what they tell."""
    names = sorted({name for record in [*before, *lately] for name in record.get("families", {})})
    lines = ["log(last loss / first loss) of each family, with the number of tasks"] if names else []
    for name in names:
        (now, tasks), (then, others) = _family(lately, name), _family(before, name)
        text = f"  {name:16} " + (f"{_number(now)} ({tasks})" if tasks else "no task ended lately")
        lines.append(text + (f", before {_number(then)} ({others})" if others else ""))
    return lines


def _family(records, name):
    """The mean over the tasks of a family in these records, and the number of these tasks."""
    found = [record["families"][name] for record in records if name in record.get("families", {})]
    known = [(mean, count) for mean, count in found if mean is not None]
    total = sum(count for _, count in known)
    mean = sum(mean * count for mean, count in known) / total if known else None
    return mean, sum(count for _, count in found)


def _mean(records, name):
    numbers = [record[name] for record in records if record[name] is not None]
    return float(np.mean(numbers)) if numbers else None


def _number(value):
    return "not finite" if value is None else f"{value:.4g}"


def _time(seconds):
    return tqdm.format_interval(seconds)
