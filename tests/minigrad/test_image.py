"""Convolution, pooling and batch normalization against loops that follow the definitions, and against torch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad as mg
from minigrad.kernels import convolution, normalization, pooling
from minigrad.testing import check_gradients


def loop_conv2d(x, w, bias, stride, borders):
    x = np.pad(x, ((0, 0), (0, 0), *borders))
    kh, kw = w.shape[2:]
    rows, columns = (x.shape[2] - kh) // stride[0] + 1, (x.shape[3] - kw) // stride[1] + 1
    y = np.zeros((len(x), len(w), rows, columns))
    for n, f, i, j in np.ndindex(y.shape):
        top, left = i * stride[0], j * stride[1]
        y[n, f, i, j] = bias[f] + np.sum(w[f] * x[n, :, top : top + kh, left : left + kw])
    return y


def loop_pool(x, window, stride, reduce):
    rows, columns = ((n - k) // s + 1 for n, k, s in zip(x.shape[2:], window, stride, strict=True))
    y = np.zeros((*x.shape[:2], rows, columns))
    for n, c, i, j in np.ndindex(y.shape):
        top, left = i * stride[0], j * stride[1]
        y[n, c, i, j] = reduce(x[n, c, top : top + window[0], left : left + window[1]])
    return y


def normal(*shapes, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


def distinct(*shape):
    """An array without ties, its elements farther apart than a finite difference moves them."""
    size = int(np.prod(shape))
    return np.random.default_rng(0).permutation(0.1 * np.arange(size)).reshape(shape)


# ------------------------------------------------------------------------------------------- convolution

CONVOLUTIONS = {
    # name: (x, weights, stride, padding, the same padding in full)
    "plain": ((2, 3, 7, 6), (4, 3, 3, 2), 1, 0, ((0, 0), (0, 0))),
    "stride 2": ((2, 3, 7, 6), (4, 3, 3, 2), 2, 1, ((1, 1), (1, 1))),
    "stride that leaves a rest": ((2, 1, 8, 9), (3, 1, 3, 3), (3, 2), (0, 1), ((0, 0), (1, 1))),
    "one-sided padding": ((2, 3, 5, 4), (2, 3, 3, 3), 1, ((2, 0), (0, 1)), ((2, 0), (0, 1))),
    "padding wider than the kernel": ((1, 2, 3, 3), (2, 2, 2, 2), 1, 4, ((4, 4), (4, 4))),
    "kernel larger than the image": ((2, 2, 2, 3), (3, 2, 5, 5), 1, 2, ((2, 2), (2, 2))),
    "same": ((2, 3, 6, 5), (2, 3, 5, 3), 1, "same", ((2, 2), (1, 1))),
    "same, even kernel": ((2, 3, 6, 5), (2, 3, 4, 2), 1, "same", ((1, 2), (0, 1))),
    "one image, one pixel": ((1, 1, 1, 1), (1, 1, 1, 1), 1, 0, ((0, 0), (0, 0))),
    "no images": ((0, 2, 4, 4), (3, 2, 3, 3), 1, 1, ((1, 1), (1, 1))),
    "no channels": ((2, 0, 4, 4), (3, 0, 3, 3), 1, 1, ((1, 1), (1, 1))),
    "many channels": ((3, 17, 6, 6), (19, 17, 3, 3), 1, 1, ((1, 1), (1, 1))),
}


@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_conv2d_is_its_definition(case):
    x_shape, w_shape, stride, padding, borders = CONVOLUTIONS[case]
    x, w, bias = normal(x_shape, w_shape, w_shape[:1])
    strides = (stride, stride) if isinstance(stride, int) else stride
    expected = loop_conv2d(x, w, bias, strides, borders)
    np.testing.assert_allclose(mg.conv2d(x, w, bias, stride, padding), expected, rtol=1e-12, atol=1e-12)
    without = mg.conv2d(x, w, stride=stride, padding=padding)
    np.testing.assert_allclose(without, expected - bias[:, None, None], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_conv2d_gradients_of_both_orders(case):
    x_shape, w_shape, stride, padding, _ = CONVOLUTIONS[case]
    arguments = normal(x_shape, w_shape, w_shape[:1])
    check_gradients(lambda x, w, bias: mg.conv2d(x, w, bias, stride, padding), *arguments)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_the_three_convolutions_are_derivatives_of_one_form(data):
    """Σ g · conv2d(x, w) = Σ x · conv2d_transpose(g, w) = Σ w · conv2d_weights(x, g), for any shapes."""
    small = st.integers(1, 4)
    n, channels, filters, kh, kw, top, bottom, left, right = (data.draw(small) for _ in range(9))
    borders = ((top - 1, bottom - 1), (left - 1, right - 1))
    stride = data.draw(small), data.draw(small)
    height = data.draw(st.integers(max(1, kh - sum(borders[0])), 9))
    width = data.draw(st.integers(max(1, kw - sum(borders[1])), 9))
    x, w = normal((n, channels, height, width), (filters, channels, kh, kw))
    y = mg.conv2d(x, w, None, stride, borders)
    (g,) = normal(y.shape, seed=1)
    np.testing.assert_allclose(y, loop_conv2d(x, w, np.zeros(filters), stride, borders), rtol=1e-10, atol=1e-10)
    form = np.sum(g * y)
    transposed = mg.conv2d_transpose(g, w, (height, width), stride, borders)
    weights = mg.primitives["conv2d_weights"](x, g, (kh, kw), stride, borders)
    np.testing.assert_allclose([np.sum(x * transposed), np.sum(w * weights)], form, rtol=1e-10, atol=1e-10)


def test_conv2d_names_the_shapes_it_cannot_use():
    x, w, bias = normal((2, 3, 5, 5), (4, 2, 3, 3), (5,))
    with pytest.raises(ValueError, match=r"\(2, 3, 5, 5\) and \(4, 2, 3, 3\)"):
        mg.conv2d(x, w)
    with pytest.raises(ValueError, match=r"\(3, 5, 5\) and \(4, 2, 3, 3\)"):
        mg.conv2d(x[0], w)
    with pytest.raises(ValueError, match=r"\(3, 2, 5\) and \(4, 2, 3, 3\)"):
        mg.conv2d(x[0, :, :2], w)
    with pytest.raises(ValueError, match=r"\(2, 2, 5, 5\) and \(4, 2, 3\)"):
        mg.conv2d(x[:, :2], w[..., 0])
    with pytest.raises(ValueError, match=r"\(5,\) for weights \(4, 2, 3, 3\)"):
        mg.conv2d(x[:, :2], w, bias)
    with pytest.raises(ValueError, match=r"\(3, 3\) does not fit .* \(2, 5\).*\(2, 2, 2, 5\), \(4, 2, 3, 3\)"):
        mg.conv2d(x[:, :2, :2], w)
    with pytest.raises(ValueError, match=r"\(0, 3\) does not fit"):
        mg.conv2d(x[:, :2], w[:, :, :0])
    with pytest.raises(ValueError, match="stride"):
        mg.conv2d(x[:, :2], w, stride=0)
    with pytest.raises(ValueError, match="padding"):
        mg.conv2d(x[:, :2], w, padding=-1)
    with pytest.raises(ValueError, match='"same" needs stride 1'):
        mg.conv2d(x[:, :2], w, stride=2, padding="same")
    with pytest.raises(ValueError, match=r"stride is an int or a pair .* got \(1, 1, 1\)"):
        mg.conv2d(x[:, :2], w, stride=(1, 1, 1))
    with pytest.raises(ValueError, match=r"\(2, 3, 5, 5\) to \(3, 3\).*\(2, 4, 2, 2\)"):
        mg.primitives["conv2d_weights"](x, normal((2, 4, 2, 2))[0], (3, 3))
    with pytest.raises(ValueError, match=r"\(6, 5\) to \(4, 3\).*\(2, 4, 3, 3\)"):
        mg.conv2d_transpose(normal((2, 4, 3, 3))[0], w, (6, 5))


def test_work_for_several_threads_gives_what_one_gives():
    """Sizes above the kernels' limits, where the tests around here stay below them."""
    x, w, bias = normal((8, 5, 40, 40), (6, 5, 5, 3), (6,))

    def f(x, w, bias):
        y = mg.max_pool2d(mg.batch_norm(mg.conv2d(x, w, bias, padding="same"), bias, bias), 2)
        return mg.sum(mg.sin(y[:, :, ::2]))

    whole = mg.grad(lambda inputs: f(*inputs))([x, w, bias])
    with pytest.MonkeyPatch.context() as patch:
        for kernels in (convolution, pooling, normalization):
            patch.setattr(kernels, "enabled", False)
        reference = mg.grad(lambda inputs: f(*inputs))([x, w, bias])
    for g, expected in zip(whole, reference, strict=True):
        np.testing.assert_allclose(g, expected, rtol=1e-9, atol=1e-9)


