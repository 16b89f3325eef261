"""The sweeps of a recording: voltages on one grid of times, and the current that went in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gradevo.measured.table import Table

EVEN = 0.01
"""Times may be off their grid by this share of a step: they are printed with few digits."""


@dataclass(frozen=True, eq=False)
class Sweep:
    """voltages_mV [samples, sites], NaN where nothing was recorded; the current [pieces, sites] nA from each of its times
    (ms from the sweep's first sample) until the next."""

    label: str
    voltages_mV: np.ndarray
    current_times_ms: np.ndarray
    current_nA: np.ndarray


def read_sweeps(traces: Table, stimuli: Table) -> tuple[list[Sweep], float]:
    """All sweeps of `traces` with their currents in `stimuli` (the same table, or another), and the sampling interval in ms.

    Raises ValueError naming the file, the line, the column, the value and the way out: for tables without voltages or currents,
    times that do not go on in equal steps, a sweep without a recording or without its current, or a current that outlasts it.
    """
    if not traces.voltages:
        raise ValueError(f"{traces.path} has no column voltage_<site>_mV; it needs one for every recorded site")
    if not stimuli.currents:
        raise ValueError(
            f"{stimuli.path} has no column current_<site>_nA; add one for every stimulated site, or give a file that has them "
            "as measured.stimuli"
        )
    if stimuli is not traces and stimuli.voltages:
        raise ValueError(f"{stimuli.path} has voltages, which belong in {traces.path}; move them, or leave measured.stimuli out")
    if stimuli is not traces and traces.currents:
        raise ValueError(f"{traces.path} and {stimuli.path} both have currents; leave them out in one, or measured.stimuli out")
    interval_ms = _interval(traces)
    return [_sweep(traces, stimuli, label, interval_ms) for label in traces.labels()], interval_ms


def _interval(traces: Table) -> float:
    """Of the longest sweep: its times are rounded, so that more of them tell more."""
    longest = max((traces.rows(label) for label in traces.labels()), key=len)
    if len(longest) < 2:
        raise ValueError(f"{traces.path} has sweeps of a single row; a trace has 2 or more")
    times = traces.time_ms[longest]
    return float(f"{(times[-1] - times[0]) / (len(times) - 1):.9g}")


def _sweep(traces: Table, stimuli: Table, label: str, interval_ms: float) -> Sweep:
    rows = traces.rows(label)
    if len(rows) < 2:
        raise ValueError(f"{traces.path} has one row of sweep {label!r} (line {traces.lines[rows[0]]}); a trace has 2 or more")
    times = traces.time_ms[rows] - traces.time_ms[rows[0]]
    _check_even(traces, label, rows, times, interval_ms)
    voltages = np.stack([values[rows] for values in traces.voltages.values()], axis=1)
    some = np.flatnonzero(np.isfinite(voltages).any(axis=1))
    if not len(some):
        raise ValueError(
            f"{traces.path}: sweep {label!r} (from line {traces.lines[rows[0]]}) has no recorded voltage; leave it out"
        )
    given = stimuli.rows(label)
    if not len(given):
        raise ValueError(
            f"{stimuli.path} has no current for sweep {label!r} of {traces.path}; add one, 0 throughout if nothing was injected"
        )
    since = stimuli.time_ms[given] - traces.time_ms[rows[0]]
    check_rising(stimuli, given, since)
    end = times[some[-1]]
    beyond = np.flatnonzero(since > end + EVEN * interval_ms)
    if len(beyond):
        k = int(given[beyond[0]])
        raise ValueError(
            f"{stimuli.place(k)}: the current of sweep {label!r} goes on at {stimuli.time_ms[k]:g} ms, but its last recorded "
            f"voltage is at {traces.time_ms[rows[some[-1]]]:g} ms; cut the stimulus there, or check the sweep's label and "
            "the units of time"
        )
    current = np.stack([values[given] for values in stimuli.currents.values()], axis=1)
    return Sweep(label, voltages[: some[-1] + 1], since, current)


def _check_even(table: Table, label: str, rows: np.ndarray, times: np.ndarray, interval_ms: float) -> None:
    check_rising(table, rows, times)
    off = np.flatnonzero(np.abs(times - interval_ms * np.arange(len(times))) > EVEN * interval_ms)
    if len(off):
        k = int(off[0])
        raise ValueError(
            f"{table.place(int(rows[k]))} is {table.time_ms[rows[k]]:g} ms, {times[k] - times[k - 1]:.6g} ms after the row "
            f"before; all sweeps must have equal steps, and those of this file are {interval_ms:g} ms: fill the gap (empty "
            "voltages where nothing was recorded), or resample the sweep"
        )


def check_rising(table: Table, rows: np.ndarray, times: np.ndarray) -> None:
    """Raises ValueError at the first of these rows whose time is not after the one before."""
    back = np.flatnonzero(np.diff(times) <= 0)
    if len(back):
        k = int(rows[back[0] + 1])
        raise ValueError(
            f"{table.place(k)} is {table.time_ms[k]:g} ms, not after the row before in sweep {table.sweeps[k]!r}; times rise "
            "within a sweep: sort the rows, or give another sweep a label of its own"
        )


def stacked_voltages(sweeps: Sequence[Sweep]) -> np.ndarray:
    """[stimuli, samples, sites] mV, NaN where nothing was recorded: after a shorter sweep's end, too."""
    longest = max(len(sweep.voltages_mV) for sweep in sweeps)
    stacked = np.full((len(sweeps), longest, sweeps[0].voltages_mV.shape[1]), np.nan)
    for s, sweep in enumerate(sweeps):
        stacked[s, : len(sweep.voltages_mV)] = sweep.voltages_mV
    return stacked


def stacked_currents(sweeps: Sequence[Sweep], duration_ms: float) -> tuple[np.ndarray, np.ndarray]:
    """Edges [pieces + 1] ms from 0 to the end, and currents [stimuli, sites, pieces] nA: 0 before a sweep's first row, then each
    row's value until the next, the last one's until the end. Pieces in which no current changes are joined."""
    times = np.unique(np.concatenate([np.round(sweep.current_times_ms, 9) for sweep in sweeps]))
    begins = np.concatenate([[0.0], times[(times > 0) & (times < duration_ms)]])
    values = np.zeros((len(sweeps), sweeps[0].current_nA.shape[1], len(begins)))
    for s, sweep in enumerate(sweeps):
        at = np.searchsorted(np.round(sweep.current_times_ms, 9), begins, side="right") - 1
        values[s] = np.where(at >= 0, sweep.current_nA[np.maximum(at, 0)].T, 0.0)
    changes = np.concatenate([[True], (np.diff(values, axis=2) != 0).any(axis=(0, 1))])
    return np.concatenate([begins[changes], [duration_ms]]), values[:, :, changes]
