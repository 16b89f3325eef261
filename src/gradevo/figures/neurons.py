"""The ground-truth neurons with their densities in colour, beside an example of what a fit is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from mpl_toolkits.axes_grid1.anchored_artists import AnchoredSizeBar

from gradevo.figures.style import PAGE_IN, S_CM2_TO_MS_CM2, density_symbol

COLORMAP = "viridis"
THIN_TO_SPAN = 0.022
"""Dendrites thinner than this share of the neuron's extent are drawn that thick: width shows rank, not diameter."""

TRACE_LINES = (("#000000", "-"), ("#0072B2", "--"), ("#D55E00", ":"))
"""Colour and style of the nearest, middle and farthest site's voltage: traces on top of each other stay visible."""


Arrays = Mapping[str, np.ndarray]


def neurons_and_traces(neurons: Mapping[str, Arrays], traces: Mapping[str, Mapping[str, Any]]) -> Figure:
    """A row per neuron: each free channel's density (its shape alone where densities are not known), then target voltages of one
    stimulus at up to three sites.

    neurons: name -> arrays start_um and end_um [n, 3], diameters_um and path_distance_um [n], densities_S_cm2 [C, n],
    channels [C], free [F]. traces: neuron's name -> arrays times_ms [T], voltages_mV [T, sites], sites [sites] of one
    stimulus, and title.
    """
    known = {name: bool(np.isfinite(arrays["densities_S_cm2"]).all()) for name, arrays in neurons.items()}
    channels = list(dict.fromkeys(str(c) for name, arrays in neurons.items() if known[name] for c in arrays["free"])) or [""]
    figure = Figure(figsize=(PAGE_IN, 0.25 + 1.6 * len(neurons)))
    widths = [1.0] * len(channels) + [1.35]
    grid = figure.subplots(len(neurons), len(channels) + 1, squeeze=False, width_ratios=widths)
    for row, (name, arrays) in enumerate(neurons.items()):
        for column, channel in enumerate(channels):
            ax = grid[row, column]
            ax.set_axis_off()
            if known[name] and channel in arrays["free"]:
                _draw_neuron(figure, ax, arrays, channel)
            elif not known[name] and column == 0:
                _draw_neuron(figure, ax, arrays, None)
        compartments = len(arrays["diameters_um"])
        grid[row, 0].set_title(f"{name}: {compartments} compartments")
        ax = grid[row, -1]
        if name in traces:
            _draw_traces(ax, traces[name], arrays["path_distance_um"])
        else:
            ax.set_axis_off()
    grid[-1, -1].set_xlabel("time (ms)")
    return figure


def example_sites(recorded: Sequence[int], path_distance_um: np.ndarray) -> list[int]:
    """Up to three positions in `recorded`: the nearest to the soma, the farthest, and the one halfway between."""
    distance = np.asarray(path_distance_um, dtype=float)[list(recorded)]
    nearest, farthest = int(np.argmin(distance)), int(np.argmax(distance))
    middle = int(np.argmin(np.abs(distance - 0.5 * (distance[nearest] + distance[farthest]))))
    return list(dict.fromkeys([nearest, middle, farthest]))


def _draw_neuron(figure: Figure, ax: Axes, arrays: Arrays, channel: str | None) -> None:
    """Coloured by the channel's density, or grey without one."""
    start, end = arrays["start_um"][:, :2], arrays["end_um"][:, :2]
    corners = np.concatenate([start, end])
    span = float((corners.max(axis=0) - corners.min(axis=0)).max())
    width = np.maximum(arrays["diameters_um"], THIN_TO_SPAN * span)
    length = np.hypot(*(end - start).T)
    round_soma = len(start) > 1 and np.isclose(length[0], arrays["diameters_um"][0])
    polygons = [_rectangle(start[i], end[i], width[i]) for i in range(len(start))]
    if round_soma:
        polygons[0] = _circle((start[0] + end[0]) / 2, width[0])
    # the soma last, on top of the dendrites that leave its centre
    order = np.argsort(arrays["diameters_um"], kind="stable")
    drawn = PolyCollection([polygons[i] for i in order], facecolors="0.45", edgecolors="white", linewidths=0.4)
    if channel is not None:
        row = [str(c) for c in arrays["channels"]].index(channel)
        density = arrays["densities_S_cm2"][row] * S_CM2_TO_MS_CM2
        drawn.set(array=density[order], cmap=COLORMAP, norm=Normalize(density.min(), density.max()))
    ax.add_collection(drawn)
    margin = 0.04 * span
    low, high = corners.min(axis=0) - margin, corners.max(axis=0) + margin
    # room for the scale bar below
    ax.update_datalim([(low[0], low[1] - 0.16 * span), high])
    ax.margins(0)
    ax.autoscale_view()
    ax.set_aspect("equal", adjustable="datalim")
    _scale_bar(ax, span)
    if channel is None:
        return
    bar = figure.colorbar(drawn, ax=ax, shrink=0.72, aspect=14, pad=0.02)
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    bar.ax.tick_params(labelsize=6)
    bar.ax.set_title(f"{density_symbol(channel)}\n(mS/cm²)", fontsize=6, loc="left", pad=4)


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


def _draw_traces(ax: Axes, trace: Mapping[str, Any], path_distance_um: np.ndarray) -> None:
    sites = np.asarray(trace["sites"], dtype=int)
    chosen = example_sites(sites.tolist(), path_distance_um)
    for (color, line), position in zip(TRACE_LINES, chosen, strict=False):
        distance = float(path_distance_um[sites[position]])
        voltage = trace["voltages_mV"][:, position]
        ax.plot(trace["times_ms"], voltage, color=color, linestyle=line, linewidth=1.0, label=f"{distance:.0f} µm")
    ax.set_ylabel("voltage (mV)")
    ax.set_title(str(trace["title"]))
    ax.margins(x=0.01)
    ax.legend(
        title="distance\nfrom root", loc="upper left", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.2, handlelength=1.6,
        alignment="left", title_fontsize=6.5,
    )  # fmt: skip
