"""Generated shapes, axes, indices and memory layouts: broadcasting, 0-d and empty arrays, strides, read-only inputs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minigrad as mg
from tests.minigrad.test_primitives import floats_of, is_float_array, pulled_back

SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)
FILLED = hnp.array_shapes(min_dims=0, max_dims=3, min_side=1, max_side=3)
BROADCASTABLE = hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, min_side=0, max_side=3)


def array(shape, seed=0):
    return np.random.default_rng(seed).uniform(0.5, 2.0, shape)


@given(
    BROADCASTABLE,
    st.sampled_from([mg.add, mg.subtract, mg.multiply, mg.divide, mg.power, mg.maximum, mg.minimum, mg.logaddexp]),
)
def test_binary_operations_broadcast_like_numpy(shapes, operation):
    x, y = (array(shape, seed) for seed, shape in enumerate(shapes.input_shapes))
    expected = getattr(np, operation.__name__)(x, y)
    assert operation(x, y).shape == expected.shape == shapes.result_shape
    gx, gy = mg.grad(lambda t: mg.sum(operation(*t)))((x, y))
    assert (gx.shape, gy.shape) == (x.shape, y.shape)
    if expected.size:
        mg.check_gradients(operation, x, y + 3.0, order=1, step=1e-3, directions=1)


@given(BROADCASTABLE)
def test_where_broadcasts_like_numpy(shapes):
    x, y = (array(shape, seed) for seed, shape in enumerate(shapes.input_shapes))
    condition = np.arange(int(np.prod(shapes.result_shape))).reshape(shapes.result_shape) % 2 == 0
    np.testing.assert_array_equal(mg.where(condition, x, y), np.where(condition, x, y))
    gx, gy = mg.grad(lambda t: mg.sum(mg.where(condition, *t)))((x, y))
    assert gx.sum() == condition.sum()
    assert gy.sum() == (~condition).sum()


@given(st.data(), FILLED, st.booleans(), st.sampled_from(["sum", "mean", "max", "min", "var", "prod", "std"]))
def test_reductions_take_any_axis(data, shape, keepdims, name):
    x = np.random.default_rng(0).permutation(np.linspace(1.0, 9.0, int(np.prod(shape)))).reshape(shape)
    axis = data.draw(st.one_of(st.none(), hnp.valid_tuple_axes(x.ndim, min_size=1) if shape else st.none()))
    found = getattr(mg, name)(x, axis, keepdims)
    np.testing.assert_allclose(found, getattr(np, name)(x, axis=axis, keepdims=keepdims), rtol=1e-13)
    mg.check_gradients(lambda x: getattr(mg, name)(x, axis, keepdims), x, order=1, step=1e-3, directions=1)


@given(st.data(), SHAPES)
def test_sum_of_an_empty_array_is_zero_and_has_an_empty_gradient(data, shape):
    x = array(shape)
    axis = data.draw(st.one_of(st.none(), hnp.valid_tuple_axes(x.ndim, min_size=1) if shape else st.none()))
    np.testing.assert_allclose(mg.sum(x, axis), np.sum(x, axis))
    np.testing.assert_array_equal(mg.grad(lambda x: mg.sum(mg.sum(x, axis)))(x), np.ones(shape))


@given(st.data(), SHAPES.filter(bool))
def test_basic_indices(data, shape):
    index = data.draw(hnp.basic_indices(shape, allow_newaxis=True))
    check_index(array(shape), index)


@given(st.data(), FILLED.filter(bool))
def test_integer_array_indices(data, shape):
    index = data.draw(hnp.integer_array_indices(shape))
    check_index(array(shape), index)


def check_index(x, index):
    np.testing.assert_array_equal(mg.getitem(x, index), x[index])
    expected = np.zeros(x.shape)
    np.add.at(expected, index, 1.0)
    np.testing.assert_array_equal(mg.grad(lambda x: mg.sum(x[index]))(x), expected)


@given(hnp.mutually_broadcastable_shapes(signature="(m?,n),(n,p?)->(m?,p?)", max_dims=2, min_side=1, max_side=3))
def test_matmul_takes_every_pair_of_shapes_that_numpy_does(shapes):
    x, y = (array(shape, seed) for seed, shape in enumerate(shapes.input_shapes))
    np.testing.assert_allclose(mg.matmul(x, y), np.matmul(x, y), rtol=1e-13)
    mg.check_gradients(mg.matmul, x, y, directions=1)


@given(st.data(), FILLED)
def test_transposing_twice_is_the_identity(data, shape):
    x = array(shape)
    axes = data.draw(st.permutations(range(x.ndim)))
    np.testing.assert_array_equal(mg.transpose(mg.transpose(x, axes), np.argsort(axes) if axes else None), x)
    mg.check_gradients(lambda x: mg.transpose(x, axes), x, order=1, directions=1)


def fortran(x):
    return np.asfortranarray(x) if x.ndim else x  # which it would give an axis


def strided(x):
    """Every other element of a larger array, backwards along the first axis."""
    if not x.ndim:
        return x
    room = np.zeros([2 * n for n in x.shape])
    view = room[tuple(slice(None, None, 2) for _ in x.shape)][::-1]
    view[...] = x
    return view


def read_only(x):
    copy = np.copy(x)
    copy.flags.writeable = False
    return copy


@pytest.mark.parametrize("layout", [fortran, strided, read_only])
def test_memory_layout_does_not_matter(primitive_case, layout):
    primitive, sample = primitive_case
    laid_out = tuple(layout(np.asarray(x)) if is_float_array(x) else x for x in sample)
    before = [np.copy(x) for x in floats_of(laid_out)]
    for found, expected in zip(
        flat(pulled_back(primitive, laid_out)), flat(pulled_back(primitive, sample)), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)
    for x, copy in zip(floats_of(laid_out), before, strict=True):
        np.testing.assert_array_equal(x, copy)


def flat(value_and_gradients):
    value, gradients = value_and_gradients
    return [value, *gradients]
