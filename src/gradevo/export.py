"""A neuron written for other programs: geometry as SWC, and everything as a NEURON script with its mechanisms."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from gradevo.morphology import Morphology
from gradevo.neuron import Neuron
from gradevo.nmodl import mechanism, suffix
from gradevo.protocol import Protocol
from gradevo.result import write_aside
from gradevo.swc_export import tree_of_compartments, write_swc
from gradevo.units import OHM_CM_PER_UM_TO_MOHM

__all__ = ["write_neuron_script", "write_swc"]


def write_neuron_script(
    neuron: Neuron,
    densities: np.ndarray,
    path: str | Path,
    protocol: Protocol | None = None,
    *,
    capacitance: np.ndarray | None = None,
    axial_resistivity: float | None = None,
) -> list[Path]:
    """A Python script for NEURON (``path``, .py), its data beside it (.json), and a .mod file per channel.

    Run ``nrnivmodl`` in that folder, then the script: it simulates the protocol by backward Euler and writes the voltages (.csv).
    These are ``simulate``'s with ``implicitness=1``. Without a protocol it builds the neuron.

    densities: [channels, n] S/cm2. capacitance: [n] uF/cm2, or None for the channel set's. axial_resistivity: ohm cm, or None
    for the morphology's.

    Returns:
        The files written.

    Raises:
        ValueError: for densities of another shape, a path that is not .py, a neuron whose couplings have a cycle, or an axial
            resistivity where coupling was given directly.
    """
    path = Path(path)
    if path.suffix != ".py" or not path.stem.isidentifier():
        raise ValueError(f"{path} must be a Python file with a name that can be imported, such as fitted_neuron.py")
    neuron.check_densities(np.asarray(densities))
    m, n = neuron.morphology, neuron.n_compartments
    channels = neuron.channels
    names = [suffix(channels, channel) for channel in channels.channels]
    cm = np.full(n, channels.capacitance_uF_cm2) if capacitance is None else np.asarray(capacitance, dtype=float)
    if cm.shape != (n,):
        raise ValueError(f"capacitance has shape {cm.shape}; neuron {neuron.name!r} needs [{n} compartments]")
    data = {
        "name": neuron.name,
        "source": channels.source,
        "initial_voltage_mV": channels.initial_voltage_mV,
        "sections": cable_sections(m, axial_resistivity),
        "capacitance_uF_cm2": cm.tolist(),
        "densities_S_cm2": dict(zip(names, np.asarray(densities, dtype=float).tolist(), strict=True)),
        "protocol": None if protocol is None else protocol_data(neuron, protocol),
    }
    texts = {
        path: (Path(__file__).parent / "neuron_script.py").read_text(),
        path.with_suffix(".json"): json.dumps(data, indent=1, allow_nan=False) + "\n",
    }
    for name, channel in zip(names, channels.channels, strict=True):
        texts[path.with_name(f"{name}.mod")] = mechanism(channel, name, channels.gate_voltage_mV)
    for target, text in texts.items():
        write_aside(target, lambda temporary, text=text: temporary.write_text(text))
    return list(texts)


def cable_sections(m: Morphology, axial_resistivity: float | None = None) -> list[dict[str, Any]]:
    """NEURON's sections, parents first; their segments in this order are the compartments. Raises ValueError for couplings with
    a cycle, and for an axial resistivity (ohm cm; None for the morphology's) where coupling was given directly."""
    if not m.cables:
        if axial_resistivity is not None:
            raise ValueError("the neuron's coupling was given directly; it has no axial resistivity to set")
        return _coupled_compartments(m)
    resistivity = m.axial_resistivity_ohm_cm if axial_resistivity is None else float(axial_resistivity)
    sections = []
    for index, cable in enumerate(m.cables):
        members = m.sections == index
        section = {
            "kind": cable.kind,
            "parent": cable.parent,
            "parent_x": cable.parent_x,
            "nseg": cable.compartments,
            "Ra_ohm_cm": resistivity,
        }
        if cable.points_um is not None:
            section["points_um"] = cable.points_um.tolist()
        else:
            section["length_um"] = float(m.lengths_um[members].sum())
            section["diameters_um"] = m.diameters_um[members].tolist()
        sections.append(section)
    return sections


def _coupled_compartments(m: Morphology) -> list[dict[str, Any]]:
    """Direct coupling: each compartment a section on its neighbour's middle, whose resistivity gives the coupling."""
    cables = tree_of_compartments(m)
    coupling_uS = {max(i, j): g for (i, j), g in zip(m.edges.tolist(), m.conductances_uS.tolist(), strict=True)}
    sections = []
    for i, cable in enumerate(cables):
        half = OHM_CM_PER_UM_TO_MOHM * 0.5 * m.lengths_um[i] / (np.pi * m.diameters_um[i] ** 2 / 4)
        sections.append(
            {
                "kind": cable.kind,
                "parent": cable.parent,
                "parent_x": cable.parent_x,
                "nseg": 1,
                # a root couples to its children through their halves alone
                "Ra_ohm_cm": float(1.0 / (coupling_uS[i] * half)) if cable.parent >= 0 else 100.0,
                "length_um": float(m.lengths_um[i]),
                "diameters_um": [float(m.diameters_um[i])],
            }
        )
    return sections


def protocol_data(neuron: Neuron, protocol: Protocol) -> dict[str, Any]:
    """Times from 0. Currents that switch between steps become their exact mean over each step."""
    protocol.validate(neuron)
    if protocol.n_steps == 0:
        raise ValueError("the protocol has a single sample, the initial state; give it n_samples of 2 or more")
    dt_ms, steps = protocol.step_ms, protocol.n_steps
    means = step_means_nA(protocol)
    # a value holds until the next: only the steps at which some current changes are written
    changes = np.flatnonzero(np.append(True, (np.diff(means, axis=2) != 0).any(axis=(0, 1))))
    return {
        "dt_ms": dt_ms,
        "steps": steps,
        "steps_per_sample": protocol.steps_per_sample,
        "stimulated": list(protocol.stimulated),
        "recorded": list(protocol.recorded),
        "current_times_ms": (changes * dt_ms).tolist(),
        "currents_nA": means[:, :, changes].tolist(),
    }


def step_means_nA(protocol: Protocol) -> np.ndarray:
    """[stimuli, stimulated, steps] the mean current of each step."""
    start, piece, weight = protocol.stimulus.step_weights(protocol.start_ms, protocol.step_ms, protocol.n_steps)
    return np.add.reduceat(protocol.stimulus.values_nA[..., piece] * weight, start[:-1], axis=2)
