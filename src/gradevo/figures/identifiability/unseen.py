"""The directions of which the recordings tell least, drawn on the neuron."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from gradevo.figures.identifiability.looks import compartments, mark_recorded, sites_said
from gradevo.figures.style import PAGE_IN, density_symbol, rows

COLORMAP = "PuOr_r"
"""Of both signs, told apart by colour-blind readers too."""


def unseen(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """A column per number of recorded sites (circles), a row per channel; colour: by how much the direction changes each density,
    relative to that which it changes most. Densities may move along it by the deviation in the title unnoticed.

    tables: neuron and unseen.
    """
    neuron, table = tables["neuron"], tables["unseen"]
    counts, channels = list(dict.fromkeys(table["recorded"])), list(dict.fromkeys(table["channel"]))
    figure = Figure(figsize=(PAGE_IN, 0.65 + 1.35 * len(channels)))
    grid = figure.subplots(len(channels), len(counts), squeeze=False)
    drawn = None
    for column, count in enumerate(counts):
        direction = rows(table, recorded=count)
        largest = float(np.abs(direction["component"].to_numpy(float)).max())
        deviation, null = float(direction["deviation"].iloc[0]), int(direction["null_directions"].iloc[0])
        for row, channel in enumerate(channels):
            ax, part = grid[row, column], rows(direction, channel=channel)
            patches, order = compartments(ax, neuron, scale_bar=(row, column) == (len(channels) - 1, 0))
            values = part["component"].to_numpy(float)[order] / largest
            # the colours' middle is white: an outline shows where the neuron is
            patches.set(array=values, cmap=COLORMAP, norm=Normalize(-1, 1), edgecolor="0.6", linewidth=0.25)
            drawn = drawn or patches
            sites = part.loc[part["is_recorded"], "compartment"].to_numpy(int)
            if len(sites) < len(neuron):
                mark_recorded(ax, neuron, sites)
            ax.set_title(f"{density_symbol(channel)}, {sites_said(count, len(neuron))}", fontsize=6.5)
        said = f"known to {_percent(deviation)}" if np.isfinite(deviation) else f"one of {null} that cannot be seen"
        grid[-1, column].annotate(said, (0.5, 0), xycoords="axes fraction", ha="center", va="bottom", fontsize=6, color="0.25")
    assert drawn is not None
    bar = figure.colorbar(drawn, ax=grid, orientation="horizontal", shrink=0.55, aspect=38, pad=0.02)
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    bar.set_label("change of the density's logarithm along the least known direction, relative to the largest", fontsize=6.5)
    return figure


def _percent(deviation: float) -> str:
    return f"{100 * deviation:.2g} %" if deviation < 1 else f"± {deviation:.0f} in its logarithm"
