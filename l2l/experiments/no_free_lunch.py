"""Optimizers learned on three kinds of problem, each raced on all three: each fits what it was trained on."""

import numpy as np

from l2l import plots
from l2l.experiments.runner import Outcome, best_of, markdown, race, race_tuned, rounded


def run(settings, runner):
    relu = runner.recipe("mnist", activation="relu")
    for group in ("training", "search"):
        relu[group] |= settings[group]
    learned = {
        "quadratic": runner.load_or_learn("quadratic"),
        "mnist, sigmoid": runner.load_or_learn("mnist"),
        "mnist, ReLU": runner.learn(relu, runner.out / "mnist-relu"),
    }
    last = {
        kind: _last_losses(one.provenance["recipe"]["problem"], learned, settings, runner)
        for kind, one in learned.items()
    }

    kinds, columns = list(learned), [f"lstm of {kind}" for kind in learned]
    best = [best_of(last[kind]) for kind in kinds]
    least = np.array([last[kind][name] for kind, name in zip(kinds, best, strict=True)])
    table = np.array([[last[kind][name] for name in columns] for kind in kinds])
    ratios = table / least[:, None]
    texts = [f"{loss:.3g}\n{ratio:.2g} ×" for loss, ratio in zip(table.flat, ratios.flat, strict=True)]
    rules = [f"{least[k]:.3g} ({best[k]})" for k in range(len(kinds))]
    plots.heatmap(
        runner.out / "figure.png",
        ratios,
        np.array(texts).reshape(table.shape),
        columns=(kinds, "learned on"),
        rows=([f"{kind}\n{rule}" for kind, rule in zip(kinds, rules, strict=True)], "run on, and the best tuned rule"),
        title="Loss at the end of 100 steps, and how many times the best tuned rule's it is",
        scale="learned / best tuned rule",
    )
    rows = [[kinds[k], *(f"{loss:.3g}" for loss in table[k]), rules[k]] for k in range(len(kinds))]
    claims = []
    for kind in settings["rules"]["at_home"]:
        k = kinds.index(kind)
        behind = [columns[j] for j in range(len(kinds)) if table[k, j] < table[k, k]]
        text = f"on {kind}, the optimizer learned there ends lowest of the three: {table[k, k]:.3g}"
        claims.append((text + (f", {behind[0]} lower" if behind else ""), not behind))
    results = {"last": rounded(last), "training": learned["mnist, ReLU"].provenance}
    return Outcome(markdown(["run on", *columns, "best tuned rule"], rows), claims, results)


def _last_losses(options, learned, settings, runner):
    """{optimizer: loss at the end, the mean of the last ten steps} on one problem."""
    problem, test = runner.problem(options), settings[options["name"]]
    entries = {f"lstm of {kind}": race(other, problem, test) for kind, other in learned.items()}
    entries |= {name: race_tuned(name, problem, test) for name in settings["rules"]["baselines"]}
    return {name: float(entry["curves"][:, -10:].mean() / test["divide_by"]) for name, entry in entries.items()}
