"""What a run needs to know of a neuron and its protocol, prepared once."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gradevo.kernels.elimination import Elimination, places, plan_elimination
from gradevo.neuron import Neuron
from gradevo.protocol import Protocol
from gradevo.units import S_PER_CM2_UM2_TO_US


@dataclass(frozen=True, eq=False)
class Passive:
    """What a membrane is without its channels, for each candidate.

    capacitance_uF_cm2: [population, compartments]. conductances_uS: [population, edges], axial.
    """

    capacitance_uF_cm2: np.ndarray
    conductances_uS: np.ndarray


@dataclass(frozen=True, eq=False)
class Plan:
    """Everything about one neuron under one protocol that does not depend on its densities, as the kernel wants it. Nodes are
    called by their ``place`` [nodes], but for ``to_uS`` [compartments]."""

    neuron: Neuron
    protocol: Protocol
    elimination: Elimination
    place: np.ndarray
    drive: tuple[np.ndarray, ...]
    initial_state: np.ndarray
    recorded: np.ndarray
    to_uS: np.ndarray

    @property
    def clock(self) -> tuple[float, float, int]:
        p = self.protocol
        return (p.step_ms, p.first_gate_step_ms, p.steps_per_sample)

    @cached_property
    def own_passive(self) -> Passive:
        """The neuron's own, as a population of one."""
        m = self.neuron.morphology
        return Passive(np.full((1, m.n_compartments), self.neuron.channels.capacitance_uF_cm2), m.conductances_uS[None])

    @cached_property
    def own_matrices(self) -> dict[tuple[bool, type], tuple[np.ndarray, ...]]:
        """Voltage matrices of ``own_passive``, once they were made: by the layout and the precision."""
        return {}


def make_plan(neuron: Neuron, protocol: Protocol) -> Plan:
    """Raises ValueError if the protocol names a site the neuron lacks."""
    protocol.validate(neuron)
    m, channels = neuron.morphology, neuron.channels
    place = places(m.n_nodes, m.n_compartments, m.edges)
    currents = np.ascontiguousarray(protocol.stimulus.values_nA.transpose(2, 1, 0))
    weights = protocol.stimulus.step_weights(protocol.start_ms, protocol.step_ms, protocol.n_steps)
    return Plan(
        neuron=neuron,
        protocol=protocol,
        elimination=plan_elimination(m.n_nodes, m.edges, place),
        place=place,
        drive=(*weights, currents, place[np.array(protocol.stimulated, dtype=np.int64)]),
        initial_state=np.array([channels.initial_voltage_mV, *channels.initial_gates()], dtype=float),
        recorded=place[np.array(protocol.recorded, dtype=np.int64)],
        to_uS=m.areas_um2 * S_PER_CM2_UM2_TO_US,
    )


def smallest_plan(neuron: Neuron) -> Plan:
    """One step of the neuron, for compiling its kernels."""
    from gradevo.stimulus import Stimulus

    stimulus = Stimulus(np.array([0.0, 1.0]), np.zeros((1, 1, 1)))
    return make_plan(neuron, Protocol(stimulus, (0,), (0,), 0.025, 2, 0.025))
