"""Ground-truth densities that differ from compartment to compartment.

All return [channels, compartments] in S/cm2. ``channels`` names those that vary (None: the channel set's free ones); the others
keep the channel set's density everywhere. Log-normal factors have median 1.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
from threadpoolctl import ThreadpoolController

from gradevo.morphology import positive
from gradevo.neuron import Neuron
from gradevo.tree import tree_distances


def uniform_perturbation(neuron: Neuron, seed: int, fraction: float = 0.3, channels: Sequence[str] | None = None) -> np.ndarray:
    """Each density times an independent uniform factor in 1 +- fraction (as in Jones and Kording 2024).

    Raises:
        ValueError: unless 0 <= fraction < 1.
    """
    if not 0 <= fraction < 1:
        raise ValueError(f"fraction is {fraction}; it must be in [0, 1), or densities become negative")
    varied = _varied(neuron, channels)
    rng = np.random.default_rng(seed)
    return _scaled(neuron, varied, rng.uniform(1 - fraction, 1 + fraction, size=(len(varied), neuron.n_compartments)))


def distance_gradient(
    neuron: Neuron, seed: int, distal: float = 0.5, noise: float = 0.1, channels: Sequence[str] | None = None
) -> np.ndarray:
    """Each density changes linearly with path distance from the soma, from its default to ``distal`` times that at the
    farthest compartment, times an independent log-normal factor of standard deviation ``noise`` in the logarithm.

    Raises:
        ValueError: for distal that is not positive or noise that is negative.
    """
    positive(distal=distal)
    varied = _varied(neuron, channels)
    distance = neuron.morphology.path_distance_um
    farthest = distance.max() if distance.max() > 0 else 1.0
    profile = 1.0 + (distal - 1.0) * distance / farthest
    return _scaled(neuron, varied, profile * _lognormal_factors(neuron, len(varied), np.random.default_rng(seed), noise=noise))


def lognormal(neuron: Neuron, seed: int, sigma: float = 0.3, channels: Sequence[str] | None = None) -> np.ndarray:
    """Each density times an independent log-normal factor of standard deviation ``sigma`` in the logarithm.

    Raises:
        ValueError: for sigma that is negative.
    """
    varied = _varied(neuron, channels)
    return _scaled(neuron, varied, _lognormal_factors(neuron, len(varied), np.random.default_rng(seed), sigma=sigma))


def smooth(
    neuron: Neuron, seed: int, length_um: float = 100.0, sigma: float = 0.3, channels: Sequence[str] | None = None
) -> np.ndarray:
    """Log-densities that are a Gaussian process along the tree, independent from channel to channel.

    Two compartments' log-densities have the covariance ``sigma``^2 exp(-distance / ``length_um``) with the path length
    between them (``tree_distances``). On a tree this exponential kernel is positive definite, which a squared exponential
    need not be: a path length is a sum over the edges that part two points, so its exponential is a product of positive
    definite kernels, one per edge.

    Raises:
        ValueError: for length_um that is not positive or sigma that is negative.
    """
    positive(length_um=length_um)
    _check_spread("sigma", sigma)
    varied = _varied(neuron, channels)
    independent = np.random.default_rng(seed).standard_normal((len(varied), neuron.n_compartments))
    # BLAS rounds by the number of its threads, which is a job's cores: a neuron must not depend on that
    with _libraries().limit(limits=1, user_api="blas"):
        root = np.linalg.cholesky(np.exp(-tree_distances(neuron.morphology) / length_um))
        logarithms = sigma * independent @ root.T
    return _scaled(neuron, varied, np.exp(logarithms))


def bursts(
    neuron: Neuron,
    seed: int,
    count: int = 1,
    factor: float = 2.5,
    noise: float = 0.1,
    channels: Sequence[str] | None = None,
) -> np.ndarray:
    """Each density is ``factor`` times higher on ``count`` single branches (unbranched sections), chosen anew for each channel,
    and everywhere carries an independent log-normal factor of standard deviation ``noise`` in the logarithm.

    Raises:
        ValueError: for more branches than the neuron has, less than one, a factor that is not positive, or negative noise.
    """
    positive(factor=factor)
    sections = neuron.morphology.sections
    branches = np.unique(sections)
    if not 1 <= count <= len(branches):
        raise ValueError(f"count is {count}; neuron {neuron.name!r} has {len(branches)} branches to choose from")
    varied = _varied(neuron, channels)
    rng = np.random.default_rng(seed)
    factors = _lognormal_factors(neuron, len(varied), rng, noise=noise)
    for row in factors:
        row[np.isin(sections, rng.choice(branches, size=count, replace=False))] *= factor
    return _scaled(neuron, varied, factors)


DENSITIES = {
    "uniform": uniform_perturbation,
    "distance_gradient": distance_gradient,
    "lognormal": lognormal,
    "smooth": smooth,
    "bursts": bursts,
}


@cache
def _libraries() -> ThreadpoolController:
    """NumPy's, looked for once: it takes milliseconds."""
    return ThreadpoolController()


def _varied(neuron: Neuron, channels: Sequence[str] | None) -> list[int]:
    """Positions of the channels that vary."""
    if channels is None:
        return list(neuron.channels.free_indices)
    for name in channels:
        if name not in neuron.channel_names:
            raise ValueError(f"channel {name!r} is not in neuron {neuron.name!r}; it has {', '.join(neuron.channel_names)}")
    return [neuron.channel_names.index(name) for name in channels]


def _scaled(neuron: Neuron, varied: list[int], factors: np.ndarray) -> np.ndarray:
    """The default densities, those of the varied channels times factors [varied, compartments]."""
    densities = neuron.default_densities()
    densities[varied] *= factors
    return densities


def _lognormal_factors(neuron: Neuron, rows: int, rng: np.random.Generator, **spread: float) -> np.ndarray:
    """Independent factors [rows, compartments] of median 1; the spread is named as the caller calls it."""
    ((name, sigma),) = spread.items()
    _check_spread(name, sigma)
    return np.exp(sigma * rng.standard_normal((rows, neuron.n_compartments)))


def _check_spread(name: str, value: float) -> None:
    if not (np.isfinite(value) and value >= 0):
        raise ValueError(f"{name} is {value}; it must not be negative")
