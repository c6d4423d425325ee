"""Writing files."""

import json

import numpy as np

from l2l import files


def test_json_holds_arrays_and_null_for_what_is_not_finite(tmp_path):
    document = {"a": np.array([1.5, np.nan]), "b": (np.float32(2), np.bool_(True), [float("inf"), "text", None])}
    files.write_json(tmp_path / "x.json", document)
    assert json.loads((tmp_path / "x.json").read_text()) == {"a": [1.5, None], "b": [2.0, True, [None, "text", None]]}
