"""What each part of the general rule's recipe is worth: short meta-trainings with one thing changed, judged on the
suite."""

import functools

import numpy as np
from tqdm import tqdm

from l2l import plots, workers
from l2l.experiments import settings as files_of_settings
from l2l.experiments.runner import Outcome, markdown, rounded, spread
from l2l.meta_training.loop import meta_train
from l2l.optimizers import make_optimizer
from l2l.problems import make_problem
from l2l.suite import LOSSES, judging, scoring

BASE = "the recipe"


def run(settings, runner):
    base, judge = files_of_settings.load("general", runner.quick), settings["judge"]
    base = _changed(base, settings["base"])
    losses = [loss for loss in LOSSES.values() if loss.split in judge["splits"]]
    runner.problem(base["problem"])  # so that its data are reported
    ratios = {}
    with workers.local(judge["processes"]) as executor:
        steps = judge["steps"]
        others = judging.judge_rivals(runner.rivals(steps), losses, steps, judge["runs"], executor, ["adam"])
        rivals = {loss.name: scoring.best(others, loss.name, ["adam"], True) for loss in losses}
        for name, changes in tqdm(_recipes(settings), desc="recipes", unit="recipe"):
            recipe = _changed(base, changes)
            compute = functools.partial(_ends, recipe, list(rivals), judge, executor)
            ends = runner.cache(name, {"recipe": recipe, "judge": judge}, compute)["curves"]
            ratios[name] = np.clip(ends - np.array(list(rivals.values())), -judge["most"], judge["most"])
    splits = {split: [loss.split == split for loss in losses] for split in judge["splits"]}
    groups = {split: {name: of[:, where] for name, of in ratios.items()} for split, where in splits.items()}
    plots.differences(
        runner.out / "figure.png", groups, BASE, "Log of the loss at the end, less that of the whole recipe"
    )
    table = markdown(["recipe", *(f"{split}: {what}" for split in splits for what in _COLUMNS)], _rows(groups))
    return Outcome(table, [], {"losses": list(rivals), "log_ratios": rounded(ratios)})


def _recipes(settings):
    """[(name, what it changes)]; a quick run leaves most of them out."""
    return [(BASE, {}), *((name, changes) for name, changes in settings["changes"].items() if changes is not None)]


def _changed(recipe, changes):
    """The recipe with other settings in its groups. Where these name a rule or a problem, the group has them alone."""
    groups = {}
    for group in ("problem", "optimizer", "training"):
        new = changes.get(group, {})
        groups[group] = new if "name" in new else {**recipe[group], **new}
    return groups


def _ends(recipe, names, judge, executor):
    """Of optimizers that are trained by the recipe, one for each seed: how low they end on each loss."""
    job = functools.partial(_end, recipe, names, judge["steps"], judge["runs"])
    return {"curves": np.array(workers.spread(job, executor)([(seed,) for seed in judge["seeds"]]))}


def _end(recipe, names, steps, runs, seed):
    rule = make_optimizer(**recipe["optimizer"])
    training = meta_train(make_problem(**recipe["problem"]), rule, **{**recipe["training"], "seed": seed})
    results = judging.judge(rule, training.phi, [LOSSES[name] for name in names], steps, runs)
    return [scoring.value(results, name) for name in names]


_COLUMNS = ("below the best Adam with cosine decay", "mean log ratio to it", "less that of the recipe")


def _rows(groups):
    """A row for each recipe, the best first. The last column's ± is the standard error over losses of the paired
    difference of means over seeds; the others' are standard deviations over seeds."""
    first = next(iter(groups.values()))
    rows = []
    for name in sorted(first, key=lambda name: first[name].mean()):
        row = [name]
        for ratios in groups.values():
            mine, paired = ratios[name], (ratios[name] - ratios[BASE]).mean(axis=0)
            error = paired.std(ddof=1) / np.sqrt(len(paired))
            against = "" if name == BASE else f"{paired.mean():+.2f} ± {error:.2f}"
            row += [f"{spread((mine < 0).sum(axis=1))} of {mine.shape[1]}", spread(mine.mean(axis=1)), against]
        rows.append(row)
    return rows
