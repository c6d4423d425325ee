"""Meta-training on several tasks at a time."""

from dataclasses import replace

import numpy as np
import pytest

import l2l
import minigrad as mg
from l2l.errors import DivergenceError, L2LError
from l2l.meta_training.imitation import imitate
from l2l.meta_training.loop import run_episode
from l2l.meta_training.state import Settings, Training, Trajectory
from l2l.meta_training.unrolls import Unroll
from l2l.optimizers import LSTM, Adam, AdamW, Groups, Scheduled, fitted, make_optimizer
from l2l.problems import Quadratic, Simple, Task, draw_task
from l2l.storage import checkpoint

SMALL = {"episodes": 5, "steps": 12, "unroll_length": 3, "validate_every": 2, "validation_tasks": 1}
PROBLEM = Quadratic(dimension=3, functions=2)


def begun(**settings):
    phi = {"w": np.asarray([1.0, 2.0])}
    settings = Settings(**{**SMALL, **settings})
    state = Adam().init_state(phi["w"])
    return Training(phi, phi, phi, state, settings, trajectories=(None,) * settings.tasks)


class Scripted:
    """In place of an `Unroll`: meta-gradients from a function of a trajectory, each unroll done at once."""

    def __init__(self, gradient, settings):
        self.gradient, self.settings, self.calls = gradient, settings, []

    def __call__(self, calls):
        ways = [way for _, way in calls]
        self.calls.append(ways)
        return [(0.0, np.asarray(self.gradient(way), float), self.after(way)) for way in ways]

    def after(self, way):
        step = min(way.step + self.settings.unroll_length, way.steps)
        return Trajectory(way.number, way.steps, step, None, np.ones(step))


def episodes(training, scripted, count):
    for _ in range(count):
        training, numbers = run_episode(training, 0.1, scripted)
    return training, numbers


def test_meta_step_takes_the_mean_of_the_clipped_meta_gradients():
    training = begun(tasks=2, steps=6, unroll_length=6, clip=1.0)
    scripted = Scripted(lambda way: [3.0, 4.0] if way.number == 1 else [0.0, 0.5], training.settings)
    after, numbers = run_episode(training, 0.1, scripted)
    mean = (np.array([0.6, 0.8]) + [0.0, 0.5]) / 2
    expected = training.phi["w"] + Adam(0.1)(Adam(0.1).init(), mean, training.meta_state)[0]
    np.testing.assert_allclose(after.latest["w"], expected, rtol=1e-15)
    assert (numbers["clipped"], numbers["meta_gradient_norm"], after.meta_steps) == (1, (5.0 + 0.5) / 2, 1)


def test_meta_gradients_are_added_in_the_order_of_their_tasks_numbers():
    training = begun(tasks=3)
    scripted = Scripted(lambda way: [1.0, 1.0], training.settings)
    episodes(training, scripted, 6)
    for ways in scripted.calls:
        assert [way.number for way in ways] == sorted(way.number for way in ways)


def test_no_meta_step_after_the_first_ones_sees_only_one_part_of_the_episodes():
    training = begun(tasks=4)
    scripted = Scripted(lambda way: [1.0, 1.0], training.settings)
    episodes(training, scripted, 5)
    assert all(sorted(way.step for way in ways) == [0, 3, 6, 9] for ways in scripted.calls[4:])


def test_every_task_is_drawn_once_and_gets_all_its_steps():
    training = begun(tasks=3)
    scripted = Scripted(lambda way: [1.0, 1.0], training.settings)
    training, _ = episodes(training, scripted, 5)
    seen = [(way.number, way.step) for ways in scripted.calls for way in ways]
    assert len(set(seen)) == len(seen)
    assert {number for number, _ in seen} == set(range(1, training.drawn + 1))
    for number in range(4, training.drawn - 2):
        assert [step for other, step in seen if other == number] == [0, 3, 6, 9]


def test_task_that_is_not_finite_is_left_out_and_replaced():
    training = begun(tasks=2)
    scripted = Scripted(lambda way: [np.nan, 1.0] if way.number == 2 else [1.0, 1.0], training.settings)
    after, numbers = run_episode(training, 0.1, scripted)
    assert [[way.number for way in ways] for ways in scripted.calls] == [[1, 2], [1, 3], [1, 3], [1, 3]]
    assert numbers["skipped"] == 1
    assert numbers["train"] == 12.0
    assert np.isfinite(after.latest["w"]).all()


