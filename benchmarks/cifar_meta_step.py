"""One step of meta-training on CIFAR's convnet with two LSTMs, 20 optimizee steps and Adam on φ, against PyTorch.

Before anything is timed, both meta-gradients must agree to 1e-8 in float64 over three steps. (In float32 they may
differ by 1e-2, because rounding can move an activation across the kink of a ReLU, in either program.)
"""

import itertools

import numpy as np

import l2l
import minigrad as mg
from benchmarks import harness
from benchmarks.meta_problems import Workload
from l2l.optimizers import LSTM, Adam, Groups, fitted
from l2l.problems import CIFAR, Task, draw_task
from l2l.problems.data import Images
from minigrad import threads, tree

STEPS, BATCH = 20, 128


class RandomImages(CIFAR):
    """Random numbers in place of photographs: the arithmetic is the same."""

    @staticmethod
    def images():
        rng = np.random.default_rng(0)
        images = rng.integers(0, 256, (512, 3, 32, 32)).astype(np.uint8)
        return Images({"train": (images, np.arange(512) % 10)}, "random numbers")


def start(dtype, steps, batch):
    """The task, its batches, the optimizer and φ: the same for both programs."""
    task = draw_task(RandomImages(batch=batch), "train", 0, 0)
    batches = [(x.astype(dtype), labels) for x, labels in (task.next_batch() for _ in range(steps))]
    rng, lstm = np.random.default_rng(1), LSTM(dtype=np.dtype(dtype).name)
    groups = Groups({"conv": lstm, "rest": lstm})
    phi = groups.init(rng)
    for part in phi.values():  # an untrained read-out is 0, and then so is most of the meta-gradient
        part["output"]["W"] = rng.normal(scale=0.01, size=(1, lstm.hidden[-1])).astype(dtype)
    again = itertools.cycle(batches)
    task = Task(task.theta.astype(dtype), task.loss, lambda: next(again), parts=task.parts)
    return task, batches, groups, phi


class Ours:
    def __init__(self, dtype=np.float32, steps=STEPS, batch=BATCH):
        self.task, batches, groups, self.phi = start(dtype, steps, batch)
        self.steps = len(batches)
        self.rule = fitted(groups, self.task, self.steps)
        self.adam, self.adam_phi = Adam(0.01), Adam(0.01).init()
        self.adam_state = self.adam.init_state(tree.ravel(self.phi)[0])

    def _meta_loss(self, phi):
        begin = self.task.theta, self.rule.init_state(self.task.theta)
        return l2l.unroll(self.rule, phi, self.task, *begin, [1.0] * self.steps)[0]

    @threads.for_kernels()
    def flat_gradient(self):
        return tree.ravel(mg.grad(self._meta_loss)(self.phi))[0]

    def meta_step(self):
        flat, unravel = tree.ravel(self.phi)
        update, self.adam_state = self.adam(self.adam_phi, self.flat_gradient(), self.adam_state)
        self.phi = unravel(flat + update)


class Torch:
    """The same as PyTorch users write it: LSTMCell, detached gradients, one backward pass through the unroll."""

    def __init__(self, dtype=np.float32, steps=STEPS, batch=BATCH):
        import torch

        from benchmarks.meta_torch import Optimizer

        self.torch = torch
        task, batches, groups, phi = start(dtype, steps, batch)
        kind = getattr(torch, np.dtype(dtype).name)
        self.nets = []
        for part, rule in groups.groups.items():
            workload = Workload("cifar", task.theta, (), phi[part], steps, True, rule)
            self.nets.append(Optimizer(workload).to(kind))
        self.sizes = list(task.parts.values())
        self.theta = torch.tensor(task.theta)
        self.batches = [(torch.tensor(x), torch.tensor(labels)) for x, labels in batches]
        self.weights = [w for net in self.nets for w in net.parameters() if w.requires_grad]
        self.adam = torch.optim.Adam(self.weights, lr=0.01)

    def loss(self, theta, images, labels):
        F = self.torch.nn.functional
        shapes = [(16, 3, 5, 5), (16, 16, 5, 5), (16, 16, 5, 5), (16,), (16,), (16,), (32,), (256, 32), (32, 10), (10,)]
        pieces = theta.split([int(np.prod(shape)) for shape in shapes])
        *kernels, b1, b2, b3, b4, W, V, c = [piece.view(shape) for piece, shape in zip(pieces, shapes, strict=True)]
        x = images
        for kernel, beta in zip(kernels, (b1, b2, b3), strict=True):
            x = F.batch_norm(F.conv2d(x, kernel, padding=2), None, None, bias=beta, training=True)
            x = F.max_pool2d(F.relu(x), 2)
        x = F.relu(F.batch_norm(x.flatten(1) @ W, None, None, bias=b4, training=True))
        return F.cross_entropy(x @ V + c, labels)

    def gradients(self):
        torch = self.torch
        theta, total = self.theta.clone().requires_grad_(), 0.0
        states = []
        for size, net in zip(self.sizes, self.nets, strict=True):
            zero = torch.zeros(size, net.workload.optimizer.hidden[0], dtype=theta.dtype)
            states.append(((zero, zero), (zero, zero)))
        for batch in self.batches:
            loss = self.loss(theta, *batch)
            total = total + loss
            (gradient,) = torch.autograd.grad(loss, theta, retain_graph=True)
            updates = []
            for k, piece in enumerate(gradient.detach().split(self.sizes)):
                update, states[k] = self.nets[k](piece, states[k])
                updates.append(update)
            theta = theta + torch.cat(updates)
        self.adam.zero_grad()
        total.backward()

    def meta_step(self):
        self.gradients()
        self.adam.step()

    def flat_gradient(self):
        """The meta-gradient as one vector, in the order of minigrad's φ."""
        self.gradients()
        parts = []
        for net in self.nets:
            for cell in (net.first, net.second):
                parts += [self.torch.cat([cell.weight_ih.grad, cell.weight_hh.grad], 1), cell.bias_ih.grad]
            parts += [net.output.weight.grad, net.output.bias.grad]
        return np.concatenate([part.numpy().ravel() for part in parts])


def check():
    """The distance between the two meta-gradients in float64, relative to their norm."""
    ours, peer = (program(np.float64, steps=3, batch=16).flat_gradient() for program in (Ours, Torch))
    difference = np.linalg.norm(ours - peer) / np.linalg.norm(ours)
    if not difference < 1e-8:
        raise SystemExit(f"the meta-gradients differ by {difference:.1e} of their norm")
    return difference


def main():
    programs = harness.available({"minigrad": Ours, "PyTorch eager": Torch})
    if "PyTorch eager" in programs:
        print(f"  in float64, the meta-gradient differs from PyTorch's by {check():.0e} of its norm")
    return harness.report(harness.alternate({name: program.meta_step for name, program in programs.items()}))
