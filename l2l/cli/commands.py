"""The commands. Each is a dataclass: its fields are its options, its docstring is its line in `-h`, `run` does it."""

import dataclasses
import shlex
import time
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from l2l import files, plots, workers
from l2l.cli import report, watching
from l2l.diagnosis import doctor
from l2l.errors import L2LError
from l2l.evaluation import compare, summary
from l2l.experiments import EXPERIMENTS, reproduce
from l2l.meta_training.state import Settings
from l2l.optimizers import fitted, make_optimizer
from l2l.problems import PROBLEMS, draw_task, make_problem
from l2l.registry import MOST, MOST_SEED, OPTIMIZERS, Checked, build, name_in, parse, setting, settings_of
from l2l.storage import checkpoint, runs
from l2l.suite import LOSSES, SPLITS, judging, scoring

BASELINES = ("sgd", "momentum", "nag", "rmsprop", "adam")
COMPILING = "kernels that are not on disk yet are compiled first, which takes about a minute"
COMMANDS = {}


def command(cls: Any) -> Any:
    COMMANDS[cls.__name__.lower()] = cls = dataclass(frozen=True, kw_only=True)(cls)
    return cls


@dataclass(frozen=True, kw_only=True)
class _Writes(Checked):
    overwrite: bool = setting(False, "replace files that are already there")


@dataclass(frozen=True, kw_only=True)
class _Races(_Writes):
    steps: int = setting(100, "steps of a run", least=1, most=MOST)
    repeats: int = setting(20, "runs of each optimizer on tasks of the test split", least=1, most=MOST)
    seed: int = setting(0, "seed of all tasks", least=0, most=MOST_SEED)

    def race(self, problem, entries, executor=None):
        """The results of `compare`, which are printed, and a document of them for JSON."""
        options = {"steps": self.steps, "repeats": self.repeats, "seed": self.seed}
        with tqdm(total=len(entries), desc="tuning and racing", unit="optimizer") as bar:
            results = compare(problem, entries, **options, report=lambda name: bar.update(), executor=executor)
        print(report.race(results, self.steps))
        about = {"problem": name_in(PROBLEMS, problem), "settings": settings_of(PROBLEMS, problem)}
        return results, {**about, **options, "data": problem.data, "optimizers": summary(results)}


@dataclass(frozen=True, kw_only=True)
class _Shared(Checked):
    workers: int = setting(1, "processes on this machine that share the tasks", least=1, most=1000)
    scheduler: str | None = setting(None, "address of a Dask scheduler whose workers share the tasks")

    def executor(self):
        """The context of the executor that these settings ask for."""
        if self.scheduler and self.workers > 1:
            raise L2LError("the scheduler has workers of its own: give --workers or --scheduler, not both")
        return workers.of_scheduler(self.scheduler) if self.scheduler else workers.local(self.workers)


@command
class Demo(_Races):
    """learn an optimizer on MNIST and race it (this runs without a command)"""

    episodes: int = setting(60, "episodes of meta-training", least=1, most=MOST)
    out: Path = setting(Path("runs/demo"), "folder for all that it writes")

    def run(self, call):
        problem, optimizer, start = make_problem("mnist"), make_optimizer("lstm", preset="paper"), time.perf_counter()
        settings = Settings(episodes=self.episodes, steps=self.steps, seed=self.seed)
        table, figure = self.out / "results.json", self.out / "curves.png"
        with files.lock(self.out, [*runs.FILES, table.name, figure.name]) as check:
            files.ensure_writable([*_files_in(self.out), table, figure], self.overwrite)
            training = _train(problem, optimizer, settings, self.out, call.text, check)
            for line in report.exceptions(training):
                print(line)
            entries = {"lstm": (optimizer, training.phi), "general": checkpoint.load("general")}
            entries |= {name: (make_optimizer(name), None) for name in BASELINES}
            results, document = self.race(problem, entries)
            print("\ngeneral comes with l2l: it was trained on other problems, and nothing of it is tuned")
            check()
            files.write_json(table, document)
            plots.curves(figure, results, report.finding(results))
        folder, saved = (shlex.quote(str(path)) for path in (self.out, self.out / runs.OPTIMIZER))
        names = ", ".join([figure.name, table.name, *runs.FILES])
        print(f"{time.perf_counter() - start:.0f} s; in {self.out}/: {names}\n\nNext, race it on a larger network:")
        print(f"    python -m l2l compare mnist --hidden 40 --optimizers lstm={saved},nag,adam")
        print(f"or see how its training went:\n    python -m l2l doctor {folder}")


