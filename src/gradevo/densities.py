"""Ground-truth densities that differ from compartment to compartment. All return [channels, compartments] in S/cm2."""

import numpy as np

from gradevo.neuron import Neuron


def uniform_perturbation(neuron: Neuron, seed: int, fraction: float = 0.3) -> np.ndarray:
    """Each free density times an independent uniform factor in 1 +- fraction (as in Jones and Kording 2024).

    Raises:
        ValueError: unless 0 <= fraction < 1.
    """
    if not 0 <= fraction < 1:
        raise ValueError(f"fraction is {fraction}; it must be in [0, 1), or densities become negative")
    densities = neuron.default_densities()
    free = list(neuron.channels.free_indices)
    rng = np.random.default_rng(seed)
    densities[free] *= rng.uniform(1 - fraction, 1 + fraction, size=(len(free), neuron.n_compartments))
    return densities


def distance_gradient(neuron: Neuron, seed: int, distal: float = 0.5, noise: float = 0.1) -> np.ndarray:
    """Each free density changes linearly with path distance from the soma, from its default to ``distal`` times that at the
    farthest compartment, times an independent log-normal factor of standard deviation ``noise`` in the logarithm.

    Raises:
        ValueError: for distal that is not positive or noise that is negative.
    """
    if not distal > 0:
        raise ValueError(f"distal is {distal}; it must be positive")
    if not noise >= 0:
        raise ValueError(f"noise is {noise}; it must not be negative")
    densities = neuron.default_densities()
    free = list(neuron.channels.free_indices)
    distance = neuron.morphology.path_distance_um
    farthest = distance.max() if distance.max() > 0 else 1.0
    profile = 1.0 + (distal - 1.0) * distance / farthest
    rng = np.random.default_rng(seed)
    densities[free] *= profile * np.exp(noise * rng.standard_normal((len(free), neuron.n_compartments)))
    return densities


DENSITIES = {"uniform": uniform_perturbation, "distance_gradient": distance_gradient}
