"""What cannot be read is told as what it is. Tests may run as root, who may read all, so some refusals are staged."""

import errno
import io
import os

import pytest

from l2l import experiments
from l2l.__main__ import main
from l2l.problems import data

DENIED = os.strerror(errno.EACCES)


def complaint(arguments, capsys, code=2):
    capsys.readouterr()
    assert main(arguments) == code
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("l2l: ")]
    return line


@pytest.fixture
def forbidden(tmp_path, monkeypatch):
    """A folder in which nothing may be looked at, nor read."""
    folder = tmp_path / "forbidden"
    folder.mkdir()

    def guarded(real):
        def call(path, *arguments, **options):
            if isinstance(path, (str, os.PathLike)) and os.fspath(path).startswith(f"{folder}/"):
                raise PermissionError(errno.EACCES, DENIED, os.fspath(path))
            return real(path, *arguments, **options)

        return call

    for module, name in ((os, "stat"), (os, "lstat"), (io, "open")):
        monkeypatch.setattr(module, name, guarded(getattr(module, name)))
    return folder


def test_folder_to_resume_that_cannot_be_read(forbidden, capsys):
    line = complaint(["train", "--resume", str(forbidden)], capsys)
    assert f"{forbidden}/checkpoint.npz cannot be read ({DENIED}): see to" in line


def test_folder_to_resume_that_cannot_have_such_a_name(capsys):
    line = complaint(["train", "--resume", "a" * 300], capsys)
    assert f"{'a' * 300}/checkpoint.npz cannot be read ({os.strerror(errno.ENAMETOOLONG)}): see to" in line


def test_log_in_a_folder_that_cannot_be_read(forbidden, capsys):
    assert f"{forbidden}/log.json cannot be read ({DENIED}): see to" in complaint(["doctor", str(forbidden)], capsys)


@pytest.mark.parametrize("name", ["log.json", "results.json"])
def test_file_that_the_doctor_cannot_read_is_not_called_damaged(name, tmp_path, monkeypatch, capsys):
    assert main(["train", "simple", "--optimizer", "sgd", "--episodes", "1", "--out", str(tmp_path)]) == 0
    (tmp_path / "results.json").write_text("{}")
    real = io.open

    def guarded(path, *arguments, **options):
        if str(path) == str(tmp_path / name):
            raise PermissionError(errno.EACCES, DENIED, str(path))
        return real(path, *arguments, **options)

    monkeypatch.setattr(io, "open", guarded)
    assert f"{tmp_path / name} cannot be read ({DENIED}): see to" in complaint(["doctor", str(tmp_path)], capsys)


@pytest.mark.parametrize("problem", ["mnist", "cifar"])
def test_data_that_cannot_be_read(problem, forbidden, monkeypatch, capsys):
    monkeypatch.setenv("L2L_DATA", str(forbidden))
    line = complaint(["train", problem, "--out", str(forbidden.parent / "out")], capsys)
    assert (
        f"{forbidden}/{'mnist' if problem == 'mnist' else data.CIFAR_FOLDER} cannot be read ({DENIED}): see to" in line
    )


def test_folder_of_data_that_cannot_have_such_a_name(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("L2L_DATA", "a" * 300)
    line = complaint(["train", "mnist", "--out", str(tmp_path)], capsys)
    assert f"{'a' * 300} cannot be read ({os.strerror(errno.ENAMETOOLONG)}): see to" in line


def test_file_that_fails_anywhere_else_is_named(tmp_path, monkeypatch, capsys):
    def fail(*arguments):
        raise OSError(errno.EIO, os.strerror(errno.EIO), "some/file")

    monkeypatch.setattr(experiments.settings, "load", fail)
    line = complaint(["reproduce", "quadratic", "--out", str(tmp_path)], capsys, 1)
    assert f"some/file failed ({os.strerror(errno.EIO)}): see to" in line
    assert "cannot print" not in line
