"""Two commands in one folder: the second is refused, as long as the first one runs."""

import shutil

import pytest

from l2l import files
from l2l.__main__ import main
from l2l.cli import commands
from l2l.experiments import EXPERIMENTS, Runner, reproduce, runner
from l2l.experiments.runner import Outcome
from l2l.storage import runs

DEMO = ["demo", "--episodes", "1", "--steps", "2", "--repeats", "1"]
TRAIN = ["train", "simple", "--optimizer", "sgd", "--episodes", "1", "--steps", "2"]
TINY = {"episodes": 1, "steps": 2, "unroll_length": 1, "validation_tasks": 1}


def refused(folder, capsys):
    """Whether a training is refused for another run in the folder."""
    capsys.readouterr()
    code = main([*TRAIN, "--overwrite", "--out", str(folder)])
    return code == 2 and f"another run is writing to {folder}: wait" in capsys.readouterr().err


@pytest.fixture
def asked(monkeypatch, capsys):
    """asked(module, name, folder): a list of whether a run in the folder is refused, whenever that function begins."""

    def ask(module, name, folder):
        answers, real = [], getattr(module, name)

        def asking(*arguments, **settings):
            with monkeypatch.context() as patch:
                patch.setattr(module, name, real)
                answers.append(refused(folder, capsys))
            return real(*arguments, **settings)

        monkeypatch.setattr(module, name, asking)
        return answers

    return ask


@pytest.mark.parametrize(
    ("module", "name"), [(files, "ensure_writable"), (commands, "compare"), (commands.plots, "curves")]
)
def test_demo_has_its_folder_to_itself_from_its_first_look_to_its_last_file(module, name, asked, tmp_path):
    answers = asked(module, name, tmp_path)
    main([*DEMO, "--out", str(tmp_path)])
    assert answers == [True]
    assert main([*TRAIN, "--overwrite", "--out", str(tmp_path)]) == 0


def test_train_has_its_folder_to_itself_from_its_first_look(asked, tmp_path):
    answers = asked(files, "ensure_writable", tmp_path)
    assert main([*TRAIN, "--out", str(tmp_path)]) == 0
    assert answers == [True]


@pytest.fixture
def experiment(monkeypatch):
    """An experiment that learns one optimizer in its folder and one in a folder inside, and races nothing."""

    def run(settings, runner):
        recipe = {"problem": {"name": "simple"}, "lstm": {"hidden": [2]}, "training": TINY}
        recipe["search"] = {"seed": 0, "trials": 1, "lowest": 0.01, "highest": 0.1, "continue_at": 0.5, "training": {}}
        runner.learn(recipe, runner.out)
        runner.learn(recipe, runner.out / "another")
        return Outcome("table", [])

    monkeypatch.setitem(EXPERIMENTS, "quadratic", run)


@pytest.mark.parametrize(
    ("module", "name"),
    [(files, "ensure_writable"), (runner, "train_with_bar"), (runs, "meta_train"), (Runner, "clean_up")],
)
def test_experiment_has_its_folder_to_itself_from_its_first_look_to_its_end(
    module, name, asked, experiment, tmp_path, monkeypatch
):
    answers = asked(module, name, tmp_path)
    reproduce("quadratic", tmp_path)
    assert answers
    assert all(answers)
    assert main([*TRAIN, "--overwrite", "--out", str(tmp_path)]) == 0


def test_experiment_is_refused_where_another_runs(experiment, tmp_path, capsys):
    with files.lock(tmp_path, ()):
        assert main(["reproduce", "quadratic", "--out", str(tmp_path)]) == 2
    assert "another run is writing to" in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {".lock"}


def test_training_of_an_experiment_in_a_folder_inside_is_refused_where_another_runs(experiment, tmp_path, capsys):
    with files.lock(tmp_path / "another", ()):
        assert main(["reproduce", "quadratic", "--out", str(tmp_path)]) == 2
    assert f"another run is writing to {tmp_path / 'another'}: wait" in capsys.readouterr().err


def test_demo_whose_folder_is_removed_while_it_races_writes_nothing(tmp_path, monkeypatch, capsys):
    race = commands.compare

    def removing(*arguments, **settings):
        shutil.rmtree(tmp_path / "run")
        return race(*arguments, **settings)

    monkeypatch.setattr(commands, "compare", removing)
    assert main([*DEMO, "--out", str(tmp_path / "run")]) == 1
    assert "run was removed while a run wrote to it" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
