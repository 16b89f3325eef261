"""Runtime profiles: the share of all (problem, neuron, target) that a method has solved, against what it spent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from gradevo.figures.style import COST_LABELS, PAGE_IN, label_log_axis, looks, method_legend, problem_label, rows

MOST_SETS = 3


def runtime_profiles(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """A column per set of problems that the same methods fitted (the largest MOST_SETS sets), a row per axis of cost.

    tables: problems and profile_curves.
    """
    table: Any = tables["profile_curves"]
    size = table.groupby("problems", sort=False)["instances"].first()
    largest = size.sort_values(ascending=False, kind="stable").index[:MOST_SETS]
    sets = [name for name in size.index if name in largest]
    methods = looks(table.loc[table["problems"].isin(sets), "method"])
    figure = Figure(figsize=(max(3.35, PAGE_IN * len(sets) / 3), 4.1))
    grid = figure.subplots(len(COST_LABELS), len(sets), sharey=True, squeeze=False)
    for column, name in enumerate(sets):
        first, _, others = name.partition(" and ")
        more = f" and {others}" if others else ""
        grid[0, column].set_title(f"{problem_label(first)}{more}\n{size[name]} problems x neurons x targets")
        for row, axis in enumerate(COST_LABELS):
            ax = grid[row, column]
            if rows(table, problems=name, axis=axis)["share"].to_numpy(float).max() == 0:
                ax.text(0.5, 0.5, "no fit reached a target", transform=ax.transAxes, ha="center", va="center", fontsize=6)
            for method, look in methods.items():
                curve = rows(table, problems=name, axis=axis, method=method)
                if curve.empty:
                    continue
                cost, share = curve["cost"].to_numpy(float), curve["share"].to_numpy(float)
                every = max(1, len(cost) // 6)
                ax.plot(
                    cost, share, color=look.color, linestyle=look.line, drawstyle="steps-post", marker=look.marker,
                    markevery=(every // 2, every), markersize=3.2, clip_on=False,
                )  # fmt: skip
            ax.set(xscale="log", ylim=(0, 1), xlabel=COST_LABELS[axis])
            ax.set_yticks(np.linspace(0, 1, 6))
            ax.grid(axis="y", color="0.9", linewidth=0.5)
            ax.set_axisbelow(True)
            label_log_axis(ax, "x")
    for ax in grid[:, 0]:
        ax.set_ylabel("share of targets reached")
    method_legend(figure, methods)
    return figure
