"""Meta-trainings that end early, in whatever way, and go on as if they had not."""

import contextlib
import errno
import json
import os
import re
import shutil

import numpy as np
import pytest

import l2l
import minigrad as mg
from l2l import files
from l2l.__main__ import main
from l2l.errors import DivergenceError, L2LError, OptimizerFileError
from l2l.meta_training import loop, unrolls
from l2l.optimizers import LSTM, Adam, Groups, KernelLSTM, make_optimizer
from l2l.problems import MNIST, Ensemble, MNISTConv, Quadratic, Simple
from l2l.storage import archive, checkpoint, runs
from tests.conftest import UNIX
from tests.l2l import killed

SMALL = {"episodes": 9, "steps": 6, "unroll_length": 3, "validate_every": 2, "validation_tasks": 1}
CALL = ["train", "quadratic", "--dimension", "3", "--functions", "2", "--optimizer", "lstm:hidden=3-2"]
CALL += [
    "--episodes",
    "12",
    "--steps",
    "6",
    "--unroll-length",
    "3",
    "--validate-every",
    "3",
    "--decay",
    "0.1",
    "--overwrite",
]


def without_seconds(history):
    return [{**record, "seconds": None} for record in history]


def bits(*trees):
    return [(leaf.dtype, leaf.shape, leaf.tobytes()) for leaf in map(np.asarray, mg.tree.flatten(list(trees))[0])]


def outcome(folder):
    """All that a meta-training leaves in its folder, but for the seconds it took."""
    header, arrays = archive.read(folder / "checkpoint.npz", checkpoint.CHECKPOINT_FORMAT)
    header["state"]["history"] = without_seconds(header["state"]["history"])
    log = json.loads((folder / "log.json").read_text())
    assert [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()] == log["history"]
    log["history"] = without_seconds(log["history"])
    return header, list(arrays), bits(arrays), log, (folder / "optimizer.npz").read_bytes()


@pytest.fixture(scope="module")
def at_once(tmp_path_factory):
    """The outcome of CALL without an interruption."""
    folder = tmp_path_factory.mktemp("at_once")
    assert main([*CALL, "--out", str(folder)]) == 0
    return outcome(folder)


# ------------------------------------------------------------------------------------------ in one process


@pytest.mark.parametrize(
    ("problem", "optimizer"),
    [
        (Quadratic(dimension=3, functions=2), LSTM(hidden=(3,))),
        (Quadratic(dimension=3, functions=2), make_optimizer("adam")),
        (MNIST(hidden=2, batch=4), LSTM(hidden=(3,))),  # which draws minibatches
        (
            Ensemble({"a": Simple(), "b": MNISTConv(channels=(2,), hidden=2, batch=4)}),
            Groups({"a": Adam(), "b.conv": KernelLSTM(hidden=(3,)), "b.rest": LSTM(hidden=(3,))}),
        ),
    ],
    ids=["lstm", "adam", "minibatches", "groups"],
)
def test_training_goes_on_from_any_episode_to_the_same_bits(problem, optimizer, tmp_path):
    states = []
    whole = l2l.train(problem, optimizer, report=states.append, decay=0.1, **SMALL)
    for state in states:
        checkpoint.save_training(tmp_path / "c.npz", problem, optimizer, state, {"a": 1})
        again = checkpoint.load_training(tmp_path / "c.npz")
        assert (again[0], again[1], again[3]) == (problem, optimizer, {"a": 1})
        resumed = l2l.train(problem, optimizer, resume=again[2])
        assert without_seconds(resumed.history) == without_seconds(whole.history)
        assert resumed.history[: len(state.history)] == state.history
        for name in ("phi", "latest", "initial", "meta_state"):
            assert bits(getattr(resumed, name)) == bits(getattr(whole, name)), name
        for name in ("best", "best_episode", "meta_steps", "untrained", "settings"):
            assert getattr(resumed, name) == getattr(whole, name), name


