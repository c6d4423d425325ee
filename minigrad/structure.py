"""Trees: any nesting of dict, list, tuple and NamedTuple whose leaves are arrays. One argument then holds them all.

The public module is `minigrad.tree`. This one is separate because core.py needs `flatten`, and `ravel` needs core.py.
"""

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = Any
"""A float array: a NumPy array, anything that np.asarray makes one of, or a Var."""
Tree: TypeAlias = Any
"""One array, or a dict, list, tuple or NamedTuple of trees."""


def flatten(tree: Tree) -> tuple[list, Callable[[Iterable], Tree]]:
    """The pair (leaves, rebuild): the leaves of tree in order, and the function from new leaves to such a tree.

    Dictionaries are read in sorted key order, so equal dictionaries flatten equally. None is an empty tree.
    Raises TypeError for any other container, and for dictionary keys that are not strings.
    """
    leaves = []
    build = _take_apart(tree, leaves)
    return leaves, lambda new: build(iter(new))


def _take_apart(tree, leaves):
    """Appends the leaves of tree to the list `leaves`; returns what rebuilds the tree from an iterator over others."""
    kind = type(tree)
    if kind in (list, tuple) or (issubclass(kind, tuple) and hasattr(kind, "_fields")):
        build = getattr(kind, "_make", kind)
        makes = []
        for item in tree:
            if hasattr(type(item), "__array__"):  # most items are arrays, for which a call would be slow
                leaves.append(item)
                makes.append(next)
            else:
                makes.append(_take_apart(item, leaves))
        return lambda new: build([make(new) for make in makes])
    if isinstance(tree, dict):
        if not all(isinstance(key, str) for key in tree):
            raise TypeError(f"the keys of a tree must be strings, this one has {list(tree)!r}")
        builds = [(key, _take_apart(tree[key], leaves)) for key in sorted(tree)]
        return lambda new: {key: make(new) for key, make in builds}
    if tree is None:
        return lambda new: None
    if isinstance(tree, (set, frozenset, str, bytes)) or hasattr(tree, "__next__"):
        raise TypeError(f"a {type(tree).__name__} cannot be part of a tree: use dict, list or tuple of arrays")
    leaves.append(tree)
    return next


def check_float(x: Any, what: str) -> None:
    """Raises TypeError where x is neither a float nor an array of floats. what: how the message begins."""
    kind = x.dtype if hasattr(x, "dtype") else type(x).__name__
    if isinstance(x, np.ma.MaskedArray):
        raise TypeError(f"{what} a masked array: fill it, and choose its elements with minigrad.where(mask, v, x)")
    if getattr(kind, "kind", kind) not in ("f", "float"):
        raise TypeError(f"only floats can be differentiated, {what} {kind}: make it a float array, with astype(float)")


def numbers(x: Any, what: str) -> np.ndarray:
    """x as an array. Raises TypeError where that is not an array of real numbers. what: how the message begins."""
    try:
        array = np.asarray(x)
    except ValueError:  # nested lists of different lengths
        array = np.asarray(None)
    if array.dtype.kind not in "biuf":
        kind = getattr(x, "dtype", type(x).__name__)
        raise TypeError(f"{what} must hold real numbers, not {kind}: make it a float array")
    return array


def map(f: Callable[[Array], Any], tree: Tree) -> Tree:
    """The tree with f applied to every leaf."""
    leaves, rebuild = flatten(tree)
    return rebuild([f(leaf) for leaf in leaves])
