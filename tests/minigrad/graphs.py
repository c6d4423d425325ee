"""Random programs of minigrad's functions, each from its own seed, for `test_random_graphs.py`.

`random_graph(seed)` adds one function after another to a program, and asks NumPy for each value. It keeps a step only
where the value is tame: finite, of moderate size, and at a distance from where the function has a kink or a pole. So
derivatives exist, are of moderate size, too, and need no loose tolerance. A step that NumPy refuses (an axis that is
not there) is remembered, for minigrad should refuse it as well.
"""

import dataclasses
import warnings

import numpy as np

import minigrad as mg
from tests.minigrad import graph_losses, graph_moves, graph_steps
from tests.minigrad.graph_losses import Seed
from tests.minigrad.oracles import numpy_function

LARGEST, MOST_ELEMENTS, MOST_AXES, MOST_INPUTS = 6.0, 72, 5, 7
REFUSALS = (ValueError, IndexError, TypeError)
PROPOSALS = [
    f
    for part in (graph_steps, graph_moves, graph_losses)
    for f in vars(part).values()
    for _ in range(getattr(f, "weight", 0))
]


MODULES = {"mg": mg, "mg.linalg": mg.linalg}


class Ref(str):
    """The name of a value: x0 is an input, v3 a result."""

    __repr__ = str.__str__


@dataclasses.dataclass
class Step:
    result: Ref
    name: str
    args: tuple
    options: dict

    def __call__(self, function, values):
        return function(self.name)(*replaced(self.args, values), **self.options)

    def __str__(self):
        function = next((f"{m}.{self.name}" for m, names in MODULES.items() if hasattr(names, self.name)), None)
        function = function or f'mg.primitives["{self.name}"]'
        arguments = [*map(shown, self.args), *(f"{name}={shown(x)}" for name, x in self.options.items())]
        return f"{function}({', '.join(arguments)})"


def replaced(x, values):
    """x with every Ref in it replaced by its value."""
    if isinstance(x, (tuple, list)):
        return type(x)(replaced(item, values) for item in x)
    if isinstance(x, Seed):
        return np.random.default_rng(x)
    return values[x] if isinstance(x, Ref) else x


def refs(x):
    if isinstance(x, (tuple, list)):
        return {ref for item in x for ref in refs(item)}
    return {x} if isinstance(x, Ref) else set()


def shown(x):
    """x as Python that makes it."""
    if isinstance(x, np.ndarray):
        array = f"np.array({x.tolist()}, np.{'bool_' if x.dtype == bool else x.dtype})"
        return array if x.size else f"{array}.reshape({x.shape})"
    if isinstance(x, tuple):
        return f"({', '.join(map(shown, x))}{',' * (len(x) == 1)})"
    if isinstance(x, list):
        return f"[{', '.join(map(shown, x))}]"
    if isinstance(x, Seed):
        return f"np.random.default_rng({x})"
    if isinstance(x, type):
        return f"np.{x.__name__}"
    if isinstance(x, np.integer):
        return f"np.{x.dtype}({x})"
    return "-np.inf" if isinstance(x, float) and x == -np.inf else repr(x)


