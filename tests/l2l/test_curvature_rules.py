"""Rules that use curvature: their equations solved densely, their safety, and the meta-gradient through them."""

import dataclasses

import numpy as np
import pytest

import l2l
import minigrad as mg
from l2l.errors import L2LError
from l2l.optimizers import OPTIMIZERS, make_optimizer
from l2l.optimizers.curvature import Newton, conjugate_gradients
from l2l.problems import MNIST, Curvature, ModelLoss, Quadratic, Simple, Task, draw_task
from l2l.unrolling import unroll

CURVATURE_RULES = [name for name, cls in OPTIMIZERS.items() if issubclass(cls, Newton)]
WEIGHTS = [0.5, 1.0, 2.0, 3.0]


def classifier_task():
    """A small network on random examples in float64, another batch each step."""
    rng = np.random.default_rng(0)
    theta, unravel = mg.tree.ravel({"W1": rng.normal(size=(3, 2)), "W2": rng.normal(size=(2, 3))})

    def logits(theta, batch):
        weights = unravel(theta)
        return mg.tanh(batch[0] @ weights["W1"]) @ weights["W2"]

    loss = ModelLoss(logits, lambda z, batch: mg.cross_entropy(z, batch[1]), classifier=True)
    data = iter([(rng.normal(size=(5, 3)), rng.integers(3, size=5)) for _ in WEIGHTS])
    return Task(theta, loss, lambda: next(data))


def start_of(task):
    """∇_0 and the curvature at θ_0, on one batch."""
    batch = task.next_batch()
    return mg.grad(task.loss)(task.theta, batch), Curvature(task.loss, task.theta, batch)


def positive_definite(n, seed=0):
    root = np.random.default_rng(seed).normal(size=(n, n))
    return root @ root.T + 0.5 * np.eye(n)


# ------------------------------------------------------------------------------------------ conjugate gradients


def test_conjugate_gradients_solve_a_positive_definite_system():
    A, b = positive_definite(8), np.random.default_rng(1).normal(size=8)
    np.testing.assert_allclose(conjugate_gradients(lambda v: A @ v, b, 8), np.linalg.solve(A, b), rtol=1e-9)


def test_conjugate_gradients_minimize_over_the_krylov_space():
    # After k steps, x is the best of span{b, Ab, …, A^{k−1}b} in the norm of A.
    A, b = positive_definite(8), np.random.default_rng(1).normal(size=8)
    K = np.stack([b, A @ b, A @ A @ b], axis=1)
    best = K @ np.linalg.solve(K.T @ A @ K, K.T @ b)
    np.testing.assert_allclose(conjugate_gradients(lambda v: A @ v, b, 3), best, rtol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [0.0, 1e-10, 1.0])
def test_conjugate_gradients_end_where_no_residual_is_left(scale, dtype):
    # Two distinct eigenvalues: two steps are enough, and rounding asks for another one or two.
    eigenvalues, b, calls = np.array([1.1, 3.7, 3.7, 1.1], dtype), scale * np.array([1.0, 2.0, 0.0, 3.0], dtype), []

    def solution(c):
        def product(v):
            calls.append(v)
            return c * eigenvalues * v

        return conjugate_gradients(product, c * b, 50)

    x, pullback = mg.vjp(solution, np.array(0.7, dtype))
    np.testing.assert_allclose(x, b / eigenvalues, rtol=1e-6)
    assert x.dtype == dtype
    assert len(calls) <= 4
    assert np.isfinite(pullback(np.ones_like(b)))


def test_conjugate_gradients_keep_what_was_reached_before_negative_curvature():
    A, b = np.diag([3.0, -1.0]), np.array([1.0, 0.5])
    first_step = (b @ b) / (b @ A @ b) * b
    np.testing.assert_allclose(conjugate_gradients(lambda v: A @ v, b, 10), first_step, rtol=1e-12)


def test_conjugate_gradients_return_the_gradient_where_it_points_along_negative_curvature():
    b = np.array([1.0, 2.0])
    np.testing.assert_array_equal(conjugate_gradients(lambda v: -v, b, 10), b)


def test_solution_always_points_downhill():
    for seed in range(50):
        rng = np.random.default_rng(seed)
        A, b = rng.normal(size=(6, 6)), rng.normal(size=6)
        assert b @ conjugate_gradients(lambda v, A=A: (A + A.T) @ v, b, 6) > 0


@pytest.mark.parametrize("iterations", [1, 3, 6])
def test_derivative_of_truncated_conjugate_gradients(iterations):
    rng = np.random.default_rng(1)

    def solution(root, b):
        return conjugate_gradients(lambda v: root @ (v @ root) + 0.5 * v, b, iterations)

    mg.check_gradients(solution, rng.normal(size=(6, 6)), rng.normal(size=6), order=1, step=1e-3)


