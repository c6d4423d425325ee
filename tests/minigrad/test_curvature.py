"""Transforms and curvature products, against matrices formed one derivative at a time."""

import numpy as np
import pytest

import minigrad as mg

RNG = np.random.default_rng(0)
X = RNG.normal(size=4)
V = RNG.normal(size=4)
INPUTS = RNG.normal(size=(6, 3))
LABELS = np.array([0, 1, 1, 0, 1, 0])
TREE = {"W": RNG.normal(size=(3, 2)), "b": RNG.normal(size=2)}
DIRECTION = {"W": RNG.normal(size=(3, 2)), "b": RNG.normal(size=2)}


def vector_function(x):
    return mg.stack([mg.tanh(x[0] * x[1]), mg.exp(x[2]) * x[3], mg.sum(mg.square(x))])


def scalar_function(x):
    return mg.sum(mg.sin(x) * x[::-1]) + mg.exp(x[0] * x[1])


def logits(weights):
    return mg.tanh(INPUTS @ weights["W"]) + weights["b"]


def cross_entropy(outputs):
    return mg.cross_entropy(outputs, LABELS)


def flat(tree):
    return mg.tree.ravel(tree)[0]


def of_vector(f):
    unravel = mg.tree.ravel(TREE)[1]
    return lambda vector: f(unravel(vector))


def numeric_jacobian(f, x, h=1e-5):
    columns = [(f(x + h * e) - f(x - h * e)) / (2 * h) for e in np.eye(x.size)]
    return np.stack(columns, axis=-1)


def test_jacobian_equals_finite_differences():
    np.testing.assert_allclose(mg.jacobian(vector_function)(X), numeric_jacobian(vector_function, X), rtol=1e-8)


def test_jacobian_of_a_matrix_function_has_both_shapes():
    jacobian = mg.jacobian(lambda x: mg.outer(x, x))(X)
    assert jacobian.shape == (4, 4, 4)
    np.testing.assert_allclose(jacobian[1, 2], X[2] * np.eye(4)[1] + X[1] * np.eye(4)[2])


def test_jacobian_of_an_empty_result():
    assert mg.jacobian(lambda x: x[:0])(X).shape == (0, 4)


def test_jvp_is_the_jacobian_times_v():
    value, product = mg.jvp(vector_function, X, V)
    np.testing.assert_array_equal(value, vector_function(X))
    np.testing.assert_allclose(product, mg.jacobian(vector_function)(X) @ V, rtol=1e-12)


def test_jvp_of_a_tree():
    _, product = mg.jvp(logits, TREE, DIRECTION)
    h = 1e-6
    ahead, behind = ({k: TREE[k] + s * h * DIRECTION[k] for k in TREE} for s in (1, -1))
    np.testing.assert_allclose(product, (logits(ahead) - logits(behind)) / (2 * h), rtol=1e-7)


def test_jvp_names_shapes_that_do_not_match():
    with pytest.raises(ValueError, match=r"\(4,\).*\(3,\)"):
        mg.jvp(vector_function, X, V[:3])


def test_jvp_and_hvp_are_differentiable():
    mg.check_gradients(lambda x: mg.jvp(vector_function, x, V)[1], X, order=1)
    mg.check_gradients(lambda x: mg.hvp(scalar_function, x, V), X, order=1)


def test_hessian_is_symmetric_and_equals_finite_differences_of_the_gradient():
    hessian = mg.hessian(scalar_function)(X)
    np.testing.assert_allclose(hessian, hessian.T, rtol=1e-12)
    np.testing.assert_allclose(hessian, numeric_jacobian(mg.grad(scalar_function), X), rtol=1e-7, atol=1e-9)


def test_hvp_is_the_hessian_times_v():
    np.testing.assert_allclose(mg.hvp(scalar_function, X, V), mg.hessian(scalar_function)(X) @ V, rtol=1e-12)


def test_hvp_of_a_tree_has_its_structure():
    product = mg.hvp(lambda w: cross_entropy(logits(w)), TREE, DIRECTION)
    hessian = mg.hessian(of_vector(lambda w: cross_entropy(logits(w))))(flat(TREE))
    np.testing.assert_allclose(flat(product), hessian @ flat(DIRECTION), rtol=1e-10)


def test_gauss_newton_product_is_j_h_j():
    product = mg.gauss_newton_product(logits, cross_entropy, TREE, DIRECTION)
    J = mg.jacobian(of_vector(logits))(flat(TREE)).reshape(12, 8)
    H = mg.hessian(cross_entropy)(logits(TREE)).reshape(12, 12)
    np.testing.assert_allclose(flat(product), J.T @ H @ J @ flat(DIRECTION), rtol=1e-10)


def test_gauss_newton_is_the_hessian_where_the_model_is_linear():
    def linear(w):
        return INPUTS @ w["W"] + w["b"]

    product = mg.gauss_newton_product(linear, cross_entropy, TREE, DIRECTION)
    np.testing.assert_allclose(
        flat(product), flat(mg.hvp(lambda w: cross_entropy(linear(w)), TREE, DIRECTION)), rtol=1e-10
    )


def log_likelihood_gradient(i, label):
    return mg.grad(of_vector(lambda w: mg.log_softmax(logits(w))[i, label]))(flat(TREE))


