"""Update rules: their equations, one number at a time, and what makes a rule coordinatewise."""

import numpy as np
import pytest

import minigrad as mg
from l2l.errors import L2LError
from l2l.optimizers import LSTM, make_optimizer
from l2l.optimizers.learned import log_sign
from tests.conftest import COORDINATEWISE, NETWORKS, some_phi, updates_of

GRADIENTS = np.random.default_rng(0).normal(size=(30, 4)) * np.array([1.0, 1e-3, 30.0, 0.0])


# The published equations, as they are printed.


def sgd(g):
    return [-0.1 * x for x in g]


def momentum(g):
    v, out = 0.0, []
    for x in g:
        v = 0.8 * v + x
        out.append(-0.1 * v)
    return out


def nag(g):
    v, out = 0.0, []
    for x in g:
        v = 0.8 * v + x
        out.append(-0.1 * (x + 0.8 * v))
    return out


def rprop(g):
    step, before, out = 0.1, 0.0, []
    for x in g:
        if before * x > 0:
            step = min(step * 1.5, 0.12)
        elif before * x < 0:
            step, x = max(step * 0.4, 0.01), 0.0
        out.append(-step * np.sign(x))
        before = x
    return out


def adagrad(g):
    s, out = 0.0, []
    for x in g:
        s = s + x**2
        out.append(-0.1 * x / (np.sqrt(s) + 1e-6))
    return out


def rmsprop(g):
    s, out = 0.0, []
    for x in g:
        s = 0.95 * s + 0.05 * x**2
        out.append(-0.1 * x / (np.sqrt(s) + 1e-6))
    return out


def adam(g):
    m = v = 0.0
    out = []
    for t, x in enumerate(g, start=1):
        m = 0.8 * m + 0.2 * x
        v = 0.95 * v + 0.05 * x**2
        out.append(-0.1 * (m / (1 - 0.8**t)) / (np.sqrt(v / (1 - 0.95**t)) + 1e-6))
    return out


def adamw(g):
    theta, out = g[0], []  # updates_of starts there
    for step in adam(g):
        out.append(step - 0.1 * 0.3 * theta)
        theta = theta + out[-1]
    return out


TRANSCRIPTIONS = {
    sgd: {},
    momentum: {"momentum": 0.8},
    nag: {"momentum": 0.8},
    rprop: {"eta_minus": 0.4, "eta_plus": 1.5, "step_min": 0.01, "step_max": 0.12},
    adagrad: {"epsilon": 1e-6},
    rmsprop: {"decay": 0.95, "epsilon": 1e-6},
    adam: {"beta1": 0.8, "beta2": 0.95, "epsilon": 1e-6},
    adamw: {"beta1": 0.8, "beta2": 0.95, "epsilon": 1e-6, "weight_decay": 0.3},
}


@pytest.mark.parametrize("rule", TRANSCRIPTIONS)
def test_rule_follows_its_published_equations(rule):
    optimizer = make_optimizer(rule.__name__, learning_rate=0.1, **TRANSCRIPTIONS[rule])
    expected = np.array([rule(column) for column in GRADIENTS.T]).T
    np.testing.assert_allclose(updates_of(optimizer, GRADIENTS), expected, rtol=1e-12, atol=1e-300)


def test_nesterov_gradient_at_the_shifted_variable_is_the_original_rule():
    # Sutskever et al. 2013, eqs. 3–4: v' = μv − α∇f(x + μv), x' = x + v'. NAG runs in θ = x + μv.
    def slope(x):
        return 2.0 * x + np.cos(x)

    rate, mu, x, v = 0.1, 0.8, 1.0, 0.0
    optimizer = make_optimizer("nag", learning_rate=rate, momentum=mu)
    phi, theta, state = optimizer.init(), np.array(1.0), optimizer.init_state(np.array(1.0))
    for _ in range(20):
        v = mu * v - rate * slope(x + mu * v)
        x = x + v
        update, state = optimizer(phi, slope(theta), state)
        theta = theta + update
        assert theta == pytest.approx(x + mu * v, rel=1e-12)


