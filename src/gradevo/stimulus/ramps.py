"""Ramps of current."""

import numpy as np

from gradevo.stimulus.base import Stimulus, check_positive, check_range, even_edges


def ramps(
    n_stimuli: int,
    n_sites: int,
    duration_ms: float,
    every_ms: float,
    low_nA: float,
    high_nA: float,
    seed: int,
    start_nA: float = 0.0,
    onset_ms: float = 0.0,
) -> Stimulus:
    """A current that is zero until the onset and then goes in a straight line from ``start_nA`` to a uniform random value
    in [low, high], which it reaches at ``duration_ms``; independent per stimulus and site.

    Each piece of ``every_ms`` carries the ramp's exact mean, so no charge is lost.

    Raises:
        ValueError: for counts below one, times that are not positive, low above high, or an onset outside the duration.
    """
    check_positive(stimuli=n_stimuli, sites=n_sites)
    check_range(low_nA, high_nA)
    if not 0 <= onset_ms < duration_ms:
        raise ValueError(f"onset_ms is {onset_ms}; it must be 0 or more, and less than the duration of {duration_ms} ms")
    edges = onset_ms + even_edges(duration_ms - onset_ms, every_ms)
    edges[-1] = duration_ms
    ends = np.random.default_rng(seed).uniform(low_nA, high_nA, size=(n_stimuli, n_sites, 1))
    progress = ((edges[:-1] + edges[1:]) / 2 - onset_ms) / (duration_ms - onset_ms)
    return Stimulus(edges, start_nA + (ends - start_nA) * progress)
