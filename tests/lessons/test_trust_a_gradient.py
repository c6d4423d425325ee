"""Lesson 1: the formula for the best step knows both roundings. (The check of its exercise: answers/01.py.)"""

import numpy as np

from lessons.tools import build
from minigrad.testing import difference

CODE = [cell.source for cell in build.read(build.sources()["01_trust_a_gradient"]).cells if cell.cell_type == "code"]


def cell(words):
    """The code of the cell that has these words, up to its last statement, where that prints or checks."""
    (source,) = (source for source in CODE if words in source)
    return source.split("\n\n\nfor ")[0].split("\n\n\ncheck(")[0]


def test_formula_finds_the_bottom_of_a_fast_function_too():
    names = {"np": np, "difference": difference, "x": np.linspace(0.9, 1.1, 201)}
    names |= {"f": lambda x: np.sin(100.0 * x), "slope": lambda x: 100.0 * np.cos(100.0 * x)}
    exec(cell("def third_derivative").replace("2.0 * np.exp(x) * (np.cos(x) - np.sin(x))", "-1e4 * slope(x)"), names)
    steps = np.geomspace(1e-9, 1e-5, 201)
    errors = [names["typical_error"](h) for h in steps]
    errors = np.convolve(np.log(errors), np.ones(17) / 17, mode="valid")  # one step alone may be lucky
    assert 0.5 < names["h_star"] / steps[8 + np.argmin(errors)] < 2.0
