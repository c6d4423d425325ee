"""Any rule with a guard."""

import numpy as np
import pytest

import l2l
import minigrad as mg
from l2l.errors import L2LError
from l2l.optimizers import LSTM, SGD, Adam, AdamW, Groups, Guarded, Linear, Newton, Scheduled
from l2l.problems import MNIST, Curvature, Quadratic, Task
from l2l.unrolling import unroll
from tests.conftest import some_phi

SCALES = np.array([1.0, 3.0, 10.0])
BOWL = Task(np.array([1.0, -1.0, 1.0]), lambda theta, batch: mg.sum(SCALES * mg.square(theta)))


def run(rule, task=BOWL, steps=12, phi=None):
    """The points θ_0, …, θ_T and the last state."""
    rule = l2l.optimizers.fitted(rule, task, steps)
    phi = some_phi(rule) if phi is None else phi
    theta, state = task.theta, rule.init_state(task.theta)
    points = [theta]
    for _ in range(steps):
        _, theta, state, _ = unroll(rule, phi, task, theta, state, [1.0])
        points.append(theta)
    return np.array(points), state


def losses(points, task=BOWL):
    return np.array([task.loss(point, None) for point in points])


def guarded(rule, plain=None, every=20):
    return Guarded({"it": rule}, plain={"plain": plain} if plain else {}, every=every)


# ------------------------------------------------------------------------------------------ what it takes


def test_points_are_those_of_two_rules_that_go_on_from_the_better_one():
    # Momentum outruns small steps of SGD at first, and then overshoots: both win.
    rule, plain, points, winners = l2l.make_optimizer("momentum", learning_rate=0.045), SGD(0.03), [BOWL.theta], []
    a = b = theta = BOWL.theta
    h, leads = rule.init_state(theta), "a"
    for t in range(1, 25):
        step, h = rule(rule.init(), 2.0 * SCALES * a, h)
        a, b = a + step, b - 0.03 * 2.0 * SCALES * b
        if t % 4 == 0:
            better = losses([a, b]).argmin()
            leads, h = ("a", h) if better == 0 else ("b", rule.init_state(theta))
            a = b = (a, b)[better]
            winners.append(leads)
        points.append(a if leads == "a" else b)
    assert {*winners} == {"a", "b"}
    np.testing.assert_allclose(run(guarded(rule, plain, every=4), steps=24)[0], points, rtol=1e-9)


@pytest.mark.parametrize("rule", [Adam(0.05), SGD(0.003), Scheduled({"it": AdamW(0.02)})])
def test_rule_that_is_always_better_takes_its_own_steps_to_the_bit(rule):
    task = Task(BOWL.theta.astype(np.float32), BOWL.loss)
    climbing = guarded(rule, Linear(1e-3), every=3)
    np.testing.assert_array_equal(run(climbing, task)[0], run(rule, task)[0])


DIVERGING = {"sign": Linear(0.05), "rate": SGD(3.0), "huge": SGD(1e30), "late": Scheduled({"it": SGD(1.0)}, warmup=0.9)}


@pytest.mark.parametrize("name", DIVERGING)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rule_that_diverges_ends_below_its_start_and_not_far_above_the_plain_rule(name, dtype):
    task = Task(BOWL.theta.astype(dtype), lambda theta, batch: mg.sum(SCALES.astype(dtype) * mg.square(theta)))
    with np.errstate(all="ignore"):
        alone = losses(run(DIVERGING[name], task, 50)[0], task)
    found, plain = (losses(run(rule, task, 50)[0], task) for rule in (guarded(DIVERGING[name]), Adam()))
    assert not alone[-1] < 10.0 * alone[0]
    assert found[-1] < found[0]
    assert found[-1] < 1.02 * plain[-1]
    assert found.max() < 11.0 * found[0]


def test_guard_holds_where_the_loss_overflows_in_a_few_steps():
    task = Task(np.full(3, 2.0, np.float32), lambda theta, batch: mg.sum(mg.exp(mg.square(theta))))
    found = losses(run(guarded(SGD(1.0)), task, 50)[0], task)
    assert np.isfinite(found).all()
    assert found[-1] < found[0]


