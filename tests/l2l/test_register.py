"""Rules and problems from outside the package: once registered, everything knows them."""

import importlib
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import l2l
from l2l.__main__ import main
from l2l.errors import L2LError, OptimizerFileError
from l2l.optimizers import OPTIMIZERS
from l2l.problems import PROBLEMS, Simple
from l2l.registry import Checked, setting
from l2l.storage import checkpoint

ROOT = Path(__file__).parents[2]
MODULE = '''
from dataclasses import dataclass
import numpy as np
import l2l
import minigrad as mg
from l2l.problems import Task

@dataclass(frozen=True)
class Shifted:
    """SGD with settings whose defaults are of another kind than their values."""
    learning_rate: float = 1
    shift: float = -0.5
    boost: float = 1

    def init(self, rng=None):
        return {"log_learning_rate": np.log(np.float64(self.learning_rate * self.boost))}

    def init_state(self, theta):
        return {}

    def __call__(self, phi, grad, state):
        return -mg.exp(phi["log_learning_rate"]) * (grad + self.shift), state

@dataclass(frozen=True)
class Bowl:
    """f(θ) = (θ − centre)²."""
    centre: float = 2
    seed: int = 0
    wide: bool = True
    data = "nothing"

    def sample(self, rng, split="train"):
        return Task(rng.normal(size=3), lambda theta, batch: mg.sum(mg.square(theta - self.centre)))

l2l.register("shifted", Shifted)
l2l.register("my-bowl", Bowl)
'''
TRAIN = ["train", "my-bowl", "--import", "own_module", "--centre", "-1.5", "--optimizer", "shifted:boost=0.5:shift=0.1"]
TRAIN += ["--episodes", "2", "--steps", "3", "--no-wide", "--problem-seed", "4"]


@pytest.fixture(autouse=True)
def _own_names(monkeypatch):
    """What a test registers is gone after it."""
    there = [(registry, dict(registry)) for registry in (OPTIMIZERS, PROBLEMS)]
    yield
    forget(there)


