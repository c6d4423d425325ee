"""Figures in one house style: white ground (readable on a dark page), colour-blind-safe, every axis labelled."""

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from l2l import files

# Okabe & Ito's palette, safe for the common forms of colour blindness; black is kept for what was learned.
COLOURS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8C6D31"]
STYLES = ["--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1))]


def curves(path, results, title):
    """Loss against step for each of `compare`'s results: the mean, and the 10th to 90th percentile of the runs."""
    figure = Figure(figsize=(7, 4.5), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    designed = 0
    for name, result in results.items():
        rate, losses = result["learning_rate"], result["curves"]
        if rate is None:
            style, label = {"color": "black", "linewidth": 2.2, "zorder": 3}, f"{name} (learned)"
        else:
            style = {"color": COLOURS[designed % len(COLOURS)], "linestyle": STYLES[designed % len(STYLES)]}
            label, designed = f"{name}, learning rate {rate:.2g}", designed + 1
        step = np.arange(losses.shape[1])
        axes.plot(step, losses.mean(axis=0), label=label, **style)
        low, high = np.percentile(losses, [10, 90], axis=0)
        axes.fill_between(step, low, high, color=style["color"], alpha=0.15, linewidth=0)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("step")
    axes.set_ylabel("loss, mean over runs (band: 10th to 90th percentile)")
    axes.set_title(title, fontsize=11)
    axes.grid(True, which="both", alpha=0.25)
    axes.legend(frameon=False, fontsize=9)
    files.write(path, lambda file: figure.savefig(file, format="png"))
