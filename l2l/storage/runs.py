"""A meta-training as people run it: with a progress bar, and with everything on disk from the first validation on."""

import contextlib
import dataclasses
import math
import os
import shlex
import sys
import time
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from tqdm import tqdm

from l2l import files
from l2l.errors import DivergenceError, L2LError, WriteError
from l2l.meta_training.loop import meta_train, settings_from
from l2l.meta_training.measurements import finite
from l2l.meta_training.state import Settings, Training
from l2l.optimizers import OPTIMIZERS, check_optimizer
from l2l.optimizers.interface import Optimizer, Tree
from l2l.problems import PROBLEMS, Problem
from l2l.registry import about, name_in, settings_of
from l2l.storage import checkpoint

OPTIMIZER, LOG, CHECKPOINT, RECORDS = FILES = ("optimizer.npz", "log.json", "checkpoint.npz", "log.jsonl")
INTERVAL = 60.0  # seconds of work that a crash may cost


def train(
    problem: Problem,
    optimizer: Optimizer,
    *,
    phi: Tree = None,
    resume: Training | None = None,
    report: Callable[[Training], object] | None = None,
    out: str | os.PathLike | None = None,
    progress: bool = False,
    overwrite: bool = False,
    executor: Executor | None = None,
    **settings: Any,
) -> Training:
    """Meta-train optimizer on problem: learn φ by gradient descent on the meta-loss Σ_t w_t f(θ_t) of unrolled
    optimization (Andrychowicz et al. 2016, eq. 3). Returns a `Training`, whose phi is the best φ found.

    phi: where to begin, if not at optimizer.init. resume: a Training to continue, as report was given it, or
    `l2l.resume(DIR)` for one on disk. report(training) is called before the first and after every episode. progress:
    show a bar. settings: fields of `meta_training.state.Settings`.

        SETTINGS

    out: a folder for the files that `python -m l2l train` writes: the optimizer for `l2l.load`, the log for
    `python -m l2l doctor`, and a checkpoint for `l2l.resume`. They are written whenever φ is the best so far, else
    every minute, and in the end, also where training is interrupted or diverges. A second log, for `python -m l2l
    watch`, gets a line of JSON after every episode, its record. Problem and optimizer need names to be loaded by.
    overwrite: replace the files of an earlier training.

    executor: any `concurrent.futures.Executor`, whose workers share the `tasks` of each meta-step and the tasks of
    validations; None: this process does all. The result has the same bits. See docs/workers.md.

    Raises L2LError for settings that cannot work, a problem or optimizer that does not keep its contract
    (`problems.Problem`, `optimizers.UpdateRule`), or files that are there already; DivergenceError where the meta-loss
    or its gradient is not finite in 10 episodes in a row.
    """
    check_optimizer(optimizer, phi)
    if not (resume is None or isinstance(resume, Training)):
        raise L2LError(f"resume is a Training, not {resume!r}: l2l.resume(DIR) continues one from its files")
    given = settings_from(settings) if resume is None else resume.settings
    how = {"phi": phi, "resume": resume, "watch": report, "progress": progress, "executor": executor, **settings}
    if out is None:
        return train_with_bar(problem, optimizer, **how)
    notes = provenance(problem, given, "l2l.train")
    name_in(OPTIMIZERS, optimizer)  # raises, before the work begins, where there is none
    with files.lock(out, FILES) as check:
        files.ensure_writable([Path(out) / name for name in FILES], overwrite)
        return train_and_save(problem, optimizer, out, notes, _resuming(out), check, **how)


_LINES = [f"{field.name:19} {about(field)}" for field in dataclasses.fields(Settings)]
train.__doc__ = (train.__doc__ or "").replace("SETTINGS", "\n        ".join(_LINES))


def provenance(problem, settings, command):
    """The notes in the files of a meta-training: its problem, data and settings, and the call that made it."""
    about = {"name": name_in(PROBLEMS, problem), **settings_of(PROBLEMS, problem)}
    rest = dataclasses.asdict(settings)
    seed = rest.pop("seed")
    return {"problem": about, "data": problem.data, "command": command, "seed": seed, "training": rest}


