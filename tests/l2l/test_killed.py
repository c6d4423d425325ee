"""Meta-trainings that are killed at any moment, and resumed with bit-identical results."""

import numpy as np
import pytest

from l2l.storage import runs
from tests.conftest import UNIX
from tests.l2l import killed
from tests.l2l.test_resume import CALL, outcome

pytestmark = UNIX


def train_through_kills(folder, rng, kills):
    """Run CALL in the folder, killed up to that many times at random moments, to its end. Returns how often it was."""
    for count in range(kills + 1):
        plan = f"at={rng.integers(1, 80)}" if rng.integers(2) else f"after={rng.uniform(0.0, 0.6):.3f}"
        resuming = (folder / "checkpoint.npz").exists()
        call = ["train", "--resume", folder] if resuming else [*CALL, "--out", folder]
        done = killed.run(plan if count < kills else "never", call)
        if done.returncode == 0:
            return count
        assert done.returncode == -9, done.stderr
    raise AssertionError("the last run was not to be killed")


def check_kills(tmp_path, kills, seed):
    assert killed.run("never", [*CALL, "--out", tmp_path / "at_once"]).returncode == 0
    at_once = outcome(tmp_path / "at_once")
    rng, total, trainings = np.random.default_rng(seed), 0, 0
    while total < kills:
        folder = tmp_path / str(trainings)
        total += train_through_kills(folder, rng, kills=min(5, kills - total))
        assert outcome(folder) == at_once
        assert {path.name for path in folder.iterdir()} == {".lock", *runs.FILES}
        trainings += 1


def test_training_killed_five_times_ends_with_the_same_bits(tmp_path):
    check_kills(tmp_path, kills=5, seed=0)


@pytest.mark.slow
def test_training_killed_fifty_times_ends_with_the_same_bits(tmp_path):
    check_kills(tmp_path, kills=50, seed=1)
