"""The neuron coloured by how well each density is known, for fewer and fewer recorded sites."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from gradevo.figures.identifiability.looks import VERDICTS, compartments, mark_recorded, sites_said
from gradevo.figures.style import PAGE_IN, density_symbol, rows

RANGE_PERCENT = (0.1, 100.0)
"""Of the colours; the verdict's threshold is in it."""

COLORMAP = "viridis_r"


def known(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """A column per number of recorded sites (circles), a row per channel; colour: the relative bound of each density, on a log
    scale on which the verdict's threshold is marked. What cannot be told at all is hatched.

    tables: neuron, known and verdicts.
    """
    neuron, table = tables["neuron"], tables["known"]
    counts, channels = list(dict.fromkeys(table["recorded"])), list(dict.fromkeys(table["channel"]))
    threshold = 100 * float(tables["verdicts"]["threshold"].iloc[0])
    figure = Figure(figsize=(PAGE_IN, 0.65 + 1.35 * len(channels)))
    grid = figure.subplots(len(channels), len(counts), squeeze=False)
    norm = LogNorm(*RANGE_PERCENT)
    colormap = colormaps[COLORMAP].with_extremes(bad=VERDICTS["structural"].color)
    drawn = None
    for row, channel in enumerate(channels):
        for column, count in enumerate(counts):
            ax, part = grid[row, column], rows(table, channel=channel, recorded=count)
            patches, order = compartments(ax, neuron, scale_bar=(row, column) == (len(channels) - 1, 0))
            bounds = 100 * part["bound"].to_numpy(float)[order]
            known_at_all = np.isfinite(bounds)
            patches.set(array=np.where(known_at_all, np.clip(bounds, *RANGE_PERCENT), np.nan), cmap=colormap, norm=norm)
            drawn = drawn or patches
            if not known_at_all.all():
                paths = [path for path, seen in zip(patches.get_paths(), known_at_all, strict=True) if not seen]
                hatched = type(patches)([path.vertices for path in paths], facecolors="none", edgecolors="white", linewidths=0.15)
                hatched.set(hatch="//////")
                ax.add_collection(hatched, autolim=False)
            sites = part.loc[part["is_recorded"], "compartment"].to_numpy(int)
            if len(sites) < len(neuron):
                mark_recorded(ax, neuron, sites)
            counted = part["verdict"].value_counts()
            ax.set_title(f"{density_symbol(channel)}, {sites_said(count, len(neuron))}", fontsize=6.5)
            said = f"{counted.get('identified', 0)} of {len(part)} identified"
            ax.annotate(said, (0.5, 0), xycoords="axes fraction", ha="center", va="bottom", fontsize=6, color="0.25")
    assert drawn is not None
    bar = figure.colorbar(drawn, ax=grid, orientation="horizontal", shrink=0.55, aspect=38, pad=0.02, extend="both")
    bar.ax.axvline(threshold, color="black", linewidth=1.6)
    bar.ax.axvline(threshold, color="white", linewidth=0.5)
    bar.ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    bar.set_label(f"bound of the density (%); black line: identified below {threshold:g} %", fontsize=6.5)
    look = VERDICTS["structural"]
    figure.legend(
        handles=[Patch(facecolor=look.color, edgecolor="white", hatch=look.hatch, label=look.label)],
        loc="lower right",
        fontsize=6,
    )
    return figure
