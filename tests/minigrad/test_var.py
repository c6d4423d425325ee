"""A Var looks like an array: operators, methods, and what it refuses."""

import operator

import numpy as np
import pytest

import minigrad as mg


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


# ------------------------------------------------------------------------------------------ what a Var refuses


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
