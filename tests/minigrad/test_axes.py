"""Axes and indices mean what they mean to NumPy: negative ones, its integers, tuples; what it refuses is refused."""

import copy

import numpy as np
import pytest

import minigrad as mg

X = np.arange(24.0).reshape(2, 3, 4)
ROW = np.array([[0.5, -1.0, 2.0]])

# Calls with axes of every kind: name, (minigrad's, NumPy's) as functions of X
TAKEN = {
    "transpose, negative": lambda m, x: m.transpose(x, (-1, 0, 1)),
    "transpose, NumPy's integers": lambda m, x: m.transpose(x, tuple(np.array([2, 0, 1]))),
    "sum, NumPy's integer": lambda m, x: m.sum(x, np.int64(-1)),
    "mean, NumPy's integers": lambda m, x: m.mean(x, (np.int64(0), np.int8(-1))),
    "var, no axis at all": lambda m, x: m.var(x, ()),
    "max, NumPy's integer": lambda m, x: m.max(x, np.int64(1)),
    "expand_dims, several": lambda m, x: m.expand_dims(x, (0, -1)),
    "expand_dims, NumPy's integer": lambda m, x: m.expand_dims(x, np.int64(-2)),
    "squeeze, several": lambda m, x: m.squeeze(m.reshape(x, (1, 6, 1, 4)), (0, -2)),
    "squeeze, NumPy's integer": lambda m, x: m.squeeze(m.reshape(x, (24, 1)), np.int64(-1)),
    "moveaxis, negative": lambda m, x: m.moveaxis(x, -1, 0),
    "moveaxis, several": lambda m, x: m.moveaxis(x, (0, 1), (-1, 0)),
    "moveaxis, several in falling order": lambda m, x: m.moveaxis(x, (0, 2), (1, 0)),
    "swapaxes, negative": lambda m, x: m.swapaxes(x, -1, np.int64(0)),
    "split, NumPy's integer": lambda m, x: m.concatenate(m.split(x, np.int64(2), -1), 0),
    "concatenate, flat": lambda m, x: m.concatenate([x, x], None),
    "concatenate, NumPy's integer": lambda m, x: m.concatenate([x, x], np.int64(-1)),
    "stack, negative": lambda m, x: m.stack([x, x], -1),
    "take, negative axis": lambda m, x: m.take(x, [0, -1, 0], -1),
    "take, booleans count as 0 and 1": lambda m, x: m.take(x, [True, False, True], 1),
    "take_along_axis, indices broadcast": lambda m, x: m.take_along_axis(x, np.array([[[2]], [[0]]]), -1),
    "take_along_axis, x broadcasts": lambda m, x: m.take_along_axis(x[:1], np.array([[[1]], [[2]]]), 1),
    "take_along_axis, flat": lambda m, x: m.take_along_axis(x, np.array([5, 0, 5]), None),
    "prod, several": lambda m, x: m.prod(x / 9.0 - 1.0, (0, np.int64(-1))),
    "std, negative": lambda m, x: m.std(x, -2, keepdims=True),
    "cumsum, flat": lambda m, x: m.cumsum(x),
    "cumsum, negative": lambda m, x: m.cumsum(x, -2),
    "cumprod, NumPy's integer": lambda m, x: m.cumprod(x / 9.0 - 1.0, np.int64(1)),
    "flip, all": lambda m, x: m.flip(x),
    "flip, several": lambda m, x: m.flip(x, (0, -1)),
    "roll, flat": lambda m, x: m.roll(x, -5),
    "roll, several": lambda m, x: m.roll(x, (1, np.int64(-7)), (0, -1)),
    "roll, one shift for several": lambda m, x: m.roll(x, 1, (0, 1)),
    "tile, fewer": lambda m, x: m.tile(x, 2),
    "tile, more": lambda m, x: m.tile(x, (2, 1, np.int64(3), 1)),
    "repeat, flat": lambda m, x: m.repeat(x, 2),
    "repeat, each its own": lambda m, x: m.repeat(x, [2, 0, 1], -2),
    "sort, flat": lambda m, x: m.sort(-x, None),
    "sort, negative": lambda m, x: m.sort(-x, -2),
    "tril": lambda m, x: m.tril(x, -1),
    "tril of a vector": lambda m, x: m.tril(x[0, 0]),
    "triu": lambda m, x: m.triu(x, np.int64(1)),
    "diag of a matrix": lambda m, x: m.diag(x[0], 2),
    "diag of a matrix, outside": lambda m, x: m.diag(x[0], 9),
    "diag of a vector": lambda m, x: m.diag(x[0, 0], -2),
    "trace": lambda m, x: m.trace(x),
    "trace, other axes": lambda m, x: m.trace(x, 1, -1, 0),
    "tensordot, two axes": lambda m, x: m.tensordot(x / 9.0, x[0]),
    "tensordot, none": lambda m, x: m.tensordot(x[0], x[0, 0], 0),
    "tensordot, named axes": lambda m, x: m.tensordot(x / 9.0, x / 9.0, ([0, -1], (0, 2))),
    "tensordot, one axis each": lambda m, x: m.tensordot(x / 9.0, x / 9.0, (-1, 2)),
    "pad, one width for all": lambda m, x: m.pad(x, 1),
    "pad, one pair for all": lambda m, x: m.pad(x, (np.int64(2), 0)),
}


@pytest.mark.parametrize("name", TAKEN)
def test_axes_mean_what_they_mean_to_numpy(name):
    f = TAKEN[name]
    np.testing.assert_allclose(f(mg, X), f(np, X), rtol=1e-13)
    mg.check_gradients(lambda x: f(mg, x), X)


