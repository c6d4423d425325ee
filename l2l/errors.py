"""The errors that a user can fix; every message says how.

The command line prints an error as one line and exits with its exit_code.
"""


class L2LError(ValueError):
    """An option, a file or a setting that cannot work; raised before the work begins."""

    exit_code = 2


class DataError(L2LError):
    """A data file is missing, truncated or not in its format."""


class OptimizerFileError(L2LError):
    """A saved optimizer or checkpoint is missing, damaged, foreign or does not fit its own settings."""


class FailedRun(L2LError):
    """The work began and failed."""

    exit_code = 1


class DivergenceError(FailedRun):
    """A loss or a gradient is no longer finite."""


class WriteError(FailedRun):
    """A file could not be written; the old file is unchanged."""
