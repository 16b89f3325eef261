"""Sine sweeps (chirps, ZAP currents)."""

import numpy as np

from gradevo.stimulus.base import Stimulus, check_positive, check_range, even_edges, piece_means

# Fewer pieces than this in the shortest period would no longer be a sine.
PIECES_PER_PERIOD = 8


def sine_sweeps(
    n_stimuli: int,
    n_sites: int,
    duration_ms: float,
    every_ms: float,
    low_nA: float,
    high_nA: float,
    from_Hz: float,
    to_Hz: float,
    seed: int,
    offset_nA: float = 0.0,
) -> Stimulus:
    """A sine whose frequency goes in a straight line from ``from_Hz`` to ``to_Hz`` over the duration (the ZAP current of
    Puil, Gimbarzevsky and Miura 1986, doi 10.1152/jn.1986.55.5.995), around a constant offset.

    Amplitude (uniform in [low, high]) and starting phase are random, independently per stimulus and site. Each piece of
    ``every_ms`` carries the sine's mean over it.

    Raises:
        ValueError: for counts below one, times or frequencies that are not positive, low above high, or pieces too long
            for the highest frequency.
    """
    check_positive(stimuli=n_stimuli, sites=n_sites, from_Hz=from_Hz, to_Hz=to_Hz)
    check_range(low_nA, high_nA)
    edges = even_edges(duration_ms, every_ms)
    longest = 1e3 / max(from_Hz, to_Hz) / PIECES_PER_PERIOD
    if every_ms > longest:
        raise ValueError(f"every_ms {every_ms} is too long for a sine of {max(from_Hz, to_Hz):g} Hz; take {longest:.3g} or less")
    rng = np.random.default_rng(seed)
    amplitude, phase = np.moveaxis(rng.uniform((low_nA, 0), (high_nA, 2 * np.pi), size=(n_stimuli, n_sites, 2)), 2, 0)

    def current(t: np.ndarray) -> np.ndarray:
        cycles = 1e-3 * (from_Hz * t + (to_Hz - from_Hz) * t**2 / (2 * duration_ms))
        return offset_nA + amplitude[..., None] * np.sin(2 * np.pi * cycles + phase[..., None])

    return Stimulus(edges, piece_means(current, edges))
