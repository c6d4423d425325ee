"""Writing files."""

import json
import os
import stat

import numpy as np
import pytest

from l2l import files, load
from l2l.diagnosis import doctor
from l2l.errors import L2LError, WriteError


def test_json_holds_arrays_and_null_for_what_is_not_finite(tmp_path):
    document = {"a": np.array([1.5, np.nan]), "b": (np.float32(2), np.bool_(True), [float("inf"), "text", None])}
    files.write_json(tmp_path / "x.json", document)
    assert json.loads((tmp_path / "x.json").read_text()) == {"a": [1.5, None], "b": [2.0, True, [None, "text", None]]}


def test_write_makes_the_folder(tmp_path):
    files.write(tmp_path / "a" / "b" / "file", b"x")
    assert (tmp_path / "a" / "b" / "file").read_bytes() == b"x"


@pytest.mark.parametrize(("mask", "mode"), [(0o077, 0o600), (0o002, 0o664)])
def test_file_has_the_permissions_of_any_new_file(mask, mode, tmp_path):
    before = os.umask(mask)
    try:
        files.write_json(tmp_path / "x.json", {})
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "x.json").stat().st_mode) == mode


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize(
    ("error", "seen"), [(KeyboardInterrupt, KeyboardInterrupt), (OSError(28, "No space left"), WriteError)]
)
def test_failed_write_leaves_the_old_file_and_nothing_else(step, error, seen, tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_text("old")

    def fail(*arguments):
        raise error

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(seen):
        files.write(path, b"new")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
    assert path.read_text() == "old"


def test_content_reaches_the_disk_before_the_name(tmp_path, monkeypatch):
    order = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: order.append(os.fstat(descriptor).st_size))
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda source, target: order.append("named") or replace(source, target))
    files.write(tmp_path / "file", b"12345")
    assert order == [5, "named"]


@pytest.mark.parametrize(
    "use", [lambda path: files.write(path, b""), lambda path: files.ensure_writable([path])], ids=["write", "ensure"]
)
def test_place_that_cannot_be_written_is_named(tmp_path, use):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(L2LError, match=r"cannot write .*file/below.*choose a folder"):
        use(tmp_path / "file" / "below")


def test_existing_file_is_refused_unless_it_may_be_overwritten(tmp_path):
    (tmp_path / "file").write_text("old")
    with pytest.raises(L2LError, match=r"file is already there.*--overwrite"):
        files.ensure_writable([tmp_path / "new", tmp_path / "file"])
    files.ensure_writable([tmp_path / "file"], overwrite=True)
    with pytest.raises(L2LError, match="is a folder"):
        files.ensure_writable([tmp_path], overwrite=True)


@pytest.mark.parametrize("path", ["", ".", "/"])
def test_folder_is_not_written_to_as_a_file(path):
    with pytest.raises(L2LError, match="is a folder: name a file"):
        files.write(path, b"")


@pytest.mark.parametrize("name", ["a" * 300, "a\0b"])
@pytest.mark.parametrize("use", [lambda p: files.write_json(p, {}), load, doctor.read], ids=["write", "load", "read"])
def test_name_that_no_file_can_have_is_refused(name, use, tmp_path):
    with pytest.raises(L2LError, match="cannot write|there is no|cannot be read"):
        use(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_longest_name_that_a_file_can_have_is_written(tmp_path):
    files.write_json(tmp_path / ("a" * 255), {})
    assert (tmp_path / ("a" * 255)).read_text() == "{}"
