"""Learned rules on normalised gradients: their equations, what they see, and what they do not depend on."""

from dataclasses import replace

import numpy as np
import pytest

import l2l
import minigrad as mg
from l2l.errors import L2LError
from l2l.optimizers import LSTM, MLP, Adam, AveragingLSTM, FeatureLSTM, Groups, RNNProp
from l2l.optimizers import features as module
from l2l.optimizers.features import FEATURES
from l2l.optimizers.learned import log_sign
from l2l.problems import Quadratic
from tests.conftest import some_phi, updates_of
from tests.l2l.test_unrolling import Recorder, directional, frozen_gradients, meta_loss_of, quadratic_task

SHAPES = (3, 2), (4,)
GRADIENTS = np.random.default_rng(0).normal(size=(8, 10)) * np.logspace(-1, 1, 10)
EVERY = tuple(FEATURES)
SMALL = {
    "rnnprop": RNNProp(dense=4, hidden=(3, 2), dtype="float64", epsilon=1e-20),
    "feature-lstm": FeatureLSTM(hidden=(3, 2), features=EVERY, dtype="float64"),
    "mlp": MLP(dtype="float64", scale=0.1),
    "lstm-gac": AveragingLSTM(hidden=(4, 3), averaged=2, dtype="float64", p=2.0),
}
TOLD = ("feature-lstm", "mlp")


def small(name, shapes=SHAPES, steps=8, **settings):
    rule = replace(SMALL[name], **settings)
    return rule.fit(shapes, steps) if name in TOLD else rule


# ------------------------------------------------------------------------------------------ equations


def test_rnnprop_follows_its_published_equations():
    rule = RNNProp(dense=4, hidden=(3,), dtype="float64", beta1=0.9, beta2=0.8, epsilon=1e-3, scale=0.2)
    phi = some_phi(rule)
    m, v, state, expected = 0.0, 0.0, rule.init_state(GRADIENTS[0])["lstm"], []
    for t, g in enumerate(GRADIENTS, start=1):
        m, v = 0.9 * m + 0.1 * g, 0.8 * v + 0.2 * g**2
        root = np.sqrt(v / (1 - 0.8**t)) + 1e-3
        z = phi["input"]["W"] @ np.array([m / (1 - 0.9**t) / root, g / root]) + phi["input"]["b"]
        y, state = mg.layers.lstm(phi, np.where(z > 0, z, np.exp(z) - 1), state)
        expected.append(0.2 * np.tanh(y))
    np.testing.assert_allclose(updates_of(rule, GRADIENTS, phi), expected, rtol=1e-10)


def test_untrained_feature_lstm_is_adam_without_epsilon():
    adam = Adam(0.02, beta1=0.9, beta2=0.95, epsilon=1e-30)
    rule = small("feature-lstm", nominal=0.02)
    found = updates_of(rule, GRADIENTS, rule.init(np.random.default_rng(0)))
    np.testing.assert_allclose(found, updates_of(adam, GRADIENTS), rtol=1e-12)


@pytest.mark.parametrize("r", [-4.0, 0.5, 2.0])
def test_length_of_the_feature_lstm_is_the_exponential_of_its_clipped_read_out(r):
    rule = small("feature-lstm", shapes=((2,),), nominal=0.02)
    phi = some_phi(rule)
    phi["rate"] = {"W": np.zeros((1, 2)), "b": np.full((1, 1), r)}
    phi["output"] = {"W": np.zeros((1, 2)), "b": np.full((1, 1), 0.3)}
    expected = -np.exp(phi["log_nominal"] + 2.0 * max(-3.0, min(3.0, r))) * (np.sign(GRADIENTS[:1, :2]) + 0.3)
    np.testing.assert_allclose(updates_of(rule, GRADIENTS[:1, :2], phi), expected)  # m̂/√v̂ is ±1 at first


def test_length_of_the_feature_lstm_is_read_from_the_new_state():
    rule = small("feature-lstm", shapes=((2,),))
    phi, state = some_phi(rule), rule.init_state(np.zeros(2))
    phi["output"] = {"W": np.zeros((1, 2)), "b": np.zeros((1, 1))}
    update, after = rule(phi, GRADIENTS[0, :2], state)
    r = phi["rate"]["W"] @ after["lstm"][-1][0] + phi["rate"]["b"]
    np.testing.assert_allclose(np.log(np.abs(update)), phi["log_nominal"] + 2.0 * r[0])


