"""Reverse-mode automatic differentiation on nested tapes. Read this file first.

`vjp(f, x)` opens a `Tape`, wraps x in a `Var` and calls f. Every primitive applied to a Var appends one
`Node` to that Var's tape: who its parents are, and how a cotangent (the derivative of the final result
with respect to this value) travels back to each of them. Nodes stand in the order of their creation,
which is already a topological order, so backpropagation is one loop over the tape in reverse.

Higher orders need no extra machinery. The value inside a Var may itself be a Var of an outer tape, and
rules are written with primitives; so when an outer tape is watching, a backward pass is recorded like any
other arithmetic, and when none is, it is plain NumPy. Nesting alone decides.
"""

import inspect
import itertools

import numpy as np

from minigrad import structure


class EscapedVarError(RuntimeError):
    """A Var was used after the transform that created it had returned."""


class SecondDerivativeError(TypeError):
    """A second derivative was asked of a primitive that has only a first one."""


_ESCAPED = (
    "this Var outlived the grad, vjp or value_and_grad call that made it: return what you need from the "
    "differentiated function, or keep minigrad.stop_gradient(x)"
)
_levels = itertools.count()


class Tape:
    """The nodes recorded for one call of `vjp`. An inner tape is younger, so its level is higher."""

    __slots__ = ("level", "nodes", "closed")

    def __init__(self):
        self.level = next(_levels)
        self.nodes = []
        self.closed = False


class Node:
    """One recorded value. `edges` pairs each parent's position on the tape with the rule that maps this
    value's cotangent to the parent's. It refers to no Var, so a tape is never part of a reference cycle."""

    __slots__ = ("edges", "shape", "dtype")

    def __init__(self, edges, shape, dtype):
        self.edges = edges
        self.shape = shape
        self.dtype = dtype


class Var:
    """A number watched by one tape: `value` (an array, or a Var of an outer tape), `node` (its position
    on the tape) and `tape`. Its operators and methods are NumPy's, installed by `minigrad.ops`."""

    __slots__ = ("value", "node", "tape")
    __array_ufunc__ = None  # ndarray * Var defers to Var.__rmul__ instead of making an object array

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

    def __array__(self, dtype=None, copy=None):
        raise TypeError(
            "NumPy cannot see through a Var: use the function of the same name in minigrad, "
            "or minigrad.stop_gradient(x) for its plain value"
        )

    def __bool__(self):
        return bool(self.value)

    def __float__(self):
        raise TypeError("float(x) would cut x off from its gradient: use minigrad.stop_gradient(x) if that is meant")


def _record(tape, value, edges):
    if tape.closed:
        raise EscapedVarError(_ESCAPED)
    nodes = tape.nodes
    nodes.append(Node(edges, value.shape, value.dtype))
    return Var(value, len(nodes) - 1, tape)


# ------------------------------------------------------------------------------------------ primitives

primitives = {}
"""Every registered primitive by name; the tests and the table of rules are generated from it."""


