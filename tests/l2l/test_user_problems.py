"""Losses and problems that users write: what they may return, raise and do."""

from dataclasses import dataclass

import numpy as np
import pytest
from threadpoolctl import threadpool_info

import l2l
import minigrad as mg
from l2l.errors import L2LError
from l2l.problems import Task

SGD = l2l.make_optimizer("sgd", learning_rate=0.1)
START = np.array([1.0, -2.0])


class UserError(Exception):
    pass


def bowl(theta):
    return mg.sum(theta**2.0)


def minimize(loss, theta=START, optimizer=SGD, steps=3):
    return l2l.minimize(loss, theta, optimizer, steps=steps)


# ------------------------------------------------------------------------------------------ what a loss returns


@pytest.mark.parametrize("value", [3, True, None, 1j, "3", (1.0, 2.0), {"loss": 1.0}, np.array(3)], ids=repr)
def test_loss_that_is_no_float_is_refused(value):
    with pytest.raises(L2LError, match="a loss returns one float, not .*: return the loss alone, made of floats"):
        minimize(lambda theta: value)


def test_loss_in_a_tuple_is_refused():
    with pytest.raises(L2LError, match=r"one float, not \(.*: return the loss alone"):
        minimize(lambda theta: (bowl(theta), theta))


@pytest.mark.parametrize("loss", [lambda theta: theta, lambda theta: theta[:1], lambda theta: np.zeros(2)])
def test_loss_that_is_no_scalar_is_refused(loss):
    with pytest.raises(L2LError, match=r"one float, not float64 of shape \([12],\): reduce it with minigrad\.sum"):
        minimize(loss)


def test_loss_that_does_not_depend_on_theta_has_gradient_0():
    theta, losses = minimize(lambda theta: 1.5)
    assert np.array_equal(theta, START)
    assert losses.tolist() == [1.5] * 3


def test_loss_that_is_not_finite_is_a_result():
    with pytest.warns(l2l.DivergenceWarning, match="the loss is nan at step 0"):
        theta, losses = minimize(lambda theta: bowl(theta) * np.nan)
    assert np.isnan(theta).all()
    assert np.isnan(losses).all()


def test_loss_that_is_a_value_of_an_earlier_call_is_refused():
    kept = []

    def loss(theta):
        kept.append(bowl(theta))
        return kept[0]

    with pytest.raises(mg.EscapedVarError, match="outlived"):
        minimize(loss)


def test_loss_may_be_differentiated_with_respect_to_something_outside():
    # What an outer tape watches is a constant to minimize: only plain numbers come out of it.
    def outer(scale):
        theta, _ = minimize(lambda theta: mg.stop_gradient(scale) * bowl(theta))
        return mg.sum(theta * scale)

    assert mg.grad(outer)(np.array(1.0)) == pytest.approx(np.sum(START * 0.8**3))


# ------------------------------------------------------------------------------------------ what theta may be


@pytest.mark.parametrize("part", [3, True, 1j, np.arange(2), np.zeros(2, complex), np.array([None])], ids=repr)
def test_theta_with_a_part_that_is_no_float_is_refused(part):
    with pytest.raises(TypeError, match="only floats can be differentiated, theta holds"):
        minimize(lambda theta: bowl(theta["w"]), {"w": START, "n": part})


def test_theta_may_have_empty_and_0_d_parts():
    theta, losses = minimize(
        lambda t: bowl(t["w"]) + t["b"][0] ** 2.0, {"w": START, "b": [2.0, np.zeros((0, 3))], "c": None}
    )
    assert theta["w"] == pytest.approx(START * 0.8**3)
    assert theta["b"][0] == pytest.approx(2.0 * 0.8**3)
    assert theta["b"][1].shape == (0, 3)
    assert theta["c"] is None
    assert losses[0] == 9.0


