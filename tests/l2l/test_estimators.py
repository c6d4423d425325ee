"""Estimators of the meta-gradient: unbiased, or with the bias that theory states."""

import pickle

import numpy as np
import pytest

import minigrad as mg
from l2l.errors import L2LError
from l2l.meta_training.estimators import ES, ESTIMATORS, PES, Blend, ESSingle, Truncated
from l2l.meta_training.unrolls import meta_gradient
from l2l.optimizers import LSTM, Linear
from l2l.problems import Quadratic, Task, draw_task
from l2l.unrolling import unroll
from tests.conftest import some_phi

STEPS, LENGTH = 24, 4  # of an episode, and of an unroll
A, B = 0.5 * np.eye(4) + 0.5 * np.eye(4, k=1), np.array([1.0, -1.0, -1.0, -1.0])
BALANCE, START = {"bias": np.array(0.3)}, (np.ones(4), {})

settled = {"pes": PES, "es-single": ESSingle}
"""Those without truncation bias."""


def balancing(length=LENGTH):
    """Influence balancing (Tallec & Ollivier 2017), s ← A s + φ B with loss (s_0 − 1)²/2: φ pushes the loss one way at
    first and the other way later. The meta-loss is quadratic in φ, and so is that of any perturbations of it: smoothing
    changes no gradient."""

    def unrolled(phi, state):
        s, total, losses = state[0], 0.0, []
        for _ in range(length):
            s = A @ s + phi["bias"] * B
            losses.append(0.5 * (s[0] - 1.0) ** 2.0)
            total = total + losses[-1]
        return total, ((s, {}), losses)

    return unrolled


def balancing_gradient(length):
    """dL/dφ in closed form, where φ is a constant in the state at the start of an unroll: ∂s_t/∂φ = Σ_{j<n} Aʲ B, with
    n the steps since then."""
    s, influence, gradient = START[0], np.zeros(4), 0.0
    for step in range(STEPS):
        s = A @ s + BALANCE["bias"] * B
        influence = A @ (influence if step % length else np.zeros(4)) + B
        gradient += (s[0] - 1.0) * influence[0]
    return gradient


def learning(task, length=LENGTH):
    """`l2l.unrolling.unroll` with exact derivatives."""

    def unrolled(phi, state):
        total, *end, losses = unroll(Linear(), phi, task, *state, [1.0] * length, second_derivatives=True)
        return total, (tuple(end), losses)

    return unrolled


