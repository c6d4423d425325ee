"""Estimators of the meta-gradient dL/dφ, where L sums the meta-losses of an episode's unrolls, behind one interface.

They know nothing of optimizers and tasks: an unroll is a function of φ and of a state that it starts from.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

import minigrad as mg
from l2l.optimizers.interface import Array, Tree
from l2l.registry import Checked, setting

MOST_PAIRS = 100_000


class Estimator(Protocol):
    """An estimator of the meta-gradient. It carries `particles`, a tree of arrays, from unroll to unroll of an episode.

    unrolled(φ, state) -> (meta-loss, (state at the end, [losses])), in plain numbers or, for a φ that is
    differentiated, in Vars. state: the tree (θ, h). An estimator with `replays = True` calls it several times in one
    unroll; each of these calls must see the same minibatches.

    All randomness comes from rng. What is not finite in a loss is not finite in the gradient.
    """

    replays: bool

    def begin(self, start: Tree, phi: Tree, /) -> Tree:
        """The particles for an episode that starts at the state (θ_0, h_0). Of φ, only the shapes count."""
        ...

    def __call__(
        self, unrolled: Callable, phi: Tree, particles: Tree, rng: np.random.Generator, /
    ) -> tuple[Any, Array, Tree, list]:
        """One unroll: the meta-loss, the gradient as a vector, the particles at the end, and the losses f(θ_t). The
        losses are those of φ itself where it is unrolled, else means over the particles."""
        ...


@dataclass(frozen=True)
class Truncated:
    """Truncated backpropagation through time: the exact gradient of each unroll for a constant state at its start.

    It has no noise of its own, but a bias: it leaves out how φ acts on a loss through the states of earlier unrolls. An
    episode of one unroll has no bias.
    """

    replays = False

    def begin(self, start, phi):
        return start

    def __call__(self, unrolled, phi, particles, rng):
        total, gradient, (end, losses) = backpropagated(unrolled, phi, particles)
        return total, gradient, end, losses


@dataclass(frozen=True)
class ES(Checked):
    """Evolution strategies in antithetic pairs (Vicol et al. 2023, algorithm 1), with ε ~ N(0, σ² I), fresh in each
    unroll, and L_k the meta-loss of the unroll:

        ĝ = mean over pairs of ε (L_k(φ + ε) − L_k(φ − ε)) / (2σ²)

    Unbiased for the gradient of E_ε L_k(φ + ε), the smoothed meta-loss of one unroll, so that it has the bias of
    truncation. The state goes on from φ itself, as in that algorithm (the released code of Metz et al. goes on from
    φ + ε); the losses are then those of φ. One unroll costs 2·pairs + 1 forward passes.

    Its gradient is that of the losses as they are: it does not drop second derivatives.
    """

    sigma: float = setting(0.01, "standard deviation of the perturbations of φ", above=0, most=1000)
    pairs: int = setting(4, "antithetic pairs of perturbations", least=1, most=MOST_PAIRS)

    replays = True

    def begin(self, start, phi):
        return start

    def __call__(self, unrolled, phi, particles, rng):
        total, (end, losses) = unrolled(phi, particles)
        noise = self._noise(phi, rng)
        totals, _ = _unrolled_in_pairs(unrolled, phi, noise, [particles] * (2 * self.pairs))
        return total, _like(phi, self._gradients(noise, totals).mean(axis=0)), end, losses

    def _noise(self, phi, rng):
        """ε: (pairs, size of φ)."""
        return rng.normal(scale=self.sigma, size=(self.pairs, mg.tree.ravel(phi)[0].size))

    def _gradients(self, directions, totals):
        """The estimate of each pair: (pairs, size of φ). totals: of φ + ε and φ − ε in turns."""
        differences = totals[::2] - totals[1::2]
        return (directions / self.sigma) * (differences[:, None] / (2.0 * self.sigma))  # σ² could be 0


@dataclass(frozen=True)
class PES(ES):
    """Persistent evolution strategies (Vicol et al. 2021). Each of the 2·pairs particles keeps its own state for the
    episode, and each pair the sum ξ of its perturbations so far:

        ξ ← ξ + ε        ĝ = mean over pairs of ξ (L_k(φ + ε) − L_k(φ − ε)) / (2σ²)

    Summed over the unrolls of an episode, unbiased for the gradient of the smoothed meta-loss, whatever the length of
    an unroll, as long as φ stays the same. Its variance grows with the number of unrolls, unless their gradients agree.
    One unroll costs 2·pairs forward passes.
    """

    def begin(self, start, phi):
        perturbations = np.zeros((self.pairs, mg.tree.ravel(phi)[0].size))
        return {"states": [start] * (2 * self.pairs), "perturbations": perturbations}

    def __call__(self, unrolled, phi, particles, rng):
        noise, directions = self._perturb(phi, particles["perturbations"], rng)
        totals, reached = _unrolled_in_pairs(unrolled, phi, noise, particles["states"])
        particles = {"states": [state for state, _ in reached], "perturbations": directions}
        gradient = _like(phi, self._gradients(directions, totals).mean(axis=0))
        return totals.mean(), gradient, particles, np.mean([losses for _, losses in reached], axis=0).tolist()

    def _perturb(self, phi, before, rng):
        """The perturbations ε of this unroll, and the directions that its losses are attributed to."""
        noise = self._noise(phi, rng)
        return noise, before + noise


@dataclass(frozen=True)
class ESSingle(PES):
    """ES-Single (Vicol et al. 2023, algorithm 2): as `PES`, but each pair keeps one ε for the whole episode, and ĝ has
    ε in the place of ξ.

    Summed over the unrolls of an episode it is the ES gradient of the whole episode, cut at the same places: unbiased
    for the gradient of E_ε L(φ + ε), and its variance does not depend on the number of unrolls.
    """

    def _perturb(self, phi, before, rng):
        noise = before if before.any() else self._noise(phi, rng)
        return noise, noise


@dataclass(frozen=True)
class Blend(ES):
    """Backpropagation and evolution strategies, blended by inverse variance (Metz et al. 2019), on the same samples:

        b = (∇L_k(φ + ε) + ∇L_k(φ − ε)) / 2        e = ε (L_k(φ + ε) − L_k(φ − ε)) / (2σ²)
        ĝ = (mean b / var b + mean e / var e) / (1 / var b + 1 / var e)

    for each coordinate by itself, as in the released code; mean and variance are over the pairs. b and e estimate the
    same gradient, that of the smoothed meta-loss of one unroll, if no second derivatives are dropped in b. Where b
    explodes or overflows, e takes over. Weights and means come from the same samples; the bias of that falls as
    1/pairs.

    The state goes on from φ itself, as in `ES`. One unroll costs 2·pairs backward passes and one more forward pass.
    """

    pairs: int = setting(4, "antithetic pairs of perturbations", least=2, most=MOST_PAIRS)

    def __call__(self, unrolled, phi, particles, rng):
        total, (end, losses) = unrolled(phi, particles)
        noise, gradients = self._noise(phi, rng), []

        def keeping_gradients(phi, state):
            total, gradient, reached = backpropagated(unrolled, phi, state)
            gradients.append(gradient)
            return total, reached

        totals, _ = _unrolled_in_pairs(keeping_gradients, phi, noise, [particles] * (2 * self.pairs))
        both = np.asarray(gradients, float).reshape(self.pairs, 2, -1)
        return total, _like(phi, _blended(both, self._gradients(noise, totals))), end, losses


def _blended(both, e):
    """The means of b and e, blended by inverse variance; that of e alone where the variance of b is not finite.

    both: the two gradients that b is the mean of, (pairs, 2, size of φ); e: (pairs, size of φ).
    """
    with np.errstate(over="ignore", invalid="ignore"):
        b = both.mean(axis=1)
        mean_b, var_b = b.mean(axis=0), b.var(axis=0, ddof=1)
        mean_e, var_e = e.mean(axis=0), e.var(axis=0, ddof=1)
        share = var_e / (var_b + var_e + np.finfo(float).tiny)  # of b; where both variances are 0, b equals e
        return np.where(np.isfinite(var_b), mean_e + share * (mean_b - mean_e), mean_e)


def backpropagated(unrolled, phi, state):
    """One unroll: the meta-loss, its gradient with respect to φ as a vector, and (state at the end, losses). The state
    is a constant for the next unroll: `stop_gradient` cuts the graph here."""

    def meta_loss(phi):
        total, reached = unrolled(phi, state)
        return total, mg.stop_gradient(reached)

    (total, reached), gradient = mg.value_and_grad(meta_loss, has_aux=True)(phi)
    return total, mg.tree.ravel(gradient)[0], reached


def _unrolled_in_pairs(unrolled, phi, noise, states):
    """Unroll φ + ε and φ − ε in turns, each from its state: the meta-losses, an array, and what each call reached."""
    signed = np.stack([noise, -noise], axis=1).reshape(len(states), -1)
    results = [unrolled(_moved(phi, step), state) for step, state in zip(signed, states, strict=True)]
    return np.array([total for total, _ in results], float), [reached for _, reached in results]


def _moved(phi, step):
    """φ + step, each leaf with its own dtype. step: a vector."""
    leaves, rebuild = mg.tree.flatten(phi)
    steps = mg.tree.flatten(mg.tree.ravel(phi)[1](step))[0]
    return rebuild([leaf + part.astype(leaf.dtype) for leaf, part in zip(leaves, steps, strict=True)])


def _like(phi, gradient):
    """gradient with the dtype that φ has as one vector."""
    return gradient.astype(mg.tree.ravel(phi)[0].dtype)


ESTIMATORS = {"truncated": Truncated, "es": ES, "pes": PES, "es-single": ESSingle, "blend": Blend}
