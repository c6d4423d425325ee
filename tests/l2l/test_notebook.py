"""A figure of a meta-training that a notebook draws again and again."""

import sys

import pytest

from l2l import files, notebook
from l2l.errors import L2LError
from l2l.storage import logs


def record(episode, **numbers):
    about = {"meta_learning_rate": 0.25, "meta_gradient_norm": 0.5, "clipped": 3, "skipped": 0, "seconds": 2.0}
    return {"episode": episode, "train": float(episode), **about, **numbers}


HISTORY = [record(1), record(2, validation=7.0), record(3, train=None, meta_gradient_norm=None), record(4)]
BY_FAMILY = [
    record(1, families={"bowl": [-1.5, 2]}),
    record(2, families={"bowl": [None, 1], "flat": [0.5, 1]}, validation=-0.5),
]


def write(folder, history, **training):
    training = {"episodes": 4, "steps": 10, "unroll_length": 4, "tasks": 2, **training}
    files.write_json(folder / "log.json", {"training": training, "untrained": {"validation": 9.0}})
    files.write_lines(folder / "log.jsonl", history)
    return folder


def drawn(folder):
    """{label of the axis: {label of a line: points (episode, number)}} of the training whose logs are in the folder."""
    axes = notebook.figure(logs.read(folder), "title").axes
    return {ax.get_ylabel(): {line.get_label(): line.get_xydata().tolist() for line in ax.lines} for ax in axes}


def test_every_number_that_is_known_is_drawn_at_its_episode(tmp_path):
    assert drawn(write(tmp_path, HISTORY)) == {
        "summed loss": {"train": [[1, 1], [2, 2], [4, 4]], "validation": [[0, 9], [2, 7]]},
        "norm of a meta-gradient, mean": {"meta_gradient_norm": [[1, 0.5], [2, 0.5], [4, 0.5]]},
        "share of clipped meta-gradients": {"clipped": [[1, 0.5], [2, 0.5], [3, 0.5], [4, 0.5]]},
        "meta learning rate": {"meta_learning_rate": [[1, 0.25], [2, 0.25], [3, 0.25], [4, 0.25]]},
    }


def test_families_have_a_panel_and_validations_which_are_log_ratios_then_one_of_their_own(tmp_path):
    panels = drawn(write(tmp_path, BY_FAMILY))
    assert len(panels) == 6
    assert panels["summed loss"] == {"train": [[1, 1], [2, 2]]}
    assert panels["mean log(validation loss / first loss)"] == {"validation": [[0, 9], [2, -0.5]]}
    assert panels["log(last loss / first loss)"] == {"bowl": [[1, -1.5]], "flat": [[2, 0.5]]}


def test_clipped_are_counted_where_the_number_of_unrolls_is_drawn(tmp_path):
    panels = drawn(write(tmp_path, HISTORY[:1], horizon=[5, 50]))
    assert panels["clipped meta-gradients in an episode"] == {"clipped": [[1, 3]]}


def test_many_episodes_are_drawn_with_their_running_mean(tmp_path):
    panel = notebook.figure(logs.read(write(tmp_path, [record(k) for k in range(1, 26)])), "title").axes[0]
    points, mean, _ = (line.get_xydata().tolist() for line in panel.lines)
    assert points == [[k, k] for k in range(1, 26)]
    assert mean == [[k, k - 0.5] for k in range(2, 26)]


def test_training_without_an_episode_can_be_drawn(tmp_path):
    assert drawn(write(tmp_path, []))["summed loss"] == {"validation": [[0, 9]]}


def test_notebook_redraws_until_the_training_is_finished(tmp_path, monkeypatch):
    display = pytest.importorskip("IPython.display")
    done, waited = [], []

    def sleep(seconds):
        waited.append(seconds)
        write(tmp_path, HISTORY)

    monkeypatch.setattr(notebook.time, "sleep", sleep)
    monkeypatch.setattr(display, "clear_output", lambda wait: done.append("clear"))
    monkeypatch.setattr(display, "display", lambda image: done.append(image.data[:4]))
    write(tmp_path, HISTORY[:3])
    notebook.watch(tmp_path, every=7)
    assert waited == [7]
    assert done == ["clear", b"\x89PNG"] * 2


def test_without_ipython_the_command_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython.display", None)
    with pytest.raises(L2LError, match="python -m l2l watch"):
        notebook.watch(write(tmp_path, HISTORY))
