"""Loss against step for the learned optimizer and the tuned rules: the paper's quadratics and MNIST (Figure 4)."""

import numpy as np

from l2l import plots
from l2l.evaluation import standard_error
from l2l.experiments.runner import Outcome, best_of, markdown, race, race_tuned, rounded, spread

READING = """The row `lstm` is one meta-training, its seed chosen by the search; the row below it shows the spread over
others, mean ± standard deviation, on less training. In the last column, ± is over the test runs."""


def run(settings, runner):
    test, targets, horizon = settings["test"], settings["targets"], settings["test"]["tuning_steps"]
    learned = runner.learn(runner.recipe(runner.name), runner.out)
    seeds = runner.other_seeds(runner.name)
    problem = runner.problem(settings["problem"])
    entries = {"lstm": race(learned, problem, test)}
    entries |= {name: race_tuned(name, problem, test) for name in test["baselines"]}
    plots.curves(
        runner.out / "figure.png",
        _scaled(entries, test),
        f"{runner.name}: an optimizer learned on {horizon} steps, rules tuned for the loss after {horizon}",
        trained=horizon if test["steps"] > horizon else None,
    )
    entries |= {f"{name}, tuned for the sum": race_tuned(name, problem, test, "sum") for name in test["baselines"]}
    entries = _scaled(entries, test)
    seeds = [race(seed, problem, test)["curves"] / test["divide_by"] for seed in seeds]

    mean = {name: entry["curves"].mean(axis=0) for name, entry in entries.items()}
    sums = {name: entry["curves"][:, :horizon].sum(axis=1) for name, entry in entries.items()}
    results = {
        name: {
            "learning_rate": entry["learning_rate"],
            "grid_edge": entry["grid_edge"],
            "loss_mean": rounded(mean[name]),
            "loss_sem": rounded(standard_error(entry["curves"])),
            "sum_per_run": rounded(sums[name]),
        }
        for name, entry in entries.items()
    }
    results = {"training": learned.provenance, "optimizers": results, "seeds": rounded([c.mean(axis=0) for c in seeds])}
    at = [t for t in targets["show_at"] if t < test["steps"]]
    table = _table(entries, mean, sums, seeds, settings, at)
    return Outcome(table, _claims(mean, targets, horizon, learned.provenance["meta_steps"]), results)


def _scaled(entries, test):
    return {name: {**entry, "curves": entry["curves"] / test["divide_by"]} for name, entry in entries.items()}


def _table(entries, mean, sums, seeds, settings, at):
    horizon, count, episodes = settings["test"]["tuning_steps"], len(seeds), settings["seeds"]["training"]["episodes"]
    rows = []
    for name, entry in entries.items():
        rate = "learned" if entry["learning_rate"] is None else f"{entry['learning_rate']:.3g}"
        edge = " (edge of its grid)" if entry["grid_edge"] else ""
        rows.append([name, rate + edge, *(f"{mean[name][t]:.3g}" for t in at), spread(sums[name])])
    if seeds:
        means = np.array([curves.mean(axis=0) for curves in seeds])
        losses = [*(means[:, t] for t in at), means[:, :horizon].sum(axis=1)]
        rows.insert(1, [f"lstm, {count} other seeds, {episodes} episodes", "learned", *map(spread, losses)])
    for name, values in settings["paper"].items():
        rows.append([f"{name} (paper)", "", *(values.get(str(t), "") for t in at), ""])
    table = markdown(["optimizer", "learning rate", *(f"step {t}" for t in at), f"sum over {horizon} steps"], rows)
    return f"{table}\n{READING}" if seeds else table


def _claims(mean, targets, horizon, meta_steps):
    """The claims: the learned optimizer is ahead of the tuned rules, and reaches the targets."""
    lstm, sums = mean["lstm"], {name: curve[:horizon].sum() for name, curve in mean.items()}
    ours, best = sums["lstm"], best_of(sums)
    text = f"summed loss over {horizon} steps below every tuned rule's: {ours:.3g}, {best} {sums[best]:.3g}"
    claims = [(text, ours < sums[best])]
    for t, most in targets["most_at"].items():
        claims.append((f"loss at step {t} at most {most}: {lstm[int(t)]:.3g}", lstm[int(t)] <= most))
    if targets["most_sum"] is not None:
        claims.append((f"summed loss at most {targets['most_sum']}: {ours:.3g}", ours <= targets["most_sum"]))
    most = targets["most_meta_steps"]
    claims.append((f"within {most} meta-steps: {meta_steps}", meta_steps <= most))
    if targets["ahead_from"] is not None:
        steps = range(targets["ahead_from"], horizon)
        behind = [f"{name} at step {t}" for name, curve in mean.items() for t in steps if curve[t] < lstm[t]]
        text = f"ahead of every tuned rule at every step from {steps[0]} to {steps[-1]}"
        claims.append((f"{text}{': behind ' + behind[0] if behind else ''}", not behind))
    return claims
