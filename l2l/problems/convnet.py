"""Classifiers of images by convolutional networks."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

import minigrad as mg
from l2l.errors import L2LError
from l2l.problems import data
from l2l.problems.task import ModelLoss, Task, shapes_of, sizes_of
from l2l.registry import Checked, setting

KERNEL = 5  # rows and columns of every convolution's kernel
MOST_WEIGHTS = 10**7
ALL = tuple(range(10))


@dataclass(frozen=True)
class _Convnet(Checked):
    """For each of `channels`, a 5×5 convolution that keeps the size, batch norm, ReLU and 2×2 max-pooling; then a fully
    connected layer of `hidden` units with batch norm and ReLU; then one logit per label.

    θ_0 ~ N(0, 0.01²), as in the released code. As there, batch norm has an offset β but no scale γ, because the next
    layer can scale. Layers before a batch norm have no bias, because its gradient would be 0. θ has two parts: "conv",
    the convolutions' kernels, and "rest". `batch` images per step are drawn with replacement from those with one of
    `labels`; the splits have different images. If `examples` is not 0, a task uses only that many images, chosen at
    random, and a network soon memorizes them.
    """

    shape: ClassVar[tuple[int, int, int]]
    images: ClassVar[Callable[..., Any]]

    channels: tuple[int, ...] = setting((16, 16, 16), "channels of each convolution", least=1, most=10_000)
    hidden: int = setting(32, "units of the fully connected layer", least=1, most=10_000)
    labels: tuple[int, ...] = setting(ALL, "labels to tell apart", least=0, most=9)
    batch: int = setting(128, "images of a step", least=1, most=100_000)
    examples: int = setting(0, "images of a task, drawn at random; 0: all of them", least=0, most=10_000)

    def __post_init__(self):
        super().__post_init__()
        if len(set(self.labels)) < max(2, len(self.labels)):
            raise L2LError(f"labels are at least two different ones, not {self.labels}")
        rows, columns = self.shape[1:]
        if min(rows, columns) >> len(self.channels) < 1:
            raise L2LError(
                f"{len(self.channels)} poolings leave nothing of {rows}×{columns} pixels: give fewer channels"
            )
        if sum(math.prod(shape) for shape in self._shapes()) > MOST_WEIGHTS:
            raise L2LError(
                f"channels and hidden make a network of more than {MOST_WEIGHTS:,} weights: lower one of them"
            )

    @property
    def chance(self):
        """The loss of a guess that gives each label the same probability."""
        return math.log(len(self.labels))

    @property
    def data(self):
        return self.images().source

    @property
    def checksum(self):
        return self.images().checksum

    def _shapes(self):
        """The shapes of the convolutions' kernels, then of the two matrices."""
        depth, rows, columns = self.shape
        counts = [depth, *self.channels]
        pixels = (rows >> len(self.channels)) * (columns >> len(self.channels))
        kernels = [(after, before, KERNEL, KERNEL) for before, after in zip(counts, self.channels, strict=False)]
        return [*kernels, (self.channels[-1] * pixels, self.hidden), (self.hidden, len(self.labels))]

    def sample(self, rng, split="train"):
        images, labels = self.images().splits[split]
        of_label = [np.flatnonzero(labels == label) for label in self.labels]
        chosen, answers = np.concatenate(of_label), np.repeat(np.arange(len(of_label)), [len(f) for f in of_label])
        if not len(chosen):
            raise L2LError(f"{self.data}: none of the images for {split} has one of the labels {self.labels}")

        if self.examples:
            if self.examples > len(chosen):
                raise L2LError(f"examples is at most {len(chosen):,}, the images that there are, not {self.examples:,}")
            picked = rng.choice(len(chosen), self.examples, replace=False)
            chosen, answers = chosen[picked], answers[picked]

        def normal(*shape):
            return rng.normal(scale=0.01, size=shape).astype(np.float32)

        *kernels, hidden, output = self._shapes()
        weights = {
            "conv": [normal(*shape) for shape in kernels],
            "rest": {
                "beta": [normal(count) for count in (*self.channels, self.hidden)],
                "hidden": normal(*hidden),
                "output": {"W": normal(*output), "b": normal(output[1])},
            },
        }
        theta, unravel = mg.tree.ravel(weights)

        def logits(theta, batch):
            w, x = unravel(theta), batch[0]
            *offsets, last = w["rest"]["beta"]
            for kernel, beta in zip(w["conv"], offsets, strict=True):
                x = mg.max_pool2d(mg.relu(_normalized(mg.conv2d(x, kernel, padding="same"), beta)), 2)
            x = mg.reshape(x, (self.batch, -1)) @ w["rest"]["hidden"]
            return mg.layers.dense(w["rest"]["output"], mg.relu(_normalized(x, last)))

        def next_batch():
            rows = rng.integers(len(chosen), size=self.batch)
            batch = images[chosen[rows]].reshape(self.batch, *self.shape)
            return batch.astype(np.float32) / 255, answers[rows]

        loss = ModelLoss(logits, lambda z, batch: mg.cross_entropy(z, batch[1]), classifier=True)
        return Task(theta, loss, next_batch, parts=sizes_of(weights), shapes=shapes_of(weights))


def _normalized(x, beta):
    """Batch norm with an offset and without a scale."""
    return mg.batch_norm(x, np.ones(beta.shape, np.float32), beta)


@dataclass(frozen=True)
class CIFAR(_Convnet):
    """Cross-entropy of a convolutional network on CIFAR-10 (Andrychowicz et al. 2016, section 3.3)."""

    shape = (3, 32, 32)
    images = staticmethod(data.cifar10)


@dataclass(frozen=True)
class CIFAR5(CIFAR):
    """The same on five of the labels: airplane, automobile, bird, cat, deer."""

    labels: tuple[int, ...] = setting(ALL[:5], "labels to tell apart", least=0, most=9)


@dataclass(frozen=True)
class CIFAR2(CIFAR):
    """The same on two of the labels: airplane and automobile."""

    labels: tuple[int, ...] = setting(ALL[:2], "labels to tell apart", least=0, most=9)


@dataclass(frozen=True)
class MNISTConv(_Convnet):
    """Cross-entropy of a small convolutional network on MNIST: the same on handwritten digits."""

    channels: tuple[int, ...] = setting((8, 8), "channels of each convolution", least=1, most=10_000)

    shape = (1, 28, 28)
    images = staticmethod(data.mnist)
