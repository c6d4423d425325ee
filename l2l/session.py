"""A meta-training as commands run it: with a progress bar, and with everything on disk from the first validation on."""

import sys

from tqdm import tqdm

from l2l import checkpoint, files
from l2l.diagnostics import finite
from l2l.errors import L2LError
from l2l.train import train


def train_with_bar(problem, optimizer, *, what="meta-training", watch=None, **settings):
    """`train` with these settings and a progress bar called `what`; watch(training) looks on, as train's report."""
    with tqdm(total=settings["episodes"], desc=what, unit="episode") as bar:

        def report(training):
            bar.set_postfix(best=f"{training.best:.4g}", refresh=False)
            bar.update(len(training.history) - bar.n)
            if watch:
                watch(training)

        return train(problem, optimizer, report=report, **settings)


def train_and_save(problem, optimizer, path, notes, **settings):
    """`train_with_bar`, with the best φ so far at path, beside the notes, and log.json in the same folder."""
    last = None

    def save(training):
        best = {"episode": training.best_episode, "loss": finite(training.best), "meta_steps": training.meta_steps}
        checkpoint.save(path, optimizer, training.phi, **notes, **best, meta_curve=training.curve())
        log = {**notes, "untrained": training.untrained, "history": training.history}
        files.write_json(path.with_name("log.json"), log)

    def watch(training):
        nonlocal last
        last = training
        if not training.history or "validation" in training.history[-1]:
            save(training)

    try:
        return train_with_bar(problem, optimizer, watch=watch, **settings)
    except (KeyboardInterrupt, L2LError):
        if last is not None:
            save(last)
            print(f"stopped early: the best optimizer so far is in {path}", file=sys.stderr)
        raise
