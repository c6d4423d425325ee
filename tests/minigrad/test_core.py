"""The transforms: nesting, trees, errors, and which rules keep an input alive."""

import weakref
from typing import NamedTuple

import numpy as np
import pytest

import minigrad as mg


def cube(x):
    return x * x * x


def test_grad_of_a_scalar_function():
    assert mg.grad(cube)(2.0) == 12.0


def test_grad_nests_to_any_order():
    assert mg.grad(mg.grad(cube))(2.0) == 12.0
    assert mg.grad(mg.grad(mg.grad(cube)))(2.0) == 6.0
    assert mg.grad(mg.grad(mg.grad(mg.grad(cube))))(2.0) == 0.0


def test_inner_derivative_does_not_see_the_outer_variable():
    # d/dx [x · d/dy (x + y)] = d/dx [x · 1]: an engine that confuses the two tapes answers 2.
    assert mg.grad(lambda x: x * mg.grad(lambda y: x + y)(1.0))(1.0) == 1.0


@pytest.mark.parametrize("product", [lambda a, b: a * b, lambda a, b: b * a])
def test_of_two_arguments_one_may_depend_on_the_outer_variable_alone(product):
    assert mg.grad(lambda x: mg.grad(lambda y: product(y * x, y * 2.0))(3.0))(1.0) == 12.0


@pytest.mark.parametrize("join", [lambda x, y: [x, y * y], lambda x, y: [y * y, x]])
def test_of_several_arguments_the_youngest_tape_watches(join):
    assert mg.grad(lambda x: x * mg.grad(lambda y: mg.sum(mg.stack(join(x, y))))(1.0))(1.0) == 2.0


def test_value_and_grad_returns_both():
    value, gradient = mg.value_and_grad(lambda x: mg.sum(mg.square(x)))(np.array([1.0, 2.0]))
    assert value == 5.0
    np.testing.assert_array_equal(gradient, [2.0, 4.0])


def test_gradient_has_the_structure_of_the_argument():
    def f(tree):
        return mg.sum(tree["a"] * 2.0) + tree["b"][0] * tree["b"][1]

    gradient = mg.grad(f)({"a": np.ones(3), "b": (np.float64(2.0), [np.float64(5.0)][0])})
    np.testing.assert_array_equal(gradient["a"], [2.0, 2.0, 2.0])
    assert gradient["b"] == (5.0, 2.0)


class Pair(NamedTuple):
    a: np.ndarray
    b: tuple


def test_gradient_of_a_named_tuple_is_one():
    gradient = mg.grad(lambda pair: mg.sum(pair.a * pair.b[0]))(Pair(np.ones(2), (np.float64(3.0),)))
    assert type(gradient) is Pair
    np.testing.assert_array_equal(gradient.a, [3.0, 3.0])
    assert gradient.b == (2.0,)


def test_further_arguments_are_passed_on_undifferentiated():
    assert mg.grad(lambda x, y, z=1.0: x * y * z)(2.0, 3.0, z=4.0) == 12.0


def test_has_aux_returns_what_else_the_function_computes():
    (value, aux), gradient = mg.value_and_grad(lambda x: (x * x, "more"), has_aux=True)(3.0)
    assert (value, aux, gradient) == (9.0, "more", 6.0)


def test_vjp_of_a_vector_function():
    value, pullback = mg.vjp(lambda x: x * np.array([1.0, 2.0, 3.0]), 2.0)
    np.testing.assert_array_equal(value, [2.0, 4.0, 6.0])
    assert pullback(np.array([1.0, 0.0, 1.0])) == 4.0


def test_pullback_can_be_called_again():
    _, pullback = mg.vjp(cube, 2.0)
    assert (pullback(1.0), pullback(1.0), pullback(-2.0)) == (12.0, 12.0, -24.0)


def test_constant_function_has_gradient_zero():
    assert mg.grad(lambda x: 5.0)(2.0) == 0.0
    np.testing.assert_array_equal(mg.grad(lambda x: np.float64(1.0))(np.ones(2)), [0.0, 0.0])


def test_array_used_a_thousand_times():
    def f(x):
        total = x
        for _ in range(999):
            total = total + x
        return total

    assert mg.grad(f)(1.0) == 1000.0


def test_diamonds_do_not_explode():
    def f(x):
        for _ in range(200):
            x = x + x  # 2²⁰⁰ paths lead back; the tape visits 200 nodes
        return x

    assert mg.grad(f)(1.0) == 2.0**200


def test_chain_of_a_hundred_thousand_operations():
    def f(x):
        for _ in range(100_000):
            x = x + 1.0
        return x

    assert mg.grad(f)(0.0) == 1.0


