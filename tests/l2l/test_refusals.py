"""What cannot work is refused in one line that names the fix, before anything is written."""

import json
import re

import pytest

import l2l
from l2l.__main__ import main
from tests.conftest import UNIX


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


def test_missing_file_in_a_list_is_named_alone(capsys):
    assert "there is no file x/y.npz: make" in error_of(["compare", "simple", "--optimizers", "a=x/y.npz,adam"], capsys)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trian"], "invalid choice: 'trian'"),
        (["train", "mnits", "--out", "x"], "invalid choice: 'mnits'.*mnist"),
        (["train", "mnist"], "train needs a PROBLEM.*--out DIR"),
        (["train", "mnist", "--out", "x", "--widht", "3"], "unrecognized arguments: --widht"),
        (["train", "mnist", "--out", "x", "--unroll", "3"], "--unroll 3 .did you mean --unroll-length.*train -h"),
        (["train", "mnist", "--out", "x", "--import", "no_module"], "--import no_module failed .No module"),
        (["train", "mnist", "--out", "x", "--import", "../x"], "--import takes the name of a module.*not '../x'"),
        (["train", "--resume", "x", "--steps", "3"], "leave out all other options"),
        (["train", "--resume", "x", "--out", "y"], "leave out all other options"),
        (["train", "mnist", "--resume", "x"], "leave out all other options"),
        (["compare", "simple"], "compare needs a PROBLEM and --optimizers"),
        (["train", "mnist", "--out", "x", "--hidden", "many"], "hidden is a whole number, not 'many'"),
        (["train", "mnist", "--out", "x", "--steps", "0"], "steps is a whole number of at least 1"),
        (["train", "mnist", "--out", "x", "--meta-learning-rate", "-1"], "meta_learning_rate is a positive number"),
        (["train", "mnist", "--out", "x", "--meta-learning-rate", "fast"], "meta_learning_rate is a number"),
        (["train", "mnist", "--out", "x", "--decay", "2"], "decay is a number of at most 1"),
        (["train", "mnist", "--out", "x", "--seed", "-1"], "seed is a whole number of at least 0"),
        (["train", "mnist", "--out", "x", "--optimizer", "adma"], "no optimizer 'adma'.*adam"),
        (["train", "mnist", "--out", "x", "--optimizer", "adam:beta1"], "NAME:OPTION=VALUE"),
        (["train", "mnist", "--out", "x", "--optimizer", "adam:beta=1"], "no option 'beta'.*beta1"),
        (["compare", "simple", "--optimizers", "lstm=missing.npz"], "no file missing.npz"),
        (["compare", "simple", "--optimizers", "lstm=missing"], "no file missing, nor a trained optimizer"),
        (["inspect", "missing.npz"], "no file missing.npz.*train PROBLEM"),
        (["doctor", "nowhere"], "no nowhere/log.json.*train PROBLEM"),
        (["compare", "simple", "--optimizers", "lstm"], "trained first.*lstm=PATH"),
        (["compare", "simple", "--optimizers", "adam,adam"], "twice"),
        (["compare", "simple", "--optimizers", ""], "needs a PROBLEM and --optimizers"),
        (["reproduce", "imagenet"], "invalid choice.*quadratic"),
        pytest.param(
            ["compare", "simple", "--optimizers", "sgd", "--json", "/dev/null/r.json"],
            "cannot write /dev/null/r.json",
            marks=UNIX,
        ),
        pytest.param(["train", "simple", "--out", "/dev/null/x"], "cannot write /dev/null/x", marks=UNIX),
    ],
)
def test_bad_input_is_one_line_that_names_the_fix(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert re.search(message, error_of(arguments, capsys))
    assert list(tmp_path.iterdir()) == []


def test_damaged_optimizer_file_is_one_line(tmp_path, capsys):
    path, optimizer = tmp_path / "o.npz", l2l.make_optimizer("adam")
    l2l.save(path, optimizer, optimizer.init())
    path.write_bytes(path.read_bytes()[:200])
    assert "damaged" in error_of(["compare", "simple", "--optimizers", f"x={path}"], capsys)


def test_diverging_training_keeps_what_it_had(tmp_path, capsys):
    arguments = ["train", "simple", "--optimizer", "linear", "--meta-learning-rate", "1e9", "--unroll-length", "50"]
    arguments += ["--validate-every", "4", "--out", str(tmp_path)]
    assert "lower the meta learning rate" in error_of(arguments, capsys, 1)
    optimizer, phi = l2l.load(tmp_path / "optimizer.npz")
    assert phi["w"] == optimizer.initial
    history = json.loads((tmp_path / "log.json").read_text())["history"]
    assert [record["skipped"] for record in history[-10:]] == [1] * 10
    capsys.readouterr()
    assert main(["doctor", str(tmp_path)]) == 0
    assert "losses or gradients that are not finite" in capsys.readouterr().out