def episode(estimator, unrolled, phi, start, rng, steps=STEPS):
    """The gradients of an episode's unrolls, summed, for φ that stays the same."""
    particles, gradient = estimator.begin(start, phi), 0.0
    for _ in range(steps // LENGTH):
        _, part, particles, _ = estimator(unrolled, phi, particles, rng)
        gradient = gradient + part
    return gradient


def draws(estimator, unrolled, phi, start, count=200):
    rng = np.random.default_rng(0)
    return np.array([episode(estimator, unrolled, phi, start, rng) for _ in range(count)])


def standard_errors(samples, expected):
    """How far the mean of samples is from what was expected, in standard errors."""
    return float(abs(samples.mean() - expected) / (samples.std(ddof=1) / np.sqrt(len(samples))))


def test_truncation_makes_a_gradient_of_the_other_sign():
    assert balancing_gradient(LENGTH) < 0.0 < balancing_gradient(STEPS)
    unrolled, start = balancing(STEPS), START
    gradient = mg.grad(lambda phi: unrolled(phi, start)[0])(BALANCE)["bias"]
    assert gradient == pytest.approx(balancing_gradient(STEPS), rel=1e-12)


@pytest.mark.parametrize("cls", settled.values(), ids=settled)
def test_persistent_kinds_are_unbiased_however_short_the_unrolls(cls):
    samples = draws(cls(pairs=2), balancing(), BALANCE, START)
    assert standard_errors(samples, balancing_gradient(STEPS)) < 4.0
    assert standard_errors(samples, balancing_gradient(LENGTH)) > 10.0


def test_es_is_unbiased_for_the_truncated_gradient_and_not_for_the_true_one():
    samples = draws(ES(pairs=2), balancing(), BALANCE, START)
    assert standard_errors(samples, balancing_gradient(LENGTH)) < 4.0
    assert standard_errors(samples, balancing_gradient(STEPS)) > 100.0


@pytest.mark.parametrize("estimator", [Truncated(), Blend(pairs=2)], ids=["truncated", "blend"])
def test_backpropagation_has_the_bias_of_truncation_and_no_noise_where_the_loss_is_quadratic(estimator):
    samples = draws(estimator, balancing(), BALANCE, START, count=3)
    np.testing.assert_allclose(samples, balancing_gradient(LENGTH), rtol=1e-12)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_truncation_bias_of_a_learning_rate_is_seen_by_those_that_have_it(name):
    task = draw_task(Quadratic(dimension=2, functions=1), "train", 0, 0)
    task = Task(np.array([1.0, -2.0]), task.loss)
    phi, start = {"w": np.array(-0.01)}, (task.theta, {})
    whole = learning(task, STEPS)
    truth = mg.grad(lambda phi: whole(phi, start)[0])(phi)["w"]
    settings = {} if name == "truncated" else {"sigma": 1e-4, "pairs": 2}  # so small that smoothing changes nothing
    estimator = ESTIMATORS[name](**settings)
    unrolled = learning(task)
    if name in settled:
        assert standard_errors(draws(estimator, unrolled, phi, start, 60), truth) < 4.0
    elif name == "es":
        assert standard_errors(draws(estimator, unrolled, phi, start, 60), truth) > 30.0
    else:
        exact = episode(Truncated(), unrolled, phi, start, None)
        assert 0.0 < exact < 0.2 * truth
        np.testing.assert_allclose(draws(estimator, unrolled, phi, start, 3), exact[0], rtol=1e-3)


def test_es_estimates_the_gradient_of_the_smoothed_meta_loss():
    """For L(φ) = |φ|, E_ε L(φ + ε) has the derivative erf(φ / (σ√2)): 0.6827 at φ = σ."""

    def unrolled(phi, state):
        return mg.abs(phi), (state, [])

    rng, estimator = np.random.default_rng(0), ES(sigma=0.5, pairs=1)
    samples = np.array([estimator(unrolled, np.array(0.5), START, rng)[1] for _ in range(2000)])
    assert standard_errors(samples, 0.6827) < 4.0


def squared_distance(phi, state):
    return mg.sum(mg.square(phi - np.array([1.0, 3.0]))), (state, [0.0])


@pytest.mark.parametrize("pairs", [1, 3])
def test_variance_of_es_single_is_what_theory_says_for_a_quadratic(pairs):
    """trace Var ĝ = (P + 1) ‖∇L‖² for P parameters and one pair (Vicol et al. 2023, proposition 3.2)."""
    rng, estimator, phi = np.random.default_rng(0), ESSingle(pairs=pairs), np.zeros(2)
    samples = [estimator(squared_distance, phi, estimator.begin(START, phi), rng)[1] for _ in range(2000)]
    assert np.var(samples, axis=0).sum() == pytest.approx(3.0 * 40.0 / pairs, rel=0.1)


@pytest.mark.parametrize("unrolls", [2, 8])
def test_variance_of_pes_grows_with_the_unrolls_where_their_gradients_cancel(unrolls):
    """With K unrolls, L_k = ±Σφ in turns and P = 2: trace Var ĝ = 2 K² + 4 K, by the moments of the normal
    distribution."""

    def unrolled(phi, sign):
        return sign * mg.sum(phi), (-sign, [0.0])

    rng, start, steps = np.random.default_rng(0), np.array(1.0), unrolls * LENGTH
    samples = [episode(PES(pairs=1), unrolled, np.zeros(2), start, rng, steps) for _ in range(500)]
    assert np.var(samples, axis=0).sum() == pytest.approx(2.0 * unrolls**2 + 4.0 * unrolls, rel=0.15)


def test_es_single_over_many_unrolls_is_es_over_the_whole_episode():
    rngs = [np.random.default_rng(0) for _ in range(2)]
    cut = episode(ESSingle(pairs=3), balancing(), BALANCE, START, rngs[0])
    whole = ES(pairs=3)(balancing(STEPS), BALANCE, START, rngs[1])[1]
    np.testing.assert_allclose(cut, whole, rtol=1e-10)


def test_blend_weighs_each_coordinate_by_inverse_variance():
    def unrolled(phi, state):  # ∂/∂φ_0 is noisy along φ, ∂/∂φ_1 is not
        return mg.sum(mg.sin(30.0 * phi[:1])) + 0.5 * phi[1] ** 2.0, (state, [])

    estimator, phi = Blend(sigma=0.1, pairs=3), np.array([0.2, 0.4])
    gradient = estimator(unrolled, phi, START, np.random.default_rng(5))[1]
    b, e = [], []
    for noise in np.random.default_rng(5).normal(scale=0.1, size=(3, 2)):
        two = [mg.value_and_grad(lambda x: unrolled(x, None)[0])(phi + sign * noise) for sign in (1.0, -1.0)]
        b.append((two[0][1] + two[1][1]) / 2.0)
        e.append(noise * (two[0][0] - two[1][0]) / (2.0 * 0.1**2))
    weights = [1.0 / (np.var(samples, axis=0, ddof=1) + 1e-300) for samples in (b, e)]
    expected = (weights[0] * np.mean(b, axis=0) + weights[1] * np.mean(e, axis=0)) / (weights[0] + weights[1])
    np.testing.assert_allclose(gradient, expected, rtol=1e-12)
    assert gradient[1] == pytest.approx(0.4)
    assert abs(gradient[0] - np.mean(e, axis=0)[0]) < abs(gradient[0] - np.mean(b, axis=0)[0])


def test_blend_is_es_where_backpropagation_overflows():
    def unrolled(phi, state):  # bounded, with a slope that overflows
        return 100.0 * mg.sum(mg.sin(1e308 * phi)), (state, [])

    with np.errstate(over="ignore"):
        blend, es = (cls(pairs=2)(unrolled, np.array([0.3]), START, np.random.default_rng(0))[1] for cls in (Blend, ES))
    assert np.isfinite(es).all()
    np.testing.assert_array_equal(blend, es)


def test_blend_of_two_gradients_that_are_zero_is_zero():
    gradient = Blend()(lambda phi, state: (0.0 * mg.sum(phi), (state, [])), np.ones(2), START, np.random.default_rng(0))
    np.testing.assert_array_equal(gradient[1], np.zeros(2))


@pytest.mark.parametrize("second_derivatives", [False, True])
def test_truncated_is_the_meta_gradient_of_the_training_loop_bit_for_bit(second_derivatives):
    optimizer = LSTM(hidden=(3, 2), p=2.0)
    phi, weights = some_phi(optimizer, seed=2), [0.5, 1.0, 2.0]

    def task():
        return draw_task(Quadratic(dimension=3, functions=2), "train", 0, 0)

    def unrolled(phi, state):
        total, *end, losses = unroll(optimizer, phi, unrolled.task, *state, weights, second_derivatives)
        return total, (tuple(end), losses)

    unrolled.task, other = task(), task()
    theta, state = other.theta, optimizer.init_state(other.theta)
    particles = Truncated().begin((theta, state), phi)
    for _ in range(2):
        total, gradient, particles, losses = Truncated()(unrolled, phi, particles, None)
        expected = meta_gradient(optimizer, phi, other, theta, state, weights, second_derivatives)
        theta, state = expected[2:4]
        assert as_bytes((total, gradient, *particles, losses)) == as_bytes(expected)


def as_bytes(tree):
    return [(np.asarray(leaf).dtype, np.asarray(leaf).tobytes()) for leaf in mg.tree.flatten(list(tree))[0]]


def made(name):
    return ESTIMATORS[name]() if name == "truncated" else ESTIMATORS[name](pairs=2)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_same_rng_gives_the_same_bits_and_particles_survive_being_pickled(name):
    def run(between):
        estimator, rng, results = made(name), np.random.default_rng(3), []
        particles = estimator.begin(START, BALANCE)
        for _ in range(3):
            *result, particles, losses = estimator(balancing(), BALANCE, between(particles), rng)
            results += [*result, losses]
        return as_bytes([*results, particles])

    def pickled(particles):
        assert all(np.asarray(leaf).dtype.kind == "f" for leaf in mg.tree.flatten(particles)[0])
        return pickle.loads(pickle.dumps(particles))

    assert run(lambda particles: particles) == run(pickled)


@pytest.mark.parametrize("name", [name for name in ESTIMATORS if name != "truncated"])
def test_another_rng_gives_another_gradient_where_a_rule_is_random(name):
    def unrolled(phi, state):
        return mg.sum(mg.sin(200.0 * phi)), (state, [])

    one, two = (
        made(name)(unrolled, np.ones(2), made(name).begin(START, np.ones(2)), np.random.default_rng(k))[1]
        for k in (0, 1)
    )
    assert not np.array_equal(one, two)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_loss_that_is_not_a_number_gives_a_gradient_that_is_not_finite(name):
    def unrolled(phi, state):
        return mg.sum(phi) * np.nan, (state, [np.nan])

    estimator = made(name)
    total, gradient, _, losses = estimator(
        unrolled, np.ones(2), estimator.begin(START, np.ones(2)), np.random.default_rng(0)
    )
    assert np.isnan(total)
    assert np.isnan(gradient).all()
    assert np.isnan(losses).all()


@pytest.mark.parametrize("name", ESTIMATORS)
def test_precision_of_phi_is_kept(name):
    seen = []

    def unrolled(phi, state):
        seen.append((phi["a"].dtype, phi["b"][0].dtype))
        return mg.sum(phi["a"]) + mg.sum(mg.square(phi["b"][0])), (state, [0.0])

    estimator, phi = made(name), {"a": np.ones(2, np.float32), "b": [np.ones((1, 2))]}
    gradient = estimator(unrolled, phi, estimator.begin(START, phi), np.random.default_rng(0))[1]
    assert set(seen) == {(np.dtype("float32"), np.dtype("float64"))}
    assert gradient.dtype == np.float64
    single = {"a": phi["a"], "b": [np.ones((1, 2), np.float32)]}
    gradient = estimator(
        lambda phi, state: (mg.sum(phi["a"]), (state, [0.0])),
        single,
        estimator.begin(START, single),
        np.random.default_rng(0),
    )[1]
    assert (gradient.dtype, gradient.shape) == (np.float32, (4,))


@pytest.mark.parametrize("name", ["truncated", "es", "blend"])
def test_losses_and_state_are_those_of_phi_itself(name):
    estimator = made(name)
    total, _, end, losses = estimator(balancing(), BALANCE, estimator.begin(START, BALANCE), np.random.default_rng(0))
    plain = balancing()(BALANCE, START)
    assert as_bytes([total, end, losses]) == as_bytes([plain[0], *plain[1]])


@pytest.mark.parametrize("name", settled)
def test_losses_are_means_over_particles_where_phi_itself_is_not_unrolled(name):
    called = []

    def unrolled(phi, state):
        called.append(balancing()(phi, state))
        return called[-1]

    estimator = made(name)
    total, _, particles, losses = estimator(
        unrolled, BALANCE, estimator.begin(START, BALANCE), np.random.default_rng(0)
    )
    assert total == pytest.approx(np.mean([one[0] for one in called]))
    assert losses == pytest.approx(np.mean([one[1][1] for one in called], axis=0))
    assert as_bytes(particles["states"]) == as_bytes([one[1][0] for one in called])


@pytest.mark.parametrize(("name", "calls"), [("truncated", 1), ("es", 5), ("pes", 4), ("es-single", 4), ("blend", 5)])
def test_unroll_costs_as_many_passes_as_stated_and_more_than_one_is_a_replay(name, calls):
    called = []

    def unrolled(phi, state):
        called.append(1)
        return balancing()(phi, state)

    estimator = made(name)
    estimator(unrolled, BALANCE, estimator.begin(START, BALANCE), np.random.default_rng(0))
    assert len(called) == calls
    assert estimator.replays == (calls > 1)


def test_es_single_keeps_its_perturbation_for_the_episode_and_pes_does_not():
    seen = {ESSingle: [], PES: []}
    for cls, phis in seen.items():

        def unrolled(phi, state, phis=phis):
            phis.append(float(phi))
            return 0.0 * phi, (state, [])

        estimator, rng = cls(pairs=1), np.random.default_rng(0)
        particles = estimator.begin(START, np.array(1.0))
        for _ in range(2):
            particles = estimator(unrolled, np.array(1.0), particles, rng)[2]
    assert seen[ESSingle][:2] == seen[ESSingle][2:]
    assert set(seen[PES][:2]).isdisjoint(seen[PES][2:])
    for phis in seen.values():
        assert phis[0] + phis[1] == pytest.approx(2.0)  # antithetic


def test_blend_needs_two_pairs_for_a_variance():
    with pytest.raises(L2LError, match="pairs is a whole number of at least 2, not 1"):
        Blend(pairs=1)


@pytest.mark.parametrize("name", ["es", "pes", "es-single"])
def test_perturbations_too_small_to_change_phi_give_a_gradient_of_zero(name):
    estimator = ESTIMATORS[name](sigma=1e-300, pairs=1)
    gradient = estimator(squared_distance, np.ones(2), estimator.begin(START, np.ones(2)), np.random.default_rng(0))[1]
    np.testing.assert_array_equal(gradient, np.zeros(2))
