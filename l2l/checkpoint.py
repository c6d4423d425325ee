"""Saved optimizers: one .npz, without pickle, that holds φ leaf by leaf and, as JSON, all that rebuilds the rule."""

import dataclasses
import json
import os
import zipfile
import zlib
from pathlib import Path

import numpy as np

import minigrad as mg
from l2l import files
from l2l.errors import L2LError, OptimizerFileError
from l2l.optimizers import OPTIMIZERS, check_optimizer, make_optimizer

FORMAT = "l2l-optimizer-1"
TRAINED = Path(__file__).parent / "trained"  # the optimizers that come with the package


def save(path, optimizer, phi, **notes):
    """Write optimizer and φ to path. notes: anything JSON can hold, such as the problem and seed of the training.

    Raises L2LError where optimizer is none of this package's, φ is not its, or path cannot be written.
    """
    name = next((name for name, cls in OPTIMIZERS.items() if cls is type(optimizer)), None)
    if name is None:
        raise L2LError(f"only what l2l.make_optimizer knows can be saved, not {optimizer!r}")
    check_optimizer(optimizer, {} if phi is None else phi)
    header = {"format": FORMAT, "optimizer": name, "settings": dataclasses.asdict(optimizer), "notes": notes}
    try:
        header = np.array(json.dumps(header))
    except (TypeError, ValueError) as error:
        raise L2LError(f"notes must be what JSON can hold ({error})") from None
    leaves, _ = mg.tree.flatten(phi)
    arrays = dict(zip(_names(phi), leaves, strict=True))
    files.write(path, lambda file: np.savez_compressed(file, header=header, **arrays))


def load(path):
    """The pair (optimizer, φ) saved at path, which may also be the name of one that comes with the package: "mnist".

    Raises OptimizerFileError, saying what is wrong and what to do, where the file is missing, damaged, not a saved
    optimizer, or holds arrays of other shapes than its settings ask for, or numbers that are not finite.
    """
    header, arrays = read(path)
    try:
        optimizer = make_optimizer(header["optimizer"], **header["settings"])
    except (L2LError, KeyError, TypeError) as error:
        raise OptimizerFileError(f"{path} has unusable settings ({error}): train it again") from None
    template = optimizer.init(np.random.default_rng(0))
    leaves, rebuild = mg.tree.flatten(template)
    names = _names(template)
    for name, leaf in zip(names, leaves, strict=True):
        found = arrays.get(name)
        if found is None or found.shape != leaf.shape or found.dtype != leaf.dtype:
            shape = "missing" if found is None else f"{found.dtype} of shape {found.shape}"
            raise OptimizerFileError(
                f"{path}: {name} is {shape}, its settings ask for {leaf.dtype} of shape {leaf.shape}: train it again"
            )
        if not np.isfinite(found).all():
            raise OptimizerFileError(f"{path}: {name} has values that are not finite: train it again")
    return optimizer, rebuild([arrays[name] for name in names])


def read(path):
    """The header (a dict) and the arrays by name in the file at path, or of the name that `load` takes."""
    path = _file(path)
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        header = json.loads(str(arrays.pop("header")))
        if header["format"] != FORMAT:
            raise KeyError
    except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile, zlib.error):
        raise OptimizerFileError(f"{path} is damaged or not an optimizer saved by l2l: train it again") from None
    return header, arrays


def _file(path):
    """The file that path means. A bare name means one in TRAINED, unless there is a file of that name."""
    if not isinstance(path, (str, os.PathLike)):
        raise OptimizerFileError(f"a saved optimizer is named by its path, not by {path!r}")
    bare = Path(path).name == os.fspath(path) and Path(path).suffix != ".npz"
    path = Path(path)
    if bare and os.path.isfile(TRAINED / f"{path}.npz") and not os.path.isfile(path):
        return TRAINED / f"{path}.npz"
    if os.path.isfile(path):  # unlike Path.is_file, False for a name that no file can have
        return path
    there = ", ".join(sorted(file.stem for file in TRAINED.glob("*.npz"))) or "none"
    names = f", nor a trained optimizer of that name ({there})" if bare else ""
    raise OptimizerFileError(f"there is no file {path}{names}: make one with `python -m l2l train PROBLEM --out DIR`")


def _names(tree, prefix="phi"):
    """A name for every leaf, in the order of `minigrad.tree.flatten`: phi.layers.0.W"""
    if isinstance(tree, dict):
        return [name for key in sorted(tree) for name in _names(tree[key], f"{prefix}.{key}")]
    if isinstance(tree, (list, tuple)):
        return [name for i, item in enumerate(tree) for name in _names(item, f"{prefix}.{i}")]
    return [prefix]
