"""Agreement with NEURON's ``hh`` on a random tree, section by section, in NEURON's own integration mode."""

import numpy as np
import pytest

from gradevo.channels import CHANNEL_SETS
from gradevo.morphology import random_tree
from gradevo.neuron import Neuron
from gradevo.protocol import Protocol
from gradevo.simulate import simulate_numpy
from gradevo.stimulus import Stimulus

DT_MS = 0.025
DURATION_MS = 50.0


def in_neuron(neuron: Neuron, densities: np.ndarray, stimulus: Stimulus, sites: tuple[int, ...]) -> np.ndarray:
    """The same neuron built section by section in NEURON; voltages [steps + 1, compartments] mV."""
    neuron_simulator = pytest.importorskip("neuron", reason="NEURON is not installed")
    h = neuron_simulator.h
    h.load_file("stdrun.hoc")
    m = neuron.morphology
    sections, segments = [], []
    for index in range(m.sections.max() + 1):
        members = np.flatnonzero(m.sections == index)
        section = h.Section(name=f"section{index}")
        section.nseg = len(members)
        section.L = m.lengths_um[members].sum()
        section.Ra = m.axial_resistivity_ohm_cm
        section.cm = neuron.channels.capacitance_uF_cm2
        section.insert("hh")
        parent = m.parents[members[0]]
        if parent >= 0:
            section.connect(sections[m.sections[parent]](0.5 if parent == 0 else 1.0), 0)
        for k, c in enumerate(members):
            segment = section((k + 0.5) / len(members))
            segment.diam = m.diameters_um[c]
            segment.hh.gnabar, segment.hh.gkbar, segment.hh.gl = densities[:, c]
            segment.hh.el = -54.3
        section.ena, section.ek = 50.0, -77.0
        sections.append(section)
        segments += [section((k + 0.5) / len(members)) for k in range(len(members))]
    clamps, sources = [], []
    times = h.Vector(stimulus.edges_ms[:-1])
    for position, site in enumerate(sites):
        clamp = h.IClamp(segments[site])
        clamp.delay, clamp.dur = 0.0, 1e9
        values = h.Vector(stimulus.values_nA[0, position])
        values.play(clamp._ref_amp, times)
        clamps.append(clamp)
        sources.append(values)
    h.usetable_hh = 0
    h.celsius = 6.3
    h.secondorder = 0
    h.dt = DT_MS
    h.steps_per_ms = 1 / DT_MS
    h.cvode_active(0)
    traces = [h.Vector().record(s._ref_v) for s in segments]
    h.finitialize(-65.0)
    h.continuerun(DURATION_MS)
    return np.array([np.array(t) for t in traces]).T


def test_neuron_mode_agrees_with_neuron():
    neuron = Neuron("tree50", random_tree(50, seed=11), CHANNEL_SETS["hh"])
    rng = np.random.default_rng(3)
    densities = neuron.default_densities() * rng.uniform(0.7, 1.3, (3, neuron.n_compartments))
    sites = (0, 20, 40)
    edges = 2.5 * np.arange(21)
    stimulus = Stimulus(edges, rng.uniform(0.0, 1.0, (1, 3, 20)))
    n_samples = round(DURATION_MS / DT_MS) + 1
    everywhere = tuple(range(neuron.n_compartments))
    protocol = Protocol(stimulus, sites, everywhere, DT_MS, n_samples, DT_MS, implicitness=1.0)
    ours = simulate_numpy(neuron, densities, protocol)[0]
    theirs = in_neuron(neuron, densities, stimulus, sites)[:n_samples]
    assert theirs.shape == ours.shape
    upward = (theirs[1:, 0] > 0) & (theirs[:-1, 0] <= 0)
    assert upward.sum() >= 2, "the test must run through spikes"
    assert np.abs(ours - theirs).max() < 1e-6
