"""What l2l saves: optimizers, and meta-trainings that can be resumed.

Each file is an `archive`: the leaves of the trees are its arrays, and the header has all that rebuilds the rest.
"""

import contextlib
import dataclasses
import functools
import math
import os
from pathlib import Path
from typing import Any

import numpy as np

import minigrad as mg
from l2l.errors import DataError, OptimizerFileError
from l2l.meta_training.state import Settings, Training, Trajectory
from l2l.meta_training.unrolls import Unroll
from l2l.optimizers import OPTIMIZERS, check_optimizer, make_optimizer
from l2l.problems import PROBLEMS, draw_task, make_problem
from l2l.registry import UnknownName, name_in, settings_of
from l2l.storage import archive

OPTIMIZER_FORMAT, OLD_OPTIMIZER_FORMAT = "l2l-optimizer-2", archive.UNCHECKED
CHECKPOINT_FORMAT = "l2l-checkpoint-1"
WAY = ("number", "steps", "step", "functions")  # of a trajectory, beside its arrays
TRAINED = Path(__file__).parents[1] / "trained"  # the optimizers that come with the package


def save(path: str | Path, optimizer, phi, **notes) -> None:
    """Write optimizer and φ to path. notes: anything JSON can hold, such as the problem and seed of the training.

    Raises L2LError where the optimizer's class is not registered, φ has not its shapes, or path cannot be written.
    """
    header = {"format": OPTIMIZER_FORMAT, **_rule(optimizer), "notes": notes}
    check_optimizer(optimizer, {} if phi is None else phi)
    archive.write(path, header, _leaves("phi", phi))


def load(path: str | Path) -> tuple[Any, Any]:
    """The pair (optimizer, φ) saved at path, or that comes with the package under this name, such as "mnist".

    Raises OptimizerFileError, saying what is wrong and what to do, where the file is missing, damaged, not a saved
    optimizer, or holds arrays of other shapes than its settings ask for, or numbers that are not finite.
    """
    header, arrays = read(path)
    with _named_errors(path, "an optimizer"):
        optimizer = make_optimizer(header["optimizer"], **header["settings"])
        phi = _tree(arrays, "phi", _template(optimizer))
        for name, leaf in _leaves("phi", phi).items():
            if not np.isfinite(leaf).all():
                raise ValueError(f"{name} has values that are not finite")
    return optimizer, phi


def read(path: str | Path) -> tuple[dict, dict[str, np.ndarray]]:
    """The header and the arrays by name in the file that `load` takes for path."""
    path = _file(path)
    with _named_errors(path, "an optimizer"):
        return archive.read(path, OPTIMIZER_FORMAT, OLD_OPTIMIZER_FORMAT)


def save_training(path: str | Path, problem, optimizer, training: Training, notes: dict) -> None:
    """Write to path all that `load_training` returns."""
    state = {field.name: getattr(training, field.name) for field in dataclasses.fields(training)}
    trees = {name: state.pop(name) for name in ("phi", "latest", "initial")}
    trees["meta"] = {moment: array for moment, array in state.pop("meta_state").items() if moment != "t"}
    for k, way in enumerate(state.pop("trajectories")):
        state.setdefault("trajectories", []).append(way and {name: getattr(way, name) for name in WAY})
        if way:
            trees[f"trajectory.{k}"] = {"reached": way.reached, "losses": way.losses}
    header = {
        "format": CHECKPOINT_FORMAT,
        **_rule(optimizer),
        "problem": {"name": name_in(PROBLEMS, problem), **settings_of(PROBLEMS, problem)},
        "data": problem.data,
        "checksum": getattr(problem, "checksum", None),
        "training": dataclasses.asdict(state.pop("settings")),
        "state": state,
        "notes": notes,
    }
    arrays = {leaf: array for name, tree in trees.items() for leaf, array in _leaves(name, tree).items()}
    archive.write(path, header, arrays)


def load_training(path: str | Path) -> tuple:
    """The (problem, optimizer, training, notes) saved at path: `train` resumes from them with bit-identical results.

    Raises OptimizerFileError, saying what is wrong and what to do, where the file is missing or damaged, or where the
    problem's data have changed since.
    """
    with _named_errors(path, "a checkpoint"):
        header, arrays = archive.read(path, CHECKPOINT_FORMAT)
        problem = make_problem(**header["problem"])
        optimizer = make_optimizer(header["optimizer"], **header["settings"])
        data, checksum = header["data"], header.get("checksum")  # older checkpoints have no checksum
        if problem.data != data or checksum not in (None, getattr(problem, "checksum", None)):
            change = f"was trained on {data}; the data are now other ones, {problem.data}"
            raise OptimizerFileError(f"{path} {change}: set L2L_DATA as it was")
        template, state = _template(optimizer), header["state"]
        phi, latest, initial = (_tree(arrays, name, template) for name in ("phi", "latest", "initial"))
        vector = mg.tree.ravel(template)[0]
        meta_state = {**_tree(arrays, "meta", {"m": vector, "v": vector}), "t": state["meta_steps"]}
        settings = Settings(**header["training"])
        state.setdefault("drawn", len(state["history"]))  # older checkpoints have one task an episode
        at = functools.partial(_trajectory, problem, optimizer, settings, arrays)
        ways = [at(k, way) for k, way in enumerate(state.pop("trajectories", [None]))]
        training = Training(phi, latest, initial, meta_state, settings, trajectories=tuple(ways), **state)
        _check_history(training)
        return problem, optimizer, training, header["notes"]


