"""Damaged files: whatever happened to one, it is refused in one line or loads as it was, in little memory."""

import contextlib
import dataclasses
import io
import json
import re
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

import l2l
import minigrad as mg
from l2l.cli import report
from l2l.errors import OptimizerFileError
from l2l.storage import archive, checkpoint

DATA = Path(__file__).parent / "data"
MEGABYTE = 2**20


# ------------------------------------------------------------------------------------------ taking files apart


def members(content):
    """{name: bytes} of a zip."""
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        return {info.filename: file.read(info) for info in file.infolist()}


def packed(pairs, compression=zipfile.ZIP_DEFLATED):
    """A zip of these pairs (name, bytes), in which names may repeat."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        for name, data in pairs:
            info = zipfile.ZipInfo(name)
            info.compress_type = compression
            file.writestr(info, data)
    return buffer.getvalue()


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def with_npy_header(data, **changes):
    """The bytes of an .npy, other things claimed about it."""
    file = io.BytesIO(data)
    np.lib.format.read_magic(file)
    shape, order, dtype = np.lib.format.read_array_header_1_0(file)
    claimed = repr({"descr": dtype.str, "fortran_order": order, "shape": shape, **changes}).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(claimed)) + claimed + data[file.tell() :]


def sealed(parts):
    """The zip of these members, with a checksum that is right wherever their arrays can be read at all."""
    arrays = {}
    for name, data in parts.items():
        if name != "sha256.npy":
            with contextlib.suppress(Exception):
                arrays[name.removesuffix(".npy")] = archive._array(data)
    return packed({**parts, "sha256.npy": npy(np.array(archive._checksum(arrays).encode()))}.items())


def with_header(content, header):
    return sealed({**members(content), "header.npy": npy(np.array(json.dumps(header).encode()))})


def header_of(content):
    return json.loads(np.load(io.BytesIO(members(content)["header.npy"])).item())


# ------------------------------------------------------------------------------------------ ways to damage one


def flip_bits(rng, content):
    damaged = bytearray(content)
    for i in rng.integers(len(content), size=rng.integers(1, 9)):
        damaged[i] ^= 1 << rng.integers(8)
    return bytes(damaged)


def truncate(rng, content):
    return content[: rng.integers(len(content))]


def cut_out(rng, content):
    a, b = sorted(rng.integers(len(content), size=2))
    return content[:a] + content[b:]


def overwrite(rng, content):
    at = rng.integers(len(content))
    noise = rng.bytes(rng.integers(1, 200))
    return content[:at] + noise + content[at + len(noise) :]


def swap_members(rng, content):
    parts = members(content)
    a, b = rng.choice(sorted(parts), size=2, replace=False)
    return packed({**parts, a: parts[b], b: parts[a]}.items())


def duplicate_a_member(rng, content):
    parts = members(content)
    names = sorted(parts)
    with pytest.warns(UserWarning, match="Duplicate name"):
        return packed([*parts.items(), (rng.choice(names), parts[rng.choice(names)])])


def drop_a_member(rng, content):
    parts = members(content)
    del parts[rng.choice(sorted(parts))]
    return packed(parts.items())


def other_numbers(rng, content):
    """Sound arrays with other values, under the old checksum."""
    parts = members(content)
    name = rng.choice([name for name in sorted(parts) if name not in ("header.npy", "sha256.npy")])
    data = bytearray(parts[name])
    data[-1 - rng.integers(4)] ^= 1 << rng.integers(8)
    return packed({**parts, name: bytes(data)}.items())


SHAPES = [(10**9,), (2**62, 2), (2**70,), (-1, -60), (0, 10**18), (10**5,) * 12, (3, True), ()]
DTYPES = ["<f8", ">f4", "|O", "|S1000000000", "|S0", "<U0", "|V4", "<c8", "<M8[s]", [("a", "<f4")], ("<f4", (9**9,))]


def absurd_array(rng, content):
    """An array that claims to be another, under a right or a wrong checksum."""
    parts = members(content)
    name = rng.choice(sorted(parts))
    changes = {"shape": SHAPES[rng.integers(len(SHAPES))], "descr": DTYPES[rng.integers(len(DTYPES))]}
    kept = rng.choice([*changes, "both"])
    claimed = with_npy_header(parts[name], **{k: v for k, v in changes.items() if k == kept or kept == "both"})
    return (sealed if rng.integers(2) else lambda parts: packed(parts.items()))({**parts, name: claimed})


VALUES = [None, True, -1, 0, 10**9, 10**400, 1e308, float("nan"), "", "x", "20-20", [], [[]], [10**9], {}, {"a": 1}]


def with_another_value(rng, document):
    """What JSON holds, copied, with one value in it become another, of any type."""
    root = node = {"": json.loads(json.dumps(document))}
    key = ""
    while isinstance(node[key], (dict, list)) and node[key] and rng.random() < 0.8:
        node = node[key]
        key = rng.choice(sorted(node)) if isinstance(node, dict) else int(rng.integers(len(node)))
    node[key] = VALUES[rng.integers(len(VALUES))]
    return root[""]


DAMAGES = [flip_bits, truncate, cut_out, overwrite, swap_members, duplicate_a_member, drop_a_member, other_numbers]
DAMAGES += [absurd_array]


# ------------------------------------------------------------------------------------------ what must come of it


def optimizer_file(path):
    """All that `inspect` does, and what it loads, as bytes that can be compared."""
    optimizer, phi = checkpoint.load(path)
    header, arrays = checkpoint.read(path)
    report.anatomy(path, header, arrays)
    return repr(optimizer), json.dumps(header), [leaf.tobytes() for leaf in mg.tree.flatten(phi)[0]]


def checkpoint_file(path):
    """All that `train --resume` asks of a checkpoint before it goes on, as bytes that can be compared."""
    problem, optimizer, training, notes = checkpoint.load_training(path)
    trees = [training.phi, training.latest, training.initial, training.meta_state]
    rest = dataclasses.replace(training, phi=None, latest=None, initial=None, meta_state=None)
    list(report.exceptions(training)), training.curve(), training.skipped_in_a_row, training.finished
    return repr([problem, optimizer, rest, notes]), [np.asarray(leaf).tobytes() for leaf in mg.tree.flatten(trees)[0]]


READERS = {"optimizer-1.npz": optimizer_file, "optimizer-2.npz": optimizer_file, "checkpoint-1.npz": checkpoint_file}
NEWEST = ["optimizer-2.npz", "checkpoint-1.npz"]


def outcome(path, content, read, sound):
    """What reading that content comes to, "refused" in one line, "same" or "other", within little memory."""
    path.write_bytes(content)
    tracemalloc.start()
    try:
        found = "same" if read(path) == sound else "other"
    except OptimizerFileError as error:
        found = "refused" if str(error).startswith(str(path)) and "\n" not in str(error) else str(error)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * MEGABYTE
    return found


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("name", NEWEST)
def test_damaged_file_is_refused_or_loads_as_it_was(name, damage, tmp_path):
    content, read = (DATA / name).read_bytes(), READERS[name]
    sound = read(DATA / name)
    for seed in range(50):
        found = outcome(tmp_path / name, damage(np.random.default_rng(seed), content), read, sound)
        assert found in ("refused", "same"), seed


@pytest.mark.parametrize("name", NEWEST)
def test_header_forged_under_a_right_checksum_is_refused_or_harmless(name, tmp_path):
    content, read = (DATA / name).read_bytes(), READERS[name]
    header, sound = header_of(content), read(DATA / name)
    for seed in range(50):
        forged = with_header(content, with_another_value(np.random.default_rng(seed), header))
        assert outcome(tmp_path / name, forged, read, sound) in ("refused", "same", "other"), seed


@pytest.mark.parametrize("damage", [flip_bits, truncate, cut_out, overwrite, duplicate_a_member, absurd_array])
def test_damaged_file_without_a_checksum_is_refused_or_loads_as_it_was(damage, tmp_path):
    name = "optimizer-1.npz"
    content, sound = (DATA / name).read_bytes(), optimizer_file(DATA / name)
    for seed in range(50):
        damaged = damage(np.random.default_rng(seed), content)
        assert outcome(tmp_path / name, damaged, optimizer_file, sound) in ("refused", "same"), seed


@pytest.mark.parametrize("name", READERS)
def test_file_of_each_version_still_loads(name):
    READERS[name](DATA / name)


def test_there_is_a_file_of_each_version():
    there = [header_of(path.read_bytes())["format"] for path in DATA.glob("*.npz")]
    assert sorted(there) == sorted(
        [checkpoint.OPTIMIZER_FORMAT, checkpoint.OLD_OPTIMIZER_FORMAT, checkpoint.CHECKPOINT_FORMAT]
    )


def test_file_of_the_first_version_holds_what_it_held():
    optimizer, phi = checkpoint.load(DATA / "optimizer-1.npz")
    assert optimizer.hidden == (3,)
    np.testing.assert_array_equal(phi["output"]["W"], np.float32([[-0.31389946, 0.05410228, 0.27279133]]))
    again, same = checkpoint.load(DATA / "optimizer-2.npz")
    assert again == optimizer
    np.testing.assert_array_equal(mg.tree.ravel(same)[0], mg.tree.ravel(phi)[0])


def test_checkpoint_of_the_first_version_goes_on():
    problem, optimizer, training, _ = checkpoint.load_training(DATA / "checkpoint-1.npz")
    assert (len(training.history), training.meta_steps, training.meta_state["t"]) == (4, 8, 8)
    resumed = l2l.train(problem, optimizer, resume=training)
    at_once = l2l.train(problem, optimizer, **dataclasses.asdict(training.settings))
    losses, same = ([record["train"] for record in run.history] for run in (resumed, at_once))
    assert losses == pytest.approx(same, rel=1e-3)  # that is, until rounding on another machine has grown


def refusal(tmp_path, content, name="o.npz"):
    (tmp_path / name).write_bytes(content)
    tracemalloc.start()
    with pytest.raises(OptimizerFileError) as caught:
        checkpoint.load(tmp_path / name)
    assert tracemalloc.get_traced_memory()[1] < 16 * MEGABYTE
    tracemalloc.stop()
    return str(caught.value)


@pytest.fixture
def content():
    return (DATA / "optimizer-2.npz").read_bytes()


def test_checksum_cannot_be_left_out_or_the_version_turned_back(tmp_path, content):
    parts = members(content)
    older = {**header_of(content), "format": archive.UNCHECKED}
    parts["header.npy"] = npy(np.array(json.dumps(older).encode()))
    assert "wrong checksum" in refusal(tmp_path, packed(parts.items()))
    parts = members(content)
    del parts["sha256.npy"]
    assert "unknown format" in refusal(tmp_path, packed(parts.items()))


def test_file_that_claims_to_unpack_to_more_than_it_may_is_not_unpacked(tmp_path, content):
    size = len(members(content)["header.npy"])
    claims = content.replace(struct.pack("<I", size), struct.pack("<I", 2**31))
    assert "too large" in refusal(tmp_path, claims)


def test_member_longer_than_it_claims_is_not_unpacked_further(tmp_path, content):
    parts = {**members(content), "phi.output.W.npy": bytes(64 * MEGABYTE)}
    bomb = packed(parts.items())
    claims = bomb.replace(struct.pack("<I", 64 * MEGABYTE), struct.pack("<I", 200))
    assert len(bomb) < MEGABYTE
    assert "unreadable" in refusal(tmp_path, claims)


def test_header_nested_so_deep_that_it_cannot_be_read_is_refused(tmp_path, content):
    deep = npy(np.array(b"[" * 10**6))
    assert "unreadable" in refusal(tmp_path, sealed({**members(content), "header.npy": deep}))


@pytest.mark.parametrize("hidden", [[10**9], [1] * 10**5, [512] * 9, [513]])
def test_settings_that_would_fill_the_memory_are_refused(tmp_path, content, hidden):
    header = header_of(content)
    header["settings"]["hidden"] = hidden
    message = refusal(tmp_path, with_header(content, header))
    assert re.search("hidden (is a whole number of at most 512|lists the units of 1 to 8 layers)", message)
    assert len(message) < 400


@pytest.mark.parametrize("array", [np.ones((2, 3), order="F"), np.zeros((0, 4)), np.float32(2), np.array("é"), [True]])
def test_arrays_come_back_as_they_were(tmp_path, array):
    archive.write(tmp_path / "a.npz", {"format": "x"}, {"a": array})
    back = archive.read(tmp_path / "a.npz", "x")[1]["a"]
    array = np.asarray(array)
    np.testing.assert_array_equal(back, array)
    assert (back.dtype, back.strides, back.flags.writeable) == (array.dtype, array.strides, True)
