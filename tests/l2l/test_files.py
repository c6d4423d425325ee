"""Writing files."""

import json

import numpy as np
import pytest

from l2l import doctor, files, load
from l2l.errors import L2LError


def test_json_holds_arrays_and_null_for_what_is_not_finite(tmp_path):
    document = {"a": np.array([1.5, np.nan]), "b": (np.float32(2), np.bool_(True), [float("inf"), "text", None])}
    files.write_json(tmp_path / "x.json", document)
    assert json.loads((tmp_path / "x.json").read_text()) == {"a": [1.5, None], "b": [2.0, True, [None, "text", None]]}


IMPOSSIBLE = ["a" * 300, "a" * 5000, "a\0b", "\ud800"]


@pytest.mark.parametrize("name", IMPOSSIBLE)
@pytest.mark.parametrize(
    "use", [lambda p: files.claim([p]), lambda p: files.write_json(p, {}), load, doctor.read], ids=str
)
def test_name_that_no_file_can_have_is_refused(name, use, tmp_path):
    with pytest.raises(L2LError, match="cannot write|there is no|cannot be read"):
        use(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_longest_name_that_a_file_can_have_is_written(tmp_path):
    files.write_json(tmp_path / ("a" * 255), {})
    assert (tmp_path / ("a" * 255)).read_text() == "{}"
