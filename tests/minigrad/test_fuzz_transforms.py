"""Wrong values wherever one can enter: each ends in a TypeError or ValueError that names it, or in a result."""

import re

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

import minigrad as mg

KINDS = ["f2", "f4", "f8", "g", "i1", "i8", "u4", "b", "c8", "c16", "O", "U1", "S1", "M8[s]"]
SHAPES = [(), (0,), (1,), (3,), (3, 1), (2, 3), (3, 3)]
ARRAYS = st.builds(lambda kind, shape: np.zeros(shape, kind), st.sampled_from(KINDS), st.sampled_from(SHAPES))
NUMBERS = st.floats(width=32) | st.integers(-(10**40), 10**40) | st.complex_numbers() | st.booleans()
LEAVES = st.one_of(
    ARRAYS, NUMBERS, st.none(), st.text(max_size=2), st.binary(max_size=2), st.just(len), st.builds(object)
)
KEYS = st.sampled_from(["a", "", 1, None])
TREES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner) | st.dictionaries(KEYS, inner, max_size=2),
)
ANYTHING = LEAVES | TREES  # of which few are leaves

X = np.array([0.5, 1.0, 2.0])


def square(x):
    return x * x


def total(x):
    return mg.sum(mg.tree.ravel(x)[0])


def total_of_floats(x):
    return total([leaf for leaf in mg.tree.flatten(x)[0] if isinstance(leaf, mg.Var)])


CALLS = {
    "grad, x": lambda any: mg.grad(total)(any),
    "grad, value": lambda any: mg.grad(lambda x: any)(X),
    "value_and_grad, pair": lambda any: mg.value_and_grad(lambda x: any, has_aux=True)(X),
    "value_and_grad, value of a pair": lambda any: mg.value_and_grad(lambda x: (any, None), has_aux=True)(X),
    "vjp, x": lambda any: mg.vjp(total, any)[1](1.0),
    "vjp, value": lambda any: mg.vjp(lambda x: any, X),
    "vjp, cotangent": lambda any: mg.vjp(square, X)[1](any),
    "jvp, v": lambda any: mg.jvp(square, X, any),
    "jvp, x and v": lambda any: mg.jvp(total, any, any),
    "jacobian, x": lambda any: mg.jacobian(lambda x: x)(any),
    "hessian, x": lambda any: mg.hessian(total)(any),
    "hvp, v": lambda any: mg.hvp(total, X, any),
    "hvp, x and v": lambda any: mg.hvp(total, any, any),
    "gauss_newton_product, v": lambda any: mg.gauss_newton_product(square, total, X, any),
    "gauss_newton_product, value": lambda any: mg.gauss_newton_product(lambda x: any, total, X, X),
    "fisher_product, v": lambda any: mg.fisher_product(lambda x: x.reshape(1, 3), X, any),
    "fisher_product, logits": lambda any: mg.fisher_product(lambda x: any, X, X),
    "empirical_fisher_product, v": lambda any: mg.empirical_fisher_product(square, X, any),
    "empirical_fisher_product, losses": lambda any: mg.empirical_fisher_product(lambda x: any, X, X),
    "check_gradients, x": lambda any: mg.check_gradients(total_of_floats, any),
    "check_gradients, value": lambda any: mg.check_gradients(lambda x: any, X),
    "known_gradient, value": lambda any: mg.grad(lambda x: mg.known_gradient(any, x, X))(X),
    "known_gradient, g": lambda any: mg.grad(lambda x: mg.known_gradient(1.0, x, any))(X),
    "tree.flatten": lambda any: mg.tree.flatten(any),
    "tree.map": lambda any: mg.tree.map(lambda leaf: leaf, any),
    "tree.ravel": lambda any: mg.tree.ravel(any),
    "unravel": lambda any: mg.tree.ravel({"a": X})[1](any),
    "one_hot, labels": lambda any: mg.one_hot(any, 3),
    "dropout, rate": lambda any: mg.dropout(X, any, np.random.default_rng(0)),
    "dropout, generator": lambda any: mg.dropout(X, 0.5, any),
    "cross_entropy, logits": lambda any: mg.grad(lambda x: mg.cross_entropy(any, np.arange(3)))(X),
    "cross_entropy, labels": lambda any: mg.grad(lambda x: mg.cross_entropy(x.reshape(1, 3), any))(X),
}


TREE = "part of a tree|keys of a tree"
RESULT = "f returned|grad needs a scalar|f must return a pair"
V = f"v must|v holds|{TREE}"
NAMED = {
    "x": f"this argument is|x must|nothing to differentiate|{TREE}",
    "v": V,
    "x and v": f"this argument is|{V}",
    "value": f"{RESULT}|value is",
    "value of a pair": RESULT,
    "pair": RESULT,
    "logits": f"{RESULT}|logits|labels must be",
    "losses": f"{RESULT}|losses must",
    "generator": "Generator",
    "g": "g must|g holds",
    "unravel": "vector of",
    "tree.flatten": TREE,
    "tree.map": TREE,
    "tree.ravel": f"{TREE}|DType",
}
"""How a message speaks of an argument, where that is not its name."""