def resume(
    folder: str | os.PathLike,
    *,
    report: Callable[[Training], object] | None = None,
    progress: bool = False,
    executor: Executor | None = None,
):
    """Continue the meta-training whose files are in the folder, `out` of `l2l.train` or of the command, to its end, and
    return its `Training`: bit-identical to that of an uninterrupted run, as are the files.

    Raises L2LError where the folder has no checkpoint, or the training in it is finished.
    """
    return resume_training(folder, _resuming(folder), watch=report, progress=progress, executor=executor)


def _resuming(folder):
    return f"`l2l.resume({str(folder)!r})`"


def train_with_bar(problem, optimizer, *, what="meta-training", watch=None, progress=True, resume=None, **how):
    """`meta_train` with these settings and, if progress, a bar called `what`; watch(training) looks on, as its
    report. how: φ, executor and settings, as there."""
    settings = {name: value for name, value in how.items() if name not in ("phi", "executor")}
    total, done = (resume.settings, len(resume.history)) if resume else (settings_from(settings), 0)
    with tqdm(total=total.episodes, initial=done, desc=what, unit="episode", disable=not progress) as bar:

        def report(training):
            bar.set_postfix(best=f"{training.best:.4g}", refresh=False)
            bar.update(len(training.history) - bar.n)
            if watch:
                watch(training)

        return meta_train(problem, optimizer, report=report, resume=resume, **how)


def train_and_save(problem, optimizer, folder, notes, how=None, check=None, **settings):
    """`train_with_bar`, with FILES in the folder: the best φ so far beside the notes, a log of the losses, and a
    checkpoint for `resume_training`. They are written whenever φ is the best, else every INTERVAL, and in the end. Only
    RECORDS grows after every episode, by the line of its record.

    how: what to tell somebody who interrupts it, as the command that goes on; None for train --resume. check: what
    `files.lock` gave to a caller who has the folder for longer than this; None where nobody has it yet.
    """
    with _alone(folder, check) as check:
        return _run(problem, optimizer, Path(folder), notes, check, how, **settings)


def resume_training(folder, how=None, check=None, progress=True, **bar):
    """Take up the meta-training whose checkpoint is in the folder, and end it as `train_and_save` would have done.

    how, check, progress, and bar: what, watch and executor, as there. Raises L2LError where there is no checkpoint, or
    it is finished.
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
        if progress:
            print(f"data: {problem.data}\ngoing on after episode {episode} of {episodes}")
        return _run(problem, optimizer, folder, notes, check, how, resume=training, progress=progress, **bar)


def _alone(folder, check):
    return contextlib.nullcontext(check) if check else files.lock(folder, FILES)


def _run(problem, optimizer, folder, notes, check, how, watch=None, **settings):
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

    def keep(training):
        nonlocal last
        check()
        if last is None:  # also of a resumed training: a killed run may be ahead of its checkpoint, or within a line
            files.write_lines(folder / RECORDS, training.history)
        else:
            files.append_line(folder / RECORDS, training.history[-1])
        last = training  # not before: what is saved after an interruption is never ahead of the lines
        best = training.best_episode == len(training.history)
        if best or training.finished or time.monotonic() - written >= INTERVAL:
            save(training)
        if watch:
            watch(training)

    try:
        return train_with_bar(problem, optimizer, watch=keep, **settings)
    except (KeyboardInterrupt, L2LError) as error:
        if last is not None and not isinstance(error, WriteError):
            save(last)
            print(f"stopped early: the best optimizer so far is in {folder / OPTIMIZER}", file=sys.stderr)
        if written > -math.inf and not isinstance(error, DivergenceError):
            print(f"{how} goes on from there", file=sys.stderr)
        raise


def _word(folder):
    return shlex.quote(str(folder))
