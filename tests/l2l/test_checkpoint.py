"""Saved optimizers and checkpoints."""

import json
from pathlib import Path

import numpy as np
import pytest

import l2l
import minigrad as mg
from l2l.errors import OptimizerFileError
from l2l.optimizers import LSTM, OPTIMIZERS, make_optimizer
from l2l.problems import MNIST, Ensemble, MNISTConv, Simple
from l2l.storage import checkpoint
from tests.conftest import write_digits
from tests.l2l.test_archive import header_of, with_header


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_save_and_load_are_inverse(tmp_path, name):
    optimizer = make_optimizer(name)
    phi = optimizer.init(np.random.default_rng(0))
    l2l.save(tmp_path / "o.npz", optimizer, phi, seed=3)
    loaded, loaded_phi = l2l.load(tmp_path / "o.npz")
    assert loaded == optimizer
    for a, b in zip(mg.tree.flatten(phi)[0], mg.tree.flatten(loaded_phi)[0], strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == b.dtype
    assert checkpoint.read(tmp_path / "o.npz")[0]["notes"] == {"seed": 3}


def saved(tmp_path, **changes):
    """A saved small LSTM, without a checksum, whose arrays are then replaced by `changes`."""
    path = tmp_path / "o.npz"
    optimizer = LSTM(hidden=(3,))
    l2l.save(path, optimizer, optimizer.init(np.random.default_rng(0)))
    arrays = {**checkpoint.read(path)[1], "header": header()}
    arrays |= {name.replace("__", "."): value for name, value in changes.items()}
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})
    return path


def header(**changes):
    settings = {"hidden": [3], "preprocess": "log-sign", "p": 10.0, "scale": 0.1, "dtype": "float32"}
    return np.array(
        json.dumps({"format": checkpoint.OLD_OPTIMIZER_FORMAT, "optimizer": "lstm", "settings": settings, **changes})
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"header": None}, "damaged or not an optimizer"),
        ({"header": np.array("{")}, "damaged or not an optimizer"),
        ({"header": np.array(3)}, "damaged or not an optimizer"),
        ({"header": header(format="other-9")}, "damaged or not an optimizer"),
        ({"header": header(optimizer="none")}, "no optimizer 'none'"),
        ({"header": header(settings={"p": "x"})}, "cannot be used.*p is a number"),
        ({"header": header(settings=[1])}, "cannot be used"),
        ({"header": header(settings={"hidden": [4]})}, r"settings ask for float32 of shape \(4, 4, 6\)"),
        ({"phi__output__W": None}, "phi.output.W is missing"),
        ({"phi__output__W": np.zeros((3, 1), "f")}, r"phi.output.W is float32 of shape \(3, 1\).*\(1, 3\)"),
        ({"phi__output__W": np.zeros((1, 3), "d")}, "phi.output.W is float64"),
        ({"phi__output__W": np.full((1, 3), np.nan, "f")}, "not finite"),
    ],
)
def test_file_that_does_not_fit_its_settings_is_refused(tmp_path, changes, message):
    with pytest.raises(OptimizerFileError, match=message):
        l2l.load(saved(tmp_path, **changes))


def test_objects_are_never_unpickled(tmp_path):
    path = saved(tmp_path, phi__output__W=np.array([print], object))
    with pytest.raises(OptimizerFileError, match="damaged"):
        l2l.load(path)


@pytest.mark.parametrize("keep", [0, 3, 100, 0.5, 0.99])
def test_truncated_file_is_refused(tmp_path, keep):
    path = saved(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: keep if isinstance(keep, int) else int(keep * len(content))])
    with pytest.raises(OptimizerFileError, match="damaged"):
        l2l.load(path)


def test_foreign_and_missing_files_are_refused(tmp_path):
    np.save(tmp_path / "array.npy", np.ones(3))
    with pytest.raises(OptimizerFileError, match="damaged or not"):
        l2l.load(tmp_path / "array.npy")
    with pytest.raises(OptimizerFileError, match=r"there is no file.*train PROBLEM"):
        l2l.load(tmp_path / "missing.npz")
    with pytest.raises(OptimizerFileError, match="there is no file"):
        l2l.load(tmp_path)


