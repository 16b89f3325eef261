"""NEURON as a contestant: its own hh without tables, fixed-step backward Euler, one simulation after the other."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradevo.bench.model import DT_MS, Case


class Neuron:
    """Options: share and of: this process simulates the stimuli share, share + of, ..."""

    def __init__(self, share: int = 0, of: int = 1) -> None:
        from neuron import h

        self.h: Any = h
        self.share, self.of = share, of

    def prepare(self, case: Case) -> dict[str, float]:
        if case.channels != "hh":
            raise ValueError(f"channels {case.channels!r}: this comparison is with NEURON's own hh")
        h, m = self.h, case.neuron.morphology
        self.case = case
        self.currents = case.stimulus.values_nA[self.share :: self.of]
        self.sections = []
        h.usetable_hh = 0
        h.celsius = 6.3
        h.secondorder = 0
        h.CVode().active(0)
        h.dt = DT_MS
        for c in range(case.compartments):
            section = h.Section(name=f"section{c}")
            section.nseg = 1
            section.L, section.diam = m.lengths_um[c], m.diameters_um[c]
            section.Ra, section.cm = m.axial_resistivity_ohm_cm, case.neuron.channels.capacitance_uF_cm2
            if m.parents[c] >= 0:
                section.connect(self.sections[m.parents[c]](1.0), 0)
            section.insert("hh")
            section.ena, section.ek = 50.0, -77.0
            segment = section(0.5)
            segment.hh.el = -54.3
            segment.hh.gnabar, segment.hh.gkbar, segment.hh.gl = case.full_densities[:, c]
            self.sections.append(section)
        self.clamps = [h.IClamp(self.sections[site](0.5)) for site in case.sites]
        for clamp in self.clamps:
            clamp.delay, clamp.dur = 0.0, 1e9
        self.voltages = h.PtrVector(case.compartments)
        for c, section in enumerate(self.sections):
            self.voltages.pset(c, section(0.5)._ref_v)
        return {}

    def forward(self) -> np.ndarray:
        """Voltages [simulations of this share, samples + 1, compartments] mV."""
        h, case = self.h, self.case
        found = np.empty((len(self.currents), case.samples + 1, case.compartments))
        row = h.Vector(case.compartments)
        per_piece = round((case.stimulus.edges_ms[1] - case.stimulus.edges_ms[0]) / DT_MS)
        initial = case.neuron.channels.initial_voltage_mV
        for i, current in enumerate(self.currents):
            h.finitialize(initial)
            found[i, 0] = initial
            for s in range(case.steps):
                if s % per_piece == 0:
                    for clamp, value in zip(self.clamps, current[:, s // per_piece], strict=True):
                        clamp.amp = value
                h.fadvance()
                if (s + 1) % case.stride == 0:
                    self.voltages.gather(row)
                    found[i, (s + 1) // case.stride] = row.as_numpy()
        return found
