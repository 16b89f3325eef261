"""Small problems whose identifiability is known from physics."""

from __future__ import annotations

import numpy as np

from gradevo.channels import channel_set
from gradevo.morphology import chain, from_adjacency
from gradevo.neuron import Neuron
from gradevo.parameters import make_parameters
from gradevo.problem import Problem
from gradevo.protocol import Protocol
from gradevo.simulate import simulate_numpy
from gradevo.stimulus import Stimulus
from tests.conftest import cycle_and_island


def posed(neuron, stimulated, recorded, values_nA, free, regions=None, factor=None, noise_mV=0.0, seed=0, **more) -> Problem:
    """A problem with constant pieces of 1 ms [stimuli, sites, pieces], recorded every 0.1 ms; factor [P] of the defaults."""
    pieces = values_nA.shape[2]
    protocol = Protocol(Stimulus(np.arange(pieces + 1.0), values_nA), stimulated, recorded, 0.1, 10 * pieces + 1, 0.025)
    parameters = make_parameters(neuron, free, regions)
    truth = parameters.defaults * (1.0 if factor is None else factor)
    inputs = parameters.inputs(truth[None])
    target = simulate_numpy(neuron, inputs.densities, protocol, **inputs.passive())[0]
    target = target + np.random.default_rng(seed).normal(0, noise_mV, target.shape)
    low, high = 0.1 * truth, 10 * truth
    return Problem("case", neuron, protocol, target, low, high, free, noise_mV, truth, regions=regions, **more)


def currents(neuron, stimulated, n_stimuli=3, pieces=5, seed=1, high_uA_cm2=20.0) -> np.ndarray:
    area = neuron.morphology.areas_um2[list(stimulated)]
    return np.random.default_rng(seed).uniform(0, high_uA_cm2, (n_stimuli, len(stimulated), pieces)) * area[:, None] * 1e-5


def true(problem: Problem) -> np.ndarray:
    """The truth [P] of a problem that has one."""
    assert problem.truth is not None
    return problem.truth


def at_rest() -> Problem:
    """A cable without injected current, relaxing from its initial state. Scaling the capacitance, all densities and the axial
    conductance together changes no voltage: only ratios can be seen."""
    neuron = Neuron("cable", chain(4, length_um=80.0), channel_set(["hh"]))
    free = ("Na", "K", "leak", "capacitance", "axial_resistivity")
    values = np.zeros((1, 1, 20))
    # a gradient of Na along the cable, without which no axial current would flow
    return posed(neuron, (0,), (0, 3), values, free, {"Na": 2, "K": 1, "leak": 1}, np.array([1.5, 0.7, 1, 1, 1, 1.0]))


def island() -> Problem:
    """Two neurons that are not connected; only the first is stimulated and recorded."""
    neuron = Neuron("two", from_adjacency(cycle_and_island(), 0.5e-3), channel_set(["hh"]))
    return posed(neuron, (0, 3), (0, 2, 5), currents(neuron, (0, 3)), ("Na",))


def mirror() -> Problem:
    """Three compartments, the middle one stimulated and recorded: its ends may be swapped. Only their Na densities are free."""
    neuron = Neuron("mirror", chain(3, coupling_S_cm2=0.5e-3), channel_set(["hh"]))
    return posed(
        neuron, (1,), (1,), currents(neuron, (1,), pieces=10, high_uA_cm2=40.0), ("Na",), None, np.array([0.6, 1.0, 1.5])
    )


def compartment(noise_mV=0.0, seed=0, free=("Na", "K", "leak"), **more) -> Problem:
    """One compartment under strong currents: everything can be told."""
    neuron = Neuron("one", chain(1, coupling_S_cm2=0.5e-3), channel_set(["hh"]))
    return posed(neuron, (0,), (0,), currents(neuron, (0,)), free, noise_mV=noise_mV, seed=seed, **more)
