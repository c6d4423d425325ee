"""With nothing installed but what running needs: a trained optimizer works, and what it does without is not there."""

import importlib.metadata

import numpy as np

import l2l
import minigrad as mg
from l2l.problems import data

NOT_NEEDED = {"jupyterlab", "pytest", "pandas", "scikit-learn", "mlxtend"}

installed = {distribution.name.lower() for distribution in importlib.metadata.distributions()}
assert not installed & NOT_NEEDED, f"pip install . brought {installed & NOT_NEEDED}"
assert len(data.embedded().splits["train"][1]) == 3000

target = np.linspace(-1.0, 1.0, 5)
theta, losses = l2l.minimize(lambda theta: mg.sum((theta - target) ** 2.0), np.zeros(5), steps=100)
assert losses[-1] < 0.1 * losses[0], losses
print(f"{len(installed)} packages, {l2l.__file__}")
