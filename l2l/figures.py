"""Drawings for the lessons, in the style of `l2l.plots`. They return a figure, or a figure and its axes to add to."""

from itertools import cycle

import numpy as np
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from l2l import plots


def lines(series, title, x, y, log="", size=(7, 4.5)):
    """Curves with a legend: series {label: (xs, ys)} or {label: (xs, ys, style)}, with Matplotlib's line properties.

    x, y: axis labels with units. log: which axes are logarithmic, "x", "y", "xy" or "". Returns (figure, axes).
    """
    figure, (axes,) = plots.canvas(title, size=size)
    styles = zip(cycle(plots.COLOURS), cycle(["-", *plots.STYLES]), strict=False)
    for (label, (xs, ys, *own)), (colour, dashes) in zip(series.items(), styles, strict=False):
        axes.plot(xs, ys, **{"label": label, "color": colour, "linestyle": dashes, **(own[0] if own else {})})
    axes.set(xlabel=x, ylabel=y, xscale="log" if "x" in log else "linear", yscale="log" if "y" in log else "linear")
    axes.grid(True, alpha=0.25)
    axes.legend(frameon=False, fontsize=9)
    return figure, axes


def loop():
    """The two loops of learning to learn: the optimizer moves θ, and the meta-optimizer moves the optimizer's φ."""
    figure, (axes,) = plots.canvas("The optimizer is moved by what its own steps led to", size=(9, 3.6))
    axes.set(xlim=(0, 18), ylim=(0, 7.2))
    axes.axis("off")
    boxes = {
        "optimizee": (1.2, "optimizee\nf(θ): the loss of a model", plots.COLOURS[4]),
        "optimizer": (7.2, "optimizer\nm(∇, h; φ): an LSTM", plots.COLOURS[1]),
        "meta": (13.2, "meta-optimizer\nAdam on φ", plots.COLOURS[2]),
    }
    for left, text, colour in boxes.values():
        box = FancyBboxPatch((left, 2.6), 3.6, 2.0, boxstyle="round,pad=0.2", facecolor=colour, alpha=0.35)
        axes.add_patch(box)
        axes.text(left + 1.8, 3.6, text, ha="center", va="center", fontsize=10)

    def arrow(start, end, bend, text, at, style="-"):
        path = FancyArrowPatch(start, end, connectionstyle=f"arc3,rad={bend}", arrowstyle="-|>", mutation_scale=14,
                               linestyle=style, color="black", linewidth=1.4)  # fmt: skip
        axes.add_patch(path)
        axes.text(*at, text, ha="center", va="center", fontsize=9.5)

    arrow((3.4, 4.9), (8.6, 4.9), -0.32, "gradient  ∇ₜ = ∂f/∂θₜ", (6.0, 6.2))
    arrow((8.6, 2.3), (3.4, 2.3), -0.32, "update  gₜ,  θₜ₊₁ = θₜ + gₜ", (6.0, 1.0))
    arrow((9.9, 4.9), (14.6, 4.9), -0.32, "meta-loss  L(φ) = Σₜ wₜ f(θₜ)", (12.4, 6.2), "--")
    arrow((14.6, 2.3), (9.9, 2.3), -0.32, "new weights  φ − α ∂L/∂φ", (12.4, 1.0), "--")
    axes.text(6.0, 0.25, "every step (solid)", ha="center", fontsize=8.5, color="dimgrey")
    axes.text(12.4, 0.25, "every unroll (dashed)", ha="center", fontsize=8.5, color="dimgrey")
    return figure


def paths(loss, routes, title, reach, size=(7, 4.5)):
    """Ways down a loss of two parameters: routes {label: (steps + 1, 2)} over contours of loss(θ₁, θ₂), with arrays.

    reach: ((left, right), (bottom, top)), the part of the plane that is drawn. Returns (figure, axes).
    """
    figure, (axes,) = plots.canvas(title, size=size)
    across, up = np.meshgrid(*(np.linspace(*limits, 200) for limits in reach))
    height = loss(across, up)
    levels = np.quantile(height, [0.01, 0.04, 0.1, 0.2, 0.35, 0.55, 0.8])
    axes.contour(across, up, height, levels=levels, colors="grey", linewidths=0.7, alpha=0.6)
    styles = zip(cycle(plots.COLOURS), cycle("os^D"), strict=False)
    for (label, points), (colour, marker) in zip(routes.items(), styles, strict=False):
        axes.plot(*np.transpose(points), label=label, color=colour, marker=marker, markersize=4, linewidth=1.2)
    axes.set(xlabel="θ₁", ylabel="θ₂", xlim=reach[0], ylim=reach[1])
    axes.legend(frameon=False, fontsize=9)
    return figure, axes


def field(xs, ys, values, title, x, y, scale, size=(7.5, 4.8)):
    """Values (len(ys), len(xs)) between 0 and 1 as colours over the plane; what exceeds 1 is hatched.

    x, y, scale: the labels of the axes and of the bar. Returns (figure, axes).
    """
    figure, (axes,) = plots.canvas(title, size=size)
    axes.set_facecolor("#dddddd")
    axes.patch.set(hatch="///", edgecolor="white")
    inside = np.ma.masked_greater(values, 1.0)
    image = axes.pcolormesh(xs, ys, inside, cmap="cividis", vmin=0.0, vmax=1.0, rasterized=True)
    axes.set(xlabel=x, ylabel=y)
    figure.colorbar(image, label=scale)
    return figure, axes
