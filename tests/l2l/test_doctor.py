"""The doctor: every fault is provoked by a training that is set wrong, and working trainings are left in peace."""

import json
import math

import numpy as np
import pytest

import l2l
import minigrad as mg
from l2l import evaluation
from l2l.__main__ import main
from l2l.diagnosis import doctor
from l2l.errors import L2LError
from l2l.meta_training import measurements
from l2l.meta_training.state import Training
from l2l.optimizers import LSTM, make_optimizer
from l2l.problems import MNIST, Quadratic, Simple, Task
from tests.l2l.test_archive import with_another_value

BRIEF = {"episodes": 20, "steps": 20, "unroll_length": 10, "validate_every": 2}
QUADRATIC = Quadratic(dimension=4, functions=16)
PLAIN = LSTM(hidden=(5,), preprocess="none")


def diagnose(problem, optimizer, **settings):
    """The diagnosis of a short training, of what there is of it if it fails."""
    seen = []
    try:
        l2l.train(problem, optimizer, report=seen.append, **{**BRIEF, **settings})
    except L2LError:
        assert seen[-1].history
    return doctor.diagnose(seen[-1])


def names(diagnosis):
    return [finding.name for finding in diagnosis.findings]


def found(diagnosis, name):
    (finding,) = (finding for finding in diagnosis.findings if finding.name == name)
    return finding


class Blobs:
    """Cross-entropy of a small network with sigmoid units on three clouds of points: what MNIST is, in small."""

    chance = math.log(3.0)

    def sample(self, rng, split="train"):
        sizes = [2, 4, 3]
        weights = [
            {"W": rng.normal(scale=0.1, size=(n, m)), "b": rng.normal(scale=0.1, size=m)}
            for n, m in zip(sizes, sizes[1:], strict=False)
        ]
        theta, unravel = mg.tree.ravel(weights)
        centres = np.array([[2.0, 0.0], [-1.0, 2.0], [-1.0, -2.0]])

        def loss(theta, batch):
            first, second = unravel(theta)
            x, label = batch
            return mg.cross_entropy(mg.layers.dense(second, mg.sigmoid(mg.layers.dense(first, x))), label)

        def next_batch():
            label = rng.integers(3, size=32)
            return (centres[label] + rng.normal(scale=0.3, size=(32, 2))).astype(np.float32), label

        return Task(theta.astype(np.float32), loss, next_batch)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(
    ("problem", "optimizer", "rate"),
    [
        (QUADRATIC, PLAIN, 0.01),
        (QUADRATIC, LSTM(hidden=(5,)), 0.01),
        (Blobs(), LSTM(hidden=(5,)), 0.03),
        (Blobs(), LSTM(hidden=(5,)), 0.005),  # slow: it ends at two thirds of the loss of a guess
        (Simple(), LSTM(hidden=(5,)), 0.01),
        (Simple(), make_optimizer("linear"), 0.01),
        (QUADRATIC, make_optimizer("adam"), 0.05),
    ],
)
def test_working_training_is_healthy(problem, optimizer, rate, seed):
    diagnosis = diagnose(problem, optimizer, meta_learning_rate=rate, seed=seed)
    assert diagnosis.findings == []
    assert "healthy" in str(diagnosis)


def test_rule_that_was_good_from_the_start_is_healthy():
    # Nothing is left to gain at the best learning rate, and a small meta learning rate moves little.
    optimizer = make_optimizer("linear", initial=-0.4)
    assert diagnose(Simple(), optimizer, meta_learning_rate=1e-4).findings == []


@pytest.mark.parametrize("rate", [1e-6, 1e-4])
def test_meta_learning_rate_that_hardly_moves_phi_is_too_small(rate):
    diagnosis = diagnose(QUADRATIC, PLAIN, meta_learning_rate=rate)
    assert names(diagnosis) == ["meta learning rate too small, or too few meta-steps"]
    assert f"({rate:g})" in diagnosis.findings[0].advice


def test_training_that_only_had_not_gone_far_is_not_taken_for_a_lost_one():
    diagnosis = diagnose(Blobs(), LSTM(hidden=(5,)), meta_learning_rate=0.003)
    assert names(diagnosis) == ["meta learning rate too small, or too few meta-steps"]


@pytest.mark.parametrize("rate", [10.0, 1000.0])
def test_meta_learning_rate_that_undoes_the_first_gains_is_too_high(rate):
    diagnosis = diagnose(QUADRATIC, PLAIN, meta_learning_rate=rate)
    assert "at best (episode 0)" in found(diagnosis, "meta learning rate too high").evidence


def test_meta_learning_rate_that_loses_more_than_half_of_the_gains_is_too_high():
    settings = {"steps": 5, "unroll_length": 5, "episodes": 21}
    diagnosis = diagnose(Simple(), make_optimizer("linear"), meta_learning_rate=0.2, **settings)
    assert names(diagnosis) == ["meta learning rate too high"]
    assert "at best (episode 2)" in diagnosis.findings[0].evidence


