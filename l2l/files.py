"""Writing files so that nothing is lost or left half-written."""

import contextlib
import json
import math
import os
import tempfile
from pathlib import Path

import numpy as np

from l2l.errors import L2LError


def write(path, write_to):
    """Create or replace the file at path: write_to(file) fills a temporary file beside it, which is then renamed.

    Raises L2LError where the folder cannot be written; whatever stood at path is then untouched.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise L2LError(f"a file is named by its path, not by {path!r}")
    path, temporary = Path(path), None
    claim([path], overwrite=True)
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".l2l-", delete=False) as file:
            temporary = Path(file.name)
            write_to(file)
        temporary.chmod(0o644)
        os.replace(temporary, path)
    except OSError as error:
        raise _refusal(path, error) from None
    finally:
        if temporary:
            temporary.unlink(missing_ok=True)


def write_json(path, document):
    """Write a document of dicts, lists, arrays and numbers as JSON at path; numbers that are not finite become null."""
    text = json.dumps(_plain(document), indent=1, allow_nan=False)
    write(path, lambda file: file.write(text.encode()))


def _plain(value):
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    return None if isinstance(value, float) and not math.isfinite(value) else value


def claim(paths, overwrite=False):
    """Make sure, before long work begins, that these files can be written and that none of them would be lost.

    Raises L2LError where one exists and overwrite is False, or where its folder cannot be written.
    """
    for path in map(Path, paths):
        if os.path.isdir(path):
            raise L2LError(f"{path} is a folder: name a file")
        if os.path.exists(path) and not overwrite:
            raise L2LError(f"{path} is already there: add --overwrite to replace it, or name another place")
        try:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                os.lstat(path)  # refuses a name that is too long, or that no file can have
            path.parent.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=path.parent).close()
        except (OSError, ValueError) as error:
            raise _refusal(path, error) from None


def _refusal(path, error):
    return L2LError(
        f"cannot write {path} ({getattr(error, 'strerror', error)}): choose a folder that can be written to"
    )
