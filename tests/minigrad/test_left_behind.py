"""What a gradient leaves behind: nothing for the garbage collector, nor for other threads."""

import gc
import threading
import weakref

import numpy as np

import minigrad as mg
from minigrad.core import traced
from tests.minigrad.test_core import cube


def test_nothing_is_left_for_the_garbage_collector():
    def f(x):
        return mg.sum(mg.tanh(x @ x) * mg.grad(lambda y: mg.sum(mg.exp(y) * x))(x))

    x = np.ones((3, 3))
    mg.grad(f)(x)
    gc.collect()
    gc.disable()
    try:
        mg.grad(f)(x)
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_threads_do_not_mix():
    results = {}

    def work(i):
        def f(x):
            for _ in range(300):
                x = x * 1.0 + mg.grad(cube)(x) * 0.0
            return x * float(i)

        results[i] = [mg.grad(f)(1.0) for _ in range(5)]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {i: [float(i)] * 5 for i in range(4)}


def test_a_gradient_frees_the_forward_pass_on_the_way():
    alive, counts = weakref.WeakSet(), []

    class Held:
        pass

    def rule(y, x):
        held = Held()
        alive.add(held)

        def back(g, held=held):
            counts.append(len(alive))
            return g

        return back

    link = traced(lambda x, /: x + 1.0, rule)
    mg.grad(lambda x: link(link(link(x))))(1.0)
    assert counts == [3, 2, 1]
    counts.clear()
    _, pullback = mg.vjp(lambda x: link(link(x)), 1.0)
    assert (pullback(1.0), pullback(2.0), counts) == (1.0, 2.0, [2, 2, 2, 2])
