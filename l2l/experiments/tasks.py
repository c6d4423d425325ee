"""Meta-trainings from many seeds, on one task at a time and on several, with the same number of unrolls."""

import numpy as np

from l2l import evaluation, plots
from l2l.experiments.runner import Outcome, markdown, race, rounded, spread
from l2l.optimizers import make_optimizer


def run(settings, runner):
    test, targets, recipe = settings["test"], settings["targets"], runner.recipe("mnist")
    problem = runner.problem(recipe["problem"])
    kinds = {"1, after a search": [race(one, problem, test)["curves"] for one in runner.other_seeds("mnist")]}
    for changes in settings["batches"].values():
        changed = {**recipe, "training": {**recipe["training"], **settings["training"], **changes}}
        kinds[str(changes["tasks"])] = _over_seeds(changed, problem, settings, runner)
    means = {name: np.array([curves.mean(axis=0) for curves in seeds]) for name, seeds in kinds.items() if seeds}
    plots.curves(
        runner.out / "figure.png",
        {f"{name}: seeds": {"learning_rate": None, "curves": curves} for name, curves in means.items()},
        "MNIST: optimizers of different seeds, by the tasks of a meta-step",
    )
    at, steps = targets["show_at"], targets["sum_over"]
    last = {name: curves[:, at] for name, curves in means.items()}
    sums = {name: curves[:, :steps].sum(axis=1) for name, curves in means.items()}
    header = ["tasks of a meta-step", "seeds", f"step {at}", "worst", f"sum over {steps} steps", "worst"]
    rows = [
        [
            name,
            len(sums[name]),
            spread(last[name]),
            f"{last[name].max():.3g}",
            spread(sums[name]),
            f"{sums[name].max():.3g}",
        ]
        for name in means
    ]
    several = list(means)[-1]
    claims = [
        (f"{several} tasks: {what} of the sum at most {most}: {value:.3g}", bool(value <= most))
        for what, most, value in (
            ("mean", targets["most_mean"], sums[several].mean()),
            ("worst", targets["most_worst"], sums[several].max()),
        )
        if most is not None
    ]
    return Outcome(markdown(header, rows), claims, {"last": rounded(last), "sums": rounded(sums)})


def _over_seeds(recipe, problem, settings, runner):
    """The test curves (runs, steps) of an optimizer trained by the recipe, one for each seed."""
    test, found, rule = settings["test"], [], make_optimizer("lstm", **recipe["lstm"])
    rate = recipe["training"].pop("meta_learning_rate")
    for seed in range(1, settings["seeds"]["count"] + 1):
        name = f"{recipe['training']['tasks']}-{seed}"

        def compute(seed=seed, name=name):
            phi = runner.train(recipe, rate, name, seed=seed).phi
            return {"curves": evaluation.run(rule, phi, problem, "test", test["seed"], test["runs"], test["steps"])}

        key = {"recipe": recipe, "rate": rate, "seed": seed, "test": test}
        found.append(runner.cache(name, key, compute)["curves"])
    return found
