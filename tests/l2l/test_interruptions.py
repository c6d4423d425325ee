"""Ctrl-C, whenever it comes, and in whose program; and SIGTERM, which schedulers and containers send."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import l2l
from l2l.cli.entry import interrupt
from tests.conftest import UNIX

pytestmark = UNIX

ROOT = Path(__file__).parents[2]
PRESSED = "import os, signal; os.kill(os.getpid(), signal.SIGINT)"


def run(*arguments, path=ROOT):
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{path}{os.pathsep}{ROOT}", "MINIGRAD_NUMBA": "0"},
        capture_output=True,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # jobs in the background inherit its being off
    )


def test_program_that_imports_l2l_meets_its_own_interruptions(tmp_path):
    (tmp_path / "host").mkdir()
    (tmp_path / "host" / "__init__.py").write_text("import l2l")
    (tmp_path / "host" / "__main__.py").write_text(
        f"try:\n    {PRESSED}\nexcept KeyboardInterrupt:\n    print('met')\nfinally:\n    print('tidied up')\n"
    )
    done = run("-m", "host", path=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "met\ntidied up\n", "")


@pytest.mark.parametrize("file", ["host/__init__.py", "host.py"])
def test_program_meets_an_interruption_of_the_import_of_l2l(file, tmp_path):
    (tmp_path / "pooch.py").write_text(PRESSED)
    (tmp_path / "host").mkdir()
    (tmp_path / "host" / "__main__.py").write_text("")
    (tmp_path / file).write_text("try:\n    import l2l\nexcept KeyboardInterrupt:\n    print('met')")
    call = ["-m", "host"] if file == "host/__init__.py" else [str(tmp_path / file)]
    done = run(*call, path=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "met\n", "")


@pytest.mark.parametrize("library", ["pooch", "matplotlib"])  # of the package, and of its main module
def test_interruption_while_libraries_are_loaded_shows_no_traceback(library, tmp_path):
    (tmp_path / f"{library}.py").write_text(PRESSED)
    done = run("-m", "l2l", "problems", path=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_interruption_while_the_parser_is_built_shows_no_traceback(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import argparse, os, signal\n"
        "argparse.ArgumentParser.add_subparsers = lambda *_, **__: os.kill(os.getpid(), signal.SIGINT)"
    )
    done = run("-m", "l2l", "problems", path=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "l2l: interrupted\n")


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


@pytest.mark.parametrize(
    ("number", "code", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_stopped_training_keeps_the_best_and_says_how_to_resume(number, code, word, tmp_path):
    out = tmp_path / "run"
    command = [sys.executable, "-m", "l2l", "train", "simple", "--optimizer", "sgd", "--steps", "4"]
    process = subprocess.Popen(
        [*command, "--episodes", "100000", "--out", str(out)],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # jobs in the background inherit its being off
    )
    deadline = time.monotonic() + 60
    while not (out / "checkpoint.npz").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code
    assert f"the best optimizer so far is in {out / 'optimizer.npz'}" in errors
    assert f"train --resume {out}` goes on from there" in errors
    assert errors.endswith(f"l2l: {word}\n")
    assert "Traceback" not in errors
    l2l.load(out / "optimizer.npz")