def test_linear_rule_is_a_factor():
    optimizer = make_optimizer("linear", initial=-0.5)
    np.testing.assert_array_equal(updates_of(optimizer, GRADIENTS), -0.5 * GRADIENTS)


@pytest.mark.parametrize("name", COORDINATEWISE)
def test_update_has_the_shape_and_precision_of_the_gradient(name):
    optimizer = make_optimizer(name)
    phi = optimizer.init(np.random.default_rng(0))
    for shape in ((3,), (2, 3), (), (0,)):
        for dtype in (np.float32, np.float64):
            theta = np.ones(shape, dtype)
            update, state = optimizer(phi, theta, optimizer.init_state(theta))
            update, _ = optimizer(phi, theta, state)
            assert (update.shape, update.dtype) == (shape, dtype)


@pytest.mark.parametrize("name", COORDINATEWISE)
def test_rule_is_equivariant_under_permutation_of_coordinates(name):
    order = np.array([2, 0, 3, 1])
    optimizer = make_optimizer(name)
    np.testing.assert_allclose(
        updates_of(optimizer, GRADIENTS[:, order]), updates_of(optimizer, GRADIENTS)[:, order], rtol=1e-5, atol=1e-9
    )


@pytest.mark.parametrize("name", COORDINATEWISE)
def test_every_coordinate_has_a_state_of_its_own(name):
    optimizer = make_optimizer(name)
    changed = GRADIENTS.copy()
    changed[:10, 1] = 3.0
    before, after = updates_of(optimizer, GRADIENTS), updates_of(optimizer, changed)
    others = [0, 2, 3]
    np.testing.assert_array_equal(after[:, others], before[:, others])
    assert not np.array_equal(after[:, 1], before[:, 1])
    if name not in ("sgd", "linear"):  # the only two without memory
        assert not np.array_equal(after[10, 1], before[10, 1])


