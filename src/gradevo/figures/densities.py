"""True against fitted densities: a panel per problem and method."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gradevo.figures.style import (
    PAGE_IN,
    S_CM2_TO_MS_CM2,
    ChannelLook,
    Look,
    channel_looks,
    density_symbol,
    label_log_axis,
    looks,
    problem_label,
    rows,
)
from gradevo.units import DENSITY_UNIT

MOST_COLUMNS = 7


def true_against_fitted(densities: pd.DataFrame) -> Figure:
    """Every compartment's fitted density against its true one, all seeds, with the median relative error.

    densities: a row per fit, channel and compartment, with problem, method, seed, channel, compartment, unit, true and fitted.
    Rows in other units (capacitance, axial resistivity) are not drawn; fits without a finite result are left out, and said so.
    """
    densities = rows(densities, unit=DENSITY_UNIT)
    problems = list(dict.fromkeys(densities["problem"]))
    if not problems:
        figure = Figure(figsize=(PAGE_IN / 2, 1.0))
        figure.text(0.5, 0.5, "no problem fits densities", ha="center", va="center")
        return figure
    methods = looks(densities["method"])
    channels = channel_looks(densities["channel"])
    # the methods of a problem, cut into lines of panels
    lines = [(problem, names) for problem in problems for names in _lines(methods, rows(densities, problem=problem))]
    columns = max(len(names) for _, names in lines)
    figure = Figure(figsize=(PAGE_IN * min(1.0, 0.15 + columns * 0.17), 0.5 + 1.3 * len(lines)))
    grid = figure.subplots(len(lines), columns, squeeze=False)
    for row, (problem, names) in enumerate(lines):
        of_problem = rows(densities, problem=problem)
        true = np.asarray(of_problem["true"]) * S_CM2_TO_MS_CM2
        fitted = of_problem["fitted"].dropna().to_numpy(float) * S_CM2_TO_MS_CM2
        ends = (true.min() / 1.6, true.max() * 1.6)
        heights = (min(ends[0], fitted.min(initial=np.inf) / 1.2), max(ends[1], fitted.max(initial=0.0) * 1.2))
        for column, ax in enumerate(grid[row]):
            if column >= len(names):
                ax.set_axis_off()
                continue
            _draw(ax, rows(of_problem, method=names[column]), channels)
            ax.set_title(methods[names[column]].label, loc="center", fontsize=6)
            ax.plot(ends, ends, color="0.6", linewidth=0.7, zorder=0.5)
            ax.set(xscale="log", yscale="log", xlim=ends, ylim=heights)
            label_log_axis(ax, "x")
            label_log_axis(ax, "y")
            if column:
                ax.tick_params(labelleft=False)
            if row + 1 < len(lines) and lines[row + 1][0] == problem and column < len(lines[row + 1][1]):
                ax.tick_params(labelbottom=False)
        grid[row, 0].set_ylabel(f"{problem_label(problem)}\nfitted (mS/cm²)")
    for ax in grid[-1, : len(lines[-1][1])]:
        ax.set_xlabel("true (mS/cm²)")
    handles = [
        Line2D([], [], linestyle="none", marker=look.marker, color=look.color, markersize=4, label=density_symbol(name))
        for name, look in channels.items()
    ]
    handles.append(Line2D([], [], linestyle="none", label="%: median relative error"))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


def _lines(methods: dict[str, Look], fits: pd.DataFrame) -> list[list[str]]:
    """The methods that fitted a problem, in lines of nearly equal length, at most MOST_COLUMNS each."""
    present = set(fits["method"])
    names = [name for name in methods if name in present]
    count = -(-len(names) // MOST_COLUMNS)
    return [list(part) for part in np.array_split(np.array(names, dtype=object), count)]


def _draw(ax: Axes, fits: pd.DataFrame, channels: dict[str, ChannelLook]) -> None:
    finite = fits.dropna(subset=["true", "fitted"])
    for channel, look in channels.items():
        part = rows(finite, channel=channel)
        ax.plot(
            part["true"] * S_CM2_TO_MS_CM2,
            part["fitted"] * S_CM2_TO_MS_CM2,
            linestyle="none", marker=look.marker, color=look.color, markersize=2.6, alpha=0.65,
            markeredgewidth=0, zorder=2,
        )  # fmt: skip
    if finite.empty:
        ax.text(0.5, 0.5, "no finite fit", transform=ax.transAxes, ha="center", va="center", fontsize=6, color="0.35")
        return
    error = np.abs(finite["fitted"] / finite["true"] - 1)
    text = f"{_percent(100 * float(np.median(error)))} %"
    ax.text(0.04, 0.96, text, transform=ax.transAxes, ha="left", va="top", fontsize=6)


def _percent(value: float) -> str:
    """Two significant digits, never in powers of ten."""
    if value < 0.001:
        return "< 0.001"
    rounded = float(f"{value:.2g}")
    digits = max(0, 1 - int(np.floor(np.log10(rounded))))
    return f"{rounded:.{digits}f}"
