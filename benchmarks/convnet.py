"""Forward and backward of the CIFAR convnet: three 5×5 convolutions of 16 channels, then FC 32 and FC 10.

Each convolution keeps the size of its 128 images, 3×32×32, and is followed by batch norm, ReLU and 2×2 max-pooling;
FC 32 by batch norm and ReLU; FC 10 by cross-entropy: 22,762 parameters (Andrychowicz et al. 2016, section 3.3).
"""

import numpy as np

import minigrad as mg
from benchmarks import harness
from minigrad import threads

BATCH, CLASSES, HIDDEN, CHANNELS = 128, 10, 32, (3, 16, 16, 16)
THREADS = 2
STEPS = 5  # timed together, as in training: a single step would mostly measure how fast sleeping threads wake up


def problem(dtype, seed=0):
    """The weights, a tree of arrays, the images (128, 3, 32, 32) and their labels: all random."""
    rng = np.random.default_rng(seed)

    def layer(*shape, normalized=True):
        fan_in = np.prod(shape[1:])
        weights = {"W": rng.normal(size=shape) / np.sqrt(fan_in), "b": 0.1 * rng.normal(size=shape[0])}
        if normalized:
            weights |= {"gamma": rng.uniform(0.5, 1.5, shape[0]), "beta": 0.1 * rng.normal(size=shape[0])}
        return {name: w.astype(dtype) for name, w in weights.items()}

    theta = {f"conv{i}": layer(CHANNELS[i + 1], CHANNELS[i], 5, 5) for i in range(3)}
    theta["fc"] = layer(HIDDEN, CHANNELS[-1] * 4 * 4)
    theta["output"] = layer(CLASSES, HIDDEN, normalized=False)
    return theta, rng.normal(size=(BATCH, 3, 32, 32)).astype(dtype), rng.integers(0, CLASSES, BATCH)


def loss(theta, images, labels):
    x = images
    for layer in (theta["conv0"], theta["conv1"], theta["conv2"]):
        x = mg.conv2d(x, layer["W"], layer["b"], padding="same")
        x = mg.max_pool2d(mg.relu(mg.batch_norm(x, layer["gamma"], layer["beta"])), 2)
    x = mg.reshape(x, (BATCH, -1))
    layer = theta["fc"]
    x = x @ layer["W"].T + layer["b"]
    x = mg.relu(mg.batch_norm(x, layer["gamma"], layer["beta"]))
    return mg.cross_entropy(x @ theta["output"]["W"].T + theta["output"]["b"], labels)


def ours(dtype=np.float32):
    """A function without arguments that returns the loss and the tree of its gradients."""
    theta, images, labels = problem(dtype)
    return threads.for_kernels()(lambda: mg.value_and_grad(loss)(theta, images, labels))


def torch_peer(dtype=np.float32):
    """The same in PyTorch, as PyTorch users write it. Raises ImportError where torch is not installed."""
    import torch
    import torch.nn.functional as F
    from torch import nn

    torch.set_num_threads(THREADS)
    theta, images, labels = problem(dtype)

    def block(before, after):
        convolution = nn.Conv2d(before, after, kernel_size=5, padding="same")
        return nn.Sequential(convolution, nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2))

    class ConvNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.blocks = nn.Sequential(*(block(*pair) for pair in zip(CHANNELS, CHANNELS[1:], strict=False)))
            self.fc = nn.Linear(CHANNELS[-1] * 4 * 4, HIDDEN)
            self.norm = nn.BatchNorm1d(HIDDEN)
            self.output = nn.Linear(HIDDEN, CLASSES)

        def forward(self, x):
            x = torch.flatten(self.blocks(x), 1)
            return self.output(F.relu(self.norm(self.fc(x))))

    net = ConvNet().to(getattr(torch, np.dtype(dtype).name))
    layers = {f"conv{i}": (net.blocks[i][0], net.blocks[i][1]) for i in range(3)}
    layers |= {"fc": (net.fc, net.norm), "output": (net.output, None)}
    parameters = {
        name: {"W": linear.weight, "b": linear.bias} | ({"gamma": norm.weight, "beta": norm.bias} if norm else {})
        for name, (linear, norm) in layers.items()
    }
    with torch.no_grad():
        for name, layer in parameters.items():
            for key, parameter in layer.items():
                parameter.copy_(torch.from_numpy(theta[name][key]))
    images, labels = torch.from_numpy(images), torch.from_numpy(labels)

    def step():
        net.zero_grad()
        value = F.cross_entropy(net(images), labels)
        value.backward()
        gradients = {n: {k: p.grad.numpy() for k, p in layer.items()} for n, layer in parameters.items()}
        return value.detach().numpy(), gradients

    return step


def difference(result, reference):
    """The largest relative difference between two results (loss, gradients): of the losses, and of each array's
    gradient, relative to its norm.

    The gradient of a bias before a batch norm is 0, and float32 computes rounding errors for it; so a norm counts as at
    least a thousandth of the whole gradient's.
    """
    (loss, gradients), (reference_loss, reference_gradients) = result, reference
    floor = 1e-3 * np.linalg.norm(mg.tree.ravel(reference_gradients)[0])
    differences = [abs(loss - reference_loss) / abs(reference_loss)]
    for name, layer in reference_gradients.items():
        for key, expected in layer.items():
            error = np.linalg.norm(gradients[name][key] - expected)
            differences.append(error / max(np.linalg.norm(expected), floor))
    return max(differences)


def check(peer=torch_peer, tolerance=1e-10):
    """The `difference` between ours and a peer in float64. Raises AssertionError where it exceeds the tolerance.

    In float32 they may differ by 1e-2, in either program: rounding can move an activation across the kink of a ReLU or
    change which pixel is the largest of its window, and a gradient here is a sum of random terms.
    """
    error = difference(ours(np.float64)(), peer(np.float64)())
    assert error <= tolerance, f"loss or gradients differ by {error:.1e} of their norm"
    return error


def main():
    candidates = harness.available({"minigrad": ours, "PyTorch eager": torch_peer})
    if "PyTorch eager" in candidates:
        print(f"  in float64, loss and gradients differ from PyTorch's by {check():.0e} of their norm")
    in_a_row = {name: lambda step=step: [step() for _ in range(STEPS)] for name, step in candidates.items()}
    return harness.report(harness.alternate(in_a_row, rounds=25, warmup=3, scale=1 / STEPS))
