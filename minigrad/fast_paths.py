"""What `core.traced` makes of most functions, in place of `core._general`: the same, but faster.

Recording an operation on a few numbers takes longer than the operation, so here no loop runs over the arguments. A test
compares every primitive with what `core._general` makes of it.
"""

from minigrad.core import Var, new_node


def unary(function, rule):
    """For one array, and any options."""

    def fast(x, *args, **options):
        if type(x) is not Var:
            return function(x, *args, **options)
        tape, inner = x.tape, x.value
        value = (fast if type(inner) is Var else function)(inner, *args, **options)
        node = new_node(tape, value)
        tape.edges.append((node, x.node, rule(value, inner, *args, **options)))
        return Var(value, node, tape)

    return fast


def binary(function, rule):
    """For two arrays, without options."""

    def fast(x, y):
        x_tape = x.tape if type(x) is Var else None
        y_tape = y.tape if type(y) is Var else None
        younger = x_tape is None or (y_tape is not None and y_tape.level > x_tape.level)
        tape = y_tape if younger else x_tape
        if tape is None:
            return function(x, y)
        x_inner = x.value if tape is x_tape else x
        y_inner = y.value if tape is y_tape else y
        value = (fast if type(x_inner) is Var or type(y_inner) is Var else function)(x_inner, y_inner)
        to_x, to_y = rule(value, x_inner, y_inner)
        node = new_node(tape, value)
        if tape is x_tape:
            tape.edges.append((node, x.node, to_x))
        if tape is y_tape:
            tape.edges.append((node, y.node, to_y))
        return Var(value, node, tape)

    return fast