def test_training_ends_where_all_tasks_of_ten_episodes_are_not_finite():
    with pytest.raises(DivergenceError, match="10 episodes in a row"):
        l2l.train(PROBLEM, make_optimizer("linear", initial=1e30), tasks=3, **{**SMALL, "episodes": 30})


@pytest.mark.parametrize("settings", [{}, {"estimator": "pes:pairs=2"}, {"imitation": 0.5}], ids=str)
@pytest.mark.parametrize("optimizer", [LSTM(hidden=(3,)), Adam(0.1)], ids=["lstm", "adam"])
def test_training_on_several_tasks_resumes_from_its_file_to_the_same_bits(optimizer, settings, tmp_path):
    states = []
    how = {"tasks": 3, "horizon": (5, 20), **settings, **SMALL}
    whole = l2l.train(PROBLEM, optimizer, report=states.append, **how)
    for state in states[:-1]:
        checkpoint.save_training(tmp_path / "file.npz", PROBLEM, optimizer, state, {})
        problem, rule, training, _ = checkpoint.load_training(tmp_path / "file.npz")
        resumed = l2l.train(problem, rule, resume=training)
        np.testing.assert_array_equal(*(mg.tree.ravel(one.latest)[0] for one in (whole, resumed)))
        assert resumed.drawn == whole.drawn
        assert [record["train"] for record in resumed.history] == [record["train"] for record in whole.history]


def test_task_that_is_not_here_is_drawn_again_and_its_batches_taken_up_to_there():
    problem, rule, settings = l2l.make_problem("mnist", hidden=2), LSTM(hidden=(2,)), Settings(**SMALL)
    phi, here, elsewhere = rule.init(np.random.default_rng(0)), *(Unroll(problem, rule, settings) for _ in range(2))
    _, _, way = here(phi, Trajectory(number=1, steps=9))
    np.testing.assert_array_equal(here(phi, way)[1], elsewhere(phi, way)[1])


def meta_losses(**settings):
    """Of two unrolls of one task: the meta-losses, the meta-gradients and all losses."""
    rule, settings = make_optimizer("linear"), Settings(steps=6, unroll_length=3, **settings)
    unroll, way, found = Unroll(PROBLEM, rule, settings), Trajectory(number=1, steps=6), []
    for _ in range(2):
        total, gradient, way = unroll(rule.init(), way)
        found.append((float(total), gradient))
    return found, way.losses.astype(float)


def test_losses_divided_by_the_first_of_their_unroll_and_a_thousandth_of_the_first_of_all():
    (plain, losses), (divided, _) = meta_losses(), meta_losses(normalize="start")
    for k, ((total, gradient), (ratio, its_gradient)) in enumerate(zip(plain, divided, strict=True)):
        divisor = losses[3 * k] + losses[0] / 1000
        assert ratio == pytest.approx(total / divisor, rel=1e-6)
        np.testing.assert_allclose(its_gradient, gradient / divisor, rtol=1e-5)


def test_log_ratios_to_the_first_loss_of_the_task():
    found, losses = meta_losses(normalize="log")
    for k, (total, _) in enumerate(found):
        assert total == pytest.approx(np.log(losses[3 * k : 3 * k + 3] / losses[0] + 1e-6).sum(), rel=1e-4, abs=1e-5)


def test_gradient_of_log_ratios_divides_each_loss_by_itself():
    (plain, losses), (logs, _) = meta_losses(weights="last"), meta_losses(weights="last", normalize="log")
    for k, ((_, gradient), (_, of_log)) in enumerate(zip(plain, logs, strict=True)):
        np.testing.assert_allclose(of_log, gradient / (losses[3 * k + 2] + 1e-6 * losses[0]), rtol=1e-4)


@pytest.mark.parametrize(
    "estimator", ["es:sigma=0.001", "pes:sigma=0.001", "es-single:sigma=0.001", "blend:sigma=0.001"]
)
def test_training_with_every_estimator_lowers_the_validation_loss(estimator):
    how = {"episodes": 30, "steps": 6, "unroll_length": 3, "meta_learning_rate": 0.003, "tasks": 2}
    training = l2l.train(
        Quadratic(dimension=3, functions=8), make_optimizer("linear", initial=-0.001), estimator=estimator, **how
    )
    assert training.best < 0.8 * training.untrained["validation"]


