"""Small neurons and protocols that many tests share."""

import numpy as np
import pytest
import torch
from hypothesis import Phase, settings

from gradevo.channels import channel_set
from gradevo.morphology import balanced_tree, chain, from_adjacency, random_tree
from gradevo.neuron import Neuron
from gradevo.protocol import Protocol
from gradevo.stimulus import Stimulus, random_steps

# the reference's small tensors gain nothing from more threads, and would fight over the cores
torch.set_num_threads(1)

# The same examples every time, and none made simpler, which would take minutes where one fails.
# To search further: pytest --hypothesis-profile=explore tests/kernels
settings.register_profile(
    "same", derandomize=True, deadline=None, print_blob=True, max_examples=30, phases=[Phase.explicit, Phase.generate]
)
settings.register_profile("explore", deadline=None, print_blob=True, max_examples=2000)
settings.load_profile("same")


def cycle_and_island() -> np.ndarray:
    """Nine nodes: a cycle of five with a tail of one, and a separate triangle."""
    matrix = np.zeros((9, 9), dtype=int)
    for i, j in [(0, 1), (1, 2), (2, 3), (3, 4), (4, 0), (2, 5), (6, 7), (7, 8), (8, 6)]:
        matrix[i, j] = matrix[j, i] = 1
    return matrix


MORPHOLOGIES = {
    "chain": lambda: chain(5, coupling_S_cm2=0.5e-3),
    "cable": lambda: chain(4, length_um=80.0),
    "balanced": lambda: balanced_tree(2),
    "random": lambda: random_tree(5, seed=3, compartments_per_section=2),
    "graph": lambda: from_adjacency(cycle_and_island(), 0.5e-3),
}


def make_neuron(morphology: str, channels: str) -> Neuron:
    return Neuron(f"{morphology}-{channels}", MORPHOLOGIES[morphology](), channel_set(channels.split("+")))


def spiking_protocol(neuron: Neuron, n_stimuli: int = 3, duration_ms: float = 8.0, dt_ms: float = 0.025) -> Protocol:
    """Currents of 5 to 40 uA/cm2 into three sites, strong enough for spikes; jumps fall between steps."""
    sites = tuple(sorted({0, neuron.n_compartments // 2, neuron.n_compartments - 1}))
    density = random_steps(n_stimuli, len(sites), duration_ms, 0.73, 5.0, 60.0, seed=7)
    area = neuron.morphology.areas_um2[list(sites)]
    stimulus = Stimulus(density.edges_ms, density.values_nA * area[None, :, None] * 1e-5)
    recorded = tuple(range(0, neuron.n_compartments, 2))
    return Protocol(stimulus, sites, recorded, 0.25, round(duration_ms / 0.25) + 1, dt_ms)


def perturbed(neuron: Neuron, population: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    default = neuron.default_densities()
    return default * rng.uniform(0.7, 1.3, size=(population, *default.shape))


@pytest.fixture(params=sorted(MORPHOLOGIES))
def morphology_name(request: pytest.FixtureRequest) -> str:
    return request.param


# Every way to declare a gate: by rates, by curves, instantaneous, with a lower limit to its time constant; alone and combined.
@pytest.fixture(params=["hh", "jones2024", "pospischil_lts+ih+k_a"])
def channels_name(request: pytest.FixtureRequest) -> str:
    return request.param
