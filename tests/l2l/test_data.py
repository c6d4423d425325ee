"""Images: where they are looked for, and what is refused."""

import contextlib
import functools
import gzip
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from l2l.errors import DataError
from l2l.problems import data
from tests.conftest import write_digits, write_idx
from tests.l2l.test_archive import cut_out, flip_bits, overwrite, truncate

ROOT = Path(__file__).parents[2]


def test_l2l_data_comes_first_and_is_named():
    assert data.mnist().source == "MNIST from L2L_DATA, 300 digits"
    assert {name: len(labels) for name, (_, labels) in data.mnist().splits.items()} == {
        "train": 220,
        "validation": 20,
        "test": 60,
    }


def test_unpacked_files_are_read_too(tmp_path):
    values = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    write_idx(tmp_path / "plain", values)
    np.testing.assert_array_equal(data.read_idx(tmp_path / "plain"), values)


@pytest.fixture
def _no_download(monkeypatch):
    def refuse(name):
        raise OSError("no network")

    monkeypatch.setattr(data, "_fetch", refuse)


@pytest.mark.usefixtures("_no_download")
def test_without_network_the_embedded_digits_are_used(monkeypatch):
    monkeypatch.delenv("L2L_DATA")
    digits = data._mnist.__wrapped__(None)
    assert digits.source == "MNIST, 5,000 embedded digits"
    images, labels = digits.splits["train"]
    assert images.shape == (3000, 784)
    assert images.max() == 255
    assert set(np.unique(labels)) == set(range(10))


def test_embedded_digits_and_their_splits_are_the_same_for_ever():
    # Results that were made with them are reproducible only as long as this holds.
    assert data.embedded().checksum == "1df982f1b7ef508b8cec18f67b7f336366febcac8557f5929544013afd4c8274"
    assert sum(path.stat().st_size for path in data.DIGITS.iterdir()) < 1_000_000


@pytest.mark.parametrize("name", ["images-idx3-ubyte.gz", "labels-idx1-ubyte.gz"])
def test_embedded_digits_that_were_changed_are_not_used(monkeypatch, tmp_path, name):
    shutil.copytree(data.DIGITS, tmp_path / "digits")
    monkeypatch.setattr(data, "DIGITS", tmp_path / "digits")
    values = data.read_idx(tmp_path / "digits" / name)
    write_idx(tmp_path / "digits" / name, values[::-1])
    with pytest.raises(DataError, match="does not hold the digits that l2l came with: install l2l again"):
        data.embedded.__wrapped__()


def test_download_is_used_where_there_is_one(monkeypatch, data_folder):
    monkeypatch.setattr(data, "_fetch", lambda name: data_folder / "mnist" / name)
    assert data._mnist.__wrapped__(None).source == "MNIST, downloaded or from the cache, 300 digits"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass

    def copyfile(self, source, target):
        self.server.send(source, target)


@pytest.fixture
def mirror(monkeypatch, tmp_path, data_folder):
    """The small digits on a server of this machine, with their checksums, and a cache of our own."""
    handler = functools.partial(Quiet, directory=data_folder / "mnist")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(data.pooch, "os_cache", lambda name: tmp_path)
    for name in data.SHA256:
        monkeypatch.setitem(data.SHA256, name, data.pooch.file_hash(data_folder / "mnist" / name))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.send = shutil.copyfileobj
        monkeypatch.setattr(data, "MIRROR", f"http://127.0.0.1:{server.server_port}/")
        threading.Thread(target=server.serve_forever).start()
        yield server
        server.shutdown()


def test_download_is_kept_for_the_next_time(mirror, monkeypatch):
    assert data._mnist.__wrapped__(None).source == "MNIST, downloaded or from the cache, 300 digits"
    monkeypatch.setattr(data, "MIRROR", "http://127.0.0.1:9/")
    assert data._mnist.__wrapped__(None).source == "MNIST, downloaded or from the cache, 300 digits"


@pytest.mark.usefixtures("mirror")
def test_download_with_another_checksum_is_not_used(monkeypatch):
    monkeypatch.setitem(data.SHA256, "t10k-labels-idx1-ubyte.gz", "0" * 64)
    assert data._mnist.__wrapped__(None).source == "MNIST, 5,000 embedded digits"


def test_download_that_breaks_off_leaves_nothing_and_is_made_again(mirror, tmp_path):
    mirror.send = lambda source, target: target.write(source.read()[:1000])
    assert data._mnist.__wrapped__(None).source == "MNIST, 5,000 embedded digits"
    assert list((tmp_path / "mnist").iterdir()) == []
    mirror.send = shutil.copyfileobj
    assert data._mnist.__wrapped__(None).source == "MNIST, downloaded or from the cache, 300 digits"


