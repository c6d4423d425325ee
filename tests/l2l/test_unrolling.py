"""The algorithm: what the meta-gradient is, and what it must not depend on."""

import numpy as np
import pytest

import minigrad as mg
from l2l.optimizers import LSTM, make_optimizer
from l2l.problems import MNIST, Quadratic, Task, draw_task
from l2l.unrolling import unroll
from tests.conftest import COORDINATEWISE, NETWORKS, some_phi

STEPS = 5
WEIGHTS = [0.5, 1.0, 2.0, 0.0, 3.0]


def quadratic_task():
    """A small quadratic in float64."""
    task = draw_task(Quadratic(dimension=3, functions=2), "train", 0, 0)
    return Task(np.random.default_rng(1).normal(size=6), task.loss, functions=2)


def small_lstm():
    optimizer = LSTM(hidden=(3, 2), dtype="float64", p=2.0)
    return optimizer, some_phi(optimizer, seed=2)


def meta_loss_of(optimizer, task, second_derivatives=False):
    def meta_loss(phi):
        state = optimizer.init_state(task.theta)
        return unroll(optimizer, phi, task, task.theta, state, WEIGHTS, second_derivatives)[0]

    return meta_loss


def test_batches_may_be_handed_out_in_one_buffer_that_is_refilled():
    batches, buffer = np.random.default_rng(3).normal(size=(len(WEIGHTS), 6)), np.zeros(6)
    optimizer, phi = small_lstm()

    def exact(next_batch):
        task = Task(np.ones(6), lambda theta, batch: mg.sum((theta * batch["x"]) ** 4.0), next_batch)
        return mg.tree.ravel(mg.grad(meta_loss_of(optimizer, task, second_derivatives=True))(phi))[0]

    rows, fresh = iter(batches), iter(batches)

    def refilled():
        buffer[:] = next(rows)
        return {"x": buffer}

    np.testing.assert_array_equal(exact(refilled), exact(lambda: {"x": next(fresh)}))


class Recorder:
    """An optimizer that keeps the gradients it is shown; with `frozen` it is shown those instead."""

    def __init__(self, optimizer, frozen=None):
        self.optimizer, self.frozen, self.seen = optimizer, frozen, []

    def init_state(self, theta):
        self.seen = []
        return self.optimizer.init_state(theta)

    def __call__(self, phi, grad, state):
        self.seen.append(grad)
        if self.frozen is not None:
            grad = self.frozen[len(self.seen) - 1]
        return self.optimizer(phi, grad, state)


def frozen_gradients(optimizer, phi, task):
    recorder = Recorder(optimizer)
    meta_loss_of(recorder, task)(phi)
    return recorder.seen


def directional(f, x, v, h=1e-3):
    """The derivative of f at x along v by central differences of sixth order."""
    stencil = ((1, 45 / 60), (2, -9 / 60), (3, 1 / 60))
    return sum(w / h * (f(x + k * h * v) - f(x - k * h * v)) for k, w in stencil)


def test_first_order_meta_gradient_equals_the_cumulative_sum_oracle():
    optimizer, phi = small_lstm()
    task = quadratic_task()
    gradients = frozen_gradients(optimizer, phi, task)
    # λ_t = w_t ∇_t + λ_{t+1} is what the losses after update t − 1 send back to it; the rest is the LSTM alone.
    costates = np.cumsum([w * g for w, g in zip(WEIGHTS, gradients, strict=True)][::-1], axis=0)[::-1]

    def through_the_lstm_alone(phi):
        state, total = optimizer.init_state(task.theta), 0.0
        for gradient, costate in zip(gradients[:-1], costates[1:], strict=True):
            update, state = optimizer(phi, gradient, state)
            total = total + mg.sum(update * costate)
        return total

    oracle = mg.tree.ravel(mg.grad(through_the_lstm_alone)(phi))[0]
    found = mg.tree.ravel(mg.grad(meta_loss_of(optimizer, task))(phi))[0]
    np.testing.assert_allclose(found, oracle, rtol=1e-11, atol=1e-13)
    assert np.linalg.norm(oracle) > 0.1


def test_first_order_meta_gradient_equals_finite_differences_with_frozen_gradients():
    optimizer, phi = small_lstm()
    task = quadratic_task()
    frozen = Recorder(optimizer, frozen_gradients(optimizer, phi, task))
    flat, unravel = mg.tree.ravel(phi)
    found = mg.tree.ravel(mg.grad(meta_loss_of(optimizer, task))(phi))[0]
    for seed in range(3):
        v = np.random.default_rng(seed).normal(size=flat.shape)
        numeric = directional(lambda x: meta_loss_of(frozen, task)(unravel(x)), flat, v)
        assert found @ v == pytest.approx(numeric, rel=1e-7)


def test_exact_meta_gradient_equals_plain_finite_differences():
    optimizer, phi = small_lstm()
    mg.check_gradients(meta_loss_of(optimizer, quadratic_task(), second_derivatives=True), phi, order=1, step=1e-3)