# ----------------------------------------------------------------------------------------------- pooling

POOLINGS = {
    # name: (x, window, stride)
    "tiles": ((2, 3, 6, 4), (2, 2), (2, 2)),
    "a rest": ((2, 3, 7, 5), (2, 2), (2, 2)),
    "overlapping": ((2, 2, 6, 5), (3, 2), (1, 1)),
    "gaps": ((1, 2, 7, 7), (2, 1), (3, 3)),
    "the whole image": ((2, 2, 3, 4), (3, 4), (3, 4)),
    "one image, one pixel": ((1, 1, 1, 1), (1, 1), (1, 1)),
    "no images": ((0, 2, 4, 4), (2, 2), (2, 2)),
}


@pytest.mark.parametrize("case", POOLINGS)
def test_pooling_is_its_definition(case):
    shape, window, stride = POOLINGS[case]
    (x,) = normal(shape)
    np.testing.assert_array_equal(mg.max_pool2d(x, window, stride), loop_pool(x, window, stride, np.max))
    np.testing.assert_allclose(mg.avg_pool2d(x, window, stride), loop_pool(x, window, stride, np.mean), atol=1e-15)


@pytest.mark.parametrize("case", POOLINGS)
@pytest.mark.parametrize("pool", [mg.max_pool2d, mg.avg_pool2d])
def test_pooling_gradients_of_both_orders(pool, case):
    shape, window, stride = POOLINGS[case]
    check_gradients(lambda x: mg.sin(pool(x, window, stride)), distinct(*shape))


