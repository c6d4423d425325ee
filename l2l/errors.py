"""What can go wrong and be mended by the person at the keyboard; every message says how."""


class L2LError(ValueError):
    """An option, a file or a setting that cannot work. The command line prints it as one line and exits with 2."""


class DataError(L2LError):
    """A data file is missing, truncated or not what its name says."""


class OptimizerFileError(L2LError):
    """A saved optimizer is missing, truncated, foreign or does not fit its own settings."""


class DivergenceError(L2LError):
    """A loss or a gradient is no longer finite."""
