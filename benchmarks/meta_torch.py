"""The meta-step as PyTorch users write it: LSTMCell, detached gradients, one backward pass through the unroll."""

import numpy as np
import torch
from torch import nn

from benchmarks.meta_problems import pieces


class Optimizer(nn.Module):
    """Two LSTM cells and a read-out, applied to all coordinates as one batch."""

    def __init__(self, workload):
        super().__init__()
        self.workload = workload
        hidden = workload.optimizer.hidden[0]
        self.first = nn.LSTMCell(2 if workload.preprocess else 1, hidden)
        self.second = nn.LSTMCell(hidden, hidden)
        self.output = nn.Linear(hidden, 1)
        with torch.no_grad():
            for cell, weights in zip((self.first, self.second), workload.phi["layers"], strict=True):
                both = torch.tensor(np.concatenate(weights["W"]))
                cell.weight_ih.copy_(both[:, :-hidden])
                cell.weight_hh.copy_(both[:, -hidden:])
                cell.bias_ih.copy_(torch.tensor(np.concatenate(weights["b"])[:, 0]))
                cell.bias_hh.zero_()
            self.output.weight.copy_(torch.tensor(workload.phi["output"]["W"]))
            self.output.bias.copy_(torch.tensor(workload.phi["output"]["b"][:, 0]))
        for cell in (self.first, self.second):
            cell.bias_hh.requires_grad_(False)  # one bias per gate, as in the other engines

    def forward(self, gradient, state):
        x = gradient.unsqueeze(1)
        if self.workload.preprocess:
            p = self.workload.P
            large = x.abs() >= np.exp(-p)
            magnitude = torch.where(large, torch.log(x.abs() + 1e-30) / p, torch.full_like(x, -1.0))
            x = torch.cat([magnitude, torch.where(large, torch.sign(x), np.exp(p) * x)], 1)
        (h1, c1), (h2, c2) = state
        h1, c1 = self.first(x, (h1, c1))
        h2, c2 = self.second(h1, (h2, c2))
        return self.workload.SCALE * self.output(h2).squeeze(1), ((h1, c1), (h2, c2))


class Unroll:
    def __init__(self, workload, compiled=False):
        self.workload = workload
        self.network = Optimizer(workload)
        self.step = torch.compile(self.network) if compiled else self.network
        self.weights = [w for w in self.network.parameters() if w.requires_grad]
        self.adam = torch.optim.Adam(self.weights, lr=0.01)
        self.theta = torch.tensor(workload.theta)
        hidden = workload.optimizer.hidden[0]
        self.state = ((torch.zeros(self.theta.numel(), hidden),) * 2,) * 2
        self.data = [torch.tensor(part) for part in workload.data[:2]]

    def loss(self, theta, t):
        if self.workload.kind == "quadratic":
            W, y = self.data
            return ((W @ theta.view(y.shape) - y) ** 2).sum()
        w = {name: theta[where].view(shape) for name, (where, shape) in pieces(self.workload.data[2]).items()}
        hidden = torch.sigmoid(self.data[0][t] @ w["W1"] + w["b1"])
        return nn.functional.cross_entropy(hidden @ w["W2"] + w["b2"], self.data[1][t])

    def gradients(self):
        """The meta-loss and its gradient with respect to φ."""
        theta, state, total = self.theta.clone().requires_grad_(), self.state, 0.0
        for t in range(self.workload.steps):
            loss = self.loss(theta, t)
            total = total + loss
            (gradient,) = torch.autograd.grad(loss, theta, retain_graph=True)
            update, state = self.step(gradient.detach(), state)
            theta = theta + update
        self.adam.zero_grad()
        total.backward()
        return total.item(), [w.grad for w in self.weights]

    def meta_step(self):
        result = self.gradients()
        self.adam.step()
        return result

    def apply(self):
        """The steps of a trained optimizer alone: nothing is stored for a meta-gradient."""
        theta, state = self.theta.clone(), self.state
        for t in range(self.workload.steps):
            theta.requires_grad_()
            (gradient,) = torch.autograd.grad(self.loss(theta, t), theta)
            with torch.no_grad():
                update, state = self.step(gradient, state)
                theta = theta.detach() + update
        return theta

    def flat_gradient(self):
        """The meta-gradient as one vector, in the order and layout of minigrad's φ."""
        grads = dict(
            zip([n for n, w in self.network.named_parameters() if w.requires_grad], self.gradients()[1], strict=True)
        )
        parts = []
        for cell in ("first", "second"):
            both = [grads[f"{cell}.weight_ih"], grads[f"{cell}.weight_hh"]]
            parts += [torch.cat(both, 1), grads[f"{cell}.bias_ih"]]
        parts += [grads["output.weight"], grads["output.bias"]]
        return np.concatenate([part.numpy().ravel() for part in parts])