def test_loss_that_jumped_to_the_plateau_and_stayed_shows_both():
    diagnosis = diagnose(Blobs(), LSTM(hidden=(5,)), meta_learning_rate=10.0)
    assert "meta learning rate too high" in names(diagnosis)
    assert f"a random guess has {math.log(3):.4g}" in found(diagnosis, "plateau at the loss of a random guess").evidence


def test_digits_that_never_left_the_plateau_are_called_so():
    settings = {"meta_learning_rate": 1e-6, "episodes": 2, "steps": 6, "unroll_length": 3}
    diagnosis = diagnose(MNIST(hidden=3, batch=32), LSTM(hidden=(5,)), **settings)
    assert "plateau at the loss of a random guess" in names(diagnosis)
    assert f"a random guess has {math.log(10):.4g}" in str(diagnosis)


def test_large_weights_saturate_the_gates():
    diagnosis = diagnose(QUADRATIC, PLAIN, meta_learning_rate=1.0)
    assert names(diagnosis) == ["saturated gates"]  # slow, but it learns


def test_output_scale_that_is_far_too_small_makes_updates_vanish():
    diagnosis = diagnose(QUADRATIC, LSTM(hidden=(5,), preprocess="none", scale=1e-6))
    assert names(diagnosis) == ["vanishing updates"]
    assert "output scale" in diagnosis.findings[0].advice


class Scaled(Quadratic):
    """Quadratics times a constant, which changes nothing but the size of the gradients."""

    def __init__(self, factor):
        super().__init__(dimension=4, functions=16)
        object.__setattr__(self, "factor", factor)

    def sample(self, rng, split="train"):
        task = super().sample(rng, split)
        return Task(task.theta, lambda theta, batch: self.factor * task.loss(theta, batch), functions=task.functions)


def test_large_gradients_saturate_the_gates():
    assert "saturated gates" in names(diagnose(Scaled(1e4), PLAIN))


def test_tiny_gradients_leave_the_state_as_it_is():
    assert names(diagnose(Scaled(1e-9), PLAIN)) == ["a state that does not change"]


@pytest.mark.parametrize("factor", [1e4, 1e-9])
def test_logarithm_cures_gradients_of_the_wrong_size(factor):
    cured = names(diagnose(Scaled(factor), LSTM(hidden=(5,), p=30.0)))
    assert not {"saturated gates", "a state that does not change"} & set(cured)


def test_losses_that_overflow_are_counted():
    diagnosis = diagnose(Simple(), make_optimizer("linear", initial=1e30))
    assert "10 of 10 episodes" in found(diagnosis, "losses or gradients that are not finite").evidence


def test_one_dropped_episode_is_counted():
    class Once(Simple):
        drawn = 0

        def sample(self, rng, split="train"):
            task = super().sample(rng, split)
            type(self).drawn += split == "train"
            factor = np.nan if (split, self.drawn) == ("train", 3) else 1.0
            return Task(task.theta, lambda theta, batch: factor * task.loss(theta, batch))

    assert "1 of 20 episodes" in found(diagnose(Once(), PLAIN), "losses or gradients that are not finite").evidence


# ------------------------------------------------------------------------------------------ reading a log


@pytest.fixture
def run(tmp_path):
    arguments = ["train", "quadratic", "--dimension", "4", "--functions", "16", "--steps", "20"]
    main(
        [
            *arguments,
            "--unroll-length",
            "10",
            "--optimizer",
            "lstm:hidden=5",
            "--episodes",
            "15",
            "--out",
            str(tmp_path),
        ]
    )
    return tmp_path


def test_log_of_a_run_gives_the_same_diagnosis_as_the_run(run):
    training = l2l.train(QUADRATIC, LSTM(hidden=(5,)), episodes=15, steps=20, unroll_length=10)
    assert repr(doctor.diagnose(*doctor.read(run))) == repr(doctor.diagnose(training))


