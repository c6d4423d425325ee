"""Event files that `python -m l2l watch` writes of a meta-training's logs, read by TensorBoard itself."""

import sys

import pytest

from l2l import files
from l2l.__main__ import main
from l2l.cli import watching


def record(episode, **numbers):
    about = {"meta_learning_rate": 0.25, "meta_gradient_norm": 0.5, "clipped": 1, "skipped": 0, "seconds": 2.0}
    return {"episode": episode, "train": float(episode), **about, **numbers}


HISTORY = [
    record(1, families={"bowl": [-1.5, 2]}),
    record(2, validation=7.0, families={"bowl": [None, 1], "flat": [0.0, 1]}),
    record(3, train=None, skipped=1),
    record(4, validation=5.5),
]


def write(folder, history, episodes=4):
    files.write_json(folder / "log.json", {"training": {"episodes": episodes}, "untrained": {"validation": 9.0}})
    files.write_lines(folder / "log.jsonl", history)


def scalars(folder):
    """{tag: [(step, value)]} of all event files in the folder."""
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder)).Reload()
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


@pytest.fixture
def watch(tmp_path):
    pytest.importorskip("tensorboard")
    return lambda *more: main(["watch", str(tmp_path), "--tensorboard", str(tmp_path / "events"), *more])


def test_tensorboard_shows_every_number_of_the_records_at_its_episode(tmp_path, watch):
    write(tmp_path, HISTORY)
    assert watch("--once") == 0
    assert scalars(tmp_path / "events") == {
        "train": [(1, 1.0), (2, 2.0), (4, 4.0)],
        "validation": [(0, 9.0), (2, 7.0), (4, 5.5)],
        "meta_gradient_norm": [(episode, 0.5) for episode in (1, 2, 3, 4)],
        "meta_learning_rate": [(episode, 0.25) for episode in (1, 2, 3, 4)],
        "clipped": [(episode, 1.0) for episode in (1, 2, 3, 4)],
        "skipped": [(1, 0.0), (2, 0.0), (3, 1.0), (4, 0.0)],
        "seconds": [(episode, 2.0) for episode in (1, 2, 3, 4)],
        "families/bowl": [(1, -1.5)],
        "families/flat": [(2, 0.0)],
    }


def test_event_file_grows_with_the_log(tmp_path, watch, monkeypatch):
    seen = []

    def sleep(seconds):
        seen.append(scalars(tmp_path / "events")["train"])
        write(tmp_path, HISTORY)

    monkeypatch.setattr(watching.time, "sleep", sleep)
    write(tmp_path, HISTORY[:2])
    assert watch() == 0
    assert seen == [[(1, 1.0), (2, 2.0)]]
    assert scalars(tmp_path / "events")["train"] == [(1, 1.0), (2, 2.0), (4, 4.0)]
    assert len(list((tmp_path / "events").iterdir())) == 1


def test_watching_again_shows_no_episode_twice(tmp_path, watch):
    write(tmp_path, HISTORY)
    assert [watch("--once"), watch("--once")] == [0, 0]
    assert scalars(tmp_path / "events")["meta_learning_rate"] == [(episode, 0.25) for episode in (1, 2, 3, 4)]


def test_log_that_begins_anew_takes_the_place_of_the_old_one(tmp_path, watch, monkeypatch):
    def sleep(seconds):
        write(tmp_path, [record(1, train=8.0)], episodes=1)

    monkeypatch.setattr(watching.time, "sleep", sleep)
    write(tmp_path, HISTORY[:3])
    assert watch() == 0
    assert scalars(tmp_path / "events")["train"] == [(1, 8.0)]


def test_missing_package_is_one_line_that_names_the_extra(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto", None)
    write(tmp_path, HISTORY)
    assert main(["watch", str(tmp_path), "--once", "--tensorboard", str(tmp_path / "events")]) == 2
    assert capsys.readouterr().err == "l2l: --tensorboard needs TensorBoard: pip install 'l2l[tensorboard]'\n"


def test_folder_that_cannot_be_written_is_one_line(tmp_path, capsys, watch):
    write(tmp_path, HISTORY)
    (tmp_path / "events").write_text("")
    assert watch("--once") != 0
    (line,) = capsys.readouterr().err.splitlines()
    assert str(tmp_path / "events") in line


def test_missing_run_leaves_no_event_file(tmp_path, watch):
    assert watch("--once") == 2
    assert not (tmp_path / "events").exists()
