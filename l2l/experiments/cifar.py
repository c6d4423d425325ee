"""Convolutional networks on CIFAR-10 and on some of its labels, two LSTMs in one model (the paper's Figure 7)."""

import math

import numpy as np

from l2l import plots
from l2l.evaluation import standard_error
from l2l.experiments.runner import Outcome, best_of, markdown, race, race_tuned, rounded, spread

READING = """`lstm` and `lstm-sub` are two LSTMs each, one for the convolutions and one for the rest; `lstm-sub` was
meta-trained on labels {sub} alone{shared}. Their training ended on networks of {learned}
channels, {steps} steps an episode; the rules were tuned on what is raced, networks of {raced} channels. A loss at
step t is the mean over the ten steps before it, ± is the standard deviation over {runs} runs. Rules are tuned for the
loss at step {tuned}, if no other is named."""
SHARED = ", and `lstm, shared` is one LSTM for all of θ"


def run(settings, runner):
    test = settings["test"]
    learned = _learned(settings, runner)
    problems = {kind: {**settings["problem"], "labels": labels} for kind, labels in test["labels"].items()}
    entries = {kind: _race(kind, options, learned, test, runner) for kind, options in problems.items()}
    step = test["tuning_steps"]
    ahead = sum(last["lstm"] < last[best_of(last)] for last in (_means(rows, step) for rows in entries.values()))
    title = f"At step {step}, the learned optimizer is ahead of every tuned rule on {ahead} of {len(entries)} problems"
    title += "\n(every loss the mean over ten steps)"
    shown = {kind: {n: _smooth(e) for n, e in rows.items() if ", tuned" not in n} for kind, rows in entries.items()}
    plots.panels(runner.out / "figure.png", shown, title, sharey=False, first=10)
    results = {
        problem: {
            name: {
                "learning_rate": entry["learning_rate"],
                "grid_edge": entry["grid_edge"],
                "loss_mean": rounded(entry["curves"].mean(axis=0)),
                "loss_sem": rounded(standard_error(entry["curves"])),
            }
            for name, entry in rows.items()
        }
        for problem, rows in entries.items()
    }
    made = {name: one.provenance for name, one in learned.items()}
    return Outcome(_table(entries, settings), _claims(entries, settings), {"problems": results, "training": made})


def _learned(settings, runner):
    """{name: learned optimizer}: two LSTMs, two that were trained on other labels, and one for all of θ."""
    recipe = runner.recipe(runner.name, **settings["learned_on"])
    first = runner.learn(recipe, runner.out)
    others = _others(settings, recipe, first.provenance["trials"])
    return {"lstm": first} | {name: runner.learn(other, runner.out / key) for name, (key, other) in others.items()}


def _others(settings, recipe, trials):
    """{name: (folder, recipe)} of the other optimizers to learn, with the seed and rate of the first's best trial."""
    others, recipes = settings["others"], {}
    best = min(trials, key=lambda trial: trial["validation"] or np.inf)
    for key, name in (("sub", "lstm-sub"), ("shared", "lstm, shared")):
        if others[key] is None:
            continue
        once = {"trials": 1, "seed": best["seed"], "lowest": best["rate"], "highest": best["rate"]}
        problem = {**recipe["problem"], "labels": others[key]["labels"]}
        changes = {"problem": problem, "groups": {"parts": others[key]["parts"]}, "search": recipe["search"] | once}
        recipes[name] = key, recipe | changes
    return recipes


