"""The README's own lines."""

import re
from pathlib import Path

import numpy as np
import pytest

import l2l
import minigrad as mg

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_example_runs_as_printed_in_at_most_eight_lines(tmp_path, monkeypatch, capsys):
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len([line for line in code.splitlines() if line]) <= 8
    optimizer = l2l.make_optimizer("lstm", preset="paper")
    l2l.save(tmp_path / "runs/demo/optimizer.npz", optimizer, optimizer.init(np.random.default_rng(0)))
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    first, last = map(float, capsys.readouterr().out.split())
    assert first == 2.5
    assert np.isfinite(last)


@pytest.mark.parametrize("page", ["README.md", "minigrad/README.md"])
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+)\)", (ROOT / page).read_text()):
        assert ((ROOT / page).parent / target).exists(), target


def test_tour_of_the_engine_runs_as_printed(monkeypatch):
    monkeypatch.setattr(mg.core, "primitives", {})  # its example of a primitive is one that exists
    for code in re.findall(r"```python\n(.*?)```", (ROOT / "minigrad/README.md").read_text(), re.DOTALL):
        exec(code, {})


def test_minimize_returns_the_structure_it_was_given():
    optimizer = l2l.make_optimizer("sgd", learning_rate=0.1)
    theta, losses = l2l.minimize(lambda t: (t["a"] - 1.0) ** 2.0 + t["b"][0] ** 2.0, {"a": 0.0, "b": [2.0]}, optimizer)
    assert abs(theta["a"] - 1.0) < 1e-8
    assert abs(theta["b"][0]) < 1e-8
    assert losses[0] == 5.0
