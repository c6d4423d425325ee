"""Wrong values for every argument of the public functions: each ends in an error that names it, or a result."""

import re
import warnings

import hypothesis
import numpy as np
import pytest

import l2l
import minigrad as mg
from l2l.errors import L2LError, OptimizerFileError
from l2l.optimizers import LSTM
from l2l.problems import Simple
from l2l.registry import MOST
from tests.minigrad.test_fuzz_transforms import ANYTHING

SGD = l2l.make_optimizer("sgd")
TINY = {"episodes": 1, "steps": 2, "unroll_length": 1, "validate_every": 1, "validation_tasks": 1}
RACE = {"problem": Simple(), "entries": {"sgd": (SGD, SGD.init())}, "steps": 1, "repeats": 1, "tuning_repeats": 1}


def loss(theta):
    return mg.sum(mg.square(mg.tree.ravel(theta)[0]))


def minimize(**given):
    return l2l.minimize(**{"loss": loss, "theta": np.ones(2), "optimizer": SGD, "steps": 1, **given})


def train(**given):
    return l2l.train(**{"problem": Simple(), "optimizer": SGD, **TINY, **given})


def of(function, *names):
    return {f"{function.__name__}, {name}": lambda any, name=name: function(**{name: any}) for name in names}


def compare(**given):
    return l2l.compare(**{**RACE, **given})


CALLS = {
    **of(minimize, "loss", "theta", "optimizer", "phi", "steps", "tolerance"),
    "minimize, value": lambda any: minimize(loss=lambda theta: any),
    "minimize, theta of an LSTM": lambda any: l2l.minimize(loss, any, *l2l.load("quadratic"), steps=1),
    **of(
        train,
        "problem",
        "optimizer",
        "phi",
        *TINY,
        "meta_learning_rate",
        "warmup",
        "decay",
        "clip",
        "weights",
        "seed",
        "patience",
    ),
    **of(compare, "problem", "entries", "steps", "repeats", "seed"),
    "compare, entry": lambda any: compare(entries={"x": any}),
    "compare, optimizer": lambda any: compare(entries={"x": (any, None)}),
    "compare, phi": lambda any: compare(entries={"x": (SGD, any)}),
    "load": l2l.load,
    "save, path": lambda any: l2l.save(any, SGD, SGD.init()),
    "save, optimizer": lambda any: l2l.save("x.npz", any, SGD.init()),
    "save, phi": lambda any: l2l.save("x.npz", SGD, any),
    "save, notes": lambda any: l2l.save("x.npz", SGD, SGD.init(), notes=any),
    "make_problem": l2l.make_problem,
    "make_problem, dimension": lambda any: l2l.make_problem("quadratic", dimension=any),
    "make_problem, activation": lambda any: l2l.make_problem("mnist", activation=any),
    "make_optimizer": l2l.make_optimizer,
    "make_optimizer, learning_rate": lambda any: l2l.make_optimizer("sgd", learning_rate=any),
    **{
        f"make_optimizer, {name}": lambda any, name=name: l2l.make_optimizer("lstm", **{name: any})
        for name in ("preset", "hidden", "preprocess", "p", "dtype", "fused")
    },
}


THETA = "theta holds|part of a tree|keys of a tree"
NAMED = {
    "load": "path|file",
    "path": "path|file|cannot write",
    "value": "a loss returns one float",
    "loss": "loss is|a loss returns one float",
    "theta": THETA,
    "theta of an LSTM": THETA,
    "make_problem": "problem",
    "make_optimizer": "optimizer",
    "entry": r"entries\['x'\]|optimizer|phi",
    "entries": "entries|optimizer|phi",
    "optimizer": "optimizer|cannot be saved",
}
"""How a message speaks of an argument, where that is not its name."""


