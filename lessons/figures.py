"""Drawings for the lessons, in the style of `l2l.plots`. They return a figure, or a figure and its axes to add to."""

from itertools import cycle

import numpy as np
from matplotlib import colormaps
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle

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


def backward_passes(passes, names, title, size=(4.0, 3.6)):
    """Derivatives on their way back along a chain of values, one column for each pass: (figure, draw, frames).

    passes: {label: [(node, parent, contribution), …]}, the edges in the order in which they are walked, two of them
    between neighbours. names: one for each node; the last is the result. draw(k) shows the state after k edges.
    """
    figure, axes = plots.canvas(title, 1, len(passes), size)

    def draw(k):
        for ax, (label, edges) in zip(axes, passes.items(), strict=True):
            _draw_pass(ax, edges, names, k)
            ax.set_title(label, fontsize=12)

    return figure, draw, 2 + max(map(len, passes.values()))


def _draw_pass(ax, edges, names, k):
    last, walked, done = len(names) - 1, min(k, len(edges)), k > len(edges)
    total, so_far = [0.0] * last + [1.0], [0.0] * last + [1.0]
    for i, (_, parent, contribution) in enumerate(edges):
        total[parent] += contribution
        so_far[parent] += contribution if i < walked else 0.0
    ax.clear()
    ax.set(xlim=(-1.5, 1.5), ylim=(-1.15, last + 0.5))
    ax.axis("off")
    for node, name in enumerate(names):
        empty, complete = so_far[node] == 0, so_far[node] == total[node]
        colour = "white" if empty else plots.COLOURS[2] if complete else plots.COLOURS[1]
        text = "" if empty else f"{so_far[node]:g}" if complete else f"{so_far[node]:g} of {total[node]:g}"
        box = FancyBboxPatch((-0.47, node - 0.13), 0.94, 0.26, boxstyle="round,pad=0.08", facecolor=colour, alpha=0.55)
        ax.add_patch(box)
        ax.text(0, node, text, ha="center", va="center", fontsize=11)
        ax.text(-0.7, node, name, ha="right", va="center", fontsize=11)
    pairs = [edge[:2] for edge in edges]
    busy = (*pairs[walked - 1], pairs[:walked].count(pairs[walked - 1]) % 2) if walked and not done else None
    for node, parent in sorted(set(pairs)):
        for side, x in enumerate((-0.28, 0.28)):
            now = (node, parent, side) == busy
            style = {"color": plots.COLOURS[5], "linewidth": 3.0} if now else {"color": "grey", "linewidth": 1.0}
            size = 22 if now else 12
            ax.add_patch(
                FancyArrowPatch((x, node - 0.22), (x, parent + 0.22), arrowstyle="-|>", mutation_scale=size, **style)
            )
    if busy:
        sent = f"+ {edges[walked - 1][2]:g}"
        ax.text(0.55, (busy[0] + busy[1]) / 2, sent, va="center", fontsize=11, color=plots.COLOURS[5])
    ax.text(0, -0.8, f"{walked} edge{'' if walked == 1 else 's'}{', done' if done else ''}", ha="center", fontsize=11)


def shape_flow(x, y, z, u, to_x, to_y, title):
    """How a column x (m, 1) and a row y (n,) become z (m, n), and how the cotangent u of z goes back to both."""
    figure, axes = plots.canvas(title, 1, 2, (9, 4.2))
    m, n = z.shape
    blue, orange = plots.COLOURS[4], plots.COLOURS[1]
    sides = [
        ("forward: copies", "-|>", "{} copies", blue, ("x", x), ("y", y), ("z = x + y", z)),
        ("backward: sums", "<|-", "sum of {}", orange, ("cotangent of x", to_x), ("cotangent of y", to_y),
         ("cotangent of z", u)),
    ]  # fmt: skip
    for ax, (heading, head, words, colour, column, row, grid) in zip(axes, sides, strict=True):
        ax.set_title(heading, fontsize=11)
        ax.set(xlim=(-4.6, n + 0.4), ylim=(-0.8, m + 2.8), aspect="equal")
        ax.axis("off")
        for left, bottom, array in ((-3.2, 0, column), (0, m + 1.6, row), (0, 0, grid)):
            _draw_cells(ax, left, bottom, *array, colour)
        for start, end in (((-2.1, m / 2), (-0.1, m / 2)), ((n / 2, m + 0.95), (n / 2, m + 0.1))):
            ax.add_patch(FancyArrowPatch(start, end, arrowstyle=head, mutation_scale=16, color="black", linewidth=1.5))
        ax.text(-1.1, m / 2 + 0.3, words.format(n), ha="center", va="center", fontsize=9.5)
        ax.text(n / 2 + 0.25, m + 0.5, words.format(m), ha="left", va="center", fontsize=9.5)
    return figure


