"""A neuron of ours built section by section in NEURON, from the mechanisms generated for its channel set."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gradevo.channels import ChannelSet
from gradevo.kernels.modules import cache_folder
from gradevo.neuron import Neuron
from gradevo.nmodl import compile_mechanisms, suffix
from gradevo.stimulus import Stimulus

MECHANISMS = cache_folder() / "mechanisms"


def neuron_simulator() -> Any:
    """NEURON's ``h``; the test is skipped without NEURON."""
    h = pytest.importorskip("neuron", reason="NEURON is not installed").h
    h.load_file("stdrun.hoc")
    return h


def load_mechanisms(channels: ChannelSet) -> None:
    """Compiles (once, kept between test runs) and loads (once in a process, whoever did it) the mechanisms of a channel set."""
    h = neuron_simulator()
    if not all(hasattr(h, suffix(channels, channel)) for channel in channels.channels):
        h.nrn_load_dll(str(compile_mechanisms(channels, MECHANISMS)))


def insert_generated(neuron: Neuron, section: Any) -> Callable[[Any, np.ndarray], None]:
    """Inserts the neuron's channels into a section; returns what sets a segment's densities [channels] in S/cm2."""
    names = [suffix(neuron.channels, c) for c in neuron.channels.channels]
    for name in names:
        section.insert(name)

    def set_densities(segment: Any, densities: np.ndarray) -> None:
        for name, density in zip(names, densities, strict=True):
            getattr(segment, name).gbar = density

    return set_densities


def insert_builtin_hh(neuron: Neuron, section: Any) -> Callable[[Any, np.ndarray], None]:
    """The same for NEURON's own hh, without its tables."""
    neuron_simulator().usetable_hh = 0
    section.insert("hh")
    section.ena, section.ek = 50.0, -77.0

    def set_densities(segment: Any, densities: np.ndarray) -> None:
        segment.hh.el = -54.3
        segment.hh.gnabar, segment.hh.gkbar, segment.hh.gl = densities

    return set_densities


def run_in_neuron(
    neuron: Neuron,
    densities: np.ndarray,
    stimulus: Stimulus,
    sites: tuple[int, ...],
    dt_ms: float,
    duration_ms: float,
    insert: Callable[[Neuron, Any], Callable[[Any, np.ndarray], None]] = insert_generated,
) -> np.ndarray:
    """Voltages [steps + 1, compartments] mV under the first stimulus, by NEURON's fixed-step backward Euler.

    ``densities`` is [channels, compartments] S/cm2; ``sites`` are the compartments that the stimulus goes into.
    """
    h = neuron_simulator()
    if insert is insert_generated:
        load_mechanisms(neuron.channels)
    m = neuron.morphology
    sections, segments = [], []
    for index in range(m.sections.max() + 1):
        members = np.flatnonzero(m.sections == index)
        section = h.Section(name=f"section{index}")
        section.nseg = len(members)
        section.L = m.lengths_um[members].sum()
        section.Ra = m.axial_resistivity_ohm_cm
        section.cm = neuron.channels.capacitance_uF_cm2
        parent = m.parents[members[0]]
        if parent >= 0:
            section.connect(sections[m.sections[parent]](0.5 if parent == 0 else 1.0), 0)
        set_densities = insert(neuron, section)
        for k, c in enumerate(members):
            segment = section((k + 0.5) / len(members))
            segment.diam = m.diameters_um[c]
            set_densities(segment, densities[:, c])
        sections.append(section)
        segments += [section((k + 0.5) / len(members)) for k in range(len(members))]
    kept = []
    times = h.Vector(stimulus.edges_ms[:-1])
    for position, site in enumerate(sites):
        clamp = h.IClamp(segments[site])
        clamp.delay, clamp.dur = 0.0, 1e9
        values = h.Vector(stimulus.values_nA[0, position])
        values.play(clamp._ref_amp, times)
        kept += [clamp, values]
    h.celsius = 6.3
    h.secondorder = 0
    h.dt = dt_ms
    h.steps_per_ms = 1 / dt_ms
    h.cvode_active(0)
    traces = [h.Vector().record(s._ref_v) for s in segments]
    h.finitialize(neuron.channels.initial_voltage_mV)
    h.continuerun(duration_ms)
    return np.array([np.array(t) for t in traces]).T
