"""Rules and problems of one's own that break their contract: train, compare and minimize say so, with the fix."""

from dataclasses import dataclass

import numpy as np
import pytest

import l2l
import minigrad as mg
from l2l.errors import L2LError
from l2l.optimizers import OPTIMIZERS, Groups, fitted, interface
from l2l.problems import Quadratic, Simple, Task

SGD = l2l.make_optimizer("sgd", learning_rate=0.1)
TINY = {"episodes": 1, "steps": 2, "unroll_length": 2, "validation_tasks": 1}


class Rule:
    """g_t = −0.1 v_{t+1} with v_{t+1} = w v_t + ∇_t, and φ = {w}; a test breaks one of its parts."""

    def init(self, rng=None):
        return {"w": np.array(0.5)}

    def init_state(self, theta):
        return {"v": np.zeros_like(theta)}

    def __call__(self, phi, grad, state):
        v = mg.astype(phi["w"], grad.dtype) * state["v"] + grad
        return -0.1 * v, {"v": v}


def broken(**parts):
    return type("Mine", (Rule,), parts)()


def train(optimizer, problem=None):
    return l2l.train(problem or Quadratic(dimension=2, functions=1), optimizer, **TINY)


def compare(optimizer, problem=None):
    entry = optimizer, optimizer.init()
    return l2l.compare(problem or Quadratic(dimension=2, functions=1), {"mine": entry}, steps=2, repeats=1)


def minimize(optimizer):
    return l2l.minimize(lambda theta: mg.sum(theta**2.0), np.ones(3), optimizer, optimizer.init(), steps=2)


@pytest.mark.parametrize("use", [train, compare, minimize])
def test_rule_that_keeps_the_contract_is_taken(use):
    use(Rule())


def writes_to_the_gradient(self, phi, grad, state):
    grad *= 0.9
    return -0.1 * grad, state


def writes_to_the_state(self, phi, grad, state):
    v = state["v"]
    v *= 0.9  # of 0 at the first step, which does not show
    return -0.1 * grad, {"v": v + grad}


def puts_into_the_state(self, phi, grad, state):
    state["v"] = 0.9 * state["v"] + grad
    return -0.1 * state["v"], state


BROKEN_STEPS = {
    "update alone": (
        lambda self, phi, grad, state: -0.1 * grad,
        r"Mine must return a pair, not .*`return update, state`",
    ),
    "nothing": (lambda self, phi, grad, state: None, "Mine must return a pair, not None: end it with"),
    "three": (lambda self, phi, grad, state: (grad, state, 1), "Mine must return a pair, not "),
    "a number": (lambda self, phi, grad, state: (-0.1, state), "as its update -0.1: make it like grad, an array of"),
    "one coordinate": (lambda self, phi, grad, state: (grad[:1], state), r"as its update .*shape \(1,\): make it like"),
    "a matrix": (lambda self, phi, grad, state: (grad[None], state), r"shape \(1, \d\): make it like grad, .*\(\d,\)"),
    "integers": (lambda self, phi, grad, state: (grad.astype(int), state), "as its update an array of int64"),
    "a set as its state": (
        lambda self, phi, grad, state: (grad, {1}),
        "as its new state \\{1\\}: make it a dict, list",
    ),
    "text in its state": (lambda self, phi, grad, state: (grad, ["a"]), r"as its new state \['a'\]: make it"),
    "writes to grad": (writes_to_the_gradient, "Mine writes to its arguments: return new arrays in a new state"),
    "writes to state": (writes_to_the_state, "Mine writes to its arguments"),
    "puts into state": (puts_into_the_state, "Mine writes to its arguments"),
}


@pytest.mark.parametrize("use", [train, compare, minimize])
@pytest.mark.parametrize(("step", "message"), BROKEN_STEPS.values(), ids=BROKEN_STEPS)
def test_rule_whose_step_breaks_the_contract_is_named(step, message, use):
    with pytest.raises(L2LError, match=message):
        use(broken(__call__=step))


@pytest.mark.parametrize("use", [train, compare, minimize])
@pytest.mark.parametrize("state", [object(), "h", {1.0}, [None, "h"]], ids=["object", "text", "set", "text in a list"])
def test_state_that_cannot_be_carried_is_named(state, use):
    with pytest.raises(
        L2LError, match="Mine.init_state returned .*: make it a dict, list or tuple of arrays and numbers"
    ):
        use(broken(init_state=lambda self, theta: state))


