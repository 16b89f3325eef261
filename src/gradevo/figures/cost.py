"""What it costs to reach the loss target against the number of parameters, and from which number on the gradient is cheaper."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator, ScalarFormatter

from gradevo.figures.style import PAGE_IN, Look, label_log_axis, looks, method_legend, problem_label, rows
from gradevo.methods import METHODS
from gradevo.statistics.settings import LOSS_TARGET, family

AXES = {"simulation_equivalents": "simulation-equivalents\nto target", "wall_s": "wall-clock time\nto target (s)"}
"""Cost axes that are drawn, with their labels."""

PAIR_MARKERS = {"simulation_equivalents": ("o", "#000000", 0.17), "wall_s": ("s", "#888888", -0.17)}
"""Marker, colour and height above its line of a crossover on each axis."""

MOST_SERIES = 3

SHORT = {"Levenberg-Marquardt": "Lev.-Marq.", "differential evolution": "diff. evolution", "genetic algorithm": "genetic"}
"""Names of methods where two stand on a line."""


def cost_to_target(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """A column per series of problems that differ in the number of parameters (of several with one number the first); a row per
    axis of cost; below, the crossovers.

    tables: problems, costs and crossovers. Filled marker: expected cost with its 95 % interval, which ends in an arrow at what
    all fits together spent where it has no upper end. Open marker with an arrow: no fit reached the target; all fits together
    spent this much in vain. Below: for each planned pair of a gradient method and an evolutionary one, the number of parameters
    above which the first is cheaper, with its interval; a triangle at an edge says that it is cheaper at all numbers (left) or
    at none (right) at which one of them reached the target.
    """
    problems, costs = tables["problems"], rows(tables["costs"], target=LOSS_TARGET)
    problems: Any = problems[problems["problem"].isin(costs["problem"])]
    sizes: Any = problems.groupby("series", sort=False)["n_parameters"].unique()
    several = sizes[sizes.map(len) > 1].sort_values(key=lambda each: -each.map(len), kind="stable").index[:MOST_SERIES]
    series = {str(name): sorted(map(int, sizes[name])) for name in several}
    shown: Any = costs[costs["problem"].isin(problems.loc[problems["series"].isin(series), "problem"])]
    methods = looks(method for method in dict.fromkeys(shown["method"]) if _compared(method))
    pairs = _pairs(tables["crossovers"], methods, series)
    below = 0.35 + 0.125 * len(pairs)
    figure = Figure(figsize=(PAGE_IN if len(series) > 1 else 3.6, 3.9 + below))
    grid = figure.subplots(
        3, len(series), squeeze=False, sharey="row", sharex="col", height_ratios=[1.6, 1.6, below],
        width_ratios=[max(2.4, len(counts)) for counts in series.values()],
    )  # fmt: skip
    for column, (name, counts) in enumerate(series.items()):
        # of two problems of one size the first: a method that fitted the other alone would stand there as a lone dot
        members = rows(problems, series=name).drop_duplicates("n_parameters")
        grid[0, column].set_title(_title(members))
        for row, (axis, label) in enumerate(AXES.items()):
            ax = grid[row, column]
            of_axis = rows(shown[shown["problem"].isin(members["problem"])], axis=axis)
            for index, (method, look) in enumerate(methods.items()):
                # side by side within 30 % of their number of parameters
                shift = 1.25 ** ((2 * index + 1) / len(methods) - 1)
                _draw(ax, rows(of_axis, method=method), look, shift)
            ax.set_yscale("log")
            ax.margins(y=0.12)
            if column == 0:
                ax.set_ylabel(label)
        _draw_crossovers(grid[2, column], rows(tables["crossovers"], series=name), pairs, counts)
        _size_axis(grid[2, column], counts)
    for ax in grid[:2].flat:
        label_log_axis(ax, "y")
    grid[2, 0].set_yticks(range(len(pairs)), [f"{_short(methods[a])} v. {_short(methods[b])}" for a, b in pairs], fontsize=5.5)
    if pairs:
        grid[2, 0].set_title("the first is cheaper from here on", fontsize=6)
    method_legend(figure, methods, extra=_extra())
    return figure


def _draw(ax: Axes, cells: pd.DataFrame, look: Look, shift: float) -> None:
    """One method's expected costs."""
    reached = []
    for cell in cells.sort_values("n_parameters").to_dict("records"):
        x = cell["n_parameters"] * shift
        if np.isfinite(cell["expected"]) and cell["expected"] > 0:
            reached.append((x, cell["expected"]))
            high = cell["expected_high"]
            if not np.isfinite(high):  # some resamples never reached it
                high = max(cell["spent"], cell["expected"])
                _arrow_up(ax, x, high, look)
            ax.vlines(x, cell["expected_low"], high, color=look.color, linewidth=0.8, alpha=0.6, zorder=2)
        elif cell["spent"] > 0:
            ax.plot(
                x, cell["spent"], marker=look.marker, linestyle="none", color=look.color, fillstyle="none", markersize=3.4,
                zorder=3,
            )  # fmt: skip
            _arrow_up(ax, x, cell["spent"], look)
    if reached:
        ax.plot(*zip(*reached, strict=True), color=look.color, marker=look.marker, linestyle=look.line, linewidth=1.0, zorder=3)


