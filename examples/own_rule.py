"""Write an update rule of your own, learn its constants by gradient descent, and race it."""

from dataclasses import dataclass

import numpy as np

import l2l
import minigrad as mg


@dataclass(frozen=True)
class SignBlend:
    """g_t = −α (|w| · sign v_{t+1} + v_{t+1}) with v_{t+1} = μ v_t + ∇_t, and φ = {log α, w, logit μ}."""

    learning_rate: float = 0.01  # the setting of this name is the one that compare tunes

    def init(self, rng=None):
        return {"log_rate": np.log(np.array(self.learning_rate)), "w": np.array(0.1), "logit_mu": np.array(0.0)}

    def init_state(self, theta):
        return {"v": np.zeros_like(theta)}

    def __call__(self, phi, grad, state):
        rate, mu = mg.exp(phi["log_rate"]), mg.sigmoid(phi["logit_mu"])
        rate, mu, w = (mg.astype(constant, grad.dtype) for constant in (rate, mu, phi["w"]))
        v = mu * state["v"] + grad  # a new array: a rule writes to none of its arguments
        return -rate * (mg.abs(w) * mg.sign(v) + v), {"v": v}


l2l.register("sign-blend", SignBlend)  # so that it can be saved, loaded and named on the command line

problem = l2l.make_problem("quadratic", dimension=10, functions=16)
training = l2l.train(problem, SignBlend(), episodes=30, steps=40, unroll_length=20, meta_learning_rate=0.1)
print({name: round(float(value), 3) for name, value in training.phi.items()})

entries = {"learned": (SignBlend(), training.phi), "tuned": (SignBlend(), None)}
entries["adam"] = (l2l.make_optimizer("adam"), None)  # a φ of None: its own constants, the learning rate tuned
for name, result in l2l.compare(problem, entries, steps=40, repeats=3, tuning_repeats=2).items():
    print(f"{name:7} loss at the last step {result['curves'][:, -1].mean():.2f}")
