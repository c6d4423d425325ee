"""A problem that draws one of several problems for each task."""

from dataclasses import dataclass

import numpy as np

from l2l.problems.ensemble import Ensemble
from l2l.problems.landscapes import IllConditioned, Valley
from l2l.problems.regressions import Logistic, MatrixFactorization, Softmax, TeacherStudent
from l2l.problems.small_networks import Attention, Embedding, SmallConvnet, SmallMLP, SmallRecurrent
from l2l.problems.wrappers import Scaled
from l2l.registry import setting

FAMILIES = {
    "ill-conditioned": IllConditioned,
    "valley": Valley,
    "logistic": Logistic,
    "softmax": Softmax,
    "teacher-student": TeacherStudent,
    "factorization": MatrixFactorization,
    "small-mlp": SmallMLP,
    "small-convnet": SmallConvnet,
    "small-recurrent": SmallRecurrent,
    "embedding": Embedding,
    "attention": Attention,
}
"""Families of small tasks whose sizes are drawn, too."""


@dataclass(frozen=True)
class Mixture(Ensemble):
    """One of several problems for each task, for optimizers that should serve many losses.

    problems: {name: problem}. weights: one per problem, in the order of their names, or one for all; a problem is drawn
    with a probability proportional to its weight. Without problems it is all of FAMILIES, each `scaled` so that θ is in
    other units by up to e^1.5 and f by up to e³. `draw_family` tells which problem a task comes from.
    """

    problems: dict = setting(dict, "NAME=PROBLEM,NAME=PROBLEM; if not given, every family of small tasks, scaled")
    weights: tuple[float, ...] = setting((1.0,), "weight of each problem, or one for all", above=0)

    def __post_init__(self):
        if not self.problems:
            every = {name: Scaled({name: cls()}, coordinates=0.5, tensors=1.0) for name, cls in FAMILIES.items()}
            object.__setattr__(self, "problems", every)
        super().__post_init__()

    def draw_family(self, rng):
        """The name of a problem. `sample` calls it before it uses rng for anything else, so a generator in the same
        state tells the name of the problem that a task was drawn from."""
        weights = np.broadcast_to(np.divide(self.weights, max(self.weights)), len(self.problems))  # no sum overflows
        return str(rng.choice(sorted(self.problems), p=weights / weights.sum()))

    def sample(self, rng, split="train"):
        return self.problems[self.draw_family(rng)].sample(rng, split)
