"""One learned rule for losses that it has never seen: meta-trained on the mixture from several seeds, judged on the
suite."""

import json

import numpy as np

from l2l import plots, workers
from l2l.evaluation import run as run_on
from l2l.experiments import settings as files_of_settings
from l2l.experiments.runner import Outcome, best_of, markdown, rounded, spread
from l2l.suite import LOSSES, judging, scoring


def run(settings, runner):
    suite, learned = settings["suite"], train(settings, runner)
    with workers.local(suite["processes"]) as executor:
        judged = {
            steps: _judged(each, int(steps), suite, learned, runner, executor) for steps, each in suite["races"].items()
        }
        curves = _curves(settings["paper"], runner, learned, executor)
    scores = {
        f"{split}, {steps} steps": [scoring.score(_only(split, mine), others) for mine in ours]
        for steps, (ours, others) in judged.items()
        for split in suite["races"][steps]["splits"]
    }
    (ours, others), typical = next(iter(judged.values())), _typical(next(iter(scores.values())))
    plots.ratios(
        runner.out / "figure.png",
        _ratios(ours, others, typical),
        "Loss at the end, divided by that of Adam with cosine decay at the best of nine rates",
    )
    numbers = {"typical_seed": typical + 1, "scores": {name: list(map(_rounded, of)) for name, of in scores.items()}}
    table = f"{_table(scores, typical)}\n{_papers(curves, settings['paper'], runner, typical)}"
    return Outcome(table, _claims(scores, typical, settings["targets"]), {**numbers, "paper": rounded(curves)})


def _judged(what, steps, suite, learned, runner, executor):
    """The results of all seeds and those of the rivals, after so many steps."""
    losses = [loss for loss in LOSSES.values() if loss.split in what["splits"]]
    others = judging.judge_rivals(runner.rivals(steps), losses, steps, suite["runs"], executor, what["rules"])
    return [judging.judge(each.optimizer, each.phi, losses, steps, suite["runs"], executor) for each in learned], others


def train(settings, runner):
    """The optimizers of all seeds, from 1."""
    recipe = {group: settings[group] for group in ("problem", "optimizer", "training")}
    learned = []
    for seed in range(1, settings["seeds"]["count"] + 1):
        seeded = {**recipe, "training": {**recipe["training"], "seed": seed}}
        learned.append(runner.learn_once(seeded, runner.out / "seeds" / str(seed)))
    return learned


def _only(split, results):
    return {name: ratios for name, ratios in results.items() if LOSSES[name].split == split}


def _typical(scores):
    """The number of the seed with the median of the medians: chosen on the validation losses, at the fewest steps."""
    return int(np.argsort([score["median"] for score in scores], kind="stable")[(len(scores) - 1) // 2])


def _rounded(score):
    return {**score, **rounded({key: score[key] for key in ("ratio", "median", "worst")})}


def _ratios(ours, others, typical):
    """{split: {loss: (the typical seed's log ratio to the best Adam with cosine, those of all seeds, Adam 0.01's)}}"""
    found = {}
    for loss in ours[typical]:
        rival = scoring.best(others, loss, ["adam"], True)
        seeds = [scoring.value(mine, loss) - rival for mine in ours]
        plain = scoring.value(others["adam 0.01"], loss) - rival
        found.setdefault(LOSSES[loss].split, {})[loss] = seeds[typical], seeds, plain
    return {split: found[split] for split in ("test", "validation", "kin") if split in found}


def _table(scores, typical):
    """Of each split and number of steps: what the typical seed wins, and in brackets the fewest of any seed."""
    rivals = list(dict.fromkeys(rival for seeds in scores.values() for rival in seeds[0]["wins"]))
    header = ["losses", *(f"below {rival}" for rival in rivals), "above start", "median", "worst", "worth runs"]
    rows = []
    for name, seeds in scores.items():
        mine = seeds[typical]

        def cell(of, worst=min, form="{}", mine=mine, seeds=seeds):
            return f"{form.format(of(mine))} ({form.format(worst(map(of, seeds)))})"

        wins = [
            cell(lambda score, rival=rival: score["wins"][rival]) if rival in mine["wins"] else "–" for rival in rivals
        ]
        rest = [
            cell(lambda score: score["above_start"], max),
            cell(lambda score: score["median"], max, "{:.2f}"),
            cell(lambda score: score["worst"], max, "{:.2f}"),
            cell(lambda score: score["tuning_runs"]),
        ]
        rows.append([f"{name}: {mine['losses']}, {mine['full_batch']} without minibatches", *wins, *rest])
    return markdown(header, rows)


def _curves(paper, runner, learned, executor):
    """{problem of the paper: the mean losses of each seed on its test tasks}; none was trained on them."""
    curves = {}
    for case, (name, changes, _) in paper["cases"].items():
        test = files_of_settings.load(name, runner.quick)["test"]
        how = (
            runner.problem(runner.recipe(name, **changes)["problem"]),
            "test",
            test["seed"],
            test["runs"],
            paper["steps"],
        )
        losses = [run_on(each.optimizer, each.phi, *how, executor) for each in learned]
        curves[case] = [runs.mean(axis=0) / test["divide_by"] for runs in losses]
    return curves


def _papers(curves, paper, runner, typical):
    """The table of these losses, beside what other experiments found on the same tasks."""
    rows, at = [], paper["show_at"]
    for case, means in curves.items():
        lines = {"general": means[typical], **_recorded(runner, paper["cases"][case][2], case)}
        rows += [[case, what, *(f"{curve[t]:.3g}" for t in at)] for what, curve in lines.items()]
        rows.append([case, f"general, {len(means)} seeds", *(spread([mean[t] for mean in means]) for t in at)])
    return markdown(["problem", "optimizer", *(f"step {t}" for t in at)], rows)


def _recorded(runner, name, case):
    """{optimizer: mean losses} in the results of another experiment, if they lie beside this one's: of the LSTM that
    learned there, and of the hand-designed rule with the lowest sum."""
    path = runner.out.parent / name / "results.json"
    if not path.exists():
        return {}
    found = json.loads(path.read_text())
    tuned = {rule: entry["loss_mean"] for rule, entry in found.get("optimizers", {}).items()}
    losses = tuned or found["cases"][case]
    best = best_of({rule: sum(curve) for rule, curve in losses.items() if np.ndim(curve) == 1})
    return {
        "lstm, learned on it" if tuned else "lstm, learned on MNIST": losses["lstm"],
        f"{best}, tuned": losses[best],
    }


def _claims(scores, typical, targets):
    claims = []
    for name, wanted in targets["least_wins"].items():
        seeds = scores[name]
        for rival, share in wanted.items():
            wins, least = seeds[typical]["wins"][rival], round(share * seeds[typical]["losses"])
            fewest = min(score["wins"][rival] for score in seeds)
            claims.append((f"{name}: below {rival} on at least {least}: {wins}", wins >= least))
            claims.append((f"{name}: below {rival}: no seed on more than 2 fewer: {fewest}", fewest >= wins - 2))
        above = max(score["above_start"] for score in seeds)
        claims.append((f"{name}: no seed ends above its start: {above}", above == 0))
    for name, (median, worst) in targets["most_log_ratio"].items():
        score = scores[name][typical]
        for what, most in (("median", median), ("worst", worst)):
            claims.append((f"{name}: {what} log ratio at most {most}: {score[what]:.2f}", score[what] <= most))
    return claims
