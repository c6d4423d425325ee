"""The transforms: nesting, trees, errors, and which rules keep an input alive."""

import operator
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


def test_numpy_array_on_the_left_defers_to_var():
    np.testing.assert_array_equal(mg.grad(lambda x: mg.sum(np.array([1.0, 2.0]) * x))(np.ones(2)), [1.0, 2.0])
    assert mg.grad(lambda x: np.float64(3.0) - x)(1.0) == -1.0
    assert mg.grad(lambda x: 1.0 / x)(2.0) == -0.25
    assert mg.grad(lambda x: 2.0**x)(0.0) == pytest.approx(np.log(2.0))


def test_var_has_the_attributes_of_an_array():
    def f(x):
        assert (x.shape, x.ndim, x.size, len(x), x.dtype) == ((2, 3), 2, 6, 2, np.float64)
        return x.T[0].sum() + abs(-x).min() + sum(row[0] for row in x)

    gradient = mg.grad(f)(np.arange(1.0, 7.0).reshape(2, 3))
    np.testing.assert_array_equal(gradient, [[3.0, 0.0, 0.0], [2.0, 0.0, 0.0]])


METHODS = {
    "sum": lambda x: x.sum(0),
    "mean": lambda x: x.mean(axis=1, keepdims=True),
    "max": lambda x: x.max(),
    "min": lambda x: x.min(-1),
    "var": lambda x: x.var(0),
    "std": lambda x: x.std(),
    "prod": lambda x: x.prod(1),
    "cumsum": lambda x: x.cumsum(1),
    "cumprod": lambda x: x.cumprod(),
    "reshape": lambda x: x.reshape(3, -1) * x.reshape((3, 2)) + x.reshape(-1)[0],
    "transpose": lambda x: x.transpose() + x.transpose(1, 0) * x.transpose((1, 0)),
    "swapaxes": lambda x: x.swapaxes(0, 1),
    "squeeze": lambda x: x[:, :1].squeeze() * x[:, 1:2].squeeze(1),
    "ravel": lambda x: x.ravel(),
    "take": lambda x: x.take([0, 0, 1], 1),
    "repeat": lambda x: x.repeat(2, axis=0),
    "trace": lambda x: x.trace(1),
    "dot": lambda x: x.dot(np.ones(3)),
    "clip": lambda x: x.clip(2.5, 4.5),
    "astype": lambda x: x.astype(np.float64),
}


@pytest.mark.parametrize("name", METHODS)
def test_methods_of_a_var_are_those_of_an_array(name):
    f, x = METHODS[name], np.arange(1.0, 7.0).reshape(2, 3)
    value, _ = mg.vjp(f, x)
    np.testing.assert_allclose(value, f(x), rtol=1e-14)
    mg.check_gradients(f, x)


def test_var_has_every_method_of_an_array_that_is_a_function_of_minigrad():
    methods = {name for name in dir(np.ndarray) if callable(getattr(np.ndarray, name)) and name[0] != "_"}
    names = {name for name in methods if hasattr(mg, name)}
    assert names == {*METHODS, "sort"}


def test_sorting_a_var_in_place_names_the_function():
    with pytest.raises(TypeError, match=r"immutable.*minigrad\.sort"):
        mg.grad(lambda x: x.sort())(np.ones(2))


def test_var_is_true_where_its_value_is_and_shows_it():
    seen = []
    mg.grad(lambda x: (seen.append((bool(x), bool(x * 0.0), repr(x))), x)[1])(np.float64(2.5))
    assert seen == [(True, False, f"Var({np.asarray(2.5)!r})")]


def test_comparisons_look_at_plain_values():
    def f(x):
        assert (x > 1.0).tolist() == [False, True]
        assert (x == np.array([1.0, 0.0])).tolist() == [True, False]
        return mg.sum(x) if x[0] < x[1] else mg.sum(-x)

    np.testing.assert_array_equal(mg.grad(f)(np.array([1.0, 2.0])), [1.0, 1.0])


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


def test_item_assignment_names_the_alternative():
    def f(x):
        x[0] = 1.0

    with pytest.raises(TypeError, match=r"immutable.*minigrad\.where"):
        mg.grad(f)(np.ones(2))


def test_float_of_a_var_names_stop_gradient():
    with pytest.raises(TypeError, match=r"minigrad\.stop_gradient"):
        mg.grad(lambda x: float(x))(1.0)


@pytest.mark.parametrize(
    "function",
    [
        *(np.asarray, np.exp, np.sum, np.mean, np.transpose, np.where, np.einsum, np.linalg.inv, np.add.reduce),
        lambda x: np.multiply(np.ones((2, 2)), x),
        lambda x: np.concatenate([np.ones((2, 2)), x]),
        lambda x: np.dot(x, x),
        lambda x: np.reshape(x, -1),
        lambda x: np.size(x, 0),
        lambda x: operator.setitem(np.ones((3, 2, 2)), 0, x),
    ],
)
def test_numpys_functions_name_minigrads(function):
    with pytest.raises(TypeError, match="use the function of the same name in minigrad, or minigrad.stop_gradient"):
        mg.grad(lambda x: mg.sum(function(x)))(np.ones((2, 2)))


def test_adding_a_var_in_place_leaves_the_array_as_it_was():
    total = np.ones(2)

    def f(x):
        new = total
        new += x
        return mg.sum(new * new)

    np.testing.assert_array_equal(mg.grad(f)(np.ones(2)), [4.0, 4.0])
    np.testing.assert_array_equal(total, [1.0, 1.0])


def test_numpy_tells_the_shape_of_a_var():
    seen = []
    mg.grad(lambda x: (seen.extend([np.shape(x), np.ndim(x), np.size(x)]), mg.sum(x))[1])(np.ones((2, 3)))
    assert seen == [(2, 3), 2, 6]


def test_a_comparison_with_an_array_on_the_left_is_a_boolean_array():
    seen = []
    mg.grad(lambda x: (seen.append(np.array([0.0, 2.0]) < x), mg.sum(x))[1])(np.ones(2))
    assert [type(mask) for mask in seen] == [np.ndarray]
    np.testing.assert_array_equal(seen[0], [True, False])


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
