"""What the experiments share: meta-training optimizers, racing them, and formatting the results."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from l2l.evaluation import run, tune
from l2l.experiments import settings
from l2l.meta_training.measurements import finite
from l2l.meta_training.state import Training
from l2l.optimizers import Groups, make_optimizer
from l2l.problems import make_problem
from l2l.storage import archive, checkpoint
from l2l.storage.runs import CHECKPOINT, OPTIMIZER, RECORDS, resume_training, train_and_save, train_with_bar

RECIPE = ("problem", "lstm", "groups", "training", "search", "seeds")
CACHED = "l2l-race-1"  # format of the files that hold intermediate results until an experiment ends


@dataclass
class Outcome:
    """An experiment's result: its table (Markdown), claims as pairs (text, whether it holds), all numbers for JSON."""

    table: str
    claims: list
    results: dict = field(default_factory=dict)


@dataclass
class Learned:
    """A meta-trained optimizer: the rule, its φ, and how it was trained."""

    optimizer: object
    phi: Any
    provenance: dict


class Runner:
    """One run of the experiment `name`: it meta-trains optimizers in the folder `out` and caches intermediate results.

    Checkpoints and caches stay in the folder until the experiment ends, so an interrupted experiment resumes when it is
    run again. quick: use the small budgets. check: the function that `files.lock` gave for the folder.

    A recipe is the part of an experiment's settings that decides what is learned.
    """

    def __init__(self, name: str, out: Path, quick: bool = False, check: Callable | None = None):
        self.name, self.out, self.quick, self.check = name, out, quick, check
        self.command = f"python -m l2l reproduce {name}{' --quick' if quick else ''}"
        self.data = "random numbers"
        self.folders = []  # where it meta-trained
        self.cached = []  # files of intermediate results
        self.elapsed, self.settings = out / "elapsed.npz", settings.load(name, quick)
        earlier = _read_cached(self.elapsed, self.settings)
        self.started = time.perf_counter() - (earlier[0]["seconds"] if earlier else 0.0)

    def seconds(self) -> float:
        """The seconds that the experiment has taken so far, with its interrupted runs."""
        return time.perf_counter() - self.started

    def save_seconds(self):
        """Save the seconds so far, so that they count if the experiment is interrupted and resumed."""
        _write_cached(self.elapsed, self.settings, {"seconds": self.seconds()}, {})

    def problem(self, options: dict):
        """The problem with these options; the experiment then reports its data."""
        problem = make_problem(**options)
        if problem.data != "random numbers":
            self.data = problem.data
        return problem

    def recipe(self, name: str, **problem) -> dict:
        """The recipe of experiment `name`, with these options of its problem changed."""
        groups = settings.load(name, self.quick)
        recipe = {group: groups[group] for group in RECIPE if group in groups}
        return {**recipe, "problem": {**recipe["problem"], **problem}}

    def clean_up(self):
        """Remove checkpoints, logs for `watch` and cached results, which only an unfinished experiment needs."""
        left = [folder / name for folder in self.folders for name in (CHECKPOINT, RECORDS)]
        for path in [*left, *self.cached, self.elapsed]:
            path.unlink(missing_ok=True)
        if self.cached:
            self.cached[0].parent.rmdir()

    def rivals(self, steps: int) -> Path:
        """The file that keeps the results of the suite's rivals: of a full run in results/suite, where `python -m l2l
        suite` looks, too."""
        return (self.out if self.quick else self.out.parent / "suite") / f"rivals-{steps}.json"

    # -------------------------------------------------------------------------------------- meta-training

    def load_or_learn(self, name: str) -> Learned:
        """The optimizer of experiment `name`: loaded from the folder beside this experiment's if it was trained there
        with the same recipe, else meta-trained now."""
        recipe = self.recipe(name)
        return _load_learned(self.out.parent / name, recipe) or self.learn(recipe, self.out / name)

    def other_seeds(self, name: str) -> list[Learned]:
        """A list of optimizers of experiment `name`, meta-trained on its smaller budget with other seeds: loaded if
        they exist, as by `load_or_learn`."""
        recipe, learned = self.recipe(name), []
        for k in range(1, recipe["seeds"]["count"] + 1):
            small = {group: {**recipe[group], **recipe["seeds"].get(group, {})} for group in ("training", "search")}
            small["search"]["seed"] += k * recipe["search"]["trials"]
            small, place = {**recipe, **small}, f"seeds/{k}"
            loaded = _load_learned(self.out.parent / name / place, small) if name != self.name else None
            learned.append(loaded or self.learn(small, self.out / place))
        return learned

    def learn(self, recipe: dict, folder: Path) -> Learned:
        """Meta-train by random search and save in the folder: short trials at random meta learning rates, then a full
        training from the best trial's φ, at its rate times search["continue_at"].

        Trial k uses the seed search["seed"] + k for its first φ, its tasks and its rate. search["problem"], if given,
        changes the problem's options for the trials. A meta-training by this recipe that was interrupted in this folder
        is resumed.
        """
        self.folders.append(folder)
        provenance, training = self._resume(recipe, folder) or self._search_and_train(recipe, folder)
        self.save_seconds()
        optimizer = _optimizer(recipe)
        meta_steps = provenance["trial_meta_steps"] + training.meta_steps
        return Learned(optimizer, training.phi, {**provenance, "meta_steps": meta_steps})

    def learn_once(self, recipe: dict, folder: Path) -> Learned:
        """Meta-train once, from the seed and at the rate that the recipe names, and save in the folder. Where that was
        done or begun by the same recipe, the result is loaded, or the training resumed."""
        self.folders.append(folder)
        if learned := _load_learned(folder, recipe):
            return learned
        problem, optimizer = self._problem_and_rule(recipe)
        notes = {"command": self.command, "recipe": recipe, "data": problem.data}
        found = self._resume(recipe, folder) or (
            notes,
            train_and_save(problem, optimizer, folder, notes, **self._save_options(folder), **recipe["training"]),
        )
        self.save_seconds()
        return Learned(optimizer, found[1].phi, found[0])

    def _search_and_train(self, recipe, folder):
        search, (problem, optimizer) = recipe["search"], self._problem_and_rule(recipe)
        trial_problem = self.problem({**recipe["problem"], **search.get("problem", {})})
        trials, best, meta_steps = [], None, 0
        for seed in range(search["seed"], search["seed"] + search["trials"]):
            rate = _random_rate(search, seed)
            what = f"{folder.name}: trial {len(trials) + 1} of {search['trials']}, {rate:.3g}"
            options = {**recipe["training"], **search["training"], "seed": seed}
            trial = train_with_bar(trial_problem, optimizer, what=what, meta_learning_rate=rate, **options)
            trials.append({"seed": seed, "rate": rate, "validation": finite(trial.best)})
            meta_steps += trial.meta_steps
            if best is None or trial.best < best[0].best:
                best = trial, seed, rate
        trial, seed, rate = best
        rate *= search["continue_at"]
        provenance = {
            "command": self.command,
            "recipe": recipe,
            "data": problem.data,
            "trials": trials,
            "trial_meta_steps": meta_steps,
            "meta_learning_rate": rate,
        }
        options = {**recipe["training"], **self._save_options(folder), "meta_learning_rate": rate, "seed": seed}
        return provenance, train_and_save(problem, optimizer, folder, provenance, phi=trial.phi, **options)

    def _resume(self, recipe, folder):
        """Resume the meta-training by this recipe whose checkpoint is in the folder: (provenance, training), or None
        where there is no such checkpoint."""
        if not (folder / CHECKPOINT).is_file():
            return None
        _, _, training, provenance = checkpoint.load_training(folder / CHECKPOINT)
        if provenance.get("recipe") != recipe:
            return None
        return provenance, training if training.finished else resume_training(folder, **self._save_options(folder))

    def _save_options(self, folder):
        """What `train_and_save` and `resume_training` are told about a folder, which may be the experiment's own."""
        return {"what": folder.name, "how": "the same command", "check": self.check if folder == self.out else None}

    def train(self, recipe: dict, rate: float, what: str, watch: Callable | None = None, **changes) -> Training:
        """`l2l.train` with the recipe's settings, some of them changed, and a progress bar. watch: as its report."""
        options = {**recipe["training"], **changes}
        return train_with_bar(
            *self._problem_and_rule(recipe), what=what, watch=watch, meta_learning_rate=rate, **options
        )

    def _problem_and_rule(self, recipe):
        return self.problem(recipe["problem"]), _optimizer(recipe)

    # -------------------------------------------------------------------------------------- caching

    def cache(self, name: str, key: dict, compute: Callable[[], dict]) -> dict:
        """The result of compute(), a dict of "curves" and numbers, cached under `name` until the experiment ends.

        key: what the result depends on (problem, optimizer, test), as JSON can hold it. An interrupted experiment that
        is run again reads the cached result if its key is the same.
        """
        path = self.out / "races" / f"{name}.npz"
        self.cached.append(path)
        if cached := _read_cached(path, key):
            numbers, curves = cached
            return {**numbers, **curves}
        result = compute()
        curves = {"curves": result["curves"]}
        _write_cached(path, key, {name: value for name, value in result.items() if name not in curves}, curves)
        self.save_seconds()
        return result