# ------------------------------------------------------------------------------------------ their parts


def _rule(optimizer):
    return {"optimizer": name_in(OPTIMIZERS, optimizer), "settings": settings_of(OPTIMIZERS, optimizer)}


def _template(optimizer):
    with np.errstate(all="ignore"):  # only the shapes count
        return optimizer.init(np.random.default_rng(0))


def _trajectory(problem, optimizer, settings, arrays, k, way):
    """The k-th trajectory of a training. Its task and a new state of the optimizer have the structure of its trees."""
    if way is None:
        return None
    way = Trajectory(**{name: way[name] for name in WAY}, losses=arrays[f"trajectory.{k}.losses"])
    task = draw_task(problem, "train", settings.seed, way.number)
    particles = Unroll(problem, optimizer, settings).begin(way, task, _template(optimizer))
    return dataclasses.replace(way, reached=_tree(arrays, f"trajectory.{k}.reached", particles))


def _check_history(training):
    """Use the history as resuming and reporting do: that fails where it holds something else than numbers."""
    counted = ("episode", "meta_learning_rate", "clipped", "skipped", "seconds")
    math.fsum([training.best, *(record[name] for record in training.history for name in counted)])
    _ = training.curve(), training.finished, training.skipped_in_a_row


@contextlib.contextmanager
def _named_errors(path, what):
    """Within this context, an error in reading the file at path, or in using what it holds, names the file."""
    try:
        yield
    except (DataError, OptimizerFileError):
        raise
    except OSError as error:
        raise OptimizerFileError(f"{path} cannot be read ({error.strerror}): see to its permissions") from None
    except archive.Damaged as reason:
        raise OptimizerFileError(f"{path} is damaged or not {what} saved by l2l ({reason}): train it again") from None
    except UnknownName as error:
        raise OptimizerFileError(f"{path}: {error}") from None
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise OptimizerFileError(f"{path} cannot be used ({error}): train it again") from None


def _file(path):
    """The file that path means: the one at path, else the one of this name in TRAINED."""
    if not isinstance(path, (str, os.PathLike)):
        raise OptimizerFileError(f"a saved optimizer is named by its path, not by {path!r}")
    bare = Path(path).name == os.fspath(path) and Path(path).suffix != ".npz"
    for file in [Path(path), TRAINED / f"{path}.npz"][: 2 if bare else 1]:
        if os.path.isfile(file):  # unlike Path.is_file, False for a name that no file can have
            return file
    there = ", ".join(sorted(file.stem for file in TRAINED.glob("*.npz"))) or "none"
    names = f", nor a trained optimizer of that name ({there})" if bare else ""
    raise OptimizerFileError(f"there is no file {path}{names}: make one with `python -m l2l train PROBLEM --out DIR`")


def _leaves(name, tree):
    """The leaves of a tree by name, {"phi.layers.0.W": …}, in the order of `minigrad.tree.flatten`."""
    if not isinstance(tree, (dict, list, tuple)):
        return {name: tree}
    items = sorted(tree.items()) if isinstance(tree, dict) else enumerate(tree)
    return {leaf: array for key, item in items for leaf, array in _leaves(f"{name}.{key}", item).items()}


def _tree(arrays, prefix, template):
    """The tree with the structure of template whose leaves are among the arrays. A number stays a number."""

    def kind(leaf):
        return "missing" if leaf is None else f"{leaf.dtype} of shape {leaf.shape}"

    wanted = _leaves(prefix, template)
    for name, leaf in wanted.items():
        if kind(arrays.get(name)) != kind(np.asarray(leaf)):
            raise ValueError(f"{name} is {kind(arrays.get(name))}, its settings ask for {kind(np.asarray(leaf))}")
    found = [
        arrays[name] if isinstance(leaf, np.ndarray) else type(leaf)(arrays[name]) for name, leaf in wanted.items()
    ]
    return mg.tree.flatten(template)[1](found)
