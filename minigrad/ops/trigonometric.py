"""Trigonometric primitives."""

import numpy as np

from minigrad.core import primitive
from minigrad.ops.elementwise import _one


@primitive(samples=_one(), rule=lambda y, x: lambda g: g * cos(x))
def sin(x, /):
    """sin x.

    VJP: g·cos x.
    """
    return np.sin(x)


@primitive(samples=_one(), rule=lambda y, x: lambda g: -g * sin(x))
def cos(x, /):
    """cos x.

    VJP: −g·sin x.
    """
    return np.cos(x)


@primitive(samples=_one(-0.7, 0.7), rule=lambda y, x: lambda g: g + g * (y * y))
def tan(x, /):
    """y = tan x.

    VJP: g + g·y².
    """
    return np.tan(x)


@primitive(samples=_one(), rule=lambda y, x: lambda g: g / (1.0 + x * x))
def arctan(x, /):
    """arctan x, between −π/2 and π/2.

    VJP: g/(1 + x²).
    """
    return np.arctan(x)