def source_features(gradients, start, decays):
    """What small_fc_lopt sees of one tensor at the last gradient, (39, coordinates): its equations, transcribed."""
    shape = start.shape
    m, v = [np.zeros(shape) for _ in decays["means"]], np.zeros(shape)
    r, c = ([0.0] * 3, [0.0] * 3)
    for g in gradients:
        m = [b * a + (1 - b) * g for b, a in zip(decays["means"], m, strict=True)]
        v = decays["squares"][0] * v + (1 - decays["squares"][0]) * g**2
        rows, columns = (np.mean(g**2, 1), np.mean(g**2, 0)) if len(shape) == 2 else (g**2, g**2)
        if len(shape) == 2 and shape[0] > shape[1]:  # the longest axis is averaged first
            rows, columns = columns, rows
        r = [b * a + (1 - b) * rows for b, a in zip(decays["factors"], r, strict=True)]
        c = [b * a + (1 - b) * columns for b, a in zip(decays["factors"], c, strict=True)]
    out = [g, start, *m, v, *(a / np.sqrt(v + 1e-6) for a in m), 1 / np.sqrt(v + 1e-6)]
    if len(shape) == 2:
        turn = shape[0] > shape[1]
        wide = [(a[None, :], b[:, None]) if turn else (a[:, None], b[None, :]) for a, b in zip(r, c, strict=True)]
        factor = [a * b / np.mean(a) for a, b in wide]
    else:
        wide = list(zip(r, c, strict=True))
        factor = c
    out += [g / np.sqrt(f + 1e-9) for f in factor]
    out += [a for a, _ in wide] + [b for _, b in wide]
    out += [1 / np.sqrt(a + 1e-8) for a, _ in wide] + [1 / np.sqrt(b + 1e-8) for _, b in wide]
    out += [a / np.sqrt(f + 1e-9) for a, f in zip(m, factor, strict=True)]
    x = np.array([np.broadcast_to(a, shape).ravel() for a in out])
    x = x / np.sqrt(1e-5 + np.mean(x**2, axis=1, keepdims=True))
    taus = [1, 3, 10, 30, 100, 300, 1000, 3000, 10000, 30000, 100000]
    times = [np.full(start.size, np.tanh((len(gradients) - 1) / tau - 1)) for tau in taus]
    return np.concatenate([x, times])


@pytest.mark.parametrize("shape", [(3, 2), (2, 3), (6,), (1,), ()])
def test_mlp_follows_the_equations_of_its_source(shape):
    rule, size = small("mlp", shapes=(shape,)), int(np.prod(shape))
    phi, theta = rule.init(np.random.default_rng(1)), np.random.default_rng(2).normal(size=size)
    decays = {name: [1 / (1 + np.exp(-x)) for x in logits] for name, logits in phi["decays"].items()}
    state, moved, gradients = rule.init_state(theta), theta, []
    for g in GRADIENTS[:, :size]:
        gradients.append(g.reshape(shape))
        update, state = rule(phi, g, state)
        x = source_features(gradients, moved.reshape(shape), decays)
        for layer in phi["layers"][:-1]:
            x = np.maximum(layer["W"] @ x + layer["b"], 0)
        direction, magnitude = phi["layers"][-1]["W"] @ x + phi["layers"][-1]["b"]
        np.testing.assert_allclose(update, -0.1 * direction * np.exp(0.001 * magnitude), rtol=1e-9, atol=1e-12)
        moved = moved + update


def test_mlp_has_197_parameters_and_the_decays_of_its_source():
    phi = MLP().init(np.random.default_rng(0))
    assert mg.tree.ravel(phi)[0].size == 197
    assert phi["layers"][0]["W"].shape == (4, 39)
    found = mg.tree.map(lambda logit: float(mg.sigmoid(logit)), phi["decays"])
    assert found["means"] == pytest.approx([0.9, 0.99, 0.999])
    assert found["squares"] == pytest.approx([0.999])
    assert found["factors"] == pytest.approx([0.9, 0.99, 0.999])


# ------------------------------------------------------------------------------------------ invariances


def test_features_of_plain_gradients_record_nothing_for_the_meta_gradient(monkeypatch):
    rule, kinds = small("feature-lstm"), []
    monkeypatch.setattr("l2l.optimizers.recurrent.chosen", lambda *args: kinds.append(x := module.chosen(*args)) or x)
    mg.grad(lambda phi: mg.sum(rule(phi, GRADIENTS[0], rule.init_state(GRADIENTS[0]))[0]))(some_phi(rule))
    assert type(kinds[0]) is np.ndarray