# ------------------------------------------------------------------------------------------ the rules


def dense(product, n):
    return np.stack([product(row) for row in np.eye(n)])


@pytest.mark.parametrize(("name", "matrix"), [("gauss_newton", "gauss_newton"), ("natural_gradient", "fisher")])
def test_update_solves_the_damped_system_of_its_matrix(name, matrix):
    gradient, curvature = start_of(classifier_task())
    optimizer = make_optimizer(name, learning_rate=0.5, damping=0.2, iterations=12)
    C = dense(getattr(curvature, matrix), gradient.size)
    expected = -0.5 * np.linalg.solve(C + 0.2 * np.eye(gradient.size), gradient)
    update, _ = optimizer(optimizer.init(), gradient, {}, curvature)
    np.testing.assert_allclose(update, expected, rtol=1e-7)


def test_newton_solves_the_damped_system_of_the_hessian():
    task = classifier_task()
    gradient, curvature = start_of(task)
    H = mg.hessian(lambda theta: task.loss(theta, curvature.batch))(task.theta)
    damping = 0.1 - np.linalg.eigvalsh(H)[0]
    optimizer = make_optimizer("newton", learning_rate=0.5, damping=damping, iterations=12)
    expected = -0.5 * np.linalg.solve(H + damping * np.eye(gradient.size), gradient)
    update, _ = optimizer(optimizer.init(), gradient, {}, curvature)
    np.testing.assert_allclose(update, expected, rtol=1e-7)


@pytest.mark.parametrize("name", ["newton", "gauss_newton"])
def test_undamped_step_solves_a_quadratic_at_once(name):
    task = draw_task(Quadratic(dimension=4, functions=1), "train", 0, 0)
    optimizer = make_optimizer(name, damping=1e-12, iterations=8)
    theta = task.theta.astype(np.float64)
    *_, losses = unroll(optimizer, optimizer.init(), task, theta, {}, [1.0, 1.0])
    assert losses[0] > 0.1
    assert losses[1] < 1e-12


def test_newton_needs_nothing_but_a_loss():
    def loss(theta):
        return mg.sum(mg.exp(theta["a"]) - 2.0 * theta["a"]) + (theta["b"] - 1.0) ** 4.0

    theta, losses = l2l.minimize(loss, {"a": np.zeros(3), "b": 3.0}, make_optimizer("newton", damping=1e-3), steps=20)
    np.testing.assert_allclose(theta["a"], np.log(2.0), rtol=1e-6)
    assert losses[-1] - 3.0 * (2.0 - 2.0 * np.log(2.0)) < 1e-6


def test_gauss_newton_equals_newton_on_linear_least_squares():
    task = draw_task(Quadratic(dimension=3, functions=2), "train", 0, 0)
    gradient, curvature = start_of(dataclasses.replace(task, theta=task.theta.astype(np.float64)))
    updates = [
        optimizer(optimizer.init(), gradient, {}, curvature)[0]
        for optimizer in (make_optimizer(name, damping=0.1, iterations=3) for name in ("newton", "gauss_newton"))
    ]
    np.testing.assert_allclose(*updates, rtol=1e-9)


def test_natural_gradient_equals_gauss_newton_on_softmax_cross_entropy_but_not_newton():
    gradient, curvature = start_of(classifier_task())
    newton, gauss_newton, natural = (
        optimizer(optimizer.init(), gradient, {}, curvature)[0]
        for optimizer in (make_optimizer(name, damping=0.1, iterations=4) for name in CURVATURE_RULES)
    )
    np.testing.assert_allclose(natural, gauss_newton, rtol=1e-9)
    assert np.linalg.norm(newton - gauss_newton) > 0.1 * np.linalg.norm(gauss_newton)


@pytest.mark.parametrize("name", CURVATURE_RULES)
def test_no_gradient_no_update_with_curvature(name):
    _, curvature = start_of(classifier_task())
    optimizer = make_optimizer(name)
    assert not optimizer(optimizer.init(), np.zeros(12), {}, curvature)[0].any()


@pytest.mark.parametrize("name", ["newton", "gauss_newton"])
def test_update_with_curvature_has_the_shape_and_precision_of_the_gradient(name):
    loss = ModelLoss(lambda theta, batch: theta, lambda z, batch: mg.sum(mg.square(z)))
    optimizer = make_optimizer(name)
    for shape in ((3,), (2, 3), (), (0,)):
        for dtype in (np.float32, np.float64):
            theta = np.ones(shape, dtype)
            update, _ = optimizer(optimizer.init(), 2.0 * theta, {}, Curvature(loss, theta, None))
            assert (update.shape, update.dtype) == (shape, dtype)


