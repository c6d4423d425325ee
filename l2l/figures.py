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


def local_models(loss, theta, gradient, matrices, title, window, names=("θ₁", "θ₂")):
    """A panel for each local model q(d) = ∇·d + ½ dᵀC d of {heading: C} at theta, over the contours of the true loss.

    loss: a function of a vector of two. window: ((low, high), (low, high)). Coloured are the contours of q below q = 0,
    ellipses where C is positive definite; an arrow leads to the minimum θ − C⁻¹∇. Returns (figure, axes).
    """
    figure, panels = plots.canvas(title, 1, len(matrices), (3.9 * len(matrices), 4.4), sharex=True, sharey=True)
    grid = np.stack(np.meshgrid(*(np.linspace(*ends, 81) for ends in window)))
    heights = np.apply_along_axis(loss, 0, grid)
    levels = np.quantile(heights, np.linspace(0, 1, 14) ** 1.5)
    away = grid - np.reshape(theta, (2, 1, 1))
    slope = np.einsum("i,ijk->jk", gradient, away)
    for axes, (heading, C), colour in zip(panels, matrices.items(), cycle(plots.COLOURS), strict=False):
        axes.contour(*grid, heights, levels=levels, colors="grey", linewidths=0.7, alpha=0.7)
        step = -np.linalg.solve(C, gradient)
        lowest = gradient @ step / 2
        model = slope + np.einsum("ijk,il,ljk->jk", away, C, away) / 2
        levels_of_model = sorted(lowest * (1 - k**2) for k in (1 / 3, 2 / 3, 1))
        axes.contour(*grid, model, levels=levels_of_model, colors=colour, linewidths=1.6, linestyles="solid")
        axes.annotate("", theta + step, theta, arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": 2})
        axes.plot(*theta, "o", color="black")
        axes.set(xlim=window[0], ylim=window[1], xlabel=names[0])
        axes.set_title(f"{heading}: {loss(theta):.3f} → {loss(theta + step):.3f}", fontsize=10)
    panels[0].set_ylabel(names[1])
    return figure, panels
