"""Functions composed of primitives: the shapes of NumPy, the layers, and trees of arrays."""

import numpy as np
import pytest

import minigrad as mg

X = np.random.default_rng(0).normal(size=(2, 3, 4))
Y = np.random.default_rng(1).normal(size=(2, 3, 4))
I = np.array([[[0, 2, 1, 1]], [[2, 2, 0, 1]]])  # noqa: E741

# (ours, NumPy's, arguments)
COMPOSITIONS = {
    "concatenate": (lambda x, y: mg.concatenate([x, y], 1), lambda x, y: np.concatenate([x, y], 1), (X, Y)),
    "stack": (lambda x, y: mg.stack([x, y], -1), lambda x, y: np.stack([x, y], -1), (X, Y)),
    "split": (lambda x: mg.stack(mg.split(x, 2, -1)), lambda x: np.stack(np.split(x, 2, -1)), (X,)),
    "split into more": (lambda x: mg.split(x, 4, -1)[2], lambda x: np.split(x, 4, -1)[2], (X,)),
    "split at": (lambda x: mg.split(x, [1], 1)[1], lambda x: np.split(x, [1], 1)[1], (X,)),
    "expand_dims": (lambda x: mg.expand_dims(x, -1), lambda x: np.expand_dims(x, -1), (X,)),
    "squeeze": (lambda x: mg.squeeze(x[:, :1]), lambda x: np.squeeze(x[:, :1]), (X,)),
    "squeeze axis": (lambda x: mg.squeeze(x[:, :1], -2), lambda x: np.squeeze(x[:, :1], -2), (X,)),
    "moveaxis": (lambda x: mg.moveaxis(x, 0, -1), lambda x: np.moveaxis(x, 0, -1), (X,)),
    "swapaxes": (lambda x: mg.swapaxes(x, 0, -1), lambda x: np.swapaxes(x, 0, -1), (X,)),
    "take": (lambda x: mg.take(x, [[1, 0], [2, 2]], 1), lambda x: np.take(x, [[1, 0], [2, 2]], 1), (X,)),
    "take last": (lambda x: mg.take(x, [1, 1, 0], -1), lambda x: np.take(x, [1, 1, 0], -1), (X,)),
    "take flat": (lambda x: mg.take(x, [3, 3, 0]), lambda x: np.take(x, [3, 3, 0]), (X,)),
    "take_along_axis": (
        lambda x: mg.take_along_axis(x, I, 1),
        lambda x: np.take_along_axis(x, I, 1),
        (X,),
    ),
    "ravel": (mg.ravel, np.ravel, (X,)),
    "dot": (mg.dot, np.dot, (X[0], Y[0].T)),
    "dot of vectors": (mg.dot, np.dot, (X[0, 0], Y[0, 0])),
    "dot of a matrix and a vector": (mg.dot, np.dot, (X[0], Y[0, 0])),
    "dot of a number": (mg.dot, np.dot, (np.float64(3.0), X)),
    "dot with a number": (mg.dot, np.dot, (X, np.float64(3.0))),
    "outer": (mg.outer, np.outer, (X[0], Y[0])),
}


@pytest.mark.parametrize("name", COMPOSITIONS)
def test_composition_equals_numpy_and_has_two_derivatives(name):
    ours, theirs, args = COMPOSITIONS[name]
    np.testing.assert_array_equal(ours(*args), theirs(*args))
    mg.check_gradients(ours, *args)


@pytest.mark.parametrize("destination", [-3, -2, -1, 0, 1, 2])
@pytest.mark.parametrize("source", [-3, -2, -1, 0, 1, 2])
def test_moveaxis_takes_every_pair_of_axes(source, destination):
    np.testing.assert_array_equal(mg.moveaxis(X, source, destination), np.moveaxis(X, source, destination))
    mg.check_gradients(lambda x: mg.moveaxis(x, source, destination), X, order=1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mg.split(X, 3, -1), "length 4 cannot be split into 3"),
        (lambda: mg.squeeze(X, 0), r"length 1.*\(2, 3, 4\)"),
        (lambda: mg.dot(X, Y), r"\(2, 3, 4\).*matmul"),
        (lambda: mg.dot(X, Y[0, 0]), r"\(2, 3, 4\) and \(4,\): use matmul"),
        (lambda: mg.dot(X[0, 0], Y), r"\(4,\) and \(2, 3, 4\): use matmul"),
        (lambda: mg.tensordot(X, Y, ([1], [2])), r"equal lengths, not \(3,\) of x and \(4,\) of y"),
        (lambda: mg.diag(X), r"\(2, 3, 4\): use einsum"),
        (lambda: mg.layer_norm(X, Y[0, 0], Y[0, 0, :3]), r"\(2, 3, 4\) with \(4,\) and \(3,\)"),
        (lambda: mg.cross_entropy(X, np.zeros(2, int)), r"\(2, 3, 4\).*\(2,\)"),
        (lambda: mg.matmul(X, Y), r"\(2, 3, 4\) and \(2, 3, 4\)"),
        (lambda: mg.matmul(X[0, :1], Y[0, :1]), r"\(1, 4\) and \(1, 4\)"),
        (lambda: mg.matmul(X[0, :, :1], Y[0, :2]), r"\(3, 1\) and \(2, 4\)"),
        (lambda: mg.add(X, Y[:, :2]), r"\(2,3,4\) \(2,2,4\)"),
    ],
)
def test_wrong_shapes_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("k", range(-4, 6))
@pytest.mark.parametrize("shape", [(2, 5), (4, 2), (3, 3)], ids=str)
def test_every_diagonal_of_a_wide_a_tall_and_a_square_matrix_is_numpys(shape, k):
    x = np.random.default_rng(0).normal(size=shape)
    np.testing.assert_array_equal(mg.diag(x, k), np.diag(x, k), strict=True)
    np.testing.assert_allclose(mg.trace(x, k), np.trace(x, k), rtol=1e-14)


