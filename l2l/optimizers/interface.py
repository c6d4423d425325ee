"""What an update rule is: its contract, and a check that a rule of one's own keeps it."""

from reprlib import repr  # of something long it shows the beginning
from typing import Any, Protocol, TypeAlias

import numpy as np

import minigrad as mg
from l2l.errors import L2LError
from minigrad.structure import Tree

Array: TypeAlias = np.ndarray


class UpdateRule(Protocol):
    """An update rule m, with parameters φ and a state h_t that it carries from step to step:

        (g_t, h_{t+1}) = m(∇_t, h_t; φ)        θ_{t+1} = θ_t + g_t

    φ is a tree of float arrays: what meta-training learns. The state is a tree of arrays and numbers; a rule without
    memory has {}. θ, ∇_t and g_t are arrays of one shape and precision, in practice vectors.

    A rule computes with minigrad functions, so that meta-training can differentiate g_t and h_{t+1} with respect to φ.
    It is a function: the same arguments give the same result, and none of them is written to (`v = 0.9 * v`, never
    `v *= 0.9`). All that is learned stands in φ and all that is remembered in the state, nothing in the rule itself.

    A rule that depends on the shapes of θ's tensors, or on the number of steps T, has one more method, which `train`,
    `compare` and `minimize` call once for each task:

        fit(shapes, steps) -> UpdateRule        shapes: one tuple for each tensor, in the order of θ; steps: T

    It returns the rule for that θ and that T, and changes nothing in the rule it is called on: φ is the same for all.

    A rule that keeps θ in its state, since it is only shown ∇_t, has the method shift(state, by) -> state, which moves
    that θ. It is called where θ does not move by the rule's update: under a schedule, and in imitation.

    To be saved, and to have its learning rate tuned, a rule is a frozen dataclass whose fields are its settings; the
    one that is tuned is called learning_rate.
    """

    def init(self, rng: np.random.Generator, /) -> Tree:
        """The first φ. Rules whose first φ is not random take rng=None, or nothing, as well."""
        ...

    def init_state(self, theta: Array, /) -> Tree:
        """The state h_0 for a θ of this shape and precision."""
        ...

    def __call__(self, phi: Tree, grad: Array, state: Tree, /) -> tuple[Array, Tree]:
        """The pair (g_t, h_{t+1}). g_t has the shape and the precision of grad."""
        ...


class CurvatureRule(Protocol):
    """An update rule that also sees the curvature of f at θ_t, as `problems.Curvature`: products with a vector."""

    uses_curvature: bool  # True

    def init(self, rng: np.random.Generator, /) -> Tree: ...

    def init_state(self, theta: Array, /) -> Tree: ...

    def __call__(self, phi: Tree, grad: Array, state: Tree, curvature: Any, /) -> tuple[Array, Tree]: ...


Optimizer: TypeAlias = UpdateRule | CurvatureRule


def check_phi(optimizer, phi):
    """Raises L2LError where φ is no tree of float arrays, or an empty one, so that nothing could be meta-trained."""
    leaves, name = _leaves(phi), type(optimizer).__name__
    if leaves is None or not all(getattr(getattr(leaf, "dtype", None), "kind", "") == "f" for leaf in leaves):
        fix = "make a number x np.asarray(x, float)"
        raise L2LError(f"φ of {name} must be a dict, list or tuple of float arrays, not {repr(phi)}: {fix}")
    if not leaves:
        raise L2LError(f"φ of {name} is empty, so there is nothing to meta-train: let its init return what it learns")


def check_rule(rule, phi, theta, *curvature):
    """Take two steps with a gradient of ones, and raise L2LError where rule breaks the contract of `UpdateRule`.

    In the second the state is no longer 0, so that `v *= 0.9` shows.
    """
    phi, grad = mg.stop_gradient(phi), np.ones(theta.shape, theta.dtype)
    with np.errstate(all="ignore"):  # what the numbers are does not matter here
        state = rule.init_state(mg.stop_gradient(theta))
        _check_state(state, f"{type(rule).__name__}.init_state returned")
        for _ in range(2):
            state = _checked_step(rule, phi, grad, state, curvature)


def _checked_step(rule, phi, grad, state, curvature):
    name, before = type(rule).__name__, _copies(phi, grad, state)
    step = rule(phi, grad, state, *curvature)
    if not _same(before, _copies(phi, grad, state)):
        fix = "return new arrays in a new state, as in {'v': 0.9 * state['v']}"
        raise L2LError(f"{name} writes to its arguments: {fix}")
    if not (isinstance(step, (tuple, list)) and len(step) == 2):
        raise L2LError(f"{name} must return a pair, not {_kind(step)}: end it with `return update, state`")
    update, after = step
    if getattr(update, "shape", None) != grad.shape or update.dtype.kind != "f":
        raise L2LError(f"{name} returned as its update {_kind(update)}: make it like grad, {_kind(grad)}")
    _check_state(after, f"{name} returned as its new state")
    return after


def _check_state(state, what):
    leaves = _leaves(state)
    if leaves is None or not all(np.asarray(leaf).dtype.kind in "biuf" for leaf in leaves):
        raise L2LError(
            f"{what} {repr(state)}: make it a dict, list or tuple of arrays and numbers, {{}} if there is none"
        )


def _leaves(tree):
    """The leaves of tree, or None where it is no tree."""
    try:
        return mg.tree.flatten(tree)[0]
    except TypeError:
        return None


def _copies(*trees):
    return [np.array(leaf) for leaf in mg.tree.flatten(list(trees))[0]]


def _same(before, after):
    pairs = zip(before, after, strict=False)
    return len(before) == len(after) and all(np.array_equal(a, b, equal_nan=True) for a, b in pairs)


def _kind(x):
    """What x is, in words."""
    if hasattr(x, "dtype") and hasattr(x, "shape"):
        return f"an array of {x.dtype} and shape {x.shape}"
    return repr(x)
