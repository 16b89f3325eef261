"""What was recorded in a condition: read from the study's file, or drawn and simulated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from gradevo.jones2024.cases import CHAIN, Case, Config
from gradevo.jones2024.drawn import draw_currents, true_densities
from gradevo.morphology import attached_tree
from gradevo.neuron import Neuron
from gradevo.protocol import resolve_sites
from gradevo.reproduce import GRAPH_COUPLING_S_CM2, Condition, make_neuron, make_protocol, read_condition
from gradevo.simulate import simulate_numpy
from gradevo.units import MS_PER_CM2_TO_S_PER_CM2


def recordings(case: Case, config: Config) -> Condition:
    """The currents, voltages and truth of a condition: of its file (its first stimuli), or drawn and simulated.

    ``adjacency`` is that of the graph, if the table has one, whatever made the targets.
    """
    declared = config["tables"][case.table]
    if case.file is not None:
        stored = read_condition(case.file)
        first = slice(declared["stimuli"])
        return replace(stored, current=stored.current[first], voltage=stored.voltage[first])
    n = declared["compartments"]
    sites = resolve_sites(case.stimulated, n)
    currents = draw_currents(declared["stimuli"], n, sites, declared["highest_uA_cm2"], config["seed"])
    empty = Condition(
        path=Path(case.name),
        current=currents,
        voltage=np.zeros((len(currents), n, currents.shape[2])),
        truth=true_densities(n, case.seed),
        history=None,
        adjacency=_adjacency(declared),
    )
    neuron = shaped(empty, case.targets)
    voltage = simulated(empty, neuron, declared["steps_per_sample"]).transpose(0, 2, 1)
    return replace(empty, voltage=voltage)


def shaped(condition: Condition, shape: str) -> Neuron:
    """The neuron of that shape."""
    return make_neuron(condition, as_chain=shape == CHAIN)


def simulated(condition: Condition, neuron: Neuron, steps_per_sample: int) -> np.ndarray:
    """[stimuli, samples, compartments] mV at the condition's truth."""
    assert condition.truth is not None
    densities = neuron.default_densities()
    densities[list(neuron.channels.free_indices)] = condition.truth * MS_PER_CM2_TO_S_PER_CM2
    everywhere = tuple(range(neuron.n_compartments))
    return simulate_numpy(neuron, densities, make_protocol(condition, neuron, everywhere, steps_per_sample))


def _adjacency(declared: Config) -> np.ndarray | None:
    """[n, n] of the table's generated tree, or None for a chain."""
    if "graph" not in declared:
        return None
    n = declared["compartments"]
    edges = attached_tree(n, declared["graph"]["seed"], GRAPH_COUPLING_S_CM2, chance=declared["graph"]["chance"]).edges
    adjacency = np.zeros((n, n))
    adjacency[edges[:, 0], edges[:, 1]] = adjacency[edges[:, 1], edges[:, 0]] = 1
    return adjacency