def traced(function, rule, order=2):
    """`function`, made to record itself when an argument is a Var.

    Arguments before the slash in function's signature are arrays, those after it are options.
    rule(out, *arguments) returns a cotangent rule, or for several arrays a tuple of them (None for an
    array that is not differentiated). It should close over nothing but what it needs: that is all a tape
    keeps alive. Broadcasting need not be undone, nor dtypes restored: `_backward` does both.

    With order=1 the rule is not itself differentiable, and nesting raises SecondDerivativeError at the call.
    """
    kinds = [p.kind for p in inspect.signature(function).parameters.values()]
    arrays = kinds.count(inspect.Parameter.POSITIONAL_ONLY)

    def unary(x):
        if type(x) is not Var:
            return function(x)
        value = unary(x.value)
        return _record(x.tape, value, ((x.node, rule(value, x.value)),))

    def binary(x, y):
        x_tape = x.tape if type(x) is Var else None
        y_tape = y.tape if type(y) is Var else None
        if x_tape is y_tape:
            if x_tape is None:
                return function(x, y)
            value = binary(x.value, y.value)
            to_x, to_y = rule(value, x.value, y.value)
            return _record(x_tape, value, ((x.node, to_x), (y.node, to_y)))
        if y_tape is None or (x_tape is not None and x_tape.level > y_tape.level):
            value = binary(x.value, y)
            return _record(x_tape, value, ((x.node, rule(value, x.value, y)[0]),))
        value = binary(x, y.value)
        return _record(y_tape, value, ((y.node, rule(value, x, y.value)[1]),))

    def general(*args, **options):
        tape = None
        for arg in args:
            if type(arg) is Var and (tape is None or arg.tape.level > tape.level):
                tape = arg.tape
        if tape is None:
            return function(*args, **options)
        values = [arg.value if type(arg) is Var and arg.tape is tape else arg for arg in args]
        if order == 1 and any(type(v) is Var for v in values):
            raise SecondDerivativeError(
                f"{function.__name__} has no second derivative: {inspect.getdoc(function).splitlines()[-1]}"
            )
        value = general(*values, **options)
        rules = rule(value, *values, **options)
        if type(rules) is not tuple:
            rules = (rules,)
        edges = tuple(
            (arg.node, back)
            for arg, back in zip(args, rules, strict=False)
            if type(arg) is Var and arg.tape is tape and back is not None
        )
        return _record(tape, value, edges)

    plain = len(kinds) == arrays and order == 2
    wrapper = {1: unary, 2: binary}.get(arrays, general) if plain else general
    wrapper.__name__ = function.__name__
    wrapper.__doc__ = function.__doc__
    wrapper.__module__ = function.__module__
    wrapper.__wrapped__ = function
    wrapper.rule = rule
    wrapper.order = order
    return wrapper


def primitive(rule, samples, order=2):
    """Decorator: register a NumPy function as a differentiable primitive, in this one place.

    rule and order: see `traced`. samples: a function of a numpy Generator that returns a list of argument
    tuples in float64; the generated tests run every one of them through value, gradient and second gradient.
    """

    def register(function):
        wrapper = traced(function, rule, order)
        wrapper.samples = samples
        primitives[function.__name__] = wrapper
        return wrapper

    return register


# ------------------------------------------------------------------------------------------ transforms


def _fit(cotangent, node):
    """Undo broadcasting (sum over the axes that it added or stretched) and restore the value's dtype."""
    added = cotangent.ndim - len(node.shape)
    if added > 0:
        cotangent = cotangent.sum(tuple(range(added)))
    stretched = tuple(i for i, (n, m) in enumerate(zip(node.shape, cotangent.shape, strict=False)) if n == 1 != m)
    if stretched:
        cotangent = cotangent.sum(stretched, keepdims=True)
    if cotangent.shape != node.shape:
        raise ValueError(f"a rule returned a cotangent of shape {cotangent.shape} for a value of shape {node.shape}")
    return cotangent if cotangent.dtype == node.dtype else cotangent.astype(node.dtype)


def _backward(nodes, position, cotangent):
    """The cotangents of all leaves, by position on the tape, given the one of the node at `position`."""
    cotangents = [None] * len(nodes)
    cotangents[position] = cotangent
    for i in range(position, -1, -1):
        g = cotangents[i]
        edges = nodes[i].edges
        if g is None or not edges:
            continue
        cotangents[i] = None  # nothing later in the loop reads it: free it now
        for parent, rule in edges:
            contribution = rule(g)
            node = nodes[parent]
            if contribution.shape != node.shape or contribution.dtype != node.dtype:
                contribution = _fit(contribution, node)
            so_far = cotangents[parent]
            cotangents[parent] = contribution if so_far is None else so_far + contribution
    return cotangents


