"""`python -m l2l`, and the command `l2l`: see l2l.cli."""

import io
import os
import signal
import sys

if __name__ == "__main__":
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:  # as in the background
        signal.signal(signal.SIGINT, lambda *_: os._exit(130))  # while libraries load, until `program` sets its own
    os.environ.pop("MPLBACKEND", None)  # figures need no backend, and Matplotlib refuses to load with a misspelt one

from l2l.cli.entry import interrupt, main


def program():
    if isinstance(sys.stdout, io.TextIOWrapper):  # None where standard output is closed
        sys.stdout.reconfigure(errors="backslashreplace")  # a path may hold bytes that are not text
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, interrupt)
    return main()


if __name__ == "__main__":
    sys.exit(program())
