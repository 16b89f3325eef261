"""The spectrum of the Fisher information, and the verdicts, against the number of recorded sites."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from gradevo.figures.identifiability.looks import VERDICTS
from gradevo.figures.style import PAGE_IN, letter, rows

HIGHEST = 1e6
"""Deviations above are not drawn (%): nothing is known there, by how much is rounding's."""


def spectrum(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Left: how well each direction is known, a curve per number of recorded sites; a curve ends at the numerical rank. Right:
    how many densities have which verdict.

    tables: spectrum and verdicts.
    """
    table, verdicts = tables["spectrum"], tables["verdicts"].sort_values("recorded")
    counts = verdicts["recorded"].to_numpy(int)
    n, threshold = int(verdicts["n_parameters"].iloc[0]), float(verdicts["threshold"].iloc[0])
    figure = Figure(figsize=(PAGE_IN, 2.7))
    left, right = figure.subplots(1, 2, width_ratios=[1.25, 1.0])
    colors = colormaps["viridis"](np.linspace(0.0, 0.88, len(counts)))
    for color, count in zip(colors, counts[::-1], strict=True):
        curve = rows(table, recorded=count)
        seen = np.isfinite(curve["deviation"].to_numpy(float))
        x, y = curve.loc[seen, "direction"].to_numpy(int), 100 * curve.loc[seen, "deviation"].to_numpy(float)
        left.plot(x, y, color=color, linewidth=1.1, label=f"{count} ({len(x)})")
        if len(x) and len(x) < n and y[-1] < HIGHEST:
            left.plot(x[-1], y[-1], "|", color=color, markersize=6)
    left.axhline(100 * threshold, color="0.35", linestyle=":", linewidth=0.8, zorder=0.5)
    said = f"dotted: {100 * threshold:g} %"
    left.annotate(said, (1, 0.02), xycoords="axes fraction", ha="right", va="bottom", fontsize=6, color="0.35")
    finite = table["deviation"].to_numpy(float)
    lowest = 100 * finite[np.isfinite(finite)].min()
    left.set(yscale="log", ylim=(lowest / 2, HIGHEST), xlim=(0, n + 1))
    left.set(xlabel="direction, best known first", ylabel="standard deviation along it (%)")
    left.legend(title="recorded sites (rank)", title_fontsize=6.5, fontsize=6, ncols=2, loc="upper left")
    letter(left, "a")
    base, at = np.zeros(len(counts)), np.arange(len(counts))
    for name, look in VERDICTS.items():
        values = verdicts[name].to_numpy(int)
        right.bar(at, values, 0.78, base, color=look.color, hatch=look.hatch, edgecolor="white", linewidth=0.4, label=look.label)
        base += values
    right.plot(at, verdicts["rank"], "k_", markersize=14, markeredgewidth=1.4, label="numerical rank")
    right.xaxis.set_major_locator(FixedLocator(at.tolist()))
    right.xaxis.set_major_formatter(FuncFormatter(lambda value, _: str(counts[round(value)])))
    right.xaxis.set_minor_locator(NullLocator())
    right.set(xlabel="recorded sites", ylabel=f"densities (of {n})", ylim=(0, n * 1.01))
    right.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize=6, handlelength=1.4)
    letter(right, "b")
    return figure