@pytest.mark.parametrize("optimizer", [(SGD, None), l2l.load("quadratic")], ids=["sgd", "lstm"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_theta_keeps_its_precision(dtype, optimizer):
    theta, losses = l2l.minimize(bowl, START.astype(dtype), *optimizer, steps=3)
    assert theta.dtype == dtype
    assert losses[-1] < losses[0]


def test_theta_of_several_precisions_comes_back_in_the_widest():
    theta, _ = minimize(lambda t: bowl(t[0]) + bowl(t[1]), [START, START.astype("float32")])
    assert [part.dtype for part in theta] == ["float64", "float64"]


# ------------------------------------------------------------------------------------------ what a loss does


@pytest.mark.parametrize(("optimizer", "calls"), [(SGD, 4), (l2l.make_optimizer("newton", iterations=1), 8)])
def test_loss_is_called_once_a_step_and_once_for_a_product_with_the_hessian(optimizer, calls):
    seen = []

    def loss(theta):
        seen.append(1)
        return bowl(theta)

    minimize(loss, optimizer=optimizer, steps=4)
    assert len(seen) == calls


def test_loss_cannot_write_into_theta():
    def loss(theta):
        theta[0] = 0.0
        return bowl(theta)

    with pytest.raises(TypeError, match="a Var is immutable"):
        minimize(loss)


def test_loss_that_rebinds_parts_of_its_theta_changes_nothing_outside():
    start = {"w": START.copy()}

    def loss(theta):
        value = bowl(theta["w"])
        theta["w"] = None
        return value

    theta, _ = minimize(loss, start)
    assert theta["w"] == pytest.approx(START * 0.8**3)
    assert np.array_equal(start["w"], START)


def test_theta_that_was_passed_is_not_changed():
    start = START.copy()
    theta, _ = minimize(bowl, start)
    theta[:] = 7.0
    assert np.array_equal(start, START)


# ------------------------------------------------------------------------------------------ what a task is


@pytest.mark.parametrize("theta", [np.arange(3), np.zeros((2, 2)), np.zeros(()), {"w": START}, None], ids=repr)
def test_task_whose_theta_is_no_float_vector_is_refused(theta):
    with pytest.raises(L2LError, match=r"one vector of floats, not .*minigrad\.tree\.ravel"):
        Task(theta, bowl)


@pytest.mark.parametrize("given", [{"loss": 3.0}, {"loss": bowl, "next_batch": iter([1])}], ids=["loss", "next_batch"])
def test_task_whose_loss_or_batch_is_no_function_is_refused(given):
    with pytest.raises(L2LError, match="are functions"):
        Task(START, **given)


# ------------------------------------------------------------------------------------------ what is raised


@dataclass(frozen=True)
class Faulty:
    """f(θ) = Σθ², where the loss or the batch raises `error` at its call number `at`."""

    where: str
    error: Exception
    at: int
    data = "none"

    def sample(self, rng, split="train"):
        calls = {"loss": 0, "batch": 0}

        def count(where):
            calls[where] += 1
            if where == self.where and calls[where] == self.at:
                raise self.error

        def loss(theta, batch):
            count("loss")
            return bowl(theta)

        return Task(START.astype("float32"), loss, lambda: count("batch"))


def blas_threads():
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


TRAINING = {"episodes": 1, "steps": 4, "unroll_length": 2}


@pytest.mark.parametrize(
    "error", [UserError("mine"), StopIteration(), KeyboardInterrupt(), RuntimeWarning("w")], ids=repr
)
@pytest.mark.parametrize("where", ["loss", "batch"])
@pytest.mark.parametrize("at", [1, 3])
def test_what_user_code_raises_arrives_unchanged_and_leaves_no_trace(where, at, error):
    fresh = l2l.train(Faulty("none", error, 0), SGD, **TRAINING).latest
    before = blas_threads()
    with pytest.raises(type(error)) as train_error:
        l2l.train(Faulty(where, error, at), SGD, **TRAINING)
    with pytest.raises(type(error)) as compare_error:
        l2l.compare(Faulty(where, error, at), {"sgd": (SGD, SGD.init())}, steps=4, repeats=1)
    assert train_error.value is error
    assert compare_error.value is error
    assert blas_threads() == before
    assert l2l.train(Faulty("none", error, 0), SGD, **TRAINING).latest == fresh


def test_what_a_loss_of_minimize_raises_arrives_unchanged_and_leaves_no_tape_open():
    seen, error, before = [], UserError("mine"), blas_threads()

    def loss(theta):
        seen.append(theta)
        if len(seen) == 2:
            raise error
        return bowl(theta)

    with pytest.raises(UserError) as raised:
        minimize(loss)
    assert raised.value is error
    assert all(theta.tape.closed for theta in seen)
    assert blas_threads() == before
    assert minimize(bowl)[0] == pytest.approx(START * 0.8**3)


@pytest.mark.parametrize("second_derivatives", [False, True])
def test_exception_in_an_optimizer_closes_the_tapes_of_an_unroll(second_derivatives):
    seen = []

    class Breaks(type(SGD)):
        def __call__(self, phi, grad, state):
            seen.append(phi["log_learning_rate"])
            raise UserError

    with pytest.raises(UserError):
        l2l.train(Faulty("none", UserError(), 0), Breaks(), **TRAINING)
    task = Faulty("none", UserError(), 0).sample(None)
    with pytest.raises(UserError):
        mg.grad(lambda phi: l2l.unroll(Breaks(), phi, task, task.theta, {}, [1.0], second_derivatives)[0])(SGD.init())
    assert seen[-1].tape.closed


def test_exception_in_a_report_arrives_unchanged_and_gives_the_threads_back():
    before = blas_threads()

    def report(training):
        raise UserError

    with pytest.raises(UserError):
        l2l.train(Faulty("none", UserError(), 0), SGD, **TRAINING, report=report)
    with pytest.raises(UserError):
        l2l.compare(Faulty("none", UserError(), 0), {"s": (SGD, SGD.init())}, steps=1, repeats=1, report=report)
    assert blas_threads() == before
