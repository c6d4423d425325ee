"""A meta-training as commands run it: with a progress bar, and with everything on disk from the first validation on."""

import contextlib
import math
import shlex
import sys
import time
from pathlib import Path

from tqdm import tqdm

from l2l import files
from l2l.errors import DivergenceError, L2LError, WriteError
from l2l.meta_training.loop import train
from l2l.meta_training.measurements import finite
from l2l.storage import checkpoint

OPTIMIZER, LOG, CHECKPOINT = FILES = ("optimizer.npz", "log.json", "checkpoint.npz")
INTERVAL = 60.0  # seconds of work that a crash may cost


def train_with_bar(problem, optimizer, *, what="meta-training", watch=None, resume=None, **settings):
    """`train` with these settings and a progress bar called `what`; watch(training) looks on, as train's report."""
    total, done = (resume.settings.episodes, len(resume.history)) if resume else (settings["episodes"], 0)
    with tqdm(total=total, initial=done, desc=what, unit="episode") as bar:

        def report(training):
            bar.set_postfix(best=f"{training.best:.4g}", refresh=False)
            bar.update(len(training.history) - bar.n)
            if watch:
                watch(training)

        return train(problem, optimizer, report=report, resume=resume, **settings)


def train_and_save(problem, optimizer, folder, notes, how=None, check=None, **settings):
    """`train_with_bar`, with FILES in the folder: the best φ so far beside the notes, a log of the losses, and a
    checkpoint for `resume_training`. They are written whenever φ is the best, else every INTERVAL, and in the end.

    how: what to tell somebody who interrupts it, as the command that goes on; None for train --resume. check: what
    `files.lock` gave to a caller who has the folder for longer than this; None where nobody has it yet.
    """
    with _alone(folder, check) as check:
        return _run(problem, optimizer, Path(folder), notes, check, how, **settings)


def resume_training(folder, how=None, check=None, **bar):
    """Take up the meta-training whose checkpoint is in the folder, and end it as `train_and_save` would have done.

    how, check, and bar: what and watch, as there. Raises L2LError where there is no checkpoint, or it is finished.
    """
    folder = Path(folder)
    if not files.exists(folder / CHECKPOINT):
        raise L2LError(f"{folder} has no {CHECKPOINT}: begin with `python -m l2l train PROBLEM --out {_word(folder)}`")
    with _alone(folder, check) as check:
        problem, optimizer, training, notes = checkpoint.load_training(folder / CHECKPOINT)
        episode, episodes = len(training.history), training.settings.episodes
        if training.finished:
            where = f"the optimizer is in {folder / OPTIMIZER}"
            raise L2LError(f"the meta-training in {folder} is finished, after episode {episode} of {episodes}: {where}")
        print(f"data: {problem.data}\ngoing on after episode {episode} of {episodes}")
        return _run(problem, optimizer, folder, notes, check, how, resume=training, **bar)


def _alone(folder, check):
    return contextlib.nullcontext(check) if check else files.lock(folder, FILES)


def _run(problem, optimizer, folder, notes, check, how, **settings):
    last, written = None, -math.inf
    how = how or f"`python -m l2l train --resume {_word(folder)}`"

    def save(training):
        nonlocal written
        check()
        best = {"episode": training.best_episode, "loss": finite(training.best), "meta_steps": training.meta_steps}
        checkpoint.save(folder / OPTIMIZER, optimizer, training.phi, **notes, **best, meta_curve=training.curve())
        log = {**notes, "untrained": training.untrained, "history": training.history}
        files.write_json(folder / LOG, log)
        checkpoint.save_training(folder / CHECKPOINT, problem, optimizer, training, notes)  # last: the others are made
        written = time.monotonic()  # again from it, so it may be behind them, never ahead

    def watch(training):
        nonlocal last
        last = training
        best = training.best_episode == len(training.history)
        if best or training.finished or time.monotonic() - written >= INTERVAL:
            save(training)

    try:
        return train_with_bar(problem, optimizer, watch=watch, **settings)
    except (KeyboardInterrupt, L2LError) as error:
        if last is not None and not isinstance(error, WriteError):
            save(last)
            print(f"stopped early: the best optimizer so far is in {folder / OPTIMIZER}", file=sys.stderr)
        if written > -math.inf and not isinstance(error, DivergenceError):
            print(f"{how} goes on from there", file=sys.stderr)
        raise


def _word(folder):
    return shlex.quote(str(folder))
