"""How a meta-training is doing, as a figure that a notebook draws again and again."""

import io
import os
import time

import numpy as np
from matplotlib.figure import Figure

from l2l import plots
from l2l.errors import L2LError
from l2l.meta_training.state import Training
from l2l.storage import logs


def watch(folder: str | os.PathLike, every: float = 5.0) -> None:
    """Draw how the meta-training that another process writes to the folder is doing, again every so many seconds until
    it is finished. Raises L2LError where there is no IPython, and where a log is missing or damaged."""
    try:
        from IPython.display import Image, clear_output, display
    except ImportError:
        raise L2LError("l2l.notebook.watch draws in a notebook: elsewhere run `python -m l2l watch DIR`") from None
    while True:
        training, png = logs.read(folder), io.BytesIO()
        figure(training, f"{folder}: episode {len(training.history):,}").savefig(png, format="png")
        clear_output(wait=True)
        display(Image(png.getvalue(), width=900))
        if training.finished:
            return
        time.sleep(every)


def figure(training: Training, title: str) -> Figure:
    """The losses of a meta-training so far, those of families, the norms of meta-gradients, how many were clipped, and
    the meta learning rate, by episode. What is noisy is pale, under a running mean."""
    panels = _panels(training)
    drawn, axes = plots.canvas(title, 2, len(panels) // 2, (4.2 * (len(panels) // 2), 6), sharex=True)
    for ax, (label, lines) in zip(axes, panels.items(), strict=True):
        few = len(lines) < 3  # the points of more would hide each other
        for k, (name, line) in enumerate(lines.items()):
            style = {"color": plots.COLOURS[k % len(plots.COLOURS)], "linestyle": ["-", "--", ":"][k // 7 % 3]}
            count = 1 if name in ("validation", "meta_learning_rate") else 1 + len(line) // (25 if few else 4)
            if few and count > 1:
                ax.plot(*line.T, alpha=0.3, **style)
            if len(line):
                mean = np.convolve(line[:, 1], np.ones(count) / count, "valid")
                ax.plot(line[count - 1 :, 0], mean, label=name, marker="." if len(mean) < 40 else "", **style)
        every = np.concatenate([line[:, 1] for line in lines.values()])
        if every.size and 0 < 10 * every.min() < every.max() and "clipped" not in lines:
            ax.set_yscale("log")
        if len(lines) > 1:
            ax.legend(frameon=False, fontsize=7, ncols=2)
        ax.set_ylabel(label, fontsize=8)
        ax.set_xlabel("episode")
        ax.grid(True, alpha=0.25)
    return drawn


def _panels(training):
    """{label of the axis: {name: points (episode, number)}}: four panels, or six where there are families."""
    records = [(0, logs.numbers(training.untrained)), *((r["episode"], logs.numbers(r)) for r in training.history)]

    def points(name):
        return np.array([(episode, known[name]) for episode, known in records if name in known]).reshape(-1, 2)

    panels = {"summed loss": {name: points(name) for name in ("train", "validation")}}
    if training.by_family:
        names = sorted({name for _, known in records for name in known if name.startswith("families/")})
        panels[training.judged_by] = {"validation": panels["summed loss"].pop("validation")}
        panels["log(last loss / first loss)"] = {name.removeprefix("families/"): points(name) for name in names}
    panels["norm of a meta-gradient, mean"] = {"meta_gradient_norm": points("meta_gradient_norm")}
    unrolls = training.settings.unrolls
    label = "clipped meta-gradients in an episode" if unrolls is None else "share of clipped meta-gradients"
    panels[label] = {"clipped": points("clipped") / (1, unrolls or 1)}
    panels["meta learning rate"] = {"meta_learning_rate": points("meta_learning_rate")}
    return panels