def test_broadcasting_is_undone():
    def f(tree):
        return mg.sum(tree["matrix"] * tree["row"] + tree["scalar"])

    gradient = mg.grad(f)({"matrix": np.ones((2, 3)), "row": np.ones(3), "scalar": np.float64(1.0)})
    np.testing.assert_array_equal(gradient["row"], [2.0, 2.0, 2.0])
    assert gradient["scalar"] == 6.0


def test_mixed_precision_gradient_has_the_precision_of_its_argument():
    gradient = mg.grad(lambda x: mg.sum(x * np.ones(3)))(np.ones(3, np.float32))
    assert gradient.dtype == np.float32


# ------------------------------------------------------------------------------------------ errors that help


@pytest.mark.parametrize("x", [np.array([1, 2]), 3, np.array([True]), np.array(["a"]), np.array([1j])])
def test_only_floats_are_differentiated(x):
    with pytest.raises(TypeError, match=r"only floats.*astype\(float\)"):
        mg.grad(lambda x: mg.sum(x))(x)


def test_grad_of_a_vector_names_the_shape_and_vjp():
    with pytest.raises(ValueError, match=r"scalar.*\(3,\).*vjp"):
        mg.grad(lambda x: x)(np.ones(3))


def test_grad_of_an_integer_result_is_refused():
    with pytest.raises(TypeError, match="float"):
        mg.grad(lambda x: 3)(1.0)


def test_cotangent_of_the_wrong_shape_names_both():
    _, pullback = mg.vjp(lambda x: x, np.ones(3))
    with pytest.raises(ValueError, match=r"\(2,\).*\(3,\)"):
        pullback(np.ones(2))


@pytest.mark.parametrize("use", [lambda v: v + 1.0, lambda v: mg.exp(v), lambda v: v[0], lambda v: mg.sum(v)])
def test_escaped_var_says_what_to_do(use):
    leaked = []
    mg.grad(lambda x: (leaked.append(x), mg.sum(x))[1])(np.ones(2))
    with pytest.raises(mg.EscapedVarError, match="stop_gradient"):
        use(leaked[0])


def test_returning_an_escaped_var_is_an_error():
    leaked = []
    mg.grad(lambda x: (leaked.append(x), x)[1])(1.0)
    with pytest.raises(mg.EscapedVarError, match="stop_gradient"):
        mg.grad(lambda x: leaked[0])(1.0)


def test_wrong_rule_shape_is_reported():
    broken = mg.core.traced(lambda x, /: x * 2.0, lambda y, x: lambda g: np.ones(7))
    with pytest.raises(ValueError, match=r"\(7,\).*\(2,\)"):
        mg.grad(lambda x: mg.sum(broken(x)))(np.ones(2))


def test_exception_inside_a_traced_function_leaves_no_trace():
    def f(x):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        mg.grad(lambda x: x * mg.grad(f)(x))(1.0)
    assert mg.grad(cube)(2.0) == 12.0


# ------------------------------------------------------------------------------------------ what is left behind


@pytest.mark.parametrize(
    "operation",
    [
        lambda y: y + 1.0,
        lambda y: y - 1.0,
        lambda y: -y,
        lambda y: y * 3.0,
        lambda y: y / 3.0,
        lambda y: mg.sum(y, 0),
        lambda y: mg.mean(y),
        lambda y: y.reshape(-1),
        lambda y: y.T,
        lambda y: y[1:],
        lambda y: mg.concatenate([y, y]),
        lambda y: mg.exp(y),
        lambda y: mg.tanh(y),
        lambda y: mg.sigmoid(y),
        lambda y: mg.sqrt(y),
        lambda y: mg.relu(y),
        lambda y: mg.clip(y, 0.0, 1.0),
        lambda y: mg.where(np.ones((2, 2), bool), y, 0.0),
        lambda y: mg.softmax(y),
        lambda y: mg.tan(y),
        lambda y: mg.cumsum(y, 1),
        lambda y: mg.sort(y),
        lambda y: mg.tril(y),
        lambda y: mg.dropout(y, 0.5, np.random.default_rng(0)),
        lambda y: mg.einsum("ij,jk->ik", y, np.ones((2, 2))),
        lambda y: mg.linalg.solve(np.eye(2), y),
        lambda y: mg.linalg.cholesky(y + 9.0 * np.eye(2)),
        lambda y: mg.linalg.inv(y + np.eye(2)),
    ],
)
def test_linear_rules_and_rules_of_the_output_keep_no_input_alive(operation):
    alive = []

    def f(x):
        y = x * 2.0
        watch = weakref.ref(y.value)
        z = operation(y)
        del y
        if not np.shares_memory(mg.stop_gradient(z), watch() if watch() is not None else np.empty(0)):
            alive.append(watch() is not None)
        return mg.sum(z)

    mg.grad(f)(np.ones((2, 2)))
    assert not any(alive)
