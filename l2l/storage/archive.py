"""The container of everything l2l saves: an .npz without pickle, of a header, which is JSON, and arrays by name.

Beside them lies a checksum of it all, so what is read is what was written. Nothing in a file is believed before it was
compared with the file's own size: reading a damaged one takes no more memory than reading a sound one may.
"""

import hashlib
import io
import json
import math
import warnings
import zipfile

import numpy as np

from l2l import files
from l2l.errors import L2LError

MOST = 2**30  # bytes of a file, packed and unpacked: far more than any φ here, and what a small machine can hold
MOST_HEADER = 2**26  # of these: JSON grows twentyfold when it is read; this is the history of 300,000 episodes
MOST_NESTED = 50  # lists and dicts of the header inside one another: whatever shows or writes it goes down into each
UNCHECKED = "l2l-optimizer-1"  # the format from before there were checksums


class Damaged(ValueError):
    """A file is not what `write` has written; the message says in a few words how that shows."""


def write(path, header, arrays):
    """Create or replace the file at path. header: a dict that JSON can hold, with the file's "format"; arrays: by name.

    Raises WriteError where that fails, and L2LError for a header that JSON cannot hold, or what would be too large to
    be read again.
    """
    try:
        text = json.dumps(header)
    except (TypeError, ValueError, RecursionError) as error:
        raise L2LError(f"{path}: notes must be what JSON can hold ({error})") from None
    if _deep(header):
        raise L2LError(f"{path}: notes must not be nested more than {MOST_NESTED} deep")
    arrays = {"header": np.array(text.encode()), **{k: np.asarray(a) for k, a in arrays.items()}}
    if _too_large({name: array.nbytes for name, array in arrays.items()}):
        raise L2LError(f"{path} would hold more than {MOST >> 20} MiB: take a smaller optimizer, or fewer episodes")
    arrays["sha256"] = np.array(_checksum(arrays).encode())
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    files.write(path, lambda file: file.write(buffer.getbuffer()))


def read(path, *formats):
    """The header and the arrays of the file at path, which is in one of these formats. Raises Damaged, or OSError."""
    if path.stat().st_size > MOST:
        raise Damaged("too large")
    content = path.read_bytes()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # of NumPy about headers that it would have to mend
            arrays = _unpack(content)
            checksum = arrays.pop("sha256", None)
            if checksum is not None and checksum.item() != _checksum(arrays).encode():
                raise Damaged("wrong checksum")
            header = json.loads(arrays.pop("header").item())
        if _deep(header):
            raise Damaged("nested too deep")
        if header["format"] not in formats or (checksum is None and header["format"] != UNCHECKED):
            raise Damaged("unknown format")
    except Damaged:
        raise
    except Exception:  # zipfile, zlib, NumPy and json have a dozen kinds between them for what is not theirs
        raise Damaged("unreadable") from None
    return header, arrays


def _unpack(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        if len(members) < len(archive.infolist()):
            raise Damaged("two arrays of one name")
        if any(info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for info in members.values()):
            raise Damaged("unknown compression")  # the others cannot be unpacked in bounded steps
        if _too_large({name: info.file_size for name, info in members.items()}):
            raise Damaged("too large")
        arrays = {}
        for name, info in members.items():
            with archive.open(info) as member:
                arrays[name] = _array(member.read(info.file_size))
        return arrays


def _array(content):
    """The array in the bytes of an .npy, whose header must ask for just the bytes that follow it."""
    file = io.BytesIO(content)
    formats = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    shape, fortran_order, dtype = formats[np.lib.format.read_magic(file)](file)
    size = len(content) - file.tell()
    if dtype.kind not in "biufSU" or not dtype.itemsize or math.prod(shape) * dtype.itemsize != size:
        raise Damaged("an array that does not fit its bytes")
    order = "F" if fortran_order else "C"
    return np.ndarray(shape, dtype, content, file.tell(), order=order).copy("K")  # writable, unlike bytes


def _deep(header):
    level = [header]
    for _ in range(MOST_NESTED):
        level = [inner for item in level if isinstance(item, (dict, list, tuple)) for inner in _items(item)]
    return bool(level)


def _items(container):
    return container.values() if isinstance(container, dict) else container


def _too_large(sizes):
    return sum(sizes.values()) > MOST or sizes.get("header", 0) > MOST_HEADER


def _checksum(arrays):
    """SHA-256 over name, dtype, shape and bytes of each array, in the order of their names."""
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(repr((name, array.dtype.str, array.shape)).encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
