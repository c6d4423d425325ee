"""The command line: python -m l2l [demo | train | compare | reproduce | doctor | inspect | problems | optimizers]"""

import os
import signal

if __name__ == "__main__":
    if callable(signal.getsignal(signal.SIGINT)):  # unless it is ignored, as in the background
        signal.signal(signal.SIGINT, lambda *_: os._exit(130))  # until main can meet it
    os.environ.pop("MPLBACKEND", None)  # figures need no backend, and Matplotlib refuses to load with a misspelt one

import argparse
import contextlib
import dataclasses
import shlex
import sys
import time
from pathlib import Path

from tqdm import tqdm

from l2l import files, plots
from l2l.cli import report
from l2l.cli.stderr import Remarks
from l2l.diagnosis import doctor
from l2l.errors import L2LError
from l2l.evaluation import compare, summary
from l2l.experiments import EXPERIMENTS, reproduce
from l2l.optimizers import OPTIMIZERS, fitted, make_optimizer
from l2l.problems import PROBLEMS, draw_task, make_problem
from l2l.registry import MOST, MOST_SEED, build, name_in, parse, settings_of
from l2l.storage import checkpoint, runs

EXIT_CODES = (
    "exits with 0 when done; 2 for options, files or settings that cannot work, which shows before the work begins; "
    "1 for work that began and failed, such as a training that diverged, or a full disk; 130 when interrupted"
)
BASELINES = ("sgd", "momentum", "nag", "rmsprop", "adam")


def main(arguments=None):
    with contextlib.redirect_stderr(Remarks(sys.stderr)):
        return _main(arguments)


