"""Relatives of the mixture's recurrent nets, attention and embeddings: gates, two heads, word vectors."""

import numpy as np

import minigrad as mg
from l2l.problems.families import dense, minibatches, normal, rotation
from l2l.suite.interface import loss

# ------------------------------------------------------------------------------------------ gated recurrence


def cell(rng, inputs, units, gates):
    """Weights of `gates` gates: W for the input, U, orthogonal for each gate, for the state, and biases of 0."""
    U = np.concatenate([rotation(rng, units) for _ in range(gates)], axis=1).astype(np.float32)
    W = normal(rng, inputs, gates * units, scale=1 / np.sqrt(inputs))
    return {"U": U, "W": W, "b": np.zeros(gates * units, np.float32)}


@loss("gated-recurrence", "kin")
def gru_adding(rng):
    """A gated recurrent unit (Cho et al. 2014) that adds the two marked numbers of 12, on minibatches of 32.

    f = mean_i (h_12 V + c − y_i)² with h ← h + z (n − h), n = tanh(x W_n + b_n + r·(h U_n)), z and r sigmoids of dense
    layers of x and h; 16 units. The problem is that of Hochreiter and Schmidhuber 1997, section 5.4.
    """
    n, length, d = 600, 12, 16
    numbers = rng.random((n, length)).astype(np.float32)
    marks = np.zeros((n, length), np.float32)
    for start, end in ((0, length // 2), (length // 2, length)):
        marks[np.arange(n), rng.integers(start, end, size=n)] = 1
    drawn = minibatches(rng, 32, np.stack([numbers, marks], axis=2), (numbers * marks).sum(1, keepdims=True))

    def f(theta, batch):
        x, y = batch
        w = theta["cell"]
        given, h = x @ w["W"] + w["b"], np.zeros((len(x), d), np.float32)
        for t in range(length):
            kept = h @ w["U"]
            gates = mg.sigmoid(given[:, t, : 2 * d] + kept[:, : 2 * d])
            n = mg.tanh(given[:, t, 2 * d :] + gates[:, d:] * kept[:, 2 * d :])
            h = h + gates[:, :d] * (n - h)
        return mg.mean(mg.square(mg.layers.dense(theta["output"], h) - y))

    return f, {"cell": cell(rng, 2, d, 3), "output": dense(rng, d, 1)}, drawn


@loss("gated-recurrence", "kin")
def lstm_waves(rng):
    """An LSTM that says what comes next in noisy sines of any frequency and phase, on minibatches of 32.

    f = the mean over 14 steps of (h_t V + c − x_{t+1})², gates as in `mg.layers.lstm_cell`, 12 units, the forget gate's
    bias 1 at first (Jozefowicz et al. 2015).
    """
    n, length, d = 500, 14, 12
    angle = rng.uniform(0.3, 1.2, size=(n, 1)) * np.arange(length + 1) + rng.uniform(0, 2 * np.pi, size=(n, 1))
    drawn = minibatches(rng, 32, (np.sin(angle) + 0.1 * rng.normal(size=angle.shape)).astype(np.float32))
    start = {"cell": cell(rng, 1, d, 4), "output": dense(rng, d, 1)}
    start["cell"]["b"][d : 2 * d] = 1

    def f(theta, batch):
        (x,) = batch
        w, states = theta["cell"], []
        given = mg.expand_dims(x[:, :-1], 2) @ w["W"] + w["b"]
        h = c = np.zeros((len(x), d), np.float32)
        for t in range(length):
            z = given[:, t] + h @ w["U"]
            gates = mg.sigmoid(z[:, : 3 * d])
            c = gates[:, d : 2 * d] * c + gates[:, :d] * mg.tanh(z[:, 3 * d :])
            h = gates[:, 2 * d :] * mg.tanh(c)
            states.append(h)
        said = mg.layers.dense(theta["output"], mg.concatenate(states))
        return mg.mean(mg.square(said[:, 0] - x[:, 1:].T.reshape(-1)))

    return f, start, drawn


# ------------------------------------------------------------------------------------------ transformers

WIDTH, HEADS = 16, 2


def transformer(rng, tokens, length, outputs):
    """θ_0 of `transformed`, and a read-out."""
    d = WIDTH
    return {
        "embedding": normal(rng, tokens, d, scale=0.5),
        "positions": normal(rng, length, d, scale=0.5),
        "mixed": normal(rng, d, d, scale=1 / np.sqrt(d)),
        "network": [dense(rng, d, 2 * d), dense(rng, 2 * d, d)],
        "norms": [{"gamma": np.ones(d, np.float32), "beta": np.zeros(d, np.float32)} for _ in range(2)],
        "output": dense(rng, d, outputs),
        "qkv": normal(rng, d, 3 * d, scale=1 / np.sqrt(d)),
    }


def attention(theta, x):
    """Attention with HEADS heads of all places of x (n, length, WIDTH) to all."""
    n, length, d = x.shape
    q, k, v = mg.moveaxis(mg.reshape(x @ theta["qkv"], (n, length, 3, HEADS, d // HEADS)), (2, 3), (0, 1))
    weights = mg.softmax(q @ mg.swapaxes(k, 2, 3) / float(np.sqrt(d // HEADS)))
    return mg.reshape(mg.moveaxis(weights @ v, 0, 2), (n, length, d)) @ theta["mixed"]


def transformed(theta, tokens, activation, norm_first):
    """The outputs (n, length, WIDTH) of a transformer's block: x ← x + part(norm(x)) with the norm first, else x ←
    norm(x + part(x)) as in Vaswani et al. 2017; the parts are attention and a network of 2·WIDTH units."""
    x = theta["embedding"][tokens] + theta["positions"]
    first, last = theta["network"]

    def network(x):
        return mg.layers.dense(last, activation(mg.layers.dense(first, x)))

    for part, norm in zip((lambda x: attention(theta, x), network), theta["norms"], strict=True):
        x = x + part(mg.layer_norm(x, **norm)) if norm_first else mg.layer_norm(x + part(x), **norm)
    return x


@loss("transformer", "kin")
def transformer_sort(rng):
    """A transformer's block, norm first, that sorts 8 tokens of 10, on minibatches of 16.

    f = the cross-entropy of every place of the sorted sequence; 2 heads, GELU.
    """
    tokens, length = 10, 8
    text = rng.integers(tokens, size=(1000, length))

    def f(theta, batch):
        x, answers = batch
        x = transformed(theta, x, mg.gelu, True)
        return mg.cross_entropy(mg.reshape(mg.layers.dense(theta["output"], x), (-1, tokens)), answers.reshape(-1))

    return f, transformer(rng, tokens, length, tokens), minibatches(rng, 16, text, np.sort(text, axis=1))


@loss("transformer", "kin")
def transformer_majority(rng):
    """A transformer's block, norm last, that names the most frequent of 5 tokens in 12 places, on minibatches of 16.

    f = the cross-entropy of a dense layer of the mean over places; 2 heads, ReLU. Of equally frequent tokens the lowest
    is the answer.
    """
    tokens, length = 5, 12
    text = rng.integers(tokens, size=(1000, length))
    label = np.argmax((text[:, :, None] == np.arange(tokens)).sum(1), axis=1)

    def f(theta, batch):
        x, answers = batch
        x = transformed(theta, x, mg.relu, False)
        return mg.cross_entropy(mg.layers.dense(theta["output"], mg.mean(x, 1)), answers)

    return f, transformer(rng, tokens, length, tokens), minibatches(rng, 16, text, label)


# ------------------------------------------------------------------------------------------ word vectors


@loss("word-vectors", "kin")
def skip_gram(rng):
    """Vectors of 120 words by skip-gram with 5 negative samples, on minibatches of 64 pairs. Mikolov et al. 2013.

    f = mean_i [softplus(−u·v) + Σ_k softplus(u·v_k)], u the vector of a word, v that of a word near it, v_k of random
    words, all of length 10: u uniform in ±1/20 and v = 0 at first, as in word2vec. A text of 4,000 words keeps to one
    of 10 topics for about 12 words; words of a topic are as frequent as Zipf's law says.
    """
    words, d, topics, length, window = 120, 10, 10, 4000, 3
    each = words // topics
    topic = rng.integers(topics, size=length)[np.cumsum(rng.random(length) < 1 / 12)]
    odds = 1 / np.arange(1, each + 1)
    text = each * topic + rng.choice(each, size=length, p=odds / odds.sum())

    def next_batch():
        at = rng.integers(window, length - window, size=64)
        near = at + rng.integers(1, window + 1, size=64) * rng.choice([-1, 1], size=64)
        negatives = text[rng.integers(length, size=(64, 5))]
        return text[at], np.concatenate([text[near][:, None], negatives], axis=1)

    signs = np.array([-1, 1, 1, 1, 1, 1], np.float32)

    def f(theta, batch):
        word, others = batch
        scores = mg.sum(mg.expand_dims(theta["words"][word], 1) * theta["contexts"][others], 2)
        return mg.mean(mg.sum(mg.softplus(signs * scores), 1))

    start = {
        "contexts": np.zeros((words, d), np.float32),
        "words": rng.uniform(-0.5 / d, 0.5 / d, size=(words, d)).astype(np.float32),
    }
    return f, start, next_batch
