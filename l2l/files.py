"""Writing files so that nothing is lost or left half-written."""

import contextlib
import errno
import json
import math
import os
import tempfile
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from l2l.errors import L2LError, WriteError

TEMPORARY = ".tmp"


def write(path, write_to):
    """Create or replace the file at path: write_to(file) fills a temporary file beside it, which is then renamed.

    A process that is killed on the way, or a machine that loses power, leaves the old file or the new one, whole.
    Raises WriteError where it cannot be written; whatever stood at path is then untouched.
    """
    path, temporary = _named(path), None
    try:
        _make(path.parent)
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name[:50]}.", suffix=TEMPORARY, delete=False
        ) as file:
            temporary = Path(file.name)
            write_to(file)
            file.flush()
            os.fsync(file.fileno())  # or the new name could reach the disk before its content
        temporary.chmod(0o666 & ~_umask())
        os.replace(temporary, path)
    except OSError as error:
        raise WriteError(f"{_refusal(path, error)}; what stood there is unharmed") from None
    finally:
        if temporary:
            with contextlib.suppress(OSError):
                temporary.unlink()


def _umask():
    """What the user takes away from a new file's permissions. It can only be read by setting it, here to be strict."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _make(folder):
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except RecursionError:
        raise OSError(errno.ENAMETOOLONG, "it has more levels than can be made") from None


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


def ensure_writable(paths, overwrite=False):
    """Make sure, before long work begins, that these files can be written and that none of them would be lost.

    Raises L2LError where one exists and overwrite is False, or where its folder cannot be written.
    """
    for path in map(_named, paths):
        if os.path.exists(path) and not overwrite:
            raise L2LError(f"{path} is already there: add --overwrite to replace it, or name another place")
        try:
            _make(path.parent)
            tempfile.TemporaryFile(dir=path.parent).close()
        except OSError as error:
            raise L2LError(_refusal(path, error)) from None


def _named(path):
    """path as a Path. Raises L2LError where it is a folder, or where no file can have such a name."""
    if not isinstance(path, (str, os.PathLike)):
        raise L2LError(f"a file is named by its path, not by {path!r}")
    if os.path.isdir(path):
        raise L2LError(f"{path} is a folder: name a file")
    try:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            os.lstat(path)
    except (OSError, ValueError) as error:
        raise L2LError(_refusal(path, error)) from None
    return Path(path)


@contextlib.contextmanager
def lock(folder, names):
    """Keep the folder to this process, until the end of the context or of the process, however that ends.

    names: of the files that it writes there. What a process that was killed left of their making is removed. Gives a
    function to call before each writing: it raises WriteError where the folder is no longer the one it was.
    Raises L2LError where another process has the folder, or where it cannot be written.
    """
    folder, file_lock = Path(folder), FileLock(Path(folder) / ".lock")
    try:
        _make(folder)
        file_lock.acquire(blocking=False)
        locked = os.stat(file_lock.lock_file)
        for stale in [path for name in names for path in folder.glob(f".{name}.*{TEMPORARY}")]:
            stale.unlink()
    except Timeout:
        raise L2LError(f"another run is writing to {folder}: wait for its end, or name another folder") from None
    except OSError as error:
        raise L2LError(_refusal(folder, error)) from None

    def check():
        try:
            same = os.path.samestat(os.stat(file_lock.lock_file), locked)
        except OSError:
            same = False
        if not same:
            raise WriteError(f"{folder} was removed while a run wrote to it: run it again, and leave its folder alone")

    try:
        yield check
    finally:
        file_lock.release()


def exists(path):
    """Whether there is a file or folder at path. Raises L2LError, with the reason, where nobody can tell."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError) as error:
        raise L2LError(_illegible(path, error)) from None
    return True


def read(path):
    """The bytes of the file at path. Raises L2LError, with the reason, where it cannot be read."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise L2LError(_illegible(path, error)) from None


def _illegible(path, error):
    return f"{path} cannot be read ({_reason(error)}): see to its name and permissions"


def _refusal(path, error):
    return f"cannot write {path} ({_reason(error)}): choose a folder that can be written to and has space"


def _reason(error):
    return getattr(error, "strerror", None) or error
