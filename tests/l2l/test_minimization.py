"""What `minimize` takes beside a loss and a start, when it ends, and when it warns."""

import itertools
import tracemalloc

import numpy as np
import pytest

import l2l
import minigrad as mg
from l2l import minimization
from l2l.errors import L2LError

SGD = l2l.make_optimizer("sgd", learning_rate=0.1)
WILD = l2l.make_optimizer("sgd", learning_rate=2.0)  # on the bowl θ_{t+1} = −3 θ_t, so f grows ninefold
START = np.array([1.0, -2.0])


def bowl(theta):
    return mg.sum(theta**2.0)


def distance(theta, batch):
    return mg.sum((theta - batch) ** 2.0)


# ------------------------------------------------------------------------------------------ the optimizer


@pytest.mark.parametrize("pair", [l2l.load("quadratic"), list(l2l.load("quadratic")), (SGD, SGD.init())])
def test_pair_is_taken_as_the_optimizer_and_its_phi(pair):
    theta, losses = l2l.minimize(bowl, START, pair, steps=3)
    same, as_two = l2l.minimize(bowl, START, *pair, steps=3)
    assert theta.tobytes() == same.tobytes()
    assert losses.tobytes() == as_two.tobytes()


def test_phi_beside_a_pair_is_refused():
    with pytest.raises(L2LError, match="phi is given twice"):
        l2l.minimize(bowl, START, (SGD, SGD.init()), SGD.init())


# ------------------------------------------------------------------------------------------ no optimizer


@pytest.fixture
def wild(monkeypatch):
    """An optimizer that diverges, in the place of the learned one."""
    monkeypatch.setattr(minimization.checkpoint, "load", lambda name: (WILD, WILD.init()))


def test_without_an_optimizer_the_learned_one_is_taken():
    theta, losses = l2l.minimize(bowl, START, steps=20)
    same, as_given = l2l.minimize(bowl, START, l2l.load("general"), steps=20)
    assert theta.tobytes() == same.tobytes()
    assert losses.tobytes() == as_given.tobytes()
    assert bowl(theta) < bowl(START)


def test_phi_without_an_optimizer_is_refused():
    with pytest.raises(L2LError, match="phi belongs to an optimizer"):
        l2l.minimize(bowl, START, phi=SGD.init())


@pytest.mark.filterwarnings("ignore:the loss is")
def test_without_an_optimizer_it_never_ends_above_its_start(wild):
    with pytest.warns(minimization.DivergenceWarning, match="ended at .* and was 5 at the start: this is θ of the low"):
        theta, _, thetas = l2l.minimize(bowl, START, steps=3, history=True)
    np.testing.assert_array_equal(theta, START)
    np.testing.assert_array_equal(thetas[-1], START)


@pytest.mark.filterwarnings("ignore:the loss is")
def test_where_it_would_end_above_its_start_the_lowest_loss_is_taken(monkeypatch):
    monkeypatch.setattr(minimization.checkpoint, "load", lambda name: (SGD, SGD.init()))
    slopes = [1.0, 1.0, 1.0, 30.0, 30.0]  # 1 − 2·0.1·slope is 0.8, then −5

    def steep(theta, slope):
        return slope * mg.sum(theta**2.0)

    with pytest.warns(minimization.DivergenceWarning, match="this is θ of the lowest loss"):
        theta, _ = l2l.minimize(steep, START, steps=5, batches=slopes)
    np.testing.assert_allclose(theta, START * 0.8**2)  # f(θ_3) is 30 times as large


# ------------------------------------------------------------------------------------------ batches


@pytest.mark.parametrize(
    "batches",
    [
        lambda step: np.full(2, float(step)),
        [np.full(2, float(step)) for step in range(4)],
        np.repeat(np.arange(4.0), 2).reshape(4, 2),
        (np.full(2, float(step)) for step in itertools.count()),
    ],
    ids=["function", "list", "array", "endless generator"],
)
def test_each_step_has_a_batch_of_its_own(batches):
    expected, theta = [], START
    for step in range(4):
        expected.append(np.sum((theta - step) ** 2.0))
        theta = theta - 0.2 * (theta - step)
    found, losses = l2l.minimize(distance, START, SGD, steps=4, batches=batches)
    np.testing.assert_allclose(losses, expected)
    np.testing.assert_allclose(found, theta)


@pytest.mark.parametrize("batches", [[1.0, 2.0], iter([1.0, 2.0])], ids=["list", "iterator"])
def test_batches_that_run_out_are_named_with_the_fix(batches):
    with pytest.raises(
        L2LError, match=r"3 steps need as many batches, but there are only 2: pass steps=2, or itertools\.cycle"
    ):
        l2l.minimize(distance, START, SGD, steps=3, batches=batches)


def test_list_with_too_few_batches_is_refused_before_the_first_step():
    seen = []
    with pytest.raises(L2LError, match="there are only 1: pass steps=1"):
        l2l.minimize(lambda theta, batch: seen.append(batch) or bowl(theta), START, SGD, steps=3, batches=[1.0])
    assert seen == []


# ------------------------------------------------------------------------------------------ when it ends


