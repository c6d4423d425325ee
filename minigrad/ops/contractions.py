"""Einstein summation: one primitive, whose rule is one Einstein summation for each operand."""

import functools
import string

import numpy as np

from minigrad.core import primitive
from minigrad.ops.reduce import sum
from minigrad.ops.shape import broadcast_to, expand_dims, scatter

LARGE = 1000
"""Elements from which on a plan of the contraction, with BLAS where it fits, pays for the 30 µs that it takes."""


@functools.lru_cache
def _indices(subscripts, ndims):
    """The indices of each operand and of the result, in letters alone: an ellipsis becomes one for each of its axes."""
    text = subscripts.replace(" ", "")
    inputs, arrow, output = text.partition("->")
    terms = inputs.split(",")
    counts = [n - len(term) + 3 if "." in term else 0 for term, n in zip(terms, ndims, strict=True)]
    spare = [letter for letter in string.ascii_letters if letter not in text][: max(counts)]
    terms = [term.replace("...", "".join(spare[len(spare) - n :])) for term, n in zip(terms, counts, strict=True)]
    if not arrow:
        output = "..." + "".join(i for i in sorted({*inputs} - {*".,"}) if inputs.count(i) == 1)
    return terms, output.replace("...", "".join(spare))


def _einsum_rule(y, subscripts, *operands):
    terms, output = _indices(subscripts, tuple(map(np.ndim, operands)))
    lengths = {}
    for term, x in zip(terms, operands, strict=True):
        lengths.update((i, n) for i, n in zip(term, np.shape(x), strict=True) if lengths.get(i, 1) == 1)

    def to(k):
        term, shape, others = terms[k], np.shape(operands[k]), operands[:k] + operands[k + 1 :]
        given = ",".join([output, *terms[:k], *terms[k + 1 :]])
        own = "".join(dict.fromkeys(term))
        found = "".join(i for i in own if i in given)

        def back(g):
            c = einsum(f"{given}->{found}", g, *others)
            alone = tuple(k for k, i in enumerate(own) if i not in found)  # summed before any product
            c = broadcast_to(expand_dims(c, alone), tuple(lengths[i] for i in own))
            return c if own == term else _on_diagonals(c, own, term, shape)

        return back

    return (None, *map(to, range(len(operands))))


def _on_diagonals(c, own, term, shape):
    """Zeros of `shape`, with c, which has each index of term once, where equal indices meet."""
    lengths = [shape[term.index(i)] for i in own]
    stretched = tuple(k for k, n in enumerate(lengths) if n == 1)
    grid = np.ogrid[tuple(slice(n) for n in lengths)]
    return scatter(sum(c, stretched, True), tuple(grid[own.index(i)] for i in term), shape)


def _samples(r):
    shapes = {
        "ij,jk->ik": [(2, 3), (3, 4)],
        "bij,bkj->bik": [(2, 3, 4), (2, 2, 4)],
        "i,i": [(3,), (3,)],
        "i,j->ji": [(2,), (3,)],
        "ab,bc,cd->ad": [(2, 3), (3, 2), (2, 4)],
        "ij->j": [(3, 4)],
        "ji": [(2, 3)],
        "ii": [(3, 3)],
        "iij->ji": [(2, 2, 3)],
        "ij,ik->k": [(2, 3), (2, 4)],
        "...ij,...j->...i": [(2, 3, 4), (5, 1, 4)],
        "i...,i": [(3, 2), (3,)],
        "...,...": [(2, 1), (3,)],
        "iji,...j->...i": [(2, 3, 2), (4, 1)],
        "->": [()],
        ",i->i": [(), (3,)],
        "i,ij->j": [(0,), (0, 2)],
    }
    return [(subscripts, *(r.normal(size=s) for s in each)) for subscripts, each in shapes.items()]


@primitive(samples=_samples, rule=_einsum_rule)
def einsum(subscripts, *operands):
    """Σ of the products of all operands over the indices that are not in the result, as in einsum("ij,jk->ik", x, y).

    VJP: for each operand, einsum of g and the other operands, with that operand's indices as the result.

    subscripts: a string, as in NumPy, ellipses among them; its other form, with lists of axes, is not taken.
    """
    if not isinstance(subscripts, str):
        raise TypeError("einsum takes a string of subscripts first, as in einsum('ij,jk->ik', x, y)")
    planned = len(operands) > 1 and max(np.size(x) for x in operands) > LARGE
    return np.einsum(subscripts, *operands, optimize=planned)
