"""Options of a rule of one's own: what can be saved can be loaded, and its range is for the rule itself to check."""

from dataclasses import dataclass

import numpy as np
import pytest

import l2l
from l2l.errors import L2LError
from l2l.optimizers import OPTIMIZERS, make_optimizer


@dataclass(frozen=True)
class Own:
    """A rule with a field of each kind."""

    shift: float = -0.5
    boost: float = 1
    count: int = 0
    weights: tuple[float, ...] = (1, 2)
    units: tuple[int, ...] = ()
    clip: float | None = None
    word: str = "a"
    flag: bool = False
    bare: tuple = (1,)
    quoted: "float" = 2

    def __post_init__(self):
        if self.shift > 10:
            raise L2LError(f"shift is at most 10, not {self.shift}")

    def init(self, rng=None):
        return {"w": np.zeros(())}

    def init_state(self, theta):
        return {}

    def __call__(self, phi, grad, state):
        return -grad, state


@pytest.fixture(autouse=True)
def _registered(monkeypatch):
    monkeypatch.setitem(OPTIMIZERS, "own", Own)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"shift": 3.0},
        {"boost": 0.5},
        {"boost": -1e300},
        {"count": -7},
        {"count": 10**6},
        {"weights": (-1.0, 0.5)},
        {"units": (3, 0)},
        {"clip": 0.5},
        {"word": "true"},
        {"flag": True},
        {"bare": (0.5, -1, "x")},
        {"quoted": 0.25},
    ],
    ids=str,
)
def test_what_saves_loads(tmp_path, settings):
    rule = Own(**settings)
    l2l.save(tmp_path / "o.npz", rule, rule.init())
    assert l2l.load(tmp_path / "o.npz")[0] == rule


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (("shift", "-0.25"), -0.25),
        (("boost", "0.5"), 0.5),
        (("count", "-3"), -3),
        (("weights", "0.5,-2"), (0.5, -2.0)),
        (("units", "3-4"), (3, 4)),
        (("flag", "True"), True),
        (("quoted", "0.5"), 0.5),
    ],
)
def test_text_becomes_what_the_annotation_says(text, value):
    name, word = text
    found = getattr(make_optimizer("own", **{name: word}), name)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"shift": 11}, "shift is at most 10, not 11"),
        ({"shift": "x"}, "shift is a number, not 'x'"),
        ({"boost": True}, "boost is a number, not True"),
        ({"count": 0.5}, "count is a whole number, not 0.5"),
        ({"weights": "1,x"}, "weights is a number, or several, as in 1,0.5, not '1,x'"),
        ({"units": [0.5]}, r"units is a whole number, or several, as in 20-20, not \[0.5\]"),
        ({"flag": "perhaps"}, "flag is true or false, not 'perhaps'"),
    ],
)
def test_value_of_another_kind_or_out_of_the_rule_s_own_range_is_refused(settings, message):
    with pytest.raises(L2LError, match=message):
        make_optimizer("own", **settings)


CONSTANTS = [
    ("sgd", "learning_rate"),
    ("momentum", "momentum"),
    ("nag", "learning_rate"),
    ("rprop", "eta_plus"),
    ("rprop", "eta_minus"),
    ("adagrad", "epsilon"),
    ("rmsprop", "decay"),
    ("adam", "beta2"),
    ("newton", "learning_rate"),
    ("lstm", "scale"),
]


@pytest.mark.parametrize(("name", "constant"), CONSTANTS)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, 0.0])
def test_rule_checks_its_own_constants(name, constant, value):
    with pytest.raises(L2LError, match=constant):
        OPTIMIZERS[name](**{constant: value})


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_factor_that_is_not_finite_is_refused(value):
    with pytest.raises(L2LError, match="initial is a finite number"):
        OPTIMIZERS["linear"](value)
