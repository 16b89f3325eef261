"""Recorded voltages, and what the best fit of each method makes of the same stimuli."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gradevo.figures.style import PAGE_IN, looks, method_legend

MOST_SWEEPS = 4
"""Drawn of the fitted and of the held-out sweeps each."""


@dataclass(frozen=True, eq=False)
class Shown:
    """Sweeps of one kind ("fitted", "held out"): times_ms [samples], recorded_mV [stimuli, samples, sites] (NaN where nothing was
    recorded), sites [sites] (compartments), fits: method -> [stimuli, samples, sites] mV."""

    kind: str
    times_ms: np.ndarray
    recorded_mV: np.ndarray
    sites: Sequence[int]
    fits: Mapping[str, np.ndarray]


def recorded_and_fitted(shown: Sequence[Shown]) -> Figure:
    """A row per sweep, a column per recorded site; recordings in grey, fits on top in the methods' colours."""
    sites = list(dict.fromkeys(site for part in shown for site in part.sites))
    lines = [(part, s) for part in shown for s in range(min(MOST_SWEEPS, len(part.recorded_mV)))]
    methods = looks(method for part in shown for method in part.fits)
    figure = Figure(figsize=(PAGE_IN * min(1.0, 0.3 + 0.35 * len(sites)), 0.6 + 1.1 * len(lines)))
    grid = figure.subplots(len(lines), len(sites), squeeze=False, sharey=True)
    for row, (part, s) in enumerate(lines):
        for column, site in enumerate(sites):
            ax = grid[row, column]
            if site not in part.sites or not np.isfinite(part.recorded_mV[s, :, part.sites.index(site)]).any():
                ax.set_axis_off()
                continue
            at = part.sites.index(site)
            ax.plot(part.times_ms, part.recorded_mV[s, :, at], color="0.7", linewidth=2.2)
            for method, voltages in part.fits.items():
                ax.plot(
                    part.times_ms, voltages[s, :, at], color=methods[method].color, linestyle=methods[method].line, linewidth=0.8
                )
            ax.set_title(f"{part.kind}, stimulus {s}" + (f", compartment {site}" if row == 0 else ""))
            ax.margins(x=0.01)
        grid[row, 0].set_ylabel("mV")
    for ax in grid[-1]:
        ax.set_xlabel("time (ms)")
    recorded = Line2D([], [], color="0.7", linewidth=2.2, label="recorded")
    method_legend(figure, methods, markers=False, extra=[recorded])
    return figure