def check(name, value):
    argument, message = name.rpartition(", ")[2], None
    try:
        with np.errstate(all="ignore"):  # of the values' own arithmetic
            CALLS[name](value)
    except mg.GradientError:  # the gradients at infinity, say, are not the finite differences
        assert name.startswith("check_gradients")
    except (TypeError, ValueError) as error:
        message = str(error)
    assert message is None or re.search(NAMED.get(argument, argument), message), message


@pytest.mark.parametrize("examples", [25, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", CALLS)
def test_wrong_values_are_named(name, examples):
    hypothesis.settings(max_examples=examples)(hypothesis.given(ANYTHING)(lambda value: check(name, value)))()


# ------------------------------------------------------------------------------------------ what was silent before


@pytest.mark.parametrize("y", [1, True, 1j, None, "a", [], {}, np.arange(3), object], ids=repr)
def test_value_that_is_not_a_float_array_is_refused_by_every_transform(y):
    for transform in (lambda f: mg.vjp(f, X), lambda f: mg.grad(f)(X), lambda f: mg.check_gradients(f, X)):
        with pytest.raises(TypeError, match="only floats can be differentiated, f returned"):
            transform(lambda x: y)


@pytest.mark.parametrize("v", [1.0, np.ones(1), np.ones((1, 3)), [X], None], ids=repr)
def test_hessian_is_not_multiplied_by_a_vector_of_another_shape(v):
    with pytest.raises(ValueError, match="v must have the shapes of x"):
        mg.hvp(total, X, v) if not isinstance(v, list) else mg.hvp(total, X, [*v, X])


@pytest.mark.parametrize("cotangent", [None, "1", 1j, object, [1.0, [2.0]]], ids=repr)
def test_cotangent_that_is_no_number_is_refused(cotangent):
    with pytest.raises(TypeError, match="a cotangent must hold real numbers, not .*: make it a float array"):
        mg.vjp(total, X)[1](cotangent)


def test_fisher_needs_examples_and_classes():
    with pytest.raises(ValueError, match=r"logits must return shape \(n, classes\), not \(3,\)"):
        mg.fisher_product(square, X, X)


def test_second_value_must_be_there_where_one_is_announced():
    with pytest.raises(TypeError, match="with has_aux=True f must return a pair"):
        mg.value_and_grad(total, has_aux=True)(X)


@pytest.mark.parametrize("nothing", [{"order": 0}, {"directions": 0}])
def test_check_that_would_check_nothing_is_refused(nothing):
    with pytest.raises(ValueError, match="nothing would be checked"):
        mg.check_gradients(total, X, **nothing)


@pytest.mark.parametrize("labels", [np.array([3, 0]), np.array([0, -1])])
def test_labels_outside_the_classes_are_refused(labels):
    with pytest.raises(ValueError, match="labels must be from 0 to 2 for 3 classes"):
        mg.cross_entropy(np.zeros((2, 3)), labels)


def test_labels_that_are_differentiated_are_refused():
    with pytest.raises(TypeError, match="cross_entropy takes an array of integer labels, not float64"):
        mg.grad(lambda labels: mg.cross_entropy(np.zeros((3, 3)), labels))(X)


@pytest.mark.parametrize(("g", "expected"), [(lambda y: y, 1.0), (lambda y: X, 0.0)], ids=["a Var, too", "constant"])
def test_second_argument_of_a_gate_counts_as_constant(g, expected):
    gradient = mg.grad(lambda y: mg.sum(mg.primitives["gate"](g(y), y)))(X)
    assert np.array_equal(gradient, np.full(3, expected))


# ------------------------------------------------------------------------------------------ after an exception


class UserError(Exception):
    pass


def nested(f, depth):
    """f, differentiated once more inside a sum for each level."""
    return f if depth == 1 else lambda x: mg.sum(mg.grad(nested(f, depth - 1))(x) * x)


def fails_in_forward(seen):
    def f(x):
        seen.append(x)
        raise UserError

    return f


def fails_in_rule(seen):
    def broken(g):
        raise UserError

    function = mg.core.traced(lambda x, /: np.sum(x), lambda y, x: broken)

    def f(x):
        seen.append(x)
        return function(x)

    return f


def fails_in_function(seen):
    def broken(x, /):
        raise UserError

    function = mg.core.traced(broken, lambda y, x: lambda g: g)

    def f(x):
        seen.append(x)
        return function(x)

    return f


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("faulty", [fails_in_forward, fails_in_rule, fails_in_function])
def test_no_tape_stays_open_after_an_exception(faulty, depth):
    seen = []
    with pytest.raises(UserError):
        mg.grad(nested(faulty(seen), depth))(X)
    var = seen[-1]
    levels = 0
    while type(var) is mg.Var:
        assert var.tape.closed
        var, levels = var.value, levels + 1
    assert levels == depth
    with pytest.raises(mg.EscapedVarError):
        seen[-1] + 1.0
    assert np.array_equal(mg.grad(nested(lambda x: mg.sum(x**3.0), depth))(X), mg.grad(nested(cube, depth))(X))


def cube(x):
    return mg.sum(x * x * x)