@command
class Train(_Writes, _Shared):
    """meta-train an optimizer, or resume a run"""

    optimizer: str = setting("lstm", "NAME or NAME:SETTING=VALUE, or one for each part of θ, PART=NAME,PART=NAME")
    out: Path | None = setting(None, "folder to write to; required")
    resume: Path | None = setting(None, "resume the run in this folder, with the settings that it has")

    def run(self, call):
        allowed = Train(resume=self.resume, workers=self.workers, scheduler=self.scheduler)
        if self.resume and (call.problem or call.training or self != allowed):
            raise L2LError("--resume takes the settings from the folder of the run: leave out all other options")
        if self.resume:
            with self.executor() as executor:
                training = runs.resume_training(self.resume, executor=executor)
        elif not (call.problem and self.out):
            raise L2LError(f"train needs a PROBLEM, one of {', '.join(PROBLEMS)}, and --out DIR; or --resume DIR")
        else:
            settings, optimizer = Settings(**call.training), _optimizer(self.optimizer)
            task = draw_task(call.problem, "train", settings.seed, 1)
            fitted(optimizer, task, settings.steps)  # groups must be the parts of θ
            with files.lock(self.out, runs.FILES) as check, self.executor() as executor:
                files.ensure_writable(_files_in(self.out), self.overwrite)
                training = _train(call.problem, optimizer, settings, self.out, call.text, check, executor)
        for line in report.exceptions(training):
            print(line)
        optimizer, log, *_ = _files_in(self.resume or self.out)
        print(f"{optimizer} holds the optimizer, {log} the meta-training's losses")


@command
class Compare(_Races, _Shared):
    """race optimizers on tasks that none of them has seen"""

    optimizers: str | None = setting(None, "LABEL=FILE (saved), NAME or NAME:SETTING=VALUE, with commas between")
    json: Path | None = setting(None, "write the results to this file")
    plot: Path | None = setting(None, "draw the curves into this file")

    def run(self, call):
        if not (call.problem and self.optimizers):
            raise L2LError("compare needs a PROBLEM and --optimizers, as in: simple --optimizers mine=FILE,adam")
        entries, targets = _entries(self.optimizers), [path for path in (self.json, self.plot) if path]
        files.ensure_writable(targets, self.overwrite)
        print(f"data: {call.problem.data}")
        with self.executor() as executor:
            results, document = self.race(call.problem, entries, executor)
        if self.json:
            files.write_json(self.json, document)
        if self.plot:
            plots.curves(self.plot, results, report.finding(results))
        for path in targets:
            print(f"wrote {path}")


@command
class Suite(_Shared):
    """judge optimizers on losses that none was trained on, beside rivals at the best of nine learning rates"""

    optimizers: str = setting(MISSING, "LABEL=FILE (saved), NAME or NAME:SETTING=VALUE, with commas between")
    split: str = setting("validation", "which losses", choices=SPLITS)
    steps: int = setting(200, "steps of a run", least=1, most=MOST)
    runs: int = setting(2, "runs of each optimizer on each loss", least=1, most=MOST)
    rivals: Path = setting(Path("results/suite"), "folder that keeps the results of the rivals")

    def run(self, call):
        entries, path = _entries(self.optimizers), self.rivals / f"rivals-{self.steps}.json"
        losses = [loss for loss in LOSSES.values() if loss.split == self.split]
        with self.executor() as executor, tqdm(desc="rivals", unit="rival") as bar:
            common = self.steps, self.runs, executor
            results = {
                name: judging.judge(rule, rule.init(None) if phi is None else phi, losses, *common)
                for name, (rule, phi) in entries.items()
            }
            others = judging.judge_rivals(path, losses, *common, report=lambda name: bar.update())
        print(report.suite({name: scoring.score(mine, others) for name, mine in results.items()}))


