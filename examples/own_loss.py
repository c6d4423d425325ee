"""Minimize a loss of your own, in minibatches, with the learned optimizer that comes with the package; then race it."""

import numpy as np

import l2l
import minigrad as mg

rng = np.random.default_rng(0)
X = rng.normal(size=(512, 20)).astype(np.float32)
labels = np.argmax(X @ rng.normal(size=(20, 3)), axis=1)  # three classes


def start(rng):
    return {"W": (0.1 * rng.normal(size=(20, 3))).astype(np.float32), "b": np.zeros(3, np.float32)}


def loss(theta, batch):
    return mg.cross_entropy(X[batch] @ theta["W"] + theta["b"], labels[batch])


def batches(step):
    return np.random.default_rng(step).integers(len(X), size=64)


def show(step, theta, value):
    if step % 25 == 0:
        print(f"step {step:3}  loss {value:.3f}")


theta, losses = l2l.minimize(loss, start(rng), steps=100, batches=batches, callback=show)
print(f"correct: {np.mean(np.argmax(X @ theta['W'] + theta['b'], axis=1) == labels):.0%}")

# The same loss as a problem: each run of a race has another start, and Adam's learning rate is tuned on other starts.
entries = {"general": l2l.load("general"), "adam": (l2l.make_optimizer("adam"), None)}
for name, result in l2l.compare(l2l.problem_of(loss, start, batches), entries, repeats=3, tuning_repeats=1).items():
    print(f"{name}: loss of the last ten steps {result['curves'][:, -10:].mean():.3f}")
