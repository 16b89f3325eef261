"""From a config's `measured` to the arrays that fits are given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradevo.measured.sweeps import Sweep, read_sweeps, stacked_currents, stacked_voltages
from gradevo.measured.table import Table, read_table
from gradevo.morphology.places import nearest_compartment, soma_compartment
from gradevo.neuron import Neuron

FAR_MV = 5.0
"""Recordings that begin further from where simulations begin are refused: every fit would chase the difference."""


def measured_arrays(declared: Mapping[str, Any], neuron: Neuron) -> dict[str, np.ndarray]:
    """What `study.make_targets` gives for a simulated problem, but for the true densities, which nobody knows.

    declared: traces and stimuli (files), sites (name -> place), heldout (labels of sweeps). Raises FileNotFoundError, or
    ValueError naming the file, the line, the column, the value and the way out.
    """
    traces = read_table(declared["traces"])
    stimuli = read_table(declared["stimuli"]) if "stimuli" in declared else traces
    sweeps, interval_ms = read_sweeps(traces, stimuli)
    recorded = site_compartments(traces, "voltage", declared["sites"], neuron)
    stimulated = site_compartments(stimuli, "current", declared["sites"], neuron)
    fitted, heldout = _split(traces, sweeps, interval_ms, [str(label) for label in declared.get("heldout", [])])
    _check_start(traces, sweeps, neuron)
    target = stacked_voltages(fitted)
    for r, site in enumerate(traces.voltages):
        if not np.isfinite(target[:, :, r]).any():
            raise ValueError(
                f"{traces.path}: {traces.headers['voltage', site]} is empty in every fitted sweep; leave the column out, or fit "
                "a sweep that has it"
            )
    times_ms = interval_ms * np.arange(target.shape[1])
    edges_ms, current_nA = stacked_currents(fitted, float(times_ms[-1]))
    arrays = {
        "target_mV": target,
        "times_ms": times_ms,
        "recorded": np.array(recorded),
        "stimulated": np.array(stimulated),
        "current_edges_ms": edges_ms,
        "current_nA": current_nA,
    }
    if heldout:
        voltages = stacked_voltages(heldout)
        edges_ms, current_nA = stacked_currents(heldout, interval_ms * (voltages.shape[1] - 1))
        arrays |= {"heldout_mV": voltages, "heldout_current_edges_ms": edges_ms, "heldout_current_nA": current_nA}
    return arrays


@dataclass(frozen=True)
class Names:
    """What the files call the fitted sweeps, those held out, and the recorded sites, in the arrays' order."""

    fitted: tuple[str, ...]
    heldout: tuple[str, ...]
    sites: tuple[str, ...]


def measured_names(declared: Mapping[str, Any]) -> Names:
    """declared: as for `measured_arrays`. Raises as `read_table`."""
    traces = read_table(declared["traces"])
    held = {str(label) for label in declared.get("heldout", [])}
    labels = traces.labels()
    fitted, heldout = (tuple(label for label in labels if (label in held) is which) for which in (False, True))
    return Names(fitted, heldout, tuple(traces.voltages))


def site_compartments(
    table: Table, kind: str, places: Mapping[str, Any], neuron: Neuron, key: str = "measured.sites"
) -> list[int]:
    """Of every site with a column of this kind, in the columns' order; key: what messages call `places`. Raises ValueError."""
    found: dict[int, str] = {}
    for site in table.voltages if kind == "voltage" else table.currents:
        header = table.headers[kind, site]
        if site not in places:
            raise ValueError(
                f"{table.path}, column {header}: no site {site!r} among {key} ({', '.join(places)}); say there where it "
                "is, or leave the column out"
            )
        compartment = compartment_of(f"{key}.{site}", places[site], neuron)
        if compartment in found:
            raise ValueError(
                f"{key}: {found[compartment]} and {site} are both in compartment {compartment} of neuron "
                f"{neuron.name!r}; cut it finer (max_compartment_um), or leave one of their columns out"
            )
        found[compartment] = site
    return list(found)


def compartment_of(name: str, place: str | int | Sequence[float], neuron: Neuron) -> int:
    """Of "soma", a compartment's number, or coordinates [x, y, z] um. Raises ValueError, beginning with `name`."""
    n = neuron.n_compartments
    if isinstance(place, int):
        if not 0 <= place < n:
            raise ValueError(f"{name} is compartment {place}; neuron {neuron.name!r} has compartments 0 to {n - 1}")
        return place
    try:
        if isinstance(place, str):
            return soma_compartment(neuron.morphology)
        return nearest_compartment(neuron.morphology, place)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _split(traces: Table, sweeps: Sequence[Sweep], interval_ms: float, labels: Sequence[str]) -> tuple[list[Sweep], list[Sweep]]:
    """Fitted and held-out sweeps."""
    known = [sweep.label for sweep in sweeps]
    for label in labels:
        if label not in known:
            raise ValueError(f"measured.heldout names sweep {label!r}; {traces.path} has {', '.join(known)}")
    fitted = [sweep for sweep in sweeps if sweep.label not in labels]
    heldout = [sweep for sweep in sweeps if sweep.label in labels]
    if not fitted:
        raise ValueError(f"measured.heldout names every sweep of {traces.path}; leave some to fit")
    for one in heldout:
        for other in fitted:
            if _same_current(one, other, interval_ms):
                raise ValueError(
                    f"held-out sweep {one.label!r} of {traces.path} has the current of fitted sweep {other.label!r}: a "
                    "repetition tests nothing new; hold out both, or another sweep"
                )
    return fitted, heldout


def _same_current(one: Sweep, other: Sweep, interval_ms: float) -> bool:
    """Until the shorter recording's end: the last row of a current holds until then."""
    samples = min(len(sweep.voltages_mV) for sweep in (one, other))
    _, values = stacked_currents([one, other], interval_ms * (samples - 1))
    return np.array_equal(values[0], values[1])


def _check_start(traces: Table, sweeps: Sequence[Sweep], neuron: Neuron) -> None:
    """Raises ValueError if the recordings begin elsewhere than simulations."""
    firsts = np.concatenate([sweep.voltages_mV[0] for sweep in sweeps])
    if not np.isfinite(firsts).any():
        return
    begin_mV, initial_mV = float(np.nanmean(firsts)), neuron.channels.initial_voltage_mV
    if abs(begin_mV - initial_mV) > FAR_MV:
        raise ValueError(
            f"{traces.path}: sweeps begin at {begin_mV:.1f} mV (mean of their first samples), simulations of neuron "
            f"{neuron.name!r} at {initial_mV:g} mV; set neurons.{neuron.name}.initial_mV: {begin_mV:.1f}, and begin the sweeps "
            "where the neuron is at rest"
        )
