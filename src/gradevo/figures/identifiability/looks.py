"""What the figures of identifiability share: the verdicts' colours, and a neuron with its sites."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection

from gradevo.figures.neurons import draw_compartments, order_drawn


class VerdictLook(NamedTuple):
    """A verdict's name in print, colour and hatch."""

    label: str
    color: str
    hatch: str


# Okabe and Ito's blue and orange, and grey; the last is hatched too, for grey prints
VERDICTS = {
    "identified": VerdictLook("identified", "#0072B2", ""),
    "practical": VerdictLook("practically unidentifiable", "#E69F00", ""),
    "structural": VerdictLook("structurally unidentifiable", "#BBBBBB", "/////"),
}

SERIES = (("#0072B2", "o"), ("#D55E00", "^"), ("#009E73", "s"), ("#CC79A7", "D"))
"""Colours and markers of problems side by side."""


def compartments(ax: Axes, neuron: pd.DataFrame, *, scale_bar: bool) -> tuple[PolyCollection, np.ndarray]:
    """The neuron of neuron.csv, and the order in which its compartments are to be given values."""
    start, end = (neuron[[f"{side}_x_um", f"{side}_y_um"]].to_numpy(float) for side in ("start", "end"))
    diameters = neuron["diameter_um"].to_numpy(float)
    return draw_compartments(ax, start, end, diameters, scale_bar=scale_bar), order_drawn(diameters)


def middles(neuron: pd.DataFrame, which: np.ndarray) -> np.ndarray:
    """[k, 2] um, the middles of compartments, by their numbers."""
    start, end = (neuron[[f"{side}_x_um", f"{side}_y_um"]].to_numpy(float) for side in ("start", "end"))
    return (start + end)[which] / 2


def mark_recorded(ax: Axes, neuron: pd.DataFrame, which: np.ndarray) -> None:
    """Open circles on the recorded compartments."""
    x, y = middles(neuron, which).T
    ax.plot(x, y, "o", markersize=3.0, markerfacecolor="white", markeredgecolor="black", markeredgewidth=0.6, zorder=3)


def sites_said(count: int, n: int) -> str:
    return f"all {n} recorded" if count == n else f"{count} recorded"
