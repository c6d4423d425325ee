"""Trees: any nesting of dict, list and tuple whose leaves are arrays. One argument can then hold all parameters.

`minigrad.tree` is the public face of this; it adds `ravel`, which needs primitives, while core.py needs `flatten`.
"""

import numpy as np


def flatten(tree):
    """The leaves of tree in order, and the function that rebuilds the structure from as many leaves.

    Dictionaries are read in sorted key order, so equal dictionaries flatten equally. None is an empty tree.
    Raises TypeError for any other container, and for dictionary keys that are not strings.
    """
    if isinstance(tree, dict):
        if not all(isinstance(key, str) for key in tree):
            raise TypeError(f"the keys of a tree are strings, this one has {list(tree)!r}")
        keys = sorted(tree)
        return _flatten_items([tree[key] for key in keys], lambda items: dict(zip(keys, items, strict=True)))
    if type(tree) in (list, tuple):
        return _flatten_items(tree, type(tree))
    if tree is None:
        return [], lambda leaves: None
    if isinstance(tree, (set, frozenset, str, bytes)) or hasattr(tree, "_fields") or hasattr(tree, "__next__"):
        raise TypeError(f"a {type(tree).__name__} cannot be part of a tree: use dict, list or tuple of arrays")
    return [tree], lambda leaves: leaves[0]


def _flatten_items(items, build):
    parts = [flatten(item) for item in items]
    counts = [len(leaves) for leaves, _ in parts]

    def rebuild(leaves):
        rest = iter(leaves)
        return build([part([next(rest) for _ in range(n)]) for (_, part), n in zip(parts, counts, strict=True)])

    return [leaf for leaves, _ in parts for leaf in leaves], rebuild


def check_float(x, what):
    """Raises TypeError, with what as its beginning, where x is neither a float nor an array of floats."""
    kind = x.dtype if hasattr(x, "dtype") else type(x).__name__
    if isinstance(x, np.ma.MaskedArray):
        raise TypeError(f"{what} a masked array: fill it, and choose its elements with minigrad.where(mask, v, x)")
    if getattr(kind, "kind", kind) not in ("f", "float"):
        raise TypeError(f"only floats can be differentiated, {what} {kind}: make it a float array, with astype(float)")


def numbers(x, what):
    """x as an array. Raises TypeError, with what as its beginning, where that would hold anything but real numbers."""
    try:
        array = np.asarray(x)
    except ValueError:  # lists in it differ in length
        array = np.asarray(None)
    if array.dtype.kind not in "biuf":
        kind = getattr(x, "dtype", type(x).__name__)
        raise TypeError(f"{what} holds real numbers, not {kind}: make it a float array")
    return array


def map(f, tree):
    """The tree with f applied to every leaf."""
    leaves, rebuild = flatten(tree)
    return rebuild([f(leaf) for leaf in leaves])
