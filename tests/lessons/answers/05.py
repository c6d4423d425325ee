# %% 1 · right
family, border, steps, tuning_tasks, race_tasks = Bowl, 10.0, 100, 5, 20
changed = "The curvatures of a bowl differ along the coordinates, by ten or more."

# %% 1 · not quite · at a third of s = 1000 it wins, too, by
family, border, steps, tuning_tasks, race_tasks = Bowl, 1000.0, 100, 5, 20
changed = "The curvatures of a bowl differ along the coordinates, by a thousand."

# %% 1 · not quite · at s = 3 RMSprop loses to SGD by
family, border, steps, tuning_tasks, race_tasks = Bowl, 3.0, 100, 5, 20
changed = "The curvatures of a bowl differ along the coordinates, by three."


# %% 1 · not quite · to a thousandth, 20 tasks have 1 scores: one task, run many times, is one task.
@dataclass(frozen=True)
class Twins:
    spread: float

    def sample(self, rng, split="train"):
        c = np.geomspace(self.spread**-0.5, self.spread**0.5, 10)
        start = 1.0 + 1e-9 * rng.normal(size=10)
        return Task(start, lambda theta, batch: 0.5 * mg.sum(c * mg.square(theta)))


family, border, steps, tuning_tasks, race_tasks = Twins, 10.0, 20, 5, 20
changed = "The curvatures of a bowl differ along the coordinates, by ten."


# %% 1 · not quite · to a thousandth, 20 tasks have 2 scores: one task, run many times, is one task.
@dataclass(frozen=True)
class Coin:
    spread: float

    def sample(self, rng, split="train"):
        c = np.geomspace(self.spread**-0.5, self.spread**0.5, 10)
        start = np.full(10, rng.choice([1.0, 2.0]))
        return Task(start, lambda theta, batch: 0.5 * mg.sum(c * mg.square(theta)))


family, border, steps, tuning_tasks, race_tasks = Coin, 10.0, 20, 5, 20
changed = "The curvatures of a bowl differ along the coordinates, by ten."

# %% 1 · not quite · 5 tasks for tuning and 19 for the race are too few: 5 and 20 is the least.
family, border, steps, tuning_tasks, race_tasks = Bowl, 10.0, 100, 5, 19
changed = "The curvatures of a bowl differ along the coordinates, by ten."

# %% 1 · not quite · keep to 10 to 300 steps
family, border, steps, tuning_tasks, race_tasks = Bowl, 10.0, 1000, 5, 20
changed = "The curvatures of a bowl differ along the coordinates, by ten."

# %% 1 · not quite · in a sentence of at least six words.
family, border, steps, tuning_tasks, race_tasks, changed = Bowl, 10.0, 100, 5, 20, "The spread."

# %% 1 · not quite · border should be one finite number, it is nan.
family, border, steps, tuning_tasks, race_tasks = Bowl, np.nan, 100, 5, 20
changed = "The curvatures of a bowl differ along the coordinates, by ten."