def test_report_gets_a_state_that_does_not_change_later():
    states, counts = [], []

    def report(training):
        states.append(training)
        counts.append((len(training.history), training.meta_steps))

    l2l.train(Quadratic(dimension=3, functions=2), LSTM(hidden=(3,)), report=report, **SMALL)
    assert [(len(training.history), training.meta_steps) for training in states] == counts


def test_patience_counts_on_over_an_interruption():
    problem, optimizer, states = Quadratic(dimension=3, functions=2), make_optimizer("sgd", learning_rate=0.1), []
    settings = {**SMALL, "episodes": 50, "meta_learning_rate": 1.0, "patience": 3}
    whole = l2l.train(problem, optimizer, report=states.append, **settings)
    assert len(whole.history) < 50
    for state in states[-4:]:
        assert len(l2l.train(problem, optimizer, resume=state).history) == len(whole.history)


def test_skipped_episodes_count_on_over_an_interruption(monkeypatch):
    problem, optimizer, states = Quadratic(dimension=3, functions=2), make_optimizer("linear", initial=1e30), []
    settings = {**SMALL, "episodes": 30}
    with pytest.raises(DivergenceError, match="10 episodes in a row"):
        l2l.train(problem, optimizer, report=states.append, **settings)
    monkeypatch.setattr(loop, "MOST_SKIPPED", 12)
    with pytest.raises(DivergenceError, match=r"12 episodes in a row.*episode 12"):
        l2l.train(problem, optimizer, resume=states[7])


def test_resumed_training_keeps_its_settings():
    states = []
    problem, optimizer = Quadratic(dimension=3, functions=2), make_optimizer("sgd")
    l2l.train(problem, optimizer, report=states.append, **SMALL)
    for more in ({"episodes": 20}, {"phi": optimizer.init()}):
        with pytest.raises(L2LError, match="give resume alone"):
            l2l.train(problem, optimizer, resume=states[0], **more)


def test_training_on_other_data_than_before_is_refused(tmp_path, monkeypatch):
    state = l2l.train(MNIST(hidden=2), make_optimizer("sgd"), **{**SMALL, "episodes": 1})
    checkpoint.save_training(tmp_path / "c.npz", MNIST(hidden=2), make_optimizer("sgd"), state, {})
    monkeypatch.setattr(MNIST, "data", "other digits")
    with pytest.raises(
        OptimizerFileError, match=r"trained on MNIST from L2L_DATA.*are now other ones, other digits: set L2L_DATA"
    ):
        checkpoint.load_training(tmp_path / "c.npz")


# ------------------------------------------------------------------------------------------ from the command line


def error_of(arguments, code, capsys):
    """The one line on standard error of a call that must exit with that code."""
    capsys.readouterr()
    assert main(list(map(str, arguments))) == code
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("l2l: ")]
    return line


@contextlib.contextmanager
def failing(monkeypatch, episode, act):
    """Within this context act() is called when the task of an episode is drawn."""
    draw = unrolls.draw_task

    def drawn(problem, split, seed, index):
        if (split, index) == ("train", episode):
            act()
        return draw(problem, split, seed, index)

    with monkeypatch.context() as patch:
        patch.setattr(unrolls, "draw_task", drawn)
        yield


def interrupt():
    raise KeyboardInterrupt


@pytest.fixture
def interrupted(tmp_path, monkeypatch):
    """The folder of CALL, interrupted in episode 6."""
    with failing(monkeypatch, 6, interrupt):
        assert main([*CALL, "--out", str(tmp_path / "run")]) == 130
    return tmp_path / "run"


def test_interrupted_training_says_how_to_go_on_and_loses_no_finished_episode(capsys, interrupted, at_once):
    assert f"`python -m l2l train --resume {interrupted}` goes on" in capsys.readouterr().err
    assert len(checkpoint.load_training(interrupted / "checkpoint.npz")[2].history) == 5
    assert main(["train", "--resume", str(interrupted)]) == 0
    assert "going on after episode 5 of 12" in capsys.readouterr().out
    assert outcome(interrupted) == at_once