# ------------------------------------------------------------------------------------------ checkpoints


SMALL = {"hidden": 2, "batch": 2}
ON_DIGITS = [MNIST(**SMALL), MNISTConv((2,), **SMALL), Ensemble({"a": Simple(), "b": MNIST(**SMALL)})]


@pytest.mark.parametrize("problem", ON_DIGITS, ids=lambda problem: type(problem).__name__)
def test_training_goes_on_with_the_data_that_it_had_and_with_no_others(tmp_path, monkeypatch, problem):
    path = tmp_path / "c.npz"
    training = l2l.train(problem, make_optimizer("sgd"), episodes=1, steps=1)
    checkpoint.save_training(path, problem, make_optimizer("sgd"), training, {})
    checkpoint.load_training(path)
    write_digits(tmp_path / "mnist", seed=1)  # as many, and they look alike
    monkeypatch.setenv("L2L_DATA", str(tmp_path))
    with pytest.raises(
        OptimizerFileError, match="the data are now other ones, MNIST from L2L_DATA, 300 digits.*: set L2L_DATA"
    ):
        checkpoint.load_training(path)


def test_checkpoint_from_before_there_were_checksums_of_data_still_loads(tmp_path):
    path, problem, rule = tmp_path / "c.npz", MNIST(**SMALL), make_optimizer("sgd")
    checkpoint.save_training(path, problem, rule, l2l.train(problem, rule, episodes=1, steps=1), {})
    header = header_of(path.read_bytes())
    del header["checksum"]
    path.write_bytes(with_header(path.read_bytes(), header))
    assert checkpoint.load_training(path)[0] == problem


def test_training_on_random_numbers_has_no_data_to_compare(tmp_path):
    training = l2l.train(Simple(), make_optimizer("sgd"), episodes=1, steps=1)
    checkpoint.save_training(tmp_path / "c.npz", Simple(), make_optimizer("sgd"), training, {})
    assert checkpoint.load_training(tmp_path / "c.npz")[0] == Simple()


# ------------------------------------------------------------------------------------------ by name


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A folder of trained optimizers with one in it, called "digits", and an empty working directory."""
    monkeypatch.setattr(checkpoint, "TRAINED", tmp_path / "shelf")
    l2l.save(tmp_path / "shelf" / "digits.npz", make_optimizer("sgd", learning_rate=0.5), {"log_learning_rate": -1.0})
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "shelf"


def test_bare_name_loads_the_optimizer_that_comes_with_the_package(shelf):
    assert l2l.load("digits")[0].learning_rate == 0.5


def test_file_of_that_name_goes_first(shelf):
    (shelf / "digits.npz").rename("digits")
    l2l.save(shelf / "digits.npz", make_optimizer("adam"), make_optimizer("adam").init())
    assert l2l.load("digits")[0] == make_optimizer("sgd", learning_rate=0.5)


@pytest.mark.parametrize("path", ["digits.npz", "./digits", "../shelf/digits", Path.cwd() / "digits"])
def test_path_is_never_taken_for_a_name(shelf, path):
    with pytest.raises(OptimizerFileError, match=r"there is no file \S+: make one"):
        l2l.load(path)


def test_unknown_name_lists_what_there_is(shelf):
    with pytest.raises(OptimizerFileError, match=r"nor a trained optimizer of that name \(digits\)"):
        l2l.load("digit")
    (shelf / "digits.npz").unlink()
    with pytest.raises(OptimizerFileError, match=r"of that name \(none\)"):
        l2l.load("digits")


def test_trained_optimizers_are_installed_with_the_package():
    pyproject = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    assert 'l2l = ["trained/*.npz"' in pyproject
    assert Path(l2l.__file__).parent / "trained" == checkpoint.TRAINED
