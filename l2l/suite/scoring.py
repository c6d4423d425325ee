"""Scores: one optimizer's results on the suite beside those of its rivals. Results are as `judging.judge` gives them:
{loss: [log ratio of each run]}."""

from math import comb
from typing import Any

import numpy as np

from l2l.suite.judging import RATES, TUNED, name_of


def value(results: dict[str, list[float]], loss: str) -> float:
    """An optimizer's log ratio on a loss, the mean over its runs."""
    return float(np.mean(results[loss]))


def best(results: dict[str, dict[str, list[float]]], loss: str, rules: list[str], cosine: bool) -> float:
    """The lowest value on a loss that any of the rules has at any of RATES: chosen on the very runs that are reported,
    which favours the rules."""
    return min(value(results[name_of(rule, rate, cosine)], loss) for rule in rules for rate in RATES)


def score(mine: dict[str, list[float]], others: dict[str, dict[str, list[float]]]) -> dict[str, Any]:
    """How an optimizer stands against its rivals, over the losses that it was judged on.

    wins {rival: number of losses on which it ends below}, of `losses`; l-bfgs: of the `full_batch` ones. above_start:
    on how many losses some run ends above its start. ratio {loss: log of its end over that of Adam with cosine decay
    at the best of RATES}; median and worst of these. tuning_runs: see `tuning_runs`.
    """
    rules = [rule for rule in TUNED if name_of(rule, RATES[0]) in others]
    opponents = {
        "adam 0.001": lambda loss: value(others["adam 0.001"], loss),
        "adam 0.01": lambda loss: value(others["adam 0.01"], loss),
        "best adam": lambda loss: best(others, loss, ["adam"], False),
        "best adam, cosine": lambda loss: best(others, loss, ["adam"], True),
    }
    if len(rules) > 1:
        opponents["best of all"] = lambda loss: best(others, loss, rules, False)
        opponents["best of all, cosine"] = lambda loss: best(others, loss, rules, True)
    wins = {name: sum(value(mine, loss) < of(loss) for loss in mine) for name, of in opponents.items()}
    if full_batch := [loss for loss in mine if loss in others.get("l-bfgs", {})]:
        wins["l-bfgs"] = sum(value(mine, loss) < value(others["l-bfgs"], loss) for loss in full_batch)
    ratio = {loss: value(mine, loss) - best(others, loss, ["adam"], True) for loss in mine}
    return {
        "losses": len(mine),
        "full_batch": len(full_batch),
        "wins": wins,
        "above_start": sum(max(mine[loss]) > 0 for loss in mine),
        "ratio": ratio,
        "median": float(np.median(list(ratio.values()))),
        "worst": max(ratio.values()),
        "tuning_runs": tuning_runs(mine, others),
    }


def tuning_runs(mine: dict[str, list[float]], others: dict[str, dict[str, list[float]]]) -> int:
    """How many tuning runs of Adam with cosine decay the optimizer is worth: the largest k of 0, …, 9 for which, on the
    median loss, it ends no higher than the best of k different rates, picked from RATES at random, is expected to."""
    names = [name_of("adam", rate, cosine=True) for rate in RATES]
    values = np.sort([[value(others[name], loss) for name in names] for loss in mine])  # the best first
    worth = 0
    for k in range(1, len(RATES) + 1):
        if np.median([value(mine, loss) for loss in mine] - values @ chance_of_best(len(RATES), k)) > 0:
            break
        worth = k
    return worth


def chance_of_best(n: int, k: int) -> np.ndarray:
    """The chance that the i-th best of n is the best of k different ones picked at random: C(n−1−i, k−1)/C(n, k)."""
    return np.array([comb(n - 1 - i, k - 1) / comb(n, k) for i in range(n)])