def test_diagonal_is_the_main_one_unless_another_is_asked_for():
    np.testing.assert_array_equal(mg.diag(X[0]), np.diag(X[0]))


# ------------------------------------------------------------------------------------------ layers


def lstm_weights(rng, inputs, hidden):
    return {"W": rng.normal(size=(4, hidden, inputs + hidden)), "b": rng.normal(size=(4, hidden, 1))}


def test_dense_is_an_affine_map_of_every_row():
    weights = {"W": X[0].T, "b": np.array([1.0, 2.0, 3.0])}
    np.testing.assert_allclose(mg.layers.dense(weights, Y[1]), Y[1] @ X[0].T + [1.0, 2.0, 3.0])


def test_lstm_cell_equals_its_equations_one_number_at_a_time():
    rng = np.random.default_rng(0)
    w, x, h, c = lstm_weights(rng, 2, 3), rng.normal(size=(2, 5)), rng.normal(size=(3, 5)), rng.normal(size=(3, 5))
    new_h, new_c = mg.layers.lstm_cell(w, x, h, c)
    for n in range(5):
        for k in range(3):
            both = [*x[:, n], *h[:, n]]
            i, f, g, o = (w["W"][j, k] @ both + w["b"][j, k, 0] for j in range(4))
            i, f, o = (1 / (1 + np.exp(-z)) for z in (i, f, o))
            cell = f * c[k, n] + i * np.tanh(g)
            assert new_c[k, n] == pytest.approx(cell, rel=1e-12)
            assert new_h[k, n] == pytest.approx(o * np.tanh(cell), rel=1e-12)


def test_lstm_cell_has_two_derivatives_over_two_steps():
    rng = np.random.default_rng(0)

    def two_steps(weights, x, h, c):
        h, c = mg.layers.lstm_cell(weights, x, h, c)
        h, c = mg.layers.lstm_cell(weights, x * h[:1], h, c)
        return mg.concatenate([h, c])

    args = lstm_weights(rng, 2, 2), rng.normal(size=(2, 3)), rng.normal(size=(2, 3)), rng.normal(size=(2, 3))
    mg.check_gradients(two_steps, *args, step=3e-3)


# ------------------------------------------------------------------------------------------ trees


def test_ravel_and_unravel_are_inverse():
    tree = {"b": [np.arange(3.0), (np.float64(7.0), np.ones((2, 2)))], "a": np.zeros((1, 2)), "none": None}
    vector, unravel = mg.tree.ravel(tree)
    np.testing.assert_array_equal(vector, [0, 0, 0, 1, 2, 7, 1, 1, 1, 1])
    back = unravel(vector)
    assert back["none"] is None
    assert back["b"][1][0] == 7.0
    np.testing.assert_array_equal(back["b"][1][1], np.ones((2, 2)))
    np.testing.assert_array_equal(mg.tree.ravel(back)[0], vector)


def test_ravel_of_an_empty_tree():
    vector, unravel = mg.tree.ravel({})
    assert vector.shape == (0,)
    assert unravel(vector) == {}


def test_ravel_and_unravel_are_differentiable():
    tree = {"a": X[0], "b": [Y[0, 0], np.float64(2.0)]}
    vector, unravel = mg.tree.ravel(tree)
    mg.check_gradients(lambda tree: mg.square(mg.tree.ravel(tree)[0]), tree)
    mg.check_gradients(lambda v: mg.sum(unravel(v)["a"] ** 2.0) * unravel(v)["b"][1], vector)


def test_unravel_names_the_length_it_needs():
    _, unravel = mg.tree.ravel([np.ones(2), np.ones(3)])
    with pytest.raises(ValueError, match=r"\(5,\).*\(4,\)"):
        unravel(np.ones(4))


def test_equal_dictionaries_flatten_equally():
    assert mg.tree.flatten({"a": 1, "b": 2})[0] == mg.tree.flatten({"b": 2, "a": 1})[0] == [1, 2]


@pytest.mark.parametrize("tree", [{1, 2}, {1: np.ones(2)}, "text", (x for x in [1.0])])
def test_what_cannot_be_a_tree_is_refused(tree):
    with pytest.raises(TypeError, match="tree"):
        mg.tree.flatten(tree)
