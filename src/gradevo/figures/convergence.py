"""What was reached against what was spent: a column per problem."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gradevo.figures.style import COST_LABELS, PAGE_IN, Look, label_log_axis, looks, method_legend, problem_label, rows

ROWS = (
    ("best_loss", "simulation_equivalents", "best loss"),
    ("best_loss", "wall_s", "best loss"),
    ("heldout_loss", "simulation_equivalents", "held-out loss"),
    ("density_error_median_rel", "simulation_equivalents", "median density error"),
)
"""Quantity, axis of cost, and what the quantity is called."""


def convergence(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Medians over fits (lines) and the middle half of the fits (bands), for the problems that are shown.

    tables: problems and convergence. The dotted line is the loss that counts as success; what has no finite value anywhere
    (nothing was held out, or the true densities are unknown) has no row.
    """
    problems: Any = tables["problems"][tables["problems"]["shown"]]
    curves: Any = tables["convergence"]
    methods = looks(curves.loc[curves["problem"].isin(problems["problem"]), "method"])
    kinds = [kind for kind in ROWS if np.isfinite(curves[kind[0]].to_numpy(float)).any()] or list(ROWS[:1])
    columns = len(problems)
    figure = Figure(figsize=(max(3.35, PAGE_IN * min(1.0, columns / 4)), 0.6 + 1.35 * len(kinds)))
    grid = figure.subplots(len(kinds), columns, sharey="row", squeeze=False)
    for column, problem in enumerate(problems.to_dict("records")):
        name = str(problem["problem"])
        grid[0, column].set_title(f"{problem_label(name)}\n{problem['n_parameters']} parameters")
        for row, (quantity, axis, _) in enumerate(kinds):
            ax = grid[row, column]
            of_axis = rows(curves, problem=name, axis=axis)
            for method, look in methods.items():
                draw_curve(ax, rows(of_axis, method=method), quantity, look)
            if "loss" in quantity:
                target_line(ax, problem["loss_target"], column == 0 and row == 0)
            ax.set(xscale="log", yscale="log", xlabel=COST_LABELS[axis])
    for row, (quantity, _, label) in enumerate(kinds):
        unit = " or ".join(dict.fromkeys(problems["loss_unit"])) if "loss" in quantity else "relative"
        grid[row, 0].set_ylabel(f"{label} ({unit})")
    for ax in grid.flat:
        label_log_axis(ax, "x")
        label_log_axis(ax, "y")
    method_legend(figure, methods)
    return figure


def draw_curve(ax: Axes, curve: pd.DataFrame, quantity: str, look: Look) -> None:
    """One method's curve with its band; a marker at the end."""
    spent = curve["spent"].to_numpy(float)
    middle, low, high = (curve[f"{quantity}{end}"].to_numpy(float) for end in ("", "_low", "_high"))
    usable = np.isfinite(middle) & (middle > 0) & (spent > 0)
    if not usable.any():
        return
    spent, middle, low, high = (values[usable] for values in (spent, middle, low, high))
    bounded = np.isfinite(high) & (low > 0)
    (x, y), above, below = (bends(spent, np.where(bounded, each, middle)) for each in (middle, high, low))
    ax.fill(*np.concatenate([above, below[:, ::-1]], axis=1), color=look.color, alpha=0.2, linewidth=0)
    ax.plot(x, y, color=look.color, linestyle=look.line, linewidth=1.1)
    ax.plot(spent[-1], middle[-1], color=look.color, marker=look.marker, markersize=3.2)


def bends(x: np.ndarray, y: np.ndarray, decades: float = 0.01) -> np.ndarray:
    """The points [2, kept] of a curve y [n] over x [n] that print needs: straight lines between them, on logarithmic axes, are
    nowhere further from it than that (Douglas and Peucker 1973). A hundredth of a decade is a tenth of a point here.
    """
    log_x, log_y = np.log10(x), np.log10(y)
    kept, spans = {0, len(x) - 1}, [(0, len(x) - 1)]
    while spans:
        first, last = spans.pop()
        line = np.interp(log_x[first : last + 1], log_x[[first, last]], log_y[[first, last]])
        off = np.abs(log_y[first : last + 1] - line)
        if off.max() > decades:
            at = first + int(off.argmax())
            kept.add(at)
            spans += [(first, at), (at, last)]
    return np.stack([x, y])[:, sorted(kept)]


def target_line(ax: Axes, target: float, named: bool) -> None:
    """The loss that counts as success."""
    ax.axhline(target, color="0.35", linestyle=":", linewidth=0.8, zorder=0.5)
    if named:
        ax.annotate(
            "target", (0.02, target), xycoords=("axes fraction", "data"), textcoords="offset points", xytext=(0, 1.5),
            fontsize=6, color="0.35",
        )  # fmt: skip