def forget(there):
    sys.modules.pop("own_module", None)
    for registry, names in there:
        registry.clear()
        registry.update(names)


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A folder with a module that registers a rule and a problem, which is not imported yet."""
    (tmp_path / "own_module.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return tmp_path


@pytest.fixture
def trained(own):
    """The folder of a run with them, in a process that has forgotten them again."""
    there = [(registry, dict(registry)) for registry in (OPTIMIZERS, PROBLEMS)]
    assert main([*TRAIN, "--out", "run"]) == 0
    forget(there)
    return own / "run"


def test_command_line_trains_with_a_rule_and_a_problem_of_one_s_own(trained):
    notes = json.loads((trained / "log.json").read_text())
    assert notes["problem"] == {"name": "own_module:my-bowl", "centre": -1.5, "seed": 4, "wide": False}
    assert notes["command"].startswith("python -m l2l train my-bowl --import own_module")


def test_saved_rule_is_loaded_once_its_module_is_imported(trained, monkeypatch):
    monkeypatch.syspath_prepend(str(trained.parent))
    module = importlib.import_module("own_module")
    assert l2l.load(trained / "optimizer.npz")[0] == module.Shifted(shift=0.1, boost=0.5)
    problem, optimizer, training, _ = checkpoint.load_training(trained / "checkpoint.npz")
    assert (problem, optimizer.shift) == (module.Bowl(centre=-1.5, seed=4, wide=False), 0.1)


def test_defaults_of_another_kind_than_the_annotation_are_saved_and_loaded(own):
    sys.path.insert(0, str(own))
    rule = importlib.import_module("own_module").Shifted()
    l2l.save("o.npz", rule, rule.init())
    assert l2l.load("o.npz")[0] == rule


def test_file_of_an_unknown_rule_names_the_module_to_import(trained):
    with pytest.raises(
        OptimizerFileError, match="optimizer.npz: it needs the optimizer 'shifted': `import own_module`"
    ):
        l2l.load(trained / "optimizer.npz")
    assert "own_module" not in sys.modules  # a file runs no code


def test_checkpoint_of_an_unknown_problem_names_the_module_to_import(trained, capsys):
    assert main(["train", "--resume", "run"]) == 2
    assert "it needs the problem 'my-bowl': `import own_module` first, or pass --import own_module" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize(
    "command",
    [
        "compare my-bowl --optimizers mine=run/optimizer.npz,shifted:learning_rate=0.1,adam --steps 3 --repeats 1",
        "inspect run/optimizer.npz",
        "inspect run/checkpoint.npz",
        "optimizers",
        "problems",
    ],
)
def test_command_knows_them_after_import(command, trained, capsys):
    capsys.readouterr()
    assert main([*command.split(), "--import=own_module"]) == 0
    assert re.search("shifted|my-bowl", capsys.readouterr().out)


def test_resumed_run_needs_the_module_only(own, capsys):
    there = [(registry, dict(registry)) for registry in (OPTIMIZERS, PROBLEMS)]
    assert main([*TRAIN, "--out", "whole"]) == 0
    forget(there)
    program = (
        "import sys, l2l.storage.runs as runs, l2l.__main__ as program\n"
        "save = runs.checkpoint.save_training\n"
        "def stop(path, problem, optimizer, training, notes):\n"
        "    save(path, problem, optimizer, training, notes)\n"
        "    raise KeyboardInterrupt\n"
        "runs.checkpoint.save_training = stop\n"
        "sys.exit(program.main(sys.argv[1:]))"
    )
    words = [sys.executable, "-c", program, *TRAIN, "--out", "part"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    assert subprocess.run(words, env=environment, capture_output=True).returncode == 130
    assert main(["train", "--resume", "part", "--import", "own_module"]) == 0
    whole, part = (np.load(own / name / "optimizer.npz") for name in ("whole", "part"))
    np.testing.assert_array_equal(whole["phi.log_learning_rate"], part["phi.log_learning_rate"])


def test_setting_of_a_problem_that_commands_have_too_is_spelled_out(own, capsys):
    with pytest.raises(SystemExit):
        main(["train", "my-bowl", "--import", "own_module", "-h"])
    assert re.search(r"--problem-seed N .*--seed N ", " ".join(capsys.readouterr().out.split()))


def test_script_that_registers_is_named_by_its_file(tmp_path):
    script = tmp_path / "my_rule.py"
    script.write_text(MODULE + "l2l.save('o.npz', Shifted(), Shifted().init())\n")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, script.name], cwd=tmp_path, env=environment, check=True)
    assert checkpoint.read(tmp_path / "o.npz")[0]["optimizer"] == "my_rule:shifted"


def test_class_may_be_registered_again_as_in_a_notebook():
    l2l.register("mine", Mine)
    l2l.register("mine", Mine)
    assert l2l.make_optimizer("mine", shift="3").shift == 3


@dataclass(frozen=True)
class Mine(Checked):
    shift: int = setting(2, "a shift", least=1)

    def init_state(self, theta):
        return {}


@dataclass(frozen=True)
class NeedsValue:
    size: int
    data = "nothing"

    def sample(self, rng, split):
        return Simple().sample(rng)


@dataclass(frozen=True)
class OfUnknownData:
    def sample(self, rng, split):
        return Simple().sample(rng)


class Plain:
    def sample(self, rng, split):
        return Simple().sample(rng)


@dataclass(frozen=True)
class Neither:
    pass


@pytest.mark.parametrize(
    ("name", "cls", "message"),
    [
        ("a", Plain, "no dataclass: decorate"),
        ("a", Mine(), "no dataclass: decorate"),
        ("a", Neither, "neither `sample`, as problems have, nor `init_state`"),
        ("a", OfUnknownData, "OfUnknownData has no `data`: give it a line"),
        ("a", NeedsValue, "'size' of NeedsValue has no default: give it one"),
        ("adam", Mine, "'adam' is the name of l2l.optimizers.hand_designed.Adam: choose"),
        ("a:b", Mine, "'a:b' cannot be a name"),
        ("--a", Mine, "'--a' cannot be a name"),
        (3, Mine, "3 cannot be a name"),
    ],
)
def test_class_or_name_that_cannot_be_registered_is_refused(name, cls, message):
    with pytest.raises(L2LError, match=message):
        l2l.register(name, cls)


def test_own_setting_is_checked_by_its_declaration():
    l2l.register("mine", Mine)
    with pytest.raises(L2LError, match="shift is a whole number of at least 1, not 0"):
        l2l.make_optimizer("mine", shift=0)