def _trace(f, x):
    """f(x) with x watched by a new tape: the output's plain value, its auxiliary part, and the pullback."""
    leaves, rebuild = structure.flatten(x)
    values = [leaf if type(leaf) is Var else np.asarray(leaf) for leaf in leaves]
    for value in values:
        if value.dtype.kind != "f":
            raise TypeError(f"only floats can be differentiated, this argument is {value.dtype}: pass x.astype(float)")
    tape = Tape()
    try:
        output, aux = f(rebuild([_record(tape, value, ()) for value in values]))
    finally:
        tape.closed = True
    watched = type(output) is Var and output.tape is tape
    if type(output) is Var and output.tape.closed and not watched:
        raise EscapedVarError(_ESCAPED)
    value = output.value if watched else output if type(output) is Var else np.asarray(output)

    def pullback(cotangent):
        if type(cotangent) is not Var:
            cotangent = np.asarray(cotangent, value.dtype)
        if cotangent.shape != value.shape:
            raise ValueError(f"the cotangent has shape {cotangent.shape}, f's output has shape {value.shape}")
        found = _backward(tape.nodes, output.node, cotangent) if watched else [None] * len(values)
        return rebuild([_own(g, x) for g, x in zip(found, values, strict=False)])

    return value, aux, pullback


def _own(g, x):
    """The gradient g of the leaf x as an array that shares memory with nothing; rules may pass cotangents on as is."""
    if g is None:  # the output does not depend on x
        return np.zeros(x.shape, x.dtype)
    return g.copy() if type(g) is np.ndarray else g


def vjp(f, x):
    """The value y = f(x) and the vector-Jacobian product v ↦ vᵀ ∂f/∂x at x.

    x: a float array or a tree (dict, list, tuple) of them; f returns one array. Returns (y, pullback), where
    pullback(v), with v of y's shape, has the structure of x. It may be called any number of times.
    """
    value, _, pullback = _trace(lambda inputs: (f(inputs), None), x)
    return value, pullback


def value_and_grad(f, has_aux=False):
    """The function x, *args ↦ (f(x, *args), ∂f/∂x), with x an array or a tree of arrays.

    f returns a scalar, or with has_aux=True a pair (scalar, anything else), and then so does the first item of
    the result. Auxiliary values that are Vars of this call must go through `stop_gradient` to be used later.
    Raises TypeError where x holds integers or f's value is not a float, ValueError where it is not a scalar.
    """

    def differentiated(x, *args, **kwargs):
        def pair(inputs):
            output = f(inputs, *args, **kwargs)
            return output if has_aux else (output, None)

        value, aux, pullback = _trace(pair, x)
        if value.shape != ():
            raise ValueError(f"grad needs a scalar, f returned shape {value.shape}: reduce it, or use minigrad.vjp")
        if value.dtype.kind != "f":
            raise TypeError(f"grad needs a float, f returned {value.dtype}")
        return ((value, aux) if has_aux else value), pullback(1.0)

    return differentiated


def grad(f):
    """The function x, *args ↦ ∂f/∂x: `value_and_grad` without the value."""
    return lambda x, *args, **kwargs: value_and_grad(f)(x, *args, **kwargs)[1]


def stop_gradient(x):
    """x as a constant: every Var in the tree x is replaced by its plain value, for all tapes at once."""

    def strip(leaf):
        while type(leaf) is Var:
            leaf = leaf.value
        return leaf

    return structure.map(strip, x)


def _known_gradient(value, x, g, /):
    return np.asarray(value)[()]


_attach = traced(_known_gradient, lambda out, value, x, g: (None, lambda c: c * g, None))


def known_gradient(value, x, g):
    """`value`, with g declared to be its gradient with respect to the array x: a cotangent c goes back as c · g.

    The tape keeps g and nothing of how value was computed. Where g is a Var, c · g is differentiable through it,
    so declaring a true gradient keeps all higher derivatives true. value itself is taken as a constant.
    """
    return _attach(stop_gradient(value), x, g)
