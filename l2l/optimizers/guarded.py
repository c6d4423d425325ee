"""A rule with a guard."""

from dataclasses import dataclass

import numpy as np

import minigrad as mg
from l2l.errors import L2LError
from l2l.optimizers.fitting import fit
from l2l.optimizers.wrapping import Wrapper
from l2l.registry import MOST, setting

APART = 10.0  # times the size of the other loss: then the guard does not wait


@dataclass(frozen=True)
class Guarded(Wrapper):
    """Any rule m, with a plain one beside it that takes over where it gets further. Both start from the same point, and
    each takes steps of its own, after the loss-guarded optimizers of Prémont-Schwarz et al. 2022 (arXiv 2201.12426):

        a_{t+1} = a_t + m(∇f(a_t), h_t; φ)        b_{t+1} = b_t + plain(∇f(b_t), k_t)        a_0 = b_0 = θ_0

    Every `every` steps, at the last step, and once one loss exceeds ten times the size of the other, f(a) and f(b) are
    compared on one batch. Both rules go on from the better point, the loser with a new state and the steps that are
    left. θ_t is the point of the rule that won last, at first a_t. So on the last batch θ_T is no worse than where the
    plain rule would be from the last point of comparison on.

    A step costs two gradients and one loss. φ is that of the rule; meta-training takes the decisions as constants. The
    rule has to know T: see `fitted`.

    rule, plain: {any name: the rule}. Raises L2LError for more than one, for groups, for one that uses curvature, and
    for a plain rule that has to be trained.
    """

    plain: dict = setting(dict, "NAME=RULE to fall back on, adam if none is given")
    every: int = setting(20, "steps between two decisions", least=1, most=MOST)

    uses_curvature = True
    changed, instead = "guarded", {"Groups": "take one rule for all of θ"}

    def __post_init__(self):
        super().__post_init__()
        try:
            self.only("plain").init(None)
        except L2LError as error:
            raise L2LError(f"{error}; plain is a hand-designed rule") from None

    def _rules(self, begun):
        """The two rules, each for the steps that were left where it began."""
        pair = (self._rule, *self.plain.values())
        return [fit(rule, self.shapes, max(1, self.steps - t)) for rule, t in zip(pair, begun, strict=True)]

    def init_state(self, theta):
        self.check_fitted(theta)
        states = [rule.init_state(theta) for rule in self._rules([0, 0])]
        return {"points": [theta, theta], "states": states, "begun": [0, 0], "first": 0, "t": 0}

    def __call__(self, phi, grad, state, curvature):
        first, second, t, rules = state["first"], 1 - state["first"], state["t"] + 1, self._rules(state["begun"])
        with np.errstate(all="ignore"):  # the second one may diverge
            loss, gradient = curvature.value_and_grad_at(state["points"][second])
            gradients = [grad, gradient] if second else [gradient, grad]
            given = zip(rules, [phi, rules[1].init(None)], gradients, state["states"], strict=True)
            updates, states = zip(*[rule(*rest) for rule, *rest in given], strict=True)
            points = [point + update for point, update in zip(state["points"], updates, strict=True)]
            reached = curvature.loss_at(points[first])
            apart = not (reached <= APART * abs(loss) and loss <= APART * abs(reached))  # also where one is NaN
            after = {"points": points, "states": list(states), "begun": state["begun"], "first": first, "t": t}
            if not (t % self.every == 0 or t == self.steps or apart):
                return updates[first], after
            stays = np.isfinite(reached) and not curvature.loss_at(points[second]) < reached
        update = updates[first] if stays else points[second] - state["points"][first]
        return update, self._decided(after, state["points"][first] + update, first if stays else second)

    def _decided(self, state, theta, winner):
        """The state in which both go on from theta, the loser anew."""
        begun = [state["t"]] * 2
        begun[winner] = state["begun"][winner]
        states = [rule.init_state(mg.stop_gradient(theta)) for rule in self._rules(begun)]
        states[winner] = state["states"][winner]
        return {**state, "points": [theta, theta], "states": states, "begun": begun, "first": winner}
