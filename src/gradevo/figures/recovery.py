"""How well the densities, and the answers to new stimuli, are recovered: against recorded and stimulated sites."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from gradevo.figures.style import PAGE_IN, Look, label_log_axis, looks, method_legend, rows

QUANTITIES = {
    "median_density_error_median_rel": "median density\nerror (%)",
    "median_density_error_max_rel": "largest density\nerror (%)",
    "median_heldout_loss": "held-out loss",
}


def recovery(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """A column per series of problems and number of stimulated sites; recorded sites along x; a row per quantity.

    tables: problems and statistics. Medians over fits with their 95 % intervals.
    """
    problems: Any = tables["problems"]
    sites = problems.assign(sites=list(zip(problems["stimulated"], problems["recorded"], strict=True)))
    several = sites.groupby("site_series")["sites"].nunique()
    problems = problems[problems["site_series"].isin(several.index[several > 1])]
    columns = ["problem", "site_series", "compartments", "n_parameters", "stimulated", "recorded", "loss_unit"]
    table: Any = tables["statistics"].drop(columns="n_parameters").merge(problems[columns], on="problem")
    methods = looks(table["method"])
    quantities = [key for key in QUANTITIES if np.isfinite(table[key].to_numpy(float)).any()]
    groups = list(table.groupby(["site_series", "stimulated"], sort=False).groups)
    groups.sort(key=lambda group: (list(several.index).index(group[0]), -group[1]))  # pyright: ignore[reportIndexIssue]
    figure = Figure(figsize=(min(PAGE_IN, 0.9 + 1.7 * len(groups)), 0.7 + 1.25 * len(quantities)))
    grid = figure.subplots(len(quantities), len(groups), sharey="row", sharex="col", squeeze=False)
    for column, (name, stimulated) in enumerate(groups):  # pyright: ignore[reportGeneralTypeIssues]
        part = rows(table, site_series=name, stimulated=stimulated)
        all_sites = part["compartments"].iloc[0]
        which = "all sites" if stimulated == all_sites else f"{stimulated} site{'s' if stimulated > 1 else ''}"
        grid[0, column].set_title(f"{which} stimulated\n({part['n_parameters'].iloc[0]} parameters)")
        counts = sorted(set(part["recorded"]))
        for row, quantity in enumerate(quantities):
            ax = grid[row, column]
            for index, (method, look) in enumerate(methods.items()):
                shift = 1.18 ** ((2 * index + 1) / len(methods) - 1)
                _draw(ax, rows(part, method=method).drop_duplicates("recorded").sort_values("recorded"), quantity, look, shift)
            ax.set_yscale("log")
            ax.set_xscale("log")
            ax.set_xlim(counts[0] / 1.8, counts[-1] * 1.8)
            ax.xaxis.set_major_locator(FixedLocator(counts))
            ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            ax.xaxis.set_minor_locator(NullLocator())
        grid[-1, column].set_xlabel("recorded sites")
    for row, quantity in enumerate(quantities):
        unit = f"\n({' or '.join(dict.fromkeys(table['loss_unit']))})" if "loss" in quantity else ""
        grid[row, 0].set_ylabel(QUANTITIES[quantity] + unit)
        label_log_axis(grid[row, 0], "y")
    method_legend(figure, methods)
    return figure


def _draw(ax: Axes, cells: pd.DataFrame, quantity: str, look: Look, shift: float) -> None:
    scale = 100 if quantity.endswith("_rel") else 1
    x = cells["recorded"].to_numpy(float) * shift
    middle, low, high = (scale * cells[f"{quantity}{end}"].to_numpy(float) for end in ("", "_low", "_high"))
    known = np.isfinite(middle) & (middle > 0)
    top = np.where(np.isfinite(high), high, middle)
    ax.vlines(x[known], low[known], top[known], color=look.color, linewidth=0.8, alpha=0.6)
    ax.plot(x[known], middle[known], color=look.color, marker=look.marker, linestyle=look.line, linewidth=1.0)
