"""CIFAR-10: where its files come from, and what is refused."""

import concurrent.futures
import functools
import http.server
import io
import os
import subprocess
import sys
import tarfile
import threading

import numpy as np
import pytest

from l2l.errors import DataError
from l2l.problems import data
from tests.conftest import write_photographs


def test_l2l_data_comes_first_and_is_named():
    photographs = data.cifar10()
    assert photographs.source == "CIFAR-10 from L2L_DATA, 200 images"
    assert {name: images.shape for name, (images, _) in photographs.splits.items()} == {
        "train": (135, 3, 32, 32),
        "validation": (15, 3, 32, 32),
        "test": (50, 3, 32, 32),
    }


def test_record_is_a_label_then_red_green_and_blue_rows():
    record = np.concatenate([[7], np.repeat([10, 20, 30], 1024)]).astype(np.uint8)
    record[1 + 1024 + 32 + 5] = 99  # green, second row, sixth column
    images, labels = data.read_cifar("file", record.tobytes())
    assert labels.tolist() == [7]
    assert images[0, :, 0, 0].tolist() == [10, 20, 30]
    assert images[0, 1, 1, 5] == 99


def test_splits_share_no_image():
    rows = {name: {image.tobytes() for image in images} for name, (images, _) in data.cifar10().splits.items()}
    assert not rows["train"] & (rows["validation"] | rows["test"])
    assert not rows["validation"] & rows["test"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "data_batch_3.bin cannot be read.*official binary files"),
        (b"", "data_batch_3.bin.*0 bytes, no multiple of 3,073: it is truncated or foreign"),
        (bytes(3072), "data_batch_3.bin.*3,072 bytes"),
        (bytes(3073 * 2 - 1), "data_batch_3.bin.*6,145 bytes"),
        (b"\x0a" + bytes(3072), "data_batch_3.bin.*a label 10, where CIFAR-10 has 0 to 9"),
    ],
)
def test_damaged_file_is_named(monkeypatch, tmp_path, content, message):
    write_photographs(tmp_path / data.CIFAR_FOLDER)
    path = tmp_path / data.CIFAR_FOLDER / "data_batch_3.bin"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("L2L_DATA", str(tmp_path))
    with pytest.raises(DataError, match=message):
        data.cifar10()


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="there is no file without an end")
def test_file_without_an_end_is_refused(monkeypatch, tmp_path):
    write_photographs(tmp_path / data.CIFAR_FOLDER)
    path = tmp_path / data.CIFAR_FOLDER / "data_batch_3.bin"
    path.unlink()
    path.symlink_to("/dev/zero")
    monkeypatch.setenv("L2L_DATA", str(tmp_path))
    with pytest.raises(DataError, match="data_batch_3.bin.*more than the 30,730,000 bytes of an official file"):
        data.cifar10()


# ------------------------------------------------------------------------------------------ the archive


