"""Filtered noise."""

import numpy as np

from gradevo.stimulus.base import Stimulus, check_positive, even_edges


def ornstein_uhlenbeck(
    n_stimuli: int,
    n_sites: int,
    duration_ms: float,
    every_ms: float,
    mean_nA: float,
    sd_nA: float,
    correlation_ms: float,
    seed: int,
) -> Stimulus:
    """An Ornstein-Uhlenbeck process, independent per stimulus and site, read every ``every_ms`` and held in between.

    It starts in its stationary state: Gaussian of the given mean and standard deviation, with correlation
    exp(-lag / correlation_ms). The update from one reading to the next is exact for any interval (Gillespie 1996,
    doi 10.1103/PhysRevE.54.2084).

    Raises:
        ValueError: for counts below one, times that are not positive, or a negative standard deviation.
    """
    check_positive(stimuli=n_stimuli, sites=n_sites, correlation_ms=correlation_ms)
    if not sd_nA >= 0:
        raise ValueError(f"sd_nA is {sd_nA}; it must be 0 or more")
    edges = even_edges(duration_ms, every_ms)
    noise = np.random.default_rng(seed).standard_normal((n_stimuli, n_sites, len(edges) - 1))
    decay = np.exp(-every_ms / correlation_ms)
    fresh = np.sqrt(-np.expm1(-2 * every_ms / correlation_ms))
    for k in range(1, noise.shape[2]):
        noise[:, :, k] = decay * noise[:, :, k - 1] + fresh * noise[:, :, k]
    return Stimulus(edges, mean_nA + sd_nA * noise)
