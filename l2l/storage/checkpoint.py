"""What is saved: optimizers, and meta-trainings that can go on. Each is an `archive` of trees, leaf by leaf, with all
that rebuilds the rest in its header."""

import contextlib
import dataclasses
import math
import os
from pathlib import Path

import numpy as np

import minigrad as mg
from l2l.errors import OptimizerFileError
from l2l.meta_training.state import Settings, Training
from l2l.optimizers import OPTIMIZERS, check_optimizer, make_optimizer
from l2l.problems import PROBLEMS, make_problem
from l2l.registry import name_in, settings_of, whole
from l2l.storage import archive

FORMAT, OLDER = "l2l-optimizer-2", archive.UNCHECKED
UNFINISHED = "l2l-checkpoint-1"
TRAINED = Path(__file__).parents[1] / "trained"  # the optimizers that come with the package


def save(path, optimizer, phi, **notes):
    """Write optimizer and φ to path. notes: anything JSON can hold, such as the problem and seed of the training.

    Raises L2LError where optimizer is none of this package's, φ is not its, or path cannot be written.
    """
    header = {"format": FORMAT, **_rule(optimizer), "notes": notes}
    check_optimizer(optimizer, {} if phi is None else phi)
    archive.write(path, header, _leaves("phi", phi))


def load(path):
    """The pair (optimizer, φ) saved at path, which may also be the name of one that comes with the package: "mnist".

    Raises OptimizerFileError, saying what is wrong and what to do, where the file is missing, damaged, not a saved
    optimizer, or holds arrays of other shapes than its settings ask for, or numbers that are not finite.
    """
    header, arrays = read(path)
    with _usable(path):
        optimizer = make_optimizer(header["optimizer"], **header["settings"])
    phi = _tree(path, arrays, "phi", _template(optimizer))
    for name, leaf in _leaves("phi", phi).items():
        if not np.isfinite(leaf).all():
            raise OptimizerFileError(f"{path}: {name} has values that are not finite: train it again")
    return optimizer, phi


def read(path):
    """The header (a dict) and the arrays by name in the file at path, or of the name that `load` takes."""
    return _read(_file(path), "an optimizer", FORMAT, OLDER)


# ------------------------------------------------------------------------------------------ meta-trainings


def save_training(path, problem, optimizer, training, notes):
    """Write to path all that `load_training` gives back."""
    state = {field.name: getattr(training, field.name) for field in dataclasses.fields(training)}
    trees = {name: state.pop(name) for name in ("phi", "latest", "initial")}
    trees["meta"] = {moment: array for moment, array in state.pop("meta_state").items() if moment != "t"}
    header = {
        "format": UNFINISHED,
        **_rule(optimizer),
        "problem": {"name": name_in(PROBLEMS, problem), **settings_of(PROBLEMS, problem)},
        "data": problem.data,
        "checksum": getattr(problem, "checksum", None),
        "training": dataclasses.asdict(state.pop("settings")),
        "state": state,
        "notes": notes,
    }
    arrays = {}
    for name, tree in trees.items():
        arrays |= _leaves(name, tree)
    archive.write(path, header, arrays)


def load_training(path):
    """The (problem, optimizer, training, notes) saved at path, from which `train` goes on as if it had never ended.

    Raises OptimizerFileError, saying what is wrong and what to do, where the file is missing or damaged, or where the
    problem's data are not those of the training.
    """
    header, arrays = _read(Path(path), "a checkpoint", UNFINISHED)
    with _usable(path):
        problem = make_problem(**header["problem"])
        optimizer = make_optimizer(header["optimizer"], **header["settings"])
        settings, state, notes = Settings(**header["training"]), header["state"], header["notes"]
        data, checksum = header["data"], header.get("checksum")  # older checkpoints have none
    if problem.data != data:
        raise OptimizerFileError(f"{path} was trained on {data}, but here is {problem.data}: set L2L_DATA as it was")
    if checksum not in (None, getattr(problem, "checksum", None)):
        raise OptimizerFileError(f"{path} was trained on other data than {problem.data}: set L2L_DATA as it was")
    template = _template(optimizer)
    phi, latest, initial = (_tree(path, arrays, name, template) for name in ("phi", "latest", "initial"))
    vector = mg.tree.ravel(template)[0]
    moments = _tree(path, arrays, "meta", {"m": vector, "v": vector})
    with _usable(path):
        meta_state = {**moments, "t": state["meta_steps"]}
        training = Training(phi, latest, initial, meta_state, settings, **state)
        _check_past(training)
    return problem, optimizer, training, notes


# ------------------------------------------------------------------------------------------ their parts


@contextlib.contextmanager
def _usable(path):
    """Within this context, whatever is wrong with a header's values is wrong with the file at path."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise OptimizerFileError(f"{path} has unusable settings ({error}): train it again") from None


def _rule(optimizer):
    return {"optimizer": name_in(OPTIMIZERS, optimizer), "settings": settings_of(OPTIMIZERS, optimizer)}


def _check_past(training):
    """Do with a training's past what will be done with it; this fails where it is something else than numbers."""
    history = training.history
    if [record["episode"] for record in history] != list(range(1, len(history) + 1)):
        raise ValueError("episodes are missing")
    whole(0, len(history), best_episode=training.best_episode)
    whole(0, len(history) * training.settings.steps, meta_steps=training.meta_steps)
    if not isinstance(training.best, float):
        raise ValueError("the best loss is no loss")
    for record in history:
        math.fsum(record[name] for name in ("meta_learning_rate", "clipped", "skipped", "seconds"))
    training.curve()


def _template(optimizer):
    with np.errstate(all="ignore"):  # only the shapes count
        return optimizer.init(np.random.default_rng(0))


def _read(path, what, *formats):
    try:
        header, arrays = archive.read(path, *formats)
        if not isinstance(header.get("notes", {}), dict):
            raise archive.Damaged("notes that are none")
    except OSError as error:
        raise OptimizerFileError(f"{path} cannot be read ({error.strerror}): see to its permissions") from None
    except archive.Damaged as reason:
        raise OptimizerFileError(f"{path} is damaged or not {what} saved by l2l ({reason}): train it again") from None
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


def _leaves(prefix, tree):
    """The leaves of a tree by name: {"phi.layers.0.W": …}"""
    return dict(zip(_names(prefix, tree), mg.tree.flatten(tree)[0], strict=True))


def _tree(path, arrays, prefix, template):
    """The tree like template whose leaves are among the arrays."""
    for name, leaf in _leaves(prefix, template).items():
        found = arrays.get(name)
        if found is None or found.shape != leaf.shape or found.dtype != leaf.dtype:
            shape = "missing" if found is None else f"{found.dtype} of shape {found.shape}"
            raise OptimizerFileError(
                f"{path}: {name} is {shape}, its settings ask for {leaf.dtype} of shape {leaf.shape}: train it again"
            )
    return mg.tree.flatten(template)[1]([arrays[name] for name in _names(prefix, template)])


def _names(prefix, tree):
    """A name for every leaf, in the order of `minigrad.tree.flatten`."""
    if isinstance(tree, dict):
        return [name for key in sorted(tree) for name in _names(f"{prefix}.{key}", tree[key])]
    if isinstance(tree, (list, tuple)):
        return [name for i, item in enumerate(tree) for name in _names(f"{prefix}.{i}", item)]
    return [prefix]
