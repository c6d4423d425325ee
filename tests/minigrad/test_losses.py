"""Whole losses, written as one would in a paper: a transformer block, a VAE, a Gaussian process.

Each is checked against finite differences at both orders, and where PyTorch is installed against the same loss made
of PyTorch's own parts: value, gradient and Hessian-vector product.
"""

import math

import numpy as np
import pytest

import minigrad as mg

RNG = np.random.default_rng(0)


def weights(**shapes):
    return {name: RNG.normal(size=shape, scale=0.5) for name, shape in shapes.items()}


# ------------------------------------------------------------------------------------------ a transformer block

TOKENS = np.array([[0, 3, 1, 2, 2], [4, 4, 0, 1, 3]])  # (n, length), of a vocabulary of 5
NEXT = np.array([[3, 1, 2, 2, 0], [4, 0, 1, 3, 2]])
HEADS = 2
BLOCK = weights(
    embedding=(5, 4),
    position=(5, 4),
    gamma1=4,
    beta1=4,
    qkv=(4, 12),
    mixed=(4, 4),
    gamma2=4,
    beta2=4,
    wide=(4, 8),
    wide_b=8,
    narrow=(8, 4),
    narrow_b=4,
)


def attention(x, w):
    """Causal attention of every head; x is (n, length, width)."""
    n, length, width = x.shape
    qkv = mg.reshape(x @ w["qkv"], (n, length, 3, HEADS, width // HEADS))
    q, k, v = (qkv[:, :, i] for i in range(3))
    scores = mg.einsum("nihd,njhd->nhij", q, k) / math.sqrt(width // HEADS)
    scores = mg.where(np.tri(length, dtype=bool), scores, -np.inf)
    mixed = mg.einsum("nhij,njhd->nihd", mg.softmax(scores), v)
    return mixed.reshape(n, length, width) @ w["mixed"]


def transformer_loss(w):
    """Radford et al. 2019 (GPT-2): x + attention(norm x), then x + dense(gelu(dense(norm x)))."""
    x = mg.one_hot(TOKENS, 5) @ w["embedding"] + w["position"]
    x = x + attention(mg.layer_norm(x, w["gamma1"], w["beta1"]), w)
    hidden = mg.gelu(mg.layer_norm(x, w["gamma2"], w["beta2"]) @ w["wide"] + w["wide_b"])
    x = x + hidden @ w["narrow"] + w["narrow_b"]
    return mg.cross_entropy(mg.reshape(x @ w["embedding"].T, (-1, 5)), NEXT.ravel())


def transformer_loss_in_torch(w):
    import torch
    from torch.nn import functional

    x = functional.embedding(torch.tensor(TOKENS), w["embedding"]) + w["position"]
    n, length, width = x.shape
    normed = functional.layer_norm(x, (width,), w["gamma1"], w["beta1"])
    parts = (normed @ w["qkv"]).split(width, -1)
    q, k, v = (part.view(n, length, HEADS, width // HEADS).transpose(1, 2) for part in parts)
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):  # the one with second derivatives
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    x = x + mixed.transpose(1, 2).reshape(n, length, width) @ w["mixed"]
    normed = functional.layer_norm(x, (width,), w["gamma2"], w["beta2"])
    hidden = functional.gelu(normed @ w["wide"] + w["wide_b"], approximate="tanh")
    x = x + hidden @ w["narrow"] + w["narrow_b"]
    return functional.cross_entropy((x @ w["embedding"].T).reshape(-1, 5), torch.tensor(NEXT.ravel()))


# ------------------------------------------------------------------------------------------ a VAE

IMAGES = (RNG.random((6, 7)) < 0.5).astype(float)
NOISE = RNG.normal(size=(6, 2))
VAE = weights(encode=(7, 5), encode_b=5, mean=(5, 2), log_variance=(5, 2), decode=(2, 5), decode_b=5, pixels=(5, 7))


def vae_loss(w):
    """The negative evidence lower bound of Kingma & Welling 2013, per image, with Bernoulli pixels."""
    hidden = mg.silu(IMAGES @ w["encode"] + w["encode_b"])
    mean, log_variance = hidden @ w["mean"], hidden @ w["log_variance"]
    z = mean + mg.exp(0.5 * log_variance) * NOISE
    logits = mg.tanh(z @ w["decode"] + w["decode_b"]) @ w["pixels"]
    reconstruction = mg.sum(mg.softplus(logits) - IMAGES * logits)
    divergence = 0.5 * mg.sum(mean**2 + mg.exp(log_variance) - log_variance - 1.0)
    return (reconstruction + divergence) / len(IMAGES)


def vae_loss_in_torch(w):
    import torch
    from torch.distributions import Bernoulli, Normal, kl_divergence
    from torch.nn import functional

    images = torch.tensor(IMAGES)
    hidden = functional.silu(images @ w["encode"] + w["encode_b"])
    posterior = Normal(hidden @ w["mean"], torch.exp(hidden @ w["log_variance"] / 2.0))
    z = posterior.loc + posterior.scale * torch.tensor(NOISE)
    logits = torch.tanh(z @ w["decode"] + w["decode_b"]) @ w["pixels"]
    divergence = kl_divergence(posterior, Normal(torch.zeros_like(z), torch.ones_like(z)))
    return (divergence.sum() - Bernoulli(logits=logits).log_prob(images).sum()) / len(images)


# ------------------------------------------------------------------------------------------ a Gaussian process

PLACES, MEASURED = RNG.normal(size=(8, 2)), RNG.normal(size=8)
PROCESS = {"log_scale": np.array(0.2), "log_lengths": np.array([0.3, -0.4]), "log_noise": np.array(-0.5)}


def covariance(w):
    """Of the measurements: s²·exp(−½ Σ (x − x′)²/ℓ²), and the noise's variance on the diagonal."""
    apart = (PLACES[:, None] - PLACES) / mg.exp(w["log_lengths"])
    return mg.exp(2.0 * w["log_scale"] - 0.5 * mg.sum(apart**2, -1)) + mg.exp(2.0 * w["log_noise"]) * np.eye(8)


def process_loss(w):
    """−log p(y): ½ yᵀK⁻¹y + Σ log Lᵢᵢ + n/2·log 2π with K = L Lᵀ. Rasmussen & Williams 2006, algorithm 2.1."""
    factor = mg.linalg.cholesky(covariance(w))
    whitened = mg.linalg.solve(factor, MEASURED)
    return 0.5 * whitened @ whitened + mg.sum(mg.log(mg.diag(factor))) + 4.0 * math.log(2.0 * math.pi)


def process_loss_by_slogdet(w):
    k = covariance(w)
    return 0.5 * (MEASURED @ mg.linalg.solve(k, MEASURED) + mg.linalg.slogdet(2.0 * math.pi * k).logabsdet)


def process_loss_in_torch(w):
    import torch

    places, measured = torch.tensor(PLACES), torch.tensor(MEASURED)
    scaled = places / torch.exp(w["log_lengths"])
    apart = torch.sum((scaled[:, None] - scaled) ** 2, -1)
    k = torch.exp(2.0 * w["log_scale"]) * torch.exp(-0.5 * apart)
    k = k + torch.exp(2.0 * w["log_noise"]) * torch.eye(8, dtype=k.dtype)
    return -torch.distributions.MultivariateNormal(torch.zeros_like(measured), k).log_prob(measured)


# ------------------------------------------------------------------------------------------ the tests

LOSSES = {
    "transformer": (transformer_loss, transformer_loss_in_torch, BLOCK),
    "VAE": (vae_loss, vae_loss_in_torch, VAE),
    "Gaussian process": (process_loss, process_loss_in_torch, PROCESS),
    "Gaussian process by slogdet": (process_loss_by_slogdet, process_loss_in_torch, PROCESS),
}


@pytest.mark.parametrize("name", LOSSES)
def test_loss_has_two_derivatives(name):
    loss, _, w = LOSSES[name]
    mg.check_gradients(loss, w, step=3e-3)


@pytest.mark.crosscheck
@pytest.mark.parametrize("name", LOSSES)
def test_loss_equals_torch(name):
    torch = pytest.importorskip("torch")
    ours, theirs, w = LOSSES[name]
    direction = mg.tree.map(lambda x: np.random.default_rng(x.size).normal(size=x.shape), w)
    value, gradient = mg.value_and_grad(ours)(w)
    product = mg.hvp(ours, w, direction)

    tensors = {name: torch.tensor(x, requires_grad=True) for name, x in w.items()}
    expected = theirs(tensors)
    slopes = torch.autograd.grad(expected, list(tensors.values()), create_graph=True)
    along = sum((g * torch.tensor(direction[name])).sum() for name, g in zip(w, slopes, strict=True))
    bends = torch.autograd.grad(along, list(tensors.values()))
    assert value == pytest.approx(expected.item(), rel=1e-13)
    for name, slope, bend in zip(w, slopes, bends, strict=True):
        np.testing.assert_allclose(gradient[name], slope.detach(), rtol=1e-11, atol=1e-13)
        np.testing.assert_allclose(product[name], bend, rtol=1e-10, atol=1e-12)


def test_the_two_forms_of_the_process_agree():
    first, second = (mg.value_and_grad(loss)(PROCESS) for loss in (process_loss, process_loss_by_slogdet))
    assert first[0] == pytest.approx(second[0], rel=1e-13)
    np.testing.assert_allclose(mg.tree.ravel(first[1])[0], mg.tree.ravel(second[1])[0], rtol=1e-11)


@pytest.mark.parametrize("name", LOSSES)
def test_loss_of_float32_is_float32(name):
    loss, _, w = LOSSES[name]
    value, gradient = mg.value_and_grad(loss)(mg.tree.map(lambda x: x.astype(np.float32), w))
    assert {g.dtype for g in gradient.values()} == {np.dtype(np.float32)}
    assert value == pytest.approx(loss(w), rel=1e-4)
