"""The primitives by family, and Var's operators and methods, which are those of a NumPy array."""

import operator

from minigrad.core import Var, stop_gradient
from minigrad.ops import batch_norm, elementwise, image, linalg, nn, reduce, shape

__all__ = ["batch_norm", "elementwise", "image", "linalg", "nn", "reduce", "shape"]


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

Var.__neg__ = elementwise.negative
Var.__abs__ = elementwise.abs
Var.__getitem__ = shape.getitem
Var.__iter__ = lambda self: (self[i] for i in range(len(self)))
Var.T = property(shape.transpose)
Var.sum = reduce.sum
Var.mean = reduce.mean
Var.max = reduce.max
Var.min = reduce.min
Var.reshape = lambda self, *shape_: shape.reshape(self, shape_[0] if len(shape_) == 1 else shape_)
Var.astype = elementwise.astype