def _write_cached(path, key, numbers, arrays):
    archive.write(path, {"format": CACHED, "about": key, "entry": numbers}, arrays)


def _read_cached(path, key):
    """The pair (numbers, arrays) cached at path under the same key, or None; a damaged file counts as none."""
    try:
        header, arrays = archive.read(path, CACHED)
    except (OSError, archive.Damaged):
        return None
    return (header["entry"], arrays) if header["about"] == key else None


def _optimizer(recipe):
    """The rule that the recipe names; else an LSTM for all of θ, or one for each part of θ that it names."""
    if "optimizer" in recipe:
        return make_optimizer(**recipe["optimizer"])
    lstm = make_optimizer("lstm", **recipe["lstm"])
    parts = recipe.get("groups", {}).get("parts")
    return Groups(dict.fromkeys(parts, lstm)) if parts else lstm


def _random_rate(search, seed):
    """A meta learning rate to try, drawn log-uniformly: the paper uses random search, too."""
    rng = np.random.default_rng(seed)
    return float(np.exp(rng.uniform(np.log(search["lowest"]), np.log(search["highest"]))))


def _load_learned(folder, recipe):
    """The optimizer that a finished experiment saved in the folder, or None where its recipe was another."""
    path = folder / OPTIMIZER
    if not path.exists() or (folder / CHECKPOINT).exists():
        return None
    provenance = checkpoint.read(path)[0]["notes"]
    return Learned(*checkpoint.load(path), provenance) if provenance.get("recipe") == recipe else None


