"""What a rule sees of its gradients: the features, against their formulas."""

import numpy as np
import pytest

from l2l.optimizers.features import FEATURES, chosen, look, start

SHAPES = (3, 2), (4,)
GRADIENTS = np.random.default_rng(0).normal(size=(8, 10)) * np.logspace(-1, 1, 10)
EVERY = tuple(FEATURES)


def seen_after(gradients, shapes=SHAPES, steps=8):
    state = start(gradients.shape[1], gradients.dtype)
    for gradient in gradients:
        seen, state = look(gradient, state, shapes, steps)
    return seen


def mean_of(gradients, decay, power):
    weights = decay ** np.arange(len(gradients))[::-1]
    return np.tensordot(weights / weights.sum(), gradients**power, 1)


def test_features_are_what_their_formulas_say():
    def rms(decay):
        return np.sqrt(mean_of(GRADIENTS, decay, 2))

    def over_tensors(x):
        return np.repeat([np.sqrt(np.mean(x[:6] ** 2)), np.sqrt(np.mean(x[6:] ** 2))], [6, 4])

    adam = mean_of(GRADIENTS, 0.9, 1) / rms(0.95)
    expected = {
        "momentum": adam,
        "slow_momentum": mean_of(GRADIENTS, 0.98, 1) / rms(0.995),
        "gradient": GRADIENTS[-1] / rms(0.95),
        "trend": np.log(rms(0.8) / rms(0.995)) / 2,
        "share": np.log(rms(0.95) / over_tensors(rms(0.95))) / 2,
        "tensor_trend": np.log(over_tensors(rms(0.8)) / over_tensors(rms(0.995))) / 2,
        "tensor_momentum": over_tensors(adam),
        "tensor_course": np.log(over_tensors(rms(0.8)) / over_tensors(GRADIENTS[0])) / 2,
        "progress": np.full(10, np.tanh(3 * 8 / 20 - 1.5)),
        "time": np.full(10, np.log(8) / 5 - 0.5),
        "horizon": np.full(10, np.log(20) / 5 - 1),
    }
    assert tuple(expected) == EVERY
    np.testing.assert_allclose(
        chosen(EVERY, seen_after(GRADIENTS, steps=20)), list(expected.values()), rtol=1e-10, atol=1e-12
    )


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_feature_does_not_depend_on_the_scale_of_gradients(name, factor):
    one, other = (chosen([name], seen_after(scaled)) for scaled in (GRADIENTS, factor * GRADIENTS))
    np.testing.assert_allclose(other, one, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("last", [0.0, 1e30, -np.inf])
def test_features_stay_of_moderate_size(last):
    gradients = np.ones((400, 1000), np.float32)
    gradients[200:] = last
    assert np.max(np.abs(chosen(EVERY, seen_after(gradients, ((1000,),))))) < 5.0


def test_features_of_gradients_that_were_always_0_are_finite():
    assert np.isfinite(chosen(EVERY, seen_after(np.zeros((3, 10), np.float32)))).all()
