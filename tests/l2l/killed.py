"""python killed.py PLAN ARGUMENTS…: `python -m l2l ARGUMENTS…`, with a checkpoint after each episode, that dies.

PLAN: "after=SECONDS" is by the clock, "at=N" at the N-th moment of writing a file, "never" not at all. A moment is
half-way through the content, before it is flushed to the disk, and before and after the file gets its name.
"""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from l2l import files
from l2l.__main__ import main
from l2l.storage import runs


def run(plan, arguments, **options):
    """Run this program, without compiled kernels, which take a process long to load, and longer to compile."""
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root), "MINIGRAD_NUMBA": "0"}
    command = [sys.executable, __file__, plan, *map(str, arguments)]
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=120, **options)


def die():
    os.kill(os.getpid(), signal.SIGKILL)


class Countdown:
    def __init__(self, moments):
        self.left = moments

    def over(self):
        self.left -= 1
        return self.left == 0


def die_while_writing(countdown):
    fsync, replace = os.fsync, os.replace

    def opened(path, mode):
        file = open(path, mode)  # noqa: SIM115  its caller closes it
        write = file.write

        def half(content):
            if countdown.over():
                write(content[: len(content) // 2])
                file.flush()
                die()
            return write(content)

        file.write = half
        return file

    def flushed(descriptor):
        if countdown.over():
            die()
        fsync(descriptor)

    def renamed(source, target):
        if countdown.over():
            die()
        replace(source, target)
        if countdown.over():
            die()

    files.open, os.fsync, os.replace = opened, flushed, renamed


if __name__ == "__main__":
    kind, _, value = sys.argv[1].partition("=")
    runs.INTERVAL = 0.0
    if kind == "after":
        threading.Timer(float(value), die).start()
    elif kind == "at":
        die_while_writing(Countdown(int(value)))
    code = main(sys.argv[2:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # without waiting for a timer that did not go off