def _main(arguments):
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in ("-h", "--help")):
        arguments = ["demo", *arguments]
    try:
        options = _parser().parse_args(arguments)
        options.command = _portable(arguments)
        options.run(options)
        print(end="", flush=True)  # here, where a pipe that was closed can still be met in silence
    except L2LError as error:
        print(_line(error), file=sys.stderr)
        return error.exit_code
    except MemoryError as error:
        print(_line(f"not enough memory ({error}): lower the sizes or the steps"), file=sys.stderr)
        return 1
    except OSError as error:
        if isinstance(error, BrokenPipeError) or _output_fails():
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains once more when it ends
            message = f"cannot print ({error.strerror}): send the output somewhere else"
        else:
            message = (
                f"{error.filename or 'a file'} failed ({error.strerror or error}): see to its place and permissions"
            )
        if not isinstance(error, BrokenPipeError):  # `python -m l2l … | head` is no failure of anyone's
            print(_line(message), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("l2l: interrupted", file=sys.stderr)
        return 130
    return 0


def _output_fails():
    """Whether standard output cannot be written to. What it refused is still in its buffer, and refused again."""
    try:
        print(end="", flush=True)
    except OSError:
        return True
    return False


def interrupt(*_):
    """Raises KeyboardInterrupt, as a signal handler. What it meets half-made, say in the compiler, must not complain on
    standard error when it is thrown away."""
    sys.unraisablehook = lambda *_: None
    raise KeyboardInterrupt


# ------------------------------------------------------------------------------------------ commands


def _demo(options):
    problem, optimizer = make_problem("mnist"), make_optimizer("lstm", preset="paper")
    out = Path(options.out)
    table, figure = out / "results.json", out / "curves.png"
    with files.lock(out, [*runs.FILES, table.name, figure.name]) as check:
        files.ensure_writable([*_files_in(out), table, figure], options.overwrite)
        print(f"data: {problem.data}")
        start = time.perf_counter()
        training = _train_and_save(problem, optimizer, options, check, episodes=options.episodes, steps=options.steps)
        for line in report.exceptions(training):
            print(line)
        entries = {"lstm": (optimizer, training.phi), **{name: (make_optimizer(name), None) for name in BASELINES}}
        results = _race(problem, entries, options)
        check()
        _write_results(table, problem, results, options)
        plots.curves(figure, results, report.finding(results))
        print(f"{time.perf_counter() - start:.0f} s; in {out}/: {figure.name}, {table.name}, {', '.join(runs.FILES)}")


def _train(options):
    if options.resume:
        if options.problem:
            raise L2LError("--resume goes on with the settings in DIR: leave the problem and all other options away")
        _say_what_came_out(runs.resume_training(options.resume), options.resume)
        return
    if not options.problem:
        raise L2LError(f"train needs a PROBLEM, one of {', '.join(PROBLEMS)}, or --resume DIR to go on with")
    if not options.out:
        raise L2LError("the following arguments are required: --out")
    problem = _problem_of(options)
    optimizer = _optimizer_of(options.optimizer)
    fitted(optimizer, draw_task(problem, "train", options.seed, 1))  # refuses groups that are not the parts of θ
    with files.lock(options.out, runs.FILES) as check:
        files.ensure_writable(_files_in(options.out), options.overwrite)
        print(f"data: {problem.data}")
        training = _train_and_save(
            problem,
            optimizer,
            options,
            check,
            episodes=options.episodes,
            steps=options.steps,
            unroll_length=options.unroll,
            meta_learning_rate=options.meta_lr,
            warmup=options.warmup,
            decay=options.decay,
            clip=options.clip,
            patience=options.patience,
            validate_every=options.validate_every,
            second_derivatives=options.second_derivatives,
        )
    _say_what_came_out(training, options.out)


def _compare(options):
    problem = _problem_of(options)
    entries = _entries_of(options.optimizers)
    targets = [Path(path) for path in (options.json, options.plot) if path]
    if options.json and options.plot and os.path.realpath(options.json) == os.path.realpath(options.plot):
        raise L2LError(f"--json and --plot both name {options.json}: give each a file of its own")
    files.ensure_writable(targets, options.overwrite)
    print(f"data: {problem.data}")
    results = _race(problem, entries, options)
    if options.json:
        _write_results(options.json, problem, results, options)
    if options.plot:
        plots.curves(options.plot, results, report.finding(results))
    for path in targets:
        print(f"wrote {path}")


def _reproduce(options):
    outcome, out = reproduce(options.experiment, options.out, options.quick, options.overwrite)
    print(f"\n{outcome.table}")
    for claim, holds in outcome.claims:
        print(f"{'holds' if holds else 'MISSED'}: {claim}")
    print(f"the figures, table.md and results.json are in {out}/")


def _doctor(options):
    _show(doctor.diagnose(*doctor.read(options.directory)))


def _inspect(options):
    if Path(options.file).name == runs.CHECKPOINT:
        _, _, training, notes = checkpoint.load_training(options.file)
        _show(report.progress(options.file, training, notes))
        return
    checkpoint.load(options.file)  # says what is wrong with a file that cannot be used
    _show(report.anatomy(options.file, *checkpoint.read(options.file)))


def _list(registry):
    def run(options):
        print(report.listing(registry))

    return run


# ------------------------------------------------------------------------------------------ their steps


def _files_in(folder):
    return [Path(folder) / name for name in runs.FILES]


def _train_and_save(problem, optimizer, options, check, **settings):
    name = name_in(PROBLEMS, problem)
    notes = {"problem": {"name": name, **settings_of(PROBLEMS, problem)}, "data": problem.data}
    notes |= {"command": options.command, "seed": options.seed, "training": settings}
    return runs.train_and_save(problem, optimizer, options.out, notes, check=check, seed=options.seed, **settings)


def _say_what_came_out(training, folder):
    for line in report.exceptions(training):
        print(line)
    optimizer, log, _ = _files_in(folder)
    print(f"{optimizer} holds the optimizer, {log} the meta-training's losses")


def _race(problem, entries, options):
    steps, repeats = options.steps, options.repeats
    with tqdm(total=len(entries), desc="tuning and racing", unit="optimizer") as bar:
        results = compare(
            problem, entries, steps=steps, repeats=repeats, seed=options.seed, report=lambda name: bar.update()
        )
    print(report.race(results, steps))
    return results


def _write_results(path, problem, results, options):
    document = {
        "problem": name_in(PROBLEMS, problem),
        "settings": settings_of(PROBLEMS, problem),
        "seed": options.seed,
        "steps": options.steps,
        "repeats": options.repeats,
        "data": problem.data,
        "optimizers": summary(results),
    }
    files.write_json(path, document)


# ------------------------------------------------------------------------------------------ reading options


def _portable(arguments):
    """The call as anyone would type it. The folder it wrote to is left open: no result depends on it."""
    words = [word for item in arguments for word in (item.split("=", 1) if item.startswith("--out=") else [item])]
    if "--out" in words[:-1]:
        words[words.index("--out") + 1] = "DIR"
    return shlex.join(["python", "-m", "l2l", *words])


def _line(message):
    """What is printed of an error: one line, whatever a name or a path in it holds."""
    return _printable(f"l2l: {message}")


def _show(text):
    """Print what a file says that anybody may have written: a terminal would obey its escape sequences."""
    print("\n".join(map(_printable, str(text).split("\n"))))


def _printable(line):
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)


