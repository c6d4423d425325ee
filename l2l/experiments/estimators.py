"""Estimators of the meta-gradient: variance, bias and price against the number of steps in an episode, its horizon.

The optimizer is gradient descent with the learning rate e^φ; the meta-gradient is the derivative with respect to φ of
the mean loss of an episode. One problem is tame and the other chaotic.
"""

import time

import numpy as np

import minigrad as mg
from l2l import plots
from l2l.experiments.runner import Outcome, markdown, rounded
from l2l.meta_training.estimators import ES, PES, Blend, ESSingle, Truncated
from l2l.meta_training.measurements import finite

WHOLE, BLEND = "backpropagation in one unroll", "blend in one unroll"
UNBIASED = (WHOLE, BLEND, "pes", "es-single")
"""Those without truncation bias."""


def tame(theta, noise):
    """The noisy quadratic of Wu et al. 2018: f(θ) = θ²/2, and its gradient with noise."""
    return 0.5 * theta * theta, theta - noise


def chaotic(theta, noise):
    """f(θ) = (θ² − 1)²/4, and its gradient. With a large learning rate θ jumps between the two minima for ever."""
    slope = theta * theta - 1.0
    return 0.25 * slope * slope, theta * slope


PROBLEMS = {"tame": tame, "chaotic": chaotic}


def run(settings, runner):
    summary = {}
    for kind in PROBLEMS:
        for text in settings["draws"]["episodes"]:
            truth = _tame_truth(int(text), settings["tame"]) if kind == "tame" else None
            summary[kind, int(text)] = by_name = {}
            for name in _estimators(settings):

                def measure(kind=kind, text=text, name=name):
                    return _measure(kind, text, name, settings)

                by_name[name] = _summary(runner.cache(f"{kind}, {text}, {name}", settings, measure), truth)
    _draw(runner.out / "figure.png", summary)
    header = ["problem", "horizon", "estimator", "episodes", "mean", "mean / truth", "variance", "ms", "s × variance"]
    rows = [[*at, name, *_row(numbers)] for at, by_name in summary.items() for name, numbers in by_name.items()]
    results = {
        f"{kind}, {horizon}": {name: _for_file(numbers) for name, numbers in by_name.items()}
        for (kind, horizon), by_name in summary.items()
    }
    return Outcome(markdown(header, rows), _claims(summary), results)


def _estimators(settings):
    """{name: (estimator, steps of an unroll; None for all of an episode)}"""
    given = settings["estimators"]
    length, sigma, pairs = given["unroll_length"], given["sigma"], given["pairs"]
    return {
        WHOLE: (Truncated(), None),
        "truncated": (Truncated(), length),
        "es": (ES(sigma, pairs), length),
        "pes": (PES(sigma, pairs), length),
        "es-single": (ESSingle(sigma, pairs), length),
        BLEND: (Blend(sigma, given["pairs_of_blend"]), None),
    }


def _measure(kind, text, name, settings):
    """The meta-gradients of episodes, the same for every estimator, and the seconds that an episode takes one core."""
    (estimator, length), draws, horizon = _estimators(settings)[name], settings["draws"], int(text)
    episodes = draws["episodes"][text] * (draws["forward"] if name in ("es", "pes", "es-single") else 1)
    start, gradients = time.process_time(), []
    for k in range(episodes):
        seed = [draws["seed"], horizon, k]
        gradients.append(_meta_gradient(kind, horizon, estimator, length or horizon, settings[kind], seed))
    return {"curves": np.array(gradients), "seconds": (time.process_time() - start) / episodes}


def _meta_gradient(kind, horizon, estimator, length, given, seed):
    """The meta-gradient of one episode, which the seed decides."""
    rng, gradient = np.random.default_rng(seed), 0.0
    noises, theta = rng.normal(size=horizon), given["start"] + given["spread"] * rng.uniform(-1.0, 1.0)

    def unrolled(phi, state):
        (theta, step), rate, losses = state, mg.exp(phi), []
        total = 0.0
        for noise in noises[step : step + length]:
            loss, slope = PROBLEMS[kind](theta, noise)
            total = total + loss
            losses.append(loss)
            theta = theta - rate * slope
        return total, ((theta, step + length), losses)

    phi = np.log(given["rate"])
    particles = estimator.begin((theta, 0), phi)
    with np.errstate(over="ignore", invalid="ignore"):  # chaos overflows
        for _ in range(0, horizon, length):
            _, part, particles, _ = estimator(unrolled, phi, particles, rng)
            gradient += part[0] / horizon
    return gradient


