"""What `-h` and the lists show: they are made from the fields of dataclasses, so each setting is declared once."""

import dataclasses
import re

import pytest

import l2l
from l2l.__main__ import main
from l2l.cli.commands import COMMANDS
from l2l.meta_training.state import Settings
from l2l.optimizers import OPTIMIZERS
from l2l.problems import PROBLEMS

SETTINGS = [
    pytest.param(field, id=f"{cls.__name__}.{field.name}")
    for cls in [*COMMANDS.values(), Settings, *PROBLEMS.values(), *OPTIMIZERS.values()]
    for field in dataclasses.fields(cls)
]


def help_of(arguments, capsys):
    """The words of `-h`, with one space between them."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as exit:
        main([*arguments, "-h"])
    assert exit.value.code == 0
    return " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("field", SETTINGS)
def test_every_setting_has_a_line_of_help(field):
    assert len(field.metadata["help"]) > 2


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_names_each_of_its_settings(command, capsys):
    text = help_of([command], capsys)
    for field in dataclasses.fields(COMMANDS[command]):
        assert field.metadata["help"] in text


def test_help_of_training_shows_the_settings_of_meta_training_without_a_problem(capsys):
    text = help_of(["train"], capsys)
    for field in dataclasses.fields(Settings):
        assert f"--{field.name.replace('_', '-')}" in text
        assert field.metadata["help"] in text


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("command", ["train", "compare"])
def test_help_with_a_problem_shows_its_settings(command, problem, capsys):
    text = help_of([command, problem], capsys)
    for field in dataclasses.fields(PROBLEMS[problem]):
        assert field.metadata["help"] in text
    assert "MISSING" not in text


def test_help_shows_default_and_range(capsys):
    assert "--hidden N units of each hidden layer (at most 10,000; default 20)" in help_of(["train", "mnist"], capsys)
    assert "--labels N-N labels to tell apart (at most 9; default 0-1)" in help_of(["train", "cifar-2"], capsys)


def test_problem_may_stand_anywhere(capsys):
    assert "--hidden N" in help_of(["train", "--episodes", "3", "mnist"], capsys)


@pytest.mark.parametrize(("command", "registry"), [("problems", PROBLEMS), ("optimizers", OPTIMIZERS)])
def test_lists_have_a_line_for_each_setting(command, registry, capsys):
    assert main([command]) == 0
    blocks = re.split(r"\n(?=\S)", capsys.readouterr().out)
    for block, (name, cls) in zip(blocks, registry.items(), strict=True):
        assert block.startswith(f"{name} ")
        for field in dataclasses.fields(cls):
            assert re.search(rf"^    {field.name} +{re.escape(field.metadata['help'])}", block, re.MULTILINE)


def test_version_is_that_of_the_package(capsys):
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"l2l {l2l.__version__}\n"
