"""What the experiments share: learning optimizers, racing them, and writing down what came out."""

import time
from dataclasses import dataclass, field

import numpy as np

from l2l.evaluation import run, tune
from l2l.experiments import settings
from l2l.meta_training.measurements import finite
from l2l.optimizers import Groups, make_optimizer
from l2l.problems import make_problem
from l2l.storage import archive, checkpoint
from l2l.storage.runs import CHECKPOINT, OPTIMIZER, resume_training, train_and_save, train_with_bar

RECIPE = ("problem", "lstm", "groups", "training", "search", "seeds")
KEPT = "l2l-race-1"


@dataclass
class Outcome:
    """table: Markdown. claims: pairs (what is claimed, whether it holds). results: all the numbers, for JSON."""

    table: str
    claims: list
    results: dict = field(default_factory=dict)


@dataclass
class Learned:
    """An optimizer, its φ, and how it was found."""

    optimizer: object
    phi: dict
    provenance: dict


class Runner:
    """Where the experiment `name` runs: the folder for what it makes, and whether it is a quick run. Its checkpoints
    stay until the experiment has ended, so one that is interrupted goes on when it is run again. check: what
    `files.lock` gave to whoever keeps the folder to this experiment.

    A recipe is the part of an experiment's settings that decides what is learned.
    """

    def __init__(self, name, out, quick=False, check=None):
        self.name, self.out, self.quick, self.check = name, out, quick, check
        self.data = "random numbers"
        self.folders = []  # of what it learned
        self.races = []  # files of what it raced
        self.elapsed, self.settings = out / "elapsed.npz", settings.load(name, quick)
        earlier = _kept(self.elapsed, self.settings)
        self.begun = time.perf_counter() - (earlier[0]["seconds"] if earlier else 0.0)

    def seconds(self):
        """What the experiment has taken so far, with its parts that were interrupted."""
        return time.perf_counter() - self.begun

    def keep_time(self):
        """Note how long it took, for the case that it is interrupted from here on."""
        archive.write(self.elapsed, {"format": KEPT, "about": self.settings, "entry": {"seconds": self.seconds()}}, {})

    def problem(self, options):
        problem = make_problem(**options)
        if problem.data != "random numbers":
            self.data = problem.data
        return problem

    def recipe(self, name, **problem):
        """The recipe of experiment `name`, with these changes to its problem."""
        groups = settings.load(name, self.quick)
        recipe = {group: groups[group] for group in RECIPE if group in groups}
        return {**recipe, "problem": {**recipe["problem"], **problem}}

    def end(self):
        """Remove the checkpoints, which only an interrupted experiment needs."""
        for path in [*(folder / CHECKPOINT for folder in self.folders), *self.races, self.elapsed]:
            path.unlink(missing_ok=True)
        if self.races:
            self.races[0].parent.rmdir()

    # -------------------------------------------------------------------------------------- learning

    def learned(self, name):
        """What experiment `name` learned: found in the folder beside this one's, where the settings are still those,
        else learned now."""
        recipe = self.recipe(name)
        return _found(self.out.parent / name, recipe) or self.learn(recipe, self.out / name)

    def seeds(self, name):
        """As `learned`, what it learned on its smaller budget with other seeds: a list."""
        recipe, found = self.recipe(name), []
        for k in range(1, recipe["seeds"]["count"] + 1):
            small = {group: {**recipe[group], **recipe["seeds"].get(group, {})} for group in ("training", "search")}
            small["search"]["seed"] += k * recipe["search"]["trials"]
            small, place = {**recipe, **small}, f"seeds/{k}"
            there = _found(self.out.parent / name / place, small) if name != self.name else None
            found.append(there or self.learn(small, self.out / place))
        return found

    def learn(self, recipe, folder):
        """Meta-train and save in the folder: short trials at random rates, of which the best goes on, at a lower one.

        Trial k has the seed search["seed"] + k, for its first φ, its tasks and its rate. search["problem"], where
        there is one, changes the problem for the trials. What an interrupted experiment has learned by this recipe in
        this folder is taken up where it ended.
        """
        self.folders.append(folder)
        provenance, training = self._interrupted(recipe, folder) or self._learn(recipe, folder)
        self.keep_time()
        optimizer = _optimizer(recipe)
        meta_steps = provenance["trial_meta_steps"] + training.meta_steps
        return Learned(optimizer, training.phi, {**provenance, "meta_steps": meta_steps})

    def _learn(self, recipe, folder):
        search, (problem, optimizer) = recipe["search"], self._pair(recipe)
        tried_on = self.problem({**recipe["problem"], **search.get("problem", {})})
        trials, best, meta_steps = [], None, 0
        for seed in range(search["seed"], search["seed"] + search["trials"]):
            rate = _rate(search, seed)
            what = f"{folder.name}: trial {len(trials) + 1} of {search['trials']}, {rate:.3g}"
            options = {**recipe["training"], **search["training"], "seed": seed}
            trial = train_with_bar(tried_on, optimizer, what=what, meta_learning_rate=rate, **options)
            trials.append({"seed": seed, "rate": rate, "validation": finite(trial.best)})
            meta_steps += trial.meta_steps
            if best is None or trial.best < best[0].best:
                best = trial, seed, rate
        trial, seed, rate = best
        rate *= search["continue_at"]
        provenance = {
            "command": f"python -m l2l reproduce {self.name}{' --quick' if self.quick else ''}",
            "recipe": recipe,
            "data": problem.data,
            "trials": trials,
            "trial_meta_steps": meta_steps,
            "meta_learning_rate": rate,
        }
        options = {**recipe["training"], **self._shown(folder), "meta_learning_rate": rate, "seed": seed}
        return provenance, train_and_save(problem, optimizer, folder, provenance, phi=trial.phi, **options)

    def _interrupted(self, recipe, folder):
        """What an experiment that did not end has learned by this recipe in the folder, the rest of it learned now: the
        pair (provenance, training), or None."""
        if not (folder / CHECKPOINT).is_file():
            return None
        _, _, training, provenance = checkpoint.load_training(folder / CHECKPOINT)
        if provenance.get("recipe") != recipe:
            return None
        return provenance, training if training.finished else resume_training(folder, **self._shown(folder))

    def _shown(self, folder):
        """How it trains in a folder, which may be the experiment's own."""
        return {"what": folder.name, "how": "the same command", "check": self.check if folder == self.out else None}

    def train(self, recipe, rate, what, watch=None, **changes):
        """`l2l.train` as the recipe says but for these changes, with a progress bar; watch(training) looks on."""
        options = {**recipe["training"], **changes}
        return train_with_bar(*self._pair(recipe), what=what, watch=watch, meta_learning_rate=rate, **options)

    def _pair(self, recipe):
        return self.problem(recipe["problem"]), _optimizer(recipe)

    # -------------------------------------------------------------------------------------- racing

    def kept(self, name, about, entry):
        """entry(), an entry of a race; or, where an experiment that was interrupted has computed it already, for the
        same problem, optimizer and test, which `about` tells as JSON can hold it, the one that it has kept."""
        path = self.out / "races" / f"{name}.npz"
        self.races.append(path)
        if there := _kept(path, about):
            rest, curves = there
            return {**rest, **curves}
        found = entry()
        curves = {"curves": found["curves"]}
        rest = {key: value for key, value in found.items() if key not in curves}
        archive.write(path, {"format": KEPT, "about": about, "entry": rest}, curves)
        self.keep_time()
        return found