def _arrow_up(ax: Axes, x: float, y: float, look: Look) -> None:
    arrow = {"arrowstyle": "<-", "color": look.color, "linewidth": 0.6, "shrinkA": 0, "shrinkB": 2}
    ax.annotate("", (x, y), xytext=(0, 9), textcoords="offset points", zorder=1, arrowprops=arrow)


def _pairs(crossovers: pd.DataFrame, methods: Mapping[str, Look], series: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The planned pairs of a gradient method and an evolutionary one, in the order of the looks, from below."""
    of = crossovers[crossovers["series"].isin(series)]
    there = set(zip(of["method"], of["compared_with"], strict=True))
    order = list(methods)
    wanted = [(a, b) for a in order for b in order if (a, b) in there and (family(a), family(b)) == ("gradient", "evolution")]
    return wanted[::-1]


def _draw_crossovers(ax: Axes, crossovers: pd.DataFrame, pairs: list[tuple[str, str]], counts: list[int]) -> None:
    left, right = counts[0] / 1.4, counts[-1] * 1.4
    for height, (a, b) in enumerate(pairs):
        of_pair = rows(crossovers, target=LOSS_TARGET, method=a, compared_with=b)
        if of_pair.empty:
            continue
        ax.axhline(height, color="0.92", linewidth=0.5, zorder=0)
        for axis, (marker, color, up) in PAIR_MARKERS.items():
            for row in rows(of_pair, axis=axis).to_dict("records"):
                value, low, high = (float(row[key]) for key in ("crossover", "crossover_low", "crossover_high"))
                if np.isnan(value):
                    continue
                ends = np.clip([low, high], left, right) if np.isfinite(low) or np.isfinite(high) else (value, value)
                ax.hlines(height + up, *np.clip(ends, left, right), color=color, linewidth=1.0)
                shape = "<" if value < counts[0] else ">" if value > counts[-1] else marker
                ax.plot(np.clip(value, left, right), height + up, shape, color=color, markersize=2.8)
    ax.set_ylim(-0.7, len(pairs) - 0.3)
    ax.set_xlabel("number of parameters")
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)


def _size_axis(ax: Axes, sizes: list[int]) -> None:
    ax.set_xscale("log")
    ax.set_xlim(min(sizes) / 1.5, max(sizes) * 1.5)
    ax.xaxis.set_major_locator(FixedLocator(sizes))
    ax.xaxis.set_major_formatter(ScalarFormatter())
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_minor_formatter(NullFormatter())


def _compared(method: str) -> bool:
    """Competitors have a figure of their own, and what searches without memory would hide the others."""
    own = method not in METHODS or METHODS[method].simulator == "gradevo"
    return own and family(method) in ("gradient", "evolution", "hybrid")


def _short(look: Look) -> str:
    return SHORT.get(look.label, look.label)


def _title(members: pd.DataFrame) -> str:
    first = members.iloc[0]
    return f"{problem_label(first['problem'])} and series\n{first['compartments']} compartments,\n{first['channels']}"


def _extra() -> list[Line2D]:
    open_marker = Line2D([], [], color="0.3", marker="o", fillstyle="none", linestyle="none", label="never reached (spent)")
    named = {"simulation_equivalents": "crossover in equivalents", "wall_s": "crossover in seconds"}
    return [open_marker] + [
        Line2D([], [], color=color, marker=marker, markersize=3, label=named[axis])
        for axis, (marker, color, _) in PAIR_MARKERS.items()
    ]