@pytest.mark.parametrize("name", ["rnnprop", "feature-lstm"])
def test_updates_do_not_depend_on_the_scale_of_f(name):
    rule = small(name)
    np.testing.assert_allclose(updates_of(rule, 1000.0 * GRADIENTS), updates_of(rule, GRADIENTS), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "order"),
    [
        ("feature-lstm", [5, 0, 3, 1, 2, 4, 8, 9, 7, 6]),  # any within a tensor
        ("mlp", [0, 1, 2, 3, 4, 5, 8, 9, 7, 6]),  # any within a vector
        ("mlp", [4, 5, 0, 1, 2, 3, 6, 7, 8, 9]),  # rows of a matrix
        ("mlp", [1, 0, 3, 2, 5, 4, 6, 7, 8, 9]),  # and its columns
    ],
)
def test_rule_is_equivariant_under_permutations_within_a_tensor(name, order):
    gradients, rule = GRADIENTS.copy(), small(name)
    gradients[0] = 1.0  # updates_of makes this θ_0 as well, which the MLP sees
    expected = updates_of(rule, gradients)[:, order]
    np.testing.assert_allclose(updates_of(rule, gradients[:, order]), expected, rtol=1e-8)


@pytest.mark.parametrize("name", TOLD)
def test_nothing_leaks_from_one_tensor_to_another(name):
    other = GRADIENTS.copy()
    other[2, 7] = 30.0
    before, after = updates_of(small(name), GRADIENTS), updates_of(small(name), other)
    np.testing.assert_array_equal(after[:, :6], before[:, :6])
    assert (after[2:, 6:] != before[2:, 6:]).all()  # a tensor's features are seen by all of its coordinates


def test_without_features_of_tensors_every_coordinate_is_alone():
    rule = small("feature-lstm", features=("momentum", "slow_momentum", "gradient", "trend", "progress", "time"))
    other = GRADIENTS.copy()
    other[2, 7] = 30.0
    changed = updates_of(rule, GRADIENTS) != updates_of(rule, other)
    assert changed[2:, 7].all()
    assert not np.delete(changed, 7, axis=1).any()


@pytest.mark.parametrize("name", TOLD)
def test_tensors_optimized_together_or_apart_take_the_same_steps(name):
    together = updates_of(small(name), GRADIENTS)
    apart = [
        updates_of(small(name, shapes=((3, 2),)), GRADIENTS[:, :6]),
        updates_of(small(name, shapes=((4,),)), GRADIENTS[:, 6:]),
    ]
    np.testing.assert_allclose(together, np.concatenate(apart, axis=1), rtol=1e-10)


@pytest.mark.parametrize("name", SMALL)
def test_update_has_the_shape_and_precision_of_the_gradient(name):
    for shape in ((3,), (2, 3), ()):
        for dtype in (np.float32, np.float64):
            theta = np.ones(shape, dtype)
            rule = small(name, shapes=(shape,), dtype="float32")
            phi = some_phi(rule)
            update, state = rule(phi, theta, rule.init_state(theta))
            update, _ = rule(phi, theta, state)
            assert (update.shape, update.dtype) == (shape, dtype)


@pytest.mark.parametrize("name", ["rnnprop", "feature-lstm"])
def test_fused_and_readable_cells_take_the_same_steps(name):
    fused, readable = (updates_of(small(name, dtype="float32", fused=choice), GRADIENTS) for choice in (True, False))
    np.testing.assert_allclose(fused, readable, rtol=1e-3, atol=1e-5)


# ------------------------------------------------------------------------------------------ global averaging cells

AVERAGING = SMALL["lstm-gac"]


def test_averaging_cells_put_out_their_mean_over_coordinates_and_keep_their_own_memory():
    phi, state = some_phi(AVERAGING), AVERAGING.init_state(GRADIENTS[0])
    h, c = (np.zeros((4, 10)),) * 2
    for gradient in GRADIENTS[:2]:
        _, state = AVERAGING(phi, gradient, state)
        h, c = mg.layers.lstm_cell(phi["layers"][0], log_sign(gradient, AVERAGING.p), h, c)
        h[2:] = h[2:].mean(axis=1, keepdims=True)
    np.testing.assert_allclose(state[0], (h, c), rtol=1e-12)
    assert np.ptp(h[2:], axis=1).max() < 1e-15 < np.ptp(c[2:], axis=1).min()


def test_averaging_over_one_coordinate_is_the_plain_lstm():
    plain = LSTM(hidden=(4, 3), dtype="float64", p=2.0, fused=False)
    np.testing.assert_allclose(updates_of(AVERAGING, GRADIENTS[:, :1]), updates_of(plain, GRADIENTS[:, :1]), rtol=1e-12)


def test_averaging_cells_tell_every_coordinate_of_the_others_in_any_order():
    other, order = GRADIENTS.copy(), np.roll(np.arange(10), 3)
    other[2, 7] = 30.0
    before = updates_of(AVERAGING, GRADIENTS)
    assert (updates_of(AVERAGING, other)[2:] != before[2:]).all()
    np.testing.assert_allclose(updates_of(AVERAGING, GRADIENTS[:, order]), before[:, order], rtol=1e-9)


