"""The hand-designed rules against those of torch.optim, where it is installed."""

import numpy as np
import pytest

from l2l.optimizers import make_optimizer

STEPS = 60
START = np.array([1.0, -2.0, 0.3, 5.0])
NOISE = np.random.default_rng(0).normal(size=(STEPS, 4))
SCALES = np.array([1.0, 5.0, 0.01, 3.0])

RULES = {
    "sgd": ("SGD", {}, {}),
    "momentum": ("SGD", {"momentum": 0.8}, {"momentum": 0.8}),
    "nag": ("SGD", {"momentum": 0.8}, {"momentum": 0.8, "nesterov": True}),
    "rprop": ("Rprop", {}, {}),
    "adagrad": ("Adagrad", {}, {}),
    "rmsprop": ("RMSprop", {}, {}),
    "adam": ("Adam", {}, {}),
    "adamw": ("AdamW", {}, {}),
}
"""Name here: name there, settings here, settings there; without settings the defaults are compared, too."""


def slope(theta, t):
    """The gradient of a bumpy function, with noise."""
    return SCALES * (0.5 * theta + 0.3 * np.sin(3.0 * theta) + 0.2 * NOISE[t])


@pytest.mark.crosscheck
@pytest.mark.parametrize("learning_rate", [0.01, 0.1])
@pytest.mark.parametrize("name", RULES)
def test_trajectory_equals_torch(name, learning_rate):
    torch = pytest.importorskip("torch")
    there, ours, theirs = RULES[name]
    theta, expected = START, torch.nn.Parameter(torch.tensor(START))
    optimizer = make_optimizer(name, learning_rate=learning_rate, **ours)
    phi, state = optimizer.init(), optimizer.init_state(theta)
    reference = getattr(torch.optim, there)([expected], lr=learning_rate, **theirs)
    for t in range(STEPS):
        update, state = optimizer(phi, slope(theta, t), state)
        theta = theta + update
        expected.grad = torch.tensor(slope(expected.detach().numpy(), t))
        reference.step()
        np.testing.assert_allclose(theta, expected.detach().numpy(), rtol=1e-10, atol=1e-12)
