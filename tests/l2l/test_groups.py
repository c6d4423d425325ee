"""Several optimizers in one model, each with a φ and a state of its own for its part of θ."""

import numpy as np
import pytest

import l2l
import minigrad as mg
from l2l.errors import L2LError
from l2l.evaluation import run
from l2l.optimizers import LSTM, Adam, Groups, KernelLSTM, Newton, fitted
from l2l.problems import Ensemble, Quadratic, Simple, Task, draw_task
from l2l.unrolling import unroll
from tests.conftest import some_phi, updates_of

SHAPES = Ensemble({"a": Quadratic(dimension=3, functions=1), "b": Quadratic(dimension=2, functions=2)})
MIXED = Groups({"a": LSTM(hidden=(3,)), "b": Adam(0.05)})


def trained_phi(groups):
    return {part: some_phi(rule, seed) for seed, (part, rule) in enumerate(groups.groups.items())}


def test_every_part_takes_the_steps_that_its_rule_takes_alone():
    task = draw_task(SHAPES, "train", 0, 0)
    phi, rule = trained_phi(MIXED), fitted(MIXED, task, 6)
    gradients = np.random.default_rng(0).normal(size=(6, 7)).astype(np.float32)
    state, parts = rule.init_state(task.theta), {"a": slice(0, 3), "b": slice(3, 7)}
    alone = {part: MIXED.groups[part].init_state(task.theta[where]) for part, where in parts.items()}
    for gradient in gradients:
        update, state = rule(phi, gradient, state)
        for part, where in parts.items():
            expected, alone[part] = MIXED.groups[part](phi[part], gradient[where], alone[part])
            np.testing.assert_array_equal(update[where], expected)


def test_order_in_which_groups_are_given_does_not_matter():
    turned = Groups(dict(reversed(MIXED.groups.items())))
    phi = trained_phi(MIXED)
    losses = [run(groups, phi, SHAPES, "test", 0, 2, 5) for groups in (MIXED, turned)]
    np.testing.assert_array_equal(*losses)


@pytest.mark.parametrize("second_derivatives", [False, True])
def test_meta_gradient_of_the_groups_is_that_of_each_where_the_parts_do_not_meet(second_derivatives):
    groups = Groups({"a": LSTM(hidden=(3,), dtype="float64"), "b": Adam(0.05)})
    task, phi = draw_task(SHAPES, "train", 0, 0), trained_phi(groups)
    task = Task(task.theta.astype(float), task.loss, task.next_batch, parts=task.parts)
    rule = fitted(groups, task, 4)

    def meta_loss(phi):
        start = task.theta, rule.init_state(task.theta)
        return unroll(rule, phi, task, *start, [1.0] * 4, second_derivatives)[0]

    def alone(part, where):
        def loss(theta, batch):
            pieces = [theta if where.start == start else task.theta[start:end] for start, end in ((0, 3), (3, 7))]
            return task.loss(mg.concatenate(pieces), batch)

        one = Task(task.theta[where], loss, task.next_batch)
        optimizer = groups.groups[part]
        return lambda phi: unroll(
            optimizer, phi, one, one.theta, optimizer.init_state(one.theta), [1.0] * 4, second_derivatives
        )[0]

    found = mg.grad(meta_loss)(phi)
    for part, where in (("a", slice(0, 3)), ("b", slice(3, 7))):
        expected = mg.tree.ravel(mg.grad(alone(part, where))(phi[part]))[0]
        np.testing.assert_allclose(mg.tree.ravel(found[part])[0], expected, rtol=1e-9, atol=1e-12)


def test_meta_training_moves_all_of_phi_and_keeps_its_precisions():
    training = l2l.train(SHAPES, MIXED, episodes=2, steps=6, unroll_length=3, validate_every=1, validation_tasks=1)
    for part in MIXED.groups:
        before, after = (mg.tree.flatten(tree[part])[0] for tree in (training.initial, training.latest))
        assert [leaf.dtype for leaf in before] == [leaf.dtype for leaf in after]
        assert not np.array_equal(mg.tree.ravel(before)[0], mg.tree.ravel(after)[0])


def test_saved_groups_come_back_with_their_rules(tmp_path):
    groups = Groups({"conv": KernelLSTM(hidden=(4,), kernel=(3, 3)), "rest": LSTM(hidden=(2,)), "x": Adam(0.5)})
    l2l.save(tmp_path / "o.npz", groups, trained_phi(groups))
    loaded, phi = l2l.load(tmp_path / "o.npz")
    assert loaded == groups
    for a, b in zip(mg.tree.flatten(trained_phi(groups))[0], mg.tree.flatten(phi)[0], strict=True):
        np.testing.assert_array_equal(a, b)


def test_theta_that_is_a_dict_has_its_keys_as_parts():
    def loss(theta):
        return mg.sum(theta["a"] ** 2.0) + mg.sum(theta["b"] ** 2.0)

    start = {"b": np.ones((2, 2)), "a": np.ones(3)}
    theta, _ = l2l.minimize(
        loss, start, Groups({"a": l2l.make_optimizer("sgd", learning_rate=0.5), "b": Adam(0.01)}), steps=1
    )
    np.testing.assert_array_equal(theta["a"], 0.0)
    np.testing.assert_allclose(theta["b"], 0.99)


