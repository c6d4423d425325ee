"""Several optimizers in one model, one for each part of θ."""

from dataclasses import dataclass, field

import numpy as np

import minigrad as mg
from l2l.errors import L2LError
from l2l.registry import setting


@dataclass(frozen=True)
class Groups:
    """A rule for each named part of θ, each with its own φ and state:

        g_t = [m_a(∇_a, h_a; φ_a); m_b(∇_b, h_b; φ_b)]

    where ∇_a and ∇_b are the gradients of two parts. The paper uses one LSTM for convolutions and another for the rest
    (Andrychowicz et al. 2016, section 3.3).

    groups: {part: rule}, learned or hand-designed in any mixture. φ is {part: its rule's φ}, and all of it is
    meta-trained. The task defines which coordinates belong to a part: `fitted(groups, task)` is the rule for that task;
    `train`, `compare` and `minimize` call it. Raises L2LError for a rule that uses curvature, which needs all of θ.
    """

    groups: dict = setting(dict, "PART=RULE,PART=RULE")

    def __post_init__(self):
        for part, rule in self.groups.items():
            if isinstance(rule, Groups) or getattr(rule, "uses_curvature", False):
                raise L2LError(f"group {part!r} is one part of θ: {type(rule).__name__} needs all of θ")

    def init(self, rng=None):
        return {part: rule.init(rng) for part, rule in self.groups.items()}

    def init_state(self, theta):
        raise L2LError("groups do not know the coordinates of their parts: take l2l.optimizers.fitted(groups, task)")

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

    def _pieces(self, vector):
        ends = np.cumsum(list(self.sizes.values())).tolist()
        for part, start, end in zip(self.sizes, [0, *ends], ends, strict=False):
            yield part, vector[start:end]


def fitted(optimizer, task):
    """The optimizer for this task: itself, or for `Groups` the same rules with the sizes of the task's parts.

    Raises L2LError where the groups are not exactly the parts of the task's θ.
    """
    if not isinstance(optimizer, Groups):
        return optimizer
    if not task.parts:
        raise L2LError("this θ has no parts: use one rule for all of it, not groups")
    if set(optimizer.groups) != set(task.parts):
        found, there = ", ".join(optimizer.groups) or "none", ", ".join(task.parts)
        raise L2LError(f"the parts of this θ are: {there}; give exactly these a rule, not: {found}")
    return _Fitted(optimizer.groups, task.parts)


def rules(optimizer):
    """The rules in an optimizer: the rules of its groups, or itself."""
    return list(optimizer.groups.values()) if isinstance(optimizer, Groups) else [optimizer]
