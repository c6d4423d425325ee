"""Learn an optimizer, race it against tuned rules on fresh tasks, save it and use it on a loss of your own."""

import numpy as np

import l2l
import minigrad as mg

# What to learn on: f(θ) = ‖Wθ − y‖², 32 random functions of 10 coordinates in each task.
problem = l2l.make_problem("quadratic", dimension=10, functions=32)

# What to learn: an LSTM that turns each coordinate's gradient into its update. φ are its weights.
lstm = l2l.make_optimizer("lstm", hidden=(10,))

training = l2l.train(
    problem, lstm, episodes=30, steps=40, unroll_length=20, out="runs/example", overwrite=True, progress=True
)
print(f"validation loss {training.untrained['validation']:.0f} → {training.best:.0f}")

# A φ of None means: the rule's own constants, with the learning rate tuned first.
entries = {
    "learned": (lstm, training.phi),
    "adam": (l2l.make_optimizer("adam"), None),
    "sgd": (l2l.make_optimizer("sgd"), None),
}
results = l2l.compare(problem, entries, steps=40, repeats=10)
for name, result in results.items():
    print(f"{name:8} mean loss at the last step {result['curves'][:, -1].mean():.3f}")

# runs/example also holds a checkpoint for l2l.resume and a log for `python -m l2l doctor`.
saved = l2l.load("runs/example/optimizer.npz")
theta, losses = l2l.minimize(lambda theta: mg.sum((theta - 1.0) ** 2.0), np.zeros(5), saved)
print(f"a loss of your own: {losses[0]:.3f} → {losses[-1]:.3f}")