@pytest.mark.parametrize(("rule", "plain"), [(SGD(50.0), SGD(0.01)), (SGD(0.01), SGD(50.0))])
def test_point_where_the_loss_is_nan_is_never_taken(rule, plain):
    task = Task(np.full(3, 3.0), lambda theta, batch: mg.sum(theta - mg.log(theta)))  # a long step makes θ negative
    with np.errstate(invalid="ignore"):
        assert np.isnan(task.loss(task.theta - 50.0 * mg.grad(task.loss)(task.theta, None), None))
    found = losses(run(guarded(rule, plain), task, 30)[0], task)
    assert (np.diff(found) < 0).all()


def test_last_step_decides_however_rarely_the_others_do():
    points, _ = run(guarded(Linear(0.001), every=1000), steps=10)
    np.testing.assert_allclose(points[-1], run(Adam(), steps=10)[0][-1], rtol=1e-12)
    assert losses(points)[-2] > losses(points)[0]


def test_losses_are_compared_on_the_batch_of_the_step():
    seen, batches = [], iter(range(100))

    def loss(theta, batch):
        seen.append(batch)
        return mg.sum(mg.square(theta - 0.1 * batch))

    run(guarded(Linear(0.01), every=2), Task(np.ones(2), loss, lambda: next(batches)), steps=4)
    assert seen == [0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 3, 3, 3, 3]  # one more at each decision


def test_rule_that_lost_is_seen_again_once_it_wins():
    # SGD(0.3) diverges where |θ| > 2.6, and is far ahead of SGD(0.01) below.
    task = Task(np.array([3.0]), lambda theta, batch: mg.sum(theta**4.0) / 4.0)
    leads = [run(guarded(SGD(0.3), SGD(0.01), every=2), task, steps)[1]["first"] for steps in (2, 30)]
    assert leads == [1, 0]


def test_rule_that_lost_begins_anew_with_the_steps_that_are_left():
    climbing = Scheduled({"it": Linear(0.001)}, "linear")
    rule = guarded(climbing, SGD(0.001), every=4).fit(((3,),), 10)
    theta, state, gradients = BOWL.theta, rule.init_state(BOWL.theta), []
    for t in range(6):
        point, gradient = state["points"][0], mg.grad(BOWL.loss)(state["points"][0], None)
        leader = mg.grad(BOWL.loss)(theta, None)
        update, state = rule(rule.init(), leader, state, Curvature(BOWL.loss, theta, None))
        theta = theta + update
        gradients.append((state["points"][0] - point) / gradient)
        if t == 3:
            assert (state["begun"], state["states"][0]["t"]) == ([4, 0], 0)
    np.testing.assert_allclose(np.array(gradients)[4:, 0], [0.001, 0.001 * (1 - 1 / 6)], rtol=1e-9)


def test_rule_that_keeps_theta_is_told_where_it_begins_anew():
    points, state = run(guarded(AdamW(10.0), every=5), steps=10)
    np.testing.assert_array_equal(state["states"][0]["theta"], points[-1])


# ------------------------------------------------------------------------------------------ the meta-gradient


def meta_loss_of(second_derivatives):
    """As a function of φ, of a guarded rule on a task where both win; the winners are put in the list `winners`."""
    slopes, winners = np.random.default_rng(0).normal(size=(24, 3)), []
    rule = guarded(l2l.make_optimizer("momentum", learning_rate=0.1), SGD(0.05), every=4).fit(((3,),), 24)

    def meta_loss(phi):
        batches = iter(slopes)
        curved = 0.3 if second_derivatives else 0.0
        task = Task(
            BOWL.theta, lambda theta, c: 9.0 + mg.sum(c * theta + curved * mg.square(theta)), lambda: next(batches)
        )
        total, theta, state = 0.0, task.theta, rule.init_state(task.theta)
        for _ in slopes:
            part, theta, state, _ = unroll(rule, phi, task, theta, state, [1.0], second_derivatives)
            total = total + part
            winners.append(state["first"])
        return total

    return meta_loss, winners


@pytest.mark.parametrize("second_derivatives", [False, True])
def test_meta_gradient_takes_decisions_as_constants(second_derivatives):
    # In first-order mode f has no second derivatives, so that finite differences tell it, too.
    meta_loss, winners = meta_loss_of(second_derivatives)
    mg.check_gradients(meta_loss, l2l.make_optimizer("momentum", learning_rate=0.1).init(), order=1)
    assert {*winners} == {0, 1}


