"""True against fitted densities, or where nobody knows the true ones, those of all seeds: a panel per problem and method."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

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
    """Every compartment's fitted density against its true one, all seeds, with the median relative error. Of a neuron whose true
    densities are not known, every region's fitted density, a marker per seed, with the median ratio of the highest to the lowest.

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
        known = _known(of_problem)
        fitted = of_problem["fitted"].dropna().to_numpy(float) * S_CM2_TO_MS_CM2
        true = np.asarray(of_problem["true"]) * S_CM2_TO_MS_CM2 if known else fitted
        ends = (true.min(initial=np.inf) / 1.6, true.max(initial=0.0) * 1.6) if len(true) else (0.1, 10.0)
        heights = (min(ends[0], fitted.min(initial=np.inf) / 1.2), max(ends[1], fitted.max(initial=0.0) * 1.2))
        for column, ax in enumerate(grid[row]):
            if column >= len(names):
                ax.set_axis_off()
                continue
            ax.set_title(methods[names[column]].label, loc="center", fontsize=6)
            if not known:
                _draw_by_region(ax, rows(of_problem, method=names[column]), channels)
                ax.set(yscale="log", ylim=(heights[0], 6 * heights[1]), xlabel="region")
                label_log_axis(ax, "y")
                if column:
                    ax.tick_params(labelleft=False)
                continue
            _draw(ax, rows(of_problem, method=names[column]), channels)
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
        ax.set_xlabel(ax.get_xlabel() or "true (mS/cm²)")
    handles = [
        Line2D([], [], linestyle="none", marker=look.marker, color=look.color, markersize=4, label=density_symbol(name))
        for name, look in channels.items()
    ]
    if _known(densities):
        handles.append(Line2D([], [], linestyle="none", label="%: median relative error"))
    if not all(_known(rows(densities, problem=problem)) for problem in problems):
        handles.append(Line2D([], [], linestyle="none", label="x: median of highest / lowest of the seeds"))
    labels = [str(handle.get_label()) for handle in handles]
    figure.legend(handles=handles, loc="outside lower center", ncols=columns_within(labels, figure.get_figwidth()))
    return figure


def columns_within(labels: list[str], width_in: float) -> int:
    """The most columns in which a legend, filled column by column, is no wider than the figure: with many channels and few
    methods one line of it would be cut at both ends."""
    wide = [0.45 + 0.047 * len(label) for label in labels]  # inches: marker and gaps, and a letter at the legend's size
    for columns in range(len(labels), 1, -1):
        lines = -(-len(labels) // columns)
        if sum(max(wide[i : i + lines]) for i in range(0, len(labels), lines)) <= width_in:
            return columns
    return 1


def _known(densities: pd.DataFrame) -> bool:
    """Whether somebody knows true densities of these rows."""
    return bool(np.isfinite(densities["true"].to_numpy(float)).any())


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


def _draw_by_region(ax: Axes, fits: pd.DataFrame, channels: dict[str, ChannelLook]) -> None:
    """Fitted densities by region: a column per channel within each."""
    finite = fits.dropna(subset=["fitted"]).drop_duplicates(["seed", "channel", "region"])
    if finite.empty:
        ax.text(0.5, 0.5, "no finite fit", transform=ax.transAxes, ha="center", va="center", fontsize=6, color="0.35")
        return
    present = [name for name in channels if name in set(finite["channel"])]
    for i, channel in enumerate(present):
        part, look = rows(finite, channel=channel), channels[channel]
        x = part["region"] + 0.5 * ((i + 0.5) / len(present) - 0.5)
        ax.plot(
            x, part["fitted"] * S_CM2_TO_MS_CM2,
            linestyle="none", marker=look.marker, color=look.color, markersize=3, alpha=0.65, markeredgewidth=0, zorder=2,
        )  # fmt: skip
    ends = finite.groupby(["channel", "region"])["fitted"].agg(["min", "max"])
    ratio = float(np.median(ends["max"] / ends["min"]))
    ax.text(0.04, 0.96, f"x {ratio:.3g}", transform=ax.transAxes, ha="left", va="top", fontsize=6)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    ax.set_xlim(-0.6, float(finite["region"].to_numpy().max()) + 0.6)


def _percent(value: float) -> str:
    """Two significant digits, never in powers of ten."""
    if value < 0.001:
        return "< 0.001"
    rounded = float(f"{value:.2g}")
    digits = max(0, 1 - int(np.floor(np.log10(rounded))))
    return f"{rounded:.{digits}f}"
