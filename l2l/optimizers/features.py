"""What a learned rule sees of a coordinate's gradients, as numbers of moderate size.

A feature is a function of `Seen` that gives one number for each coordinate, or one for all of them. None changes if
all gradients are multiplied by a constant, so a rule on features takes the same steps on f and on 1000·f. They are
written with minigrad functions: where the gradient is a plain array they cost NumPy's time and record nothing, and in
exact mode they are differentiated. They tell of gradients and time alone, for an update rule sees no losses.
"""

from dataclasses import dataclass

import numpy as np

import minigrad as mg
from l2l.optimizers.fitting import tensor_means
from l2l.optimizers.hand_designed import safe_root

MEANS = (0.9, 0.98)
SQUARES = (0.8, 0.95, 0.995)
LARGEST = 1e15  # of a gradient: in float32 the sum of 10⁸ squares is still finite


@dataclass(frozen=True)
class Seen:
    """Running means of decay β of ∇ and of ∇², without the bias of their start, as in Adam (Kingma & Ba 2015):

    mean[β] = m̂        rms[β] = √v̂        first_rms = the RMS of the tensor's first gradient, at each coordinate
    """

    grad: np.ndarray
    mean: dict
    rms: dict
    first_rms: np.ndarray
    t: int
    shapes: tuple
    steps: int


def running(before, x, decays):
    """The running means after x, one for each decay: β a + (1 − β) x."""
    return [decay * a + (1.0 - decay) * x for decay, a in zip(decays, before, strict=True)]


def unbiased(averages, decays, t):
    """{β: a/(1 − βᵗ)}"""
    return {decay: a / (1.0 - decay**t) for decay, a in zip(decays, averages, strict=True)}


def start(n, dtype):
    """What is remembered before the first gradient."""
    zero = np.zeros(n, dtype)
    return {"means": [zero] * len(MEANS), "squares": [zero] * len(SQUARES), "first_rms": zero, "t": 0}


def look(grad, state, shapes, steps):
    """What is seen after one more gradient (n,), and what is then remembered."""
    grad, t = mg.clip(grad, -LARGEST, LARGEST), state["t"] + 1
    means, squares = running(state["means"], grad, MEANS), running(state["squares"], mg.square(grad), SQUARES)
    first = tensor_rms(grad, shapes) if t == 1 else state["first_rms"]
    rms = {decay: safe_root(v) for decay, v in unbiased(squares, SQUARES, t).items()}
    seen = Seen(grad, unbiased(means, MEANS, t), rms, first, t, shapes, steps)
    return seen, {"means": means, "squares": squares, "first_rms": first, "t": t}


def tensor_rms(x, shapes):
    return safe_root(tensor_means(mg.square(x), shapes))


def _log_ratio(x, y):
    return mg.clip(mg.log(x / y), -5.0, 5.0) / 2.0


# ------------------------------------------------------------------------------------------ the features


def momentum(seen):
    """m̂/√v̂ of decays 0.9 and 0.95: the direction of Adam (Kingma & Ba 2015)."""
    return seen.mean[0.9] / seen.rms[0.95]


def slow_momentum(seen):
    """The same of decays 0.98 and 0.995. Momenta at several rates are seen in Wichrowska et al. 2017."""
    return seen.mean[0.98] / seen.rms[0.995]


def gradient(seen):
    """∇/√v̂ of decay 0.95: the direction of RMSprop, an input of RNNprop (Lv et al. 2017)."""
    return seen.grad / seen.rms[0.95]


def trend(seen):
    """½ log(√v̂_fast/√v̂_slow), of decays 0.8 and 0.995: do the coordinate's gradients grow or shrink?"""
    return _log_ratio(seen.rms[0.8], seen.rms[0.995])


def share(seen):
    """½ log(√v̂ / RMS of √v̂ over the tensor), of decay 0.95: are the coordinate's gradients large in its tensor?"""
    return _log_ratio(seen.rms[0.95], tensor_rms(seen.rms[0.95], seen.shapes))


def tensor_trend(seen):
    """½ log of the RMS of √v̂_fast over the tensor, divided by that of √v̂_slow, as in `trend`."""
    return _log_ratio(tensor_rms(seen.rms[0.8], seen.shapes), tensor_rms(seen.rms[0.995], seen.shapes))


def tensor_momentum(seen):
    """The RMS of m̂/√v̂ over the tensor: about 1 where gradients keep their signs, about 0.2 where they are noise."""
    return tensor_rms(momentum(seen), seen.shapes)


def tensor_course(seen):
    """½ log of the RMS of √v̂_fast over the tensor, divided by that of the first gradient: what was achieved since."""
    return _log_ratio(tensor_rms(seen.rms[0.8], seen.shapes), seen.first_rms)


def progress(seen):
    """tanh(3t/T − 1.5): from −0.9 at the first step to 0.9 at the last."""
    return float(np.tanh(3.0 * min(1.0, seen.t / seen.steps) - 1.5))


def time(seen):
    """log(t)/5 − ½"""
    return float(np.log(seen.t) / 5.0 - 0.5)


def horizon(seen):
    """log(T)/5 − 1"""
    return float(np.log(seen.steps) / 5.0 - 1.0)


_ALL = momentum, slow_momentum, gradient, trend, share, tensor_trend, tensor_momentum, tensor_course
FEATURES = {feature.__name__: feature for feature in (*_ALL, progress, time, horizon)}


def chosen(names, seen):
    """These features of every coordinate, in this order: (features, n)."""
    values = [FEATURES[name](seen) for name in names]
    like = seen.mean[MEANS[0]]
    return mg.stack([np.full(like.shape, x, like.dtype) if isinstance(x, float) else x for x in values])