@command
class Reproduce(_Writes):
    """run one of the experiments from nothing"""

    name: str = setting(MISSING, "the experiment", choices=tuple(EXPERIMENTS))
    quick: bool = setting(False, "shrink every budget, to see that it runs")
    out: Path | None = setting(None, "folder to write to: results/NAME, or runs/quick/NAME with --quick")

    def run(self, call):
        outcome, out = reproduce(self.name, self.out, self.quick, self.overwrite)
        print(f"\n{outcome.table}")
        for claim, holds in outcome.claims:
            print(f"{'holds' if holds else 'MISSED'}: {claim}")
        print(f"the figures, table.md and results.json are in {out}/")


@command
class Doctor(Checked):
    """say what is wrong with a meta-training, and what to do"""

    dir: Path = setting(MISSING, "the folder that `train` wrote")

    def run(self, call):
        report.show(doctor.diagnose(*doctor.read(self.dir)))


@command
class Watch(Checked):
    """say how a meta-training is doing, again and again until it is finished"""

    dir: Path = setting(MISSING, "the folder that `train` writes")
    every: int = setting(5, "seconds between two looks", least=1, most=MOST)
    once: bool = setting(False, "look once and end")
    tensorboard: Path | None = setting(None, "folder for event files, which TensorBoard shows; needs l2l[tensorboard]")

    def run(self, call):
        watching.watch(self.dir, None if self.once else self.every, self.tensorboard)


@command
class Inspect(Checked):
    """show what is inside a saved optimizer"""

    file: Path = setting(MISSING, "optimizer.npz or checkpoint.npz, or the name of one that comes with l2l")

    def run(self, call):
        if self.file.name == runs.CHECKPOINT:
            _, _, training, notes = checkpoint.load_training(self.file)
            return report.show(report.progress(self.file, training, notes))
        checkpoint.load(self.file)  # says what is wrong with a file that cannot be used
        return report.show(report.anatomy(self.file, *checkpoint.read(self.file)))


@command
class Problems(Checked):
    """list the problems with their settings"""

    def run(self, call):
        print(report.listing(PROBLEMS))


@command
class Optimizers(Checked):
    """list the optimizers with their settings"""

    def run(self, call):
        print(report.listing(OPTIMIZERS))


# ------------------------------------------------------------------------------------------ their steps


def _files_in(folder):
    return [folder / name for name in runs.FILES]


def _train(problem, optimizer, settings, folder, text, check, executor=None):
    """Say what is done, meta-train and save."""
    notes = runs.provenance(problem, settings, text)
    print(f"data: {problem.data}\nmeta-training for {settings.episodes:,} episodes of {settings.steps:,} steps")
    print(COMPILING, flush=True)
    how = {"check": check, "executor": executor, **dataclasses.asdict(settings)}
    return runs.train_and_save(problem, optimizer, folder, notes, **how)


def _optimizer(text):
    """An optimizer written as NAME or NAME:SETTING=VALUE:…, or several as PART=NAME…,PART=NAME…"""
    if "=" in text.split(":")[0]:
        return make_optimizer("groups", groups=text)
    return build("optimizer", OPTIMIZERS, *parse("optimizer", text))


def _entries(text):
    """What to race: LABEL=PATH is a saved optimizer, anything else a rule, tuned unless its learning rate is given."""
    entries = {}
    for item in text.split(","):
        if not item.isprintable():
            raise L2LError(f"{item!r} has characters that cannot be shown in a table: give it another name")
        label, equals, path = item.partition("=")
        if equals and ":" not in label:
            entry = checkpoint.load(path)
        else:
            label, optimizer = item, _optimizer(item)
            if not hasattr(optimizer, "learning_rate"):
                raise L2LError(f"{item!r} has to be trained first: give a saved one as {item}=PATH")
            entry = (optimizer, optimizer.init() if "learning_rate=" in item else None)
        if label in entries:
            raise L2LError(f"{label!r} is there twice: give each optimizer a name of its own, as in NAME=PATH")
        entries[label] = entry
    return entries
