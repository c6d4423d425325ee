"""Lesson 1: the formula for the best step knows both roundings, and the check of its exercise asks for the bottom."""

import numpy as np
import pytest

from lessons import build
from lessons.course import check
from minigrad.testing import difference

CODE = [cell.source for cell in build.read(build.sources()["01_trust_a_gradient"]).cells if cell.cell_type == "code"]


def cell(words):
    """The code of the cell that has these words, up to its last statement, where that prints or checks."""
    (source,) = (source for source in CODE if words in source)
    return source.split("\n\n\nfor ")[0].split("\n\n\ncheck(")[0]


def verdict(h):
    names = {"np": np, "difference": difference}
    exec(cell("def g(x):"), names)
    exec(cell("def fault(h):"), names)
    return check(h, that=names["fault"])


@pytest.mark.parametrize(
    ("h", "words"), [(1e-8, "rounding"), (5.8e-8, "rounding"), (6.9e-8, "rounding"), (1e-6, "truncation")]
)
def test_step_away_from_the_bottom_is_refused(h, words):
    found = verdict(h)
    assert found.status == "not quite"
    assert words in found.message


@pytest.mark.parametrize("h", [1.5e-7, 2.4e-7, 3.2e-7, 4e-7])
def test_step_at_the_bottom_is_right(h):
    assert verdict(h).status == "right"


def test_formula_finds_the_bottom_of_a_fast_function_too():
    names = {"np": np, "difference": difference, "x": np.linspace(0.9, 1.1, 201)}
    names |= {"f": lambda x: np.sin(100.0 * x), "slope": lambda x: 100.0 * np.cos(100.0 * x)}
    exec(cell("def third_derivative").replace("2.0 * np.exp(x) * (np.cos(x) - np.sin(x))", "-1e4 * slope(x)"), names)
    steps = np.geomspace(1e-9, 1e-5, 201)
    errors = [names["typical_error"](h) for h in steps]
    errors = np.convolve(np.log(errors), np.ones(17) / 17, mode="valid")  # one step alone may be lucky
    assert 0.5 < names["h_star"] / steps[8 + np.argmin(errors)] < 2.0
