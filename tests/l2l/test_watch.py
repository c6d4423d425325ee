"""The log that a meta-training writes while it goes, and `python -m l2l watch`, which reads it."""

import errno
import json
import math
import os
import sys
from dataclasses import dataclass

import numpy as np
import pytest

import l2l
import minigrad as mg
from l2l import files
from l2l.__main__ import main
from l2l.cli import watching
from l2l.errors import L2LError, WriteError
from l2l.experiments import settings as experiments
from l2l.meta_training import loop
from l2l.meta_training.state import Trajectory
from l2l.optimizers import make_optimizer
from l2l.problems import PROBLEMS, Quadratic, Task, draw_task, family_of
from l2l.storage import checkpoint

PROBLEM, SGD = Quadratic(dimension=3, functions=2), make_optimizer("sgd", learning_rate=0.1)
SMALL = {"episodes": 6, "steps": 6, "unroll_length": 3, "validate_every": 2, "validation_tasks": 1}


def lines_of(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def stopping(episode):
    def report(training):
        if len(training.history) == episode:
            raise KeyboardInterrupt

    return report


@pytest.fixture
def stopped(tmp_path):
    """The folder of a run that was interrupted after episode 3."""
    with pytest.raises(KeyboardInterrupt):
        l2l.train(PROBLEM, SGD, out=tmp_path / "run", report=stopping(3), **SMALL)
    return tmp_path / "run"


# ------------------------------------------------------------------------------------------ the log in lines


def test_every_episode_appends_its_record(tmp_path):
    seen = []

    def report(training):
        assert lines_of(tmp_path) == training.history
        seen.append(len(checkpoint.load_training(tmp_path / "checkpoint.npz")[2].history))

    l2l.train(PROBLEM, SGD, out=tmp_path, report=report, meta_learning_rate=1.0, **SMALL)
    assert seen[1] == 0  # no checkpoint was written then
    assert lines_of(tmp_path) == json.loads((tmp_path / "log.json").read_text())["history"]


@pytest.mark.parametrize("left", [b'{"episode": 4}\n{"episode": 5}\n', b'{"epis', None], ids=["ahead", "half", "none"])
def test_resumed_run_continues_the_lines_from_its_checkpoint(stopped, left):
    if left is None:
        (stopped / "log.jsonl").unlink()
    else:
        with open(stopped / "log.jsonl", "ab") as file:
            file.write(left)
    training = l2l.resume(stopped)
    assert lines_of(stopped) == training.history
    assert [record["episode"] for record in training.history] == [1, 2, 3, 4, 5, 6]


def test_full_disk_while_appending_ends_the_run_and_loses_nothing(tmp_path, monkeypatch, capsys):
    def full(path, mode):
        if mode == "ab" and len(lines_of(tmp_path)) == 4:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return open(path, mode)

    with monkeypatch.context() as patch:
        patch.setattr(files, "open", full, raising=False)
        with pytest.raises(WriteError, match=r"cannot write .*log\.jsonl \(No space left on device\): choose"):
            l2l.train(PROBLEM, SGD, out=tmp_path, **SMALL)
    assert "goes on from there" in capsys.readouterr().err
    training = l2l.resume(tmp_path)
    assert len(training.history) == 6
    assert lines_of(tmp_path) == training.history


def test_lines_of_an_earlier_run_are_replaced_only_on_request(stopped):
    for name in ("optimizer.npz", "log.json", "checkpoint.npz"):
        (stopped / name).unlink()
    before = lines_of(stopped)
    with pytest.raises(L2LError, match=r"log\.jsonl is already there: add --overwrite"):
        l2l.train(PROBLEM, SGD, out=stopped, **SMALL)
    assert lines_of(stopped) == before
    training = l2l.train(PROBLEM, SGD, out=stopped, seed=1, overwrite=True, **SMALL)
    assert lines_of(stopped) == training.history


# ------------------------------------------------------------------------------------------ families


@dataclass(frozen=True)
class Mixed:
    """f(θ) = ‖θ‖² of the family "bowl", 1 of "flat" and 0 of "nothing"."""

    names: tuple[str, ...] = ("bowl", "flat")

    data = "random numbers"

    def draw_family(self, rng):
        return rng.choice(self.names)

    def sample(self, rng, split="train"):
        c, d = {"bowl": (1.0, 0.0), "flat": (0.0, 1.0), "nothing": (0.0, 0.0)}[self.draw_family(rng)]
        return Task(rng.standard_normal(2), lambda theta, batch: c * mg.sum(theta**2.0) + d)


def test_family_is_that_of_the_task_with_this_number():
    for number in range(20):
        task = draw_task(Mixed(), "train", 3, number)
        family = "flat" if task.loss(task.theta, None) == 1.0 else "bowl"
        assert family_of(Mixed(), "train", 3, number) == family


def test_record_tells_of_each_family_how_far_its_tasks_came():
    training = l2l.train(Mixed(), SGD, tasks=5, **SMALL)
    numbers = {"bowl": [], "flat": []}
    for record in training.history:
        for name, number in record["families"].items():
            numbers[name].append(number)
    assert training.drawn - 5 <= sum(count for rows in numbers.values() for _, count in rows) <= training.drawn
    assert max(count for rows in numbers.values() for _, count in rows) > 1
    assert {mean for mean, _ in numbers["flat"]} == {0.0}
    assert max(mean for mean, _ in numbers["bowl"]) < -0.5


def test_number_of_a_family_is_the_mean_of_log_ratios_of_last_and_first_loss():
    ended = [Trajectory(number, 2, losses=np.asarray([2.0, 2.0 * ratio])) for number, ratio in ((1, 0.5), (2, 0.125))]
    numbers = loop._families(Mixed(("bowl",)), 0, ended)
    np.testing.assert_allclose(numbers["families"]["bowl"], [(np.log(0.5) + np.log(0.125)) / 2, 2], rtol=1e-15)


def test_ratio_that_is_not_finite_is_none():
    training = l2l.train(Mixed(("nothing",)), SGD, **SMALL)
    assert [record["families"] for record in training.history] == [{"nothing": [None, 1]}] * 6


def test_record_of_a_problem_without_families_has_none():
    training = l2l.train(PROBLEM, SGD, **SMALL)
    assert not any("families" in record for record in training.history)


def test_families_are_resumed(tmp_path, monkeypatch):
    states = []
    whole = l2l.train(Mixed(), SGD, report=states.append, **SMALL)
    monkeypatch.setitem(PROBLEMS, "mixed", Mixed)
    checkpoint.save_training(tmp_path / "c.npz", Mixed(), SGD, states[3], {})
    resumed = l2l.train(Mixed(), SGD, resume=checkpoint.load_training(tmp_path / "c.npz")[2])
    assert [record["families"] for record in resumed.history] == [record["families"] for record in whole.history]


# ------------------------------------------------------------------------------------------ the command


def record(episode, **numbers):
    about = {"meta_learning_rate": 0.01, "meta_gradient_norm": 0.5, "clipped": 1, "skipped": 0, "seconds": 2.0}
    return {"episode": episode, "train": float(episode), **about, **numbers}


HISTORY = [
    record(1),
    record(2, validation=7.0),
    record(3, skipped=1, train=None),
    record(4, validation=5.5),
    record(5, meta_gradient_norm=None),
    record(6, validation=6.25, clipped=3),
    record(7, meta_gradient_norm=2.0),
    record(8, validation=None, seconds=4.0, meta_learning_rate=0.005),
]


def write(folder, history, extra=b"", **training):
    """The logs of a run with these records, written a moment ago."""
    notes = {"training": {"episodes": 3608, "steps": 10, "unroll_length": 4, **training}}
    files.write_json(folder / "log.json", {**notes, "untrained": {"validation": 9.0}, "history": []})
    files.write_lines(folder / "log.jsonl", history)
    with open(folder / "log.jsonl", "ab") as file:
        file.write(extra)


def test_watching_once_tells_how_a_run_is_doing(tmp_path, capsys):
    write(tmp_path, HISTORY, tasks=2)
    os.utime(tmp_path / "log.jsonl", (0, watching.time.time() - 65))
    assert main(["watch", str(tmp_path), "--once"]) == 0
    first, *others = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{tmp_path}: episode 8 of 3,608, about 3:00:00 left; last written 01:0")
    assert others == [
        "validation loss 9 untrained, 5.5 at best (episode 4), not finite at last (episode 8)",
        "meta-loss 7.5, before 5.5 (means over 2 episodes)",
        "norm of a meta-gradient 1.25; clipped 1 of 6 in an episode; skipped 1 in all; meta learning rate 0.005",
    ]


@pytest.mark.parametrize("settings", [{"horizon": [5, 50]}, {"curriculum": [5, 50], "patience": 9}], ids=str)
def test_share_of_clipped_is_not_told_where_the_number_of_unrolls_changes(settings, tmp_path, capsys):
    write(tmp_path, HISTORY, **settings)
    assert main(["watch", str(tmp_path), "--once"]) == 0
    assert "clipped 1 in an episode" in capsys.readouterr().out


def test_line_that_is_being_written_is_left_out(tmp_path, capsys):
    write(tmp_path, HISTORY[:3], b'{"episode": 4, "tra')
    assert main(["watch", str(tmp_path), "--once"]) == 0
    assert "episode 3 of 3,608" in capsys.readouterr().out


def test_run_without_an_episode_yet_is_told_of(tmp_path, capsys):
    write(tmp_path, [])
    assert main(["watch", str(tmp_path), "--once"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert "episode 0 of 3,608, begun; last written" in first
    assert second == "validation loss 9 untrained"


def test_every_family_has_a_line_with_the_mean_over_its_tasks(tmp_path, capsys):
    numbers = [{"a": [-1.0, 1]}, {"a": [-4.0, 1], "b": [None, 2]}, {"a": [-2.0, 1]}, {"a": [-4.0, 3], "b": [0.5, 1]}]
    history = [record(episode, families={}) for episode in range(1, 5)]
    history += [record(5 + k, families=families) for k, families in enumerate(numbers)]
    write(tmp_path, history)
    assert main(["watch", str(tmp_path), "--once"]) == 0
    assert capsys.readouterr().out.splitlines()[4:] == [
        "log(last loss / first loss) of each family, with the number of tasks",
        "  a                -3.5 (4), before -2.5 (2)",
        "  b                0.5 (1), before not finite (2)",
    ]


def test_validations_by_family_are_called_log_ratios(tmp_path, capsys):
    write(tmp_path, [record(1, families={"a": [-1.0, 1]}, validation=-0.5)])
    assert main(["watch", str(tmp_path), "--once"]) == 0
    wanted = "mean log(validation loss / first loss) 9 untrained, -0.5 at best (episode 1), -0.5 at last (episode 1)"
    assert capsys.readouterr().out.splitlines()[1] == wanted


def test_family_without_a_recent_task_is_said_to_have_none(tmp_path, capsys):
    numbers = [{"a": [-1.0, 1], "b": [None, 1]}, {"a": [-2.0, 1]}]
    write(tmp_path, [record(episode, families=families) for episode, families in enumerate(numbers * 2, 1)])
    assert main(["watch", str(tmp_path), "--once"]) == 0
    assert capsys.readouterr().out.splitlines()[5:] == [
        "  a                -2 (1), before -1 (1)",
        "  b                no task ended lately, before not finite (1)",
    ]


@pytest.mark.parametrize("settings", [{"episodes": 8}, {"patience": 2}, {"patience": 1, "curriculum": [5, 9]}], ids=str)
def test_watching_goes_on_until_the_training_is_finished(settings, tmp_path, capsys, monkeypatch):
    waited = []

    def sleep(seconds):
        waited.append(seconds)
        write(tmp_path, HISTORY[: 5 + len(waited)], **settings)

    monkeypatch.setattr(watching.time, "sleep", sleep)
    write(tmp_path, HISTORY[:5], **settings)
    assert main(["watch", str(tmp_path), "--every", "7"]) == 0
    printed = capsys.readouterr().out
    assert waited == [7, 7, 7]
    assert [f"episode {episode} of" in printed for episode in (4, 5, 6, 7, 8)] == [False, True, True, True, True]
    assert printed.count("finished") == 1
    assert "\x1b" not in printed


def test_interrupted_watching_is_one_line(tmp_path, capsys, monkeypatch):
    def sleep(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(watching.time, "sleep", sleep)
    write(tmp_path, HISTORY)
    assert main(["watch", str(tmp_path)]) == 130
    assert capsys.readouterr().err == "l2l: interrupted\n"


def test_terminal_shows_the_newest_lines_in_the_place_of_the_last(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(watching.time, "sleep", lambda seconds: write(tmp_path, HISTORY, episodes=8))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "50")
    write(tmp_path, HISTORY[:5], episodes=8)
    assert main(["watch", str(tmp_path)]) == 0
    first, second = capsys.readouterr().out.split("\x1b[4A\x1b[J")
    assert len(first.splitlines()) == 4
    assert max(map(len, (first + second).splitlines())) == 49


def test_what_a_terminal_would_obey_is_not_printed(tmp_path, capsys):
    write(tmp_path, [record(1, families={"\x1b[2J": [0.5, 1]})])
    assert main(["watch", str(tmp_path), "--once"]) == 0
    assert "\x1b" not in capsys.readouterr().out


def test_training_of_an_experiment_is_watched(tmp_path, capsys):
    recipe = {"training": experiments.load("quadratic", False)["training"]}
    files.write_json(tmp_path / "log.json", {"recipe": recipe, "untrained": {"validation": 9.0}, "history": []})
    files.write_lines(tmp_path / "log.jsonl", HISTORY)
    assert main(["watch", str(tmp_path), "--once"]) == 0
    assert f"episode 8 of {recipe['training']['episodes']:,}, about" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "content", "fix"),
    [
        ("log.json", None, "--out DIR"),
        ("log.jsonl", None, "--out DIR"),
        ("log.json", b"{", "train again"),
        ("log.json", b'{"training": {"episodes": "x"}}', "train again"),
        ("log.json", b"[" * 100_000, "train again"),
        ("log.jsonl", b"{\n", "train again"),
        ("log.jsonl", b"\xff\n", "train again"),
        ("log.jsonl", b'{"episode": 1}\n', "train again"),
        ("log.jsonl", b"[1]\n", "train again"),
        ("log.jsonl", json.dumps(record(1, seconds=math.nan)).encode() + b"\n", "train again"),
        ("log.jsonl", json.dumps(record(1, validation="7")).encode() + b"\n", "train again"),
        ("log.jsonl", json.dumps(record(1, families={"a": [0.5, 0]})).encode() + b"\n", "train again"),
    ],
)
def test_missing_or_damaged_log_is_one_line_that_names_the_fix(name, content, fix, tmp_path, capsys):
    write(tmp_path, HISTORY)
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert main(["watch", str(tmp_path), "--once"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("l2l: ")
    assert str(tmp_path / name) in line
    assert fix in line