def _draw_cells(ax, left, bottom, name, values, colour):
    """An array as cells with numbers, named and with its shape below; a vector lies in a row."""
    cells = np.atleast_2d(values)
    rows, columns = cells.shape
    for (i, j), value in np.ndenumerate(cells):
        at = (left + j, bottom + rows - 1 - i)
        ax.add_patch(Rectangle(at, 1, 1, facecolor=colour, alpha=0.45, edgecolor="none"))
        ax.add_patch(Rectangle(at, 1, 1, facecolor="none", edgecolor="black", linewidth=0.8))
        ax.text(at[0] + 0.5, at[1] + 0.5, f"{value:g}", ha="center", va="center", fontsize=10)
    ax.text(left + columns / 2, bottom - 0.15, f"{name}, {np.shape(values)}", ha="center", va="top", fontsize=9)


def line_panels(groups, title, x, y, log="", size=None):
    """`lines` side by side on one scale: groups {heading: series}, one legend, taken from the first panel.

    Returns (figure, list of axes).
    """
    figure, axes = plots.canvas(
        title, width=len(groups), size=size or (2.3 * len(groups), 3.4), sharex=True, sharey=True
    )
    for ax, (heading, series) in zip(axes, groups.items(), strict=True):
        styles = zip(cycle(plots.COLOURS), cycle(["-", *plots.STYLES]), strict=False)
        for (label, (xs, ys, *own)), (colour, dashes) in zip(series.items(), styles, strict=False):
            ax.plot(xs, ys, **{"label": label, "color": colour, "linestyle": dashes, **(own[0] if own else {})})
        ax.set(xlabel=x, xscale="log" if "x" in log else "linear", yscale="log" if "y" in log else "linear")
        ax.set_title(heading, fontsize=10)
        ax.grid(True, alpha=0.25)
    axes[0].set_ylabel(y)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    return figure, list(axes)


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
    """Values (len(ys), len(xs)) between 0 and 1 as colours over the plane, in steps of 0.05; what exceeds 1 is hatched.

    x, y, scale: the labels of the axes and of the bar. Returns (figure, axes).
    """
    figure, (axes,) = plots.canvas(title, size=size)
    axes.set_facecolor("#dddddd")
    axes.patch.set(hatch="///", edgecolor="white")
    inside = np.ma.masked_greater(values, 1.0)
    colours = colormaps["cividis"].resampled(20)  # steps, for a notebook keeps too few colours for shades
    image = axes.pcolormesh(xs, ys, inside, cmap=colours, vmin=0.0, vmax=1.0, rasterized=True)
    axes.set(xlabel=x, ylabel=y)
    figure.colorbar(image, label=scale)
    return figure, axes


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


def stages(series, title, x, y, log="", size=(7, 4.5)):
    """`lines` for curves that follow one another, {label: (xs, ys)}: from light to dark, the last one black."""
    shades = colormaps["viridis_r"](np.linspace(0.12, 0.85, max(1, len(series) - 1)))
    styles = [{"color": colour, "linestyle": "-"} for colour in shades[: len(series) - 1]] + [
        {**plots.LEARNED, "linestyle": "-"}
    ]
    drawn = {label: (*curve[:2], style) for (label, curve), style in zip(series.items(), styles, strict=True)}
    return lines(drawn, title, x, y, log, size)


def film(curves, reference, title, x, y, size=(4.2, 3.6)):
    """Curves that follow one another, {label: ys}, one a frame, in grey the one with the lowest sum so far. Returns
    (figure, draw, frames).

    reference: a pair (label, ys) that stays. The axis of y is logarithmic.
    """
    figure, (axes,) = plots.canvas(title, size=size)
    everything = np.concatenate([reference[1], *curves.values()])
    limits = (0.5 * everything.min(), 1.25 * everything.max())

    def draw(k):
        axes.clear()
        axes.plot(min(list(curves.values())[: k + 1], key=np.sum), color="silver")
        label, now = list(curves.items())[k]
        axes.plot(reference[1], label=reference[0], color=plots.COLOURS[5], linestyle="--")
        axes.plot(now, label=label, **plots.LEARNED)
        axes.set(xlabel=x, ylabel=y, yscale="log", ylim=limits)
        axes.grid(True, alpha=0.25)
        axes.legend(frameon=False, fontsize=9, loc="lower left")

    return figure, draw, len(curves)