def _problem_of(options):
    fields = [field.name for field in dataclasses.fields(PROBLEMS[options.problem])]
    given = {name: getattr(options, f"problem_{name}") for name in fields}
    return make_problem(options.problem, **{name: value for name, value in given.items() if value is not None})


def _optimizer_of(text):
    """An optimizer written as NAME or NAME:OPTION=VALUE:OPTION=VALUE, or several as PART=NAME…,PART=NAME…"""
    if "=" in text.split(":")[0]:
        return make_optimizer("groups", groups=text)
    name, settings = parse("optimizer", text)
    return build("optimizer", OPTIMIZERS, name, settings)


def _entries_of(text):
    """What to race: LABEL=PATH is a saved optimizer, anything else a rule, tuned unless its learning rate is given."""
    entries = {}
    for item in _items(text):
        if not item.isprintable():
            raise L2LError(f"{item!r} has characters that cannot be shown in a table: give it another name")
        label, equals, path = item.partition("=")
        if equals and ":" not in label:
            label, entry = label, checkpoint.load(path)
        else:
            label, optimizer = item, _optimizer_of(item)
            if not hasattr(optimizer, "learning_rate"):
                raise L2LError(f"{item!r} has to be trained first: give a saved one as {item}=PATH")
            entry = (optimizer, optimizer.init() if "learning_rate=" in item else None)
        if label in entries:
            raise L2LError(f"{label!r} is there twice: give each optimizer a name of its own, as in NAME=PATH")
        entries[label] = entry
    return entries


def _items(text):
    """What stands between the commas of text. The path of a LABEL=PATH has commas where there is such a file."""
    pieces = text.split(",")
    while pieces:
        label, equals, _ = pieces[0].partition("=")
        ends = range(1, len(pieces) + 1 if equals else 1)
        end = next((n for n in ends if os.path.isfile(",".join(pieces[:n])[len(label) + 1 :])), 1)
        yield ",".join(pieces[:end])
        del pieces[:end]


def _number(text, least, most):
    value = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else -1
    if not least <= value <= most:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number of at least {least} and at most {most:,}")
    return value


def _whole(text):
    return _number(text, 1, MOST)


def _count(text):
    return _number(text, 0, MOST_SEED)


def _path(text):
    if not text or "\0" in text:
        raise argparse.ArgumentTypeError(f"{text!r} cannot be the name of a file or folder")
    return text


def _rate(text):
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} must be a positive number")
    return value


def _share(text):
    if _rate(text) > 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be at most 1")
    return float(text)


class _Parser(argparse.ArgumentParser):
    def __init__(self, **settings):  # of the subparsers, too
        super().__init__(allow_abbrev=False, **settings)  # --ou would be --out, but for what reads and records calls

    def parse_args(self, args):
        bare = next((word for word in args if word.startswith("--") and word.endswith("=--")), None)
        if bare:  # which argparse takes for an empty list
            self.error(f"{bare!r} has no value")
        return super().parse_args(args)

    def error(self, message):  # one line, without the usage: `-h` has that
        command = " ".join(["python -m l2l", *self.prog.split()[3:]])
        self.exit(2, _line(f"{message}; see `{command} -h`") + "\n")


