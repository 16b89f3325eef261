"""Information matrices of single sites, all from one pass of tangents: the information of a set of sites is their sum."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gradevo.identifiability.squares import check_noise
from gradevo.kernels import cpu, tangents
from gradevo.parameters import Parameters
from gradevo.protocol import Protocol
from gradevo.sensitivity import directions
from gradevo.simulate import passive_properties
from gradevo.stimulus import Stimulus
from gradevo.units import UA_PER_CM2_UM2_TO_NA


def information_by_group(
    parameters: Parameters, protocol: Protocol, densities: np.ndarray, noise_mV: float, groups: np.ndarray
) -> np.ndarray:
    """Information matrices [groups, P, P] in log-density units of groups of traces, at parameters [P].

    groups : integers [stimuli, recorded], which group the trace of a recorded site under a stimulus belongs to; -1 for none

    Memory is that of the matrices. One thread adds them up, in one order. Raises ValueError for a noise that is not above 0,
    groups of another shape, and where a simulation diverges.
    """
    check_noise(noise_mV)
    protocol.validate(parameters.neuron)
    expected = (protocol.n_stimuli, len(protocol.recorded))
    if groups.shape != expected or groups.min() < -1:
        raise ValueError(f"groups are {groups.shape}; they must be numbers from -1 on, [stimuli, recorded] = {expected}")
    values = np.asarray(densities, dtype=float)
    n = parameters.n_parameters
    found = np.zeros((int(groups.max()) + 1, n, n))
    scale = values / noise_mV

    def add(_group: int, stimulus: int, _first: int, part: np.ndarray, _voltages: np.ndarray) -> None:
        for site, group in enumerate(groups[stimulus]):
            if group >= 0:
                relative = part[:, site] * scale
                found[group] += relative.T @ relative

    plan = cpu.make_plan(parameters.neuron, protocol)
    inputs = parameters.inputs(values[None])
    passive = passive_properties(parameters.neuron, 1, inputs.capacitance, inputs.axial_resistivity)
    voltages = tangents.stream_jacobian(
        plan, inputs.densities[0], directions(parameters, plan, values), add, threads=1, passive=passive
    )
    if not np.isfinite(voltages).all():
        raise ValueError("a simulation diverges at these densities; take others, or a smaller dt_ms")
    return found


def recording_sites(
    parameters: Parameters, protocol: Protocol, densities: np.ndarray, noise_mV: float, candidates: tuple[int, ...]
) -> np.ndarray:
    """Information [candidates, P, P] that an electrode recording from each candidate compartment would add, under the
    protocol's stimuli."""
    at_all = replace(protocol, recorded=tuple(candidates))
    groups = np.tile(np.arange(len(candidates)), (protocol.n_stimuli, 1))
    return information_by_group(parameters, at_all, densities, noise_mV, groups)


def stimulation_sites(
    parameters: Parameters,
    protocol: Protocol,
    densities: np.ndarray,
    noise_mV: float,
    candidates: tuple[int, ...],
    waveforms_uA_cm2: np.ndarray,
) -> np.ndarray:
    """Information [candidates, P, P] that stimulating each candidate compartment alone would add, at the protocol's recorded
    sites: waveforms [stimuli, pieces] uA/cm2 of its membrane, one experiment each, on the protocol's edges.

    Stimuli that go into several sites at once are not sums over sites: the membrane is not linear.
    """
    waveforms = np.asarray(waveforms_uA_cm2, dtype=float)
    edges = protocol.stimulus.edges_ms
    if waveforms.ndim != 2 or waveforms.shape[1] != len(edges) - 1:
        raise ValueError(f"waveforms are {waveforms.shape}; they must be [stimuli, pieces] with {len(edges) - 1} pieces")
    k, count = len(candidates), len(waveforms)
    area = parameters.neuron.morphology.areas_um2[list(candidates)]
    values = np.zeros((k, count, k, waveforms.shape[1]))
    for site in range(k):
        values[site, :, site] = waveforms * area[site] * UA_PER_CM2_UM2_TO_NA
    stimulus = Stimulus(edges, values.reshape(k * count, k, -1))
    groups = np.repeat(np.arange(k), count)[:, None].repeat(len(protocol.recorded), axis=1)
    single = replace(protocol, stimulus=stimulus, stimulated=tuple(candidates))
    return information_by_group(parameters, single, densities, noise_mV, groups)
