"""Standard error that cannot be written to costs remarks and progress bars, never the work."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import l2l
from tests.conftest import LINUX

pytestmark = LINUX

ROOT = Path(__file__).parents[2]
L2L = f"{shlex.quote(sys.executable)} -m l2l"
BROKEN = ["2>&-", "2>/dev/full", "2> >(head -c 1 >/dev/null)"]
QUICK = "quadratic --dimension 2 --functions 2 --steps 2"


def shell(command):
    environment = {**os.environ, "MINIGRAD_NUMBA": "0"}
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=ROOT, env=environment)


@pytest.mark.parametrize("broken", BROKEN, ids=["closed", "full", "reader gone"])
def test_training_and_race_go_on_to_their_end(broken, tmp_path):
    train = f"{L2L} train {QUICK} --episodes 20 --out {tmp_path / 'run'} {broken}"
    race = f"{L2L} compare {QUICK} --repeats 1 --optimizers x={tmp_path / 'run'}/optimizer.npz"
    race = f"{race} --json {tmp_path / 'r.json'} {broken}"
    for command in (train, race):
        done = shell(command)
        assert (done.returncode, done.stderr) == (0, "")
    l2l.load(tmp_path / "run" / "optimizer.npz")
    assert (tmp_path / "r.json").exists()


@pytest.mark.parametrize("broken", BROKEN, ids=["closed", "full", "reader gone"])
def test_refusal_keeps_its_exit_code_and_is_printed_nowhere_else(broken):
    for call, code in (("inspect missing.npz", 2), ("trian", 2)):
        done = shell(f"{L2L} {call} {broken}")
        assert (done.returncode, done.stdout, done.stderr) == (code, "", "")