def test_interruption_during_a_validation_keeps_the_episode_before(tmp_path, monkeypatch, at_once):
    measure, calls = loop.measure, []

    def interrupting(*arguments):
        calls.append(arguments)
        return interrupt() if len(calls) == 3 else measure(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "measure", interrupting)
        assert main([*CALL, "--out", str(tmp_path)]) == 130
    assert len(checkpoint.load_training(tmp_path / "checkpoint.npz")[2].history) == 5
    assert main(["train", "--resume", str(tmp_path)]) == 0
    assert outcome(tmp_path) == at_once


def test_checkpoint_is_written_at_intervals_and_at_every_new_best(tmp_path, monkeypatch):
    written, save = [], checkpoint.save_training

    def spy(path, problem, optimizer, training, notes):
        written.append(len(training.history))
        save(path, problem, optimizer, training, notes)

    monkeypatch.setattr(checkpoint, "save_training", spy)
    main([*CALL, "--out", str(tmp_path / "a")])
    log = json.loads((tmp_path / "a" / "log.json").read_text())
    losses = {0: log["untrained"]["validation"], **{r["episode"]: r.get("validation") for r in log["history"]}}
    losses = {episode: loss for episode, loss in losses.items() if loss is not None}
    bests = [episode for episode in losses if losses[episode] == min(v for e, v in losses.items() if e <= episode)]
    assert 2 < len(bests) < len(losses)
    assert written == sorted({*bests, 12})
    written.clear()
    monkeypatch.setattr(runs, "INTERVAL", 0.0)
    main([*CALL, "--out", str(tmp_path / "b")])
    assert written == list(range(13))


def test_nothing_to_resume_is_one_line(tmp_path, capsys):
    assert "has no checkpoint.npz: begin with" in error_of(["train", "--resume", tmp_path / "none"], 2, capsys)
    assert list(tmp_path.iterdir()) == []


def test_finished_training_is_not_resumed(tmp_path, capsys):
    main([*CALL, "--out", str(tmp_path)])
    before = (tmp_path / "checkpoint.npz").read_bytes()
    line = error_of(["train", "--resume", tmp_path], 2, capsys)
    assert f"is finished, after episode 12 of 12: the optimizer is in {tmp_path}/optimizer.npz" in line
    assert (tmp_path / "checkpoint.npz").read_bytes() == before


def test_training_that_diverged_says_so_again(tmp_path, capsys):
    call = ["train", "simple", "--optimizer", "linear:initial=1e30", "--episodes", "20", "--out", tmp_path]
    assert "10 episodes in a row" in error_of(call, 1, capsys)
    assert "10 episodes in a row, the last being episode 10" in error_of(["train", "--resume", tmp_path], 1, capsys)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train"], "train needs a PROBLEM.*quadratic.*or --resume DIR"),
        (["train", "quadratic", "--resume", "x"], "leave out all other options"),
        (["train", "--resume", "x", "quadratic"], "leave out all other options"),
    ],
)
def test_either_a_problem_or_a_folder_to_resume(arguments, message, capsys):
    assert re.search(message, error_of(arguments, 2, capsys))


def test_inspect_shows_how_far_a_training_is(interrupted, capsys):
    assert main(["inspect", str(interrupted / "checkpoint.npz")]) == 0
    printed = capsys.readouterr().out
    assert "a meta-training after episode 5 of 12, 10 meta-steps" in printed
    assert re.search(r"^training +episodes=12 tasks=1 steps=6 .*unroll_length=3", printed, re.MULTILINE)
    assert re.search(r"^problem +name=quadratic dimension=3", printed, re.MULTILINE)


def test_damaged_checkpoint_is_one_line(interrupted, capsys):
    (interrupted / "checkpoint.npz").write_bytes(b"PK")
    assert "checkpoint.npz is damaged or not a checkpoint" in error_of(["train", "--resume", interrupted], 2, capsys)