def test_groups_with_an_lstm_have_to_be_trained_first():
    with pytest.raises(L2LError, match="trained first"):
        l2l.minimize(lambda theta: mg.sum(theta["a"]), {"a": np.ones(2)}, Groups({"a": LSTM()}))


@pytest.mark.parametrize(
    ("groups", "problem", "message"),
    [
        (
            {"a": Adam()},
            SHAPES,
            "the parts of this θ are: a, b; give exactly these a rule, not: a",
        ),
        ({"a": Adam(), "b": Adam(), "c": Adam()}, SHAPES, "not: a, b, c"),
        ({"a": Adam()}, Quadratic(), "this θ has no parts: use one rule"),
        ({}, SHAPES, "not: none"),
        ({}, Quadratic(), "this θ has no parts: use one rule for all of it, not groups"),
    ],
)
def test_groups_that_are_not_the_parts_are_refused(groups, problem, message):
    with pytest.raises(L2LError, match=message):
        run(Groups(groups), {name: rule.init() for name, rule in groups.items()}, problem, "test", 0, 1, 1)


@pytest.mark.parametrize("rule", [Newton(), Groups({})])
def test_rule_that_needs_all_of_theta_cannot_be_in_a_group(rule):
    with pytest.raises(L2LError, match="group 'a' is one part of θ"):
        Groups({"a": rule})


def test_groups_that_were_not_fitted_say_so():
    with pytest.raises(L2LError, match=r"take l2l.optimizers.fitted\(groups, task, steps\)"):
        MIXED.init_state(np.zeros(7))


def test_groups_are_made_from_a_dict_or_from_text():
    wanted = Groups({"a": LSTM(p=5.0, scale=0.01), "b": Adam(0.1)})
    made = l2l.make_optimizer("groups", groups={"a": LSTM(p=5.0, scale=0.01), "b": ("adam", {"learning_rate": 0.1})})
    assert made == wanted
    assert l2l.make_optimizer("groups", groups="a=lstm:preset=deepmind,b=adam:learning_rate=0.1") == wanted


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ("a=lstm,a=adam", "groups has a name twice"),
        ("a=lstm:p", "optimizers are written NAME or NAME:OPTION=VALUE, not with 'p'"),
        ("a", "no optimizer ''"),
        (3, "groups is a dict of names and optimizers, not 3"),
        ({"a": 3}, "groups is a dict of names and optimizers, not 3 in it"),
        ({"a": ("adam",)}, "groups is a dict of names and optimizers, not"),
        ({"a": Simple()}, "not Simple"),
    ],
)
def test_wrong_groups_are_refused(groups, message):
    with pytest.raises(L2LError, match=message):
        l2l.make_optimizer("groups", groups=groups)


# ------------------------------------------------------------------------------------------ whole kernels


GRADIENTS = np.random.default_rng(0).normal(size=(5, 12)).astype(np.float32)


def test_kernel_of_one_number_is_the_coordinatewise_lstm():
    kernel, single = KernelLSTM(hidden=(4, 3), kernel=(1, 1)), LSTM(hidden=(4, 3), fused=False)
    np.testing.assert_array_equal(updates_of(kernel, GRADIENTS), updates_of(single, GRADIENTS))


def test_update_depends_on_all_of_its_kernel_and_on_nothing_else():
    optimizer, other = KernelLSTM(hidden=(4,), kernel=(2, 3)), GRADIENTS.copy()
    other[0, 1] += 1.0
    changed = updates_of(optimizer, GRADIENTS) != updates_of(optimizer, other)
    assert changed[:, :6].all()
    assert not changed[:, 6:].any()


def test_kernels_share_phi():
    optimizer = KernelLSTM(hidden=(4,), kernel=(2, 3))
    turned = np.roll(GRADIENTS, 6, axis=1)
    np.testing.assert_allclose(
        updates_of(optimizer, turned), np.roll(updates_of(optimizer, GRADIENTS), 6, axis=1), rtol=1e-5
    )


def test_kernel_lstm_has_an_exact_meta_gradient():
    optimizer = KernelLSTM(hidden=(3,), kernel=(1, 2), dtype="float64", p=2.0)
    task = draw_task(Quadratic(dimension=2, functions=2), "train", 0, 0)
    task = Task(np.random.default_rng(1).normal(size=4), task.loss)

    def meta_loss(phi):
        start = task.theta, optimizer.init_state(task.theta)
        return unroll(optimizer, phi, task, *start, [1.0] * 3, second_derivatives=True)[0]

    mg.check_gradients(meta_loss, some_phi(optimizer), order=1, step=1e-3)


def test_theta_that_is_not_made_of_kernels_is_refused():
    with pytest.raises(L2LError, match="12 coordinates cannot be kernels of 5×5"):
        KernelLSTM().init_state(GRADIENTS[0])


@pytest.mark.parametrize(
    ("settings", "message"), [({"kernel": (5,)}, "rows and columns"), ({"fused": True}, "no fused form")]
)
def test_wrong_kernels_are_refused(settings, message):
    with pytest.raises(L2LError, match=message):
        KernelLSTM(**settings)
