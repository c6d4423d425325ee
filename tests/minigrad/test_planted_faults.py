"""Wrong rules planted in every primitive, one kind of fault at a time: the gradient checker must catch each of them.

A fault is planted wherever it changes a derivative (a flipped sign changes nothing where the gradient is 0), so every
one that is planted is a real error, and each of them has to be caught. The counts are printed at the end of the run.
"""

import numpy as np
import pytest

import minigrad as mg
from minigrad import core
from tests.minigrad.test_primitives import floats_of, of_floats


def with_rule(primitive, change):
    """The primitive with each of its rules `back` replaced by change(back, the same rule made from constants)."""

    def rule(out, *args, **options):
        def constant(k):
            return as_tuple(primitive.rule(mg.stop_gradient(out), *map(mg.stop_gradient, args), **options))[k]

        backs = primitive.rule(out, *args, **options)
        changed = [back and change(back, lambda k=k: constant(k)) for k, back in enumerate(as_tuple(backs))]
        return tuple(changed) if type(backs) is tuple else changed[0]

    return core.traced(primitive.__wrapped__, rule, primitive.order)


def as_tuple(backs):
    return backs if type(backs) is tuple else (backs,)


def reverse(x):
    """The elements in reverse order: what a forgotten transposition does to a vector, and worse to a matrix."""
    return mg.reshape(mg.reshape(x, (-1,))[::-1], x.shape)


# Each takes the right rule, and a function that makes the same rule from constants; it returns a wrong one.
FAULTS = {
    "wrong sign": lambda back, constant: lambda g: -back(g),
    "missing factor": lambda back, constant: lambda g: back(g) * 0.5,
    "transposed": lambda back, constant: lambda g: reverse(back(g)),
    "something added": lambda back, constant: lambda g: back(g) + 0.01,
    "order 2, arguments cut off": lambda back, constant: lambda g: constant()(g),
    "order 2, cotangent cut off": lambda back, constant: lambda g: back(mg.stop_gradient(g)),
}


def derivative(f, floats, order):
    """The gradient of uᵀf, or of wᵀ(∂uᵀf/∂(x, u)) where order is 2, for fixed random u and w: what a fault changes."""
    x, unravel = mg.tree.ravel(floats)
    value = f(floats)
    rng = np.random.default_rng(0)

    def pulled(both):
        _, pullback = mg.vjp(lambda vector: f(unravel(vector)), both[: x.size])
        return pullback(both[x.size :].reshape(np.shape(value)))

    both = np.concatenate([x, rng.normal(size=np.size(value))])
    return pulled(both) if order == 1 else mg.vjp(pulled, both)[1](rng.normal(size=x.size))


def changes(right, wrong, floats, order):
    return not np.allclose(derivative(right, floats, order), derivative(wrong, floats, order), rtol=1e-4, atol=1e-4)


def is_caught(wrong, sample, order):
    try:
        mg.check_gradients(of_floats(wrong, sample), floats_of(sample), order=order)
    except (mg.GradientError, ValueError):
        return True
    return False


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", mg.primitives)
def test_wrong_rule_is_caught(name, fault, planted_faults):
    primitive = mg.primitives[name]
    order = 2 if fault.startswith("order 2") else 1
    if order > primitive.order:
        pytest.skip("a first-order primitive has no second derivative to get wrong")
    wrong = with_rule(primitive, FAULTS[fault])
    planted, caught = 0, 0
    for sample in primitive.samples(np.random.default_rng(0)):
        floats = [np.asarray(x) for x in floats_of(sample)]
        if changes(of_floats(primitive, sample), of_floats(wrong, sample), floats, order):
            planted += 1
            caught += is_caught(wrong, sample, order)
    planted_faults.append((planted, caught))
    assert caught == planted


def forgetful_fit(cotangent, shape, dtype, fit=core._fit):
    """`core._fit` that takes one slice along every broadcast axis instead of the sum."""
    while cotangent.ndim > len(shape):
        cotangent = cotangent[0]
    return fit(cotangent[tuple(slice(0, 1) if n == 1 else slice(None) for n in shape)], shape, dtype)


@pytest.mark.parametrize("name", mg.primitives)
def test_forgotten_unbroadcast_is_caught(name, planted_faults, monkeypatch):
    primitive = mg.primitives[name]
    planted, caught = 0, 0
    for sample in primitive.samples(np.random.default_rng(0)):
        if any(np.size(x) == 0 for x in floats_of(sample)):
            continue  # there is no slice to take
        f, floats = of_floats(primitive, sample), [np.asarray(x) for x in floats_of(sample)]
        right = derivative(f, floats, 1)
        with monkeypatch.context() as patch:
            patch.setattr(core, "_fit", forgetful_fit)
            if not np.allclose(right, derivative(f, floats, 1), rtol=1e-4, atol=1e-4):
                planted += 1
                caught += is_caught(primitive, sample, 1)
    planted_faults.append((planted, caught))
    assert caught == planted


def test_every_primitive_has_a_fault_to_catch():
    """The guard of the guard: with each fault in turn, how many primitives it was real for."""
    for name, primitive in mg.primitives.items():
        real = [
            fault
            for fault, change in FAULTS.items()
            if not fault.startswith("order 2")
            for sample in primitive.samples(np.random.default_rng(0))
            if changes(
                of_floats(primitive, sample),
                of_floats(with_rule(primitive, change), sample),
                [np.asarray(x) for x in floats_of(sample)],
                1,
            )
        ]
        assert real, name