@pytest.mark.parametrize("missing", ["init", "init_state", "__call__"])
def test_object_without_a_part_of_a_rule_is_refused(missing):
    parts = {name: vars(Rule)[name] for name in ("init", "init_state", "__call__") if name != missing}
    with pytest.raises(L2LError, match="an optimizer is what l2l.make_optimizer or l2l.load returns, not"):
        train(type("Mine", (), parts)())


@pytest.mark.parametrize("phi", [{"w": 0.5}, {"w": np.array(1)}, "w", {"w": {1.0}}], ids=repr)
def test_phi_that_cannot_be_trained_is_named(phi):
    with pytest.raises(
        L2LError, match="Mine must be a dict, list or tuple of float arrays, not .*: make a number x np.as"
    ):
        train(broken(init=lambda self, rng=None: phi))


@pytest.mark.parametrize("phi", [{}, None, []], ids=repr)
def test_rule_that_has_nothing_to_learn_is_not_trained(phi):
    with pytest.raises(L2LError, match="φ of Mine is empty, so there is nothing to meta-train"):
        train(broken(init=lambda self, rng=None: phi))


def test_rule_that_is_no_dataclass_is_not_tuned():
    with pytest.raises(L2LError, match=r"entries\['mine'\] is no dataclass, so its learning rate cannot be tuned"):
        l2l.compare(Simple(), {"mine": (broken(learning_rate=0.1), None)}, steps=2, repeats=1)


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if name != "groups"])
def test_rules_of_the_package_keep_the_contract(name):
    task = Quadratic(dimension=5, functions=5).sample(np.random.default_rng(0))
    rule = fitted(l2l.make_optimizer(name), task, 2)
    curvature = [l2l.problems.Curvature(task.loss, task.theta, None)] if hasattr(rule, "uses_curvature") else []
    if name == "natural_gradient":
        curvature = [type("Identity", (), {"fisher": lambda self, v: v})()]
    interface.check_rule(rule, rule.init(np.random.default_rng(0)), task.theta, *curvature)


def test_rule_in_a_group_is_checked_too():
    groups = Groups({"a": broken(__call__=lambda self, phi, grad, state: (grad[:1], state)), "b": SGD})
    theta = {"a": np.ones(2), "b": np.ones(2)}
    with pytest.raises(L2LError, match="returned as its update"):
        l2l.minimize(lambda t: mg.sum(t["a"]) + mg.sum(t["b"]), theta, groups, groups.init(), steps=1)


# ------------------------------------------------------------------------------------------ problems


@dataclass(frozen=True)
class Problem:
    """What sample returns is for a test to say."""

    result: object
    data = "none"

    def sample(self, rng, split):
        return self.result


@pytest.mark.parametrize("use", [train, compare])
@pytest.mark.parametrize("result", [None, (np.zeros(2), len), np.zeros(2)], ids=["nothing", "tuple", "array"])
def test_problem_that_draws_no_task_is_named(result, use):
    with pytest.raises(L2LError, match=r"Problem.sample must return a Task, not .*`return Task\(theta, loss\)`"):
        use(SGD, Problem(result))


@pytest.mark.parametrize("use", [train, compare])
@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda theta, batch: theta**2.0, r"one float, not float32 of shape \(2,\): reduce it with minigrad.sum"),
        (lambda theta, batch: None, "one float, not None: return the loss alone"),
        (lambda theta, batch: (mg.sum(theta), 1), r"one float, not \(.*\): return the loss alone"),
    ],
    ids=["vector", "nothing", "tuple"],
)
def test_task_whose_loss_is_no_scalar_is_named(loss, message, use):
    with pytest.raises(L2LError, match=message):
        use(SGD, Problem(Task(np.ones(2, np.float32), loss)))


@pytest.mark.parametrize("out", [False, True], ids=["in memory", "with files"])
def test_unknown_setting_is_named_beside_those_there_are(out, tmp_path):
    files = {"out": tmp_path / "run"} if out else {}
    with pytest.raises(L2LError, match="no setting 'epochs'; it has: episodes, tasks, steps, horizon"):
        l2l.train(Simple(), SGD, epochs=3, **files)
    assert list(tmp_path.iterdir()) == []
