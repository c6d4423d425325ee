"""Standard error for remarks and progress bars, which are never worth more than the work that they tell of."""

import contextlib
import os


class Remarks:
    """The text file standard error, or none at all, as one that takes everything: what it cannot write is lost."""

    def __init__(self, file):
        # Without one, its descriptor is free, and the next file that is opened would get whatever libraries print.
        self._file = open(os.devnull, "w") if file is None else file  # noqa: SIM115 (for as long as the program runs)

    def __getattr__(self, name):
        return getattr(self._file, name)

    def write(self, text):
        self._attempt(self._file.write, text)
        return len(text)

    def flush(self):
        self._attempt(self._file.flush)

    def _attempt(self, do, *arguments):
        try:
            do(*arguments)
        except OSError:
            with contextlib.suppress(OSError):  # what is still in its buffer would fail once more when Python ends
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._file.fileno())