REFUSED = {
    "transpose, out of range": lambda m, x: m.transpose(x, (0, 1, 3)),
    "transpose, repeated": lambda m, x: m.transpose(x, (0, 1, -2)),
    "sum, out of range": lambda m, x: m.sum(x, 3),
    "sum, repeated": lambda m, x: m.sum(x, (0, -3)),
    "logsumexp, out of range": lambda m, x: mg.logsumexp(x, 3) if m is mg else np.sum(x, 3),
    "expand_dims, out of range": lambda m, x: m.expand_dims(x, 9),
    "expand_dims, repeated": lambda m, x: m.expand_dims(x, (0, 0)),
    "squeeze, out of range": lambda m, x: m.squeeze(x[:, :1], 4),
    "squeeze, repeated": lambda m, x: m.squeeze(x[:, :1], (1, -2)),
    "moveaxis, out of range": lambda m, x: m.moveaxis(x, 5, 0),
    "moveaxis, destination out of range": lambda m, x: m.moveaxis(x, 0, -4),
    "swapaxes, out of range": lambda m, x: m.swapaxes(x, 0, 3),
    "split, out of range": lambda m, x: m.split(x, 2, 3),
    "split, into none": lambda m, x: m.split(x, 0),
    "concatenate, out of range": lambda m, x: m.concatenate([x, x], 3),
    "stack, out of range": lambda m, x: m.stack([x, x], 4),
    "take, axis out of range": lambda m, x: m.take(x, [0], 5),
    "take, fractions": lambda m, x: m.take(x, np.array([0.5]), 0),
    "take_along_axis, out of range": lambda m, x: m.take_along_axis(x, np.zeros((2, 3, 1), int), 3),
    "take_along_axis, another number of axes": lambda m, x: m.take_along_axis(x, np.zeros(3, int), 1),
    "take_along_axis, fractions": lambda m, x: m.take_along_axis(x, np.zeros((2, 3, 1)), 1),
    "prod, out of range": lambda m, x: m.prod(x, 3),
    "std, out of range": lambda m, x: m.std(x, 3),
    "cumsum, out of range": lambda m, x: m.cumsum(x, 3),
    "cumprod, several": lambda m, x: m.cumprod(x, (0, 1)),
    "flip, out of range": lambda m, x: m.flip(x, 3),
    "roll, out of range": lambda m, x: m.roll(x, 1, 3),
    "tile, less than none": lambda m, x: m.tile(x, -1),
    "repeat, too few": lambda m, x: m.repeat(x, [1, 2], 1),
    "sort, out of range": lambda m, x: m.sort(x, 3),
    "diag, three axes": lambda m, x: m.diag(x),
    "diag of a number": lambda m, x: m.diag(x[0, 0, 0]),
    "trace, one axis twice": lambda m, x: m.trace(x, 0, 0, -3),
    "tensordot, other lengths": lambda m, x: m.tensordot(x, x, 1),
    "tensordot, too many": lambda m, x: m.tensordot(x, x, 4),
    "einsum, other lengths": lambda m, x: m.einsum("ijk,jik->i", x, x),
    "einsum, too few operands": lambda m, x: m.einsum("ijk,jik->i", x),
    "einsum, an index of nothing": lambda m, x: m.einsum("ijk->l", x),
    "solve, not square": lambda m, x: m.linalg.solve(x, x),
    "solve, other lengths": lambda m, x: m.linalg.solve(x[:, :, :3], x[0, 0]),
    "inv, not square": lambda m, x: m.linalg.inv(x),
    "slogdet, not square": lambda m, x: m.linalg.slogdet(x),
    "cholesky, not square": lambda m, x: m.linalg.cholesky(x),
    "cholesky, not definite": lambda m, x: m.linalg.cholesky(-np.eye(3) + 0.0 * x[0, :, :3]),
    "pad, three widths": lambda m, x: m.pad(x, (1, 2, 3)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_numpy_refuses_is_refused(name):
    f = REFUSED[name]
    with pytest.raises((TypeError, ValueError, IndexError, ZeroDivisionError)):
        f(np, X)
    for call in (lambda: f(mg, X), lambda: mg.vjp(lambda x: f(mg, x), X)):
        with pytest.raises((TypeError, ValueError, IndexError)):
            call()


def test_an_axis_out_of_range_is_named():
    with pytest.raises(np.exceptions.AxisError, match="axis 3 is out of bounds for array of dimension 3"):
        mg.squeeze(X, 3)


@pytest.mark.parametrize("name", ["sum", "max", "min", "logsumexp", "norm"])
@pytest.mark.parametrize("axis", [None, ()])
def test_a_number_is_its_own_reduction(name, axis):
    mg.check_gradients(lambda x: getattr(mg, name)(x, axis), np.array(0.7))


def test_a_masked_array_is_refused():
    with pytest.raises(TypeError, match="a masked array: .* minigrad.where"):
        mg.grad(mg.sum)(np.ma.masked_array([1.0, 2.0], [True, False]))


@pytest.mark.parametrize("dtype", [int, bool, complex])
def test_astype_refuses_what_is_no_float(dtype):
    with pytest.raises(TypeError, match="astype .* only from float to float"):
        mg.grad(lambda x: mg.sum(mg.astype(x, dtype) * 1.0))(ROW)


def test_a_deep_copy_of_a_watched_value_is_that_value():
    np.testing.assert_array_equal(mg.grad(lambda x: mg.sum(copy.deepcopy(x) ** 2.0))(ROW), 2 * ROW)
