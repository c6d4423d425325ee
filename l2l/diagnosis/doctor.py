"""What is wrong with a meta-training: the known faults, each with its evidence from the log and what to do.

The thresholds come from trainings with deliberately wrong settings, on quadratics and MNIST, full-sized and small, over
several seeds. They are far from the values of working trainings.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path

from l2l import files
from l2l.errors import L2LError
from l2l.meta_training.loop import Training

MIN_GAIN = 0.05  # share of the summed loss saved; working trainings: 12 % in 40 meta-steps, 50 to 95 % in full length
MIN_MOVEMENT = 0.7  # ‖φ − φ_0‖/‖φ_0‖; trainings that were merely short: 0.3, diverged trainings: 2 and more
GOOD_RATIO = 0.1  # last loss / first loss; below it the rule is healthy, even if training gained nothing
AT_CHANCE = 0.98  # of the loss of a random guess, whose minibatch noise is about 1 %
SATURATED = 0.5  # share of the gates; working trainings: below 0.15, at ten times a good rate: 0.5 to 1
VANISHING = 0.1  # length of all updates / distance to f = 0; working trainings: 2 and more
FROZEN = 1e-3  # √mean (h_{t+1} − h_t)², where h is in (−1, 1); working trainings: 0.007 and more


@dataclass(frozen=True)
class Finding:
    """name: the fault. evidence: the numbers that show it. advice: what to do."""

    name: str
    evidence: str
    advice: str

    def __str__(self):
        return f"{self.name}\n  found: {self.evidence}\n  to do: {self.advice}"


@dataclass(frozen=True)
class Diagnosis:
    """summary: how the training went, in one line. findings: what is wrong with it; empty for a healthy training."""

    summary: str
    findings: list

    def __str__(self):
        verdict = "\n\n".join(map(str, self.findings)) or "healthy: none of the known faults was found"
        return f"{self.summary}\n\n{verdict}"

    __repr__ = __str__  # a notebook shows the repr


def diagnose(training: Training, results: dict | None = None) -> Diagnosis:
    """The `Diagnosis` of a `Training`. results: the results of a comparison, as in results.json, if there was one.

    Raises L2LError where the training has no validation yet, because then there is nothing to judge.
    """
    if not any("validation" in record for record in training.history):
        raise L2LError("this meta-training had no validation yet: train longer, or validate more often")
    course = _Course(training)
    checks = (_not_finite, _rate_too_small, _rate_too_high, _vanishing, _plateau, _saturated, _frozen)
    findings = [finding for check in checks for finding in check(course)]
    return Diagnosis(course.summary(), findings + list(_edges(results or {})))


_DAMAGE = (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError)
"""The errors that reading and judging a damaged or foreign file raises."""


def read(directory: str | Path) -> tuple[Training, dict | None]:
    """The pair (training, results) that `diagnose` takes, from log.json and results.json (None without that file).

    The training has no φ. Raises L2LError, naming the fix, where a file is missing, damaged or foreign.
    """
    path, other = Path(directory) / "log.json", Path(directory) / "results.json"
    if not files.exists(path):
        raise L2LError(f"there is no {path}: name the folder that `python -m l2l train PROBLEM --out DIR` wrote")
    text = files.read(path)
    try:
        log = json.loads(text.decode("utf-8"))
        training = Training(None, untrained=log["untrained"], history=log["history"])
        if any("validation" in record for record in training.history):
            diagnose(training)  # fails where something is missing
    except _DAMAGE:
        raise L2LError(f"{path} is damaged, or not the log of a meta-training by this version: train again") from None
    text = files.read(other) if files.exists(other) else b"null"
    try:
        results = json.loads(text.decode("utf-8"))
        list(_edges(results or {}))
    except _DAMAGE:
        raise L2LError(f"{other} is damaged, or not what `python -m l2l compare --json` writes: remove it") from None
    return training, results


# ------------------------------------------------------------------------------------------ the course of a training


class _Course:
    """The numbers that the checks use. A loss that was not finite counts as infinite. Validations of a problem with
    families are log-ratios; shares are then of the ratios.

    gained: the share of the untrained loss that the best φ saves. kept: the largest share that the last third of the
    validations saves. idle: φ has hardly moved and gained nothing. works: the rule reaches a tenth of its first loss.
    moved, reach, …: the last diagnostics; an unknown one is NaN, which is neither above nor below a threshold.
    """

    first: float
    last: float
    moved: float

    def __init__(self, training):
        self.judged_by, self.by_family = training.judged_by, training.by_family
        validated = [record for record in training.history if "validation" in record]
        losses = {0: training.untrained["validation"], **{r["episode"]: r["validation"] for r in validated}}
        self.losses = {episode: math.inf if loss is None else loss for episode, loss in losses.items()}
        self.untrained, *_, self.final = self.losses.values()
        self.best_episode = min(self.losses, key=self.losses.__getitem__)
        self.best = self.losses[self.best_episode]
        self.late = min(list(self.losses.values())[-math.ceil(len(validated) / 3) :])
        self.gained, self.kept = self._share_saved(self.best), self._share_saved(self.late)
        self.episodes, self.rate = len(training.history), training.history[0]["meta_learning_rate"]
        self.skipped = sum(record["skipped"] for record in training.history)
        for name in ("first", "last", "chance", "moved", "reach", "saturated", "state_change"):
            number = validated[-1]["diagnostics"].get(name)
            setattr(self, name, math.nan if number is None else float(number))
        self.idle = self.gained < MIN_GAIN and self.kept > -MIN_GAIN and self.moved < MIN_MOVEMENT
        self.works = self.last < GOOD_RATIO * self.first

    def _share_saved(self, loss):
        if self.by_family:
            return 1.0 - math.exp(loss - self.untrained)
        if not (math.isfinite(self.untrained) and self.untrained):
            return math.nan
        return (self.untrained - loss) / abs(self.untrained)

    def summary(self):
        return (
            f"{self.episodes} episodes; {self.judged_by} {self.untrained:.4g} untrained, {self.best:.4g} at best "
            f"(episode {self.best_episode}), {self.final:.4g} at the end"
        )


# ------------------------------------------------------------------------------------------ the known faults


def _not_finite(course):
    bad = [str(episode) for episode, loss in course.losses.items() if not math.isfinite(loss)]
    if course.skipped or bad:
        where = f", and the validations after episodes {', '.join(bad[:5])} were not finite" if bad else ""
        yield Finding(
            "losses or gradients that are not finite",
            f"{course.skipped} of {course.episodes} episodes were dropped{where}",
            f"lower the meta learning rate ({course.rate:g}) or the optimizer's output scale, or set clip",
        )


def _rate_too_small(course):
    if course.idle and not (course.works or course.state_change < FROZEN):
        yield Finding(
            "meta learning rate too small, or too few meta-steps",
            f"the best φ saves {course.gained:.2%} of the loss, and φ has moved by {course.moved:.2%} of its length",
            f"raise the meta learning rate ({course.rate:g}): for LSTMs 0.003 to 0.03 works; or train longer",
        )


def _rate_too_high(course):
    lost = course.kept < max(MIN_GAIN, course.gained / 2)
    if lost and not (course.idle or course.works or course.reach < VANISHING):
        yield Finding(
            "meta learning rate too high",
            f"the last third of the validations is at {course.late:.4g} or above, against {course.untrained:.4g} "
            f"untrained and {course.best:.4g} at best (episode {course.best_episode}); φ has moved by "
            f"{course.moved:.0%} of its length",
            f"lower the meta learning rate ({course.rate:g}; for LSTMs 0.003 to 0.03 works) or the optimizer's output "
            "scale, let the rate decay, or set clip",
        )


def _vanishing(course):
    if course.reach < VANISHING and not course.idle:
        yield Finding(
            "vanishing updates",
            f"all updates of a run together are {course.reach:.2g} times as long as the distance to loss 0, although φ "
            f"has moved by {course.moved:.2%} of its length",
            "raise the optimizer's output scale",
        )


def _plateau(course):
    if course.last >= AT_CHANCE * course.chance:
        yield Finding(
            "plateau at the loss of a random guess",
            f"the loss is {course.last:.4g} at the end of a run; a random guess has {course.chance:.4g}",
            "see the other findings; if there is none, train longer or take another seed: a saturated optimizee gives "
            "no gradient to learn from",
        )


def _saturated(course):
    if course.saturated > SATURATED:
        yield Finding(
            "saturated gates",
            f"{course.saturated:.0%} of the LSTM's gates are on the flat part of their curve, where little gradient "
            "passes",
            f"lower the meta learning rate ({course.rate:g}), or keep the inputs small: preprocess=log-sign",
        )


def _frozen(course):
    if course.state_change < FROZEN:
        yield Finding(
            "a state that does not change",
            f"h and c change by {course.state_change:.2g} per step, in a range from −1 to 1",
            "make the gradients visible to the LSTM with preprocess=log-sign, a larger p, or a larger loss; if its "
            "gates are saturated, fix that first",
        )


def _edges(results):
    edges = [
        f"{name} ({row['learning_rate']:g})" for name, row in results.get("optimizers", {}).items() if row["grid_edge"]
    ]
    if edges:
        yield Finding(
            "baselines at the edge of their grid",
            f"the best learning rate was at the end of the search for {', '.join(edges)}",
            "do not trust the comparison: set a learning rate for these (adam:learning_rate=0.01), or take more steps "
            "so that learning rates differ",
        )
