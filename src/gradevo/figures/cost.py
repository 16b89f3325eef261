"""What it costs to reach the loss target, against the number of parameters sought."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator, ScalarFormatter

from gradevo.figures.style import PAGE_IN, Look, label_log_axis, looks, method_legend, problem_label, rows
from gradevo.statistics import COST_COLUMNS, finite_median

AXES = {"simulation_equivalents": "simulation-equivalents\nto target", "wall_s": "wall-clock time\nto target (s)"}
"""Cost axes that are drawn, with their labels."""


def cost_to_target(summary: pd.DataFrame) -> Figure:
    """Cost on two axes (rows) for each series of problems (columns).

    summary: a row per fit, with problem, method, seed, n_parameters, the spent totals and the costs to target
    (``statistics.COST_COLUMNS``; NaN where not reached). Problems whose names differ only in numbers, such as
    tree2_all_all and tree48_all_all, are one series: their medians are joined by a line.
    Filled marker: the median over all fits, those that missed the target counting as infinitely expensive. Small
    dots: the fits that reached it. Open marker with an arrow: the median is infinite; it stands at the median spent.
    """
    table = summary.assign(series=[_series(name) for name in summary["problem"]])
    series = list(dict.fromkeys(table["series"]))
    methods = looks(table["method"])
    widths = [max(1.4, len(set(rows(table, series=s)["n_parameters"]))) for s in series]
    figure = Figure(figsize=(PAGE_IN if len(series) > 1 else 3.4, 3.6))
    grid = figure.subplots(len(AXES), len(series), sharey="row", squeeze=False, width_ratios=widths)
    for column, name in enumerate(series):
        part = rows(table, series=name)
        for row, (axis, label) in enumerate(AXES.items()):
            ax = grid[row, column]
            for index, (method, look) in enumerate(methods.items()):
                # side by side within 30 % of their number of parameters
                shift = 1.3 ** ((2 * index + 1) / len(methods) - 1)
                _draw(ax, rows(part, method=method), axis, look, shift)
            ax.set_yscale("log")
            ax.margins(y=0.14)
            _size_axis(ax, sorted(set(part["n_parameters"])))
            if column == 0:
                ax.set_ylabel(label)
        grid[0, column].set_title(_series_label(list(dict.fromkeys(part["problem"]))))
        grid[-1, column].set_xlabel("number of parameters")
    for ax in grid.flat:
        label_log_axis(ax, "y")
    unreached = Line2D([], [], color="0.3", marker="o", fillstyle="none", linestyle="none", label="missed (spent)")
    method_legend(figure, methods, extra=[unreached])
    return figure


def _draw(ax: Axes, fits: pd.DataFrame, axis: str, look: Look, shift: float) -> None:
    medians = []
    for size, cell in fits.groupby("n_parameters"):
        cost = cell[COST_COLUMNS[axis]].to_numpy(float)
        reached = np.isfinite(cost)
        x = float(size) * shift  # pyright: ignore[reportArgumentType]
        ax.plot(np.full(reached.sum(), x), cost[reached], ".", color=look.color, alpha=0.5, markersize=3, zorder=2)
        median = finite_median(cost)
        if np.isfinite(median):
            medians.append((x, median))
            continue
        spent = float(np.median(cell[axis]))
        if spent > 0:
            ax.plot(x, spent, look.marker, color=look.color, fillstyle="none", zorder=3)
            ax.annotate(
                "", (x, spent), xytext=(0, 11), textcoords="offset points", zorder=1,
                arrowprops={"arrowstyle": "<-", "color": look.color, "linewidth": 0.7, "shrinkA": 0, "shrinkB": 2},
            )  # fmt: skip
    if medians:
        ax.plot(*zip(*medians, strict=True), color=look.color, marker=look.marker, linestyle=look.line, zorder=3)


def _size_axis(ax: Axes, sizes: list[int]) -> None:
    ax.set_xscale("log")
    ax.set_xlim(min(sizes) / 1.5, max(sizes) * 1.5)
    ax.xaxis.set_major_locator(FixedLocator(sizes))
    ax.xaxis.set_major_formatter(ScalarFormatter())
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_minor_formatter(NullFormatter())


def _series(problem: str) -> str:
    """The problem's name with the sizes blanked: numbers inside words. A number that is a word of its own is a site."""
    return re.sub(r"(?<=[A-Za-z])\d+", "#", problem)


def _series_label(problems: list[str]) -> str:
    labels = [problem_label(name) for name in problems]
    if len(labels) == 1:
        return labels[0]
    names = [label.partition(",")[0] for label in labels]
    return f"{', '.join(names)}{labels[0][len(names[0]) :]}"
