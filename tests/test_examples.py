"""The programs in examples/ run as they stand, and stay short."""

import runpy
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))


def test_there_are_examples_for_an_optimizer_a_problem_a_rule_and_a_loss():
    names = [path.stem for path in EXAMPLES]
    assert names == ["learn_an_optimizer", "own_loss", "own_problem", "own_rule"]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_has_at_most_forty_lines(path):
    assert len(path.read_text().splitlines()) <= 40


PRINTED = {
    "learn_an_optimizer": "learned  mean loss at the last step",
    "own_loss": "lstm: loss of the last ten steps",
    "own_problem": "learned: summed loss",
    "own_rule": "learned loss at the last step",
}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs_and_prints_its_race(path, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(path), run_name="__main__")
    assert PRINTED[path.stem] in capsys.readouterr().out
