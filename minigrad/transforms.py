"""Transforms built on the engine: gradients, Jacobian-vector products, Jacobians, checkpointing, known gradients."""

from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad import structure, tree
from minigrad.core import Var, stop_gradient, trace, traced, vjp
from minigrad.ops.shape import reshape, stack
from minigrad.structure import Array, Tree


def value_and_grad(f: Callable, has_aux: bool = False) -> Callable[..., tuple[Any, Tree]]:
    """The function x, *args ↦ (f(x, *args), ∂f/∂x), with x an array or a tree of arrays.

    f returns a scalar. With has_aux=True, f returns a pair (scalar, aux) and the result is ((scalar, aux), ∂f/∂x); Vars
    in aux that are used after the call must go through `stop_gradient`.
    Raises TypeError where x holds integers or f's value is not a float, ValueError where that is not a scalar.
    """

    def differentiated(x, *args, **kwargs):
        def pair(inputs):
            output = f(inputs, *args, **kwargs)
            if has_aux and not (isinstance(output, (tuple, list)) and len(output) == 2):
                raise TypeError(f"with has_aux=True f must return a pair (scalar, aux), not {type(output).__name__}")
            return output if has_aux else (output, None)

        value, aux, pullback = trace(pair, x)
        if value.shape != ():
            raise ValueError(f"grad needs a scalar, f returned shape {value.shape}: reduce it, or use minigrad.vjp")
        return ((value, aux) if has_aux else value), pullback(1.0, again=False)

    return differentiated


def grad(f: Callable) -> Callable[..., Tree]:
    """The function x, *args ↦ ∂f/∂x: `value_and_grad` without the value."""
    return lambda x, *args, **kwargs: value_and_grad(f)(x, *args, **kwargs)[1]


def jvp(f: Callable[[Tree], Array], x: Tree, v: Tree) -> tuple[Array, Array]:
    """The value y = f(x) and the Jacobian-vector product (∂f/∂x) v, for trees x and v of the same structure.

    The pullback u ↦ uᵀ ∂f/∂x is linear in u, so its own pullback, at any u, is v ↦ (∂f/∂x) v: two reverse passes give
    a forward derivative (Townsend 2017, "A new trick for calculating Jacobian vector products").
    """
    value, pullback = vjp(f, x)
    _, transposed = vjp(lambda u: tree.ravel(pullback(u))[0], np.zeros(value.shape, value.dtype))
    return value, transposed(matching(v, x))


def matching(v: Tree, x: Tree) -> Array:
    """v as one vector. Raises ValueError where v does not have the shapes of x."""
    shapes = [[np.shape(leaf) for leaf in tree.flatten(t)[0]] for t in (v, x)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"v must have the shapes of x, {shapes[1]}, not {shapes[0]}")
    for leaf in tree.flatten(v)[0]:
        if type(leaf) is not Var:
            structure.numbers(leaf, "v")
    return tree.ravel(v)[0]


def jacobian(f: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """The function x ↦ ∂f/∂x of an array x: shape (*f(x).shape, *x.shape), one reverse pass per element of f(x)."""

    def differentiated(x):
        if isinstance(x, (dict, list, tuple)) or x is None:
            raise TypeError(
                f"x must be one array, not a {type(x).__name__}: turn a tree into one with minigrad.tree.ravel"
            )
        value, pullback = vjp(f, x)
        basis = np.eye(value.size, dtype=value.dtype).reshape(value.size, *value.shape)
        rows = [pullback(row) for row in basis]
        return reshape(stack(rows), (*value.shape, *rows[0].shape)) if rows else np.zeros((*value.shape, *np.shape(x)))

    return differentiated


def checkpoint(f: Callable[[Tree], Tree]) -> Callable[[Tree], Tree]:
    """The same function as f, with less memory: the tape keeps only its argument, and the backward pass recomputes f.

    f takes one argument and returns one result, each an array or a tree. Leaves that are not floats are constants.
    Every Var that f uses must be in that argument; raises ValueError if f closes over a Var.
    """

    def recomputed(x):
        floats, whole = _floats(x)
        rebuild: Any = None

        def of_floats(*given):
            nonlocal rebuild
            results, rebuild = _floats(f(whole(given)))
            if any(type(y) is Var for y in results) and not any(type(leaf) is Var for leaf in given):
                raise ValueError("a checkpointed function closes over a Var: pass it in the argument")
            return tuple([y if type(y) is Var else np.asarray(y) for y in results])

        def rule(results, *given):
            def back(cotangents):
                _, pullback = vjp(lambda given: tree.ravel(of_floats(*given))[0], given)
                return pullback(tree.ravel(cotangents)[0])

            return back

        results = traced(of_floats, rule, several=True)(*floats)
        return rebuild(results)

    return recomputed


def _floats(x):
    """The leaves of the tree x that hold floats, and the function from others in their place to such a tree."""
    leaves, rebuild = tree.flatten(x)
    floats = [(leaf if hasattr(leaf, "dtype") else np.asarray(leaf)).dtype.kind == "f" for leaf in leaves]
    rest = [None if is_float else leaf for leaf, is_float in zip(leaves, floats, strict=True)]

    def with_floats(new):
        new = iter(new)
        return rebuild([next(new) if is_float else leaf for leaf, is_float in zip(rest, floats, strict=True)])

    return [leaf for leaf, is_float in zip(leaves, floats, strict=True) if is_float], with_floats


def _known_gradient(value, x, g, /):
    return np.asarray(value)[()]


_attach = traced(_known_gradient, lambda out, value, x, g: (None, lambda c: c * g, None))


def known_gradient(value: Array, x: Array, g: Array) -> Array:
    """The scalar `value`, with g declared as its gradient with respect to the array x.

    VJP: c·g. The tape keeps g, and nothing of how value was computed; value itself is a constant. If g is a Var, c·g is
    differentiable through it, so with the true gradient all higher derivatives are true as well.
    Raises ValueError where g does not have the shape of x, TypeError where value or g does not hold numbers.
    """
    structure.check_float(value, "value is")
    g = g if type(g) is Var else structure.numbers(g, "g")
    if np.shape(g) != np.shape(x):
        raise ValueError(f"g must have the shape of x, {np.shape(x)}, not {np.shape(g)}")
    return _attach(stop_gradient(value), x, g)
