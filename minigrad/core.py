"""Reverse-mode automatic differentiation on nested tapes. Read this file first.

`vjp(f, x)` opens a `Tape`, wraps x in a `Var` and calls f. Every primitive that is applied to a Var adds a node to that
Var's tape, and for each argument that is a Var an edge: which node the argument is, and the rule by which a cotangent
(the derivative of the final result with respect to this value) travels back to it. Edges stand in the order of their
creation, which is already a topological order, so backpropagation is one loop over them in reverse.

Higher orders need no extra machinery. The value inside a Var may itself be a Var of an outer tape, and rules are
written with primitives; so when an outer tape is watching, a backward pass is recorded like any other arithmetic, and
when none is, it is plain NumPy. Nesting alone decides.
"""

import functools
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
    """What one call of `vjp` records. A node is a position: shapes[i] and dtypes[i] describe the i-th value; an edge
    (node, parent, rule) says where its cotangent goes; for values with one rule in common, node is a slice.

    An inner tape is younger, so its level is higher. A tape holds no Var, and of the values only what rules close over:
    it is never part of a reference cycle.
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

    def __deepcopy__(self, memo):
        return self  # it is immutable, and a copy of its tape would be one that nobody reads

    def __array__(self, dtype=None, copy=None):
        raise TypeError(
            "NumPy cannot see through a Var: use the function of the same name in minigrad, "
            "or minigrad.stop_gradient(x) for its plain value"
        )

    def __bool__(self):
        return bool(self.value)

    def __float__(self):
        raise TypeError("float(x) would cut x off from its gradient: use minigrad.stop_gradient(x) if that is meant")


def new_node(tape, value):
    """A node on tape for value, without edges yet: its position."""
    if tape.closed:
        raise EscapedVarError(_ESCAPED)
    tape.shapes.append(value.shape)
    tape.dtypes.append(value.dtype)
    return len(tape.shapes) - 1


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

    def unary(x, *args, **options):
        if type(x) is not Var:
            return function(x, *args, **options)
        tape, inner = x.tape, x.value
        value = (unary if type(inner) is Var else function)(inner, *args, **options)
        node = new_node(tape, value)
        tape.edges.append((node, x.node, rule(value, inner, *args, **options)))
        return Var(value, node, tape)

    def binary(x, y):
        tape = x.tape if type(x) is Var else None
        y_tape = y.tape if type(y) is Var else None
        if tape is not y_tape:
            return one_sided(x, y, tape, y_tape)
        if tape is None:
            return function(x, y)
        inner_x, inner_y = x.value, y.value
        innermost = type(inner_x) is not Var and type(inner_y) is not Var
        value = function(inner_x, inner_y) if innermost else binary(inner_x, inner_y)
        to_x, to_y = rule(value, inner_x, inner_y)
        node = new_node(tape, value)
        tape.edges.append((node, x.node, to_x))
        tape.edges.append((node, y.node, to_y))
        return Var(value, node, tape)

    def one_sided(x, y, tape, y_tape):
        """`binary` where x and y are not on the same tape: the younger tape watches, the other argument is constant."""
        watched = 0
        if tape is None or (y_tape is not None and y_tape.level > tape.level):
            watched, tape = 1, y_tape
        parent = y.node if watched else x.node
        inner = (x, y.value) if watched else (x.value, y)
        value = binary(*inner)
        node = new_node(tape, value)
        tape.edges.append((node, parent, rule(value, *inner)[watched]))
        return Var(value, node, tape)

    def general(*args, **options):
        tape = None
        for arg in args:
            if type(arg) is Var and (tape is None or arg.tape.level > tape.level):
                tape = arg.tape
        if tape is None:
            return function(*args, **options)
        inner = [arg.value if type(arg) is Var and arg.tape is tape else arg for arg in args]
        if order == 1 and any(type(value) is Var for value in inner):
            raise SecondDerivativeError(
                f"{function.__name__} has no second derivative: {inspect.getdoc(function).splitlines()[-1]}"
            )
        value = general(*inner, **options)
        rules = rule(value, *inner, **options)
        node = new_node(tape, value)
        for arg, back in zip(args, rules if type(rules) is tuple else (rules,), strict=False):
            if type(arg) is Var and arg.tape is tape:
                tape.edges.append((node, arg.node, back))
        return Var(value, node, tape)

    plain = order == 2 and (arrays == 1 or arrays == len(kinds))
    wrapper = {1: unary, 2: binary}.get(arrays, general) if plain else general
    functools.update_wrapper(wrapper, function)
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


def _fit(cotangent, shape, dtype):
    """Undo broadcasting (sum over the axes that it added or stretched) and restore the value's precision."""
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
    shapes, dtypes = tape.shapes, tape.dtypes
    cotangents = [None] * len(shapes)
    cotangents[output] = cotangent
    current = g = None
    while edges:
        node, parent, rule = edges.pop()
        if node != current:
            current, g = node, cotangents[node]
            several = type(node) is slice
            cotangents[node] = [None] * len(g) if several else None  # nothing reads it later: free it once it is used
            g = None if several and all(part is None for part in g) else g
        if g is None or rule is None:  # the output does not depend on this node, or not differentiably
            continue
        contribution = rule(g)
        if contribution.shape != shapes[parent] or contribution.dtype is not dtypes[parent]:
            contribution = _fit(contribution, shapes[parent], dtypes[parent])
        so_far = cotangents[parent]
        cotangents[parent] = contribution if so_far is None else so_far + contribution
    return cotangents


def trace(f, x):
    """Run f on x, watched by a new tape. f returns a pair (output, anything else).

    Returns what the world outside sees of the output, that second item, and the pullback: see `vjp`.
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
    """The gradient g of the leaf x as an array that shares memory with nothing; rules may pass cotangents on as is."""
    if g is None:  # the output does not depend on x
        return np.zeros(x.shape, x.dtype)
    return g.copy() if type(g) is np.ndarray else g


def vjp(f, x):
    """The value y = f(x) and the vector-Jacobian product v ↦ vᵀ ∂f/∂x at x.

    x: a float array or a tree (dict, list, tuple) of them; f returns one array. Returns (y, pullback), where
    pullback(v), any number of times, has the structure of x. Raises TypeError where x or y holds anything but floats.

    Rules keep the arrays that they need, not copies: one that f has used must not be changed, by f or by anybody, until
    the last pullback. The gradient would be that of neither its old nor its new values.
    """
    value, _, pullback = trace(lambda inputs: (f(inputs), None), x)
    return value, pullback


def stop_gradient(x):
    """x as a constant: every Var in the tree x is replaced by its plain value, for all tapes at once."""
    return structure.map(_plain, x) if isinstance(x, (dict, list, tuple)) else _plain(x)


def _plain(x):
    while type(x) is Var:
        x = x.value
    return x
