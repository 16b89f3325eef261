"""Currents from a CSV as the stimuli of a simulated study: `stimuli: { kind: file, ... }`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from gradevo.measured.arrays import site_compartments
from gradevo.measured.sweeps import Sweep, check_rising, stacked_currents
from gradevo.measured.table import Table, read_table
from gradevo.neuron import Neuron
from gradevo.stimulus import Stimulus


def file_stimulus(declared: Mapping[str, Any], neuron: Neuron, duration_ms: float) -> tuple[Stimulus, tuple[int, ...]]:
    """The currents [sweeps, sites] of a file, a stimulus per sweep, and the compartments that they go into.

    declared: path, sites (name -> place) and, where not all of them, sweeps (labels). Time 0 is where simulations begin; before a
    sweep's first row nothing is injected. Voltages in the file are not read. Raises FileNotFoundError, or ValueError naming the
    file, the line, the column, the value and the way out.
    """
    table = read_table(declared["path"])
    if not table.currents:
        raise ValueError(f"{table.path} has no column current_<site>_nA; it needs one for every stimulated site")
    compartments = site_compartments(table, "current", declared["sites"], neuron, "stimuli.sites")
    known = table.labels()
    labels = [str(label) for label in declared.get("sweeps", known)]
    for label in labels:
        if label not in known:
            raise ValueError(f"stimuli.sweeps names sweep {label!r}; {table.path} has {', '.join(known)}")
    sweeps = [_sweep(table, label, duration_ms) for label in labels]
    edges_ms, values_nA = stacked_currents(sweeps, duration_ms)
    return Stimulus(edges_ms, values_nA), tuple(compartments)


def in_order(stimulus: Stimulus, given: tuple[int, ...], wanted: tuple[int, ...]) -> Stimulus:
    """With its sites in the order of `wanted`. Raises ValueError where they are others: held-out stimuli enter where the fitted
    ones do."""
    if sorted(given) != sorted(wanted):
        raise ValueError(
            f"heldout.sites are compartments {sorted(given)}, but the fitted stimuli enter {sorted(wanted)}; hold out a file "
            "with a column for each of these and no others (0 where nothing is injected)"
        )
    return Stimulus(stimulus.edges_ms, stimulus.values_nA[:, [given.index(site) for site in wanted]])


def _sweep(table: Table, label: str, duration_ms: float) -> Sweep:
    rows = table.rows(label)
    times_ms = table.time_ms[rows]
    check_rising(table, rows, times_ms)
    if times_ms[0] < 0:
        raise ValueError(
            f"{table.place(int(rows[0]))} is {times_ms[0]:g} ms, before the simulation begins at 0; shift the sweep's times"
        )
    beyond = np.flatnonzero(times_ms > duration_ms)
    if len(beyond):
        k = int(rows[beyond[0]])
        raise ValueError(
            f"{table.place(k)}: the current of sweep {label!r} goes on at {table.time_ms[k]:g} ms, but the problem's duration_ms "
            f"is {duration_ms:g}; cut the stimulus there, or simulate for longer"
        )
    current = np.stack([values[rows] for values in table.currents.values()], axis=1)
    return Sweep(label, np.empty((0, 0)), times_ms, current)
