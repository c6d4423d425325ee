"""The file format of everything l2l saves: an .npz without pickle that holds a header (JSON) and named arrays.

A checksum over all of it is stored beside them, so what is read is what was written. Sizes that a file claims are
compared with its real ones before memory is allocated, so a damaged file takes no more memory than a sound one.
"""

import hashlib
import io
import json
import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from l2l import files
from l2l.errors import L2LError

MAX_BYTES = 2**30  # bytes of all arrays in a file, far more than any φ here
UNCHECKED = "l2l-optimizer-1"  # the format from before there were checksums


class Damaged(ValueError):
    """A file is not what `write` has written; the message says in a few words how it differs."""


def write(path: str | Path, header: dict, arrays: dict[str, Any]) -> None:
    """Create or replace the file at path. header: what JSON can hold, with the file's "format" and perhaps "notes".

    Raises WriteError where the file cannot be written, and L2LError for a header that JSON cannot hold.
    """
    try:
        text = json.dumps(header)
    except (TypeError, ValueError, RecursionError) as error:
        raise L2LError(f"{path}: notes must be what JSON can hold ({error})") from None
    arrays = {"header": np.array(text.encode()), **{name: np.asarray(array) for name, array in arrays.items()}}
    arrays["sha256"] = np.array(_checksum(arrays).encode())
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    files.write(path, buffer.getvalue())


def read(path: str | Path, *formats: str) -> tuple[dict, dict[str, np.ndarray]]:
    """The header and the arrays of the file at path, which must have one of these formats.

    Raises Damaged, or OSError where the file cannot be opened.
    """
    with open(path, "rb") as file:
        try:
            arrays = _unpack(file)
            checksum = arrays.pop("sha256", None)
            if checksum is not None and checksum.item() != _checksum(arrays).encode():
                raise Damaged("wrong checksum")
            header = json.loads(arrays.pop("header").item())
            if header["format"] not in formats or (checksum is None and header["format"] != UNCHECKED):
                raise Damaged("unknown format")
            if not isinstance(header.get("notes", {}), dict):
                raise Damaged("notes that are not a dict")
        except Exception as error:  # zipfile, zlib, NumPy and json raise a dozen kinds for a damaged file
            raise (error if isinstance(error, Damaged) else Damaged("unreadable")) from None
    return header, arrays


def _unpack(file):
    with zipfile.ZipFile(file) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        if len(members) < len(archive.infolist()):
            raise Damaged("two arrays of one name")
        if sum(info.file_size for info in members.values()) > MAX_BYTES:
            raise Damaged("too large")
        return {name: _array(archive.open(info).read(info.file_size)) for name, info in members.items()}


def _array(content):
    """The array in the bytes of an .npy file. Its header must ask for exactly the bytes that follow it."""
    file = io.BytesIO(content)
    np.lib.format.read_magic(file)
    shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(file)
    size = len(content) - file.tell()
    if dtype.kind not in "biufSU" or not dtype.itemsize or math.prod(shape) * dtype.itemsize != size:
        raise Damaged("an array that does not fit its bytes")
    order = "F" if fortran_order else "C"
    return np.ndarray(shape, dtype, content, file.tell(), order=order).copy("K")  # writable, unlike bytes


def _checksum(arrays):
    """SHA-256 over name, dtype, shape and bytes of each array, in the order of their names."""
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(repr((name, array.dtype.str, array.shape)).encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
