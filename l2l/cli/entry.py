"""A call of the command line from its words to its exit code."""

import contextlib
import os
import shlex
import signal
import sys

from l2l.cli import options, report
from l2l.cli.stderr import Remarks
from l2l.errors import L2LError

ELSEWHERE = {"--out": ["--out", "DIR"], "--workers": [], "--scheduler": []}


def main(arguments=None):
    """Run `python -m l2l` with these words, by default the program's own, and return its exit code."""
    with contextlib.redirect_stderr(Remarks(sys.stderr)):
        return _main(sys.argv[1:] if arguments is None else arguments)


def _main(arguments):
    try:
        command, call = options.read(arguments, _portable(arguments))
        command.run(call)
        print(end="", flush=True)  # a closed pipe fails here, where that is handled
    except L2LError as error:
        return _fail(error, error.exit_code)
    except MemoryError as error:
        return _fail(f"not enough memory ({error}): lower the sizes or the steps", 1)
    except OSError as error:
        try:
            print(end="", flush=True)
        except OSError:  # Python would complain of it once more when it ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # as in `python -m l2l … | head`
            return 1
        what = error.filename or "standard output"
        return _fail(f"{what} failed ({error.strerror or error}): see to its place, permissions and space", 1)
    except KeyboardInterrupt as error:
        number = error.args[0] if error.args else signal.SIGINT
        return _fail("terminated" if number == signal.SIGTERM else "interrupted", 128 + number)
    return 0


def _fail(message, code):
    print(report.printable(f"l2l: {message}"), file=sys.stderr)  # one line, whatever a name or a path in it holds
    return code


def interrupt(number: int = signal.SIGINT, frame=None):
    """A signal handler that raises KeyboardInterrupt(number). Half-made objects, say of the compiler, are thrown away
    by that, and must not complain on standard error."""
    sys.unraisablehook = lambda *_: None
    raise KeyboardInterrupt(number)


def _portable(arguments):
    """The call as anyone would type it, without the folder that it writes to and who shares the work: no result depends
    on these."""
    split = [item.split("=", 1) if item.split("=")[0] in ELSEWHERE else [item] for item in arguments]
    words = [word for item in split for word in item]
    for option, instead in ELSEWHERE.items():
        if option in words[:-1]:
            at = words.index(option)
            words[at : at + 2] = instead
    return shlex.join(["python", "-m", "l2l", *words])
