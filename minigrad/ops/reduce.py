"""Reductions over any axis: None for all, an integer or a tuple. keepdims as in NumPy."""

import math

import numpy as np

from minigrad.core import primitive, stop_gradient
from minigrad.ops.elementwise import exp, where
from minigrad.ops.shape import broadcast_to, reshape


def _samples(r):
    x = r.normal(size=(2, 3, 4))
    return [
        *((x,), (x, 1), (x, (0, -1)), (x, -2, True), (x, np.int64(-1)), (x, ())),
        *((r.normal(size=()),), (r.normal(size=()), ()), (r.normal(size=5), 0), (r.normal(size=(0, 3)), 1)),
    ]


def _distinct(r):
    """Samples for functions with a kink where two elements are equal."""
    x = r.permutation(np.linspace(-3.0, 3.0, 24)).reshape(2, 3, 4)
    return [
        *((x,), (x, 1), (x, (0, -1)), (x, -2, True), (x, np.int64(-1)), (x, ())),
        *((r.normal(size=()),), (r.normal(size=()), ()), (x[0, 0], 0), (x[:0], 1)),
    ]


def _axes(shape, axis):
    axes = range(len(shape)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    return {a % len(shape) for a in axes}  # in range: NumPy has checked them in the forward pass


def _count(shape, axis):
    """How many elements are reduced to one."""
    return math.prod(shape[a] for a in _axes(shape, axis))


def _spread(y, shape, axis):
    """Broadcast a reduced array back over the axes it lost."""
    if y.shape == ():
        return broadcast_to(y, shape)
    reduced = _axes(shape, axis)
    return broadcast_to(reshape(y, tuple(1 if i in reduced else n for i, n in enumerate(shape))), shape)


def _sum_rule(y, x, axis=None, keepdims=False):
    shape = x.shape
    return lambda g: _spread(g, shape, axis)


@primitive(samples=lambda r: [*_samples(r), (r.normal(size=(2, 0)), 1)], rule=_sum_rule)
def sum(x, /, axis=None, keepdims=False):
    """Σ x over axis.

    VJP: g, repeated over axis.
    """
    return np.add.reduce(x, axis, keepdims=keepdims)  # the same as np.sum, without the overhead of its Python functions


def channel_sums(x):
    """Σ x over all axes but the second: one number for each channel of x (n, channels, …).

    Rows are summed by a product with ones, because BLAS takes a third of the time of `sum` for it.
    """
    n, channels = x.shape[:2]
    rows = reshape(x, (n * channels, math.prod(x.shape[2:])))
    return sum(reshape(rows @ np.ones(rows.shape[1], x.dtype), (n, channels)), 0)


def _mean_rule(y, x, axis=None, keepdims=False):
    shape = x.shape
    return lambda g: _spread(g / _count(shape, axis), shape, axis)


@primitive(samples=_samples, rule=_mean_rule)
def mean(x, /, axis=None, keepdims=False):
    """(Σ x)/n over axis, n the number of elements averaged.

    VJP: g/n, repeated over axis.
    """
    return np.mean(x, axis=axis, keepdims=keepdims)


def _extremum_rule(y, x, axis=None, keepdims=False):
    shape = x.shape
    hit = x == _spread(y, shape, axis)
    with np.errstate(invalid="ignore"):  # NaN is hit by nothing: its gradient is 0/0, NaN
        share = hit / np.sum(hit, axis=axis, keepdims=True, dtype=y.dtype)
    return lambda g: _spread(g, shape, axis) * share


@primitive(samples=_distinct, rule=_extremum_rule)
def max(x, /, axis=None, keepdims=False):
    """max x over axis.

    VJP: g to the largest element, in equal shares where several are.
    """
    return np.max(x, axis=axis, keepdims=keepdims)


@primitive(samples=_distinct, rule=_extremum_rule)
def min(x, /, axis=None, keepdims=False):
    """min x over axis.

    VJP: g to the smallest element, in equal shares where several are.
    """
    return np.min(x, axis=axis, keepdims=keepdims)


def _logsumexp_rule(y, x, axis=None, keepdims=False):
    shape = x.shape

    def back(g):
        y_spread = _spread(y, shape, axis)
        infinite = np.isinf(stop_gradient(y_spread))
        if infinite.any():  # x − y may be ∞ − ∞
            share = stop_gradient(x == y_spread) & (stop_gradient(y_spread) > 0)
            shares = where(infinite, share, exp(where(infinite, 0.0, x) - where(infinite, 0.0, y_spread)))
            return _spread(g, shape, axis) * shares
        return _spread(g, shape, axis) * exp(x - y_spread)

    return back


@primitive(samples=_samples, rule=_logsumexp_rule)
def logsumexp(x, /, axis=None, keepdims=False):
    """y = log Σ eˣ over axis, shifted by the largest x so that it cannot overflow.

    VJP: g·e^(x − y); where y is infinite, g to each x = ∞, and 0 to all others.
    """
    top = np.max(x, axis=axis, keepdims=True)
    top = np.where(np.isinf(top), np.zeros_like(top), top)  # ∞ − ∞ would be NaN
    with np.errstate(divide="ignore"):  # log 0 = −∞ is the answer where all x are −∞
        y = np.log(np.sum(np.exp(x - top), axis=axis, keepdims=True)) + top
    return y if keepdims else np.squeeze(y, tuple(range(y.ndim)) if axis is None else axis)


def _var_rule(y, x, axis=None, keepdims=False):
    shape = x.shape
    return lambda g: _spread(g * (2.0 / _count(shape, axis)), shape, axis) * (x - mean(x, axis, True))


@primitive(samples=_samples, rule=_var_rule)
def var(x, /, axis=None, keepdims=False):
    """(Σ (x − mean x)²)/n over axis: the variance of a population, not the n − 1 estimate.

    VJP: 2·g·(x − mean x)/n.
    """
    return np.var(x, axis=axis, keepdims=keepdims)


def _norm_rule(y, x, axis=None, keepdims=False):
    shape = x.shape
    return lambda g: _spread(g / where(y == 0, 1.0, y), shape, axis) * x


@primitive(samples=_samples, rule=_norm_rule)
def norm(x, /, axis=None, keepdims=False):
    """y = √(Σ x²) over axis, the Euclidean length.

    VJP: g·x/y, 0 where y = 0.
    """
    return np.sqrt(np.sum(np.square(x), axis=axis, keepdims=keepdims))


def std(x, axis=None, keepdims=False):
    """The square root of `var` over axis: |x − mean x|/√n, with the conventions of `norm` where it is 0."""
    return norm(x - mean(x, axis, True), axis, keepdims) / math.sqrt(_count(np.shape(x), axis))