def test_the_stride_of_pooling_is_its_window_unless_given():
    (x,) = normal((2, 3, 6, 6))
    for pool in (mg.max_pool2d, mg.avg_pool2d):
        np.testing.assert_array_equal(pool(x, 3), pool(x, (3, 3), 3))


def test_of_equal_elements_the_first_takes_the_gradient():
    x = np.zeros((1, 1, 2, 4))
    x[0, 0, :, 2:] = [[1.0, 2.0], [2.0, 2.0]]
    gradient = mg.grad(lambda x: mg.sum(mg.max_pool2d(x, 2)))(x)
    np.testing.assert_array_equal(gradient[0, 0], [[1, 0, 0, 1], [0, 0, 0, 0]])


def test_pooling_needs_images_that_hold_the_window():
    for pool in (mg.max_pool2d, mg.avg_pool2d):
        with pytest.raises(ValueError, match=r"window \(3, 2\), got \(1, 1, 2, 5\)"):
            pool(np.zeros((1, 1, 2, 5)), (3, 2))
        with pytest.raises(ValueError, match=r"window \(2, 0\)"):
            pool(np.zeros((1, 1, 4, 4)), (2, 0))
        with pytest.raises(ValueError, match=r"got \(4, 4\)"):
            pool(np.zeros((4, 4)), 2)


# --------------------------------------------------------------------------------------------- batch norm


@pytest.mark.parametrize("shape", [(6, 3), (4, 3, 5, 2), (1, 2, 3, 3)])
def test_batch_norm_is_its_definition(shape):
    x, gamma, beta = normal(shape, shape[1:2], shape[1:2])
    y = mg.batch_norm(x, gamma, beta)
    for c in range(shape[1]):
        centred = x[:, c] - np.sum(x[:, c]) / x[:, c].size
        variance = np.sum(centred**2) / x[:, c].size
        np.testing.assert_allclose(y[:, c], gamma[c] * centred / np.sqrt(variance + 1e-5) + beta[c], atol=1e-12)


