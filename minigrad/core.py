"""Reverse-mode automatic differentiation on nested tapes. Read this file first.

`vjp(f, x)` opens a `Tape`, wraps x in a `Var` and calls f. Every primitive that is applied to a Var adds a node to that
Var's tape, and an edge for each argument that is a Var. An edge says which node the argument is, and has the rule that
takes the cotangent of the result (the derivative of the final result with respect to it) to the argument's. Edges are
in the order of their creation, which is a topological order, so backpropagation is one loop over them in reverse.

Higher orders need nothing else. The value inside a Var may itself be a Var of an outer tape, and rules are written with
primitives. So the outer tape records an inner backward pass like any other computation; without an outer tape it is
plain NumPy.
"""

import functools
import inspect
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad import structure
from minigrad.structure import Array, Tree


class EscapedVarError(RuntimeError):
    """A Var was used after the transform that created it had returned."""


class SecondDerivativeError(TypeError):
    """A primitive that has only a first derivative was differentiated twice."""


_ESCAPED = (
    "this Var outlived the grad, vjp or value_and_grad call that made it: return what you need from the "
    "differentiated function, or keep minigrad.stop_gradient(x)"
)
_NOT_FOR_NUMPY = (
    "NumPy cannot read a Var: use the function of the same name in minigrad, "
    "or minigrad.stop_gradient(x) for its plain value"
)
_ABOUT_SHAPE = (np.shape, np.ndim, np.size)
_levels = itertools.count()


class Tape:
    """What one call of `vjp` records. A node is a position: shapes[i] and dtypes[i] describe the i-th value; an edge
    (node, parent, rule) says where its cotangent goes. From a primitive with several results there is one edge, whose
    node is the tuple of the results' nodes, and parent the list of the arguments' (None where nobody watches).

    An inner tape is created later, so its level is higher. A tape holds no Var, and no values except those that rules
    close over, so it is never part of a reference cycle.
    """

    __slots__ = ("level", "shapes", "dtypes", "edges", "closed")

    def __init__(self):
        self.level = next(_levels)
        self.shapes, self.dtypes, self.edges = [], [], []
        self.closed = False


class Var:
    """A number watched by one tape: `value` (an array, or a Var of an outer tape), `node` (its position on the tape)
    and `tape`. Its operators and methods are NumPy's, installed by `minigrad.ops`."""

    __slots__ = ("value", "node", "tape")
    __array_priority__ = 1.0  # above an array's 0: ndarray * Var defers to Var.__rmul__

    def __init__(self, value, node, tape):
        self.value = value
        self.node = node
        self.tape = tape

    shape = property(lambda self: self.value.shape)
    dtype = property(lambda self: self.value.dtype)
    ndim = property(lambda self: self.value.ndim)
    size = property(lambda self: self.value.size)

    def __len__(self):
        return len(self.value)

    def __repr__(self):
        return f"Var({self.value!r})"

    def __setitem__(self, index, value):
        raise TypeError(
            "a Var is immutable, so x[i] = v cannot be differentiated: build the result instead, "
            "with minigrad.where(mask, v, x), minigrad.concatenate or minigrad.stack"
        )

    def sort(self, axis=-1):
        raise TypeError("a Var is immutable, and an array's method sort sorts in place: use minigrad.sort(x)")

    def __deepcopy__(self, memo):
        return self  # it is immutable, and a copy of its tape would not be differentiated

    def __array__(self, dtype=None, copy=None):  # also what np.exp(x) and other ufuncs call
        raise TypeError(_NOT_FOR_NUMPY)

    def __array_function__(self, function, types, args, kwargs):
        if function in _ABOUT_SHAPE and len(args) == 1 and not kwargs:
            return getattr(args[0], function.__name__)
        raise TypeError(_NOT_FOR_NUMPY)

    def __bool__(self):
        return bool(self.value)

    def __float__(self):
        raise TypeError("float(x) would lose the gradient of x: use minigrad.stop_gradient(x) if that is intended")


def new_node(tape, value):
    """Add a node for value to the tape, without edges, and return its position."""
    if tape.closed:
        raise EscapedVarError(_ESCAPED)
    tape.shapes.append(value.shape)
    tape.dtypes.append(value.dtype)
    return len(tape.shapes) - 1


# ------------------------------------------------------------------------------------------ primitives

primitives = {}
"""Every registered primitive by name; the tests and the table of rules are generated from it."""


