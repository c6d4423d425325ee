"""`l2l.train` with a folder writes what the command writes, for `l2l.resume`, `doctor` and `inspect` to read."""

import dataclasses
import inspect
import json

import pytest

import l2l
import minigrad as mg
from l2l.__main__ import main
from l2l.errors import DivergenceError, L2LError
from l2l.meta_training.state import Settings
from l2l.optimizers import LSTM, make_optimizer
from l2l.problems import Quadratic
from l2l.registry import about
from l2l.storage import checkpoint, runs

PROBLEM, OPTIMIZER = Quadratic(dimension=3, functions=2), LSTM(hidden=(3,))
SMALL = {"episodes": 6, "steps": 6, "unroll_length": 3, "validate_every": 2, "validation_tasks": 1}


def phi_of(training):
    return mg.tree.ravel(training.latest)[0].tobytes()


def losses(training):
    return [(record["train"], record.get("validation")) for record in training.history]


def interrupting(episode):
    def report(training):
        if len(training.history) == episode:
            raise KeyboardInterrupt

    return report


def test_training_with_a_folder_has_the_bits_of_one_without(tmp_path):
    saved, plain = l2l.train(PROBLEM, OPTIMIZER, out=tmp_path, **SMALL), l2l.train(PROBLEM, OPTIMIZER, **SMALL)
    assert phi_of(saved) == phi_of(plain)
    assert losses(saved) == losses(plain)


def test_files_are_those_of_the_command(tmp_path, capsys):
    training = l2l.train(PROBLEM, OPTIMIZER, episodes=2, steps=6, out=tmp_path / "a")
    call = ["train", "quadratic", "--dimension", "3", "--functions", "2", "--optimizer", "lstm:hidden=3"]
    assert main([*call, "--episodes", "2", "--steps", "6", "--out", str(tmp_path / "b")]) == 0
    names = [sorted(path.name for path in (tmp_path / folder).iterdir()) for folder in "ab"]
    assert names[0] == names[1] == sorted([".lock", *runs.FILES])
    mine, theirs = (json.loads((tmp_path / folder / "log.json").read_text()) for folder in "ab")
    assert mine.keys() == theirs.keys()
    header, theirs = (checkpoint.read(tmp_path / folder / "optimizer.npz")[0] for folder in "ab")
    assert header["notes"].keys() == theirs["notes"].keys()
    optimizer, phi = l2l.load(tmp_path / "a" / "optimizer.npz")
    assert optimizer == OPTIMIZER
    assert mg.tree.ravel(phi)[0].tobytes() == mg.tree.ravel(training.phi)[0].tobytes()


def test_doctor_and_inspect_read_the_folder(tmp_path, capsys):
    l2l.train(PROBLEM, OPTIMIZER, out=tmp_path, **SMALL)
    assert main(["doctor", str(tmp_path)]) == 0
    assert main(["inspect", str(tmp_path / "checkpoint.npz")]) == 0
    assert main(["inspect", str(tmp_path / "optimizer.npz")]) == 0
    assert "6 of 6" in capsys.readouterr().out


def test_interrupted_training_resumes_to_the_same_bits(tmp_path, capsys):
    whole = l2l.train(PROBLEM, OPTIMIZER, **SMALL)
    with pytest.raises(KeyboardInterrupt):
        l2l.train(PROBLEM, OPTIMIZER, out=tmp_path, report=interrupting(3), **SMALL)
    assert f"`l2l.resume({str(tmp_path)!r})` goes on from there" in capsys.readouterr().err
    seen = []
    resumed = l2l.resume(tmp_path, report=lambda training: seen.append(len(training.history)))
    assert seen == [3, 4, 5, 6]
    assert phi_of(resumed) == phi_of(whole)
    assert losses(resumed) == losses(whole)
    assert capsys.readouterr() == ("", "")