def test_batch_norm_of_a_constant_channel_is_beta():
    y = mg.batch_norm(np.full((4, 2), 3.0), np.ones(2), np.array([1.0, -2.0]))
    np.testing.assert_array_equal(y, np.tile([1.0, -2.0], (4, 1)))


def test_batch_norm_in_float32_keeps_its_accuracy_far_from_zero():
    (x,) = normal((64, 2, 8, 8))
    x = (x + 100.0).astype(np.float32)
    gamma, beta, g = np.ones(2), np.zeros(2), normal(x.shape, seed=1)[0]
    exact = mg.vjp(lambda x: mg.batch_norm(x, gamma, beta), x.astype(np.float64))[1](g)
    single = mg.vjp(lambda x: mg.batch_norm(x, np.float32(gamma), np.float32(beta)), x)[1](g)
    np.testing.assert_allclose(single, exact, rtol=1e-3, atol=1e-4)


def test_batch_norm_names_the_shapes_it_cannot_use():
    with pytest.raises(ValueError, match=r"\(4, 3\) with \(2,\) and \(3,\)"):
        mg.batch_norm(np.zeros((4, 3)), np.zeros(2), np.zeros(3))
    with pytest.raises(ValueError, match=r"\(4, 3, 2\)"):
        mg.batch_norm(np.zeros((4, 3, 2)), np.zeros(3), np.zeros(3))
    with pytest.raises(ValueError, match=r"average over, got x \(0, 3\)"):
        mg.batch_norm(np.zeros((0, 3)), np.zeros(3), np.zeros(3))


# ---------------------------------------------------------------------------------------------- crosscheck


def agree_with_torch(ours, theirs, *arrays):
    """Values, gradients of Σ sin(y), and gradients of the squared length of those."""
    torch = pytest.importorskip("torch", reason="torch is not installed")

    def squared_gradient(inputs):
        first = mg.grad(lambda inputs: mg.sum(mg.sin(ours(*inputs))))(inputs)
        return sum(mg.sum(mg.square(g)) for g in first)

    tensors = [torch.tensor(a, requires_grad=True) for a in arrays]
    y = theirs(*tensors)
    first = torch.autograd.grad(torch.sin(y).sum(), tensors, create_graph=True)
    second = torch.autograd.grad(sum((g**2).sum() for g in first), tensors)
    np.testing.assert_allclose(ours(*arrays), y.detach().numpy(), rtol=1e-10, atol=1e-10)
    for mine, other in zip(mg.grad(squared_gradient)(list(arrays)), second, strict=True):
        np.testing.assert_allclose(mine, other.numpy(), rtol=1e-8, atol=1e-8)


@pytest.mark.crosscheck
@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (2, 1), ((1, 2), (0, 2)), (1, "same")])
def test_conv2d_agrees_with_torch(stride, padding):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    arrays = normal((3, 2, 7, 8), (4, 2, 3, 5), (4,))
    agree_with_torch(
        lambda x, w, bias: mg.conv2d(x, w, bias, stride, padding),
        lambda x, w, bias: torch.nn.functional.conv2d(x, w, bias, stride, padding),
        *arrays,
    )


@pytest.mark.crosscheck
@pytest.mark.parametrize(("window", "stride"), [(2, 2), ((3, 2), 1), (2, 3)])
def test_pooling_agrees_with_torch(window, stride):
    F = pytest.importorskip("torch", reason="torch is not installed").nn.functional
    x = distinct(2, 3, 7, 6)
    agree_with_torch(lambda x: mg.max_pool2d(x, window, stride), lambda x: F.max_pool2d(x, window, stride), x)
    agree_with_torch(lambda x: mg.avg_pool2d(x, window, stride), lambda x: F.avg_pool2d(x, window, stride), x)


@pytest.mark.crosscheck
@pytest.mark.parametrize("shape", [(6, 3), (4, 3, 5, 2)])
def test_batch_norm_agrees_with_torch(shape):
    F = pytest.importorskip("torch", reason="torch is not installed").nn.functional
    arrays = normal(shape, shape[1:2], shape[1:2])
    agree_with_torch(mg.batch_norm, lambda x, gamma, beta: F.batch_norm(x, None, None, gamma, beta, True), *arrays)