def test_callback_sees_each_step_with_its_theta_and_loss():
    seen = []
    l2l.minimize(lambda t: bowl(t["w"]), {"w": START}, SGD, steps=3, callback=lambda *step: seen.append(step) and None)
    assert [step for step, _, _ in seen] == [0, 1, 2]
    for step, theta, loss in seen:
        np.testing.assert_allclose(theta["w"], START * 0.8**step)
        assert loss == pytest.approx(5.0 * 0.64**step)
        assert type(loss) is float


@pytest.mark.parametrize("true", [True, np.True_])
def test_callback_ends_it_at_the_theta_that_it_saw(true):
    theta, losses = l2l.minimize(
        bowl, START, SGD, steps=50, callback=lambda step, theta, loss: true if step == 2 else 0
    )
    np.testing.assert_allclose(theta, START * 0.8**2)
    np.testing.assert_allclose(losses, [5.0, 5.0 * 0.64, 5.0 * 0.64**2])


def test_tolerance_ends_it_at_the_first_step_that_improved_by_less_in_the_last_ten():
    _, all_losses = l2l.minimize(bowl, START, SGD, steps=200)
    _, losses = l2l.minimize(bowl, START, SGD, steps=200, tolerance=1e-3)
    small = [t for t in range(10, 200) if all_losses[t - 10] - all_losses[t] < 1e-3]
    assert len(losses) == small[0] + 1
    assert losses.tobytes() == all_losses[: small[0] + 1].tobytes()


def test_tolerance_waits_ten_steps_for_a_lower_loss_after_a_higher_one():
    # The lowest of the first eleven losses is the first, so the improvement over ten steps is 0 at step 10.
    values = [1.0] + [2.0] * 30
    steps = itertools.count()
    _, losses = l2l.minimize(lambda theta: values[next(steps)], START, SGD, steps=30, tolerance=1e-9)
    assert len(losses) == minimization.PATIENCE + 1


def test_improvement_within_ten_steps_goes_on():
    values = [1.0 - 0.1 * (t // 9) for t in range(40)]  # a lower one every ninth step
    steps = itertools.count()
    _, losses = l2l.minimize(lambda theta: values[next(steps)], START, SGD, steps=40, tolerance=0.05)
    assert len(losses) == 40


# ------------------------------------------------------------------------------------------ divergence


def test_loss_beyond_ten_times_its_start_is_warned_of_once_at_the_call():
    with pytest.warns(l2l.DivergenceWarning) as caught:
        _, losses = l2l.minimize(bowl, START, WILD, steps=6)
    assert len(caught) == 1
    assert "the loss is 405 at step 2 and was 5 at the start: lower the learning rate" in str(caught[0].message)
    assert caught[0].filename == __file__
    assert len(losses) == 6


def test_divergence_can_end_it_where_it_shows():
    with pytest.warns(l2l.DivergenceWarning, match="at step 2"):
        theta, losses = l2l.minimize(bowl, START, WILD, steps=6, stop_on_divergence=True)
    np.testing.assert_allclose(losses, [5.0, 45.0, 405.0])
    np.testing.assert_allclose(theta, 9.0 * START)


def test_loss_that_is_not_finite_can_end_it():
    with pytest.warns(l2l.DivergenceWarning, match="the loss is nan at step 0"):
        _, losses = l2l.minimize(lambda theta: bowl(theta) * np.nan, START, SGD, steps=6, stop_on_divergence=True)
    assert len(losses) == 1


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_large_start_overflows_nothing(dtype):
    _, losses = l2l.minimize(lambda theta: mg.sum(theta), np.array([30_000.0], dtype), SGD, steps=2)
    assert losses[0] == 30_000.0


def test_loss_that_falls_below_zero_has_not_diverged():
    theta, losses = l2l.minimize(lambda theta: 100.0 * mg.sum(theta), np.array([-0.01]), SGD, steps=5)
    assert losses[-1] < -100.0


# ------------------------------------------------------------------------------------------ histories


def test_history_holds_every_theta_from_the_first_to_the_one_returned():
    theta, losses, thetas = l2l.minimize(lambda t: bowl(t["w"]), {"w": START}, SGD, steps=3, history=True)
    np.testing.assert_allclose([t["w"] for t in thetas], [START * 0.8**step for step in range(4)])
    np.testing.assert_array_equal(thetas[-1]["w"], theta["w"])
    assert len(losses) == 3


def test_memory_does_not_grow_with_the_steps():
    def peak(steps):
        tracemalloc.start()
        l2l.minimize(lambda theta: mg.sum(theta), np.zeros(10_000), SGD, steps=steps)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(200) < peak(20) + 40_000  # half a θ


def test_progress_is_shown_where_asked_for(capsys):
    l2l.minimize(bowl, START, SGD, steps=3)
    assert capsys.readouterr().err == ""
    l2l.minimize(bowl, START, SGD, steps=3, progress=True)
    assert "minimizing: 100%" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"batches": 3}, "batches is an iterable of batches or a function of the step, not 3"),
        ({"callback": "print"}, "callback is a function of .step, theta, loss., not 'print'"),
        ({"tolerance": 0.0}, "tolerance is a positive number, not 0.0"),
    ],
)
def test_wrong_argument_is_named(given, message):
    with pytest.raises(L2LError, match=message):
        l2l.minimize(bowl, START, SGD, **given)