def test_exact_and_first_order_meta_gradients_differ():
    optimizer, phi = small_lstm()
    task = quadratic_task()
    exact, first = (mg.tree.ravel(mg.grad(meta_loss_of(optimizer, task, mode))(phi))[0] for mode in (True, False))
    assert np.linalg.norm(exact - first) > 1e-3 * np.linalg.norm(exact)


def test_second_derivatives_are_taken_only_where_they_are_asked_for():
    optimizer, phi = small_lstm()
    task = quadratic_task()
    state = optimizer.init_state(task.theta)
    unasked = mg.grad(lambda phi: unroll(optimizer, phi, task, task.theta, state, WEIGHTS)[0])(phi)
    first = mg.grad(meta_loss_of(optimizer, task, second_derivatives=False))(phi)
    np.testing.assert_array_equal(mg.tree.ravel(unasked)[0], mg.tree.ravel(first)[0])


def test_exact_meta_gradient_of_a_network_on_fixed_images():
    rng = np.random.default_rng(0)
    task = MNIST(hidden=2, batch=3).sample(rng)
    batch = task.next_batch()
    task = Task(rng.normal(scale=0.3, size=task.theta.shape), task.loss, lambda: batch)
    optimizer = make_optimizer("adam", learning_rate=0.03)
    mg.check_gradients(meta_loss_of(optimizer, task, second_derivatives=True), optimizer.init(), order=1, step=1e-3)


@pytest.mark.parametrize(
    ("name", "settings"),
    [(name, {}) for name in COORDINATEWISE if name not in NETWORKS]
    + [("rprop", {"learning_rate": 0.5, "step_min": 0.3, "step_max": 0.55})],  # steps reach both bounds
)
def test_constants_of_every_other_rule_have_an_exact_meta_gradient(name, settings):
    optimizer = make_optimizer(name, **settings)
    phi = optimizer.init(np.random.default_rng(0))
    mg.check_gradients(meta_loss_of(optimizer, quadratic_task(), second_derivatives=True), phi, order=1, step=1e-3)


def test_watching_phi_does_not_change_the_run():
    optimizer, phi = small_lstm()
    task = quadratic_task()
    state = optimizer.init_state(task.theta)
    plain = unroll(optimizer, phi, task, task.theta, state, WEIGHTS)

    def watched(phi):
        total, *rest = unroll(optimizer, phi, task, task.theta, state, WEIGHTS)
        return total, mg.stop_gradient(rest)

    (total, (theta, _, losses)), _ = mg.value_and_grad(watched, has_aux=True)(phi)
    assert total == plain[0]
    assert losses == plain[3]
    np.testing.assert_array_equal(theta, plain[1])


def test_losses_are_those_before_each_update():
    task = quadratic_task()
    optimizer = make_optimizer("sgd", learning_rate=0.01)
    total, theta, _, losses = unroll(optimizer, optimizer.init(), task, task.theta, {}, WEIGHTS)
    x = task.theta
    for loss in losses:
        value, gradient = mg.value_and_grad(task.loss)(x, None)
        assert loss == value
        x = x - 0.01 * gradient
    np.testing.assert_allclose(theta, x, rtol=1e-12)
    assert total == pytest.approx(np.dot(WEIGHTS, losses))


def test_losses_are_plain_numbers_even_where_they_depend_on_phi():
    optimizer, phi = small_lstm()
    task = quadratic_task()
    seen = []

    def meta_loss(phi):
        total, _, _, losses = unroll(optimizer, phi, task, task.theta, optimizer.init_state(task.theta), WEIGHTS, True)
        seen.extend(losses)
        return total

    mg.grad(meta_loss)(phi)
    assert {type(loss) for loss in seen} == {np.float64}


@pytest.mark.parametrize(("second_derivatives", "kind"), [(False, np.ndarray), (True, mg.Var)])
def test_only_exact_mode_shows_the_optimizer_a_gradient_that_depends_on_phi(second_derivatives, kind):
    optimizer, phi = small_lstm()
    recorder = Recorder(optimizer)
    mg.grad(meta_loss_of(recorder, quadratic_task(), second_derivatives))(phi)
    assert [type(g) for g in recorder.seen[1:]] == [kind] * (STEPS - 1)


def test_inner_gradient_never_touches_phi():
    # A loss that is made from φ: in first-order mode the meta-gradient must not see it through ∇_t.
    optimizer = make_optimizer("sgd")

    def meta_loss(phi):
        task = Task(np.ones(2), lambda theta, batch: mg.sum(theta) * mg.stop_gradient(phi["log_learning_rate"]))
        return unroll(optimizer, phi, task, task.theta, {}, [1.0, 1.0])[0]

    log_rate = np.log(0.5)
    gradient = mg.grad(meta_loss)({"log_learning_rate": log_rate})["log_learning_rate"]
    assert gradient == pytest.approx(-2.0 * 0.5 * log_rate**2)