def _parser():
    parser = _Parser(prog="python -m l2l", description=__doc__, epilog=EXIT_CODES)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    demo = commands.add_parser("demo", help="learn an optimizer on MNIST and race it (what runs without a command)")
    demo.add_argument("--episodes", type=_whole, default=60)
    demo.add_argument("--steps", type=_whole, default=100)
    demo.add_argument("--repeats", type=_whole, default=20, help="test runs (20)")
    demo.add_argument("--out", type=_path, default="runs/demo", metavar="DIR")
    _add_common(demo)
    demo.set_defaults(run=_demo)

    trainer = commands.add_parser("train", help="meta-train an optimizer, or go on with that")
    trainer.add_argument("--resume", metavar="DIR", help="go on with the meta-training that wrote DIR, as if at once")
    for leaf in _add_problems(trainer, required=False):
        leaf.add_argument("--resume", default=argparse.SUPPRESS, help=argparse.SUPPRESS)  # refused in our words
        leaf.add_argument("--optimizer", default="lstm", metavar="NAME[:OPTION=VALUE]", help="see `optimizers`")
        leaf.add_argument("--episodes", type=_whole, default=100)
        leaf.add_argument("--steps", type=_whole, default=100, help="steps of an episode (100)")
        leaf.add_argument("--unroll", type=_whole, default=20, help="steps between two meta-steps (20)")
        leaf.add_argument("--meta-lr", type=_rate, default=0.01, metavar="LR", help="Adam's learning rate on φ (0.01)")
        leaf.add_argument(
            "--warmup", type=_count, default=0, metavar="N", help="episodes in which it rises to that (0)"
        )
        leaf.add_argument("--decay", type=_share, default=1.0, help="of it that is left in the last episode (1)")
        leaf.add_argument("--clip", type=_rate, metavar="NORM", help="largest norm of the meta-gradient (no limit)")
        leaf.add_argument("--validate-every", type=_whole, default=5, metavar="N", help="episodes (5)")
        leaf.add_argument("--patience", type=_whole, metavar="N", help="validations without a new best, then stop")
        leaf.add_argument("--second-derivatives", action="store_true", help="exact meta-gradient, slower")
        leaf.add_argument("--out", type=_path, metavar="DIR", help="where to write (required)")
        _add_common(leaf)
    trainer.set_defaults(run=_train)

    racer = commands.add_parser("compare", help="race optimizers on fresh tasks")
    for leaf in _add_problems(racer):
        leaf.add_argument("--optimizers", required=True, metavar="LABEL=PATH,NAME[:OPTION=VALUE],…")
        leaf.add_argument("--steps", type=_whole, default=100)
        leaf.add_argument("--repeats", type=_whole, default=20)
        leaf.add_argument("--json", type=_path, metavar="FILE")
        leaf.add_argument("--plot", type=_path, metavar="FILE")
        _add_common(leaf)
        leaf.set_defaults(run=_compare)

    again = commands.add_parser("reproduce", help="run one of the paper's experiments from nothing")
    again.add_argument("experiment", metavar="NAME", choices=EXPERIMENTS, help=", ".join(EXPERIMENTS))
    again.add_argument("--quick", action="store_true", help="with budgets that end within a minute")
    again.add_argument("--out", type=_path, metavar="DIR", help="(results/NAME; runs/quick/NAME with --quick)")
    again.add_argument("--overwrite", action="store_true", help="replace what is there")
    again.set_defaults(run=_reproduce)

    physician = commands.add_parser("doctor", help="what is wrong with a meta-training, and what to do")
    physician.add_argument("directory", type=_path, metavar="DIR", help="what `train` was given as --out")
    physician.set_defaults(run=_doctor)

    inspector = commands.add_parser("inspect", help="what is inside a saved optimizer")
    inspector.add_argument(
        "file",
        type=_path,
        metavar="FILE",
        help="optimizer.npz or checkpoint.npz, or the name of one that comes with l2l",
    )
    inspector.set_defaults(run=_inspect)

    for name, registry in (("problems", PROBLEMS), ("optimizers", OPTIMIZERS)):
        commands.add_parser(name, help=f"the {name} there are, with their options").set_defaults(run=_list(registry))
    return parser


def _add_problems(command, required=True):
    """A subcommand for every problem, with the problem's own options."""
    problems = command.add_subparsers(dest="problem", metavar="PROBLEM", required=required)
    for name, cls in PROBLEMS.items():
        leaf = problems.add_parser(name, help=cls.__doc__.split("\n")[0])
        for field in dataclasses.fields(cls):
            leaf.add_argument(f"--{field.name}", dest=f"problem_{field.name}", help=f"({field.default})")
        yield leaf


def _add_common(command):
    command.add_argument("--seed", type=_count, default=0)
    command.add_argument("--overwrite", action="store_true", help="replace what is there")


if __name__ == "__main__":
    if sys.stdout:
        sys.stdout.reconfigure(errors="backslashreplace")  # a path may hold bytes that are not text
    if callable(signal.getsignal(signal.SIGINT)):  # unless it is ignored, as in the background
        signal.signal(signal.SIGINT, interrupt)
    sys.exit(main())
