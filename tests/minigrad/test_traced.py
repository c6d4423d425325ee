"""What `traced` makes: primitives with several results, first-order ones, and fast paths that equal the general way."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import core, fast_paths
from minigrad.core import traced
from tests.minigrad.test_primitives import floats_of, of_floats

# ------------------------------------------------------------------------------------------ several results


def _product_and_wave(x, y, /):
    return x * y, np.sin(x) / y


def _rule(outs, x, y):
    def back(cotangents):
        g, h = cotangents
        return g * y + h * mg.cos(x) / y, g * x - h * mg.sin(x) / (y * y)

    return back


product_and_wave = traced(_product_and_wave, _rule, several=True)


def reference(x, y):
    return x * y, mg.sin(x) / y


X, Y = np.array([0.3, -1.2, 2.0]), np.array([1.5, 0.7, -0.9])
USES = {
    "the first result": lambda two, x, y: two(x, y)[0],
    "the second result": lambda two, x, y: two(x, y)[1],
    "both results": lambda two, x, y: two(x, y)[0] * mg.exp(two(x, y)[1]),
    "both of one call": lambda two, x, y: mg.sum(mg.stack(two(x, y)), 0) * two(x, y)[0],
    "one result as the next argument": lambda two, x, y: two(two(x, y)[1], y)[0],
    "the same argument twice": lambda two, x, y: two(x, x)[1] * y,
    "a constant argument": lambda two, x, y: two(x, np.float64(2.0))[1] * two(0.5, y)[0],
    "one number for all": lambda two, x, y: two(x, y[0])[0] * two(x[1], y)[1],
}


@pytest.fixture(params=USES)
def use(request):
    return USES[request.param]


def test_without_a_var_the_results_are_those_of_the_function():
    for found, expected in zip(product_and_wave(X, Y), _product_and_wave(X, Y), strict=True):
        assert type(found) is np.ndarray
        np.testing.assert_array_equal(found, expected)


def test_value_and_gradient_are_those_of_single_results(use):
    found, expected = (
        mg.value_and_grad(lambda xy, two=two: mg.sum(use(two, *xy)))((X, Y)) for two in (product_and_wave, reference)
    )
    np.testing.assert_allclose(mg.tree.ravel(found)[0], mg.tree.ravel(expected)[0], rtol=1e-12, atol=1e-15)


def test_gradients_agree_with_finite_differences_at_both_orders(use):
    mg.check_gradients(lambda x, y: use(product_and_wave, x, y), X, Y, order=2)


def test_third_derivative_is_that_of_single_results():
    def third(two):
        return mg.grad(mg.grad(mg.grad(lambda x: two(x, 2.0 * x)[0] * two(x, 0.5)[1])))(0.7)

    assert third(product_and_wave) == pytest.approx(third(reference), rel=1e-12)


def test_forward_derivative_is_that_of_single_results(use):
    v = (np.array([1.0, -2.0, 0.5]), np.array([0.1, 0.2, -3.0]))
    (_, found), (_, expected) = (
        mg.jvp(lambda xy, two=two: use(two, *xy), (X, Y), v) for two in (product_and_wave, reference)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)


def test_arguments_on_different_tapes_are_each_differentiated_by_their_own():
    def mixed(two):
        def outer(x):
            return mg.sum(mg.grad(lambda y: mg.sum(two(x, y)[1] * two(y, x)[1]))(Y))

        return mg.grad(outer)(X)

    np.testing.assert_allclose(mixed(product_and_wave), mixed(reference), rtol=1e-12, atol=1e-15)


def test_rule_is_not_called_where_no_result_is_used():
    called = []
    two = traced(lambda x, /: (x + 1.0, x + 2.0), lambda outs, x: called.append, several=True)
    assert mg.grad(lambda x: (two(x), x * 3.0)[1])(1.0) == 3.0
    assert called == []


def test_unused_result_has_a_cotangent_of_zeros_of_its_shape_and_dtype():
    seen = []

    def rule(outs, x):
        return lambda cotangents: (seen.extend(cotangents), (cotangents[0],))[1]

    two = traced(lambda x, /: (x + 1, np.stack([x, x])), rule, several=True)
    mg.grad(lambda x: mg.sum(two(x)[0]))(np.ones(3, np.float32))
    np.testing.assert_array_equal(seen[1], np.zeros((2, 3)))
    assert seen[1].dtype == np.float32


def test_cotangent_none_stands_for_an_argument_that_is_not_differentiated():
    two = traced(lambda x, y, /: (x, y), lambda outs, x, y: lambda cotangents: (cotangents[0], None), several=True)
    gradient = mg.grad(lambda xy: mg.sum(two(*xy)[0] + two(*xy)[1]))((X, Y))
    np.testing.assert_array_equal(gradient, (np.ones(3), np.zeros(3)))


def test_broadcasting_is_undone_and_precision_restored_for_several_results():
    matrix, row = np.ones((2, 3), np.float32), np.ones(3)
    gradient = mg.grad(lambda xy: mg.sum(product_and_wave(*xy)[0]))((matrix, row))
    np.testing.assert_array_equal(gradient[1], [2.0, 2.0, 2.0])
    assert (gradient[0].dtype, gradient[1].dtype) == (np.float32, np.float64)


def test_pullback_through_several_results_can_be_called_again():
    _, pullback = mg.vjp(lambda x: product_and_wave(x, 3.0)[0], 2.0)
    assert (pullback(1.0), pullback(1.0), pullback(-2.0)) == (3.0, 3.0, -6.0)


def test_rule_of_several_results_with_too_few_cotangents_is_an_error():
    two = traced(lambda x, y, /: (x, y), lambda outs, x, y: lambda cotangents: cotangents[:1], several=True)
    with pytest.raises(ValueError, match="argument"):
        mg.grad(lambda x: mg.sum(two(x, x)[0]))(X)


def test_options_reach_the_function_and_the_rule_of_several_results():
    def rule(outs, x, power):
        return lambda cotangents: (cotangents[0] * (power * x ** (power - 1.0)) + cotangents[1],)

    two = traced(lambda x, /, power: (x**power, x), rule, several=True)
    assert mg.grad(mg.grad(lambda x: two(x, power=3.0)[0]))(2.0) == 12.0


# ------------------------------------------------------------------------------------------ first-order primitives


def once(x, /):
    """Twice x.

    For a second derivative use 2.0 * x.
    """
    return 2.0 * x


def twice_and_itself(x, /):
    """2 x and x.

    For a second derivative use 2.0 * x.
    """
    return 2.0 * x, 1.0 * x


ONCE = {
    "one result": traced(once, lambda y, x: lambda g: 2.0 * g, order=1),
    "one of several arguments": traced(lambda x, y, /: x + y, lambda out, x, y: (None, lambda g: g), order=1),
    "several results": traced(
        twice_and_itself, lambda outs, x: lambda gs: (2.0 * gs[0] + gs[1],), order=1, several=True
    ),
}
FIRST_ORDER = {
    "one result": ONCE["one result"],
    "several results": lambda x: ONCE["several results"](x)[0],
}


@pytest.mark.parametrize("name", FIRST_ORDER)
def test_first_order_primitive_refuses_a_second_derivative_at_the_call(name):
    f = FIRST_ORDER[name]
    assert mg.grad(f)(1.0) == 2.0
    with pytest.raises(mg.SecondDerivativeError, match=r"use 2\.0 \* x"):
        mg.grad(mg.grad(f))(1.0)


@pytest.mark.parametrize("name", FIRST_ORDER)
def test_first_order_primitive_refuses_cotangents_that_are_watched(name):
    _, pullback = mg.vjp(FIRST_ORDER[name], 1.0)
    with pytest.raises(mg.SecondDerivativeError, match=r"use 2\.0 \* x"):
        mg.grad(pullback)(1.0)


def test_first_order_primitive_may_leave_an_argument_undifferentiated():
    assert mg.grad(lambda xy: ONCE["one of several arguments"](*xy))((1.0, 2.0)) == (0.0, 1.0)


# ------------------------------------------------------------------------------------------ fast paths

UNARY, BINARY = (
    [name for name, primitive in mg.primitives.items() if primitive.__code__ in function.__code__.co_consts]
    for function in (fast_paths.unary, fast_paths.binary)
)


def both_ways(name):
    """The primitive by its fast path, and by the general way."""
    primitive = mg.primitives[name]
    return primitive, core._general(primitive.__wrapped__, primitive.rule)


def assert_same(run, name):
    fast, general = (mg.tree.flatten(run(way))[0] for way in both_ways(name))
    for found, expected in zip(fast, general, strict=True):
        np.testing.assert_array_equal(found, expected)
        assert np.asarray(found).dtype == np.asarray(expected).dtype


def test_there_are_primitives_on_either_fast_path():
    assert {"exp", "tanh", "sum"} <= set(UNARY)
    assert {"add", "multiply", "matmul"} <= set(BINARY)
    assert not {"join", "batch_norm"} & {*UNARY, *BINARY}


@pytest.mark.parametrize("name", UNARY + BINARY)
def test_fast_path_gives_the_value_and_both_derivatives_of_the_general_way(name):
    for sample in mg.primitives[name].samples(np.random.default_rng(0)):
        floats = [np.asarray(x) for x in floats_of(sample)]

        def run(way, sample=sample, floats=floats):
            f = of_floats(way, sample)
            u = np.linspace(0.5, 1.0, np.size(f(floats))).reshape(np.shape(f(floats)))
            value, pullback = mg.vjp(f, floats)
            second = mg.grad(lambda floats: mg.sum(mg.square(mg.tree.ravel(mg.vjp(f, floats)[1](u))[0])))
            return f(floats), value, pullback(u), second(floats)

        assert_same(run, name)


@pytest.mark.parametrize("outer", [0, 1])
@pytest.mark.parametrize("name", BINARY)
def test_fast_path_for_arguments_on_two_tapes_is_the_general_way(name, outer):
    for sample in mg.primitives[name].samples(np.random.default_rng(0)):
        if len(floats_of(sample)) != 2:
            continue

        def run(way, sample=sample):
            def inner(x):
                def f(y):
                    return mg.sum(mg.square(way(x, y) if outer == 0 else way(y, x)))

                return mg.sum(mg.square(mg.grad(f)(sample[1 - outer])))

            return mg.grad(inner)(np.asarray(sample[outer]))

        assert_same(run, name)