def _kept(path, about):
    """The pair (entry, arrays) that was kept at path, about the same; None where there is none, or a damaged file."""
    try:
        header, arrays = archive.read(path, KEPT)
    except (OSError, archive.Damaged):
        return None
    return (header["entry"], arrays) if header["about"] == about else None


def _optimizer(recipe):
    """An LSTM for all of θ, or one for each of its parts that the recipe names."""
    lstm = make_optimizer("lstm", **recipe["lstm"])
    parts = recipe.get("groups", {}).get("parts")
    return Groups(dict.fromkeys(parts, lstm)) if parts else lstm


def _rate(search, seed):
    """A meta learning rate to try: a log-uniform draw, for the paper's is a random search, too."""
    rng = np.random.default_rng(seed)
    return float(np.exp(rng.uniform(np.log(search["lowest"]), np.log(search["highest"]))))


def _found(folder, recipe):
    """What was learned by this very recipe and saved in the folder, by an experiment that ended, or None."""
    path = folder / OPTIMIZER
    if not path.exists() or (folder / CHECKPOINT).exists():
        return None
    provenance = checkpoint.read(path)[0]["notes"]
    return Learned(*checkpoint.load(path), provenance) if provenance.get("recipe") == recipe else None


# ------------------------------------------------------------------------------------------ racing
#
# test: how an experiment tests, a group of its settings. An entry is what `l2l.compare` makes of an optimizer.


def race(learned, problem, test):
    """The entry of a learned optimizer."""
    return _entry(learned.optimizer, learned.phi, problem, test, None, False)


def race_tuned(name, problem, test, objective="final"):
    """The entry of the rule `name`, its learning rate tuned on validation tasks first."""
    runs, steps = test["tuning_runs"], test["tuning_steps"]
    rule, edge = tune(make_optimizer(name), problem, test["seed"], runs, steps, objective, test.get("around"))
    return _entry(rule, rule.init(), problem, test, rule.learning_rate, edge)


def _entry(optimizer, phi, problem, test, rate, edge):
    curves = run(optimizer, phi, problem, "test", test["seed"], test["runs"], test["steps"])
    return {"learning_rate": rate, "grid_edge": edge, "curves": curves}


def best_of(losses):
    """The name of the best rule, by {name: loss}, the learned ones aside; a loss that is not finite is the worst."""
    rules = [name for name in losses if not name.startswith("lstm")]
    return min(rules, key=lambda name: losses[name] if np.isfinite(losses[name]) else np.inf)


# ------------------------------------------------------------------------------------------ writing


def spread(values):
    """The mean and the standard deviation, as text."""
    values = np.asarray(values, float)
    return f"{values.mean():.3g} ± {values.std(ddof=1):.2g}" if len(values) > 1 else f"{values.mean():.3g}"


def markdown(header, rows):
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in [header, ["---"] * len(header), *rows]]
    return "\n".join(lines) + "\n"


def rounded(values):
    """Numbers and arrays, also in a dict, to the six digits that are worth keeping in a file."""
    if isinstance(values, dict):
        return {key: rounded(value) for key, value in values.items()}
    if isinstance(values, (list, tuple, np.ndarray)):
        return [rounded(value) for value in values]
    return float(f"{values:.6g}")
