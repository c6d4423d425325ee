"""A rule with a schedule."""

import math
from dataclasses import dataclass, replace

from l2l.errors import L2LError
from l2l.optimizers.fitting import Fittable, fit
from l2l.optimizers.groups import Groups
from l2l.optimizers.hand_designed import Adam
from l2l.registry import setting

SCHEDULES = {
    "cosine": lambda x: 0.5 + 0.5 * math.cos(math.pi * x),
    "linear": lambda x: 1.0 - x,
    "constant": lambda x: 1.0,
}


@dataclass(frozen=True)
class Scheduled(Fittable):
    """Any rule m, with updates that are multiplied by a schedule of the step t = 0, …, T − 1:

        g_t = s(t/T) m(∇_t, h_t; φ)        s(x) = (1 + cos πx)/2 (Loshchilov & Hutter 2017), 1 − x, or 1

    With a warm-up, s rises linearly to 1 in the first w T steps, and x runs from 0 to 1 in the others. φ is that of the
    rule: a φ that was learned without a schedule can be used with one. The rule has to know T: see `fitted`.

    rule: {any name: the rule}. learning_rate: that of the rule, so that it can be tuned. Raises L2LError for more than
    one rule, for groups (give each of them a scheduled rule), for a rule that uses curvature, and for a learning rate
    that the rule does not have.
    """

    rule: dict = setting(dict, "NAME=RULE, adam if none is given")
    schedule: str = setting("cosine", "course of s", choices=tuple(SCHEDULES))
    warmup: float = setting(0.0, "share w of the steps in which s rises to 1", least=0, most=0.9)
    learning_rate: float | None = setting(None, "learning rate of the rule; none: the rule's own", above=0)

    def __post_init__(self):
        super().__post_init__()
        members = self.rule or {"adam": Adam()}
        if len(members) > 1:
            raise L2LError(f"rule is one rule, not {len(members)}")
        ((name, rule),) = members.items()
        if isinstance(rule, Groups) or getattr(rule, "uses_curvature", False):
            fix = "give each group a scheduled rule" if isinstance(rule, Groups) else "take a rule that uses gradients"
            raise L2LError(f"{type(rule).__name__} cannot be scheduled: {fix}")
        if self.learning_rate is not None:
            if not hasattr(rule, "learning_rate"):
                raise L2LError(f"{type(rule).__name__} has no learning rate: leave learning_rate out, and give it a φ")
            rule = replace(rule, learning_rate=self.learning_rate)
        object.__setattr__(self, "rule", {name: rule})
        object.__setattr__(self, "learning_rate", getattr(rule, "learning_rate", None))

    @property
    def _rule(self):
        return next(iter(self.rule.values()))

    def fit(self, shapes, steps):
        told = super().fit(shapes, steps)
        vars(told)["rule"] = {name: fit(rule, shapes, steps) for name, rule in self.rule.items()}
        return told

    def init(self, rng=None):
        return self._rule.init(rng)

    def init_state(self, theta):
        self.check_fitted(theta)
        return {"rule": self._rule.init_state(theta), "t": 0}

    def __call__(self, phi, grad, state):
        update, after = self._rule(phi, grad, state["rule"])
        taken = self.factor(state["t"]) * update
        return taken, self.shift({"rule": after, "t": state["t"] + 1}, taken - update)

    def shift(self, state, by):
        shift = getattr(self._rule, "shift", None)
        return {**state, "rule": shift(state["rule"], by)} if shift else state

    def factor(self, t):
        """s at step t, a number; 0 or the last value after the last step."""
        rising = self.warmup * self.steps
        if t < rising:
            return min(1.0, (t + 1) / rising)
        return SCHEDULES[self.schedule](min(1.0, (t - rising) / (self.steps - rising)))
