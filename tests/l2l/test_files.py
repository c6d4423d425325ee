"""Writing files."""

import json
import os
import stat

import numpy as np
import pytest

from l2l import files, load
from l2l.diagnosis import doctor
from l2l.errors import L2LError


def test_json_holds_arrays_and_null_for_what_is_not_finite(tmp_path):
    document = {"a": np.array([1.5, np.nan]), "b": (np.float32(2), np.bool_(True), [float("inf"), "text", None])}
    files.write_json(tmp_path / "x.json", document)
    assert json.loads((tmp_path / "x.json").read_text()) == {"a": [1.5, None], "b": [2.0, True, [None, "text", None]]}


@pytest.mark.parametrize(("mask", "mode"), [(0o077, 0o600), (0o022, 0o644), (0o002, 0o664)])
def test_file_may_be_read_by_whom_the_user_has_set(mask, mode, tmp_path):
    before = os.umask(mask)
    try:
        files.write_json(tmp_path / "x.json", {})
        assert os.umask(mask) == mask
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "x.json").stat().st_mode) == mode


@pytest.mark.parametrize(
    "use",
    [lambda p: files.ensure_writable([p]), lambda p: files.write_json(p, {}), lambda p: files.lock(p, ()).__enter__()],
    ids=["ensure_writable", "write", "lock"],
)
def test_folder_too_deep_is_refused(use, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(L2LError, match=r"cannot write a/a/a.*more levels than"):
        use("a/" * 1900 + "b")
    assert list(tmp_path.iterdir()) == []


IMPOSSIBLE = ["a" * 300, "a" * 5000, "a\0b", "\ud800"]


@pytest.mark.parametrize("name", IMPOSSIBLE)
@pytest.mark.parametrize(
    "use",
    [lambda p: files.ensure_writable([p]), lambda p: files.write_json(p, {}), load, doctor.read],
    ids=["ensure_writable", "write", "load", "read"],
)
def test_name_that_no_file_can_have_is_refused(name, use, tmp_path):
    with pytest.raises(L2LError, match="cannot write|there is no|cannot be read"):
        use(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_longest_name_that_a_file_can_have_is_written(tmp_path):
    files.write_json(tmp_path / ("a" * 255), {})
    assert (tmp_path / ("a" * 255)).read_text() == "{}"
