"""Elementwise primitives. Binary ones broadcast as NumPy does; the engine undoes it in the gradient.

Each docstring states the formula and the VJP: how a cotangent g of the result becomes one of each argument.
"""

import numpy as np

from minigrad.core import primitive, stop_gradient
from minigrad.kernels import activation


def _one(low=-2.0, high=2.0):
    """Samples for a function of one array: a matrix, a 0-d array and an empty one."""
    return lambda r: [(r.uniform(low, high, shape),) for shape in ((3, 4), (), (2, 0))]


def _two(low=-2.0, high=2.0):
    """Samples for a function of two arrays: equal, broadcast and 0-d shapes."""
    shapes = [((3, 4), (3, 4)), ((3, 1), (2, 1, 4)), ((), (3,)), ((2, 3), ()), ((1, 0), (2, 1))]
    return lambda r: [(r.uniform(low, high, a), r.uniform(low, high, b)) for a, b in shapes]


def _away_from_zero(r):
    """Samples for functions with a kink at 0."""
    return [(r.uniform(0.2, 2.0, shape) * r.choice([-1.0, 1.0], shape),) for shape in ((3, 4), (), (2, 0))]


def _apart(r):
    """Pairs for functions with a kink where both arguments are equal."""
    x, gap = r.normal(size=(3, 4)), r.uniform(0.2, 2.0, (3, 4)) * r.choice([-1.0, 1.0], (3, 4))
    return [(x, x + gap), (x[0], np.float64(9.0)), (np.float64(-9.0), x)]


def _scale(factor):
    return lambda g: g * factor


# ------------------------------------------------------------------------------------------ arithmetic


@primitive(samples=_two(), rule=lambda z, x, y: (lambda g: g, lambda g: g))
def add(x, y, /):
    """x + y.

    VJP: g; g.
    """
    return np.add(x, y)


@primitive(samples=_two(), rule=lambda z, x, y: (lambda g: g, lambda g: -g))
def subtract(x, y, /):
    """x − y.

    VJP: g; −g.
    """
    return np.subtract(x, y)


@primitive(samples=_two(), rule=lambda z, x, y: (lambda g: g * y, lambda g: g * x))
def multiply(x, y, /):
    """x · y.

    VJP: g·y; g·x.
    """
    return np.multiply(x, y)


@primitive(samples=_two(0.5, 2.0), rule=lambda z, x, y: (lambda g: g / y, lambda g: -(g * z) / y))
def divide(x, y, /):
    """z = x / y.

    VJP: g/y; −g·z/y.
    """
    return np.divide(x, y)


def _power_rule(z, x, y):
    def to_x(g):
        if isinstance(y, (int, float)):  # keeps float32: a Python number has no dtype of its own
            return g * (y * x ** (y - 1)) if y else g * 0.0
        return g * (y * x ** where(y == 0, 1.0, y - 1.0))

    def to_y(g):
        positive = x > 0
        return g * where(positive, z * log(where(positive, x, 1.0)), 0.0)

    return to_x, to_y


@primitive(samples=lambda r: [*_two(0.5, 2.0)(r), (r.normal(size=3), 3.0), (2.0, r.normal(size=3))], rule=_power_rule)
def power(x, y, /):
    """z = x^y.

    VJP: g·y·x^(y−1), 0 where y = 0; g·z·log x, 0 where x ≤ 0.
    """
    return np.power(x, y)


@primitive(samples=_one(), rule=lambda y, x: lambda g: -g)
def negative(x, /):
    """−x.

    VJP: −g.
    """
    return np.negative(x)


@primitive(samples=_one(), rule=lambda y, x: lambda g: g * (2.0 * x))
def square(x, /):
    """x².

    VJP: 2·g·x.
    """
    return np.square(x)


@primitive(samples=_one(0.2, 2.0), rule=lambda y, x: lambda g: g * (0.5 / y))
def sqrt(x, /):
    """y = √x.

    VJP: g/(2y), infinite at 0 like the derivative; for a length that may be 0 use `norm`.
    """
    return np.sqrt(x)


@primitive(samples=_away_from_zero, rule=lambda y, x: _scale(sign(x)))
def abs(x, /):
    """|x|.

    VJP: g·sign(x), 0 at 0.
    """
    return np.abs(x)


@primitive(samples=_away_from_zero, rule=lambda y, x: lambda g: g * 0.0)
def sign(x, /):
    """sign(x): −1, 0 or 1.

    VJP: 0, also at 0 where there is no derivative.
    """
    return np.sign(x)


# ------------------------------------------------------------------------- exponentials and their kin


@primitive(samples=_one(), rule=lambda y, x: lambda g: g * y)
def exp(x, /):
    """y = eˣ.

    VJP: g·y.
    """
    return np.exp(x)


@primitive(samples=_one(), rule=lambda y, x: lambda g: g * (y + 1.0))
def expm1(x, /):
    """y = eˣ − 1, exact for small x.

    VJP: g·(y + 1).
    """
    return np.expm1(x)


@primitive(samples=_one(0.2, 3.0), rule=lambda y, x: lambda g: g / x)
def log(x, /):
    """log x, natural.

    VJP: g/x.
    """
    return np.log(x)


@primitive(samples=_one(-0.8, 2.0), rule=lambda y, x: lambda g: g / (1.0 + x))
def log1p(x, /):
    """log(1 + x), exact for small x.

    VJP: g/(1 + x).
    """
    return np.log1p(x)


