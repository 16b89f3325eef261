"""Random experiments on random neurons, for property tests: small enough for the reference, of every shape."""

from dataclasses import dataclass, replace

import numpy as np
from hypothesis import strategies as st

from gradevo.channels import channel_set
from gradevo.kernels import cpu
from gradevo.morphology import Morphology, Section, from_adjacency, from_sections
from gradevo.neuron import Neuron
from gradevo.protocol import Protocol
from gradevo.stimulus import Stimulus

CHANNELS = ("hh", "jones2024", "pospischil_lts+ih+k_a")
"""Each is a kernel to compile: no others, so that these tests stay quick (conftest.py's channels_name says why these)."""


@dataclass(frozen=True, eq=False)
class Case:
    """densities: [population, channels, compartments] S/cm2. weights: [population, stimuli, samples, recorded], dL/dV."""

    plan: cpu.Plan
    densities: np.ndarray
    weights: np.ndarray

    @property
    def neuron(self) -> Neuron:
        return self.plan.neuron

    @property
    def protocol(self) -> Protocol:
        return self.plan.protocol


@st.composite
def graphs(draw: st.DrawFn) -> Morphology:
    """Coupled directly, anyhow: with cycles, in several components, alone."""
    n = draw(st.integers(1, 9))
    pairs = np.triu_indices(n, 1)
    coupled = draw(st.lists(st.booleans(), min_size=len(pairs[0]), max_size=len(pairs[0])))
    matrix = np.zeros((n, n), dtype=int)
    matrix[pairs] = coupled
    return from_adjacency(matrix + matrix.T, draw(st.sampled_from([1e-5, 1e-4, 1e-3])))


@st.composite
def trees(draw: st.DrawFn) -> Morphology:
    """Of sections that meet at branch points, with one root or several."""
    size = st.floats(0.5, 5.0)
    sections = []
    for index in range(draw(st.integers(1, 6))):
        parent = draw(st.integers(-1, index - 1))
        length, compartments = draw(st.floats(20.0, 200.0)), draw(st.integers(1, 3))
        sections.append(Section(parent, length, draw(size), draw(size), (0.0, 1.0, 0.0), compartments))
    return from_sections(sections, 100.0)


def sites(n: int) -> st.SearchStrategy[tuple[int, ...]]:
    """Some compartments, in any order."""
    return st.lists(st.integers(0, n - 1), min_size=1, max_size=n, unique=True).map(tuple)


@st.composite
def protocols(draw: st.DrawFn, neuron: Neuron, n_stimuli: int, rng: np.random.Generator, strongest_uA_cm2: float) -> Protocol:
    """Up to 36 steps. Pieces are shorter and longer than a step, switch anywhere, begin late and end early."""
    steps_per_sample, dt = draw(st.integers(1, 4)), draw(st.floats(0.005, 0.1))
    n_samples, start = draw(st.integers(2, 10)), draw(st.sampled_from([0.0, -1.3, 2.5]))
    duration = dt * steps_per_sample * (n_samples - 1)
    stimulated = draw(sites(neuron.n_compartments))
    # gaps of a thousandth of the whole to all of it
    gaps = 10.0 ** rng.uniform(-3, 0, size=draw(st.integers(1, 12)))
    edges = start + duration * (draw(st.sampled_from([-0.2, 0.0, 0.3])) + np.concatenate([[0.0], np.cumsum(gaps)]))
    area = neuron.morphology.areas_um2[list(stimulated)]
    currents = rng.uniform(-0.3, 1.0, size=(n_stimuli, len(stimulated), len(gaps)))
    return Protocol(
        stimulus=Stimulus(edges, currents * strongest_uA_cm2 * area[None, :, None] * 1e-5),
        stimulated=stimulated,
        recorded=draw(sites(neuron.n_compartments)),
        sample_interval_ms=dt * steps_per_sample,
        n_samples=n_samples,
        dt_ms=dt,
        start_ms=start,
        implicitness=draw(st.one_of(st.sampled_from([0.5, 1.0]), st.floats(0.5, 1.0))),
        first_gate_step=draw(st.sampled_from([None, 0.0, 0.5, 1.0])),
    )


@st.composite
def cases(draw: st.DrawFn, absurd: bool = False) -> Case:
    """1 to 20 simulations; some densities are zero. Absurd: densities up to 1e4 times the channel set's, currents and initial
    voltages that take V beyond +-500 mV."""
    channels = channel_set(draw(st.sampled_from(CHANNELS)).split("+"))
    strongest = 300.0
    factors = [1.0, 1.0, 1.0, 0.0]
    if absurd:
        # the kernel's text does not hold the initial voltage: nothing is compiled for these
        channels = replace(channels, initial_voltage_mV=draw(st.sampled_from([channels.initial_voltage_mV, 700.0, -700.0])))
        strongest = draw(st.sampled_from([1e2, 1e4, 1e6, 1e9]))
        factors = [0.0, 1e-3, 1.0, 1e3, 1e4]
    neuron = Neuron(channels.name, draw(st.one_of(graphs(), trees())), channels)
    population = draw(st.integers(1, 5))
    n_stimuli = draw(st.integers(1, 20 // population))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    protocol = draw(protocols(neuron, n_stimuli, rng, strongest))
    densities = neuron.default_densities() * rng.uniform(0.3, 3.0, size=(population, *neuron.default_densities().shape))
    densities *= rng.choice(factors, size=densities.shape)
    shape = (population, n_stimuli, protocol.n_samples, len(protocol.recorded))
    return Case(cpu.make_plan(neuron, protocol), densities, rng.standard_normal(shape))