def _race(kind, options, learned, test, runner):
    """{name: entry} on the problem with these options. Where a race is longer than tuning_steps, every
    rule is raced twice: tuned for the last step, and tuned for the step tuning_steps and raced only so far."""
    problem, entries, short, long = runner.problem(options), {}, test["tuning_steps"], test["steps"]

    def add(name, race, **trained):
        key = {"problem": options, "data": problem.checksum, "test": test, **trained}
        entries[name] = runner.cache(f"{kind}, {name}", key, race)
        return entries[name]["learning_rate"]

    for name, one in learned.items():
        how = {"recipe": one.provenance["recipe"], "meta_steps": one.provenance["meta_steps"]}
        add(name, lambda one=one: race(one, problem, test), **how)
    for name in test["baselines"]:
        early = {**test, "steps": short}
        rule = f"{name}, tuned for step {short}" if long > short else name
        rate = add(rule, lambda name=name, early=early: race_tuned(name, problem, early))
        if long > short:
            late = {**test, "tuning_steps": long, "around": rate}
            add(name, lambda name=name, late=late: race_tuned(name, problem, late))
    return entries


def _smooth(entry):
    """The entry with its losses smoothed, as in the table: each the mean over ten steps."""
    steps = range(1, entry["curves"].shape[1] + 1)
    return {**entry, "curves": np.stack([_at(entry, step) for step in steps], axis=1)}


def _at(entry, step):
    """The loss at a step, of each run: the mean over the ten steps before it, because one minibatch is noisy. NaN where
    the runs have fewer steps."""
    runs, steps = entry["curves"].shape
    return entry["curves"][:, max(step - 10, 0) : step].mean(axis=1) if step <= steps else np.full(runs, np.nan)


def _means(rows, step):
    """{name: loss at a step, the mean over the runs}"""
    return {name: float(_at(entry, step).mean()) for name, entry in rows.items()}


def _table(entries, settings):
    test, at, rows = settings["test"], settings["targets"]["show_at"], []
    for problem, by_name in entries.items():
        for name, entry in by_name.items():
            rate = "learned" if entry["learning_rate"] is None else f"{entry['learning_rate']:.3g}"
            edge = " (edge of its grid)" if entry["grid_edge"] else ""
            losses = [_at(entry, t) for t in at]
            rows.append([problem, name, rate + edge, *("" if np.isnan(x).all() else spread(x) for x in losses)])
    sub = ", ".join(map(str, settings["others"]["sub"]["labels"]))
    shared = SHARED if settings["others"]["shared"] else ""
    reading = READING.format(
        sub=sub,
        shared=shared,
        learned="-".join(map(str, settings["learned_on"]["channels"])),
        raced="-".join(map(str, settings["problem"]["channels"])),
        steps=settings["training"]["steps"],
        runs=test["runs"],
        tuned=test["steps"],
    )
    return f"{markdown(['labels', 'optimizer', 'learning rate', *(f'step {t}' for t in at)], rows)}\n{reading}"


def _claims(entries, settings):
    targets, claims = settings["targets"], []

    def compared(problem, step):
        last = _means(entries[problem], step)
        best = best_of(last)
        return last, best, f"{last['lstm']:.3g}, {best} {last[best]:.3g}"

    for problem, labels in settings["test"]["labels"].items():
        half, step = math.log(len(labels)) / 2, targets["learned_at"]
        reached = _means(entries[problem], step)["lstm"]
        claims.append((f"{problem}: at step {step} below half of a guess's loss: {reached:.3g}", reached < half))
        if step := targets["ahead_at"]:
            last, best, numbers = compared(problem, step)
            claims.append(
                (f"{problem}: at step {step} ahead of every tuned rule: {numbers}", last["lstm"] < last[best])
            )
        if step := targets["not_behind_at"].get(problem):
            last, best, numbers = compared(problem, step)
            claims.append((f"{problem}: at step {step} not behind any: {numbers}", last["lstm"] <= last[best]))
        if "lstm, shared" in entries[problem]:
            last = compared(problem, targets["ahead_at"])[0]
            text = f"{problem}: two LSTMs ahead of one at step {targets['ahead_at']}: "
            text += f"{last['lstm']:.3g}, {last['lstm, shared']:.3g}"
            claims.append((text, last["lstm"] < last["lstm, shared"]))
    return claims
