"""Train an optimizer on a problem of your own: a frozen dataclass with `sample`, which draws one task."""

from dataclasses import dataclass

import numpy as np

import l2l
import minigrad as mg


@dataclass(frozen=True)
class Logistic:
    """f(θ) = mean_i log(1 + exp(−y_i x_i·θ)): random examples x_i of two classes y_i = ±1, on scales 0.1 to 3."""

    examples: int = 50
    features: int = 10
    data = "random numbers"  # what it is made of, for logs and checkpoints

    def sample(self, rng, split="train"):
        """split is "train", "validation" or "test": a problem with data takes other examples for each."""
        scales = np.logspace(-1.0, 0.5, self.features)
        x = rng.normal(size=(self.examples, self.features)) * scales
        y = np.sign(x @ rng.normal(size=self.features))
        yx = (y[:, None] * x).astype(np.float32)
        start = np.zeros(self.features, np.float32)
        return l2l.Task(start, lambda theta, batch: mg.mean(mg.softplus(-(yx @ theta))))


problem = Logistic()
lstm = l2l.make_optimizer("lstm")
training = l2l.train(problem, lstm, episodes=150, steps=60, validate_every=10, progress=True)
print(f"summed validation loss {training.untrained['validation']:.2f} → {training.best:.2f}")

entries = {"learned": (lstm, training.phi), "adam": (l2l.make_optimizer("adam"), None)}
for name, result in l2l.compare(problem, entries, steps=60, repeats=10).items():
    print(f"{name}: summed loss {result['curves'].sum(axis=1).mean():.2f}")