@pytest.mark.parametrize("name", COORDINATEWISE)
def test_tensors_optimized_together_or_apart_take_the_same_steps(name):
    optimizer = make_optimizer(name)
    together = updates_of(optimizer, GRADIENTS)
    apart = [updates_of(optimizer, GRADIENTS[:, :3]), updates_of(optimizer, GRADIENTS[:, 3:])]
    np.testing.assert_allclose(together, np.concatenate(apart, axis=1), rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("name", [name for name in COORDINATEWISE if name not in NETWORKS])
def test_no_gradient_no_update(name):
    assert not updates_of(make_optimizer(name), np.zeros((3, 4))).any()


def test_coordinate_without_gradient_leaves_the_gradient_of_phi_finite():
    for name in ("adam", "rmsprop", "adagrad"):
        optimizer = make_optimizer(name)

        def total(phi, optimizer=optimizer):
            gradient = np.array([0.0, 1.0])
            return mg.sum(optimizer(phi, gradient, optimizer.init_state(gradient))[0])

        assert np.isfinite(mg.tree.ravel(mg.grad(total)(optimizer.init()))[0]).all()


# ------------------------------------------------------------------------------------------ the LSTM


def test_log_sign_follows_appendix_a():
    p = 10.0
    gradient = np.array([1.0, -np.exp(-5.0), np.exp(-10.0), 1e-6, -1e-6, 0.0, -1e3])
    expected = [
        [0.0, -0.5, -1.0, -1.0, -1.0, -1.0, np.log(1e3) / p],
        [1.0, -1.0, 1.0, np.exp(p) * 1e-6, -np.exp(p) * 1e-6, 0.0, -1.0],
    ]
    np.testing.assert_allclose(log_sign(gradient, p), expected, rtol=1e-12, atol=1e-12)


def test_lstm_update_is_the_scaled_readout_of_stacked_cells():
    optimizer = LSTM(hidden=(3, 2), scale=0.5, dtype="float64")
    phi = some_phi(optimizer)
    gradient, state = GRADIENTS[0], optimizer.init_state(GRADIENTS[0])
    h1, _ = mg.layers.lstm_cell(phi["layers"][0], log_sign(gradient, 10.0), *state[0])
    h2, _ = mg.layers.lstm_cell(phi["layers"][1], h1, *state[1])
    expected = 0.5 * (phi["output"]["W"] @ h2 + phi["output"]["b"])[0]
    np.testing.assert_allclose(optimizer(phi, gradient, state)[0], expected, rtol=1e-12)


def test_fused_and_readable_lstm_take_the_same_steps():
    fused, readable = LSTM(hidden=(5, 3)), LSTM(hidden=(5, 3), fused=False)
    np.testing.assert_allclose(updates_of(fused, GRADIENTS), updates_of(readable, GRADIENTS), rtol=1e-4, atol=1e-6)


def test_untrained_lstm_does_not_move():
    optimizer = LSTM()
    assert not updates_of(optimizer, GRADIENTS, optimizer.init(np.random.default_rng(0))).any()


def test_lstm_without_preprocessing_sees_the_gradient_itself():
    optimizer = LSTM(hidden=(2,), preprocess="none")
    assert optimizer.init(np.random.default_rng(0))["layers"][0]["W"].shape == (4, 2, 1 + 2)
    assert updates_of(optimizer, GRADIENTS).shape == GRADIENTS.shape


def test_presets_are_the_two_published_settings():
    assert make_optimizer("lstm", preset="paper") == LSTM(p=10.0, scale=0.1)
    assert make_optimizer("lstm", preset="deepmind") == LSTM(p=5.0, scale=0.01)
    assert make_optimizer("lstm", preset="deepmind", p=7).p == 7.0


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("adamm", {}, "no optimizer 'adamm'.*sgd.*lstm"),
        ("adam", {"beta3": 1}, "no option 'beta3'.*beta2"),
        ("adam", {"beta1": "high"}, "beta1 is a number, not 'high'"),
        ("lstm", {"hidden": "20x20"}, "hidden is a whole number, or several, as in 20-20, not '20x20'"),
        ("lstm", {"hidden": (0,)}, "hidden"),
        ("lstm", {"preprocess": "log"}, "log-sign"),
        ("lstm", {"scale": 0}, "positive"),
        ("newton", {"damping": 0}, "damping is a positive number, not 0$"),
        ("gauss_newton", {"iterations": 0}, "iterations is a whole number of at least 1, not 0"),
        ("sgd", {"learning_rate": -1}, "learning_rate is a positive number, not -1$"),
        ("sgd", {"learning_rate": "1e400"}, "learning_rate is a positive number, not '1e400'"),
        ("sgd", {"learning_rate": True}, "learning_rate is a number, not True"),
        ("sgd", {"learning_rate": 10**400}, "learning_rate is a number"),
        ("adam", {"beta1": 1.0}, "beta1 is a number between 0 and 1, not 1.0"),
        ("linear", {"initial": float("nan")}, "initial is a finite number, not nan"),
        ("newton", {"iterations": float("inf")}, "iterations is a whole number"),
        ("newton", {"iterations": 1j}, "iterations is a whole number"),
        ("lstm", {"dtype": "float16"}, "dtype is float32 or float64, not 'float16'"),
        ("lstm", {"p": 1e3}, "p is a number of at most 80"),
        ("lstm", {"hidden": (3,) * 11}, "1 to 8 layers"),
        ("sgd", {"preset": []}, "no preset"),
        ([], {}, "no optimizer"),
        ("lstm", {"fused": "maybe"}, "fused is true or false"),
        ("lstm", {"preset": "mine"}, "no preset 'mine'; it has: paper, deepmind"),
        ("sgd", {"preset": "paper"}, "no preset 'paper'; it has: none"),
    ],
)
def test_wrong_optimizer_settings_name_the_right_ones(name, settings, message):
    with pytest.raises(L2LError, match=message):
        make_optimizer(name, **settings)


def test_options_are_read_from_text():
    optimizer = make_optimizer("lstm", hidden="5-6-7", p="3", fused="false")
    assert optimizer == LSTM(hidden=(5, 6, 7), p=3.0, fused=False)