def traced(function: Callable, rule: Callable, order: int = 2, several: bool = False) -> Callable:
    """`function`, made to record itself when an argument is a Var: a primitive.

    Arguments before the slash in function's signature are arrays, those after it are options.

    One result: function returns an array, and rule(out, *arguments) a cotangent rule g ↦ g ∂out/∂argument, or for
    several arrays a tuple of them (None for an array that is not differentiated).

    Several results, several=True: function returns a tuple of arrays, and rule(outs, *arguments) one function, which
    takes the tuple of the cotangents of all results, zeros for a result that was not used, and returns the tuple of
    those of all arguments (None where not differentiated): what these share is computed once.

    A rule closes over nothing but what it needs: that is all a tape keeps alive. Broadcasting need not be undone, nor
    dtypes restored: `_backward` does both.

    With order=1 the rule is not itself differentiable. Nesting raises SecondDerivativeError, at the call, or in the
    pullback where its cotangents are watched; the last line of function's docstring says what to do instead.
    """
    from minigrad import fast_paths  # which needs what is defined above

    kinds = [p.kind for p in inspect.signature(function).parameters.values()]
    arrays = kinds.count(inspect.Parameter.POSITIONAL_ONLY)
    usual = order == 2 and not several
    wrapper: Any
    if usual and arrays == 1:
        wrapper = fast_paths.unary(function, rule)
    elif usual and arrays == len(kinds) == 2:
        wrapper = fast_paths.binary(function, rule)
    else:
        wrapper = _general(function, rule if order > 1 else _first_order(function, rule), several)
    functools.update_wrapper(wrapper, function)
    wrapper.rule = rule
    wrapper.order = order
    return wrapper


def _general(function, rule, several=False):
    """`traced` for any number of arguments and results: the youngest tape watches, and all else is constant to it."""

    def general(*args, **options):
        tape = None
        for arg in args:
            if type(arg) is Var and (tape is None or arg.tape.level > tape.level):
                tape = arg.tape
        if tape is None:
            return function(*args, **options)
        parents = [arg.node if type(arg) is Var and arg.tape is tape else None for arg in args]
        inner = [arg if parent is None else arg.value for arg, parent in zip(args, parents, strict=True)]
        out = general(*inner, **options)
        backs = rule(out, *inner, **options)
        if several:
            nodes = tuple([new_node(tape, value) for value in out])
            tape.edges.append((nodes, parents, backs))
            return tuple([Var(value, node, tape) for value, node in zip(out, nodes, strict=True)])
        node = new_node(tape, out)
        for parent, back in zip(parents, backs if type(backs) is tuple else (backs,), strict=False):
            if parent is not None:
                tape.edges.append((node, parent, back))
        return Var(out, node, tape)

    return general


def _first_order(function, rule):
    """`rule`, made to refuse arguments and cotangents that another tape watches: it cannot be differentiated."""

    def refuse_vars(values):
        if any(type(value) is Var for value in values):
            advice = (inspect.getdoc(function) or "").rpartition("\n")[2]
            raise SecondDerivativeError(f"{function.__name__} has no second derivative: {advice}")

    def once(back):
        def checked(g):
            refuse_vars(g if type(g) is tuple else (g,))
            return back(g)

        return back and checked

    def checked_rule(out, *arguments, **options):
        refuse_vars(arguments)
        backs = rule(out, *arguments, **options)
        return tuple(map(once, backs)) if type(backs) is tuple else once(backs)

    return checked_rule


def primitive(rule: Callable, samples: Callable, order: int = 2) -> Callable[[Callable], Callable]:
    """Decorator: register a NumPy function as a differentiable primitive.

    rule and order: see `traced`; one result. samples: a function of a numpy Generator that returns a list of argument
    tuples in float64; the generated tests run every one of them through value, gradient and second gradient.
    """

    def register(function):
        wrapper: Any = traced(function, rule, order)
        wrapper.samples = samples
        primitives[function.__name__] = wrapper
        return wrapper

    return register


# ------------------------------------------------------------------------------------------ transforms


def _fit(cotangent, shape, dtype):
    """Undo broadcasting (sum over the axes that it added or stretched) and restore the value's dtype."""
    added = cotangent.ndim - len(shape)
    if added > 0:
        cotangent = cotangent.sum(tuple(range(added)))
    stretched = tuple(i for i, (n, m) in enumerate(zip(shape, cotangent.shape, strict=False)) if n == 1 != m)
    if stretched:
        cotangent = cotangent.sum(stretched, keepdims=True)
    if cotangent.shape != shape:
        raise ValueError(f"a rule returned a cotangent of shape {cotangent.shape} for a value of shape {shape}")
    return cotangent if cotangent.dtype == dtype else cotangent.astype(dtype)


