"""The programs in examples/ run as they stand, and stay short."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def test_there_are_examples_for_an_optimizer_a_problem_a_rule_and_a_loss():
    names = [path.stem for path in EXAMPLES]
    assert names == ["learn_an_optimizer", "own_loss", "own_problem", "own_rule"]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_has_at_most_forty_lines(path):
    assert len(path.read_text().splitlines()) <= 40


PRINTED = {
    "learn_an_optimizer": "learned  mean loss at the last step",
    "own_loss": "general: loss of the last ten steps",
    "own_problem": "learned: summed loss",
    "own_rule": "learned loss at the last step",
}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs_and_prints_its_race(path, tmp_path):
    # In a process of its own, for it may register names.
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "error", str(path)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True)
    assert PRINTED[path.stem] in done.stdout
