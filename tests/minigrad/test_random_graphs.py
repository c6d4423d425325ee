"""Random graphs of all functions, compared with an independent oracle: PyTorch where installed, else differences.

A graph is a program of about ten steps (`graphs.py`), whose loss is Σ w·sin y over all its outputs y with random
weights w. Compared are every value, with NumPy's; the gradient by every input; the products of the Hessian and of the
Jacobian with a direction v; and what NumPy refuses. A failure is printed as a program, cut down to the first value that
fails by itself.
"""

import collections
import functools
import importlib.util

import numpy as np
import pytest

import minigrad as mg
from minigrad import core
from minigrad.testing import difference
from tests.minigrad.graphs import REFUSALS, random_graph
from tests.minigrad.oracles import numpy_function
from tests.minigrad.test_planted_faults import FAULTS, with_rule
from tests.minigrad.torch_oracle import torch_function

GRAPHS, BLOCK = 500, 25
STEP = 1e-3  # of sixth-order differences
TOLERANCE = 1e-11  # rounding alone: at most 3e-14 in 20,000 graphs compared with PyTorch
TOLERANCE_OF_DIFFERENCES = 1e-8  # rounding divided by the step: at most 2e-11 in 2,000 graphs


def minigrad_function(name):
    return getattr(mg, name, None) or getattr(mg.linalg, name, None) or mg.primitives[name]


graph_of = functools.lru_cache(GRAPHS)(random_graph)


class Point:
    """Where a graph is differentiated: its inputs x, a direction v, and the weights w of its loss."""

    def __init__(self, graph):
        self.rng = np.random.default_rng([graph.seed, 99])
        self.x = graph.inputs()
        self.v = self.direction()
        self.w = self.rng.uniform(-1.0, 1.0, graph.vector(numpy_function, self.x).shape)

    def direction(self):
        """Of length 1, for all inputs together."""
        v = {name: np.asarray(self.rng.normal(size=x.shape)) for name, x in self.x.items()}
        length = np.sqrt(sum(np.sum(part * part) for part in v.values())) or 1.0
        return {name: part / length for name, part in v.items()}

    def moved(self, step, v):
        return {name: x + step * v[name] for name, x in self.x.items()}


def vector(tree):
    return np.concatenate([part.reshape(-1) for part in tree.values()])


# ------------------------------------------------------------------------------------------ the oracles
#
# Each yields (what, found, expected, tolerance), given the gradient and the Hessian-vector product that minigrad found.


def against_torch(graph, point, gradient, product, gradient_at):
    import torch

    x = {name: torch.tensor(x, requires_grad=True) for name, x in point.x.items()}
    leaves = list(x.values())
    loss = (torch.sin(graph.vector(torch_function, x)) * torch.tensor(point.w)).sum()
    slopes = torch.autograd.grad(loss, leaves, create_graph=True, materialize_grads=True)
    slope = sum((g * torch.tensor(v)).sum() for g, v in zip(slopes, point.v.values(), strict=True))
    bends = torch.autograd.grad(slope, leaves, materialize_grads=True) if slope.requires_grad else None
    for i, name in enumerate(x):
        yield f"the gradient by {name}", gradient[name], slopes[i].numpy(force=True), TOLERANCE
        bend = bends[i].numpy(force=True) if bends else np.zeros(point.x[name].shape)
        yield f"the Hessian-vector product by {name}", product[name], bend, TOLERANCE


def against_differences(graph, point, gradient, product, gradient_at):
    """The gradient along three directions, from NumPy's losses alone, and then the product from such gradients."""

    def numpy_loss(x):
        return np.sum(np.sin(graph.vector(numpy_function, x)) * point.w)

    for v in (point.v, point.direction(), point.direction()):
        slope = difference(lambda step, v=v: numpy_loss(point.moved(step, v)), 0.0, STEP)
        yield "the gradient along a direction", vector(gradient) @ vector(v), slope, TOLERANCE_OF_DIFFERENCES
    bend = difference(lambda step: vector(gradient_at(point.moved(step, point.v))), 0.0, STEP)
    yield "the Hessian-vector product", vector(product), bend, TOLERANCE_OF_DIFFERENCES


ORACLES = {"torch": against_torch, "differences": against_differences}
TORCH = importlib.util.find_spec("torch") is not None


BEST = "torch" if TORCH else "differences"


@pytest.fixture(autouse=True, scope="module")
def _torch_on_one_thread():
    """On such small arrays a second thread costs more than it helps."""
    if TORCH:
        import torch

        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        yield
        torch.set_num_threads(threads)
    else:
        yield


# ------------------------------------------------------------------------------------------ the comparison


def derivatives(graph, function, point):
    """Gradient, Hessian-vector product, the derivative of the loss along v, and the gradient as a function."""

    def loss(x):
        return mg.sum(mg.sin(graph.vector(function, x)) * point.w)

    y, forward = mg.jvp(lambda x: graph.vector(function, x), point.x, point.v)
    along = np.sum(forward * np.cos(y) * point.w)
    return mg.grad(loss)(point.x), mg.hvp(loss, point.x, point.v), along, mg.grad(loss)


def accepts(graph, function, x):
    """Does the step that NumPy refuses pass, of plain arrays or under a gradient?"""
    passed = []

    def attempt(x):
        values = graph.run(function, x)
        try:
            graph.refused(function, values)
        except REFUSALS:
            return 0.0
        passed.append(True)
        return 0.0

    attempt(x)
    mg.vjp(attempt, x)
    return bool(passed)


