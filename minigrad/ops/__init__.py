"""The primitives by family, and the operators and methods of Var, which follow NumPy's arrays."""

import operator

from minigrad.core import Var, stop_gradient
from minigrad.ops import (
    contractions,
    elementwise,
    image,
    linalg,
    nn,
    normalization,
    rearrange,
    reduce,
    scans,
    shape,
    trigonometric,
)

__all__ = ["contractions", "elementwise", "image", "linalg", "nn", "normalization"]
__all__ += ["rearrange", "reduce", "scans", "shape", "trigonometric"]


def _swapped(operation):
    return lambda self, other: operation(other, self)


def _on_values(comparison):
    """Comparisons look at plain values: the result is an ordinary boolean array, constant to every tape."""
    return lambda self, other: comparison(stop_gradient(self), stop_gradient(other))


for _name, _operation in {
    "add": elementwise.add,
    "sub": elementwise.subtract,
    "mul": elementwise.multiply,
    "truediv": elementwise.divide,
    "pow": elementwise.power,
    "matmul": linalg.matmul,
}.items():
    setattr(Var, f"__{_name}__", _operation)
    setattr(Var, f"__r{_name}__", _swapped(_operation))

for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
    setattr(Var, f"__{_name}__", _on_values(getattr(operator, _name)))


def _reshape(self, *lengths):
    return shape.reshape(self, lengths[0] if len(lengths) == 1 else lengths)


def _transpose(self, *axes):
    return shape.transpose(self, axes[0] if len(axes) == 1 else axes or None)


OPERATORS = {
    "__neg__": elementwise.negative,
    "__abs__": elementwise.abs,
    "__getitem__": shape.getitem,
    "__iter__": lambda self: (self[i] for i in range(len(self))),
    "T": property(shape.transpose),
    "reshape": _reshape,
    "transpose": _transpose,
}
METHODS = [
    *(reduce.sum, reduce.mean, reduce.max, reduce.min, reduce.var, reduce.std),
    *(scans.prod, scans.cumsum, scans.cumprod),
    *(shape.ravel, shape.squeeze, shape.swapaxes, shape.take, rearrange.repeat),
    *(elementwise.astype, elementwise.clip, linalg.dot, rearrange.trace),
]
for _name, _method in [*OPERATORS.items(), *((method.__name__, method) for method in METHODS)]:
    setattr(Var, _name, _method)
