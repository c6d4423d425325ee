"""Several optimizers in one model, one for each part of θ."""

import math
from dataclasses import dataclass, field

import numpy as np

import minigrad as mg
from l2l.errors import L2LError
from l2l.optimizers.fitting import fit, shifted
from l2l.registry import setting


@dataclass(frozen=True)
class Groups:
    """A rule for each named part of θ, each with its own φ and state:

        g_t = [m_a(∇_a, h_a; φ_a); m_b(∇_b, h_b; φ_b)]

    where ∇_a and ∇_b are the gradients of two parts. The paper uses one LSTM for convolutions and another for the rest
    (Andrychowicz et al. 2016, section 3.3).

    groups: {part: rule}, learned or hand-designed in any mixture. φ is {part: its rule's φ}, and all of it is
    meta-trained. The task defines which coordinates belong to a part: `fitted(groups, task, steps)` is the rule for
    that task; `train`, `compare` and `minimize` call it. Raises L2LError for a rule that uses curvature, which needs
    all of θ.
    """

    groups: dict = setting(dict, "PART=RULE,PART=RULE")

    def __post_init__(self):
        for part, rule in self.groups.items():
            if isinstance(rule, Groups) or getattr(rule, "uses_curvature", False):
                raise L2LError(f"group {part!r} is one part of θ: {type(rule).__name__} needs all of θ")

    def init(self, rng=None):
        return {part: rule.init(rng) for part, rule in self.groups.items()}

    def init_state(self, theta):
        raise L2LError(
            "groups do not know the coordinates of their parts: take l2l.optimizers.fitted(groups, task, steps)"
        )

    def __call__(self, phi, grad, state):
        return self.init_state(grad)


@dataclass(frozen=True)
class _Fitted(Groups):
    """Groups with the sizes of their parts, {part: number of coordinates}, in their order in θ."""

    sizes: dict = field(default_factory=dict)

    def init_state(self, theta):
        return {part: self.groups[part].init_state(piece) for part, piece in self._pieces(theta)}

    def __call__(self, phi, grad, state):
        updates, new = [], {}
        for part, piece in self._pieces(grad):
            update, new[part] = self.groups[part](phi[part], piece, state[part])
            updates.append(update)
        return mg.concatenate(updates), new

    def shift(self, state, by):
        return {part: shifted(self.groups[part], state[part], piece) for part, piece in self._pieces(by)}

    def _pieces(self, vector):
        ends = np.cumsum(list(self.sizes.values())).tolist()
        for part, start, end in zip(self.sizes, [0, *ends], ends, strict=False):
            yield part, vector[start:end]


def fitted(optimizer, task, steps):
    """The optimizer for `steps` steps on this task: what its `fit` returns for the shapes of the task's tensors, or
    itself where it has no `fit`. For `Groups`: each rule fitted to its part, with the sizes of the parts.

    Raises L2LError where the groups are not exactly the parts of the task's θ.
    """
    shapes = tuple(task.shapes) or (task.theta.shape,)
    if not isinstance(optimizer, Groups):
        return fit(optimizer, shapes, steps)
    if not task.parts:
        raise L2LError("this θ has no parts: use one rule for all of it, not groups")
    if set(optimizer.groups) != set(task.parts):
        found, there = ", ".join(optimizer.groups) or "none", ", ".join(task.parts)
        raise L2LError(f"the parts of this θ are: {there}; give exactly these a rule, not: {found}")
    tensors = shapes if task.shapes else tuple((size,) for size in task.parts.values())
    inside = _by_part(tensors, task.parts)
    return _Fitted({part: fit(rule, inside[part], steps) for part, rule in optimizer.groups.items()}, task.parts)


def _by_part(shapes, parts):
    """{part: the shapes of its tensors}. Tensors and parts are in the order of θ, and no tensor lies in two parts."""
    ends, found, done = np.cumsum([math.prod(shape) for shape in shapes]), {}, 0
    for part, end in zip(parts, np.cumsum(list(parts.values())), strict=True):
        count = int(np.searchsorted(ends, end, side="right"))
        found[part], done = shapes[done:count], count
    return found
