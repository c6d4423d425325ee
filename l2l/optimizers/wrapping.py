"""What the rules that are made of another rule have in common."""

from dataclasses import KW_ONLY, dataclass, replace
from typing import ClassVar

from l2l.errors import L2LError
from l2l.optimizers.fitting import Fittable
from l2l.optimizers.groups import Groups
from l2l.optimizers.hand_designed import Adam
from l2l.registry import setting


@dataclass(frozen=True)
class Wrapper(Fittable):
    """Base of a rule that is made of another one, with its φ and its learning rate. Raises L2LError for a learning rate
    that the rule does not have, and what `only` raises."""

    rule: dict = setting(dict, "NAME=RULE, adam if none is given")
    _: KW_ONLY
    learning_rate: float | None = setting(None, "learning rate of the rule; none: the rule's own", above=0)

    changed: ClassVar[str]  # what the wrapper does to the rule, for messages
    instead: ClassVar[dict[str, str]]  # {class that cannot be a rule of it: what to do}

    def __post_init__(self):
        super().__post_init__()
        rule = self.only("rule")
        if self.learning_rate is not None:
            if not hasattr(rule, "learning_rate"):
                raise L2LError(f"{type(rule).__name__} has no learning rate: leave learning_rate out, and give it a φ")
            rule = replace(rule, learning_rate=self.learning_rate)
            object.__setattr__(self, "rule", dict.fromkeys(self.rule, rule))
        object.__setattr__(self, "learning_rate", getattr(rule, "learning_rate", None))

    def only(self, field):
        """The rule in a field, Adam where it is empty. Raises L2LError for more than one, for groups, and for a rule
        that uses curvature."""
        members = getattr(self, field) or {"adam": Adam()}
        if len(members) > 1:
            raise L2LError(f"{field} is one rule, not {len(members)}")
        object.__setattr__(self, field, members)
        (rule,) = members.values()
        if isinstance(rule, Groups) or getattr(rule, "uses_curvature", False):
            name = type(rule).__name__
            fix = self.instead.get(name, "take a rule that uses gradients")
            raise L2LError(f"{name} cannot be {self.changed}: {fix}")
        return rule

    @property
    def _rule(self):
        return next(iter(self.rule.values()))

    def init(self, rng=None):
        return self._rule.init(rng)
