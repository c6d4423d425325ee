"""Convolutional networks on CIFAR-10 and on some of its labels, two LSTMs in one model (the paper's Figure 7)."""

import math

import numpy as np

from l2l import plots
from l2l.reproduce.workshop import Outcome, best_of, markdown, race, race_tuned, rounded, spread

READING = """`lstm` and `lstm-sub` are two LSTMs each, one for the convolutions and one for the rest; `lstm-sub` was
meta-trained on labels {sub} alone{shared}. A loss at step t is the mean over the ten
steps before it, ± is the standard deviation over {runs} runs. Rules are tuned for the loss at step {short}{long}."""
SHARED = ", and `lstm, shared` is one LSTM for all of θ"


def run(settings, workshop):
    test = settings["test"]
    learned = _learned(settings, workshop)
    problems = {name: workshop.problem({**settings["problem"], "labels": c}) for name, c in test["labels"].items()}
    entries = {name: _race(name, problem, learned, test, workshop) for name, problem in problems.items()}
    step = test["tuning_steps"]
    ahead = sum(last["lstm"] < last[best_of(last)] for last in (_means(rows, step) for rows in entries.values()))
    title = f"At step {step}, the learned optimizer is ahead of every tuned rule on {ahead} of {len(entries)} problems"
    plots.panels(workshop.out / "figure.png", {name: _shown(rows) for name, rows in entries.items()}, title)
    results = {
        problem: {
            name: {
                "learning_rate": entry["learning_rate"],
                "grid_edge": entry["grid_edge"],
                "loss_mean": rounded(entry["curves"].mean(axis=0)),
                "loss_sem": rounded(entry["curves"].std(axis=0) / np.sqrt(test["runs"])),
            }
            for name, entry in rows.items()
        }
        for problem, rows in entries.items()
    }
    stories = {name: one.story for name, one in learned.items()}
    return Outcome(_table(entries, settings), _claims(entries, settings), {"problems": results, "training": stories})


def _learned(settings, workshop):
    """{name: learned optimizer}: two LSTMs, two that saw other labels, and one that serves for all of θ."""
    recipe = workshop.recipe(workshop.name)
    first = workshop.learn(recipe, workshop.out)
    others = _others(settings, recipe, first.story["trials"])
    return {"lstm": first} | {name: workshop.learn(other, workshop.out / key) for name, (key, other) in others.items()}


def _others(settings, recipe, trials):
    """{name: (folder, recipe)} of what is learned beside the first, with the seed and the rate that served it best."""
    others, found = settings["others"], {}
    best = min(trials, key=lambda trial: trial["validation"] or np.inf)
    for key, name in (("sub", "lstm-sub"), ("shared", "lstm, shared")):
        if others[key] is None:
            continue
        groups = {group: recipe[group] | others[group] for group in ("training", "search")}
        groups["search"] |= {"seed": best["seed"], "lowest": best["rate"], "highest": best["rate"]}
        problem = {**recipe["problem"], "labels": others[key]["labels"]}
        found[name] = key, {**recipe, **groups, "problem": problem, "groups": {"parts": others[key]["parts"]}}
    return found


def _race(kind, problem, learned, test, workshop):
    """{name: entry} on one problem. A rule that another rate suits better in the long run is there twice."""
    entries, short, long = {}, test["tuning_steps"], test["steps"]
    for name, one in learned.items():
        about = {"recipe": one.story["recipe"], "meta_steps": one.story["meta_steps"], "test": test}
        entries[name] = workshop.kept(f"{kind}, {name}", about, lambda one=one: race(one, problem, test))
    for name in test["baselines"]:
        first = workshop.kept(f"{kind}, {name}", test, lambda name=name: race_tuned(name, problem, test))
        entries[name] = first
        if long > short:
            tuning = {**test, "tuning_steps": long, "around": first["learning_rate"]}
            later = workshop.kept(
                f"{kind}, {name}, {long}", tuning, lambda name=name, tuning=tuning: race_tuned(name, problem, tuning)
            )
            if later["learning_rate"] != first["learning_rate"]:
                entries[f"{name}, tuned for step {long}"] = later
    return entries


def _shown(rows):
    """What a figure has room for: of a rule that is there twice, the one that is tuned for the last step."""
    longer = {name.partition(", tuned")[0] for name in rows if ", tuned" in name}
    return {name.partition(", tuned")[0]: entry for name, entry in rows.items() if name not in longer}


def _at(entry, step):
    """The loss at a step, of each run: the mean over the ten before it, for one minibatch is noisy."""
    return entry["curves"][:, max(step - 10, 0) : step].mean(axis=1)


def _means(rows, step):
    """{name: loss at a step, the mean over the runs}"""
    return {name: float(_at(entry, step).mean()) for name, entry in rows.items()}


def _table(entries, settings):
    test, at, rows = settings["test"], settings["targets"]["show_at"], []
    for problem, found in entries.items():
        for name, entry in found.items():
            rate = "learned" if entry["learning_rate"] is None else f"{entry['learning_rate']:.3g}"
            edge = " (edge of its grid)" if entry["grid_edge"] else ""
            rows.append([problem, name, rate + edge, *(spread(_at(entry, t)) for t in at)])
    long = f", and again for step {test['steps']}" if test["steps"] > test["tuning_steps"] else ""
    sub = ", ".join(map(str, settings["others"]["sub"]["labels"]))
    shared = SHARED if settings["others"]["shared"] else ""
    reading = READING.format(sub=sub, shared=shared, runs=test["runs"], short=test["tuning_steps"], long=long)
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
