"""Problems and optimizers are dataclasses whose fields are their options: one place reads, checks and lists them."""

import dataclasses
import math
import numbers
from reprlib import repr  # of something long it shows the beginning

from l2l.errors import L2LError

MOST = 1_000_000  # steps, episodes, tasks: more would take weeks, and lists of them fill the memory
MOST_SEED = 2**63


def whole(least=1, most=MOST, **values):
    """Raises L2LError for the first of the values that is not a whole number from `least` to `most`."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
            raise L2LError(f"{name} is a whole number of at least {least}, not {value!r}")
        if value > most:
            raise L2LError(f"{name} is a whole number of at most {most:,}, not {value!r}")


def positive(**values):
    """Raises L2LError for the first of the values that is not a positive, finite number."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, numbers.Real) or not 0 < value < math.inf:
            raise L2LError(f"{name} is a positive number, not {value!r}")


def build(kind, registry, name, settings):
    """registry[name](**settings), with every value converted to its field's type.

    Raises L2LError, naming what there is, for an unknown name or setting, or a value of the wrong kind.
    """
    if not isinstance(name, str) or name not in registry:
        raise L2LError(f"there is no {kind} {name!r}; choose from: {', '.join(registry)}")
    fields = {field.name: field for field in dataclasses.fields(registry[name])}
    unknown = [key for key in settings if key not in fields]
    if unknown:
        raise L2LError(f"{kind} {name!r} has no option {unknown[0]!r}; it has: {', '.join(fields) or 'none'}")
    return registry[name](**{key: convert(fields[key], value) for key, value in settings.items()})


LARGEST = {"functions": 100_000, "layers": 100, "batch": 100_000}
"""The largest value of a whole-number option, 10,000 for others: beyond what makes sense, but not beyond a machine."""

FRACTIONS = ("momentum", "eta_minus", "decay", "beta1", "beta2")
SIGNED = ("initial",)


def convert(field, value):
    """value as field's type: text from a command line or a file becomes a number, or a tuple written as 20-20.

    Raises L2LError, saying what the option takes, where value is of another kind or out of range.
    """
    kind = type(field.default)
    try:
        if kind is str:
            return str(value)
        if kind is bool:
            return {"true": True, "false": False}[str(value).lower()]
        if kind is float:
            return _number(float, value, *_open_interval(field.name))
        if kind is int:
            return _number(int, value, 1, _largest(field.name))
        items = value.split("-") if isinstance(value, str) else value if isinstance(value, (tuple, list)) else [value]
        return tuple(_number(int, item, 1, _largest(field.name)) for item in items)
    except (KeyError, TypeError, ValueError, OverflowError):
        raise L2LError(f"option {field.name!r} takes {_wanted(kind, field.name)}, not {repr(value)}") from None


def _largest(name):
    return LARGEST.get(name, 10_000)


def _open_interval(name):
    return -math.inf if name in SIGNED else 0.0, 1.0 if name in FRACTIONS else math.inf


def _number(kind, value, low, high):
    """value as an int in [low, high], or a float in (low, high)."""
    if isinstance(value, bool) or not isinstance(value, (str, numbers.Real)):
        raise TypeError
    number = kind(value)
    inside = low <= number <= high if kind is int else low < number < high
    if not inside or (kind is int and not isinstance(value, str) and number != value):
        raise ValueError
    return number


def _wanted(kind, name):
    if kind is bool:
        return "true or false"
    if kind is float:
        return {(0.0, math.inf): "a positive number", (0.0, 1.0): "a number between 0 and 1"}.get(
            _open_interval(name), "a number"
        )
    return f"a whole number from 1 to {_largest(name):,}" + (", or several, as in 20-20" if kind is tuple else "")


def describe(cls):
    """An option a word: its name and default, such as "hidden=20-20"."""
    return [f"{f.name}={_show(f.default)}" for f in dataclasses.fields(cls)]


def _show(value):
    return "-".join(map(str, value)) if isinstance(value, tuple) else str(value)
