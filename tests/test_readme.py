"""The README's own lines."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import l2l
import minigrad as mg
from l2l.experiments.runner import best_of

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
GENERAL = json.loads((ROOT / "results/general/results.json").read_text())


def test_example_runs_as_printed_in_at_most_eight_lines(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len([line for line in code.splitlines() if line]) <= 8
    exec(code, {})
    first, last = map(float, capsys.readouterr().out.split())
    assert first == 2.5
    assert last < 0.1 * first


def results_table():
    """The README's table of results, from the experiments' own numbers."""

    def optimizers(name):
        document = json.loads((ROOT / "results" / name / "results.json").read_text())
        rows = {key: row["loss_mean"] for key, row in document["optimizers"].items() if "," not in key}
        return rows, {key: sum(curve[:100]) for key, curve in rows.items()}

    quadratic, _ = optimizers("quadratic")
    mnist, sums = optimizers("mnist")
    cases = json.loads((ROOT / "results/generalization/results.json").read_text())["cases"]
    lines = [
        _line(
            "quadratics, loss per dimension at step 99", {k: c[99] for k, c in quadratic.items()}, 0.041, "quadratic"
        ),
        _line("MNIST, loss at step 98", {k: c[98] for k, c in mnist.items()}, 0.257, "mnist"),
        _line("MNIST, loss at step 198, trained on 100", {k: c[198] for k, c in mnist.items()}, 0.213, "mnist"),
        _line("MNIST, loss summed over 100 steps", sums, "", "mnist"),
    ]
    for case, paper in (("40 units", 0.193), ("two layers", 0.331), ("ReLU", 2.59)):
        at_98 = {name: curve[98] for name, curve in cases[case].items() if "," not in name}
        lines.append(_line(f"the same LSTM on {case}, at step 98", at_98, paper, "generalization"))
    for step in (100, 1000):
        for problem, rows in json.loads((ROOT / "results/cifar/results.json").read_text())["problems"].items():
            reached = {name: row["loss_mean"] for name, row in rows.items() if len(row["loss_mean"]) >= step}
            at = {name: sum(curve[step - 10 : step]) / 10 for name, curve in reached.items()}
            lines.append(_line(f"convnet on {problem}, loss at step {step:,}", at, "", "cifar"))
    return "\n".join(lines)


def _line(what, losses, paper, experiment):
    best = best_of(losses)
    rule = best.split(",")[0]
    link = f"[`reproduce {experiment}`](results/{experiment}/table.md)"
    return f"| {what} | {losses['lstm']:.3g} | {losses[best]:.3g} ({rule}) | {paper} | {link} |"


def general_table():
    """The README's table of the suite: the typical seed's wins, and in brackets the fewest of any seed."""
    lines = []
    for name, seeds in GENERAL["scores"].items():
        typical = seeds[GENERAL["typical_seed"] - 1]
        wins = [
            f"{typical['wins'][rival]} ({min(score['wins'][rival] for score in seeds)})"
            for rival in ("adam 0.001", "adam 0.01", "best adam", "best adam, cosine")
        ]
        above = f"{typical['above_start']} ({max(score['above_start'] for score in seeds)})"
        lines.append(f"| {name} | {typical['losses']} | {' | '.join(wins)} | {above} |")
    return "\n".join(lines)


def test_results_are_those_of_the_experiments():
    assert results_table() in README
    assert general_table() in README


@pytest.mark.parametrize("name", ["mnist", "quadratic", "general"])
def test_optimizer_of_the_package_is_the_experiments(name):
    seed = f"seeds/{GENERAL['typical_seed']}" if name == "general" else ""
    there = (ROOT / "results" / name / seed / "optimizer.npz").read_bytes()
    assert (l2l.storage.checkpoint.TRAINED / f"{name}.npz").read_bytes() == there
    assert len(there) < 100_000


@pytest.mark.parametrize("page", ["README.md", "minigrad/README.md", "l2l/README.md"])
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+)\)", (ROOT / page).read_text()):
        assert ((ROOT / page).parent / target).exists(), target


def test_map_names_what_is_defined_in_the_file_it_links_to():
    pairs = re.findall(r"`(?:\w+\.)?(\w+)`(?: in| of) \[[^]]*\]\(([^)]+\.py)\)", (ROOT / "l2l/README.md").read_text())
    assert len(pairs) > 8
    for name, file in pairs:
        assert re.search(rf"^ *(def|class) {name}\b", (ROOT / "l2l" / file).read_text(), re.MULTILINE), (name, file)


@pytest.mark.parametrize("page", ["README.md", "lessons/README.md"])
def test_jupyter_is_started_with_its_token_left_on(page):
    text = (ROOT / page).read_text()
    assert re.findall(r"^ +(.*jupyter.*)", text, re.MULTILINE) == [".venv/bin/jupyter lab"]
    assert "token" in text


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


def test_cases_that_the_tests_page_counts_are_those_there_are():
    page = (ROOT / "tests/README.md").read_text()
    rows = re.findall(r"\| `(tests/[\w/]+\.py[:\w]*)` \| (\d+) \|", page)
    files = sorted({name.split("::")[0] for name, _ in rows})
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", "slow or not slow", *files]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    cases = [line for line in done.stdout.splitlines() if "::" in line]
    counted = {
        name: sum(re.match(rf"{re.escape(name)}(\[|::|$)", case) is not None for case in cases) for name, _ in rows
    }
    assert counted == {name: int(count) for name, count in rows}