# ------------------------------------------------------------------------------------------ racing
#
# test: the group of an experiment's settings that says how to test. An entry is an optimizer's result, as in
# `l2l.compare`: its learning rate, whether that is at the edge of its grid, and its loss curves (runs, steps).


def race(learned: Learned, problem, test: dict) -> dict:
    """The entry of a learned optimizer on the problem's test tasks."""
    return _entry(learned.optimizer, learned.phi, problem, test, None, False)


def race_tuned(name: str, problem, test: dict, objective: str = "final") -> dict:
    """The entry of the hand-designed rule `name`, after its learning rate was tuned on validation tasks."""
    runs, steps = test["tuning_runs"], test["tuning_steps"]
    rule, edge = tune(make_optimizer(name), problem, test["seed"], runs, steps, objective, test.get("around"))
    return _entry(rule, rule.init(), problem, test, rule.learning_rate, edge)


def _entry(optimizer, phi, problem, test, rate, edge):
    curves = run(optimizer, phi, problem, "test", test["seed"], test["runs"], test["steps"])
    return {"learning_rate": rate, "grid_edge": edge, "curves": curves}


def best_of(losses: dict[str, float]) -> str:
    """The name of the best hand-designed rule in {name: loss}; a loss that is not finite is the worst."""
    rules = [name for name in losses if not name.startswith("lstm")]
    return min(rules, key=lambda name: losses[name] if np.isfinite(losses[name]) else np.inf)


# ------------------------------------------------------------------------------------------ writing


def spread(values) -> str:
    """The mean ± the standard deviation, as text."""
    values = np.asarray(values, float)
    return f"{values.mean():.3g} ± {values.std(ddof=1):.2g}" if len(values) > 1 else f"{values.mean():.3g}"


def markdown(header: list, rows: list) -> str:
    """A table in Markdown."""
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in [header, ["---"] * len(header), *rows]]
    return "\n".join(lines) + "\n"


def rounded(values):
    """Numbers, also in dicts, lists and arrays, rounded to six significant digits for a file."""
    if isinstance(values, dict):
        return {key: rounded(value) for key, value in values.items()}
    if isinstance(values, (list, tuple, np.ndarray)):
        return [rounded(value) for value in values]
    return float(f"{values:.6g}")