@pytest.mark.parametrize(
    ("estimator", "message"),
    [("magic", "there is no estimator 'magic'; choose from: truncated"), ("es:sigma=0", "sigma is a positive number")],
)
def test_wrong_estimator_is_refused_with_what_there_is(estimator, message):
    with pytest.raises(L2LError, match=message):
        l2l.train(PROBLEM, make_optimizer("linear"), estimator=estimator, **SMALL)


def test_horizons_are_drawn_log_uniformly_from_their_range():
    settings = Settings(horizon=(10, 1000))
    drawn = [settings.steps_on(number) for number in range(2000)]
    assert min(drawn) >= 10
    assert max(drawn) <= 1000
    assert np.mean(np.array(drawn) < 100) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("horizon", [(10,), (20, 10), (1, 2, 3), "50-10"])
def test_horizon_is_the_least_and_the_most(horizon):
    with pytest.raises(L2LError, match="horizon is the least and the most steps"):
        Settings(horizon=horizon)


def with_validations(losses, **settings):
    """A training with these validation losses, after that of the untrained φ, 5."""
    records = [{"episode": k, "validation": loss, "skipped": 0} for k, loss in enumerate(losses, 1)]
    best = min([5.0, *losses])
    at = losses.index(best) + 1 if best < 5.0 else 0
    made = Settings(episodes=100, validate_every=1, **settings)
    return Training(None, settings=made, untrained={"validation": 5.0}, history=records, best=best, best_episode=at)


@pytest.mark.parametrize(
    ("losses", "stage"),
    [([], 0), ([4.0, 3.0], 0), ([4.0, 4.5, 4.5], 1), ([4.0, 4.5, 4.5, 3.0, 3.5], 1), ([4.0, 4.5, 4.5, 4.5, 4.5], 2)],
)
def test_curriculum_goes_on_where_patience_validations_bring_no_new_best(losses, stage):
    training = with_validations(losses, curriculum=(10, 20, 40), patience=2)
    assert training.stage == stage
    assert training.settings.steps_on(7, training.stage) == (10, 20, 40)[stage]
    assert not training.finished


def test_training_ends_where_patience_ends_the_last_part_of_the_curriculum():
    assert with_validations([6.0] * 6, curriculum=(10, 20, 40), patience=2).finished
    assert not with_validations([6.0] * 5, curriculum=(10, 20, 40), patience=2).finished


def test_curriculum_lengthens_the_tasks_of_a_training():
    lengths = []
    how = {**SMALL, "episodes": 6, "validate_every": 1, "patience": 2, "meta_learning_rate": 1e-12}
    l2l.train(
        PROBLEM,
        make_optimizer("linear"),
        curriculum=(3, 9),
        report=lambda training: lengths.append(training.meta_steps),
        **how,
    )
    steps = np.diff(lengths)  # unrolls of 3 steps
    assert set(steps) == {1, 3}
    assert (np.diff(steps) >= 0).all()


@pytest.mark.parametrize(
    "settings", [{"curriculum": (10, 20)}, {"curriculum": (10,), "patience": 2, "horizon": (5, 9)}]
)
def test_curriculum_that_cannot_work_is_refused(settings):
    with pytest.raises(L2LError, match="curriculum needs patience"):
        Settings(**settings)


IMITATING = {"imitation": 1.0, "teacher": "adam:learning_rate=0.05"}


def test_imitated_task_goes_the_way_of_the_teacher():
    unroll, way = Unroll(PROBLEM, LSTM(hidden=(2,)), Settings(steps=6, unroll_length=3, **IMITATING)), Trajectory(1, 6)
    for _ in range(2):
        _, _, way = unroll(LSTM(hidden=(2,)).init(np.random.default_rng(0)), way)
    task, rule = draw_task(PROBLEM, "train", 0, 1), Adam(0.05)
    expected = l2l.unroll(rule, rule.init(), task, task.theta, rule.init_state(task.theta), [1.0] * 6)[-1]
    np.testing.assert_array_equal(way.losses, expected)


def test_teacher_that_imitates_itself_has_no_meta_loss():
    rule = Adam(0.05)
    total, gradient, _ = Unroll(PROBLEM, rule, Settings(steps=6, **IMITATING))(rule.init(), Trajectory(1, 6))
    assert total == 0.0
    np.testing.assert_array_equal(gradient, np.zeros(len(gradient)))


