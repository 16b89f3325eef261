"""Best loss so far against what was spent: simulation-equivalents above, wall-clock below, a column per problem."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gradevo.figures.style import PAGE_IN, Look, label_log_axis, looks, method_legend, problem_label, rows

AXES = {"simulation_equivalents": "simulation-equivalents", "wall_s": "wall-clock time (s)"}
"""Columns of a history that a convergence can be drawn against, with their labels."""

GRID_POINTS = 200


def convergence(histories: pd.DataFrame, targets: dict[str, float] | None = None, unit: str = "mV²") -> Figure:
    """Median over seeds (line) and their full range (band) of the best loss so far.

    histories: rows of all fits, with problem, method, seed, best_loss (in `unit`), simulation_equivalents and wall_s.
    targets: per problem, the loss that counts as success; a dotted line.
    A fit that ended keeps its last loss until the last of the method's seeds has ended. Rows without a finite loss are
    left out.
    """
    targets = targets or {}
    problems = list(dict.fromkeys(histories["problem"]))
    methods = looks(histories["method"])
    figure = Figure(figsize=(max(3.4, PAGE_IN * min(1.0, len(problems) / 4)), 4.0))
    grid = figure.subplots(len(AXES), len(problems), sharey=True, sharex="row", squeeze=False)
    for column, problem in enumerate(problems):
        of_problem = rows(histories, problem=problem)
        for row, (axis, label) in enumerate(AXES.items()):
            ax = grid[row, column]
            for method, look in methods.items():
                _draw(ax, rows(of_problem, method=method), axis, look)
            if problem in targets:
                ax.axhline(targets[problem], color="0.35", linestyle=":", linewidth=0.8, zorder=0.5)
            ax.set(xscale="log", yscale="log", xlabel=label)
        grid[0, column].set_title(problem_label(problem))
    for ax in grid[:, 0]:
        ax.set_ylabel(f"best loss ({unit})")
    for ax in grid.flat:
        label_log_axis(ax, "x")
        label_log_axis(ax, "y")
    if targets:
        grid[0, 0].annotate(
            "target", (0.02, targets.get(problems[0], np.nan)), xycoords=("axes fraction", "data"),
            textcoords="offset points", xytext=(0, 1.5), fontsize=6, color="0.35",
        )  # fmt: skip
    method_legend(figure, methods)
    return figure


def median_and_range(runs: list[tuple[np.ndarray, np.ndarray]], points: int = GRID_POINTS):
    """Anytime curves (spent, best loss) on one logarithmic grid: (grid, median, lowest, highest).

    A run counts from its first row on; before that, and in the median before every run has begun, there is nothing.
    """
    first = max(spent[0] for spent, _ in runs)
    last = max(spent[-1] for spent, _ in runs)
    grid = np.geomspace(first, last, points) if last > first else np.array([first])
    grid[-1] = last
    values = np.array([loss[np.searchsorted(spent, grid, side="right") - 1] for spent, loss in runs])
    return grid, np.median(values, axis=0), values.min(axis=0), values.max(axis=0)


def _draw(ax: Axes, history: pd.DataFrame, axis: str, look: Look) -> None:
    runs = []
    for _, run in history.sort_values("event").groupby("seed"):
        spent, loss = run[axis].to_numpy(float), run["best_loss"].to_numpy(float)
        usable = np.isfinite(loss) & (loss > 0) & (spent > 0)
        if usable.any():
            runs.append((spent[usable], loss[usable]))
    if not runs:
        return
    spent, median, low, high = median_and_range(runs)
    ax.fill_between(spent, low, high, step="post", color=look.color, alpha=0.22, linewidth=0)
    ax.plot(spent, median, color=look.color, linestyle=look.line, drawstyle="steps-post")
    ax.plot(spent[-1], median[-1], color=look.color, marker=look.marker, markersize=3)
