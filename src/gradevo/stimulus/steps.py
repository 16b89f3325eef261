"""Rectangular pulses and random steps."""

import numpy as np

from gradevo.stimulus.base import Stimulus, check_positive, check_range, even_edges


def steps(amplitudes_nA: np.ndarray, onset_ms: float, duration_ms: float) -> Stimulus:
    """One rectangular pulse per stimulus and site; amplitudes_nA [n_stimuli, n_sites].

    Raises:
        ValueError: for a duration that is not positive.
    """
    check_positive(duration_ms=duration_ms)
    amplitudes = np.asarray(amplitudes_nA, float)
    if amplitudes.ndim != 2:
        raise ValueError(f"amplitudes_nA has shape {amplitudes.shape}; it must be [stimuli, sites]")
    return Stimulus(np.array([onset_ms, onset_ms + duration_ms]), amplitudes[:, :, None])


def random_steps(
    n_stimuli: int, n_sites: int, duration_ms: float, every_ms: float, low_nA: float, high_nA: float, seed: int
) -> Stimulus:
    """A current that jumps to a new uniform value in [low, high] every ``every_ms``, independently per stimulus and site: the
    variable-step current of Jones and Kording 2024 (arXiv 2407.04025).

    Raises:
        ValueError: for counts below one, times that are not positive, or low above high.
    """
    check_positive(stimuli=n_stimuli, sites=n_sites)
    check_range(low_nA, high_nA)
    edges = even_edges(duration_ms, every_ms)
    values = np.random.default_rng(seed).uniform(low_nA, high_nA, size=(n_stimuli, n_sites, len(edges) - 1))
    return Stimulus(edges, values)
