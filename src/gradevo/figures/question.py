"""The question: can the densities of a neuron be told from its voltages? One example, and one fit by each family of methods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from gradevo.figures.neurons import draw_neuron
from gradevo.figures.style import PAGE_IN, S_CM2_TO_MS_CM2, density_symbol, label_log_axis, letter, looks, rows

FAMILY_LOOKS = {"gradient": ("#0072B2", "o", "-"), "evolution": ("#D55E00", "^", "--")}
"""Colour, marker and line of a family's fit."""

MOST_CHANNELS = 2


def question(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Above: the neuron with its true densities (the fitted ones where the true ones are unknown), a stimulus and voltages,
    fitted and held out, with those of the fits. Below: fitted against true densities, and how many are within what error; where
    the true ones are unknown, the fitted ones of both families side by side, for each region.

    tables: example, example_compartments and example_traces.
    """
    fits, compartments, traces = (tables[name] for name in ("example", "example_compartments", "example_traces"))
    channels = list(dict.fromkeys(compartments["channel"]))[:MOST_CHANNELS]
    figure = Figure(figsize=(PAGE_IN, 4.6))
    halves: Any = figure.subfigures(2, 1, height_ratios=[1.2, 1.0])
    above, below = halves
    left, right = above.subfigures(1, 2, width_ratios=[1.0, 1.15])
    for i, (ax, channel) in enumerate(zip(np.atleast_1d(left.subplots(1, max(1, len(channels)))), channels, strict=False)):
        _draw_densities(left, ax, rows(compartments, channel=channel), channel)
        if i == 0:
            letter(ax, "a")
    if not channels:
        left.text(0.5, 0.5, "no densities are fitted", ha="center", va="center", fontsize=6)
    _draw_traces(right, traces, fits)
    if channels and not np.isfinite(compartments["true_S_cm2"].to_numpy(float)).any():
        _draw_regions(below, compartments, channels, fits)
    else:
        _draw_errors(below, compartments, channels, fits)
    figure.legend(handles=_handles(fits), loc="outside lower center", ncols=4)
    return figure


def _draw_densities(figure: SubFigure, ax: Axes, part: pd.DataFrame, channel: str) -> None:
    values = part["true_S_cm2"]
    known = bool(np.isfinite(values).all())
    if not known:
        values = next(part[f"{f}_S_cm2"] for f in FAMILY_LOOKS if f"{f}_S_cm2" in part)
    start, end = (part[[f"{side}_x_um", f"{side}_y_um"]].to_numpy(float) for side in ("start", "end"))
    bar = draw_neuron(figure, ax, start, end, part["diameter_um"].to_numpy(float), values.to_numpy(float) * S_CM2_TO_MS_CM2)
    bar.set_xlabel(f"{density_symbol(channel)} (mS/cm²)", fontsize=6.5)
    which = "true" if known else "fitted"
    ax.set_title(f"{which} {density_symbol(channel)}, {len(part)} compartments", fontsize=6.5)


def _draw_traces(figure: SubFigure, traces: pd.DataFrame, fits: pd.DataFrame) -> None:
    kinds = list(dict.fromkeys(traces["stimuli"]))
    grid = figure.subplots(2, len(kinds), squeeze=False, sharex="col", sharey="row", height_ratios=[1, 2.6])
    for column, kind in enumerate(kinds):
        current = rows(traces, stimuli=kind, quantity="current")
        grid[0, column].plot(current["time_ms"], current["data"], color="0.25", drawstyle="steps-post", linewidth=0.9)
        grid[0, column].set_title(f"a stimulus that was {kind}")
        ax = grid[1, column]
        voltages = rows(traces, stimuli=kind, quantity="voltage")
        for site, (_, trace) in enumerate(voltages.groupby("compartment", sort=False)):
            shade = "#000000" if site == 0 else "#999999"
            ax.plot(trace["time_ms"], trace["data"], color=shade, linewidth=2.2, alpha=0.55, solid_capstyle="butt")
            for family in fits["family"]:
                color, _, line = FAMILY_LOOKS[family]
                ax.plot(trace["time_ms"], trace[family], color=color, linestyle=line, linewidth=0.9)
        ax.set_xlabel("time (ms)")
        ax.margins(x=0.01)
    grid[0, 0].set_ylabel("current (nA)")
    grid[1, 0].set_ylabel("voltage (mV)")
    figure.align_ylabels(grid[:, 0])
    letter(grid[0, 0], "b")


def _draw_errors(figure: SubFigure, compartments: pd.DataFrame, channels: list[str], fits: pd.DataFrame) -> None:
    axes = figure.subplots(1, len(channels) + 1)
    axes = np.atleast_1d(axes)
    errors: dict[str, list[np.ndarray]] = {family: [] for family in fits["family"]}
    for ax, channel in zip(axes, channels, strict=False):
        part = rows(compartments, channel=channel).drop_duplicates("region")
        true = part["true_S_cm2"].to_numpy(float) * S_CM2_TO_MS_CM2
        for family in reversed(list(errors)):
            color, marker, _ = FAMILY_LOOKS[family]
            fitted = part[f"{family}_S_cm2"].to_numpy(float) * S_CM2_TO_MS_CM2
            errors[family].append(np.abs(fitted / true - 1))
            ax.plot(true, fitted, marker, color=color, markersize=3, alpha=0.75, markeredgewidth=0)
        ends = [0.85 * np.nanmin(true), 1.18 * np.nanmax(true)]
        ax.plot(ends, ends, color="0.6", linewidth=0.7, zorder=0.5)
        ax.set(xscale="log", yscale="log", xlim=ends)
        label_log_axis(ax, "x")
        label_log_axis(ax, "y")
        ax.set(xlabel=f"true {density_symbol(channel)} (mS/cm²)", ylabel=f"fitted {density_symbol(channel)} (mS/cm²)")
    if channels:
        letter(axes[0], "c")
    ax = axes[-1]
    for family, found in errors.items():
        values = np.sort(np.concatenate(found)) if found else np.array([])
        values = 100 * values[np.isfinite(values) & (values > 0)]
        if len(values):
            color, _, line = FAMILY_LOOKS[family]
            share = np.arange(1, len(values) + 1) / len(values)
            ax.plot(values, share, color=color, linestyle=line, drawstyle="steps-post")
    ax.set(xscale="log", ylim=(0, 1.02), xlabel="error of a density (%)", ylabel="share of densities\nwithin it")
    label_log_axis(ax, "x")
    letter(ax, "d")


def _draw_regions(figure: SubFigure, compartments: pd.DataFrame, channels: list[str], fits: pd.DataFrame) -> None:
    """What each family found in every region: nobody knows who is right, but where they differ, one is wrong."""
    axes = np.atleast_1d(figure.subplots(1, len(channels)))
    for ax, channel in zip(axes, channels, strict=True):
        part = rows(compartments, channel=channel).drop_duplicates("region").sort_values("region")
        for i, family in enumerate(fits["family"]):
            color, marker, _ = FAMILY_LOOKS[family]
            x = part["region"] + 0.3 * (i - 0.5 * (len(fits) - 1))
            fitted = part[f"{family}_S_cm2"].to_numpy(float) * S_CM2_TO_MS_CM2
            ax.plot(x, fitted, marker, color=color, markersize=4, alpha=0.75, markeredgewidth=0)
        ax.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
        symbol = density_symbol(channel)
        ax.set(yscale="log", xlabel=f"region of {symbol} (true values unknown)", ylabel=f"fitted {symbol} (mS/cm²)")
        ax.set_xlim(-0.6, float(part["region"].to_numpy().max()) + 0.6)
        ax.margins(y=0.15)
        label_log_axis(ax, "y")
    letter(axes[0], "c")


def _handles(fits: pd.DataFrame) -> list[Line2D]:
    names = looks(fits["method"])
    handles = [Line2D([], [], color="#000000", alpha=0.55, linewidth=2.2, label="data, nearest site")]
    handles.append(Line2D([], [], color="#999999", alpha=0.55, linewidth=2.2, label="data, farthest site"))
    for row in fits.to_dict("records"):
        line: Any
        color, marker, line = FAMILY_LOOKS[row["family"]]
        said = f"{row['family']} ({names[row['method']].label})"
        handles.append(Line2D([], [], color=color, marker=marker, linestyle=line, markersize=3, label=said))
    return handles
