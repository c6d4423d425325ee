"""What can go wrong and be mended by the person at the keyboard; every message says how.

The command line prints an error as one line and exits with its exit_code.
"""


class L2LError(ValueError):
    """An option, a file or a setting that cannot work, known before the work begins."""

    exit_code = 2


class DataError(L2LError):
    """A data file is missing, truncated or not what its name says."""


class OptimizerFileError(L2LError):
    """A saved optimizer or checkpoint is missing, truncated, foreign or does not fit its own settings."""


class FailedRun(L2LError):
    """Work that began and could not go on."""

    exit_code = 1


class DivergenceError(FailedRun):
    """A loss or a gradient is no longer finite."""


class WriteError(FailedRun):
    """A file could not be written; what stood there before still does."""