@dataclasses.dataclass
class Graph:
    """A program: its inputs' shapes, its steps, and one that NumPy refuses, or None."""

    seed: int
    shapes: dict = dataclasses.field(default_factory=dict)
    steps: list = dataclasses.field(default_factory=list)
    refused: Step | None = None

    def inputs(self):
        return {ref: uniform(self.seed, int(ref[1:]), shape) for ref, shape in self.shapes.items()}

    def run(self, function, inputs):
        """All values by name, with function(name) the function of that name."""
        values = dict(inputs)
        for step in self.steps:
            values[step.result] = step(function, values)
        return values

    def outputs(self):
        """The values that no step uses."""
        used = {ref for step in self.steps for ref in refs(step.args)}
        return [ref for ref in [*self.shapes, *(step.result for step in self.steps)] if ref not in used]

    def vector(self, function, inputs):
        """All outputs as one vector."""
        values = self.run(function, inputs)
        return function("concatenate")([function("reshape")(values[ref], (-1,)) for ref in self.outputs()])

    def before(self, names):
        """The graph of nothing but these values and what they are computed from."""
        needed, steps = set(names), []
        for step in reversed(self.steps):
            if step.result in needed:
                steps.insert(0, step)
                needed |= refs(step.args)
        return Graph(self.seed, {ref: shape for ref, shape in self.shapes.items() if ref in needed}, steps)

    def parts(self):
        """The graph of every step in turn, with what it needs, and at last of the one that NumPy refuses."""
        values = self.run(numpy_function, self.inputs())
        for step in self.steps:
            value, part = values[step.result], self.before([step.result])
            if not isinstance(value, list) and is_tame(value) and part.shapes:
                yield part
        if self.refused:
            part = self.before(refs(self.refused.args))
            part.refused = self.refused
            yield part

    def __str__(self):
        """A program that can be run, with the shape of every result."""
        values = self.run(numpy_function, self.inputs())
        lines = [
            f"{ref} = np.random.default_rng([{self.seed}, {ref[1:]}]).uniform(-1.5, 1.5, {shape})"
            for ref, shape in self.shapes.items()
        ]
        for step in self.steps:
            value = values[step.result]
            shape = [np.shape(x) for x in value] if isinstance(value, list) else np.shape(value)
            lines.append(f"{step.result} = {step}  # {shape}")
        if self.refused:
            lines.append(f"# NumPy refuses {self.refused}")
        return "\n".join([*lines, f"# seed {self.seed}, outputs {', '.join(self.outputs())}"])


def uniform(seed, number, shape):
    return np.asarray(np.random.default_rng([seed, number]).uniform(-1.5, 1.5, shape))


# ------------------------------------------------------------------------------------------ the generator


class Reject(Exception):
    """This step would not be tame."""


class Refused(Exception):
    """NumPy refuses this step."""


