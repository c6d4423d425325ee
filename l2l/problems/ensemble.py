"""Several problems as one."""

from dataclasses import dataclass

import numpy as np

import minigrad as mg
from l2l.errors import L2LError
from l2l.problems.task import Task
from l2l.registry import Checked, setting


@dataclass(frozen=True)
class Ensemble(Checked):
    """f(θ) = Σ_i w_i f_i(θ_i)/n_i: each problem f_i, a sum of n_i functions, has its own part θ_i of θ.

    problems: {name: problem}. weights: one w per problem, in the order of their names, or one for all. The parts of θ
    are named NAME, or NAME.PART where a problem has parts itself.
    """

    problems: dict = setting(dict, "NAME=PROBLEM,NAME=PROBLEM")
    weights: tuple[float, ...] = setting((1.0,), "weight of each problem, or one for all", above=0)

    def __post_init__(self):
        super().__post_init__()
        if not self.problems:
            raise L2LError("an ensemble has at least one of problems, written as NAME=PROBLEM,NAME=PROBLEM")
        if len(self.weights) not in (1, len(self.problems)):
            raise L2LError(
                f"weights are one number, or one for each of the {len(self.problems)} problems, not {self.weights}"
            )

    @property
    def data(self):
        sources = sorted({problem.data for problem in self.problems.values()})
        return " and ".join(sources)

    @property
    def checksum(self):
        found = {getattr(problem, "checksum", None) for problem in self.problems.values()} - {None}
        return " and ".join(sorted(map(str, found))) or None

    def sample(self, rng, split="train"):
        tasks = {name: self.problems[name].sample(rng, split) for name in sorted(self.problems)}
        weights = self.weights * (len(tasks) if len(self.weights) == 1 else 1)
        parts = {}
        for name, task in tasks.items():
            parts |= {f"{name}.{part}": size for part, size in task.parts.items()} or {name: len(task.theta)}
        ends = np.cumsum([len(task.theta) for task in tasks.values()]).tolist()
        starts = [0, *ends]

        def loss(theta, batches):
            return sum(
                (w / task.functions) * task.loss(theta[start:end], batch)
                for w, task, start, end, batch in zip(weights, tasks.values(), starts, ends, batches, strict=False)
            )

        theta = mg.concatenate([task.theta for task in tasks.values()])
        shapes = tuple(shape for task in tasks.values() for shape in task.shapes or (task.theta.shape,))
        return Task(theta, loss, lambda: [task.next_batch() for task in tasks.values()], parts=parts, shapes=shapes)
