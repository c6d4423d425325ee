"""The cost of recording: a chain of tanh(y · w) on ten float32 elements, forward and backward, time per operation."""

import numpy as np

from benchmarks import harness

LINKS = 1000  # two operations each
W = np.linspace(0.5, 1.0, 10, dtype=np.float32)
Y = np.ones(10, np.float32)


def minigrad():
    import minigrad as mg

    def f(w):
        y = Y
        for _ in range(LINKS):
            y = mg.tanh(y * w)
        return mg.sum(y)

    return lambda: mg.grad(f)(W)


def torch():
    import torch

    w = torch.tensor(W, requires_grad=True)
    start = torch.tensor(Y)

    def run():
        y = start
        for _ in range(LINKS):
            y = torch.tanh(y * w)
        return torch.autograd.grad(y.sum(), w)[0].numpy()

    return run


def autograd():
    import autograd
    import autograd.numpy as anp

    def f(w):
        y = Y
        for _ in range(LINKS):
            y = anp.tanh(y * w)
        return anp.sum(y)

    return lambda: autograd.grad(f)(W)


def mygrad():
    import mygrad

    def run():
        w = mygrad.tensor(W)
        y = Y
        for _ in range(LINKS):
            y = mygrad.tanh(y * w)
        y.sum().backward()
        return w.grad

    return run


def by_hand():
    """The same arithmetic in NumPy with the backward pass written by hand: a lower bound for any engine."""

    def run():
        ys = [Y]
        for _ in range(LINKS):
            ys.append(np.tanh(ys[-1] * W))
        g, gw = np.ones_like(Y), np.zeros_like(W)
        for before, after in zip(ys[-2::-1], ys[:0:-1], strict=True):
            g = g - g * (after * after)
            gw += g * before
            g = g * W
        return gw

    return run


def main():
    builders = {"minigrad": minigrad, "PyTorch eager": torch, "HIPS autograd": autograd, "MyGrad": mygrad}
    candidates = harness.available({**builders, "NumPy by hand": by_hand})
    expected = by_hand()()
    for name, run in candidates.items():
        np.testing.assert_allclose(run(), expected, rtol=1e-4, err_msg=name)
    return harness.report(harness.alternate(candidates, scale=1 / (2 * LINKS)), unit="µs")