def _tame_truth(horizon, given):
    """The true meta-gradient on the tame problem: with a = e^φ, E θ² goes to (1 − a)² E θ² + a² in a step."""
    a, square, slope, gradient = given["rate"], given["start"] ** 2, 0.0, 0.0
    for _ in range(horizon):
        gradient += 0.5 * slope / horizon
        slope = (1.0 - a) ** 2 * slope + a * (2.0 * a - 2.0 * (1.0 - a) * square)
        square = (1.0 - a) ** 2 * square + a**2
    return gradient


def _summary(measured, truth):
    gradients, seconds = measured["curves"], measured["seconds"]
    with np.errstate(over="ignore", invalid="ignore"):
        mean, variance = np.mean(gradients), np.var(gradients, ddof=1)
    variance = variance if np.isfinite(variance) else np.inf  # overflown
    numbers = {
        "episodes": len(gradients),
        "mean": mean,
        "standard error": np.sqrt(variance / len(gradients)),
        "variance": variance,
        "seconds": seconds,
        "seconds × variance": seconds * variance,
    }
    if truth is not None:
        numbers |= {"mean / truth": mean / truth, "error / truth": numbers["standard error"] / abs(truth)}
    return numbers


def _row(numbers):
    def with_error(value, error):
        return f"{value:.3g} ± {error:.2g}" if np.isfinite(error) else "overflow"

    known = "mean / truth" in numbers
    return [
        numbers["episodes"],
        with_error(numbers["mean"], numbers["standard error"]),
        with_error(numbers["mean / truth"], numbers["error / truth"]) if known else "",
        *(f"{number:.3g}" for number in (numbers["variance"], 1e3 * numbers["seconds"], numbers["seconds × variance"])),
    ]


def _for_file(numbers):
    return {key: finite(rounded(number)) for key, number in numbers.items()}


def _draw(path, summary):
    """Variance and price on both problems, and the bias on the tame one, where the truth is known."""

    def lines(kind, key):
        return {
            name: {horizon: summary[at, horizon][name][key] for at, horizon in summary if at == kind}
            for name in next(iter(summary.values()))
        }

    panels = {f"{kind}: {key}": lines(kind, key) for key in ("variance", "seconds × variance") for kind in PROBLEMS}
    bias, errors = lines("tame", "mean / truth"), lines("tame", "error / truth")
    title = "Backpropagation is cheapest on the tame problem; in chaos its variance explodes with the horizon"
    plots.horizons(path, panels, bias, errors, title)


def _claims(summary):
    last = max(horizon for _, horizon in summary)
    claims = [*_claims_on_bias(summary, last), *_claims_on_variance(summary, last)]
    for kind, best, than in (("tame", WHOLE, "es-single"), ("chaotic", "es-single", WHOLE)):
        prices = [[summary[at][name]["seconds × variance"] for name in (than, best)] for at in summary if at[0] == kind]
        times = min(worse / better for worse, better in prices)
        text = f"{kind}: {best} costs less per unit of variance than {than} at every horizon: {times:.2g} × or more"
        claims.append((text, times > 1.0))
    return claims


def _claims_on_bias(summary, last):
    off = max(_errors_off(by_name[name]) for by_name in _of(summary, "tame") for name in UNBIASED)
    text = f"tame: {', '.join(UNBIASED)}: within 4 standard errors of the truth at every horizon, at most {off:.2g}"
    claims = [(text, off < 4.0)]
    for name in ("truncated", "es"):
        numbers = summary["tame", last][name]
        share, off = numbers["mean / truth"], _errors_off(numbers)
        text = f"tame: at horizon {last:,}, {name} finds {share:.0%} of the truth, {off:.2g} standard errors from it"
        claims.append((text, off > 4.0))
    return claims


def _errors_off(numbers):
    """How far the mean is from the truth, in standard errors."""
    return abs(numbers["mean / truth"] - 1.0) / numbers["error / truth"]


def _claims_on_variance(summary, last):
    def most(kind, name, than):
        return max(by_name[name]["variance"] / by_name[than]["variance"] for by_name in _of(summary, kind))

    single = summary["chaotic", last]["es-single"]["variance"]
    chaos, pes = (summary["chaotic", last][name]["variance"] / single for name in (WHOLE, "pes"))
    how = f"has {chaos:.2g} × the variance of es-single" if np.isfinite(chaos) else "overflows"
    blends = most("tame", BLEND, WHOLE), most("chaotic", BLEND, "es-single")
    return [
        (f"chaotic: at horizon {last:,}, backpropagation in one unroll {how}", chaos > 1e6),
        (f"chaotic: at horizon {last:,}, pes has {pes:.2g} × the variance of es-single", pes > 1.0),
        (f"tame: the blend has at most 2 × the variance of backpropagation: {blends[0]:.2g} ×", blends[0] < 2.0),
        (f"chaotic: the blend has at most 10 × the variance of es-single: {blends[1]:.2g} ×", blends[1] < 10.0),
    ]


def _of(summary, kind):
    return [by_name for (at, _), by_name in summary.items() if at == kind]
