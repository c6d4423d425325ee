"""The verdicts on exercises: `check`, and what a check looks at an answer with."""

import re
import traceback
import tracemalloc
import weakref
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Verdict:
    """What `check` found. status: "not yet", "not quite" or "right"."""

    status: str
    message: str

    def __repr__(self):
        return f"{self.status}: {self.message}"


def check(attempt, expected=None, *, on=None, that=None, tolerance=1e-9, right="well done."):
    """The verdict on an answer, at once. It never raises for a wrong answer; make it the last line of its cell.

    check(number, 4.0)                          a value (number, array, string; lists, tuples and dicts of them)
    check(f, g, on=[(1.0,), (2.0, 3.0)])        a function: f(*inputs) must be g(*inputs), for each of the inputs
    check(answer, that=find_fault)              anything else: find_fault(answer) says what is wrong, or returns None

    Numbers agree within `tolerance`, relative to the larger of the expected one and 1. An answer that still is, holds
    or returns `...` or None is "not yet". find_fault looks at answers with `parts`, `number`, `differs` and `keeps`.
    """
    if untouched(attempt):
        return Verdict("not yet", "replace the ... in the cell above, run it, then run this cell again.")
    try:
        fault = that(attempt) if that else _fault(attempt, expected, on, tolerance)
    except _UntouchedError:
        return Verdict("not yet", f"{_name(attempt)} still returns ... or None: write its body in the cell above.")
    except WrongAnswerError as error:
        fault = str(error)
    except Exception as error:
        if isinstance(error, (TypeError, AttributeError)) and ELLIPSIS.search(str(error)):
            return Verdict("not yet", "there still is a ... in your code in the cell above.")
        who = "your code" if _raised_in(attempt, error) else "the check cannot use your answer: it"
        fault = f"{who} raised {type(error).__name__}: {error}"
    return Verdict("not quite", fault) if fault else Verdict("right", right)


# How Python and NumPy name the type of ... where it cannot be used. (IndexErrors of NumPy speak of other ellipses.)
ELLIPSIS = re.compile(r"'ellipsis'|ellipsis object|type ellipsis|not ellipsis")


class WrongAnswerError(Exception):
    """What is wrong with an answer that a check cannot look at any further; `check` makes a verdict of it."""


class _UntouchedError(Exception):
    pass


def untouched(value):
    if isinstance(value, (list, tuple)):
        return any(map(untouched, value))
    return value is ... or value is None


def _raised_in(attempt, error):
    """Whether a function of the answer, or what it called, raised the error: its cell is a file of its own."""
    functions = attempt if isinstance(attempt, (list, tuple)) else [attempt]
    functions = [getattr(function, "func", function) for function in functions]  # of a functools.partial
    files = {function.__code__.co_filename for function in functions if hasattr(function, "__code__")}
    return any(frame.f_code.co_filename in files for frame, _ in traceback.walk_tb(error.__traceback__))


def written(answer):
    """The answer. One that still is, or holds, ... or None is "not yet"."""
    if untouched(answer):
        raise _UntouchedError
    return answer


def parts(answer, *names):
    """The parts of an answer, as many as there are names, which say what each of them is."""
    found = len(answer) if isinstance(written(answer), (tuple, list)) or np.ndim(answer) else 1
    if found != len(names):
        wanted = f"{len(names)} values, {', '.join(names)}"
        raise WrongAnswerError(f"your function should return {wanted}; it returns {found}.")
    return answer


def number(answer, name):
    """The answer as a float."""
    kind = np.asarray(written(answer)).dtype.kind
    if np.ndim(answer) or kind not in "iuf" or not np.isfinite(answer):
        raise WrongAnswerError(f"{name} should be one finite number, it is {_short(answer)}.")
    return float(answer)


def apart(*values, digits=4):
    """Numbers as texts, with as many digits as it takes to tell those apart that differ."""
    values = [float(value) for value in values]
    for count in range(digits, 18):  # 17 digits tell any two apart
        texts = [f"{value:.{count}g}" for value in values]
        if len(set(texts)) == len(set(values)):
            break
    return texts


def keeps(rule, result, argument):
    """What is wrong with what the function rule(result, argument) keeps in memory, which should be the result alone.

    It need not be seen how it keeps an array: as a closure, a default value or a functools.partial.
    """
    result, argument = result.copy(), argument.copy()
    still_there = weakref.ref(argument)
    tracemalloc.start()
    pullback = rule(result, argument)
    del argument
    made, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    if still_there() is not None:
        return "your rule keeps x in memory, it should keep y alone."
    if made > result.nbytes / 2:
        return "your rule keeps an array of its own in memory, it should keep y alone."
    return None if callable(pullback) else "your rule should return a function of the cotangent."


def _name(function):
    return getattr(function, "__name__", "your function")


def _fault(attempt, expected, on, tolerance):
    if on is None:
        return differs("your answer", attempt, expected, tolerance)
    for inputs in on:
        name = f"{_name(attempt)}({', '.join(map(_short, inputs))})"
        fault = differs(name, written(attempt(*inputs)), expected(*inputs), tolerance)
        if fault:
            return fault
    return None


def differs(name, got, expected, tolerance=1e-9):
    """In what `got`, of this name, differs from what is expected; None where it does not."""
    if isinstance(expected, dict):
        if not isinstance(got, dict) or got.keys() != expected.keys():
            return f"{name} should be a dict with the keys {list(expected)}, it is {_short(got)}"
        pairs = [(f"{name}[{key!r}]", got[key], expected[key]) for key in expected]
        return next(filter(None, (differs(*pair, tolerance) for pair in pairs)), None)
    if isinstance(expected, (list, tuple)):
        if not isinstance(got, (list, tuple)) or len(got) != len(expected):
            return f"{name} should be a {type(expected).__name__} of {len(expected)}, it is {_short(got)}"
        pairs = [(f"{name}[{i}]", got[i], expected[i]) for i in range(len(expected))]
        return next(filter(None, (differs(*pair, tolerance) for pair in pairs)), None)
    if isinstance(expected, (str, bool)):
        return None if got == expected else f"{name} should be {expected!r}, it is {_short(got)}"
    want, found = np.asarray(expected), np.asarray(got)
    if found.dtype.kind not in "biufc":
        return f"{name} should be {_short(want)}, it is {_short(got)}"
    if found.shape != want.shape:
        return f"{name} should have shape {want.shape}, it has shape {found.shape}"
    off = np.abs(found - want)
    if np.all(off <= tolerance * np.maximum(1.0, np.abs(want))):
        return None
    if want.size > 8:  # not all of it is shown
        place = np.unravel_index(np.argmax(off), off.shape)
        name, want, found = f"{name}[{', '.join(map(str, place))}]", want[place], found[place]
    digits = next((d for d in (8, 12) if _short(want, d) != _short(found, d)), 17)
    return f"{name} should be {_short(want, digits)}, it is {_short(found, digits)} (off by {np.max(off):.2g})"


def _short(value, digits=8):
    """A value on one line, short enough for a verdict."""
    if callable(value):
        return getattr(value, "__name__", "a function")
    if isinstance(value, (np.ndarray, np.generic, float)):
        return np.array2string(np.asarray(value), precision=digits, threshold=8, edgeitems=3).replace("\n", "")
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
