"""Recorded voltages, and what the best fit of each method makes of the same stimuli."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gradevo.figures.planned import RECORDED
from gradevo.figures.style import PAGE_IN, looks, method_legend, rows


def recorded_and_fitted(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """A row per sweep, a column per recorded site; recordings in grey, fits on top in the methods' colours.

    tables: traces, of one problem.
    """
    table = tables["traces"]
    sites = list(dict.fromkeys(table["site"]))
    lines = list(dict.fromkeys(zip(table["stimuli"], table["sweep"], strict=True)))
    methods = looks(method for method in dict.fromkeys(table["method"]) if method != RECORDED)
    figure = Figure(figsize=(PAGE_IN * min(1.0, 0.3 + 0.35 * len(sites)), 0.6 + 1.1 * len(lines)))
    grid = figure.subplots(len(lines), len(sites), squeeze=False, sharey=True)
    for row, (kind, sweep) in enumerate(lines):
        for column, site in enumerate(sites):
            ax, shown = grid[row, column], rows(table, stimuli=kind, sweep=sweep, site=site)
            data = rows(shown, method=RECORDED)
            if not np.isfinite(data["voltage_mV"].to_numpy(float)).any():
                ax.set_axis_off()
                continue
            ax.plot(data["time_ms"], data["voltage_mV"], color="0.7", linewidth=2.2)
            for method, look in methods.items():
                fit = rows(shown, method=method)
                ax.plot(fit["time_ms"], fit["voltage_mV"], color=look.color, linestyle=look.line, linewidth=0.8)
            ax.set_title(f"{site}: {kind}, sweep {sweep}")
            ax.margins(x=0.01)
        grid[row, 0].set_ylabel("mV")
    for ax in grid[-1]:
        ax.set_xlabel("time (ms)")
    recorded = Line2D([], [], color="0.7", linewidth=2.2, label="recorded")
    method_legend(figure, methods, markers=False, extra=[recorded])
    return figure
