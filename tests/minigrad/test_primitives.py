"""Generated from the registry: every primitive on every one of its samples."""

import numpy as np
import pytest

import minigrad as mg

ULPS = 64  # of float32, relative to the largest magnitude involved


def is_float_array(x):
    return isinstance(x, (np.ndarray, np.floating)) and x.dtype.kind == "f"


def floats_of(sample):
    return [x for x in sample if is_float_array(x)]


def of_floats(primitive, sample):
    """The primitive as a function of the list of its float arguments, the others fixed."""

    def f(floats):
        rest = iter(floats)
        return primitive(*(next(rest) if is_float_array(x) else x for x in sample))

    return f


def pulled_back(primitive, sample, dtype=np.float64):
    floats = [np.asarray(x, dtype) for x in floats_of(sample)]
    value, pullback = mg.vjp(of_floats(primitive, sample), floats)
    return value, pullback(np.ones(value.shape, dtype))


def one_hot(labels, n):
    return np.eye(n)[labels]


def scattered(x, index, shape):
    y = np.zeros(shape)
    np.add.at(y, index, x)
    return y


def reduction(f):
    return lambda x, axis=None, keepdims=False: f(x, axis=axis, keepdims=keepdims)


# What each primitive computes, said again with NumPy alone where its name is not NumPy's own.
NUMPY = {
    "astype": lambda x, dtype: x,
    "cross_entropy": lambda x, y: (
        -np.mean(np.sum(one_hot(y, x.shape[1]) * np.log(np.exp(x) / np.exp(x).sum(1, keepdims=True)), 1))
    ),
    "gate": lambda g, y: np.where(y > 0, g, 0.0),
    "getitem": lambda x, index: x[index],
    "logabsdet": lambda x: np.linalg.slogdet(x)[1],
    "join": lambda *arrays: np.concatenate(arrays),
    "log_softmax": lambda x, axis=-1: np.log(np.exp(x) / np.exp(x).sum(axis=axis, keepdims=True)),
    "logsumexp": lambda x, axis=None, keepdims=False: np.log(np.exp(x).sum(axis=axis, keepdims=keepdims)),
    "norm": lambda x, axis=None, keepdims=False: np.sqrt((x**2).sum(axis=axis, keepdims=keepdims)),
    "relu": lambda x: np.where(x < 0, 0.0, x),
    "scatter": scattered,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "softmax": lambda x, axis=-1: np.exp(x) / np.exp(x).sum(axis=axis, keepdims=True),
    **{name: reduction(getattr(np, name)) for name in ("sum", "mean", "max", "min", "var", "prod")},
    **{name: getattr(np.linalg, name) for name in ("solve", "inv", "cholesky")},
    "softplus": lambda x: np.log(1 + np.exp(x)),
}


# Values that test_image.py compares with loops over their definitions; the names after the first three are parts of
# their rules, whose values are the first derivatives checked below.
IN_TEST_IMAGE = {
    *("conv2d", "avg_pool2d", "batch_norm", "conv2d_transpose", "conv2d_weights", "pick2d", "place2d"),
    *("avg_unpool2d", "batch_norm_to_x", "batch_norm_to_gamma"),
}


def test_value_equals_numpy(primitive_case):
    primitive, sample = primitive_case
    if primitive.__name__ in IN_TEST_IMAGE:
        pytest.skip("compared with loops in test_image.py")
    expected = NUMPY.get(primitive.__name__) or getattr(np, primitive.__name__)
    np.testing.assert_allclose(primitive(*sample), expected(*sample), rtol=1e-13, atol=1e-14)


def test_gradients_agree_with_finite_differences_to_every_order_it_has(primitive_case):
    primitive, sample = primitive_case
    mg.check_gradients(of_floats(primitive, sample), floats_of(sample), order=primitive.order)


def test_float32_stays_float32_and_close_to_float64(primitive_case):
    primitive, sample = primitive_case
    if primitive is mg.astype:
        pytest.skip("changing the precision is what astype does")
    exact = pulled_back(primitive, sample)
    single = pulled_back(primitive, sample, np.float32)
    for found, wanted in zip([single[0], *single[1]], [exact[0], *exact[1]], strict=True):
        assert found.dtype == np.float32
        largest = max(1.0, np.abs(wanted).max(initial=0.0), *(np.abs(x).max(initial=0.0) for x in floats_of(sample)))
        assert np.abs(found - wanted).max(initial=0.0) <= ULPS * np.finfo(np.float32).eps * largest


def test_inputs_may_be_read_only_and_are_not_changed(primitive_case):
    primitive, sample = primitive_case
    before = [np.copy(x) for x in floats_of(sample)]
    for x in sample:
        if isinstance(x, np.ndarray):
            x.flags.writeable = False
    pulled_back(primitive, sample)
    for x, copy in zip(floats_of(sample), before, strict=True):
        np.testing.assert_array_equal(x, copy)


def test_gradients_share_memory_with_nothing(primitive_case):
    primitive, sample = primitive_case
    floats = [np.asarray(x) for x in floats_of(sample)]
    value, pullback = mg.vjp(of_floats(primitive, sample), floats)
    cotangent = np.ones(value.shape)
    arrays = [*floats, cotangent, np.asarray(value)]
    gradients = [np.asarray(g) for g in pullback(cotangent)]
    for i, g in enumerate(gradients):
        assert not any(np.shares_memory(g, other) for other in arrays + gradients[:i])


@pytest.mark.parametrize("name", mg.primitives)
def test_docstring_states_the_formula_and_the_rule(name):
    lines = mg.primitives[name].__doc__.strip().splitlines()
    assert lines[0].endswith((".", ":"))
    assert any(line.strip().startswith("VJP: ") for line in lines)


def test_a_primitive_without_samples_cannot_be_declared():
    with pytest.raises(TypeError, match="samples"):
        mg.primitive(rule=lambda y, x: lambda g: g)
