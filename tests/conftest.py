"""Shared by all tests: no network, and small data sets of its own."""

import gzip
import os
import struct
import sys

import hypothesis
import numpy as np
import pytest

import minigrad as mg
from l2l.optimizers import OPTIMIZERS
from l2l.problems.data import CIFAR_FILES, CIFAR_FOLDER

# The same examples in every run: a test that fails now and then helps nobody.
hypothesis.settings.register_profile("project", derandomize=True, deadline=None, max_examples=60, database=None)
hypothesis.settings.load_profile("project")

UNIX = pytest.mark.skipif(os.name != "posix", reason="needs Unix: signals, shells, limits of files")
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: /dev/full, /proc")


def write_idx(path, values):
    header = struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
    with (gzip.open if path.suffix == ".gz" else open)(path, "wb") as file:
        file.write(header + values.tobytes())


def write_digits(folder, train=240, test=60, seed=0):
    """Four official-looking MNIST files: ten fixed prototypes with noise, so that they can be learned."""
    rng = np.random.default_rng(seed)
    prototypes = rng.integers(0, 256, (10, 28, 28))
    folder.mkdir(parents=True, exist_ok=True)
    for part, n in (("train", train), ("t10k", test)):
        labels = rng.integers(10, size=n).astype(np.uint8)
        images = np.clip(prototypes[labels] + rng.normal(scale=40, size=(n, 28, 28)), 0, 255).astype(np.uint8)
        write_idx(folder / f"{part}-images-idx3-ubyte.gz", images)
        write_idx(folder / f"{part}-labels-idx1-ubyte.gz", labels)


def write_photographs(folder, train=30, test=50):
    """Six files in CIFAR-10's binary layout, five of `train` images and one of `test`: prototypes with noise."""
    rng = np.random.default_rng(1)
    prototypes = rng.integers(0, 256, (10, 3 * 32 * 32))
    folder.mkdir(parents=True, exist_ok=True)
    for name in CIFAR_FILES:
        n = test if name == "test_batch.bin" else train
        labels = np.arange(n) % 10
        images = np.clip(prototypes[labels] + rng.normal(scale=40, size=(n, 3 * 32 * 32)), 0, 255)
        (folder / name).write_bytes(np.hstack([labels[:, None], images]).astype(np.uint8).tobytes())


COORDINATEWISE = [
    name
    for name, cls in OPTIMIZERS.items()
    if not (hasattr(cls, "uses_curvature") or hasattr(cls, "fit"))  # the latter and lstm-gac: test_learned_rules.py
    and name not in ("lstm-gac", "kernel-lstm", "groups")  # the last two: test_groups.py
]
"""The rules that treat every coordinate alike, and depend on nothing else."""
NETWORKS = ("lstm", "rnnprop")
"""Those of them that have a network inside."""


def some_phi(optimizer, seed=0):
    """φ as after some training: like optimizer.init's, but the read-out of a network no longer 0."""
    rng = np.random.default_rng(seed)
    phi = optimizer.init(rng)
    if "output" in phi:
        phi["output"] = mg.tree.map(lambda w: rng.normal(size=w.shape).astype(w.dtype), phi["output"])
    return phi


def updates_of(optimizer, gradients, phi=None):
    """The updates that the optimizer makes of a sequence of gradients, by default with `some_phi`."""
    phi = some_phi(optimizer) if phi is None else phi
    state, updates = optimizer.init_state(gradients[0]), []
    for gradient in gradients:
        update, state = optimizer(phi, gradient, state)
        updates.append(update)
    return np.array(updates)


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_digits(folder / "mnist")
    write_photographs(folder / CIFAR_FOLDER)
    return folder


@pytest.fixture(autouse=True)
def _offline_data(monkeypatch, data_folder):
    monkeypatch.setenv("L2L_DATA", str(data_folder))


FAULTS = pytest.StashKey()


def pytest_configure(config):
    config.stash[FAULTS] = []


def pytest_collection_modifyitems(config, items):
    """Leave out tests marked slow or lessons, unless -m speaks of them."""
    unasked = [mark for mark in ("slow", "lessons") if mark not in config.option.markexpr]
    left_out = [item for item in items if any(map(item.get_closest_marker, unasked))]
    if left_out:
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)


@pytest.fixture
def planted_faults(request):
    """Pairs (planted, caught) of the wrong rules of the whole run."""
    return request.config.stash[FAULTS]


def pytest_terminal_summary(terminalreporter, config):
    if config.stash[FAULTS]:
        planted, caught = map(sum, zip(*config.stash[FAULTS], strict=True))
        terminalreporter.write_line(f"wrong rules planted: {planted}, caught: {caught}")


def pytest_generate_tests(metafunc):
    """A test that asks for `primitive_case` runs once for every sample of every registered primitive."""
    if "primitive_case" in metafunc.fixturenames:
        cases = [
            pytest.param((primitive, sample), id=f"{name}-{i}")
            for name, primitive in mg.primitives.items()
            for i, sample in enumerate(primitive.samples(np.random.default_rng(0)))
        ]
        metafunc.parametrize("primitive_case", cases)
