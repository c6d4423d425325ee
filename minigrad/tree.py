"""Trees of arrays (dict, list, tuple, NamedTuple) and their one-vector form."""

import math
from collections.abc import Callable

import numpy as np

from minigrad import structure
from minigrad.ops.shape import concatenate, reshape
from minigrad.structure import Array, Tree, flatten, map

__all__ = ["flatten", "map", "ravel"]


def ravel(tree: Tree) -> tuple[Array, Callable[[Array], Tree]]:
    """The pair (vector, unravel): all leaves of tree as one vector, and the function from such a vector to a tree.

    Both are differentiable. The vector has the leaves' common dtype; unravel keeps the dtype of its argument.
    Raises TypeError where the leaves have no common dtype. unravel raises TypeError for an argument that does not hold
    numbers, and ValueError for a vector of another length.
    """
    leaves, rebuild = flatten(tree)
    leaves = [leaf if hasattr(leaf, "shape") else np.asarray(leaf) for leaf in leaves]
    shapes = [leaf.shape for leaf in leaves]
    ends = np.cumsum([math.prod(shape) for shape in shapes], dtype=int).tolist()
    total = ends[-1] if ends else 0

    def unravel(vector):
        if not hasattr(vector, "shape"):
            vector = structure.numbers(vector, "the vector of a tree")
        if vector.shape != (total,):
            raise ValueError(f"this tree needs a vector of shape ({total},), not {vector.shape}")
        starts = [0, *ends]
        pieces = [vector[a:b] for a, b in zip(starts, ends, strict=False)]
        return rebuild([reshape(piece, shape) for piece, shape in zip(pieces, shapes, strict=True)])

    return (concatenate([reshape(leaf, (-1,)) for leaf in leaves]) if leaves else np.zeros(0)), unravel
