"""A neuron seen from the side, its compartments in colour."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure, SubFigure
from matplotlib.font_manager import FontProperties
from mpl_toolkits.axes_grid1.anchored_artists import AnchoredSizeBar

COLORMAP = "viridis"
THIN_TO_SPAN = 0.022
"""Dendrites thinner than this share of the neuron's extent are drawn that thick: width shows rank, not diameter."""


def draw_neuron(
    figure: Figure | SubFigure, ax: Axes, start_um: np.ndarray, end_um: np.ndarray, diameters_um: np.ndarray, values: np.ndarray
) -> Axes:
    """Compartments from start to end [n, 2] um, coloured by values [n], with a scale bar and a colour bar, whose axes are
    returned."""
    drawn = draw_compartments(ax, start_um, end_um, diameters_um)
    drawn.set(array=values[order_drawn(diameters_um)], cmap=COLORMAP, norm=Normalize(values.min(), values.max()))
    bar = figure.colorbar(drawn, ax=ax, orientation="horizontal", shrink=0.8, aspect=18, pad=0.02)
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    bar.ax.tick_params(labelsize=6)
    return bar.ax


def order_drawn(diameters_um: np.ndarray) -> np.ndarray:
    """[n] the compartments in the order in which they are drawn: the soma last, on top of the dendrites that leave its centre."""
    return np.argsort(diameters_um, kind="stable")


def draw_compartments(
    ax: Axes, start_um: np.ndarray, end_um: np.ndarray, diameters_um: np.ndarray, *, scale_bar: bool = True
) -> PolyCollection:
    """Compartments from start to end [n, 2] um, for a caller who gives them values or colours in the order of `order_drawn`."""
    ax.set_axis_off()
    corners = np.concatenate([start_um, end_um])
    span = float((corners.max(axis=0) - corners.min(axis=0)).max())
    width = np.maximum(diameters_um, THIN_TO_SPAN * span)
    length = np.hypot(*(end_um - start_um).T)
    round_soma = len(start_um) > 1 and np.isclose(length[0], diameters_um[0])
    polygons = [_rectangle(start_um[i], end_um[i], width[i]) for i in range(len(start_um))]
    if round_soma:
        polygons[0] = _circle((start_um[0] + end_um[0]) / 2, width[0])
    edge = 0.4 if len(start_um) < 60 else 0.15
    drawn = PolyCollection([polygons[i] for i in order_drawn(diameters_um)], edgecolors="white", linewidths=edge)
    ax.add_collection(drawn)
    margin = 0.04 * span
    low, high = corners.min(axis=0) - margin, corners.max(axis=0) + margin
    # room for the scale bar below, without one too: neurons side by side have one scale
    ax.update_datalim([(low[0], low[1] - 0.16 * span), high])
    ax.margins(0)
    ax.autoscale_view()
    ax.set_aspect("equal", adjustable="datalim")
    if scale_bar:
        _scale_bar(ax, span)
    return drawn


def _rectangle(start: np.ndarray, end: np.ndarray, width: float) -> np.ndarray:
    """[4, 2] corners of a compartment seen from the side."""
    along = end - start
    across = np.array([-along[1], along[0]]) / max(float(np.hypot(*along)), 1e-12) * width / 2
    return np.array([start - across, start + across, end + across, end - across])


def _circle(centre: np.ndarray, diameter: float) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, 49)[:-1]
    return centre + diameter / 2 * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _scale_bar(ax: Axes, span: float) -> None:
    """A bar of 1, 2 or 5 x 10^k um, about a fifth of the neuron."""
    exponent = np.floor(np.log10(span / 4))
    length = max(f * 10.0**exponent for f in (1, 2, 5) if f * 10.0**exponent <= span / 4)
    bar = AnchoredSizeBar(
        ax.transData, length, f"{length:g} µm", loc="lower left", frameon=False, pad=0, borderpad=0, sep=2,
        label_top=True, fill_bar=True,
        size_vertical=0.008 * span,  # pyright: ignore[reportArgumentType] - a length in data units
        fontproperties=FontProperties(size=6),
    )  # fmt: skip
    ax.add_artist(bar)
