"""What a long meta-training keeps: nothing."""

import gc
import itertools
import os
import tracemalloc
from pathlib import Path

import pytest

import l2l
from l2l.optimizers import LSTM
from l2l.problems import Quadratic

RESIDENT = Path("/proc/self/statm")


def train(meta_steps, report):
    """Meta-steps on a small problem, ten an episode. Of an episode only its record is kept."""
    l2l.train(
        Quadratic(dimension=4, functions=4),
        LSTM(hidden=(8, 8)),
        episodes=meta_steps // 10,
        steps=40,
        unroll_length=4,
        validate_every=100,
        validation_tasks=1,
        report=report,
    )


def test_meta_steps_leave_nothing_behind_and_no_cycles():
    cycles, allocated = [], []

    def look(training):
        if training.history and len(training.history) % 10 == 0:
            cycles.append(gc.collect())  # which also empties Python's lists of tuples to be used again
            allocated.append(tracemalloc.get_traced_memory()[0])

    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        train(300, look)
    finally:
        tracemalloc.stop()
        gc.enable()
    assert cycles[1:] == [0, 0]
    # The records of ten episodes take 10 kB; one meta-step alone works with ten times that.
    assert max(after - before for before, after in itertools.pairwise(allocated)) < 30_000


@pytest.mark.slow
@pytest.mark.skipif(not RESIDENT.exists(), reason="needs Linux, which tells how much memory a process has")
def test_memory_stays_flat_over_10_000_meta_steps():
    resident = []

    def look(training):
        if len(training.history) % 100 == 0:
            resident.append(int(RESIDENT.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"))

    train(10_000, look)
    growth = [after - before for before, after in itertools.pairwise(resident[2:])]  # after a warm-up
    print("growth of resident memory by 1,000 meta-steps, kB:", [g // 1024 for g in growth])
    assert sum(growth) < 2_000_000
