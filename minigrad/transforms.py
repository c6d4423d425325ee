"""Transforms built on `vjp`: forward derivatives, full Jacobians, and trading time for memory."""

import numpy as np

from minigrad import tree
from minigrad.core import Var, traced, vjp
from minigrad.ops.shape import reshape, stack


def jvp(f, x, v):
    """The value y = f(x) and the Jacobian-vector product (∂f/∂x) v, for x and v trees of one structure.

    The pullback u ↦ uᵀ ∂f/∂x is linear in u, so its own pullback, at any u, is v ↦ (∂f/∂x) v: two reverse passes make
    a forward one (Townsend 2017, "A new trick for calculating Jacobian vector products").
    """
    value, pullback = vjp(f, x)
    _, transposed = vjp(lambda u: tree.ravel(pullback(u))[0], np.zeros(value.shape, value.dtype))
    return value, transposed(_matching(v, x))


def _matching(v, x):
    """v as one vector, after a check that it has the shapes of x."""
    shapes = [[np.shape(leaf) for leaf in tree.flatten(t)[0]] for t in (v, x)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"v must have the shapes of x, {shapes[1]}, not {shapes[0]}")
    return tree.ravel(v)[0]


def jacobian(f):
    """The function x ↦ ∂f/∂x of an array x: shape (*f(x).shape, *x.shape), one reverse pass per element of f(x)."""

    def differentiated(x):
        value, pullback = vjp(f, x)
        basis = np.eye(value.size, dtype=value.dtype).reshape(value.size, *value.shape)
        rows = [pullback(row) for row in basis]
        return reshape(stack(rows), (*value.shape, *rows[0].shape)) if rows else np.zeros((*value.shape, *np.shape(x)))

    return differentiated


def checkpoint(f):
    """f, made to keep only its argument: what happens inside is computed again when the gradient is asked for.

    f takes one argument, an array or a tree, and returns one array. Every Var that it uses must come in through that
    argument; raises ValueError where one is merely in sight.
    """

    def recomputed(x):
        flat, unravel = tree.ravel(x)

        def of_vector(vector, /):
            y = f(unravel(vector))
            if type(y) is Var and type(vector) is not Var:
                raise ValueError("a checkpointed function uses a Var that is not in its argument: pass it in x")
            return np.asarray(y) if type(y) is not Var else y

        keeping_x = traced(of_vector, lambda y, vector: lambda g: vjp(of_vector, vector)[1](g))
        return keeping_x(flat)

    return recomputed