def _backward(tape, edges, output, cotangent):
    """The cotangents of the tape's leaves, by node, given the one of the node `output`. Empties the list `edges`."""
    cotangents = [None] * len(tape.shapes)
    cotangents[output] = cotangent
    current = g = None
    while edges:
        node, parent, rule = edges.pop()
        if type(node) is tuple:
            _pull_several(tape, cotangents, node, parent, rule)
            continue
        if node != current:
            current, g = node, cotangents[node]
            cotangents[node] = None  # nothing reads it later: free it once it is used
        if g is None or rule is None:  # the output does not depend on this node, or not differentiably
            continue
        _add(tape, cotangents, parent, rule(g))
    return cotangents


def _pull_several(tape, cotangents, nodes, parents, rule):
    """`_backward` along an edge from the results of one primitive to its arguments."""
    arrived = [cotangents[node] for node in nodes]
    if all(g is None for g in arrived):
        return
    for k, node in enumerate(nodes):
        cotangents[node] = None
        if arrived[k] is None:
            arrived[k] = np.zeros(tape.shapes[node], tape.dtypes[node])
    for parent, contribution in zip(parents, rule(tuple(arrived)), strict=True):
        if parent is not None and contribution is not None:
            _add(tape, cotangents, parent, contribution)


def _add(tape, cotangents, node, contribution):
    if contribution.shape != tape.shapes[node] or contribution.dtype is not tape.dtypes[node]:
        contribution = _fit(contribution, tape.shapes[node], tape.dtypes[node])
    so_far = cotangents[node]
    cotangents[node] = contribution if so_far is None else so_far + contribution


def trace(f: Callable, x: Tree) -> tuple[Array, Any, Callable]:
    """Run f on x with a new tape. f returns a pair (output, aux).

    Returns the output's value for the caller (not on this tape), aux, and the pullback: see `vjp`.
    """
    leaves, rebuild = structure.flatten(x)
    for leaf in leaves:
        structure.check_float(leaf, "this argument is")
    values = [leaf if type(leaf) is Var else np.asarray(leaf) for leaf in leaves]
    tape = Tape()
    try:
        output, aux = f(rebuild([Var(value, new_node(tape, value), tape) for value in values]))
    finally:
        tape.closed = True
    structure.check_float(output, "f returned")
    watched = type(output) is Var and output.tape is tape
    if type(output) is Var and output.tape.closed and not watched:
        raise EscapedVarError(_ESCAPED)
    value = output.value if watched else output if type(output) is Var else np.asarray(output)

    def pullback(cotangent, again=True):
        if type(cotangent) is not Var:
            cotangent = structure.numbers(cotangent, "a cotangent").astype(value.dtype, copy=False)
        if cotangent.shape != value.shape:
            raise ValueError(f"the cotangent has shape {cotangent.shape}, f's output has shape {value.shape}")
        edges = tape.edges.copy() if again else tape.edges  # emptied on the way, which frees the forward pass
        found = _backward(tape, edges, output.node, cotangent) if watched else [None] * len(values)
        return rebuild([_own(g, x) for g, x in zip(found, values, strict=False)])

    return value, aux, pullback


def _own(g, x):
    """The gradient g of the leaf x as an array of its own, because rules may pass cotangents on without a copy."""
    if g is None:  # the output does not depend on x
        return np.zeros(x.shape, x.dtype)
    return g.copy() if type(g) is np.ndarray else g


def vjp(f: Callable[[Tree], Array], x: Tree) -> tuple[Array, Callable[[Array], Tree]]:
    """The value y = f(x) and the vector-Jacobian product v ↦ vᵀ ∂f/∂x at x.

    x: a float array or a tree (dict, list, tuple) of them; f returns one array. Returns (y, pullback), where
    pullback(v), any number of times, has the structure of x. Raises TypeError where x or y holds anything but floats.

    Rules keep the arrays that they need, not copies: do not change an array that f has used before the last pullback,
    or the gradient will be wrong.
    """
    value, _, pullback = trace(lambda inputs: (f(inputs), None), x)
    return value, pullback


def stop_gradient(x: Tree) -> Tree:
    """x as a constant for all tapes: every Var in the tree x is replaced by its plain value."""
    return structure.map(_plain, x) if isinstance(x, (dict, list, tuple)) else _plain(x)


def _plain(x):
    while type(x) is Var:
        x = x.value
    return x