class Endless(Quiet):
    """Sends 100 MB where nobody ends it, and does not say how long that is."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(100):
                self.server.sent += self.wfile.write(bytes(10**6))


def test_download_without_an_end_is_given_up(mirror, tmp_path, monkeypatch):
    monkeypatch.setattr(data, "MOST_DOWNLOAD", 10**6, raising=False)
    mirror.RequestHandlerClass, mirror.sent = Endless, 0
    assert data._mnist.__wrapped__(None).source == "MNIST, 5,000 embedded digits"
    assert mirror.sent < 50 * 10**6
    assert list((tmp_path / "mnist").iterdir()) == []


def test_cached_file_that_was_damaged_is_downloaded_again(mirror, tmp_path):
    data._mnist.__wrapped__(None)
    path = tmp_path / "mnist" / "t10k-labels-idx1-ubyte.gz"
    sound = path.read_bytes()
    path.write_bytes(sound[:-1])
    assert data._mnist.__wrapped__(None).source == "MNIST, downloaded or from the cache, 300 digits"
    assert path.read_bytes() == sound


FIRST_USE = """
import json, sys
from l2l.problems import data

data.MIRROR, checksums = sys.argv[1:]
data.SHA256.update(json.loads(checksums))
print(data.mnist().source)
"""


def test_two_processes_may_fill_the_cache_at_once(mirror, tmp_path):
    both = threading.Barrier(2, timeout=60)

    def send(source, target):
        both.wait()  # until the other process wants a file, too
        shutil.copyfileobj(source, target)

    mirror.send = send
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "MINIGRAD_NUMBA": "0"}
    del environment["L2L_DATA"]
    command = [sys.executable, "-c", FIRST_USE, data.MIRROR, json.dumps(data.SHA256)]
    runs = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [run.communicate()[0] for run in runs] == ["MNIST, downloaded or from the cache, 300 digits\n"] * 2
    assert {path.name for path in (tmp_path / "l2l" / "mnist").iterdir()} == set(data.SHA256)


def test_l2l_data_that_is_no_folder_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setenv("L2L_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match=r"nowhere is not a folder"):
        data.mnist()


def broken(tmp_path, name, content):
    write_digits(tmp_path / "mnist")
    path = tmp_path / "mnist" / name
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    return str(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "has no train-labels"),
        (b"", "train-labels.*(cannot be read|not an IDX)"),
        (b"\x1f\x8b\x08\x00garbage", "train-labels.*cannot be read"),
        (b"hello world", "train-labels.*cannot be read"),
    ],
)
def test_damaged_digits_are_named(monkeypatch, tmp_path, content, message):
    monkeypatch.setenv("L2L_DATA", broken(tmp_path, "train-labels-idx1-ubyte.gz", content))
    with pytest.raises(DataError, match=message):
        data.mnist()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\0\0\x08", "not an IDX"),
        (b"\0\0\x08\x01\0\0\0\x05abc", r"3 values.*\(5,\)"),
        (b"\0\0\x0d\x01", "not an IDX"),
        (b"\0\0\x08\x00a", "0 dimensions, where MNIST's have one or three"),
        (b"\0\0\x08\x41" + b"\0\0\0\1" * 65 + b"a", "65 dimensions, where MNIST's have one or three"),
    ],
)
def test_damaged_idx_is_named(tmp_path, content, message):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(DataError, match=message):
        data.read_idx(tmp_path / "file")


@pytest.mark.parametrize("damage", [flip_bits, truncate, cut_out, overwrite])
def test_damaged_gzip_is_refused_or_read_as_it_was(tmp_path, data_folder, damage):
    sound = data_folder / "mnist" / "t10k-images-idx3-ubyte.gz"
    content, values, damaged = sound.read_bytes(), data.read_idx(sound), tmp_path / "x.gz"
    for seed in range(30):
        damaged.write_bytes(damage(np.random.default_rng(seed), content))
        with contextlib.suppress(DataError):
            assert np.array_equal(data.read_idx(damaged), values), seed


def test_files_that_do_not_fit_each_other_are_refused(monkeypatch, tmp_path):
    write_digits(tmp_path / "mnist")
    write_idx(tmp_path / "mnist" / "train-labels-idx1-ubyte.gz", np.zeros(7, np.uint8))
    monkeypatch.setenv("L2L_DATA", str(tmp_path))
    with pytest.raises(DataError, match="one label"):
        data.mnist()


@pytest.mark.parametrize("shape", [(240, 1), (240, 28, 28)])
def test_labels_that_are_no_vector_are_refused(monkeypatch, tmp_path, shape):
    write_digits(tmp_path / "mnist")
    write_idx(tmp_path / "mnist" / "train-labels-idx1-ubyte.gz", np.zeros(shape, np.uint8))
    monkeypatch.setenv("L2L_DATA", str(tmp_path))
    with pytest.raises(DataError, match="one label"):
        data.mnist()


def test_gzip_is_unpacked_no_further_than_the_official_size(tmp_path):
    bomb = tmp_path / "train-labels-idx1-ubyte.gz"
    with gzip.open(bomb, "wb") as file:
        file.write(b"\0\0\x08\x01" + bytes(200 * 2**20))
    tracemalloc.start()
    with pytest.raises(DataError, match="more than the 47,040,016 bytes of MNIST's largest file"):
        data.read_idx(bomb)
    assert tracemalloc.get_traced_memory()[1] < 150 * 2**20
    tracemalloc.stop()


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="there is no file without an end")
def test_file_without_an_end_is_refused(tmp_path):
    (tmp_path / "train-labels-idx1-ubyte").symlink_to("/dev/zero")
    with pytest.raises(DataError, match="more than the"):
        data.read_idx(tmp_path / "train-labels-idx1-ubyte")
