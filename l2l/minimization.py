"""Using an optimizer, learned or not, on a loss of one's own."""

import numpy as np

import minigrad as mg
from l2l.errors import L2LError
from l2l.optimizers import LSTM, check_optimizer, fitted, rules
from l2l.problems import Task
from l2l.problems.task import sizes_of
from l2l.registry import whole
from l2l.unrolling import unroll
from minigrad import structure, threads


@threads.for_kernels()
def minimize(loss, theta, optimizer, phi=None, steps=100):
    """Take `steps` steps on loss(theta), a scalar built from minigrad functions, theta an array or a tree of them.

    phi=None takes the rule's own constants, which only hand-designed rules have. Returns the last theta, in the
    structure it came in and in one precision, the widest there was, and the losses f(θ_0), …, f(θ_{steps−1}).

    loss is called once a step, and once more for every product that a rule which uses curvature asks for. Where it does
    not depend on theta its gradient is 0; a loss that is not finite is a result like others. What it raises ends the
    call as it is. It cannot change theta, whose arrays are copied first and are immutable inside it.

    Raises L2LError for an optimizer, φ or number of steps that cannot work, TypeError where theta or the loss is not
    made of floats, and ValueError where the loss is not a scalar.
    """
    if not callable(loss):
        raise L2LError(f"loss is a function of theta, not {loss!r}")
    check_optimizer(optimizer, phi)
    whole(0, steps=steps)
    if phi is None and any(isinstance(rule, LSTM) for rule in rules(optimizer)):
        raise L2LError("an LSTM has to be trained first: pass the φ that l2l.load or l2l.train returns")
    for leaf in mg.tree.flatten(theta)[0]:
        structure.check_float(leaf, "theta holds")
    flat, unravel = mg.tree.ravel(theta)
    parts = sizes_of(theta) if isinstance(theta, dict) else {}
    task = Task(flat, lambda vector, batch: loss(unravel(vector)), parts=parts)
    phi, optimizer = optimizer.init(None) if phi is None else phi, fitted(optimizer, task)
    _, flat, _, losses = unroll(optimizer, phi, task, flat, optimizer.init_state(flat), [1.0] * steps)
    return unravel(flat), np.array(losses)
