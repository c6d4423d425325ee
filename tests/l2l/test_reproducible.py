"""The same seed gives the same bits: in every process, wherever arrays lie, with compiled kernels from disk or not."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import minigrad as mg
from minigrad.kernels import _jit, lstm, lstm_compiled
from tests.minigrad.test_kernels import in_bytes, operands

ROOT = Path(__file__).parents[2]
TRAINING = """
import hashlib
import l2l
import minigrad as mg
from l2l.optimizers import LSTM
from l2l.problems import MNIST, Quadratic

for problem in (Quadratic(functions=32), MNIST(batch=16)):
    training = l2l.train(
        problem, LSTM(), episodes=2, steps=8, unroll_length=4, validate_every=1, validation_tasks=1
    )
    losses = [(record["train"], record["validation"]) for record in training.history]
    phi = mg.tree.ravel(training.latest)[0].tobytes()
    print(hashlib.sha256(phi + repr(losses).encode()).hexdigest())
"""


STEPS = """
import hashlib, sys
import numpy as np
from tests.minigrad.test_kernels import forward_and_backward, in_bytes, operands

for P in map(int, sys.argv[1:]):
    found = forward_and_backward(*operands(P, np.float32), input_gradient=False)
    print(hashlib.sha256(b"".join(in_bytes(found))).hexdigest())
"""


SUMS = """
import numpy as np
from minigrad.kernels import normalization

g, x = np.random.default_rng(0).normal(size=(2, 2, 3, 999)).astype(np.float32)
print(*(part.tobytes().hex() for part in normalization.overlaps(g, x, x.mean((0, 2)))))
"""


def fingerprints(code, *arguments, **environment):
    """The lines that code prints in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.split()


def trained(**environment):
    return fingerprints(TRAINING, **environment)


def test_training_in_another_process_gives_the_same_bits():
    # The order of sets and the size of the environment differ, and with them where things lie in memory.
    first = trained(PYTHONHASHSEED="1", NUMBA_NUM_THREADS="2")
    assert len(set(first)) == 2
    assert trained(PYTHONHASHSEED="2", NUMBA_NUM_THREADS="1", PADDING="x" * 1_000) == first


def test_what_a_kernel_computes_does_not_depend_on_what_ran_before():
    # Few coordinates take one thread, many several: two kernels with the same helpers.
    few, many = str(lstm_compiled.TILE // 2), str(5 * lstm_compiled.TILE + 3)
    first = fingerprints(STEPS, few, many)
    assert fingerprints(STEPS, many, few) == first[::-1]


def moved(array, offset):
    """A copy that begins `offset` bytes after a multiple of 64."""
    room = np.empty(array.nbytes + 128, np.uint8)
    start = -room.ctypes.data % 64 + offset
    copy = room[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def test_where_arrays_lie_in_memory_changes_no_bit():
    arguments, cotangents = operands(300, np.float32)

    def run(offset):
        placed, given = mg.tree.map(lambda array: moved(array, offset), (arguments, cotangents))
        y, new = lstm.forward(placed)
        found = lstm.backward(placed, mg.tree.map(lambda h: moved(h, offset), new.h), *given, True)
        x, W = placed.x, placed.weights.W[1].reshape(80, 40)
        numpy = [np.tanh(x), np.exp(x), np.sum(x, 0), np.sum(x), W @ W.T, W @ W[0], W[0] @ W[1]]
        return in_bytes([y, new, found, numpy])

    first = run(0)
    for offset in range(4, 64, 4):
        assert run(offset) == first


@pytest.mark.skipif(not _jit.enabled, reason="about compiled code")
def test_kernel_from_an_empty_and_from_a_full_cache_gives_the_same_bits(tmp_path):
    first = fingerprints(SUMS, NUMBA_CACHE_DIR=str(tmp_path))
    assert list(tmp_path.rglob("*.nbc"))
    assert fingerprints(SUMS, NUMBA_CACHE_DIR=str(tmp_path)) == first


@pytest.mark.slow
@pytest.mark.skipif(not _jit.enabled, reason="about compiled code")
def test_kernels_from_an_empty_and_from_a_full_cache_give_the_same_bits(tmp_path):
    first = trained(NUMBA_CACHE_DIR=str(tmp_path))
    assert list(tmp_path.rglob("*.nbc"))
    assert trained(NUMBA_CACHE_DIR=str(tmp_path)) == first == trained()


@pytest.mark.slow
def test_thirty_processes_give_the_same_bits():
    assert len({tuple(trained(PADDING="x" * 37 * k)) for k in range(30)}) == 1
