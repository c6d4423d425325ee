"""Reads the words of a command line. Commands, problems and the settings of meta-training are dataclasses, whose fields
are the options: argparse splits the words, the dataclasses convert and check them, as they do for saved files.

tyro 1.0 and cyclopts 5.5 were tried in place of `Parser`, `_parser` and `_add`. They take as many lines, for our fields
have to be translated for them, and half a second more to import; they cannot show the settings of meta-training in
`train -h`, read a tuple written 20-20 as saved files and NAME:SETTING=VALUE do, or print an error as one line.
"""

import argparse
import dataclasses
import difflib
import importlib
import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import get_type_hints

from l2l import __version__
from l2l.cli.commands import COMMANDS, Compare, Train
from l2l.errors import L2LError
from l2l.meta_training.state import Settings
from l2l.problems import PROBLEMS, make_problem
from l2l.registry import about

PROGRAM = "python -m l2l"
DESCRIPTION = "Learn optimizers by gradient descent, and race them against rules designed by hand."
EXIT_CODES = (
    "Exit codes: 0, done; 2, an option, file or setting that cannot work, found before the work begins; 1, the work "
    "began and failed, as in a training that diverged or on a full disk; 130, interrupted (Ctrl-C); 143, terminated "
    "(SIGTERM). An interrupted or terminated training first saves its last finished episode."
)
METAVARS = {int: "N", float: "X", Path: "PATH", str: "TEXT", tuple[int, ...]: "N-N", tuple[float, ...]: "X,X"}
METAVARS |= {kind | None: shown for kind, shown in METAVARS.items()}
MODULE = "import this module first, which registers rules or problems of your own; may be given several times"


class Parser(argparse.ArgumentParser):
    def __init__(self, **settings):  # of the commands' parsers, too
        super().__init__(allow_abbrev=False, **settings)  # --ou would be --out, but not to what records the call

    def error(self, message):
        raise L2LError(f"{message}; see `{self.prog} -h`")


class CommandParser(Parser):
    def parse_known_args(self, args=None, namespace=None):
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:  # refused here, where the options of the command are known
            near = difflib.get_close_matches(unknown[0].split("=")[0], re.findall(r"--[\w-]+", self.format_usage()), 1)
            self.error(f"unrecognized arguments: {' '.join(unknown)}" + (f" (did you mean {near[0]}?)" if near else ""))
        return found, unknown


def read(arguments, text):
    """The command, an instance of one of COMMANDS, and its call: problem, settings of meta-training, and the text that
    saved files note of it."""
    first = Parser(prog=PROGRAM, add_help=False)
    first.add_argument("--import", action="append", default=[], dest="modules")
    found, words = first.parse_known_args(arguments)
    for module in found.modules:
        _import(module)
    if not words or (words[0].startswith("-") and words[0] not in ("-h", "--help", "--version")):
        words = ["demo", *words]
    problem = next((word for word in words[1:] if word in PROBLEMS), None)
    options = vars(_parser(problem).parse_args(words))

    def of(title):
        return {key.partition(".")[2]: value for key, value in options.items() if key.startswith(f"{title}.")}

    problem = make_problem(options["problem"], **of("problem")) if options.get("problem") else None
    call = SimpleNamespace(problem=problem, training=of("training"), text=text)
    return COMMANDS[options["command"]](**of("command")), call


def _parser(problem):
    """The parser of all commands. Those on a problem have the options of this one, unless it is None."""
    root = Parser(prog=PROGRAM, description=DESCRIPTION, epilog=EXIT_CODES)
    root.add_argument("--version", action="version", version=f"l2l {__version__}")
    parsers = root.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=CommandParser)
    for name, command in COMMANDS.items():
        parser = parsers.add_parser(name, help=command.__doc__, description=command.__doc__)
        _add(parser, command, "command")
        parser.add_argument("--import", metavar="MODULE", help=MODULE)
        if command in (Train, Compare):
            choose = f"{', '.join(PROBLEMS)}; `{PROGRAM} {name} PROBLEM -h` shows its settings, too"
            number = None if problem else "?"
            parser.add_argument("problem", metavar="PROBLEM", choices=PROBLEMS, help=choose, nargs=number)
            if problem:
                _add(parser.add_argument_group(f"settings of {problem}"), PROBLEMS[problem], "problem")
        if command is Train:
            _add(parser.add_argument_group("settings of the meta-training"), Settings, "training")
    return root


def _add(parser, cls, title):
    """An option for each field, whose text arrives as "TITLE.FIELD"; for a field without default an argument."""
    types = get_type_hints(cls)
    for field in dataclasses.fields(cls):
        kind, target, help = types[field.name], f"{title}.{field.name}", about(field).replace("%", "%%")
        if field.default is field.default_factory:  # there is neither
            choices = field.metadata["limits"].get("choices")
            parser.add_argument(target, metavar=field.name.upper(), choices=choices, help=help)
            continue
        how = {"metavar": METAVARS.get(kind, "TEXT")}
        if kind is bool:
            how = {"action": argparse.BooleanOptionalAction if field.default else "store_true"}
        parser.add_argument(flag(field.name, title), dest=target, default=argparse.SUPPRESS, help=help, **how)


def flag(name, title):
    """The option of a setting: --NAME, but --problem-NAME of a problem where commands have a setting of that name."""
    taken = {field.name for cls in (Settings, Train, Compare) for field in dataclasses.fields(cls)}
    return "--" + ("problem-" if title == "problem" and name in taken else "") + name.replace("_", "-")


def _import(module):
    if not all(part.isidentifier() for part in module.split(".")):
        raise L2LError(f"--import takes the name of a module, as in my_module, not {module!r}")
    sys.path.insert(0, os.getcwd())
    try:
        importlib.import_module(module)
    except ImportError as error:
        raise L2LError(f"--import {module} failed ({error}): run it where the module is, or install that") from None