@pytest.mark.parametrize(("exact", "derivative"), [(False, 0.0), (True, 6.0)])
def test_gradient_at_the_other_point_depends_on_phi_in_exact_mode_only(exact, derivative):
    def total(x):
        curvature = Curvature(lambda theta, batch: mg.sum(theta**2.0), x if exact else mg.stop_gradient(x), None)
        loss, gradient = curvature.value_and_grad_at(3.0 * x)
        assert (type(loss), loss, curvature.loss_at(2.0 * x)) == (float, 9.0, 4.0)
        return mg.sum(gradient)

    assert mg.value_and_grad(lambda x: total(x) + 0.0 * mg.sum(x))(np.ones(1))[1] == derivative


def test_first_order_meta_gradient_of_a_rule_that_leads_is_that_of_the_rule():
    rule, worse = SGD(0.02), Linear(1e-3)

    def gradient(rule):
        state = rule.init_state(BOWL.theta)
        return mg.grad(lambda phi: unroll(rule, phi, BOWL, BOWL.theta, state, [1.0] * 6)[0])(SGD(0.02).init())

    found = gradient(guarded(rule, worse, every=2).fit(((3,),), 6))
    np.testing.assert_allclose(found["log_learning_rate"], gradient(rule)["log_learning_rate"], rtol=1e-9)


# ------------------------------------------------------------------------------------------ everywhere else


def test_guarded_rule_is_trained_saved_loaded_and_written_as_text(tmp_path):
    rule = l2l.make_optimizer("guarded", rule="it=rnnprop", plain="adam=adam:learning_rate=0.01", every="2")
    assert rule == Guarded({"it": l2l.make_optimizer("rnnprop")}, plain={"adam": Adam(0.01)}, every=2)
    settings = {"episodes": 3, "steps": 6, "unroll_length": 3, "validation_tasks": 1, "tasks": 2}
    whole = l2l.train(Quadratic(3, 2), rule, **settings)
    with pytest.raises(KeyboardInterrupt):
        l2l.train(Quadratic(3, 2), rule, out=tmp_path / "run", report=stop_after_one_episode, **settings)
    resumed = l2l.resume(tmp_path / "run")
    np.testing.assert_array_equal(mg.tree.ravel(resumed.latest)[0], mg.tree.ravel(whole.latest)[0])
    assert l2l.load(tmp_path / "run" / "optimizer.npz")[0] == rule


def stop_after_one_episode(training):
    if len(training.history) == 1:
        raise KeyboardInterrupt


def test_minimize_with_a_rule_that_diverges_ends_below_the_start():
    def loss(theta):
        return mg.sum(mg.square(theta["a"])) + mg.square(theta["b"])

    theta, found = l2l.minimize(loss, {"a": np.ones(3), "b": 2.0}, guarded(SGD(100.0)), steps=30)
    assert max(found) == found[0]
    assert loss(theta) < found[0]


def test_learning_rate_of_the_rule_is_tuned_through_the_guard():
    result = l2l.compare(MNIST(2, batch=4), {"it": (guarded(SGD()), None)}, steps=3, repeats=1, tuning_repeats=1)["it"]
    assert result["learning_rate"] > 0.001
    assert np.isfinite(result["curves"]).all()


def test_same_run_gives_the_same_bits():
    first, second = (run(guarded(SGD(0.3), every=3))[0] for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rule": {"a": Adam(), "b": Adam()}}, "rule is one rule, not 2"),
        ({"plain": {"a": Adam(), "b": Adam()}}, "plain is one rule, not 2"),
        ({"rule": {"a": Groups({})}}, "Groups cannot be guarded: take one rule for all of θ"),
        ({"rule": {"a": Newton()}}, "Newton cannot be guarded: take a rule that uses gradients"),
        ({"rule": {"a": Guarded()}}, "Guarded cannot be guarded: take a rule that uses gradients"),
        ({"plain": {"a": Newton()}}, "Newton cannot be guarded: take a rule that uses gradients"),
        ({"plain": {"a": LSTM()}}, "LSTM has to be trained first.*; plain is a hand-designed rule"),
        ({"every": 0}, "every is a whole number of at least 1"),
    ],
)
def test_what_cannot_be_guarded_is_refused(arguments, message):
    with pytest.raises(L2LError, match=message):
        Guarded(**arguments)


def test_guarded_rule_cannot_be_scheduled_but_the_other_way_round():
    with pytest.raises(L2LError, match="Guarded cannot be scheduled: guard the scheduled rule"):
        Scheduled({"it": Guarded()})
    assert len(run(guarded(Scheduled()))[0]) == 13
