"""Using an optimizer, learned or not, on a loss of one's own."""

import numpy as np

import minigrad as mg
from l2l.problems import Task
from l2l.unroll import unroll
from minigrad import threads


@threads.for_kernels()
def minimize(loss, theta, optimizer, phi=None, steps=100):
    """Take `steps` steps on loss(theta), a scalar built from minigrad functions, theta an array or a tree of them.

    phi=None takes the rule's own constants, which only hand-designed rules have. Returns the last theta, in the
    structure it came in, and the losses f(θ_0), …, f(θ_{steps−1}).
    """
    flat, unravel = mg.tree.ravel(theta)
    task = Task(flat, lambda vector, batch: loss(unravel(vector)))
    phi = optimizer.init(None) if phi is None else phi
    _, flat, _, losses = unroll(optimizer, phi, task, flat, optimizer.init_state(flat), [1.0] * steps)
    return unravel(flat), np.array(losses)