class Builder:
    """A graph in the making, with its values, and the choices that proposals make."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.graph = Graph(seed)
        self.values, self.pool = {}, []

    # What a proposal adds

    def input(self, shape):
        if len(self.graph.shapes) == MOST_INPUTS:
            raise Reject
        ref = Ref(f"x{len(self.graph.shapes)}")
        self.graph.shapes[ref] = tuple(shape)
        self.values[ref] = uniform(self.graph.seed, int(ref[1:]), shape)
        return ref

    def push(self, name, *args, **options):
        step = Step(Ref(f"v{len(self.graph.steps)}"), name, args, options)
        try:
            self.values[step.result] = step(numpy_function, self.values)
        except REFUSALS as error:
            raise Refused(step) from error
        self.graph.steps.append(step)
        return step.result

    def value(self, x):
        return self.values[x] if isinstance(x, Ref) else x

    def attempt(self, propose):
        """Keep what `propose` adds, if that is tame."""
        steps, inputs = len(self.graph.steps), len(self.graph.shapes)
        try:
            with np.errstate(all="raise", under="ignore"), warnings.catch_warnings():
                warnings.simplefilter("error")
                result = propose(self)
            self.require(is_tame(self.values[result]))
        except Refused as refusal:
            self.graph.refused = self.graph.refused or self.named(refusal.args[0], steps, inputs)
        except (Reject, FloatingPointError, RuntimeWarning):
            pass
        else:
            self.pool += [*list(self.graph.shapes)[inputs:], result]
            return
        del self.graph.steps[steps:]
        for ref in list(self.graph.shapes)[inputs:]:
            del self.graph.shapes[ref]

    def named(self, step, steps, inputs):
        """The refused step, if it uses only values that stay."""
        stays = {*list(self.graph.shapes)[:inputs], *(s.result for s in self.graph.steps[:steps])}
        return step if refs(step.args) <= stays else None

    def require(self, condition):
        if not condition:
            raise Reject

    # What a proposal chooses

    def chance(self, p):
        return self.rng.random() < p

    def choice(self, items):
        return items[self.rng.integers(len(items))]

    def integer(self, low, high):
        """From low to high, both included."""
        return int(self.rng.integers(low, high + 1))

    def integers(self, low, high, shape):
        return np.asarray(self.rng.integers(low, high + 1, shape))

    def mask(self, shape):
        return np.asarray(self.rng.random(shape) < 0.6)

    def pick(self, condition=lambda x: True):
        """A value that meets the condition, rather a late one than an early one, half the time one not used yet."""
        found = [ref for ref in self.pool if condition(self.values[ref])]
        self.require(found)
        if self.chance(0.5):
            unused = set(self.graph.outputs())
            found = [ref for ref in found if ref in unused] or found
        return found[max(self.integer(0, len(found) - 1), self.integer(0, len(found) - 1))]

    def some(self, shape, constant=True):
        """An array of this shape: a value, a new input or, where it may be, a constant."""
        shape = tuple(map(int, shape))
        found = [ref for ref in self.pool if self.values[ref].shape == shape]
        if found and self.chance(0.6):
            return self.choice(found)
        if constant and (self.chance(0.4) or len(self.graph.shapes) == MOST_INPUTS):
            return np.asarray(np.round(self.rng.uniform(-1.5, 1.5, shape), 1))
        return self.input(shape)

    def number(self):
        return round(float(self.rng.uniform(0.5, 2.0)) * self.choice([-1, 1]), 1)

    def positive(self, x):
        """x, if it is at least 0.3, or something of its shape that is."""
        if np.all(self.value(x) >= 0.3):
            return x
        return self.push("exp", self.push("sin", x)) if isinstance(x, Ref) else abs(x) + 0.5

    def side(self, least=1, most=3):
        return self.integer(least, most)

    def shape(self, axes=None):
        shape = [self.side() for _ in range(self.integer(0, 4) if axes is None else axes)]
        if self.chance(0.3):
            shape = shape[:1] * len(shape)  # a mistaken axis then shows in no shape
        if shape and self.chance(0.06):
            shape[self.integer(0, len(shape) - 1)] = 0
        return tuple(shape)

    def broadcastable(self, shape):
        """A shape that broadcasts with this one."""
        other = [1 if self.chance(0.3) else self.side() if n == 1 and self.chance(0.4) else n for n in shape]
        if self.chance(0.3):
            return tuple(other[self.integer(0, len(other)) :])
        return (self.side(1, 3), *other) if self.chance(0.15) else tuple(other)

    def as_integer(self, n):
        """n as a Python or NumPy integer."""
        return np.int64(n) if self.chance(0.2) else int(n)

    def axis(self, axes):
        """One of so many axes, from either end, or seldom one that is not there."""
        if self.chance(0.05):
            return self.choice([axes, -axes - 1, axes + 2])
        return self.as_integer(self.integer(-axes, max(axes - 1, 0)))

    def axes(self, axes):
        """None, one axis or several, seldom one of them twice."""
        if self.chance(0.25):
            return None
        if self.chance(0.5):
            return self.axis(axes)
        several = self.permutation(axes)[: self.integer(0, axes)]
        if several and self.chance(0.04):
            several.append(several[0] - axes)
        return tuple(several)

    def permutation(self, axes):
        """All axes in any order, each counted from either end."""
        return [self.as_integer(a - axes * self.chance(0.5)) for a in self.rng.permutation(axes)]


def is_tame(x):
    small = x.size <= MOST_ELEMENTS and x.ndim <= MOST_AXES
    return small and x.dtype == np.float64 and bool(np.all(np.isfinite(x)) and np.all(np.abs(x) <= LARGEST))


def random_graph(seed):
    """The graph of this seed: one to three inputs, and what four to sixteen successful proposals added."""
    builder = Builder(seed)
    for _ in range(builder.integer(1, 3)):
        builder.pool.append(builder.input(builder.shape()))
    steps = builder.integer(4, 16)
    while len(builder.graph.steps) < steps:
        builder.attempt(builder.choice(PROPOSALS))
    return builder.graph
