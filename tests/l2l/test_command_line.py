"""The command line, as a user meets it."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import l2l
from l2l.__main__ import interrupt, main
from l2l.storage import checkpoint

ROOT = Path(__file__).parents[2]
QUICK = ["quadratic", "--dimension", "3", "--functions", "2", "--steps", "4"]


@pytest.fixture
def trained(tmp_path):
    path = tmp_path / "trained"
    main(["train", *QUICK, "--episodes", "2", "--unroll", "2", "--out", str(path)])
    return path / "optimizer.npz"


def error_of(arguments, capsys, expected=2):
    """The one line on standard error of a call that must exit with 2, or that code."""
    capsys.readouterr()
    try:
        code = main(arguments)
    except SystemExit as exit:
        code = exit.code
    assert code == expected
    line = [line for line in capsys.readouterr().err.splitlines() if line.startswith("l2l: ")]
    assert len(line) == 1
    return line[0]


def test_without_a_command_the_demo_runs(tmp_path, capsys):
    out = tmp_path / "demo"
    assert main(["--episodes", "1", "--steps", "4", "--repeats", "2", "--out", str(out)]) == 0
    left = {"curves.png", "results.json", "optimizer.npz", "log.json", "checkpoint.npz", ".lock"}
    assert {path.name for path in out.iterdir()} == left
    printed = capsys.readouterr().out
    assert "data: MNIST from L2L_DATA, 300 digits" in printed
    assert re.search(r"^lstm +learned +\d", printed, re.MULTILINE)
    assert str(out) in printed
    assert (out / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert l2l.load(out / "optimizer.npz")[0] == l2l.make_optimizer("lstm", preset="paper")
    assert set(json.loads((out / "results.json").read_text())["optimizers"]) == {
        *("lstm", "sgd", "momentum", "nag", "rmsprop", "adam")
    }


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
        "python -m l2l train quadratic --dimension 3 --functions 2 --steps 4 --episodes 2 --unroll 2 --out DIR"
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


@pytest.mark.parametrize(
    "call",
    [
        ["train", "simple", "--ou", "x"],
        ["--ou", "x"],
        ["compare", "simple", "--optimizers", "sgd", "--js", "x"],
        ["reproduce", "mnist", "--qui"],
        ["train", "--res=x"],
    ],
)
def test_option_is_written_out(call, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "unrecognized arguments: --" in error_of(call, capsys)
    assert list(tmp_path.iterdir()) == []


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
        r"training +episodes=2 steps=4",
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


def test_path_of_a_saved_optimizer_may_have_commas(tmp_path, trained, monkeypatch):
    path = tmp_path / "lr=0.1,p=5,old" / "optimizer.npz"
    path.parent.mkdir()
    path.write_bytes(trained.read_bytes())
    monkeypatch.chdir(path.parent)
    entries = f"a={path},adam,b={path},mine=quadratic,c=optimizer.npz"
    call = ["compare", *QUICK, "--optimizers", entries, "--repeats", "1", "--json", str(tmp_path / "r.json")]
    assert main(call) == 0
    assert list(json.loads((tmp_path / "r.json").read_text())["optimizers"]) == ["a", "adam", "b", "mine", "c"]


def test_missing_file_in_a_list_is_named_alone(capsys):
    assert "there is no file x/y.npz: make" in error_of(["compare", "simple", "--optimizers", "a=x/y.npz,adam"], capsys)


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
    arguments = ["train", "simple", "--optimizer", "linear:initial=-0.49", "--steps", "4", "--meta-lr", "0.5"]
    more = ["--clip", "1e-4", "--decay", "0.5", "--validate-every", "1", "--patience", "3", "--episodes", "9"]
    assert main([*arguments, *more, "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "the meta-gradient was clipped in 3 of 3 meta-steps" in printed
    assert "stopped after episode 3 of 9: no new best since 0" in printed
    history = json.loads((tmp_path / "log.json").read_text())["history"]
    assert [record["meta_learning_rate"] < 0.5 for record in history] == [False, True, True]


@pytest.mark.parametrize(("command", "some"), [("problems", "mnist"), ("optimizers", "lstm")])
def test_lists_have_a_line_each_with_options(command, some, capsys):
    assert main([command]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith(some))
    assert "hidden=20" in line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trian"], "invalid choice: 'trian'"),
        (["train", "mnits", "--out", "x"], "invalid choice: 'mnits'.*mnist"),
        (["train", "mnist"], "required: --out"),
        (["train", "mnist", "--out", "x", "--widht", "3"], "unrecognized arguments: --widht"),
        (["train", "mnist", "--out", "x", "--hidden", "many"], "'hidden' takes a whole number"),
        (["train", "mnist", "--out", "x", "--steps", "0"], "--steps.*at least 1"),
        (["train", "mnist", "--out", "x", "--meta-lr", "-1"], "--meta-lr.*positive"),
        (["train", "mnist", "--out", "x", "--meta-lr", "fast"], "--meta-lr.*positive"),
        (["train", "mnist", "--out", "x", "--decay", "2"], "--decay.*at most 1"),
        (["train", "mnist", "--out", "x", "--seed", "-1"], "--seed.*at least 0"),
        (["train", "mnist", "--out", "x", "--optimizer", "adma"], "no optimizer 'adma'.*adam"),
        (["train", "mnist", "--out", "x", "--optimizer", "adam:beta1"], "NAME:OPTION=VALUE"),
        (["train", "mnist", "--out", "x", "--optimizer", "adam:beta=1"], "no option 'beta'.*beta1"),
        (["compare", "simple", "--optimizers", "lstm=missing.npz"], "no file missing.npz"),
        (["compare", "simple", "--optimizers", "lstm=missing"], "no file missing, nor a trained optimizer"),
        (["inspect", "missing.npz"], "no file missing.npz.*train PROBLEM"),
        (["doctor", "nowhere"], "no nowhere/log.json.*train PROBLEM"),
        (["compare", "simple", "--optimizers", "lstm"], "trained first.*lstm=PATH"),
        (["compare", "simple", "--optimizers", "adam,adam"], "twice"),
        (["compare", "simple", "--optimizers", ""], "no optimizer ''"),
        (["reproduce", "imagenet"], "invalid choice.*quadratic"),
        (["compare", "simple", "--optimizers", "sgd", "--json", "/dev/null/r.json"], "cannot write /dev/null/r.json"),
        (["train", "simple", "--out", "/dev/null/x"], "cannot write /dev/null/x"),
    ],
)
def test_bad_input_is_one_line_that_names_the_fix(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert re.search(message, error_of(arguments, capsys))
    assert list(tmp_path.iterdir()) == []


def test_damaged_optimizer_file_is_one_line(trained, capsys):
    trained.write_bytes(trained.read_bytes()[:200])
    assert "damaged" in error_of(["compare", "simple", "--optimizers", f"x={trained}"], capsys)


def test_diverging_training_keeps_what_it_had(tmp_path, capsys):
    arguments = [
        "train",
        "simple",
        "--optimizer",
        "linear",
        "--meta-lr",
        "1e9",
        "--unroll",
        "50",
        "--validate-every",
        "4",
        "--out",
        str(tmp_path),
    ]
    assert "lower the meta learning rate" in error_of(arguments, capsys, 1)
    optimizer, phi = l2l.load(tmp_path / "optimizer.npz")
    assert phi["w"] == optimizer.initial
    history = json.loads((tmp_path / "log.json").read_text())["history"]
    assert [record["skipped"] for record in history[-10:]] == [1] * 10
    capsys.readouterr()
    assert main(["doctor", str(tmp_path)]) == 0
    assert "losses or gradients that are not finite" in capsys.readouterr().out


class HalfMade:
    def __del__(self):
        raise AttributeError("there is nothing to close yet")


def test_what_an_interruption_leaves_half_made_does_not_complain(monkeypatch, capsys):
    monkeypatch.setattr(sys, "unraisablehook", sys.__unraisablehook__)
    HalfMade()
    assert "nothing to close" in capsys.readouterr().err
    with pytest.raises(KeyboardInterrupt):
        interrupt()
    HalfMade()
    assert capsys.readouterr().err == ""


def test_interrupted_training_keeps_the_best_and_says_where(tmp_path):
    out = tmp_path / "run"
    command = [sys.executable, "-m", "l2l", "train", *QUICK, "--episodes", "100000", "--out", str(out)]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # jobs in the background inherit its being off
    )
    deadline = time.monotonic() + 60
    while not (out / "log.json").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"the best optimizer so far is in {out / 'optimizer.npz'}" in errors
    assert "Traceback" not in errors
    l2l.load(out / "optimizer.npz")


def test_module_runs_as_a_program():
    done = subprocess.run(
        [sys.executable, "-m", "l2l", "problems"], cwd=ROOT, capture_output=True, text=True, env={**os.environ}
    )
    assert done.returncode == 0
    assert done.stdout.startswith("simple")


def test_misspelt_backend_of_matplotlib_does_not_matter():
    done = subprocess.run(
        [sys.executable, "-m", "l2l", "problems"], cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, "MPLBACKEND": "nonsense"},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
