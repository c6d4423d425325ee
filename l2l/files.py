"""Files that are written whole or not at all, and folders that only one process writes to."""

import contextlib
import json
import math
import os
import secrets
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from l2l.errors import L2LError, WriteError

TEMPORARY = ".tmp"


def write(path: str | os.PathLike, content: bytes) -> None:
    """Create or replace the file at path: a temporary file beside it is filled and then renamed.

    If the process is killed or the machine loses power, the old file or the new one is there, whole.
    Raises WriteError where the file cannot be written; the old file is then unchanged.
    """
    path = _checked(path)
    temporary = path.with_name(f".{path.name[:50]}.{secrets.token_hex(4)}{TEMPORARY}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # or the new name could reach the disk before its content
        os.replace(temporary, path)
    except (OSError, ValueError) as error:
        raise WriteError(f"{_refusal(path, error)}; the file that was there is unchanged") from None
    finally:
        with contextlib.suppress(OSError, ValueError):
            temporary.unlink()


def write_json(path: str | os.PathLike, document: object) -> None:
    """Write a document of dicts, lists, arrays and numbers as JSON at path; numbers that are not finite become null."""
    write(path, json.dumps(_plain(document), indent=1, allow_nan=False).encode())


def write_lines(path: str | os.PathLike, documents: Iterable[object]) -> None:
    """Write documents, as `write_json` takes them, as JSON at path, a line each."""
    write(path, b"".join(map(_line, documents)))


def append_line(path: str | os.PathLike, document: object) -> None:
    """Append a document, as `write_json` takes it, as a line of JSON to the file at path.

    If the process is killed meanwhile, the last line may be there in part. Raises WriteError where the file cannot be
    written.
    """
    try:
        with open(path, "ab") as file:
            file.write(_line(document))
    except (OSError, ValueError) as error:
        raise WriteError(_refusal(path, error)) from None


def _line(document):
    return json.dumps(_plain(document), allow_nan=False).encode() + b"\n"


def _plain(value):
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def ensure_writable(paths: Iterable[str | os.PathLike], overwrite: bool = False) -> None:
    """Check, before long work begins, that these files can be written and that no existing file would be lost.

    Raises L2LError where a file exists and overwrite is False, or where its folder cannot be written.
    """
    for path in map(_checked, paths):
        if os.path.exists(path) and not overwrite:
            raise L2LError(
                f"{path} is already there: add --overwrite (overwrite=True) to replace it, or name another place"
            )
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=path.parent).close()
        except (OSError, ValueError) as error:
            raise L2LError(_refusal(path, error)) from None


@contextlib.contextmanager
def lock(folder: str | os.PathLike, names: Iterable[str]) -> Iterator[Callable[[], None]]:
    """Lock the folder for this process until the context or the process ends.

    names: the files that this process writes there; temporary files of theirs that a killed process left are removed.
    Gives a function to call before each write: it raises WriteError where the folder was removed or replaced meanwhile.
    Raises L2LError where another process holds the lock, or where the folder cannot be written.
    """
    folder, file_lock = Path(folder), FileLock(Path(folder) / ".lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file_lock.acquire(blocking=False)
        locked = os.stat(file_lock.lock_file)
        for stale in [path for name in names for path in folder.glob(f".{name}.*{TEMPORARY}")]:
            stale.unlink()
    except Timeout:
        raise L2LError(f"another run is writing to {folder}: wait for its end, or name another folder") from None
    except (OSError, ValueError) as error:
        raise L2LError(_refusal(folder, error)) from None

    def check():
        with contextlib.suppress(OSError):
            if os.path.samestat(os.stat(file_lock.lock_file), locked):
                return
        raise WriteError(f"{folder} was removed while a run wrote to it: run it again, and leave its folder alone")

    try:
        yield check
    finally:
        file_lock.release()


def exists(path: str | os.PathLike) -> bool:
    """Whether there is a file or folder at path. Raises L2LError where that cannot be known."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError) as error:
        raise L2LError(_unreadable(path, error)) from None
    return True


def read(path: str | os.PathLike) -> bytes:
    """The bytes of the file at path. Raises L2LError where it cannot be read."""
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise L2LError(_unreadable(path, error)) from None


def _checked(path):
    if not isinstance(path, (str, os.PathLike)):
        raise L2LError(f"a file is named by its path, not by {path!r}")
    path = Path(path)  # "" becomes the current folder
    if os.path.isdir(path):
        raise L2LError(f"{path} is a folder: name a file")
    return path


def _unreadable(path, error):
    return f"{path} cannot be read ({getattr(error, 'strerror', None) or error}): see to its name and permissions"


def _refusal(path, error):
    reason = getattr(error, "strerror", None) or error
    return f"cannot write {path} ({reason}): choose a folder that can be written to and has space"