def comparisons(graph, function, oracle):
    """(what, found, expected, tolerance) of everything that is compared."""
    point = Point(graph)
    expected = graph.run(numpy_function, point.x)
    found = graph.run(function, point.x)
    for name, value in expected.items():
        if not isinstance(value, list):  # the parts of a split are values, too
            yield f"the value of {name}", found[name], value, 1e-12
    gradient, product, along, gradient_at = derivatives(graph, function, point)
    yield from ORACLES[oracle](graph, point, gradient, product, gradient_at)
    yield "the Jacobian-vector product", along, vector(gradient) @ vector(point.v), TOLERANCE
    if graph.refused:
        yield "that NumPy refuses a step and minigrad not", accepts(graph, function, point.x), False, 0


def first_difference(graph, function, oracle):
    """In words, or None. An error that minigrad raises is one, too."""
    try:
        for what, found, expected, tolerance in comparisons(graph, function, oracle):
            if np.shape(found) != np.shape(expected):
                return f"{what} has shape {np.shape(found)}, not {np.shape(expected)}"
            if not error_of(found, expected) <= tolerance:
                with np.printoptions(threshold=20, edgeitems=1):
                    return f"{what} is\n{found}\nand not\n{expected}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def error_of(found, expected):
    """The largest difference, relative to the largest magnitude and at least 1; infinities may be equal."""
    found, expected = np.asarray(found, float), np.asarray(expected, float)
    apart = found != expected
    scale = max(1.0, np.max(np.abs(expected), initial=0.0, where=np.isfinite(expected)))
    return np.max(np.abs(np.subtract(found, expected, where=apart, out=np.zeros(found.shape))), initial=0.0) / scale


def failure_of(graph, function, oracle):
    """What differs, with the shortest program that shows it, or None."""
    whole = first_difference(graph, function, oracle)
    if whole is None:
        return None
    for part in graph.parts():
        difference = first_difference(part, function, oracle)
        if difference:
            return f"{difference}\n\n{part}"
    return f"{whole}\n\n{graph}"


# ------------------------------------------------------------------------------------------ the tests


def check(seeds, oracle):
    found = [failure_of(graph_of(seed), minigrad_function, oracle) for seed in seeds]
    failures = [failure for failure in found if failure]
    assert not failures, f"{len(failures)} of {len(found)} graphs differ\n\n" + "\n\n\n".join(failures[:5])


@pytest.mark.parametrize("first", range(0, GRAPHS, BLOCK))
def test_graphs_agree_with_the_oracle(first):
    check(range(first, first + BLOCK), BEST)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 20_000, 500))
def test_20000_graphs_agree_with_the_oracle(first):
    check(range(first, first + 500), BEST)


@pytest.mark.skipif(not TORCH, reason="then all graphs are compared with differences")
def test_graphs_agree_with_differences():
    check(range(BLOCK), "differences")


def test_graphs_use_every_primitive_and_every_function():
    """Ten times at least, and with all that NumPy may refuse of them."""
    counts = collections.Counter(step.name for seed in range(GRAPHS) for step in graph_of(seed).steps)
    public = {name for name, f in vars(mg).items() if getattr(f, "__module__", "").startswith("minigrad.ops")}
    names = {*mg.primitives, *public, *mg.linalg.__all__}
    assert {name: counts[name] for name in names if counts[name] < 10} == {}


@pytest.mark.parametrize("seed", range(BLOCK))
def test_a_graph_is_printed_as_a_program_that_computes_its_values(seed):
    graph, names = graph_of(seed), {"np": np, "mg": mg}
    exec(str(graph), names)
    for name, value in graph.run(minigrad_function, graph.inputs()).items():
        if not isinstance(value, list):
            np.testing.assert_array_equal(names[name], value)


# ---------------------------------------------------------------------------------- the oracles' own tests


def replacing(name, wrong):
    """minigrad's functions, of which one is wrong."""
    return lambda asked: wrong if asked == name else minigrad_function(asked)


def inverted_by_argsort(y, x, axes=None):
    """What transpose's rule once was: it sorts negative axes before the others."""
    return lambda g: mg.transpose(g, None if axes is None else np.argsort(axes))


def forgetting_repetitions(y, x, index):
    """An element that is picked twice receives one of its cotangents."""

    def back(g):
        zeros = np.zeros(x.shape)
        taken = np.arange(zeros.size).reshape(x.shape)[index]
        last = dict(zip(taken.ravel().tolist(), range(taken.size), strict=True))
        picked = mg.reshape(g, (-1,))[list(last.values())]
        return mg.reshape(mg.primitives["scatter"](picked, list(last), (zeros.size,)), x.shape)

    return back


WRONG = {
    "transpose": inverted_by_argsort,
    "getitem": forgetting_repetitions,
    "tanh": lambda y, x: lambda g: g * mg.stop_gradient(1.0 - y * y),  # wrong from the second derivative on
}


def graphs_with(name):
    """Those of the fast suite that use the function, one after another."""
    return (graph for graph in map(graph_of, range(GRAPHS)) if any(step.name == name for step in graph.steps))


def is_wrong(difference):
    """Is it a derivative that differs, and not an error or a value?"""
    return difference is not None and difference.startswith(("the gradient", "the Hessian"))


@pytest.mark.parametrize("oracle", ORACLES)
@pytest.mark.parametrize("name", WRONG)
def test_each_oracle_notices_a_wrong_rule(name, oracle):
    if oracle == "torch":
        pytest.importorskip("torch")
    function = replacing(name, core.traced(mg.primitives[name].__wrapped__, WRONG[name]))
    assert any(is_wrong(first_difference(graph, function, oracle)) for graph in graphs_with(name))


@pytest.mark.parametrize("name", mg.primitives)
def test_a_wrong_rule_of_any_primitive_is_noticed(name):
    wrong = with_rule(mg.primitives[name], FAULTS["something added"])
    assert any(is_wrong(first_difference(graph, replacing(name, wrong), BEST)) for graph in graphs_with(name))