@pytest.mark.parametrize("name", ["gauss_newton", "natural_gradient"])
def test_rule_with_positive_curvature_learns_digits_in_a_few_steps(name):
    task, optimizer = draw_task(MNIST(hidden=10, batch=64), "train", 0, 0), make_optimizer(name)
    *_, losses = unroll(optimizer, optimizer.init(), task, task.theta, {}, [1.0] * 25)
    assert losses[-1] < 0.1 * losses[0]


@pytest.mark.parametrize(
    ("name", "problem"), [("newton", Simple()), ("gauss_newton", Simple()), ("natural_gradient", MNIST(2, batch=4))]
)
def test_rule_with_curvature_is_tuned_compared_and_meta_trained_like_any_other(name, problem):
    optimizer = make_optimizer(name, iterations=2)
    raced = l2l.compare(problem, {name: (optimizer, None)}, steps=2, repeats=1, tuning_repeats=1)
    assert raced[name]["learning_rate"] > 0
    training = l2l.train(problem, optimizer, episodes=2, steps=2, unroll_length=2, validate_every=1)
    assert len(training.history) == 2


# ------------------------------------------------------------------------------------------ what a task must offer


def test_loss_that_is_not_split_has_no_gauss_newton():
    with pytest.raises(L2LError, match="gauss_newton needs a loss that is a ModelLoss.*use newton"):
        l2l.minimize(lambda theta: mg.sum(theta**2.0), np.ones(2), make_optimizer("gauss_newton"))


def test_loss_that_is_no_classifier_has_no_fisher():
    task, optimizer = draw_task(Quadratic(2, 1), "train", 0, 0), make_optimizer("natural_gradient")
    with pytest.raises(L2LError, match="natural_gradient needs a classifier's loss.*use newton"):
        unroll(optimizer, optimizer.init(), task, task.theta, {}, [1.0])


# ------------------------------------------------------------------------------------------ the meta-gradient


class Recorder:
    """A rule that keeps what it is shown, ∇_t and the curvature; with `frozen` it is shown that instead."""

    uses_curvature = True

    def __init__(self, optimizer, frozen=None):
        self.optimizer, self.frozen, self.seen = optimizer, frozen, []

    def __call__(self, phi, grad, state, curvature):
        self.seen.append((grad, curvature))
        if self.frozen is not None:
            grad, curvature = self.frozen[len(self.seen) - 1]
        return self.optimizer(phi, grad, state, curvature)


def small(name):
    return make_optimizer(name, learning_rate=0.3, damping=0.8, iterations=3)


def meta_loss_of(optimizer, second_derivatives=False):
    def meta_loss(phi):
        task = classifier_task()
        return unroll(optimizer, phi, task, task.theta, {}, WEIGHTS, second_derivatives)[0]

    return meta_loss


@pytest.mark.parametrize("name", CURVATURE_RULES)
def test_exact_meta_gradient_through_curvature_equals_finite_differences(name):
    mg.check_gradients(meta_loss_of(small(name), second_derivatives=True), small(name).init(), order=1)


@pytest.mark.parametrize("name", CURVATURE_RULES)
def test_first_order_meta_gradient_equals_finite_differences_with_frozen_gradients_and_curvatures(name):
    optimizer, phi = small(name), small(name).init()
    recorder = Recorder(optimizer)
    meta_loss_of(recorder)(phi)
    flat, unravel = mg.tree.ravel(phi)
    found = mg.tree.ravel(mg.grad(meta_loss_of(optimizer))(phi))[0]
    for i, h in enumerate(1e-4 * np.eye(2)):
        above, below = (meta_loss_of(Recorder(optimizer, recorder.seen))(unravel(x)) for x in (flat + h, flat - h))
        assert found[i] == pytest.approx((above - below) / 2e-4, rel=1e-6)


@pytest.mark.parametrize("name", CURVATURE_RULES)
def test_exact_and_first_order_meta_gradients_through_curvature_differ(name):
    exact, first = (mg.grad(meta_loss_of(small(name), mode))(small(name).init()) for mode in (True, False))
    for key, value in exact.items():
        assert abs(value - first[key]) > 1e-3 * abs(value)


def test_curvature_is_taken_where_and_on_what_the_gradient_is():
    task, recorder = classifier_task(), Recorder(small("newton"))
    unroll(recorder, small("newton").init(), task, task.theta, {}, WEIGHTS)
    for gradient, curvature in recorder.seen:
        np.testing.assert_array_equal(mg.grad(task.loss)(curvature.theta, curvature.batch), gradient)


@pytest.mark.parametrize(("second_derivatives", "kind"), [(False, np.ndarray), (True, mg.Var)])
def test_only_exact_mode_shows_a_curvature_that_depends_on_phi(second_derivatives, kind):
    recorder = Recorder(small("newton"))
    mg.grad(meta_loss_of(recorder, second_derivatives))(small("newton").init())
    assert [type(curvature.theta) for _, curvature in recorder.seen[1:]] == [kind] * (len(WEIGHTS) - 1)
