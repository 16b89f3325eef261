"""What a gradient costs, against the number of parameters."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from gradevo.figures.style import label_log_axis

FORWARD, GRADIENT, DIFFERENCES = "#E69F00", "#0072B2", "#777777"
MARKERS = ("o", "s", "^", "D")
APART = 1.12
"""Factor between the places of two numbers of simulations, so that equal values do not cover each other."""


def price(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Left: the time of a loss and its gradient, in those of a loss alone. Right: both per compartment and step.

    tables: price. Markers: how many simulations were computed in one call, side by side at one number of parameters. Medians and
    quartiles over turns.
    """
    table = tables["price"]
    figure = Figure(figsize=(7.0, 2.5))
    ratio, cost = figure.subplots(1, 2)
    counts = np.array(sorted(set(table["n_parameters"])), float)
    ratio.plot(counts, counts + 1, color=DIFFERENCES, linestyle=":", label="finite differences (parameters + 1)")
    weight = float(table["gradient_weight"].iloc[0])
    ratio.axhline(weight, color="0.6", linewidth=0.8, linestyle="--", label=f"weight in simulation-equivalents ({weight:g})")
    for marker, (simulations, part) in zip(MARKERS, table.groupby("simulations", sort=True), strict=False):
        part = part.sort_values("n_parameters")
        _draw(ratio, part, "ratio", GRADIENT, marker, f"gradient, {simulations} simulations a call")
        _draw(cost, part, "gradient_ns_per_compartment_step", GRADIENT, marker, f"loss and gradient, {simulations} simulations")
        _draw(cost, part, "forward_ns_per_compartment_step", FORWARD, marker, f"loss, {simulations} simulations")
    first = table.iloc[0]
    ratio.set(xscale="log", yscale="log", ylabel="time of a gradient\n(forward simulations)", ylim=(1, 1.5 * max(10, counts[-1])))
    threads = f"{first['threads']} thread{'s' if first['threads'] > 1 else ''}"
    cost.set(xscale="log", ylabel="time per compartment\nand step (ns)", title=f"{first['compartments']} compartments, {threads}")
    # the upper third is the legend's
    cost.set_ylim(0, 1.5 * table["gradient_ns_per_compartment_step_high"].max())
    for ax in (ratio, cost):
        ax.set_xlabel("number of parameters")
        ax.xaxis.set_major_locator(FixedLocator(list(counts)))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.legend(fontsize=5.5, loc="upper left")
    label_log_axis(ratio, "y")
    return figure


def _draw(ax: Axes, part: pd.DataFrame, quantity: str, color: str, marker: str, label: str) -> None:
    x = part["n_parameters"].to_numpy(float) * APART ** MARKERS.index(marker)
    ax.vlines(x, part[f"{quantity}_low"], part[f"{quantity}_high"], color=color, linewidth=0.8)
    face = color if marker == MARKERS[0] else "white"
    ax.plot(x, part[quantity], color=color, marker=marker, markerfacecolor=face, markersize=3.5, linewidth=1.0, label=label)
