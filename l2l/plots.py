"""Figures in one style: white background (readable on a dark page), colour-blind-safe, every axis labelled.

Each function writes its figure to `path`; with path=None it returns the figure, for a notebook to show.
"""

import io
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter, LogLocator, NullFormatter

from l2l import files

# Okabe & Ito's palette, safe for the common forms of colour blindness; black is reserved for learned optimizers.
COLOURS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8C6D31"]
STYLES = ["--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1))]
LEARNED = {"color": "black", "linewidth": 2.2, "zorder": 3}


def curves(path: str | Path | None, results: dict, title: str, trained: int | None = None) -> Figure | None:
    """Loss against step for each of `compare`'s results: the mean, and the 10th to 90th percentile of the runs.

    trained: the number of steps that the learned optimizer was trained on, if the curves are longer.
    """
    figure, axes = _figure(1, 1, (7, 4.5), title)
    _draw_curves(axes[0], results, trained)
    axes[0].set_ylabel("loss, mean over runs (band: 10th to 90th percentile)")
    axes[0].legend(frameon=False, fontsize=9)
    return _save(figure, path)


def panels(
    path: str | Path | None, groups: dict, title: str, sharey: bool = True, first: int | None = None
) -> Figure | None:
    """`curves` in one panel for each of the groups {heading: results}; sharey: with one scale for all losses.

    first: the first step shown on a logarithmic axis of steps; None makes that axis linear.
    """
    figure, axes = _figure(1, len(groups), (max(4 * len(groups), 7), 4.2), title, sharey=sharey)
    for ax, (heading, results) in zip(axes, groups.items(), strict=True):
        _draw_curves(ax, results)
        if first is not None:
            ax.set_xscale("log")
            ax.set_xlim(left=first)
            ax.xaxis.set_major_formatter("{x:g}")
            ax.xaxis.set_minor_formatter(LogFormatter())
        ax.set_title(heading, fontsize=10)
        ax.legend(frameon=False, fontsize=8)
    axes[0].set_ylabel("loss, mean over runs (band: 10th to 90th percentile)")
    return _save(figure, path)


def heatmap(
    path: str | Path | None,
    ratios: np.ndarray,
    texts: np.ndarray,
    columns: tuple,
    rows: tuple,
    title: str,
    scale: str,
) -> Figure | None:
    """Ratios as colours, purple below 1 and orange above, with a text in each cell.

    columns, rows: pairs (tick labels, axis label). A cell whose ratio is not finite is white.
    """
    height, width = ratios.shape
    figure, (axes,) = _figure(1, 1, (max(7, 2.4 + 1.25 * width), 1.6 + 0.8 * height), title)
    finite = ratios[np.isfinite(ratios)]
    reach = max(1.5, float(np.max([finite, 1 / finite]))) if finite.size else 2.0
    colours = colormaps["PuOr_r"].resampled(31)  # odd: 1 has its own colour; few, as for a palette image
    image = axes.imshow(ratios, cmap=colours, norm=LogNorm(1 / reach, reach), aspect="auto")
    for (i, j), text in np.ndenumerate(texts):
        dark = np.isfinite(ratios[i, j]) and abs(np.log(ratios[i, j])) > 0.6 * np.log(reach)
        axes.text(j, i, text, ha="center", va="center", fontsize=8, color="white" if dark else "black")
    axes.set_xticks(range(width), columns[0])
    axes.set_yticks(range(height), rows[0])
    axes.set_xlabel(columns[1])
    axes.set_ylabel(rows[1])
    axes.grid(False)
    bar = figure.colorbar(image, label=scale)
    bar.ax.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
    bar.ax.yaxis.set_major_formatter("{x:g}")
    bar.ax.yaxis.set_minor_formatter(NullFormatter())
    return _save(figure, path)


def proposals(path: str | Path | None, updates: dict, where: dict, title: str) -> Figure | None:
    """Update against gradient, one panel per step: updates {name: (steps, points)}.

    where: "sweep" (points,), the gradients; "steps"; "history", the actual gradient at every step (a dotted line).
    """
    steps = where["steps"]
    figure, axes = _figure(2, (len(steps) + 1) // 2, (11, 6.2), title, sharex=True)
    for k, (ax, t) in enumerate(zip(axes, steps, strict=False)):
        designed = 0
        for name, update in updates.items():
            style = LEARNED if name == "lstm" else {"color": COLOURS[designed], "linestyle": STYLES[designed]}
            designed += name != "lstm"
            ax.plot(where["sweep"], update[k], label=f"{name} (learned)" if name == "lstm" else name, **style)
        ax.axhline(0, color="grey", linewidth=0.6)
        ax.axvline(where["history"][t], color="grey", linestyle=":", linewidth=1.2, label="gradient there was")
        ax.set_title(f"step {t}", fontsize=10)
        ax.grid(True, alpha=0.25)
        ax.locator_params(axis="x", nbins=5)
        ax.ticklabel_format(axis="x", style="sci", scilimits=(-2, 2))
        ax.set_xlabel("gradient")
        ax.set_ylabel("proposed update")
    axes[0].legend(frameon=False, fontsize=8)
    return _save(figure, path)


def angles(path: str | Path | None, degrees: dict, title: str) -> Figure | None:
    """The angle between two meta-gradients, one panel per problem. degrees: {problem: {meta-steps: one per unroll}}."""
    figure, axes = _figure(1, len(degrees), (4.5 * len(degrees), 4), title, sharey=True)
    for ax, (kind, by_step) in zip(axes, degrees.items(), strict=True):
        for k in range(len(next(iter(by_step.values())))):
            style = {"color": COLOURS[k % len(COLOURS)], "linestyle": STYLES[k % len(STYLES)]}
            ax.plot(list(by_step), [a[k] for a in by_step.values()], label=f"unroll {k + 1} of an episode", **style)
        ax.set_title(kind, fontsize=10)
        ax.set_xlabel("meta-steps")
        ax.grid(True, alpha=0.25)
    axes[0].set_ylabel("angle between the two meta-gradients, degrees")
    axes[0].legend(frameon=False, fontsize=8)
    return _save(figure, path)


def horizons(path: str | Path | None, panels: dict, bias: dict, errors: dict, title: str) -> Figure | None:
    """Numbers of estimators against the horizon. panels: {heading: {name: {horizon: value}}}, four, on logarithmic
    axes; a value that is not finite, or above 10⁵ times the median of its panel, is a triangle at the upper edge.

    bias: {name: {horizon: estimate / truth}}; errors: the standard errors of these.
    """
    figure, axes = _figure(2, 3, (12, 7), title)
    colours = dict(zip(bias, COLOURS, strict=False))
    styles = dict(zip(bias, ["-", *STYLES], strict=False))
    for ax, (heading, lines) in zip(axes[[0, 1, 3, 4]], panels.items(), strict=True):
        values = np.array([list(line.values()) for line in lines.values()], float)
        most = 1e5 * np.median(values[np.isfinite(values)])
        for name, line in lines.items():
            shown = {horizon: min(value, most) for horizon, value in line.items()}
            ax.plot(*_points(shown), color=colours[name], linestyle=styles[name], marker="o", markersize=3, label=name)
            if off := [horizon for horizon, value in shown.items() if value == most]:
                ax.plot(off, [most] * len(off), "^", color=colours[name], clip_on=False)
        ax.set_yscale("log")
        ax.set_ylim(top=min(most, 2.0 * values.max()))
        ax.set_title(heading, fontsize=10)
    for k, (name, line) in enumerate(bias.items()):
        horizons, shares = _points(line)
        beside = np.array(horizons) * 1.12 ** (k - len(bias) / 2)  # so that no bar hides another
        bars = 2.0 * np.array(list(errors[name].values()))
        axes[2].errorbar(beside, shares, bars, color=colours[name], fmt="o", markersize=3, capsize=2)
    axes[2].axhline(1.0, color="grey", linewidth=0.8)
    axes[2].set_ylim(-1.0, 3.0)
    axes[2].set_title("tame: estimate / truth (bars: ± 2 standard errors)", fontsize=10)
    for ax in axes[:5]:
        ax.set_xscale("log")
        ax.set_xlabel("horizon, steps")
        ax.grid(True, alpha=0.25)
    axes[5].axis("off")
    axes[5].legend(*axes[0].get_legend_handles_labels(), loc="center", frameon=False, title="▲ off the scale")
    return _save(figure, path)


def ratios(path: str | Path | None, panels: dict, title: str) -> Figure | None:
    """Losses divided by those of a rival, on a logarithmic axis. panels: {heading: {loss: (log of one optimizer's
    ratio, [those of others of its kind], that of another rule)}}; a ratio outside 1/100 to 100 is at the edge."""
    counts = [len(panel) for panel in panels.values()]
    figure, axes = _figure(
        len(panels), 1, (7, 1.0 + 0.8 * len(panels) + 0.21 * sum(counts)), title, sharex=True, height_ratios=counts
    )
    for ax, (heading, panel) in zip(axes, panels.items(), strict=True):
        ordered = sorted(panel.items(), key=lambda item: -item[1][0])
        for y, (_, (one, others, rule)) in enumerate(ordered):
            shown = [np.clip(np.exp(x), 0.01, 100.0) for x in (one, others, rule)]
            ax.plot(shown[1], [y] * len(others), "|", color=LEARNED["color"], alpha=0.6)
            ax.plot(shown[0], y, "o", color=LEARNED["color"], markersize=4, label="general" if y == 0 else None)
            ax.plot(shown[2], y, "x", color=COLOURS[0], markersize=4, label="Adam at 0.01" if y == 0 else None)
        ax.axvline(1.0, color="grey", linewidth=1)
        ax.set_xscale("log")
        ax.set_yticks(range(len(ordered)), [name for name, _ in ordered], fontsize=7)
        ax.set_title(heading, fontsize=9)
        ax.grid(True, axis="x", alpha=0.25)
    axes[-1].set_xlabel("← better, ratio of the losses (bars: other seeds; at the edge: beyond it)")
    axes[0].legend(frameon=False, fontsize=8)
    return _save(figure, path)


def differences(path: str | Path | None, panels: dict, base: str, title: str) -> Figure | None:
    """How much higher than `base` others end, one panel for each of {heading: {name: numbers (seeds, losses)}}: the
    mean over losses of the difference of the means over seeds, with its standard error."""
    names = [name for name in next(iter(panels.values())) if name != base]
    figure, axes = _figure(1, len(panels), (4 + 3 * len(panels), 1.2 + 0.25 * len(names)), title, sharey=True)
    for ax, (heading, panel) in zip(axes, panels.items(), strict=True):
        paired = np.array([(panel[name] - panel[base]).mean(axis=0) for name in names])
        error = paired.std(axis=1, ddof=1) / np.sqrt(paired.shape[1])
        ax.errorbar(paired.mean(axis=1), range(len(names)), xerr=error, fmt="o", color=COLOURS[0], markersize=4)
        ax.axvline(0.0, color="grey", linewidth=1)
        ax.set_yticks(range(len(names)), [_literal(name) for name in names], fontsize=8)
        ax.set_title(heading, fontsize=9)
        ax.set_xlabel("worse →")
        ax.grid(True, axis="x", alpha=0.25)
    axes[0].invert_yaxis()
    return _save(figure, path)


def _points(line):
    """The lists of x and y in {x: y}."""
    return list(line), list(line.values())


def canvas(title: str, height: int = 1, width: int = 1, size=(7, 4.5), **sharing) -> tuple[Figure, np.ndarray]:
    """An empty figure in this style and a flat array of its height × width axes, for other modules to draw on."""
    return _figure(height, width, size, title, **sharing)


# ------------------------------------------------------------------------------------------ their parts


def _figure(height, width, size, title, **sharing):
    figure = Figure(figsize=size, dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(_literal(title), fontsize=11)
    return figure, figure.subplots(height, width, squeeze=False, **sharing).ravel()


def _literal(text):
    """text as Matplotlib shows it literally: a dollar sign would start a formula, a leading underscore would hide the
    name from the legend."""
    return (" " if text.startswith("_") else "") + text.replace("$", r"\$")


def _draw_curves(axes, results, trained=None):
    designed = learned = 0
    for name, result in results.items():
        rate, losses = result["learning_rate"], np.where(np.isfinite(result["curves"]), result["curves"], np.nan)
        if rate is None:
            style, label = {**LEARNED, "linestyle": ["-", "--", ":"][learned % 3]}, f"{name} (learned)"
            learned += 1
        else:
            style = {"color": COLOURS[designed % len(COLOURS)], "linestyle": STYLES[designed % len(STYLES)]}
            label, designed = f"{name}, learning rate {rate:.2g}", designed + 1
        step = np.arange(losses.shape[1])
        axes.plot(step, losses.mean(axis=0), label=_literal(label), **style)
        low, high = np.percentile(losses, [10, 90], axis=0)
        axes.fill_between(step, low, high, color=style["color"], alpha=0.15, linewidth=0)
    if trained is not None:
        axes.axvline(trained, color="grey", linewidth=1)
        axes.annotate("trained up to here", (trained, 0.98), xycoords=("data", "axes fraction"), fontsize=8,
                      rotation=90, va="top", ha="right", color="dimgrey")  # fmt: skip
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("step")
    axes.grid(True, which="both", alpha=0.25)


def _save(figure, path):
    if path is None:
        return figure
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    files.write(path, buffer.getvalue())
    return None
