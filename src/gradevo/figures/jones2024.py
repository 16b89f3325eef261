"""The published tables beside ours: errors, and hours against seconds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gradevo.figures.style import LOOKS, PAGE_IN, label_log_axis, letter, rows

S_PER_HOUR = 3600.0

LEAST_ERROR = 1e-4
"""mS/cm2: smaller errors are drawn here; they are far below what matters."""

_PUBLISHED: dict[str, Any] = {"color": "#000000", "marker": "x", "linestyle": "none", "label": "published"}
_REDONE: dict[str, Any] = {
    "color": LOOKS["adam"].color, "marker": "o", "fillstyle": "none", "linestyle": "none", "label": "published optimiser, here",
}  # fmt: skip
_EVOLVED: dict[str, Any] = {
    "color": LOOKS["cma_es"].color,
    "marker": "^",
    "linestyle": "none",
    "label": "CMA-ES, at the same cost",
}
_BEST: dict[str, Any] = {"color": "#009E73", "marker": "D", "linestyle": "none", "label": "best here (lowest loss)"}


def published_tables(toy: pd.DataFrame, test184: pd.DataFrame) -> Figure:
    """A row per model: mean absolute errors of g_Na and g_K, and the time a fit took, by condition.

    toy, test184: as `jones2024.tables` writes them. The number at the top is the percentage of densities that the recordings
    identify within 1 % at the stated noise. Conditions on the study's own data are shaded. Errors below LEAST_ERROR are drawn on
    the dotted line.
    """
    figure = Figure(figsize=(PAGE_IN, 4.6))
    grid = figure.subplots(2, 3, sharex="row", squeeze=False)
    titles = ("mean error of $g_{Na}$ (mS/cm²)", "mean error of $g_K$ (mS/cm²)", "time of a fit (s)")
    for row, (table, name) in enumerate(((toy, "6 compartments"), (test184, "184 compartments"))):
        conditions = table.drop_duplicates(["source", "stimulated", "recorded"]).reset_index(drop=True)
        for column, quantity in enumerate(("g_Na_error", "g_K_error", "wall_s")):
            ax = grid[row, column]
            for place, part in enumerate(_parts(table, conditions)):
                _draw(ax, place, part, quantity)
            _shade(ax, conditions, named=column < 2)
            ax.set_yscale("log")
            if column < 2:
                ax.axhline(LEAST_ERROR, color="0.6", linestyle=":", linewidth=0.6, zorder=0)
                ax.set_ylim(LEAST_ERROR / 2, 100)
            ax.set_ylabel(titles[column])
            ax.set_xlim(-0.6, len(conditions) - 0.4)
            label_log_axis(ax, "y")
            labels = [f"{_sites(c['stimulated'])} | {_sites(c['recorded'])}" for c in conditions.to_dict("records")]
            ax.set_xticks(range(len(labels)), labels, rotation=60, ha="right", rotation_mode="anchor", fontsize=5.5)
            if column < 2:
                for place, part in enumerate(_parts(table, conditions)):
                    _share(ax, place, part)
        letter(grid[row, 0], "ab"[row])
        grid[row, 2].set_title(f"{name}, stimulated | recorded", fontsize=6)
    handles = [Line2D([], [], **look) for look in (_PUBLISHED, _REDONE, _EVOLVED, _BEST)]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


def _draw(ax: Axes, x: float, part: pd.DataFrame, quantity: str) -> None:
    """The four marks of one condition."""
    least = 0.0 if quantity == "wall_s" else LEAST_ERROR
    first = part.iloc[0]
    reported = first["published_hours"] * S_PER_HOUR if quantity == "wall_s" else first[f"published_{quantity}"]
    if np.isfinite(reported):
        ax.plot(x, reported, **_PUBLISHED)
    ours = part.set_index("method")
    for method, look in (("adam_published", _REDONE), ("cma_es", _EVOLVED)):
        if method in ours.index:
            ax.plot(x, max(ours.loc[method, quantity], least), **look)
    ax.plot(x, max(part.loc[part["loss"].idxmin(), quantity], least), **_BEST)


def _shade(ax: Axes, conditions: pd.DataFrame, named: bool) -> None:
    """Behind the conditions on the study's own data, which come last; `named` where marks leave room for words."""
    stored = np.flatnonzero(conditions["source"] != "drawn")
    if len(stored):
        ax.axvspan(stored[0] - 0.5, stored[-1] + 0.5, color="0.92", zorder=0, linewidth=0)
    if len(stored) and named:
        ax.annotate(
            "published\ndata", (stored[0] - 0.45, 0.09), xycoords=("data", "axes fraction"), fontsize=5.5, color="0.35",
            va="bottom",
        )  # fmt: skip


def _share(ax: Axes, x: float, part: pd.DataFrame) -> None:
    ax.annotate(
        f"{100 * part['identified_fraction'].iloc[0]:.0f}", (x, 1.0), xycoords=("data", "axes fraction"), fontsize=5,
        color="0.35", ha="center", va="bottom",
    )  # fmt: skip


def _parts(table: pd.DataFrame, conditions: pd.DataFrame) -> list[pd.DataFrame]:
    """The rows of each condition."""
    keys = ("source", "stimulated", "recorded")
    return [rows(table, **{key: c[key] for key in keys}) for c in conditions.to_dict("records")]


def _sites(sites: object) -> str:
    """Many sites by their number."""
    text = str(sites)
    return f"{text.count(',') + 1} sites" if text.count(",") > 3 else text