def test_fisher_product_is_the_expectation_over_the_models_own_labels():
    p = np.exp(mg.log_softmax(logits(TREE)))
    fisher = np.zeros((8, 8))
    for i in range(6):
        for label in range(2):
            g = log_likelihood_gradient(i, label)
            fisher += p[i, label] * np.outer(g, g) / 6
    np.testing.assert_allclose(flat(mg.fisher_product(logits, TREE, DIRECTION)), fisher @ flat(DIRECTION), rtol=1e-10)


def test_fisher_equals_gauss_newton_for_cross_entropy_of_logits():
    np.testing.assert_allclose(
        flat(mg.fisher_product(logits, TREE, DIRECTION)),
        flat(mg.gauss_newton_product(logits, cross_entropy, TREE, DIRECTION)),
        rtol=1e-10,
    )


def losses(weights):
    return -mg.log_softmax(logits(weights))[np.arange(6), LABELS]


def test_empirical_fisher_is_the_mean_outer_product_at_the_observed_labels():
    gradients = np.stack([log_likelihood_gradient(i, LABELS[i]) for i in range(6)])
    expected = gradients.T @ gradients @ flat(DIRECTION) / 6
    product = flat(mg.empirical_fisher_product(losses, TREE, DIRECTION))
    np.testing.assert_allclose(product, expected, rtol=1e-10)
    assert not np.allclose(product, flat(mg.fisher_product(logits, TREE, DIRECTION)), rtol=0.05)


def test_empirical_fisher_needs_a_loss_per_example():
    with pytest.raises(ValueError, match=r"one number per example"):
        mg.empirical_fisher_product(logits, TREE, DIRECTION)


# ------------------------------------------------------------------------------------------ checkpoint


def layer(tree):
    return mg.tanh(tree["x"] @ tree["W"])


def test_checkpoint_changes_neither_value_nor_derivatives():
    tree = {"x": RNG.normal(size=(2, 3)), "W": RNG.normal(size=(3, 3))}
    np.testing.assert_array_equal(mg.checkpoint(layer)(tree), layer(tree))
    mg.check_gradients(mg.checkpoint(layer), tree)
    plain, recomputed = (flat(mg.grad(lambda t, f=f: mg.sum(f(t)))(tree)) for f in (layer, mg.checkpoint(layer)))
    np.testing.assert_array_equal(plain, recomputed)


def test_checkpoint_computes_again_instead_of_keeping():
    calls = []

    def counted(x):
        calls.append(type(x))
        return mg.exp(mg.exp(x))

    mg.grad(lambda x: mg.sum(mg.checkpoint(counted)(x)))(np.ones(2))
    assert calls == [np.ndarray, mg.Var]


def test_checkpoint_refuses_a_var_that_is_not_in_its_argument():
    with pytest.raises(ValueError, match="closes over a Var: pass it in"):
        mg.grad(lambda x: mg.sum(mg.checkpoint(lambda y: y * x)(np.ones(2))))(np.ones(2))


def mixed_layer(tree):
    """A tree of two dtypes and a count, from such a tree."""
    y = mg.tanh(tree["W"] @ tree["x"])
    return {"y": y, "sums": [mg.astype(mg.sum(y, 0), np.float32) * tree["scale"]], "count": tree["count"] + 1}


MIXED = {"x": RNG.normal(size=(3, 2)), "W": RNG.normal(size=(3, 3)), "scale": np.float32([2.0, 3.0]), "count": 7}


def test_checkpoint_takes_and_returns_trees_of_several_dtypes_whose_integers_are_constants():
    plain, recomputed = (f(MIXED) for f in (mixed_layer, mg.checkpoint(mixed_layer)))
    assert recomputed["count"] == 8
    for a, b in zip(mg.tree.flatten(plain)[0], mg.tree.flatten(recomputed)[0], strict=True):
        assert np.asarray(a).dtype == np.asarray(b).dtype
        np.testing.assert_array_equal(a, b)


def test_derivatives_through_two_checkpointed_trees_are_those_without():
    def loss(f, floats):
        tree = {**floats, "count": 7}
        between = f(tree)
        after = f({**tree, "x": between["y"], "count": between["count"]})
        return mg.sum(after["y"] ** 2.0) * after["count"] + mg.sum(mg.astype(between["sums"][0], float))

    floats = {name: leaf for name, leaf in MIXED.items() if name != "count"}
    plain, recomputed = (mg.grad(lambda t, f=f: loss(f, t))(floats) for f in (mixed_layer, mg.checkpoint(mixed_layer)))
    assert {name: leaf.dtype for name, leaf in recomputed.items()} == {name: x.dtype for name, x in floats.items()}
    np.testing.assert_allclose(flat(recomputed), flat(plain), rtol=1e-6)


def test_checkpoint_of_a_function_with_several_results_has_second_derivatives():
    def squares(tree):
        y = layer(tree)
        return y, [mg.sum(y * tree["x"])]

    def loss(tree):
        y, (total,) = mg.checkpoint(squares)(tree)
        return mg.sum(y**3.0) * total

    mg.check_gradients(loss, {"x": RNG.normal(size=(2, 3)), "W": RNG.normal(size=(3, 3))})