@primitive(samples=_one(), rule=lambda y, x: lambda g: g - g * (y * y))
def tanh(x, /):
    """y = tanh x.

    VJP: g − g·y².
    """
    return np.tanh(x)


@primitive(samples=_one(), rule=lambda y, x: lambda g: g * cosh(x))
def sinh(x, /):
    """sinh x = (eˣ − e⁻ˣ)/2.

    VJP: g·cosh x.
    """
    return np.sinh(x)


@primitive(samples=_one(), rule=lambda y, x: lambda g: g * sinh(x))
def cosh(x, /):
    """cosh x = (eˣ + e⁻ˣ)/2.

    VJP: g·sinh x.
    """
    return np.cosh(x)


@primitive(samples=_one(-5.0, 5.0), rule=lambda y, x: lambda g: g * (y - y * y))
def sigmoid(x, /):
    """y = 1/(1 + e⁻ˣ), computed as ½ + ½·tanh(x/2), which cannot overflow.

    VJP: g·(y − y²).
    """
    return 0.5 + 0.5 * np.tanh(0.5 * x)


@primitive(samples=_one(-5.0, 5.0), rule=lambda y, x: lambda g: g * sigmoid(x))
def softplus(x, /):
    """log(1 + eˣ).

    VJP: g·sigmoid(x).
    """
    return np.logaddexp(x, 0.0)


def _logaddexp_rule(z, x, y):
    infinite = np.isinf(stop_gradient(z))  # where x − y may be ∞ − ∞
    top = stop_gradient(z) > 0

    def share(a, b):
        if not infinite.any():
            return sigmoid(a - b)
        between = sigmoid(where(infinite, 0.0, a) - where(infinite, 0.0, b))
        return where(infinite, stop_gradient(a == z) & top, between)

    return lambda g: g * share(x, y), lambda g: g * share(y, x)


@primitive(samples=_two(), rule=_logaddexp_rule)
def logaddexp(x, y, /):
    """z = log(eˣ + eʸ), without overflow.

    VJP: g·sigmoid(x − y); g·sigmoid(y − x); where z is infinite, as for `logsumexp`.
    """
    return np.logaddexp(x, y)


# ----------------------------------------------------------------------------------- choices and kinks


def _relu_rule(y, x):
    y = stop_gradient(y)
    return lambda g: gate(g, y)


@primitive(samples=_away_from_zero, rule=_relu_rule)
def relu(x, /):
    """y = max(x, 0).

    VJP: gate(g, y), which is g where x > 0, else 0.
    """
    return activation.relu(x)


@primitive(
    samples=lambda r: [(r.normal(size=s), r.integers(-1, 2, s)) for s in ((3, 4), (2, 0))],
    rule=lambda z, g, y: (lambda h: gate(h, y), None),
)
def gate(g, y, /):
    """g where the constant y > 0, else 0.

    VJP: gate(h, y) of its cotangent h; not differentiated.
    """
    return activation.gate(g, y)


def _wins(x, y, dtype):
    """1 where x > y, ½ where they are equal, 0 elsewhere."""
    return 0.5 * np.add(x > y, x >= y, dtype=dtype)


@primitive(samples=_apart, rule=lambda z, x, y: (_scale(_wins(x, y, z.dtype)), _scale(_wins(y, x, z.dtype))))
def maximum(x, y, /):
    """max(x, y).

    VJP: g to the larger one, ½·g to each where they are equal.
    """
    return np.maximum(x, y)


@primitive(samples=_apart, rule=lambda z, x, y: (_scale(_wins(y, x, z.dtype)), _scale(_wins(x, y, z.dtype))))
def minimum(x, y, /):
    """min(x, y).

    VJP: g to the smaller one, ½·g to each where they are equal.
    """
    return np.minimum(x, y)


@primitive(
    samples=lambda r: [(np.array([-2.0, -0.4, 0.3, 1.7]), -1.0, 1.0), (np.float64(0.5), 0.0, 1.0)],
    rule=lambda y, x, lower, upper: _scale(np.logical_and(x >= lower, x <= upper)),
)
def clip(x, /, lower, upper):
    """min(max(x, lower), upper), with numbers or constant arrays as limits.

    VJP: g where lower ≤ x ≤ upper, else 0.
    """
    return np.clip(x, lower, upper)


@primitive(
    samples=lambda r: (
        [(r.normal(size=(3, 4)) > 0, *pair) for pair in _two()(r)[:1]]
        + [(np.array([True, False, True]), r.normal(size=(2, 1)), r.normal(size=()))]
    ),
    rule=lambda z, condition, x, y: (None, lambda g: where(condition, g, 0.0), lambda g: where(condition, 0.0, g)),
)
def where(condition, x, y, /):
    """x where the boolean array condition holds, else y.

    VJP: not differentiated; g where condition, else 0; g where not condition, else 0.
    """
    return np.where(condition, x, y)


@primitive(
    samples=lambda r: [(r.normal(size=shape), np.float64) for shape in ((3, 4), (), (2, 0))],
    rule=lambda y, x, dtype: lambda g: astype(g, x.dtype),
)
def astype(x, /, dtype):
    """x in another floating-point precision.

    VJP: g in x's precision.

    Raises TypeError where dtype is not a float: integers have no gradient; for integers convert stop_gradient(x).
    """
    if np.dtype(dtype).kind != "f":
        raise TypeError(
            f"astype converts only from float to float, not to {np.dtype(dtype)}: use minigrad.stop_gradient first"
        )
    return np.asarray(x).astype(dtype)
