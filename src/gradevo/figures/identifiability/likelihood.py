"""Profile likelihoods beside the parabolas of the bounds."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from gradevo.figures.style import PAGE_IN, rows

PROFILE, BOUND = "#0072B2", "#D55E00"

COLUMNS = 3


def likelihood(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """A panel per density: the least chi2 with the density held at other values (blue), and what the bound says (orange, dashed).
    Bars below: the two intervals; an arrow where one is open. Open dots: the others' fit has not converged.

    tables: likelihood and intervals.
    """
    points, intervals = tables["likelihood"], tables["intervals"]
    n_rows = -(-len(intervals) // COLUMNS)
    figure = Figure(figsize=(PAGE_IN, 0.35 + 1.65 * n_rows))
    grid = figure.subplots(n_rows, COLUMNS, squeeze=False)
    for ax, row in zip(grid.flat, intervals.to_dict("records"), strict=False):
        part = rows(points, problem=row["problem"], parameter=row["parameter"]).sort_values("value_rel")
        _panel(ax, part, row)
    for ax in grid.flat[len(intervals) :]:
        ax.set_axis_off()
    for ax in grid[:, 0]:
        ax.set_ylabel("rise of χ²")
    for ax in grid.flat[max(0, len(intervals) - COLUMNS) : len(intervals)]:
        ax.set_xlabel("density / true density")
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


def _panel(ax: Axes, part: pd.DataFrame, row: dict) -> None:
    threshold, bound = row["threshold"], row["bound"]
    x = np.log(part["value_rel"].to_numpy(float))
    half = np.sqrt(threshold) * bound
    widest = float(max(np.abs(x).max(), min(1.3 * half, 1.5 * np.abs(x).max())))
    ax.plot(np.exp(x), part["rise"], color=PROFILE, marker="o", markersize=2.2, linewidth=1.1, label="profile likelihood")
    # where the others' fit has not converged, chi2 is at most this
    rough = ~part["converged"].to_numpy(bool)
    ax.plot(np.exp(x[rough]), part["rise"][rough], "o", markersize=2.2, markerfacecolor="white", markeredgecolor=PROFILE)
    along = np.linspace(-widest, widest, 201)
    parabola = (along / bound) ** 2 if np.isfinite(bound) else np.zeros_like(along)
    ax.plot(np.exp(along), parabola, color=BOUND, linestyle="--", linewidth=1.0, label="parabola of the bound")
    ax.axhline(threshold, color="0.35", linestyle=":", linewidth=0.8, label=f"χ² quantile ({threshold:.3g})")
    ends = (np.exp(-1.05 * widest), np.exp(1.05 * widest))
    for level, color, name in ((-0.10, PROFILE, "profile"), (-0.24, BOUND, "quadratic")):
        low, high = row[f"{name}_low"], row[f"{name}_high"]
        _interval(ax, max(low, ends[0]), min(high, ends[1]), level * threshold, color, (low < ends[0], high > ends[1]))
    ax.set(xscale="log", xlim=ends, ylim=(-0.34 * threshold, 1.6 * threshold))
    _label(ax, widest)
    known = f"bound {100 * bound:.2g} %" if bound < 1 else f"bound ± {bound:.2g} (log)" if np.isfinite(bound) else "no bound"
    reach = f"reach over it: down {_times(row['low_ratio'])}, up {_times(row['high_ratio'])}" if np.isfinite(bound) else ""
    ax.set_title(f"{row['parameter']}, {row['recorded']} recorded, {known}\n{reach}", fontsize=6.5)


def _times(ratio: float) -> str:
    return f"{ratio:.2f}" if np.isfinite(ratio) else "open"


def _interval(ax: Axes, low: float, high: float, level: float, color: str, beyond: tuple[bool, bool]) -> None:
    ax.plot([low, high], [level, level], color=color, linewidth=2.0, solid_capstyle="butt")
    for open_end, at, marker in zip(beyond, (low, high), ("<", ">"), strict=True):
        if open_end:
            ax.plot(at, level, marker, color=color, markersize=4, clip_on=False)


def _label(ax: Axes, widest: float) -> None:
    """Plain numbers: a few around 1, or 1, 2 and 5 where the axis spans more."""
    if widest < 0.5:
        step = next(s for f in (1e-4, 1e-3, 1e-2, 1e-1) for s in (f, 2 * f, 5 * f) if 2.2 * s > widest)
        ax.set_xticks([1 - step, 1, 1 + step])
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.5g}"))
    else:
        ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.minorticks_off()