# ------------------------------------------------------------------------------------------ what is left in the folder


def test_what_a_killed_run_left_is_removed_and_nothing_else(interrupted):
    stale = [".checkpoint.npz.ab12.tmp", ".log.json.x.tmp", ".optimizer.npz.x.tmp"]
    others = [".other.npz.ab12.tmp", "checkpoint.npz.tmp", ".checkpoint.npz.swp", "notes.txt"]
    for name in stale + others:
        (interrupted / name).write_text("half")
    assert main(["train", "--resume", str(interrupted)]) == 0
    assert {path.name for path in interrupted.iterdir()} == {".lock", *runs.FILES, *others}


# ------------------------------------------------------------------------------------------ disks and neighbours


def test_second_run_in_the_same_folder_is_refused(interrupted, capsys):
    before = {path.name: path.read_bytes() for path in interrupted.iterdir()}
    with files.lock(interrupted, ()):
        for call in (["train", "--resume", interrupted], [*CALL, "--out", interrupted]):
            assert f"another run is writing to {interrupted}: wait" in error_of(call, 2, capsys)
    assert {path.name: path.read_bytes() for path in interrupted.iterdir()} == before
    assert main(["train", "--resume", str(interrupted)]) == 0


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES])
@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_failed_write_ends_the_run_and_leaves_the_last_checkpoint(tmp_path, monkeypatch, capsys, at_once, step, number):
    def fail(*arguments):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(runs, "INTERVAL", 0.0)
    with monkeypatch.context() as patch, failing(patch, 5, lambda: patch.setattr(os, step, fail)):
        line = error_of([*CALL, "--out", tmp_path], 1, capsys)
    assert f"cannot write {tmp_path}/optimizer.npz ({os.strerror(number)})" in line
    assert {path.name for path in tmp_path.iterdir()} == {".lock", *runs.FILES}
    assert len(checkpoint.load_training(tmp_path / "checkpoint.npz")[2].history) == 4
    assert main(["train", "--resume", str(tmp_path)]) == 0
    assert outcome(tmp_path) == at_once


def test_full_disk_ends_the_run_and_leaves_the_last_checkpoint(interrupted, at_once):
    resource = pytest.importorskip("resource", reason="needs Unix, which limits the size of files")
    before = (interrupted / "checkpoint.npz").read_bytes()
    most = len(before) - 1  # enough for the other files

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    done = killed.run("never", ["train", "--resume", interrupted], preexec_fn=limit)
    assert done.returncode == 1
    assert f"l2l: cannot write {interrupted}/checkpoint.npz (File too large)" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert (interrupted / "checkpoint.npz").read_bytes() == before
    assert main(["train", "--resume", str(interrupted)]) == 0
    assert outcome(interrupted) == at_once


@UNIX
def test_place_that_cannot_be_written_is_refused_before_the_work(interrupted, capsys, monkeypatch):
    assert "cannot write /proc/none" in error_of([*CALL, "--out", "/proc/none"], 2, capsys)

    def fail(*arguments, **options):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(files.FileLock, "acquire", fail)
    line = error_of(["train", "--resume", interrupted], 2, capsys)
    assert f"cannot write {interrupted} (Read-only file system)" in line


@pytest.mark.parametrize("again", [False, True], ids=["gone", "made again by another run"])
def test_folder_that_is_removed_under_a_run_ends_it(tmp_path, monkeypatch, capsys, again):
    folder = tmp_path / "run"

    def remove():
        shutil.rmtree(folder)
        if again:
            with files.lock(folder, ()):
                pass

    monkeypatch.setattr(runs, "INTERVAL", 0.0)
    with failing(monkeypatch, 4, remove):
        assert f"{folder} was removed while a run wrote to it" in error_of([*CALL, "--out", folder], 1, capsys)
    assert [path.name for path in tmp_path.rglob("*")] == (["run", ".lock"] if again else [])