def tar(members):
    """The bytes of a .tar.gz of these [(name, content)]; a content that is a TarInfo stands for itself."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in members:
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content)
                continue
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def link(name, target):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, target
    return name, info


@pytest.fixture(scope="module")
def official(data_folder):
    """The members of an archive like the official one."""
    folder = data_folder / data.CIFAR_FOLDER
    return [(f"{data.CIFAR_FOLDER}/{name}", (folder / name).read_bytes()) for name in data.CIFAR_FILES]


class Mirror:
    """A server of this machine that has the archive, and a cache of our own."""

    def __init__(self, folder, port):
        self.folder, self.cache, self.url = folder, folder / "cache", f"http://127.0.0.1:{port}/"

    def serves(self, content, checksum=None):
        path = self.folder / "served" / data.CIFAR_ARCHIVE
        path.write_bytes(content)
        data.CIFAR_SHA256[data.CIFAR_ARCHIVE] = checksum or data.pooch.file_hash(path)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture
def mirror(monkeypatch, tmp_path):
    (tmp_path / "served").mkdir()
    handler = functools.partial(Quiet, directory=tmp_path / "served")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        mirror = Mirror(tmp_path, server.server_port)
        monkeypatch.setattr(data.pooch, "os_cache", lambda name: mirror.cache)
        monkeypatch.setattr(data, "CIFAR_MIRROR", mirror.url)
        monkeypatch.setattr(data, "CIFAR_SHA256", dict(data.CIFAR_SHA256))
        threading.Thread(target=server.serve_forever).start()
        yield mirror
        server.shutdown()


def downloaded():
    return data._cifar10.__wrapped__(None)


def test_archive_is_downloaded_and_kept(mirror, monkeypatch, official):
    mirror.serves(tar(official))
    assert downloaded().source == "CIFAR-10, downloaded or from the cache, 200 images"
    monkeypatch.setattr(data, "CIFAR_MIRROR", "http://127.0.0.1:9/")
    np.testing.assert_array_equal(downloaded().splits["test"][0], data.cifar10().splits["test"][0])


def test_archive_cannot_write_anything(mirror, official):
    outside = mirror.folder / "outside"
    hostile = [("../outside", b"x"), (str(outside), b"x"), link("link", str(mirror.folder)), ("link/outside", b"x")]
    mirror.serves(tar([*hostile, *official]))
    downloaded()
    assert not outside.exists()
    assert [path.name for path in mirror.cache.rglob("*") if path.is_file()] == [data.CIFAR_ARCHIVE]


def test_link_in_the_archive_is_no_file_of_it(mirror, official):
    linked = link(official[0][0], "/etc/passwd")
    mirror.serves(tar([linked, *official[1:]]))
    with pytest.raises(DataError, match="has no cifar-10-batches-bin/data_batch_1.bin"):
        downloaded()


def test_archive_without_a_file_is_refused(mirror, official):
    mirror.serves(tar(official[:-1]))
    with pytest.raises(DataError, match="has no cifar-10-batches-bin/test_batch.bin: delete it"):
        downloaded()


def test_file_in_the_archive_is_unpacked_no_further_than_the_official_size(mirror, official):
    mirror.serves(tar([(official[0][0], bytes(40_000_000)), *official[1:]]))
    with pytest.raises(DataError, match="data_batch_1.bin.*more than the 30,730,000 bytes"):
        downloaded()


@pytest.mark.parametrize("content", [b"not an archive", b""])
def test_something_else_with_the_right_checksum_is_refused(mirror, content):
    mirror.serves(content)
    with pytest.raises(DataError, match=r"cifar-10-binary.tar.gz cannot be unpacked"):
        downloaded()


def test_truncated_archive_is_refused(mirror, official):
    mirror.serves(tar(official)[:-5000])
    with pytest.raises(DataError, match=r"cifar-10-binary.tar.gz cannot be unpacked"):
        downloaded()


def test_download_with_another_checksum_is_not_kept(mirror, official):
    mirror.serves(tar(official), checksum="0" * 64)
    with pytest.raises(DataError, match="could not be downloaded.*set L2L_DATA to a folder.*mnist-conv"):
        downloaded()
    assert not [path for path in mirror.cache.rglob("*") if path.is_file()]


def test_without_network_the_ways_out_are_named(mirror, monkeypatch):
    monkeypatch.setattr(data, "CIFAR_MIRROR", "http://127.0.0.1:9/")
    with pytest.raises(DataError, match="could not be downloaded.*set L2L_DATA to a folder.*mnist-conv"):
        downloaded()


FIRST_USE = """
import sys, pathlib
from l2l.problems import data
cache, data.CIFAR_MIRROR, data.CIFAR_SHA256[data.CIFAR_ARCHIVE] = sys.argv[1:]
data.pooch.os_cache = lambda name: pathlib.Path(cache)
print(data.cifar10().source)
"""


def test_processes_that_use_it_first_at_once_all_get_it(mirror, official):
    mirror.serves(tar(official))
    command = [sys.executable, "-c", FIRST_USE, str(mirror.cache), mirror.url, data.CIFAR_SHA256[data.CIFAR_ARCHIVE]]
    environment = {key: value for key, value in os.environ.items() if key != "L2L_DATA"}

    def use():
        return subprocess.run(command, capture_output=True, text=True, env=environment, check=True).stdout

    with concurrent.futures.ThreadPoolExecutor() as pool:
        found = [future.result() for future in [pool.submit(use) for _ in range(3)]]
    assert found == ["CIFAR-10, downloaded or from the cache, 200 images\n"] * 3
