"""Small networks: on digits of 7×7 or 14×14 pixels, and on sequences of tokens that are drawn with each task."""

from dataclasses import dataclass

import numpy as np

import minigrad as mg
from l2l.problems import data
from l2l.problems.families import ACTIVATIONS, Family, dense, minibatches, normal, whole_number
from l2l.problems.interface import task_of
from l2l.registry import setting

MOST = 1000  # units, tokens, images
SIDES = (7, 14)  # rows and columns of a digit
SEQUENCES = 256  # of tokens, that a task has


# ------------------------------------------------------------------------------------------ digits


@dataclass(frozen=True)
class _OnDigits(Family):
    examples: tuple[int, ...] = setting((200, 1000), "range of the images", least=1, most=10_000)
    batch: tuple[int, ...] = setting((16, 64), "range of the images of a step", least=1, most=MOST)

    @property
    def data(self):
        return data.mnist().source

    @property
    def checksum(self):
        return data.mnist().checksum


def digits(rng, split, examples):
    """Some digits of the split, (n, side, side), and their labels: the means of 4×4 or 2×2 pixels, as numbers from 0 to
    1 or, in half of the draws, standardized for each pixel."""
    images, labels = data.mnist().splits[split]
    chosen = rng.choice(len(labels), min(examples, len(labels)), replace=False)
    side = SIDES[rng.integers(len(SIDES))]
    x = images[chosen].reshape(-1, side, 28 // side, side, 28 // side).mean((2, 4), dtype=np.float32) / 255
    if rng.random() < 0.5:
        x = (x - x.mean(0)) / (x.std(0) + 0.1)  # some pixels are always 0
    return x, labels[chosen]


def gain(rng):
    """How large θ_0 is, in units of 1/√inputs: log-uniform from 0.2 to 1.6."""
    return np.exp(rng.uniform(-1.5, 0.5))


@dataclass(frozen=True)
class SmallMLP(_OnDigits):
    """Multilayer perceptrons on a few small digits, for networks of all activations, scales and inputs.

    f = cross-entropy of `layers` fully connected hidden layers, then 10 logits, on minibatches. The activation
    (sigmoid, tanh, ReLU or GELU), the scale of θ_0, the digits and their size are drawn.
    """

    hidden: tuple[int, ...] = setting((6, 32), "range of the units of a hidden layer", least=1, most=MOST)
    layers: tuple[int, ...] = setting((1, 3), "range of the hidden layers", least=1, most=10)

    def sample(self, rng, split="train"):
        x, labels = digits(rng, split, whole_number(rng, self.examples))
        activation, scale = ACTIVATIONS[rng.integers(len(ACTIVATIONS))], gain(rng)
        sizes = [x[0].size, *[whole_number(rng, self.hidden)] * whole_number(rng, self.layers), 10]
        start = [dense(rng, n, m, scale) for n, m in zip(sizes, sizes[1:], strict=False)]

        def loss(theta, batch):
            h, answers = batch
            *inner, last = theta
            for layer in inner:
                h = activation(mg.layers.dense(layer, h))
            return mg.cross_entropy(mg.layers.dense(last, h), answers)

        batch = whole_number(rng, self.batch)
        return task_of(loss, start, minibatches(rng, batch, x.reshape(len(x), -1), labels))[0]


@dataclass(frozen=True)
class SmallConvnet(_OnDigits):
    """Convolutional networks on a few small digits, for weights that are shared between pixels.

    f = cross-entropy of two 3×3 convolutions that keep the size, each with the activation and 2×2 max-pooling, then 10
    logits, on minibatches; drawn as in `small-mlp`.
    """

    channels: tuple[int, ...] = setting((3, 8), "range of the channels of a convolution", least=1, most=100)
    batch: tuple[int, ...] = setting((8, 24), "range of the images of a step", least=1, most=MOST)

    def sample(self, rng, split="train"):
        x, labels = digits(rng, split, whole_number(rng, self.examples))
        activation, scale = ACTIVATIONS[rng.integers(len(ACTIVATIONS))], gain(rng)
        counts = [1, *(whole_number(rng, self.channels) for _ in range(2))]
        kernels = [
            {"W": normal(rng, m, n, 3, 3, scale=scale / np.sqrt(9 * n)), "b": np.zeros(m, np.float32)}
            for n, m in zip(counts, counts[1:], strict=False)
        ]

        def loss(theta, batch):
            h, answers = batch
            for layer in theta["conv"]:
                h = mg.max_pool2d(activation(mg.conv2d(h, layer["W"], layer["b"], padding="same")), 2)
            return mg.cross_entropy(mg.layers.dense(theta["rest"], mg.reshape(h, (len(answers), -1))), answers)

        pixels = (x.shape[1] // 4) ** 2
        start = {"conv": kernels, "rest": dense(rng, counts[-1] * pixels, 10, scale)}
        return task_of(loss, start, minibatches(rng, whole_number(rng, self.batch), x[:, None], labels))[0]


# ------------------------------------------------------------------------------------------ tokens


@dataclass(frozen=True)
class _OnTokens(Family):
    width: tuple[int, ...] = setting((6, 16), "range of the units", least=1, most=100)
    tokens: tuple[int, ...] = setting((5, 16), "range of the tokens there are", least=2, most=64)
    length: tuple[int, ...] = setting((5, 12), "range of the length of a sequence", least=2, most=100)
    batch: tuple[int, ...] = setting((8, 32), "range of the sequences of a step", least=1, most=MOST)

    def text(self, rng):
        """The number of tokens, and next_batch: sequences (batch, length + 1) of a random second-order Markov chain,
        which are all drawn beforehand."""
        tokens, length = whole_number(rng, self.tokens), whole_number(rng, self.length)
        odds = np.exp(2 * rng.normal(size=(tokens, tokens, tokens)))
        bounds = np.cumsum(odds, axis=-1) / odds.sum(axis=-1, keepdims=True)
        text = rng.integers(tokens, size=(SEQUENCES, length + 1))
        for t in range(2, length + 1):
            follows = bounds[text[:, t - 2], text[:, t - 1]]
            text[:, t] = np.minimum((follows < rng.random((SEQUENCES, 1))).sum(axis=1), tokens - 1)
        return tokens, length, minibatches(rng, whole_number(rng, self.batch), text)


@dataclass(frozen=True)
class SmallRecurrent(_OnTokens):
    """Recurrent networks that predict the next token, for gradients through time.

    f = the mean cross-entropy of the logits h_t W + b with h_t = tanh(E[x_t] + h_{t−1} U + c), h_0 = 0 (Elman 1990), on
    minibatches of sequences of a random second-order Markov chain. U is orthogonal at first.
    """

    width: tuple[int, ...] = setting((6, 24), "range of the units", least=1, most=100)

    def sample(self, rng, split="train"):
        tokens, length, next_batch = self.text(rng)
        d = whole_number(rng, self.width)
        start = {
            "embedding": normal(rng, tokens, d, scale=gain(rng)),
            "recurrent": {"W": np.linalg.qr(normal(rng, d, d))[0], "b": np.zeros(d, np.float32)},
            "output": dense(rng, d, tokens),
        }

        def loss(theta, batch):
            (x,) = batch
            embedded, states = theta["embedding"][x[:, :-1]], []
            h = np.zeros((len(x), d), np.float32)
            for t in range(length):
                h = mg.tanh(embedded[:, t] + mg.layers.dense(theta["recurrent"], h))
                states.append(h)
            return mg.cross_entropy(mg.layers.dense(theta["output"], mg.concatenate(states)), x[:, 1:].T.reshape(-1))

        return task_of(loss, start, next_batch)[0]


@dataclass(frozen=True)
class Attention(_OnTokens):
    """A transformer's block that predicts the next token, for attention and layer norm.

    f = the mean cross-entropy, on sequences as in `small-recurrent`, of one block with one head (Vaswani et al. 2017):
    x = E[tokens] + P, x ← x + softmax(Q Kᵀ/√d + mask) V W_o with Q, K, V linear in norm(x), x ← x + dense(GELU(dense(
    norm(x)))), then logits.
    """

    def sample(self, rng, split="train"):
        tokens, length, next_batch = self.text(rng)
        d = whole_number(rng, self.width)
        start = {
            "embedding": normal(rng, tokens, d),
            "positions": normal(rng, length, d),
            "attention": {key: normal(rng, d, d, scale=1 / np.sqrt(d)) for key in "QKVO"},
            "network": [dense(rng, d, 2 * d), dense(rng, 2 * d, d)],
            "norms": [{"gamma": np.ones(d, np.float32), "beta": np.zeros(d, np.float32)} for _ in range(2)],
            "output": dense(rng, d, tokens),
        }
        mask = np.triu(np.full((length, length), -1e9, np.float32), 1)  # no token sees a later one

        def loss(theta, batch):
            (text,) = batch
            w, (first, second) = theta["attention"], theta["network"]
            x = theta["embedding"][text[:, :-1]] + theta["positions"]
            h = mg.layer_norm(x, **theta["norms"][0])
            scores = (h @ w["Q"]) @ mg.swapaxes(h @ w["K"], 1, 2) / np.float32(np.sqrt(d)) + mask
            x = x + mg.softmax(scores) @ (h @ w["V"]) @ w["O"]
            h = mg.layer_norm(x, **theta["norms"][1])
            x = x + mg.layers.dense(second, mg.gelu(mg.layers.dense(first, h)))
            logits = mg.layers.dense(theta["output"], mg.reshape(x, (-1, d)))
            return mg.cross_entropy(logits, text[:, 1:].reshape(-1))

        return task_of(loss, start, next_batch)[0]


@dataclass(frozen=True)
class Embedding(Family):
    """Classifiers of texts as bags of words, for weights that most steps do not touch.

    f = cross-entropy of the logits mean_k E[x_k] W + b on minibatches of texts (Joulin et al. 2016, fastText): a word
    has a vector, a row of E. Words are as frequent as Zipf's law says, times a log-normal factor for each class.
    """

    words: tuple[int, ...] = setting((30, 300), "range of the words there are", least=2, most=10_000)
    width: tuple[int, ...] = setting((2, 8), "range of the length of a word's vector", least=1, most=100)
    classes: tuple[int, ...] = setting((2, 8), "range of the classes", least=2, most=100)
    length: tuple[int, ...] = setting((5, 20), "range of the words of a text", least=1, most=100)
    examples: tuple[int, ...] = setting((200, 1000), "range of the texts", least=1, most=10_000)
    batch: tuple[int, ...] = setting((16, 64), "range of the texts of a step", least=1, most=MOST)

    def sample(self, rng, split="train"):
        sizes = (self.words, self.width, self.classes, self.length, self.examples, self.batch)
        words, d, k, length, n, batch = (whole_number(rng, limits) for limits in sizes)
        labels = rng.integers(k, size=n)
        odds = np.exp(rng.normal(size=(k, words))) / np.arange(1, words + 1)
        bounds = np.cumsum(odds, axis=1) / odds.sum(axis=1, keepdims=True)
        texts = np.empty((n, length), int)
        for label in range(k):
            mine = labels == label
            texts[mine] = np.searchsorted(bounds[label, :-1], rng.random((mine.sum(), length)))
        start = {"embedding": normal(rng, words, d, scale=gain(rng)), "output": dense(rng, d, k)}

        def loss(theta, batch):
            x, answers = batch
            return mg.cross_entropy(mg.layers.dense(theta["output"], mg.mean(theta["embedding"][x], 1)), answers)

        return task_of(loss, start, minibatches(rng, batch, texts, labels))[0]
