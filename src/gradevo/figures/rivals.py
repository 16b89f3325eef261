"""Wall-clock time against what people use today."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gradevo.figures.convergence import draw_curve, target_line
from gradevo.figures.style import PAGE_IN, Look, label_log_axis, looks, method_legend, problem_label, rows
from gradevo.methods import METHODS

MOST_PROBLEMS = 3


def rivals(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """A row per problem that a method with a simulator of its own fitted: loss and density error against wall-clock time, and
    the time to the target.

    tables: problems, statistics, convergence and summary. Filled marker: expected time to the loss target, with its 95 %
    interval (an arrow: without an upper end); open, with an arrow: never reached, in the time that all fits together took. The
    small bar is that time with one compilation (or start of a simulator), which is paid once per process and is no part of the
    other times.
    """
    others = [name for name, method in METHODS.items() if method.simulator != "gradevo"]
    summary, curves = tables["summary"], tables["convergence"]
    names = list(dict.fromkeys(summary.loc[summary["method"].isin(others), "problem"]))[:MOST_PROBLEMS]
    methods = looks(summary.loc[summary["problem"].isin(names), "method"])
    figure = Figure(figsize=(PAGE_IN, 0.6 + 2.0 * len(names)))
    grid = figure.subplots(len(names), 3, squeeze=False, width_ratios=[1, 1, 1.15])
    for row, name in enumerate(names):
        problem = tables["problems"].set_index("problem").loc[name]
        of_problem = rows(curves, problem=name, axis="wall_s")
        for ax, quantity, label in zip(
            grid[row, :2],
            ("best_loss", "density_error_median_rel"),
            (f"best loss ({problem['loss_unit']})", "median density error (relative)"),
            strict=True,
        ):
            for method, look in methods.items():
                draw_curve(ax, rows(of_problem, method=method), quantity, look)
            ax.set(xscale="log", yscale="log", xlabel="wall-clock time (s)", ylabel=label)
        target_line(grid[row, 0], problem["loss_target"], True)
        grid[row, 0].set_title(
            f"{problem_label(name)}: {problem['compartments']} compartments, {problem['n_parameters']} parameters"
        )
        _draw_times(grid[row, 2], rows(tables["statistics"], problem=name), rows(summary, problem=name), methods)
        for ax in grid[row, :2]:
            label_log_axis(ax, "x")
            label_log_axis(ax, "y")
        label_log_axis(grid[row, 2], "x")
    with_start = Line2D([], [], color="0.3", marker="|", linestyle="none", label="with compilation or start")
    method_legend(figure, methods, extra=[with_start])
    return figure


def _draw_times(ax: Axes, statistics: pd.DataFrame, summary: pd.DataFrame, methods: Mapping[str, Look]) -> None:
    cells = statistics.set_index("method")
    compile_s: Any = summary.groupby("method")["compile_s"].max()
    there = [name for name in methods if name in cells.index][::-1]
    for height, name in enumerate(there):
        cell, look = cells.loc[name], methods[name]
        expected, low, high, spent = (
            float(cell[key])
            for key in (
                "expected_wall_s_to_target", "expected_wall_s_to_target_low", "expected_wall_s_to_target_high", "spent_wall_s",
            )
        )  # fmt: skip
        reached = bool(np.isfinite(expected))
        value = expected if reached else spent
        if reached:
            end = high if np.isfinite(high) else max(spent, expected)  # infinite: some resamples never reached it
            ax.hlines(height, low, end, color=look.color, linewidth=1.0)
        else:
            end = spent
        if not np.isfinite(high):
            ax.annotate(
                "", (end, height), xytext=(12, 0), textcoords="offset points",
                arrowprops={"arrowstyle": "<-", "color": look.color, "linewidth": 0.8, "shrinkA": 0, "shrinkB": 2},
            )  # fmt: skip
        fill = "full" if reached else "none"
        ax.plot(value, height, marker=look.marker, linestyle="none", color=look.color, fillstyle=fill, markersize=4.5)
        ax.plot(value + compile_s[name], height, "|", color=look.color, markersize=6)
        share = f"{int(cell['success_loss'])}/{int(cell['fits'])}"
        ax.annotate(share, (1.0, height), xycoords=("axes fraction", "data"), fontsize=5.5, va="center", ha="left", color="0.3")
    ax.set_yticks(range(len(there)), [methods[name].label for name in there], fontsize=6)
    ax.set_ylim(-0.7, len(there) - 0.3)
    ax.set(xscale="log", xlabel="wall-clock time to target (s)")
    ax.annotate("fits that\nreached it", (1.0, 1.02), xycoords="axes fraction", fontsize=5.5, va="bottom", ha="left", color="0.3")
    ax.margins(x=0.18)  # room for the arrows
