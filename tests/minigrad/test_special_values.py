"""NaN and ±inf, ties, and floats that kernels are not compiled for, in every primitive: as in NumPy."""

import contextlib
import itertools

import numpy as np
import pytest

import minigrad as mg
from minigrad.kernels import activation, convolution, normalization, pooling
from tests.minigrad.test_primitives import IN_TEST_IMAGE, NUMPY, floats_of, is_float_array, of_floats, pulled_back

FOREIGN = ["float16", ">f4", ">f8", "longdouble"]
LARGE = activation.SMALL + 1
BY_LAPACK = {"solve", "inv", "logabsdet", "cholesky"}


@contextlib.contextmanager
def references():
    """NumPy's form of every kernel."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (activation, convolution, normalization, pooling):
            patch.setattr(module, "enabled", False)
        yield


def with_special(sample):
    """The sample, with NaN, ∞ and −∞ in place of the first element of each of its float arrays in turn."""
    for value, (i, x) in itertools.product([np.nan, np.inf, -np.inf], enumerate(sample)):
        if is_float_array(x) and np.size(x):
            planted = np.array(x)
            planted.flat[0] = value
            yield (*sample[:i], planted, *sample[i + 1 :])


def test_value_is_numpys_where_an_argument_is_not_finite(primitive_case):
    primitive, sample = primitive_case
    name = primitive.__name__
    expected = NUMPY.get(name) or getattr(np, name, None)
    for planted in with_special(sample):
        with np.errstate(all="ignore"):
            if name in IN_TEST_IMAGE:
                with references():
                    wanted = primitive(*planted)
            elif name in ("softmax", "log_softmax", "cross_entropy", "logsumexp"):  # whose short formulas overflow
                continue
            else:
                try:
                    wanted = expected(*planted)
                except np.linalg.LinAlgError:
                    with pytest.raises(np.linalg.LinAlgError):
                        primitive(*planted)
                    continue
            assert_equal(primitive(*planted), wanted, convolved=name.startswith("conv2d"))


def test_gradient_of_a_kernel_is_its_references_where_an_argument_is_not_finite(primitive_case):
    primitive, sample = primitive_case
    if primitive.__name__ in BY_LAPACK:
        pytest.skip("there is one form of it")
    for planted in with_special(sample):
        with np.errstate(all="ignore"):
            _, found = pulled_back(primitive, planted)
            with references():
                _, wanted = pulled_back(primitive, planted)
        for g, expected in zip(found, wanted, strict=True):
            assert_equal(g, expected, convolved=primitive.__name__.startswith("conv2d"))


def assert_equal(found, wanted, convolved):
    """In a convolution 0 · NaN is NaN: a kernel, which has more zeros around images, may spread it further."""
    if convolved:
        finite = np.isfinite(found)
        assert not (finite & ~np.isfinite(wanted)).any()
        found, wanted = found[finite], wanted[finite]
    np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("dtype", FOREIGN)
def test_other_floats_are_computed(primitive_case, dtype):
    """In the precision that they have, to its rounding."""
    primitive, sample = primitive_case
    if primitive is mg.astype:
        pytest.skip("changing the precision is what astype does")
    if primitive.__name__ in BY_LAPACK and dtype in ("float16", "longdouble"):
        with pytest.raises(TypeError, match="unsupported in linalg"):
            primitive(*(x.astype(dtype) for x in sample))
        return
    floats = [np.asarray(x).astype(dtype) for x in floats_of(sample)]
    exact = pulled_back(primitive, refilled(sample, [x.astype(float) for x in floats]))
    value, pullback = mg.vjp(of_floats(primitive, sample), floats)
    gradients = pullback(np.ones(value.shape))
    precision = max(np.finfo(dtype).eps, np.finfo(float).eps)
    for found, wanted in zip([value, *gradients], [exact[0], *exact[1]], strict=True):
        assert (found.dtype.kind, found.dtype.itemsize) == ("f", np.dtype(dtype).itemsize)
        largest = max(1.0, np.abs(wanted).max(initial=0.0), *(np.abs(x).max(initial=0.0) for x in floats))
        assert np.abs(found - wanted).max(initial=0.0) <= 256 * precision * largest


def refilled(sample, floats):
    rest = iter(floats)
    return tuple(next(rest) if is_float_array(x) else x for x in sample)


@pytest.mark.parametrize("dtype", [*FOREIGN, "int64"])
def test_relu_of_many_numbers_is_that_of_few(dtype):
    x = (np.arange(LARGE) % 20 - 10).astype(dtype)
    y, g = mg.relu(x), mg.primitives["gate"](x, x)
    np.testing.assert_array_equal(y[-9:], mg.relu(x[-9:]))
    assert y.dtype == mg.relu(x[:9]).dtype
    np.testing.assert_array_equal(g[:9], mg.primitives["gate"](x[:9], x[:9]))


@pytest.mark.parametrize("size", [8, LARGE])
def test_gate_is_0_where_it_is_shut_whatever_the_gradient(size):
    g, y = np.full(size, np.inf), np.zeros(size)
    y[-1] = np.nan
    np.testing.assert_array_equal(mg.primitives["gate"](g, y), 0.0)


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("compiled", [True, False])
def test_max_pool_passes_nan_on_and_its_gradient_goes_there(place, compiled):
    x = np.array([[[[1.0, 4.0], [2.0, 3.0]]]])
    x.flat[place] = np.nan
    with contextlib.nullcontext() if compiled else references():
        assert np.isnan(mg.max_pool2d(x, 2)).all()
        gradient = mg.grad(lambda x: mg.sum(mg.max_pool2d(x, 2)))(x)
    np.testing.assert_array_equal(gradient.ravel(), np.arange(4) == place)


@pytest.mark.parametrize("compiled", [True, False])
def test_a_winner_that_is_no_place_of_its_window_picks_nothing(compiled):
    winners = np.array([[[[-1, 4], [10**6, 3]]]], np.int32)
    x = np.arange(1.0, 17.0).reshape(1, 1, 4, 4)
    with contextlib.nullcontext() if compiled else references():
        picked = mg.primitives["pick2d"](x, winners, 2)
        placed = mg.primitives["place2d"](np.ones((1, 1, 2, 2)), winners, (1, 1, 4, 4), 2)
    np.testing.assert_array_equal(picked, [[[[0, 0], [0, 16]]]])
    np.testing.assert_array_equal(placed.ravel(), np.arange(16) == 15)


def test_winners_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"one number and one winner for every window, \(1, 1, 2, 2\)"):
        mg.primitives["place2d"](np.ones((1, 1, 2, 2)), np.zeros((1, 1, 9, 9), np.int32), (1, 1, 4, 4), 2)
    with pytest.raises(ValueError, match=r"one winner for every window, \(1, 1, 2, 2\)"):
        mg.primitives["pick2d"](np.ones((1, 1, 4, 4)), np.zeros((1, 1, 1, 2), np.int32), 2)


LOGSUMEXP = [
    # x, value, gradient: e^(x − y), and 0 where y = −∞
    ([-np.inf, -np.inf], -np.inf, [0, 0]),
    ([np.inf, 0.0], np.inf, [1, 0]),
    ([np.inf, -np.inf], np.inf, [1, 0]),
    ([-np.inf, 0.0], 0.0, [0, 1]),
    ([np.nan, 0.0], np.nan, [np.nan, np.nan]),
]


@pytest.mark.parametrize(("x", "value", "gradient"), LOGSUMEXP)
def test_logsumexp_is_numpys_logaddexp_at_infinity(x, value, gradient):
    found = mg.value_and_grad(mg.logsumexp)(np.array(x))
    with np.errstate(invalid="ignore"):  # of NaN
        np.testing.assert_array_equal(found[0], np.logaddexp(*x))
    np.testing.assert_array_equal(found[0], value)
    np.testing.assert_array_equal(found[1], gradient)


@pytest.mark.parametrize(("x", "value", "gradient"), LOGSUMEXP)
def test_logaddexp_and_its_gradient_are_those_of_logsumexp_at_infinity(x, value, gradient):
    with np.errstate(invalid="ignore"):  # of NaN
        found = mg.value_and_grad(lambda x: mg.logaddexp(x[0], x[1]))(np.array(x))
    np.testing.assert_array_equal(found[0], value)
    np.testing.assert_array_equal(found[1], gradient)


def test_logaddexp_of_large_numbers_loses_no_digits_in_its_gradient():
    gradient = mg.grad(lambda x: mg.logaddexp(x[0], x[1]))(np.array([1e9 + 1.0, 1e9]))
    np.testing.assert_allclose(gradient, [1 / (1 + np.exp(-1.0)), 1 / (1 + np.exp(1.0))], rtol=1e-15)


def test_softmax_gives_masked_scores_no_weight_and_no_gradient():
    scores = np.array([[1.0, -np.inf, 2.0]])
    value, pullback = mg.vjp(mg.softmax, scores)
    np.testing.assert_allclose(value, [[1 / (1 + np.e), 0.0, np.e / (1 + np.e)]])
    gradient = pullback(np.array([[1.0, 5.0, 0.0]]))
    assert gradient[0, 1] == 0.0
    np.testing.assert_allclose(gradient.sum(), 0.0, atol=1e-15)


def test_logsumexp_of_rows_of_which_one_is_all_minus_infinity():
    x = np.array([[0.0, 1.0], [-np.inf, -np.inf]])
    value, pullback = mg.vjp(lambda x: mg.logsumexp(x, 1), x)
    np.testing.assert_allclose(value, [np.logaddexp(0.0, 1.0), -np.inf])
    np.testing.assert_allclose(pullback(np.ones(2))[1], [0.0, 0.0])
    np.testing.assert_allclose(mg.hvp(lambda x: mg.sum(mg.exp(mg.logsumexp(x, 1))), x, np.ones((2, 2)))[1], [0, 0])


@pytest.mark.parametrize("infinity", [np.inf, -np.inf])
def test_an_infinite_row_changes_no_gradient_of_the_others_in_logsumexp_and_logaddexp(infinity):
    x = np.array([[0.5, 1.0], [infinity, infinity]])
    expected = mg.grad(mg.logsumexp)(x[0])
    of_rows = mg.grad(lambda x: mg.logsumexp(x, 1)[0])(x)
    pairwise = mg.grad(lambda x: mg.logaddexp(x[:, 0], x[:, 1])[0])(x)
    np.testing.assert_allclose([of_rows[0], pairwise[0]], [expected, expected], rtol=1e-15)


@pytest.mark.parametrize("f", [mg.max, mg.min, mg.norm, mg.var, mg.logsumexp])
def test_gradient_of_a_reduction_of_nan_is_nan_without_a_warning(f):
    x = np.array([1.0, np.nan])
    assert np.isnan(mg.grad(f)(x)).all()