def test_command_resumes_what_python_began(tmp_path, capsys):
    with pytest.raises(KeyboardInterrupt):
        l2l.train(PROBLEM, OPTIMIZER, out=tmp_path, report=interrupting(3), **SMALL)
    assert main(["train", "--resume", str(tmp_path)]) == 0
    assert "going on after episode 3 of 6" in capsys.readouterr().out


def test_weights_of_the_meta_loss_count_on_over_an_interruption(tmp_path, capsys):
    whole = l2l.train(PROBLEM, OPTIMIZER, weights="last", **SMALL)
    assert phi_of(whole) != phi_of(l2l.train(PROBLEM, OPTIMIZER, **SMALL))
    with pytest.raises(KeyboardInterrupt):
        l2l.train(PROBLEM, OPTIMIZER, out=tmp_path, weights="last", report=interrupting(3), **SMALL)
    resumed = l2l.resume(tmp_path)
    assert resumed.settings.weights == "last"
    assert phi_of(resumed) == phi_of(whole)


def test_training_in_memory_is_continued_into_a_folder(tmp_path):
    states = []
    whole = l2l.train(PROBLEM, OPTIMIZER, report=states.append, **SMALL)
    resumed = l2l.train(PROBLEM, OPTIMIZER, resume=states[3], out=tmp_path)
    assert phi_of(resumed) == phi_of(whole)
    notes = checkpoint.load_training(tmp_path / "checkpoint.npz")[3]
    assert {**notes["training"], "seed": notes["seed"]} == dataclasses.asdict(whole.settings)


def test_folder_in_place_of_a_training_is_named_with_the_fix(tmp_path):
    with pytest.raises(L2LError, match=r"resume is a Training, not .*: l2l\.resume\(DIR\) continues one"):
        l2l.train(PROBLEM, OPTIMIZER, resume=str(tmp_path))


def test_earlier_files_are_replaced_only_on_request(tmp_path):
    l2l.train(PROBLEM, OPTIMIZER, out=tmp_path, **SMALL)
    before = (tmp_path / "optimizer.npz").read_bytes()
    with pytest.raises(L2LError, match=r"optimizer\.npz is already there"):
        l2l.train(PROBLEM, OPTIMIZER, out=tmp_path, seed=1, **SMALL)
    assert (tmp_path / "optimizer.npz").read_bytes() == before
    l2l.train(PROBLEM, OPTIMIZER, out=tmp_path, seed=1, overwrite=True, **SMALL)
    assert (tmp_path / "optimizer.npz").read_bytes() != before


def test_divergence_leaves_the_files(tmp_path):
    with pytest.raises(DivergenceError):
        l2l.train(PROBLEM, make_optimizer("linear", initial=1e30), out=tmp_path, **SMALL)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([".lock", *runs.FILES])


class Nameless(Quadratic):
    pass


class NamelessRule(type(make_optimizer("sgd"))):
    pass


@pytest.mark.parametrize(
    ("problem", "optimizer"), [(Nameless(), make_optimizer("sgd")), (PROBLEM, NamelessRule())], ids=["problem", "rule"]
)
def test_what_could_not_be_loaded_again_is_refused_before_the_work(problem, optimizer, tmp_path):
    with pytest.raises(L2LError, match="Nameless"):
        l2l.train(problem, optimizer, out=tmp_path / "run", **SMALL)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("out", [False, True], ids=["in memory", "with files"])
def test_bar_is_shown_where_asked_for(out, tmp_path, capsys):
    files = {"out": tmp_path, "overwrite": True} if out else {}
    l2l.train(PROBLEM, OPTIMIZER, **files, **SMALL)
    assert capsys.readouterr() == ("", "")
    l2l.train(PROBLEM, OPTIMIZER, progress=True, **files, **SMALL)
    assert "meta-training: 100%" in capsys.readouterr().err


def test_help_lists_every_setting_with_its_line_of_help():
    lines = [line.split(maxsplit=1) for line in inspect.getdoc(l2l.train).splitlines()]
    for field in dataclasses.fields(Settings):
        assert [field.name, about(field)] in lines
