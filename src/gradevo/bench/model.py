"""What all contestants simulate: a random tree with spiking membranes under random currents, at one of many sizes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from gradevo.channels import channel_set
from gradevo.morphology import Morphology, random_tree
from gradevo.morphology.base import join
from gradevo.neuron import Neuron
from gradevo.parameters import Parameters, make_parameters
from gradevo.protocol import Protocol
from gradevo.stimulus import Stimulus, random_steps
from gradevo.units import OHM_CM_PER_UM_TO_MOHM

DT_MS = 0.025
TARGET_MV = -65.0
SITE_EVERY = 18
"""Every 18th compartment is stimulated, as in the published 184-compartment study (arXiv 2407.04025)."""
CURRENT_EVERY_MS = 1.0
CURRENT_NA = (0.0, 1.0)


@dataclass(frozen=True)
class Case:
    """A size: compartments, simulations (a stimulus each), steps of 0.025 ms, how many densities a gradient is taken of (2, or 2
    per compartment), and samples after the initial one (all compartments are recorded). ``channels``: hh, or the published
    jones2024."""

    compartments: int
    simulations: int
    steps: int
    densities: int
    samples: int = 50
    channels: str = "hh"

    def __post_init__(self) -> None:
        if self.densities not in (2, 2 * self.compartments):
            raise ValueError(f"densities is {self.densities}; take 2, or 2 per compartment: {2 * self.compartments}")
        if self.steps % self.samples:
            raise ValueError(f"steps {self.steps} do not fall on {self.samples} samples; take a multiple")

    @property
    def work(self) -> int:
        """Compartment-steps of all simulations."""
        return self.compartments * self.simulations * self.steps

    @property
    def stride(self) -> int:
        """Steps from sample to sample."""
        return self.steps // self.samples

    @cached_property
    def neuron(self) -> Neuron:
        return Neuron(f"tree{self.compartments}", tree(self.compartments), channel_set(self.channels))

    @cached_property
    def parameters(self) -> Parameters:
        """Na and K, one density each or one per compartment."""
        regions = {"Na": 1, "K": 1} if self.densities == 2 else None
        return make_parameters(self.neuron, ("Na", "K"), regions)

    @cached_property
    def values(self) -> np.ndarray:
        """[densities] S/cm2: the channel set's, times random factors from 0.7 to 1.3."""
        factors = np.random.default_rng(1).uniform(0.7, 1.3, self.parameters.n_parameters)
        return self.parameters.defaults * factors

    @cached_property
    def full_densities(self) -> np.ndarray:
        """[channels, compartments] S/cm2."""
        return self.parameters.inputs(self.values[None]).densities[0]

    @cached_property
    def sites(self) -> tuple[int, ...]:
        return tuple(range(0, self.compartments, SITE_EVERY))

    @cached_property
    def stimulus(self) -> Stimulus:
        """A new random current every millisecond, in each site and simulation."""
        duration = self.steps * DT_MS
        return random_steps(self.simulations, len(self.sites), duration, CURRENT_EVERY_MS, *CURRENT_NA, seed=2)

    @cached_property
    def step_currents_nA(self) -> np.ndarray:
        """[simulations, sites, steps]; currents change on the steps' grid."""
        return self.stimulus.at((np.arange(self.steps) + 0.5) * DT_MS)

    def protocol(self, first_gate_step: float) -> Protocol:
        """Backward Euler. NEURON solves the first voltage from the initial gates (first_gate_step 0), Jaxley advances the gates
        before (1)."""
        return Protocol(
            self.stimulus, self.sites, tuple(range(self.compartments)), self.stride * DT_MS, self.samples + 1, DT_MS,
            implicitness=1.0, first_gate_step=first_gate_step,
        )  # fmt: skip

    def target(self) -> np.ndarray:
        """[simulations, samples + 1, compartments] mV that the loss, a mean square, compares with: far from the voltages, so that
        the gradient is no difference of nearly equal numbers."""
        return np.full((self.simulations, self.samples + 1, self.compartments), TARGET_MV)


def tree(compartments: int) -> Morphology:
    """A random tree with a compartment per section. All sections attach to their parent's end, the soma's too: Jaxley has no
    attachment to a middle."""
    grown = random_tree(compartments, seed=3)
    cables = tuple(replace(cable, parent_x=1.0) for cable in grown.cables)
    assert grown.axial_resistivity_ohm_cm is not None
    area = np.pi * grown.diameters_um**2 / 4
    half_mohm = grown.axial_resistivity_ohm_cm * OHM_CM_PER_UM_TO_MOHM * 0.5 * grown.lengths_um / area
    joined = join(cables, grown.lengths_um, half_mohm, half_mohm)
    return replace(
        grown, parents=joined.parents, path_distance_um=joined.path_distance_um, edges=joined.edges, n_nodes=joined.n_nodes,
        conductances_uS=joined.conductances_uS, sections=joined.sections, cables=cables,
    )  # fmt: skip
