"""A rule with a schedule."""

import math
from dataclasses import dataclass

from l2l.optimizers.fitting import fit, shifted
from l2l.optimizers.wrapping import Wrapper
from l2l.registry import setting

SCHEDULES = {
    "cosine": lambda x: 0.5 + 0.5 * math.cos(math.pi * x),
    "linear": lambda x: 1.0 - x,
    "constant": lambda x: 1.0,
}


@dataclass(frozen=True)
class Scheduled(Wrapper):
    """Any rule m, with updates that are multiplied by a schedule of the step t = 0, …, T − 1:

        g_t = s(t/T) m(∇_t, h_t; φ)        s(x) = (1 + cos πx)/2 (Loshchilov & Hutter 2017), 1 − x, or 1

    With a warm-up, s rises linearly to 1 in the first w T steps, and x runs from 0 to 1 in the others. φ is that of the
    rule: a φ that was learned without a schedule can be used with one. The rule has to know T: see `fitted`.

    rule: {any name: the rule}. learning_rate: that of the rule, so that it can be tuned. Raises L2LError for more than
    one rule, for groups (give each of them a scheduled rule), for a rule that uses curvature, and for a learning rate
    that the rule does not have.
    """

    schedule: str = setting("cosine", "course of s", choices=tuple(SCHEDULES))
    warmup: float = setting(0.0, "share w of the steps in which s rises to 1", least=0, most=0.9)

    changed = "scheduled"
    instead = {"Groups": "give each group a scheduled rule", "Guarded": "guard the scheduled rule"}

    def fit(self, shapes, steps):
        told = super().fit(shapes, steps)
        vars(told)["rule"] = {name: fit(rule, shapes, steps) for name, rule in self.rule.items()}
        return told

    def init_state(self, theta):
        self.check_fitted(theta)
        return {"rule": self._rule.init_state(theta), "t": 0}

    def __call__(self, phi, grad, state):
        update, after = self._rule(phi, grad, state["rule"])
        taken = self.factor(state["t"]) * update
        return taken, self.shift({"rule": after, "t": state["t"] + 1}, taken - update)

    def shift(self, state, by):
        return {**state, "rule": shifted(self._rule, state["rule"], by)}

    def factor(self, t):
        """s at step t, a number; 0 or the last value after the last step."""
        rising = self.warmup * self.steps
        if t < rising:
            return min(1.0, (t + 1) / rising)
        return SCHEDULES[self.schedule](min(1.0, (t - rising) / (self.steps - rising)))
