"""Where the images come from.

MNIST and CIFAR-10 are looked for in this order: the folder named by the environment variable L2L_DATA, the user's
cache, a download with known checksums. MNIST has a last resort that needs no network: 5,000 digits in this package's
folder digits/. `Images.source` says which it was. Nothing here loads a pickle, and no archive is unpacked to disk.
"""

import gzip
import hashlib
import math
import os
import struct
import tarfile
import zlib
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import pooch

from l2l.errors import DataError
from l2l.files import exists

MIRROR = "https://storage.googleapis.com/cvdf-datasets/mnist/"
SHA256 = {
    "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}
DIGITS = Path(__file__).parent / "digits"
DIGITS_CHECKSUM = "1df982f1b7ef508b8cec18f67b7f336366febcac8557f5929544013afd4c8274"  # of the three splits
CIFAR_MIRROR = "https://www.cs.toronto.edu/~kriz/"
CIFAR_ARCHIVE = "cifar-10-binary.tar.gz"
CIFAR_SHA256 = {CIFAR_ARCHIVE: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"}
CIFAR_FOLDER = "cifar-10-batches-bin"
CIFAR_FILES = [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]
RECORD = 1 + 3 * 32 * 32  # bytes of one image: its label, then red, green and blue, row by row
MOST_IDX = 16 + 60_000 * 28 * 28  # bytes of MNIST's largest file, unpacked
MOST_CIFAR = 10_000 * RECORD  # of a file of CIFAR-10
MOST_DOWNLOAD = 200_000_000  # bytes; the largest, CIFAR-10's archive, has 170 million
PATIENCE = 10  # seconds without data after which a download is given up


@dataclass(frozen=True)
class Images:
    """splits: "train", "validation" and "test", each a pair (images, labels (n,)) in uint8. Images are (n, 784) for
    MNIST and (n, 3, 32, 32) for CIFAR-10. source: where they come from."""

    splits: dict
    source: str

    @cached_property
    def checksum(self):
        """SHA-256 over all splits, which identifies the data."""
        digest = hashlib.sha256()
        for name, arrays in sorted(self.splits.items()):
            for array in arrays:
                digest.update(repr((name, array.shape)).encode())
                digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


def mnist():
    """The digits, read once per process. Raises DataError where L2L_DATA holds a file that is not MNIST."""
    return _mnist(os.environ.get("L2L_DATA"))


@lru_cache(maxsize=2)
def _mnist(folder):
    if given := _given(folder, "mnist"):
        return _official(lambda name: _in_folder(given, name), "MNIST from L2L_DATA")
    try:
        return _official(_fetch, "MNIST, downloaded or from the cache")
    except (OSError, ValueError):  # no network, no writable cache, or a mirror that serves something else
        return embedded()


def _given(folder, name):
    """The folder `name` inside L2L_DATA, or None where there is none."""
    if not folder:
        return None
    if not (exists(folder) and Path(folder).is_dir()):
        raise DataError(f"L2L_DATA={folder} is not a folder: correct it, or unset it to use the download")
    return Path(folder) / name if exists(Path(folder) / name) else None


def _fetch(name):
    return _cached(name, "mnist", MIRROR, SHA256)


def _cached(name, folder, mirror, known):
    """The file in the user's cache, downloaded if it is not there. A download is written to a temporary file, compared
    with its checksum, and then renamed, so that the cache never has an incomplete file."""
    pooch.get_logger().setLevel("ERROR")
    cache = pooch.create(path=pooch.os_cache("l2l") / folder, base_url=mirror, registry=known, retry_if_failed=1)
    return Path(cache.fetch(name, downloader=_download))  # pyright: ignore[reportArgumentType]


def _download(*arguments):
    # pooch takes any progress bar, though its types say bool.
    download = pooch.HTTPDownloader(progressbar=_Limit(), timeout=PATIENCE)  # pyright: ignore[reportArgumentType]
    download(*arguments)


class _Limit:
    """A progress bar for pooch that aborts a download of more than MOST_DOWNLOAD bytes."""

    total = done = 0

    def update(self, count):
        self.done += count
        if self.done > MOST_DOWNLOAD:
            raise OSError(f"a download of more than {MOST_DOWNLOAD:,} bytes")

    def reset(self):
        self.done = 0

    def close(self):
        pass


def _in_folder(folder, name):
    for path in (folder / name, folder / name.removesuffix(".gz")):
        if exists(path):
            return path
    raise DataError(f"{folder} has no {name} (nor the unpacked file): put the four official MNIST files there")


def _official(find, source):
    """The official split; the last twelfth of the training images (5,000 of 60,000) is for validation."""
    (train_images, train_labels), (test_images, test_labels) = (
        (read_idx(find(f"{part}-images-idx3-ubyte.gz")), read_idx(find(f"{part}-labels-idx1-ubyte.gz")))
        for part in ("train", "t10k")
    )
    cut = len(train_images) - len(train_images) // 12
    return _digits(
        {
            "train": (train_images[:cut], train_labels[:cut]),
            "validation": (train_images[cut:], train_labels[cut:]),
            "test": (test_images, test_labels),
        },
        source,
    )


@lru_cache(maxsize=1)
def embedded():
    """The digits in this package: 3,000 for training, 1,000 each for validation and test. digits/ORIGIN.md says which
    of MNIST they are."""
    images, labels = (read_idx(DIGITS / name) for name in ("images-idx3-ubyte.gz", "labels-idx1-ubyte.gz"))
    cuts = {"train": slice(0, 3000), "validation": slice(3000, 4000), "test": slice(4000, 5000)}
    digits = _digits({name: (images[cut], labels[cut]) for name, cut in cuts.items()}, "MNIST, 5,000 embedded digits")
    if digits.checksum != DIGITS_CHECKSUM:
        raise DataError(f"{DIGITS} does not hold the digits that l2l came with: install l2l again")
    return digits


def _digits(splits, source):
    for images, labels in splits.values():
        fit = labels.ndim == 1 and len(images) == len(labels) > 0
        if not fit or images[0].size != 784 or labels.max() > 9:
            raise DataError(f"{source}: these are not 28×28 images with one label 0 to 9 for each")
    flat = {name: (images.reshape(len(images), 784), labels) for name, (images, labels) in splits.items()}
    total = sum(len(labels) for _, labels in flat.values())
    return Images(flat, source if "digits" in source else f"{source}, {total:,} digits")


def read_idx(path: Path) -> np.ndarray:
    """The array of unsigned bytes in an IDX file (yann.lecun.com/exdb/mnist), gzipped or not.

    Raises DataError, naming the file and what was expected, where it is truncated, too long or something else.
    """
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else open(path, "rb") as file:
            content = file.read(MOST_IDX + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read ({error}): fetch it again") from None
    if len(content) > MOST_IDX:
        raise DataError(f"{path} holds more than the {MOST_IDX:,} bytes of MNIST's largest file: fetch it again")
    if len(content) < 4 or content[:3] != b"\0\0\x08":
        raise DataError(f"{path} is not an IDX file of bytes: fetch it again")
    if not 1 <= content[3] <= 3:
        raise DataError(f"{path} has {content[3]} dimensions, where MNIST's have one or three: fetch it again")
    if len(content) < 4 + 4 * content[3]:
        raise DataError(f"{path} is not an IDX file of bytes: fetch it again")
    shape = struct.unpack_from(f">{content[3]}I", content, 4)
    values = np.frombuffer(content, np.uint8, offset=4 + 4 * content[3])
    if values.size != math.prod(shape):
        raise DataError(f"{path} holds {values.size} values where its header says {shape}: fetch it again")
    return values.reshape(shape)


# ------------------------------------------------------------------------------------------ CIFAR-10


def cifar10():
    """The photographs, read once per process; the last tenth of the training images is for validation.

    Raises DataError where a file is damaged or foreign, or where there is neither a folder nor a download.
    """
    return _cifar10(os.environ.get("L2L_DATA"))


@lru_cache(maxsize=2)
def _cifar10(folder):
    if given := _given(folder, CIFAR_FOLDER):
        files, source = _cifar_folder(given), "CIFAR-10 from L2L_DATA"
    else:
        try:
            path = _cached(CIFAR_ARCHIVE, "cifar-10", CIFAR_MIRROR, CIFAR_SHA256)
        except (OSError, ValueError) as error:  # no network, no writable cache, or a mirror with something else
            raise DataError(
                f"CIFAR-10 could not be downloaded ({type(error).__name__}): set L2L_DATA to a folder that holds "
                f"{CIFAR_FOLDER}/, or take the problem mnist-conv, which needs no download"
            ) from None
        files, source = _cifar_archive(path), "CIFAR-10, downloaded or from the cache"
    *train, test = [read_cifar(f"{name} of {source}", files[name]) for name in CIFAR_FILES]
    images, labels = (np.concatenate(parts) for parts in zip(*train, strict=True))
    cut = len(labels) - len(labels) // 10
    splits = {"train": (images[:cut], labels[:cut]), "validation": (images[cut:], labels[cut:]), "test": test}
    return Images(splits, f"{source}, {len(labels) + len(test[1]):,} images")


def _cifar_folder(folder):
    files = {}
    for name in CIFAR_FILES:
        try:
            with open(folder / name, "rb") as file:
                files[name] = file.read(MOST_CIFAR + 1)
        except OSError as error:
            raise DataError(
                f"{folder / name} cannot be read ({error.strerror}): put the official binary files there, "
                f"{CIFAR_FILES[0]} to {CIFAR_FILES[-1]}"
            ) from None
    return files


def _cifar_archive(path):
    """The bytes of CIFAR_FILES in the archive. Nothing is written to disk."""
    files = {}
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                folder, _, name = member.name.rpartition("/")
                wanted = folder == CIFAR_FOLDER and name in CIFAR_FILES and member.isfile()
                if wanted and (file := archive.extractfile(member)):
                    files[name] = file.read(MOST_CIFAR + 1)
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        raise DataError(f"{path} cannot be unpacked ({error}): delete it, and it is downloaded again") from None
    if missing := [name for name in CIFAR_FILES if name not in files]:
        raise DataError(f"{path} has no {CIFAR_FOLDER}/{missing[0]}: delete it, and it is downloaded again")
    return files


def read_cifar(name, content):
    """The images (n, 3, 32, 32) and labels (n,) in the bytes of a file in CIFAR-10's binary layout.

    Raises DataError, naming the file and what was expected, where it is truncated, or something else.
    """
    if len(content) > MOST_CIFAR:
        raise DataError(f"{name} holds more than the {MOST_CIFAR:,} bytes of an official file: fetch it again")
    if not content or len(content) % RECORD:
        raise DataError(f"{name} has {len(content):,} bytes, no multiple of {RECORD:,}: it is truncated or foreign")
    records = np.frombuffer(content, np.uint8).reshape(-1, RECORD)
    labels = records[:, 0]
    if labels.max() > 9:
        raise DataError(f"{name} has a label {labels.max()}, where CIFAR-10 has 0 to 9: fetch the binary version")
    return records[:, 1:].reshape(-1, 3, 32, 32), labels
