"""The command line, as a user meets it."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import l2l
from l2l.__main__ import main
from l2l.storage import checkpoint
from tests.l2l.test_refusals import error_of

ROOT = Path(__file__).parents[2]
QUICK = ["quadratic", "--dimension", "3", "--functions", "2", "--steps", "4"]


@pytest.fixture
def trained(tmp_path):
    path = tmp_path / "trained"
    main(["train", *QUICK, "--episodes", "2", "--unroll-length", "2", "--out", str(path)])
    return path / "optimizer.npz"


def test_without_a_command_the_demo_runs(tmp_path, capsys):
    out = tmp_path / "demo"
    assert main(["--episodes", "1", "--steps", "4", "--repeats", "2", "--out", str(out)]) == 0
    left = {"curves.png", "results.json", "optimizer.npz", "log.json", "log.jsonl", "checkpoint.npz", ".lock"}
    assert {path.name for path in out.iterdir()} == left
    printed = capsys.readouterr().out
    assert "data: MNIST from L2L_DATA, 300 digits" in printed
    assert "meta-training for 1 episodes of 4 steps\nkernels that are not on disk yet are compiled first" in printed
    assert re.search(r"^lstm +learned +\d", printed, re.MULTILINE)
    assert str(out) in printed
    assert (out / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert l2l.load(out / "optimizer.npz")[0] == l2l.make_optimizer("lstm", preset="paper")
    assert set(json.loads((out / "results.json").read_text())["optimizers"]) == {
        *("lstm", "general", "sgd", "momentum", "nag", "rmsprop", "adam")
    }


def test_demo_ends_with_two_commands_that_run(tmp_path, capsys):
    out = tmp_path / "a demo"
    assert main(["--episodes", "1", "--steps", "2", "--repeats", "1", "--out", str(out)]) == 0
    commands = re.findall(r"^    python -m l2l (.*)$", capsys.readouterr().out, re.MULTILINE)
    assert [shlex.split(command)[0] for command in commands] == ["compare", "doctor"]
    assert main([*shlex.split(commands[0]), "--steps", "2", "--repeats", "1"]) == 0
    assert main(shlex.split(commands[1])) == 0


def test_second_run_in_the_same_place_changes_nothing_and_asks(tmp_path, capsys, trained):
    before = trained.read_bytes()
    arguments = ["train", *QUICK, "--episodes", "1", "--out", str(trained.parent)]
    assert "--overwrite" in error_of(arguments, capsys)
    assert trained.read_bytes() == before
    assert main([*arguments, "--seed", "1", "--overwrite"]) == 0
    assert trained.read_bytes() != before


def test_training_log_holds_the_settings_and_every_episode(trained):
    log = json.loads((trained.parent / "log.json").read_text())
    assert [record["episode"] for record in log["history"]] == [1, 2]
    assert log["problem"] == {"name": "quadratic", "dimension": 3, "functions": 2}
    assert log["seed"] == 0


def test_saved_optimizer_says_how_it_was_made(trained):
    notes = checkpoint.read(trained)[0]["notes"]
    log = json.loads((trained.parent / "log.json").read_text())
    assert notes["problem"] == {"name": "quadratic", "dimension": 3, "functions": 2}
    assert (notes["seed"], notes["data"]) == (0, "random numbers")
    assert {"episodes": 2, "steps": 4, "meta_learning_rate": 0.01, "decay": 1.0}.items() <= notes["training"].items()
    assert notes["command"] == (
        "python -m l2l train quadratic --dimension 3 --functions 2 --steps 4 --episodes 2 --unroll-length 2 --out DIR"
    )
    curve = notes["meta_curve"]
    assert curve["train"] == pytest.approx([record["train"] for record in log["history"]], rel=1e-3)
    assert curve["validation"] == [
        [0, pytest.approx(log["untrained"]["validation"], rel=1e-3)],
        [2, pytest.approx(log["history"][1]["validation"], rel=1e-3)],
    ]


def test_recorded_command_makes_the_same_optimizer(trained, tmp_path):
    header, arrays = checkpoint.read(trained)
    words = shlex.split(header["notes"]["command"])[3:]
    assert main([str(tmp_path / "again") if word == "DIR" else word for word in words]) == 0
    again, same = checkpoint.read(tmp_path / "again" / "optimizer.npz")
    assert again == header
    assert all(np.array_equal(arrays[name], same[name]) for name in arrays)


def test_recorded_command_has_no_folder_in_either_way_of_giving_it(tmp_path):
    main(["train", *QUICK, "--optimizer", "sgd", "--episodes", "1", f"--out={tmp_path}"])
    command = checkpoint.read(tmp_path / "optimizer.npz")[0]["notes"]["command"]
    assert command.endswith("--episodes 1 --out DIR")


def test_meta_curve_takes_a_few_bytes_an_episode(tmp_path):
    sizes = []
    for episodes in ("10", "210"):
        main(["train", *QUICK, "--optimizer", "sgd", "--episodes", episodes, "--out", str(tmp_path / episodes)])
        sizes.append((tmp_path / episodes / "optimizer.npz").stat().st_size)
    assert (sizes[1] - sizes[0]) / 200 < 8  # 10,000 episodes below 80 kB


def test_inspect_shows_rule_shapes_and_notes(trained, capsys):
    capsys.readouterr()
    assert main(["inspect", str(trained)]) == 0
    printed = capsys.readouterr().out
    for line in (
        r"optimizer\.npz: lstm, 5,141 parameters",
        r"settings +hidden=20-20 preprocess=log-sign p=10\.0",
        r"phi\.layers\.0\.W +float32 4 × 20 × 22",
        r"problem +name=quadratic dimension=3 functions=2",
        r"seed +0",
        r"training +episodes=2 tasks=1 steps=4",
        r"meta_curve +summed validation loss by episode: 0: [\d.]+, 2: [\d.]+$",
        r"command +python -m l2l train quadratic",
    ):
        assert re.search(line, printed, re.MULTILINE), line


def test_inspect_shows_any_notes_of_a_file_saved_by_hand(tmp_path, capsys):
    l2l.save(tmp_path / "o.npz", l2l.make_optimizer("linear"), {"w": np.zeros(())}, of=[1, "a"], meta_curve=3, no=None)
    assert main(["inspect", str(tmp_path / "o.npz")]) == 0
    assert re.search(r"phi\.w +float64 scalar\nof +1-a\nmeta_curve +3\nno +null", capsys.readouterr().out)


def test_foreign_files_are_shown_without_their_escape_sequences(tmp_path, trained, capsys):
    l2l.save(tmp_path / "o.npz", l2l.make_optimizer("linear"), {"w": np.zeros(())}, **{"a\x1b[2J": "b\x1b]0;c\x07\x9b"})
    row = {"learning_rate": 1.0, "grid_edge": True}
    (trained.parent / "results.json").write_text(json.dumps({"optimizers": {"sgd\x1b[31m": row}}))
    capsys.readouterr()
    assert main(["inspect", str(tmp_path / "o.npz")]) == 0
    assert main(["doctor", str(trained.parent)]) == 0
    printed = capsys.readouterr().out
    assert r"a\x1b[2J" in printed
    assert r"b\x1b]0;c\x07\x9b" in printed
    assert r"sgd\x1b[31m (1)" in printed
    assert all(line.isprintable() for line in printed.split("\n"))


def test_compare_writes_the_promised_json(tmp_path, trained):
    path = tmp_path / "r.json"
    arguments = ["compare", *QUICK, "--optimizers", f"mine={trained},adam,sgd:learning_rate=0.01"]
    assert main([*arguments, "--repeats", "3", "--seed", "5", "--json", str(path)]) == 0
    result = json.loads(path.read_text())
    assert {key: result[key] for key in ("problem", "seed", "steps", "repeats", "data")} == {
        "problem": "quadratic",
        "seed": 5,
        "steps": 4,
        "repeats": 3,
        "data": "random numbers",
    }
    assert result["settings"] == {"dimension": 3, "functions": 2}
    assert list(result["optimizers"]) == ["mine", "adam", "sgd:learning_rate=0.01"]
    for row in result["optimizers"].values():
        assert len(row["loss_mean"]) == len(row["loss_sem"]) == 4
        assert len(row["sum_per_run"]) == 3
        assert row["sum"] == pytest.approx(np.sum(row["loss_mean"]), rel=1e-12)
        assert row["final"] == row["loss_mean"][-1]
    assert result["optimizers"]["mine"]["learning_rate"] is None
    assert result["optimizers"]["sgd:learning_rate=0.01"]["learning_rate"] == 0.01


def test_compare_of_a_diverging_rule_writes_strict_json_and_a_figure(tmp_path):
    table, figure = tmp_path / "table.json", tmp_path / "figure.png"
    rules = "sgd:learning_rate=9,sgd:learning_rate=0.1"
    call = ["compare", "simple", "--optimizers", rules, "--steps", "200", "--repeats", "2"]
    assert main([*call, "--json", str(table), "--plot", str(figure)]) == 0
    assert figure.stat().st_size > 1000
    assert "Infinity" not in table.read_text()
    rows = json.loads(table.read_text())["optimizers"]
    assert [row["sum"] is None for row in rows.values()] == [True, False]


def test_same_call_gives_the_same_bits(tmp_path):
    outputs = []
    for name in ("a", "b"):
        out = tmp_path / name
        main(["train", *QUICK, "--episodes", "2", "--seed", "3", "--out", str(out)])
        entries = f"lstm={out / 'optimizer.npz'},adam"
        main(["compare", *QUICK, "--optimizers", entries, "--repeats", "2", "--json", str(out / "r.json")])
        outputs.append(((out / "optimizer.npz").read_bytes(), (out / "r.json").read_bytes()))
    assert outputs[0][1] == outputs[1][1]
    a, b = (np.load(tmp_path / name / "optimizer.npz") for name in "ab")
    assert all(np.array_equal(a[key], b[key]) for key in a.files)


def test_exact_mode_trains(tmp_path):
    assert main(["train", *QUICK, "--episodes", "1", "--second-derivatives", "--out", str(tmp_path)]) == 0


def test_optimizer_options_are_given_after_colons(tmp_path):
    arguments = ["train", "simple", "--optimizer", "lstm:hidden=4-3:preset=deepmind:p=6", "--episodes", "1"]
    assert main([*arguments, "--steps", "2", "--out", str(tmp_path)]) == 0
    assert l2l.load(tmp_path / "optimizer.npz")[0] == l2l.optimizers.LSTM(hidden=(4, 3), p=6.0, scale=0.01)


def test_training_says_how_often_it_clipped_and_that_it_stopped_early(tmp_path, capsys):
    arguments = ["train", "simple", "--optimizer", "linear:initial=-0.49", "--steps", "4"]
    arguments += ["--meta-learning-rate", "0.5"]
    more = ["--clip", "1e-4", "--decay", "0.5", "--validate-every", "1", "--patience", "3", "--episodes", "9"]
    assert main([*arguments, *more, "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "3 meta-gradients were clipped, in 3 meta-steps" in printed
    assert "stopped after episode 3 of 9: no new best since 0" in printed
    history = json.loads((tmp_path / "log.json").read_text())["history"]
    assert [record["meta_learning_rate"] < 0.5 for record in history] == [False, True, True]


def test_module_runs_as_a_program():
    done = subprocess.run(
        [sys.executable, "-m", "l2l", "problems"], cwd=ROOT, capture_output=True, text=True, env={**os.environ}
    )
    assert done.returncode == 0
    assert done.stdout.startswith("simple")


def test_installed_command_runs_the_same_program():
    (entry,) = re.findall(r'^scripts = { l2l = "(.*):(.*)" }$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    script = "import sys; from {} import {} as run; sys.exit(run())".format(*entry)
    done = subprocess.run([sys.executable, "-c", script, "problems"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stdout.startswith("simple")


def test_misspelt_backend_of_matplotlib_does_not_matter():
    done = subprocess.run(
        [sys.executable, "-m", "l2l", "problems"], cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, "MPLBACKEND": "nonsense"},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
