"""What the experiments share: learning optimizers, racing them, and writing down what came out."""

from dataclasses import dataclass, field

import numpy as np
from tqdm import tqdm

from l2l import checkpoint
from l2l.evaluate import run, tune
from l2l.optimizers import make_optimizer
from l2l.problems import make_problem
from l2l.reproduce import settings
from l2l.train import train


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
    story: dict


class Workshop:
    """Where the experiment `name` runs: the folder for what it makes, and whether it is a quick run.

    A recipe is the part of an experiment's settings that decides what is learned.
    """

    def __init__(self, name, out, quick=False):
        self.name, self.out, self.quick = name, out, quick
        self.data = "random numbers"

    def problem(self, options):
        problem = make_problem(**options)
        if problem.data != "random numbers":
            self.data = problem.data
        return problem

    def recipe(self, name, **problem):
        """The recipe of experiment `name`, with these changes to its problem."""
        groups = settings.load(name, self.quick)
        recipe = {group: groups[group] for group in ("problem", "lstm", "training", "search", "seeds")}
        return {**recipe, "problem": {**recipe["problem"], **problem}}

    # -------------------------------------------------------------------------------------- learning

    def learned(self, name):
        """What experiment `name` learned: found in the folder beside this one's, where the settings are still those,
        else learned now."""
        recipe = self.recipe(name)
        path = self.out.parent / name / "optimizer.npz"
        return _found(path, recipe) or self.learn(recipe, self.out / f"{name}.npz")

    def seeds(self, name, rate):
        """As `learned`, what it learned from other seeds on its smaller budget, at this meta learning rate."""
        found = []
        recipe = self.recipe(name)
        for seed in range(1, recipe["seeds"]["count"] + 1):
            path = self.out.parent / name / "seeds" / f"{seed}.npz"
            small = {**recipe, "training": {**recipe["training"], "episodes": recipe["seeds"]["episodes"]}}
            small["training"]["seed"] = seed
            cached = _found(path, small) if name != self.name else None
            found.append(cached or self._learn(small, rate, self.out / "seeds" / f"{seed}.npz", f"seed {seed}"))
        return found

    def learn(self, recipe, path):
        """Search for a meta learning rate, meta-train with it and save at path."""
        rates, trials = _rates(recipe["search"]), []
        for rate in rates:
            what = f"search {len(trials) + 1} of {len(rates)}, {rate:.3g}"
            trials.append(self.train(recipe, rate, what, episodes=recipe["search"]["episodes"]).best)
        search = [[rate, trial if np.isfinite(trial) else None] for rate, trial in zip(rates, trials, strict=True)]
        return self._learn(recipe, rates[int(np.argmin(trials))], path, path.stem, search=search)

    def _learn(self, recipe, rate, path, what, **story):
        training = self.train(recipe, rate, what)
        story |= {
            "command": f"python -m l2l reproduce {self.name}{' --quick' if self.quick else ''}",
            "recipe": recipe,
            "data": self.data,
            "meta_learning_rate": rate,
            "meta_steps": training.meta_steps,
            "episode": training.best_episode,
            "validation_loss": training.best,
            "curve": {key: _curve(training.history, key) for key in ("train", "validation")},
        }
        optimizer = make_optimizer("lstm", **recipe["lstm"])
        checkpoint.save(path, optimizer, training.phi, **story)
        return Learned(optimizer, training.phi, story)

    def train(self, recipe, rate, what, watch=None, **changes):
        """`l2l.train` as the recipe says but for these changes, with a progress bar; watch(training) looks on."""
        options = {**recipe["training"], **changes}
        problem, optimizer = self.problem(recipe["problem"]), make_optimizer("lstm", **recipe["lstm"])
        with tqdm(total=options["episodes"], desc=what, unit="episode") as bar:

            def report(training):
                bar.set_postfix(best=f"{training.best:.4g}", refresh=False)
                bar.update(len(training.history) - bar.n)
                if watch:
                    watch(training)

            return train(problem, optimizer, meta_learning_rate=rate, report=report, **options)


def _rates(search):
    """The meta learning rates to try: log-uniform draws, for the paper's is a random search, too."""
    rng = np.random.default_rng(search["seed"])
    return np.exp(rng.uniform(np.log(search["lowest"]), np.log(search["highest"]), search["trials"])).tolist()


def _curve(history, key):
    return [[row["episode"], float(f"{row[key]:.4g}")] for row in history if row.get(key) is not None]


def _found(path, recipe):
    """What was learned by this very recipe and saved at path, or None."""
    if not path.exists():
        return None
    story = checkpoint.read(path)[0]["notes"]
    return Learned(*checkpoint.load(path), story) if story.get("recipe") == recipe else None


# ------------------------------------------------------------------------------------------ racing
#
# test: how an experiment tests, a group of its settings. An entry is what `l2l.compare` makes of an optimizer.


def race(learned, problem, test):
    """The entry of a learned optimizer."""
    return _entry(learned.optimizer, learned.phi, problem, test, None, False)


def race_tuned(name, problem, test, objective="final"):
    """The entry of the rule `name`, its learning rate tuned on validation tasks first."""
    runs, steps = test["tuning_runs"], test["tuning_steps"]
    rule, edge = tune(make_optimizer(name), problem, test["seed"], runs, steps, objective)
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


def plain(values):
    """Arrays and numbers, also in a dict, as JSON can hold them: six digits, None for what is not finite."""
    if isinstance(values, dict):
        return {key: plain(value) for key, value in values.items()}
    if isinstance(values, (list, tuple, np.ndarray)):
        return [plain(value) for value in values]
    return float(f"{values:.6g}") if np.isfinite(values) else None