def test_doctor_prints_summary_and_verdict(run, capsys):
    capsys.readouterr()
    assert main(["doctor", str(run)]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("15 episodes; summed validation loss 95.72 untrained, ")
    assert "healthy: none of the known faults was found" in printed


def by_family(*validations):
    """A training on a problem with families, of which these are the validations after the untrained one, 0."""
    diagnostics = {"first": 1.0, "last": 0.5, "moved": 2.0, "reach": 3.0}
    numbers = {"families": {"a": [-1.0, 1]}, "skipped": 0, "meta_learning_rate": 0.01, "diagnostics": diagnostics}
    history = [{"episode": k, "validation": value, **numbers} for k, value in enumerate(validations, 1)]
    return Training(None, untrained={"validation": 0.0}, history=history)


def test_validations_by_family_tell_the_share_saved_as_log_ratios():
    good, lost = by_family(-0.5, -1.0, -0.9), by_family(-1.0, 0.2, 0.3)
    assert doctor._Course(good).gained == pytest.approx(1.0 - math.exp(-1.0))
    assert names(doctor.diagnose(good)) == []
    assert names(doctor.diagnose(lost)) == ["meta learning rate too high"]
    assert "3 episodes; mean log(validation loss / first loss) 0 untrained, -1 at best" in str(doctor.diagnose(lost))


class Slope:
    """f(θ) = −θ: the larger the learning rate the better, without end."""

    def sample(self, rng, split="train"):
        return Task(np.zeros(1), lambda theta, batch: -mg.sum(theta))


def test_baseline_at_the_edge_of_its_grid_is_named(run):
    for problem, expected in ((Slope(), ["baselines at the edge of their grid"]), (Simple(), [])):
        raced = l2l.compare(problem, {"sgd": (make_optimizer("sgd"), None)}, steps=3, repeats=1)
        (run / "results.json").write_text(json.dumps({"optimizers": evaluation.summary(raced)}))
        diagnosis = doctor.diagnose(*doctor.read(run))
        assert names(diagnosis) == expected
        assert ("sgd (" in str(diagnosis)) == bool(expected)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("log.json", None),
        ("log.json", "{"),
        ("log.json", "[1, 2]"),
        ("log.json", '{"history": []}'),
        ("log.json", '{"untrained": 3, "history": [{"validation": 2}]}'),
        ("log.json", '{"untrained": {"validation": 2.0}, "history": [{"validation": 2.0, "episode": 5}]}'),
        ("log.json", "\udcff"),
        ("log.json", "[" * 100_000),
        ("results.json", "[]x"),
        ("results.json", '{"optimizers": {"sgd": 3}}'),
        ("results.json", "[3]"),
    ],
)
def test_missing_damaged_or_foreign_files_are_one_line_that_names_the_fix(run, name, content, capsys):
    (run / name).unlink(missing_ok=True)
    if content is not None:
        (run / name).write_bytes(content.encode(errors="surrogateescape"))
    capsys.readouterr()
    assert main(["doctor", str(run)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("l2l: ")
    assert name in line
    assert any(fix in line for fix in ("train again", "--out DIR", "remove it"))


@pytest.mark.parametrize("name", ["log.json", "results.json"])
def test_file_with_any_other_value_in_it_is_judged_or_refused(run, name):
    raced = l2l.compare(Simple(), {"sgd": (make_optimizer("sgd"), None)}, steps=3, repeats=1)
    (run / "results.json").write_text(json.dumps({"optimizers": evaluation.summary(raced)}))
    sound, refused = json.loads((run / name).read_text()), 0
    for seed in range(300):
        (run / name).write_text(json.dumps(with_another_value(np.random.default_rng(seed), sound)))
        try:
            str(doctor.diagnose(*doctor.read(run)))
        except L2LError:
            refused += 1
    assert 0 < refused < 300


def test_training_without_a_validation_is_not_judged():
    with pytest.raises(L2LError, match="no validation yet: train longer"):
        doctor.diagnose(Training(None, untrained={"validation": 1.0, "diagnostics": {}}))


# ------------------------------------------------------------------------------------------ what is measured


def measured(problem, optimizer, phi, steps=20):
    return measurements.measure(optimizer, phi, phi, problem, 0, np.ones((1, steps)))


def test_reach_of_polyak_steps_is_the_number_of_steps():
    # On f = x², Polyak's step (f/‖∇‖²) ∇ is x/2 = ∇/4: a learning rate of 1/4.
    optimizer = make_optimizer("sgd", learning_rate=0.25)
    assert measured(Simple(), optimizer, optimizer.init())["reach"] == pytest.approx(20.0, rel=1e-5)


@pytest.mark.parametrize(("bias", "share"), [(0.0, 0.0), (100.0, 1.0)])
def test_share_of_saturated_gates_is_exact_at_the_extremes(bias, share):
    optimizer = LSTM(hidden=(3, 4))
    phi = optimizer.init(np.random.default_rng(0))
    for layer in phi["layers"]:
        layer["W"][:], layer["b"][:] = 0.0, bias
    assert measured(Simple(), optimizer, phi)["saturated"] == share


def test_gate_counts_as_saturated_where_its_slope_is_below_a_tenth_of_the_largest():
    # σ'(z) = σ'(0)/10 at z = 3.64, tanh'(z) = 1/10 at z = 1.82.
    optimizer = LSTM(hidden=(1,))
    phi = optimizer.init(np.random.default_rng(0))
    phi["layers"][0]["W"][:] = 0.0
    for biases, share in (((3.6, -3.6, 1.8, 3.6), 0.0), ((3.7, 3.6, -1.8, -3.7), 0.5), ((0, 0, 1.9, 0), 0.25)):
        phi["layers"][0]["b"][:, 0, 0] = biases
        assert measured(Simple(), optimizer, phi)["saturated"] == share


def test_numbers_that_are_not_finite_are_none():
    optimizer = make_optimizer("linear", initial=1e30)
    numbers = measured(Simple(), optimizer, optimizer.init(), steps=5)
    assert numbers["reach"] is None
    json.dumps(numbers, allow_nan=False)
