"""Do the errors of fits agree with the bounds?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import norm

from gradevo.figures.identifiability.looks import SERIES
from gradevo.figures.style import PAGE_IN, label_log_axis, letter, rows


def calibration(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """a: achieved error of every density against its bound. b: their ratio, with the limits within which all of a problem lie if
    the bounds are right. c: all errors over their bounds, against the standard normal.

    tables: calibration and z_scores.
    """
    table, scores = tables["calibration"], tables["z_scores"]
    figure = Figure(figsize=(PAGE_IN, 2.6))
    achieved, ratio, histogram = figure.subplots(1, 3, width_ratios=[1.0, 1.1, 0.9])
    limits = 100 * np.array([table["bound"].min() / 1.6, table["bound"].max() * 1.6])
    achieved.plot(limits, limits, color="0.6", linewidth=0.8, zorder=0.5)
    for (color, marker), (name, part) in zip(SERIES, table.groupby("problem", sort=False), strict=False):
        bound = 100 * part["bound"].to_numpy(float)
        draws, failed = int(part["draws"].iloc[0]), int(part["failed"].iloc[0])
        label = f"{name}: {len(part)} densities, {draws} fits" + (f" ({failed} failed)" if failed else "")
        look = {"color": color, "marker": marker, "linestyle": "none", "markersize": 2.6, "markeredgewidth": 0, "alpha": 0.85}
        low, high = (bound * part[f"spread_{end}"].to_numpy(float) for end in ("low", "high"))
        achieved.vlines(bound, low, high, color=color, linewidth=0.5, alpha=0.6)
        achieved.plot(bound, 100 * part["achieved"], label=label, **look)
        ratio.vlines(bound, part["spread_low"], part["spread_high"], color=color, linewidth=0.5, alpha=0.6)
        ratio.plot(bound, part["spread"], **look)
        ends = [bound.min() / 1.25, bound.max() * 1.25]
        for end in ("limit_low", "limit_high"):
            ratio.plot(ends, [part[end].iloc[0]] * 2, color=color, linewidth=0.9, linestyle="--")
        _histogram(histogram, rows(scores, problem=name), color)
    achieved.set(xscale="log", yscale="log", xlim=limits, ylim=limits)
    achieved.set(xlabel="bound (%)", ylabel="spread of the fits (%)")
    ratio.axhline(1.0, color="0.6", linewidth=0.8, zorder=0.5)
    ratio.set(xscale="log", xlim=limits, xlabel="bound (%)", ylabel="spread over bound")
    for ax in (achieved, ratio):
        ax.axvline(100 * float(table["threshold"].iloc[0]), color="0.35", linestyle=":", linewidth=0.8, zorder=0.5)
        label_log_axis(ax, "x")
    label_log_axis(achieved, "y")
    z = np.linspace(-4, 4, 161)
    histogram.plot(z, norm.pdf(z), color="black", linewidth=0.9, label="standard normal")
    histogram.set(xlabel="error over bound", ylabel="density", xlim=(-4, 4), ylim=(0, 1.15 * histogram.get_ylim()[1]))
    histogram.legend(fontsize=5.5, loc="upper left", handlelength=1.2)
    figure.legend(*achieved.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    for ax, text in zip((achieved, ratio, histogram), "abc", strict=True):
        letter(ax, text)
    return figure


def _histogram(ax: Axes, part: pd.DataFrame, color: str) -> None:
    edges = np.append(part["z_low"].to_numpy(float), part["z_high"].iloc[-1])
    counts = part["count"].to_numpy(float)
    ax.stairs(counts / (counts.sum() * np.diff(edges)), edges, color=color, linewidth=1.0)