# ------------------------------------------------------------------------------------------ learning them


def small_task():
    return replace(quadratic_task(), shapes=((2, 2), (2,)))


@pytest.mark.parametrize("name", SMALL)
def test_first_order_meta_gradient_equals_finite_differences_with_frozen_gradients(name):
    task, rule = small_task(), small(name, shapes=((2, 2), (2,)), steps=5)
    phi = some_phi(rule, seed=2)
    frozen = Recorder(rule, frozen_gradients(rule, phi, task))
    flat, unravel = mg.tree.ravel(phi)
    found = mg.tree.ravel(mg.grad(meta_loss_of(rule, task))(phi))[0]
    assert np.linalg.norm(found) > 0.1
    for seed in range(3):
        v = np.random.default_rng(seed).normal(size=flat.shape)
        numeric = directional(lambda x: meta_loss_of(frozen, task)(unravel(x)), flat, v, h=1e-4)
        assert found @ v == pytest.approx(numeric, rel=1e-6)


@pytest.mark.parametrize("name", SMALL)
def test_exact_meta_gradient_equals_plain_finite_differences(name):
    task, rule = small_task(), small(name, shapes=((2, 2), (2,)), steps=5)
    meta_loss = meta_loss_of(rule, task, second_derivatives=True)
    mg.check_gradients(meta_loss, some_phi(rule, seed=2), order=1, step=1e-4)


@pytest.mark.parametrize("name", SMALL)
def test_rule_learns(name):
    problem = Quadratic(dimension=5, functions=4)
    rule, rate = l2l.make_optimizer(name), {"mlp": 0.1}.get(name, 0.02)
    how = {"steps": 20, "unroll_length": 10, "validate_every": 10, "validation_tasks": 3, "meta_learning_rate": rate}
    training = l2l.train(problem, rule, episodes=10, **how)
    assert training.best < 0.7 * training.untrained["validation"]


@pytest.mark.parametrize("name", SMALL)
def test_rule_is_trained_in_groups_saved_and_used_on_a_loss_of_ones_own(name, tmp_path):
    def loss(theta):
        return mg.sum(mg.square(theta["a"] - 1.0)) + mg.sum(mg.square(theta["b"]))

    theta = {"a": np.zeros((2, 3)), "b": np.ones(4)}
    groups = Groups({"a": l2l.make_optimizer(name), "b": Adam(0.1)})
    how = {"steps": 4, "unroll_length": 2, "validation_tasks": 1}
    training = l2l.train(l2l.problem_of(loss, theta), groups, episodes=2, **how)
    l2l.save(tmp_path / "o.npz", groups, training.latest)
    rule, phi = l2l.load(tmp_path / "o.npz")
    _, losses = l2l.minimize(loss, theta, (rule, phi), steps=4)
    curves = l2l.compare(l2l.problem_of(loss, theta), {"it": (groups, training.latest)}, steps=4, repeats=1)
    np.testing.assert_array_equal(losses, curves["it"]["curves"][0])


@pytest.mark.parametrize("rule", [LSTM(), RNNProp(), FeatureLSTM(), MLP(), Groups({"a": MLP()})])
def test_rule_that_was_never_trained_is_not_used(rule):
    with pytest.raises(L2LError, match="has to be trained first: pass the φ"):
        l2l.minimize(lambda theta: mg.sum(theta["a"]), {"a": np.ones(2)}, rule)


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("feature-lstm", {"features": ("momentum", "loss")}, "features is momentum or slow_momentum or .*not 'loss'"),
        ("feature-lstm", {"features": ()}, "features names at least one of: momentum, slow_momentum"),
        ("feature-lstm", {"nominal": 0.0}, "nominal is a positive number"),
        ("feature-lstm", {"hidden": (3,) * 9}, "1 to 8 layers"),
        ("rnnprop", {"hidden": (3,) * 9}, "1 to 8 layers"),
        ("rnnprop", {"beta1": 1.0}, "beta1 is a number between 0 and 1"),
        ("lstm-gac", {"fused": True}, "no fused form"),
        ("lstm-gac", {"hidden": (20, 3)}, "averaged is at most 3, the units of the smallest layer"),
        ("mlp", {"scale": 0}, "scale is a positive number"),
    ],
)
def test_wrong_settings_name_the_right_ones(name, settings, message):
    with pytest.raises(L2LError, match=message):
        l2l.make_optimizer(name, **settings)


def test_features_are_chosen_by_text():
    assert l2l.make_optimizer("feature-lstm", features="gradient-tensor_trend").features == ("gradient", "tensor_trend")
