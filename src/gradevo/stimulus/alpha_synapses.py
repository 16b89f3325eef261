"""Currents like those of synapses."""

import numpy as np

from gradevo.stimulus.base import Stimulus, check_positive, check_range, even_edges


def alpha_synapses(
    n_stimuli: int,
    n_sites: int,
    duration_ms: float,
    every_ms: float,
    rate_Hz: float,
    low_nA: float,
    high_nA: float,
    rise_ms: float,
    seed: int,
) -> Stimulus:
    """A sum of alpha functions, peak * (t / rise) * exp(1 - t / rise) with t the time since its onset (Rall 1967,
    doi 10.1152/jn.1967.30.5.1138): the current of a synapse that peaks ``rise_ms`` after its onset.

    Onsets are a Poisson process of ``rate_Hz``, peaks uniform in [low, high], independently per stimulus and site. Each piece
    of ``every_ms`` carries the exact mean of the sum over it.

    Raises:
        ValueError: for counts below one, times or rates that are not positive, or low above high.
    """
    check_positive(stimuli=n_stimuli, sites=n_sites, rate_Hz=rate_Hz, rise_ms=rise_ms)
    check_range(low_nA, high_nA)
    edges = even_edges(duration_ms, every_ms)
    rng = np.random.default_rng(seed)
    charge = np.zeros((n_stimuli, n_sites, len(edges)))  # injected until each edge, pC (nA ms)
    for stimulus in range(n_stimuli):
        for site in range(n_sites):
            count = rng.poisson(1e-3 * rate_Hz * duration_ms)
            onsets, peaks = rng.uniform(0, duration_ms, count), rng.uniform(low_nA, high_nA, count)
            since = np.maximum(edges - onsets[:, None], 0.0) / rise_ms
            charge[stimulus, site] = peaks @ (rise_ms * (np.e - (1 + since) * np.exp(1 - since)))
    return Stimulus(edges, np.diff(charge, axis=2) / np.diff(edges))