def check(name, value):
    argument, message = name.rpartition(", ")[2], None
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():  # of the values' own arithmetic
            warnings.simplefilter("ignore", l2l.DivergenceWarning)
            CALLS[name](value)
    except (TypeError, ValueError) as error:
        message = str(error)
    assert message is None or re.search(NAMED.get(argument, argument), message), message


@pytest.mark.parametrize("examples", [12, pytest.param(500, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", CALLS)
def test_wrong_values_are_named(name, examples, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # Between these, every step is taken.
    values = ANYTHING.filter(lambda value: not isinstance(value, int) or not 5 < value <= MOST)
    health = [hypothesis.HealthCheck.function_scoped_fixture]
    hypothesis.settings(max_examples=examples, suppress_health_check=health)(
        hypothesis.given(values)(lambda value: check(name, value))
    )()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: l2l.train("mnist", SGD), "a problem is what l2l.make_problem returns, not 'mnist'"),
        (lambda: l2l.train(Simple, SGD), "a problem is what l2l.make_problem returns"),
        (
            lambda: l2l.train(Simple(), "lstm"),
            "an optimizer is what l2l.make_optimizer or l2l.load returns, not 'lstm'",
        ),
        (lambda: minimize(optimizer=LSTM), "an optimizer is what l2l.make_optimizer or l2l.load returns"),
        (lambda: minimize(optimizer=LSTM()), "has to be trained first: pass the φ"),
        (lambda: minimize(phi={"w": np.zeros(())}), "phi is {'w': .*'log_learning_rate': .*pass the φ made for it"),
        (lambda: l2l.make_optimizer("lstm", preset=np.zeros(2)), "no preset .*; it has: paper"),
        (lambda: l2l.make_optimizer(np.zeros(2), preset="paper"), "no optimizer .*; choose from: sgd"),
        (lambda: minimize(steps=-1), "steps is a whole number of at least 0, not -1"),
        (lambda: minimize(steps=10**40), "steps is a whole number of at most 1,000,000, not 10+"),
        (lambda: train(steps=10**9), "steps is a whole number of at most 1,000,000, not 10+"),
        (lambda: compare(repeats=10**9), "repeats is a whole number of at most 1,000,000, not 10+"),
        (lambda: compare(seed=2**64), "seed is a whole number of at most 9,223,372,036,854,775,808, not"),
        (lambda: minimize(loss=3.0), "loss is a function of theta, not 3.0"),
        (lambda: compare(entries=["sgd"]), "entries is a dict"),
        (lambda: compare(entries={"sgd": SGD}), r"entries\['sgd'\] is a pair \(optimizer, φ\)"),
        (lambda: compare(entries={"lstm": (LSTM(), None)}), "no learning rate to tune: give it a φ"),
        (lambda: compare(seed=-1), "seed is a whole number of at least 0, not -1"),
        (lambda: train(decay=1.5), "decay is a number of at most 1, not 1.5"),
        (lambda: train(weights="first"), "weights is uniform or linear or last, not 'first'"),
        (lambda: l2l.problem_of(3.0, np.ones(2)), "loss is a function of theta, not 3.0"),
        (lambda: l2l.problem_of(loss, np.ones(2), [1.0]), "batches is a function of the step"),
        (lambda: train(meta_learning_rate=float("nan")), "meta_learning_rate is a positive number, not nan"),
        (lambda: l2l.save("x.npz", minimize, {}), "a function cannot be saved, for it has no name"),
        (lambda: l2l.save("x.npz", SGD, {}), "phi is {}"),
        (lambda: l2l.save("x.npz", SGD, SGD.init(), by=object()), "notes must be what JSON can hold"),
        (lambda: l2l.save(None, SGD, SGD.init()), "a file is named by its path, not by None"),
    ],
)
def test_likely_mistakes_are_named_with_the_fix(call, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(L2LError, match=message):
        call()
    assert list(tmp_path.iterdir()) == []


def test_loading_what_is_no_path_is_refused():
    with pytest.raises(OptimizerFileError, match="named by its path, not by 3"):
        l2l.load(3)