def responses(signals, answers, title, x="step", size=(11, 6.2)):
    """What rules answer to signals: a row for each of signals {name: (steps,)}, a column for each of answers {rule:
    {name: (steps,)}}. A row of signals and a column of answers are each scaled to their largest size, 1.

    The signal is the grey area behind the answer. Returns a figure.
    """
    figure, axes = plots.canvas(title, len(signals), len(answers), size, sharex=True, sharey=True)
    axes = axes.reshape(len(signals), len(answers))
    for column, (rule, found) in zip(axes.T, answers.items(), strict=True):
        scale = max(np.max(np.abs(answer)) for answer in found.values())
        column[0].set_title(f"{rule}\n(1 is {scale:.2g})", fontsize=9.5)
        column[-1].set_xlabel(x)
        for ax, (name, signal) in zip(column, signals.items(), strict=True):
            steps = np.arange(len(signal))
            ax.fill_between(steps, signal / np.max(np.abs(signal)), color="grey", alpha=0.3, linewidth=0, step="mid")
            ax.plot(steps, found[name] / scale, color=plots.COLOURS[0], linewidth=1.3)
            ax.set_ylim(-1.12, 1.12)
            ax.grid(True, alpha=0.2)
    for ax, name in zip(axes[:, 0], signals, strict=True):
        ax.set_ylabel(f"{name}\nscaled")
    return figure


def unrolled(steps=3):
    """The graph of an unrolled optimizer (Andrychowicz et al. 2016, Figure 2): dashed, the edges that the first-order
    meta-gradient takes for absent."""
    figure, (axes,) = plots.canvas(
        "The first-order meta-gradient does not walk back along the dashed edges", size=(9, 4.2)
    )
    axes.set(xlim=(-1.6, 3 * steps + 0.6), ylim=(-1.7, 4.7))
    axes.axis("off")
    optimizee, losses, rule = "#BFE3F5", "#D9D9D9", "#FBE0B0"
    cut = {"linestyle": "--", "color": plots.COLOURS[5], "linewidth": 2.4}

    def node(x, y, text, colour):
        box = {"boxstyle": "round,pad=0.35", "facecolor": colour, "edgecolor": "none"}
        axes.text(x, y, text, ha="center", va="center", fontsize=12, zorder=3, bbox=box)

    def edge(start, end, **style):
        given = {"arrowstyle": "-|>", "mutation_scale": 13, "color": "black", "linewidth": 1.3, "shrinkA": 15}
        axes.add_patch(FancyArrowPatch(start, end, **{**given, "shrinkB": 15, **style}))

    def name(symbol, k):
        return f"{symbol}$_{{t{f'+{k}' if k else ''}}}$"

    for k in range(steps):
        x = 3 * k
        node(x, 2.7, name("θ", k), optimizee)
        node(x, 4.2, f"f({name('θ', k)})", losses)
        edge((x, 2.7), (x, 4.2))
        node(x + 0.75, 1.4, name("∇", k), optimizee)
        edge((x, 2.7), (x + 0.75, 1.4), **cut)
        node(x + 1.5, 0.1, "m", rule)
        edge((x + 0.75, 1.4), (x + 1.5, 0.1))
        edge((x + 1.5, -1.3), (x + 1.5, 0.1), shrinkA=0)
        if k + 1 < steps:
            edge((x, 2.7), (x + 3, 2.7))
            edge((x + 1.5, 0.1), (x + 3, 2.7))
            axes.text(x + 2.05, 1.5, name("g", k), fontsize=12, ha="right", va="center")
            edge((x + 1.5, 0.1), (x + 4.5, 0.1))
            axes.text(x + 3.0, -0.3, name("h", k + 1), fontsize=12, ha="center", va="center")
    axes.plot([-0.6, 3 * steps - 1.5], [-1.3, -1.3], color="black", linewidth=1.3)
    node(-1.0, -1.3, "φ", rule)
    return figure


def influences(panels, title, scale, reach=None, size=(9, 4.2)):
    """Triangles of numbers around 0, panels {heading: (steps, steps)}: [s, t] is what update t does to the loss at step
    s > t. Purple below 0 and orange above, on one scale from −reach to reach, by default the 98th percentile of the
    sizes; what lies beyond is coloured like the end. Returns (figure, list of axes)."""
    figure, axes = plots.canvas(title, width=len(panels), size=size, sharey=True)
    later = {heading: np.ma.array(found, mask=np.tri(*found.shape, -1) == 0) for heading, found in panels.items()}
    if reach is None:
        reach = np.percentile(np.abs(np.concatenate([found.compressed() for found in later.values()])), 98)
    for ax, (heading, found) in zip(axes, later.items(), strict=True):
        image = ax.imshow(found, cmap=colormaps["PuOr_r"].resampled(17), vmin=-reach, vmax=reach, origin="lower")
        ax.set_facecolor("#dddddd")
        ax.set_title(heading, fontsize=10)
        ax.set_xlabel("step t of the update")
        ax.locator_params(integer=True)
    axes[0].set_ylabel("step s of the loss")
    figure.colorbar(image, ax=list(axes), extend="both").set_label(scale, labelpad=8)
    return figure, list(axes)
