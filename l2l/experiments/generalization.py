"""The optimizer learned on MNIST's small network, applied unchanged to other networks (Figures 5 and 6)."""

import numpy as np

from l2l import plots
from l2l.experiments.runner import Outcome, best_of, markdown, race, race_tuned, rounded, spread


def run(settings, runner):
    learned = runner.load_or_learn("mnist")
    seeds = runner.other_seeds("mnist")
    base = runner.recipe("mnist")["problem"]
    problems = {case: runner.problem({**base, **changes}) for case, changes in settings["cases"].items() if changes}
    table, claims, cases = _cases(settings, runner.out, problems, learned, seeds)
    shapes = [(layers, units) for layers in settings["grid"]["layers"] for units in settings["grid"]["units"]]
    problems = {(d, n): runner.problem({**base, "layers": d, "hidden": n}) for d, n in shapes}
    grid_table, grid = _grid(settings, runner.out, problems, learned)
    return Outcome(f"{table}\n{grid_table}", claims, {"cases": cases, "grid": grid, "training": learned.provenance})


def _cases(settings, out, problems, learned, seeds):
    """Loss against step on networks that are wider, deeper, or have another activation."""
    test, targets, paper = settings["test"], settings["targets"], settings["paper"]
    rows, claims, entries, numbers, at = [], [], {}, {}, targets["show_at"]
    for case, problem in problems.items():
        entries[case] = {"lstm": race(learned, problem, test)}
        entries[case] |= {name: race_tuned(name, problem, test) for name in test["baselines"]}
        mean = {name: entry["curves"].mean(axis=0) for name, entry in entries[case].items()}
        numbers[case] = rounded(mean)
        rows += [[case, name, *(f"{curve[t]:.3g}" for t in at)] for name, curve in mean.items()]
        if seeds:
            means = np.array([race(seed, problem, test)["curves"].mean(axis=0) for seed in seeds])
            numbers[case]["lstm, other seeds"] = rounded(means)
            rows.append([case, f"lstm, {len(seeds)} other seeds", *(spread(means[:, t]) for t in at)])
        rows += [
            [case, f"{name} (paper)", *(losses[case] if t == 98 else "" for t in at)] for name, losses in paper.items()
        ]
        most, ours = targets["most_at_98"].get(case), mean["lstm"]
        if most is not None:
            claims.append((f"{case}: loss at step 98 at most {most}: {ours[98]:.3g}", ours[98] <= most))
        sums = {name: curve[: test["tuning_steps"]].sum() for name, curve in mean.items()}
        best = best_of(sums)
        text = f"{case}: summed loss below every tuned rule's: {sums['lstm']:.3g}, {best} {sums[best]:.3g}"
        claims.append((text, sums["lstm"] < sums[best]))
    plots.panels(out / "figure.png", entries, "Learned on 20 sigmoid units, taken to networks it never saw")
    return markdown(["network", "optimizer", *(f"step {t}" for t in at)], rows), claims, numbers


def _grid(settings, out, problems, learned):
    """The last losses over a grid of depths and widths, for the learned optimizer and the best of the tuned rules."""
    grid, test = settings["grid"], {**settings["test"], **settings["grid"]["test"]}
    rows, ratios, texts, results = [], [], [], []
    for (layers, units), problem in problems.items():
        entries = {"lstm": race(learned, problem, test)}
        entries |= {name: race_tuned(name, problem, test) for name in test["baselines"]}
        last = {name: float(entry["curves"][:, -10:].mean()) for name, entry in entries.items()}
        best = best_of(last)
        rows.append([layers, units, f"{last['lstm']:.3g}", f"{last[best]:.3g} ({best})"])
        texts.append(f"{last['lstm']:.2g} : {last[best]:.2g}\n{best}")
        ratios.append(last["lstm"] / last[best])
        results.append({"layers": layers, "units": units, "last": rounded(last)})
    shape = len(grid["layers"]), len(grid["units"])
    ratios = np.array(ratios)
    plots.heatmap(
        out / "grid.png",
        ratios.reshape(shape),
        np.array(texts).reshape(shape),
        columns=(grid["units"], "hidden units in each layer"),
        rows=(grid["layers"], "hidden layers"),
        title=f"Loss at the end, learned : best tuned rule. Learned is ahead in {(ratios < 1).sum()} of {ratios.size}",
        scale="learned / best tuned rule",
    )
    header = ["hidden layers", "units", "lstm, mean of the last ten steps", "best tuned rule"]
    return markdown(header, rows), results
