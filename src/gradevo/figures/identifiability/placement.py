"""What k electrodes know, by where they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from gradevo.figures.identifiability.looks import compartments, middles
from gradevo.figures.style import PAGE_IN, label_log_axis, letter, rows

LOOKS: dict[str, tuple[str, dict[str, Any]]] = {
    "D": ("chosen, D-optimal", {"color": "#0072B2", "marker": "o", "linestyle": "-"}),
    "A": ("chosen, A-optimal", {"color": "#009E73", "marker": "s", "linestyle": "-"}),
    "uniform": ("at even distances", {"color": "#E69F00", "marker": "^", "linestyle": "--"}),
    "random": ("at random (median, 90 %)", {"color": "#777777", "marker": "", "linestyle": ":"}),
}

SAID = {"recording": "recording sites", "stimulation": "stimulation sites"}

SHOWN_SITES = 10


def placement(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """A row per kind of electrode: the first sites chosen, on the neuron; the typical error of a density and the share of
    densities identified, against the number of electrodes. The grey line: electrodes everywhere.

    tables: neuron, placement and placement_sites.
    """
    table, sites = tables["placement"], tables["placement_sites"]
    kinds = list(dict.fromkeys(table["electrodes"]))
    figure = Figure(figsize=(PAGE_IN, 0.4 + 2.05 * len(kinds)))
    grid = figure.subplots(len(kinds), 3, squeeze=False, width_ratios=[1.0, 1.1, 1.1])
    for row, kind in enumerate(kinds):
        part = rows(table, electrodes=kind)
        _draw_sites(grid[row, 0], tables["neuron"], rows(sites, electrodes=kind), kind, row == len(kinds) - 1)
        error, share = grid[row, 1:]
        for name, (label, look) in LOOKS.items():
            curve = rows(part, placement=name).sort_values("k")
            for ax, quantity in ((error, "error"), (share, "identified")):
                if name == "random":
                    low, high = (100 * curve[f"{quantity}_{end}"].to_numpy(float) for end in ("low", "high"))
                    ax.fill_between(curve["k"], low, high, color=look["color"], alpha=0.25, linewidth=0)
                ax.plot(curve["k"], 100 * curve[quantity], label=label, markersize=2.6, linewidth=1.0, **look)
        everywhere = rows(part, placement="all").iloc[0]
        for ax, quantity in ((error, "error"), (share, "identified")):
            ax.axhline(100 * everywhere[quantity], color="0.6", linewidth=0.8, zorder=0.5)
            ax.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
            ax.set_xlabel(SAID[kind])
        at = (0.25, 100 * everywhere["error"])
        error.annotate(
            f"all {everywhere['k']}", at, xycoords=("axes fraction", "data"), xytext=(0, 2), textcoords="offset points",
            ha="right", va="bottom", fontsize=6, color="0.4",
        )  # fmt: skip
        error.set(yscale="log", ylabel="typical error of a density (%)")
        label_log_axis(error, "y")
        # none at the bottom, what electrodes everywhere identify near the top
        top = max(1.15 * 100 * everywhere["identified"], 1.0)
        share.set(ylabel="densities identified (%)", ylim=(-0.03 * top, top))
    for ax, text in zip(grid.flat, "abcdef", strict=False):
        letter(ax, text)
    figure.legend(*grid[0, 1].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def _draw_sites(ax: Axes, neuron: pd.DataFrame, sites: pd.DataFrame, kind: str, scale_bar: bool) -> None:
    patches, _ = compartments(ax, neuron, scale_bar=scale_bar)
    patches.set(facecolor="0.8")
    order = rows(sites, criterion="D").sort_values("order").head(SHOWN_SITES)
    where = middles(neuron, order["compartment"].to_numpy(int))
    for number, (x, y) in zip(order["order"], where, strict=True):
        ax.plot(x, y, "o", markersize=6.2, color="#0072B2", markeredgecolor="white", markeredgewidth=0.4)
        ax.annotate(str(number), (x, y), ha="center", va="center_baseline", fontsize=4.8, color="white")
    ax.set_title(f"first {len(order)} {SAID[kind]}, D-optimal", fontsize=6.5)