def test_distance_to_the_teacher_is_in_units_of_its_steps():
    rule, settings = (
        make_optimizer("linear", initial=-0.3),
        Settings(steps=4, imitation=1, teacher="sgd:learning_rate=0.1"),
    )
    total, gradient, _ = Unroll(PROBLEM, rule, settings)(rule.init(), Trajectory(1, 4))
    assert total == pytest.approx(4 * 2.0**2, rel=1e-5)  # 0.3 is two steps of 0.1 too far
    assert gradient == pytest.approx(4 * 2 * 2.0 / -0.1, rel=1e-5)


def test_rule_learns_the_teachers_learning_rate():
    how = {"imitation": 1.0, "teacher": "sgd:learning_rate=0.02", "meta_learning_rate": 0.003, "episodes": 60}
    training = l2l.train(PROBLEM, make_optimizer("linear", initial=-0.1), **{**SMALL, **how})
    assert training.latest["w"] == pytest.approx(-0.02, abs=0.004)


@pytest.mark.parametrize("rule", [AdamW(0.3), Scheduled({"it": AdamW(0.3)}), Groups({"a": AdamW(0.3)})])
def test_pupil_that_keeps_theta_is_told_where_the_teacher_took_it(rule):
    task = Task(np.ones(3), lambda theta, batch: mg.sum(theta**2.0), parts={"a": 3})
    teacher, fit = Adam(0.1), fitted(rule, task, 5)
    states = fit.init_state(task.theta), teacher.init_state(task.theta)
    _, theta, (pupil, _), _ = imitate(fit, rule.init(), teacher, task, task.theta, states, [1.0] * 5)
    pupil = pupil if "theta" in pupil else next(iter(pupil.values()))
    np.testing.assert_allclose(pupil["theta"], theta, rtol=1e-12)


@pytest.mark.parametrize("name", ["newton", "guarded"])
def test_rule_that_uses_curvature_is_not_taught(name):
    with pytest.raises(L2LError, match="imitation is for rules that use gradients: set imitation to 0"):
        l2l.train(PROBLEM, make_optimizer(name), **SMALL, imitation=0.5)


def test_share_of_imitated_tasks_is_as_set():
    settings = Settings(imitation=0.3)
    assert np.mean([settings.imitates(number) for number in range(2000)]) == pytest.approx(0.3, abs=0.04)
    assert not any(Settings().imitates(number) for number in range(100))


@pytest.mark.parametrize(
    ("teacher", "message"),
    [("lstm", "LSTM has to be trained first"), ("newton", "needs curvature"), ("nobody", "there is no optimizer")],
)
def test_teacher_that_cannot_teach_is_refused(teacher, message):
    with pytest.raises(L2LError, match=message):
        Settings(teacher=teacher)


def test_task_whose_loss_explodes_is_left_and_counted():
    training = begun(tasks=2, stop_above=10.0)
    scripted = Scripted(lambda way: [1.0, 1.0], training.settings)
    after = scripted.after
    grown = lambda way: [1.0, *[20.0] * (way.step - 1)] if way.number == 2 else np.ones(way.step)  # noqa: E731
    scripted.after = lambda way: replace(after(way), losses=np.asarray(grown(after(way))))
    _, numbers = run_episode(training, 0.1, scripted)
    assert [[way.number for way in ways] for ways in scripted.calls] == [[1, 2], [1, 3], [1, 3], [1, 3]]
    assert numbers["skipped"] == 1


def test_learning_from_several_tasks_lowers_the_validation_loss():
    bests = []
    rule = LSTM(hidden=(5,), preprocess="none")
    l2l.train(
        Quadratic(dimension=4, functions=16),
        rule,
        tasks=4,
        episodes=20,
        steps=20,
        unroll_length=10,
        report=lambda training: bests.append(training.best),
    )
    assert bests[-1] < 0.5 * bests[0]


def test_one_task_at_a_time_ends_its_trajectory_with_the_episode():
    trainings = []
    l2l.train(Simple(), make_optimizer("linear"), report=trainings.append, **SMALL)
    assert all(training.trajectories == (None,) for training in trainings)
    assert [training.drawn for training in trainings] == list(range(6))
