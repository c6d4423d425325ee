"""What the command line prints, as text."""

import dataclasses
import inspect
import json
import re

import numpy as np

from l2l.evaluation import summary
from l2l.registry import about

FEW = 12  # validations shown of a meta-curve
CITATION = re.compile(r"\s\([^()]*\d{4}[^()]*\)")
SENTENCE_END = re.compile(r"[.:]$|\. (?=[A-Z])")


def listing(registry):
    """Problems or optimizers: of each the name, what it is, and a line for every setting."""
    lines = []
    for name, cls in registry.items():
        paragraph = CITATION.sub("", inspect.getdoc(cls) or "").partition("\n\n")[0]
        lines.append(f"{name:18} {SENTENCE_END.split(' '.join(paragraph.split()))[0]}")
        lines += [f"    {field.name:14} {about(field)}" for field in dataclasses.fields(cls)]
        presets = getattr(cls, "presets", None)
        lines += [f"    {'preset':14} {' or '.join(presets)}, for several settings at once"] if presets else []
    return "\n".join(lines)


def exceptions(training):
    """What did not go as in most trainings, a line each."""
    episodes = training.settings.episodes
    clipped, skipped = (sum(record[what] for record in training.history) for what in ("clipped", "skipped"))
    if len(training.history) < episodes:
        yield f"stopped after episode {len(training.history)} of {episodes}: no new best since {training.best_episode}"
    if clipped:
        yield f"{clipped} meta-gradients were clipped, in {training.meta_steps} meta-steps"
    if skipped:
        yield f"{skipped} of {training.drawn} tasks were dropped: a meta-loss or gradient was not finite"


def race(results, steps):
    """The results of `compare` as a table, the best first."""
    lines = [f"\n{'optimizer':12} {'learning rate':>13} {f'loss summed over {steps} steps':>28} {'last loss':>11}"]
    for name, row in sorted(summary(results).items(), key=lambda item: item[1]["sum"]):
        rate = "learned" if row["learning_rate"] is None else f"{row['learning_rate']:.3g}"
        remark = "  (at the edge of its grid)" if row["grid_edge"] else ""
        remark += f"  (diverged in {row['diverged']} of {len(row['sum_per_run'])} runs)" if row["diverged"] else ""
        lines.append(f"{name:12} {rate:>13} {row['sum']:>28.4g} {row['final']:>11.4g}{remark}")
    return "\n".join(lines)


def suite(scores):
    """The results of `suite.scoring.score` as tables: the wins, and the losses beside the best Adam with cosine."""
    lines = []
    for name, row in scores.items():
        lines += [f"\n{name}: of {row['losses']} losses, ends below", ""]
        for rival, wins in row["wins"].items():
            lines.append(f"  {rival:22} {wins:3} of {row['full_batch'] if rival == 'l-bfgs' else row['losses']}")
        lines += [
            "",
            f"above its start: {row['above_start']}; worth {row['tuning_runs']} tuning runs of Adam with cosine",
        ]
        lines += ["log(loss / that of the best Adam with cosine decay):", ""]
        by_ratio = sorted(row["ratio"].items(), key=lambda item: item[1])
        lines += [f"  {loss:32} {ratio:6.2f}" for loss, ratio in by_ratio]
        lines.append(f"  {'median':32} {row['median']:6.2f}")
    return "\n".join(lines)


def finding(results):
    """A figure's title: which of the results of `compare` is best."""
    sums = {name: row["sum"] for name, row in summary(results).items()}
    best = min(sums, key=sums.__getitem__)
    runs, steps = results[best]["curves"].shape
    return f"{best} has the lowest summed loss over {steps} steps ({runs} held-out runs)"


def progress(path, training, notes):
    """What `checkpoint.load_training` finds in a checkpoint: how far the meta-training is, its settings and notes."""
    done, episodes = len(training.history), training.settings.episodes
    lines = [
        f"{path}: a meta-training after episode {done} of {episodes}, {training.meta_steps:,} meta-steps",
        f"the best {training.judged_by} is {training.best:.4g}, after episode {training.best_episode}",
        "",
        _line("training", _words(dataclasses.asdict(training.settings))),
    ]
    return "\n".join(lines + [_line(name, _words(note)) for name, note in notes.items() if name != "training"])


def anatomy(path, header, arrays):
    """What `checkpoint.read` finds in a saved optimizer: its rule, settings, arrays and notes."""
    count = sum(array.size for array in arrays.values())
    lines = [f"{path}: {header['optimizer']}, {count:,} parameters", "", _line("settings", _words(header["settings"]))]
    for name, array in arrays.items():
        lines.append(_line(name, f"{array.dtype} {' × '.join(map(str, array.shape)) or 'scalar'}"))
    for name, note in header.get("notes", {}).items():
        lines.append(_line(name, _curve(note) if name == "meta_curve" else _words(note)))
    return "\n".join(lines)


def _line(name, text):
    return f"{name:18} {text}"


def _words(note):
    if isinstance(note, dict):
        return " ".join(f"{key}={_bracketed(value)}" for key, value in note.items())
    if isinstance(note, list):
        between = "; " if any(isinstance(item, dict) for item in note) else "-"
        return between.join(map(_words, note))
    return note if isinstance(note, str) else json.dumps(note)


def _bracketed(value):
    """A dict inside a dict shows where it ends."""
    return f"({_words(value)})" if isinstance(value, dict) else _words(value)


def _curve(note):
    """Some validations of a meta-curve, evenly spread, with the first and the last; anything else as it is."""
    try:
        points = note["validation"]
        chosen = sorted(set(np.linspace(0, len(points) - 1, FEW).round().astype(int).tolist()))
        shown = ", ".join(f"{points[i][0]}: {_words(points[i][1])}" for i in chosen)
    except (TypeError, LookupError):
        return _words(note)
    return f"summed validation loss by episode: {shown}"


def show(text):
    """Print what a file says that anybody may have written."""
    print("\n".join(map(printable, str(text).split("\n"))))


def printable(line):
    """A line without what a terminal would obey, such as escape sequences."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)
