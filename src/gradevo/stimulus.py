"""Injected currents, piecewise constant in time, in nA."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Stimulus:
    """edges_ms: [pieces + 1], increasing. values_nA: [n_stimuli, n_sites, pieces]; zero outside the edges.

    Raises:
        ValueError: for shapes that do not fit, edges that do not increase, or a value that is not finite.
    """

    edges_ms: np.ndarray
    values_nA: np.ndarray

    def __post_init__(self) -> None:
        edges, values = np.asarray(self.edges_ms, float), np.asarray(self.values_nA, float)
        if values.ndim != 3 or edges.shape != (values.shape[2] + 1,):
            raise ValueError(
                f"a stimulus needs edges [pieces + 1] and values [stimuli, sites, pieces]; got {edges.shape} and {values.shape}"
            )
        if not (np.isfinite(edges).all() and (np.diff(edges) > 0).all()):
            raise ValueError(f"edges_ms must be finite and increase; got {edges[:5]}...")
        if not np.isfinite(values).all():
            where = tuple(int(i) for i in np.argwhere(~np.isfinite(values))[0])
            raise ValueError(f"values_nA{list(where)} (stimulus, site, piece) is {values[where]}; it must be finite")
        object.__setattr__(self, "edges_ms", edges)
        object.__setattr__(self, "values_nA", values)

    @property
    def n_stimuli(self) -> int:
        return self.values_nA.shape[0]

    @property
    def n_sites(self) -> int:
        return self.values_nA.shape[1]

    def step_weights(self, start_ms: float, dt_ms: float, n_steps: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Which pieces each step overlaps and by what fraction of the step: the exact mean current of step s is
        sum over i in start[s]:start[s+1] of weight[i] * values[..., piece[i]]. Returns (start, piece, weight).
        """
        times = start_ms + dt_ms * np.arange(n_steps + 1)
        # a switch within rounding of a step's end belongs there: no sliver of a piece
        edges = self.edges_ms.copy()
        nearest = np.rint((edges - start_ms) / dt_ms)
        on_grid = np.abs(edges - (start_ms + nearest * dt_ms)) < 1e-9 * dt_ms + 1e-13 * np.abs(edges)
        edges[on_grid] = start_ms + nearest[on_grid] * dt_ms
        first = np.clip(np.searchsorted(edges, times[:-1], side="right") - 1, 0, len(edges) - 2)
        last = np.clip(np.searchsorted(edges, times[1:], side="left") - 1, 0, len(edges) - 2)
        counts = last - first + 1
        start = np.concatenate([[0], np.cumsum(counts)])
        step = np.repeat(np.arange(n_steps), counts)
        piece = np.arange(start[-1]) - np.repeat(start[:-1] - first, counts)
        overlap = np.minimum(times[step + 1], edges[piece + 1]) - np.maximum(times[step], edges[piece])
        weight = np.clip(overlap / (times[step + 1] - times[step]), 0.0, 1.0)
        return start.astype(np.int64), piece.astype(np.int64), weight


def steps(amplitudes_nA: np.ndarray, onset_ms: float, duration_ms: float) -> Stimulus:
    """One rectangular pulse per stimulus and site; amplitudes_nA [n_stimuli, n_sites].

    Raises:
        ValueError: for a duration that is not positive.
    """
    if not duration_ms > 0:
        raise ValueError(f"duration_ms is {duration_ms}; it must be positive")
    amplitudes = np.asarray(amplitudes_nA, float)
    if amplitudes.ndim != 2:
        raise ValueError(f"amplitudes_nA has shape {amplitudes.shape}; it must be [stimuli, sites]")
    return Stimulus(np.array([onset_ms, onset_ms + duration_ms]), amplitudes[:, :, None])


def random_steps(
    n_stimuli: int, n_sites: int, duration_ms: float, every_ms: float, low_nA: float, high_nA: float, seed: int
) -> Stimulus:
    """A current that jumps to a new uniform value in [low, high] every ``every_ms``, independently per stimulus and site: the
    variable-step current of Jones and Kording 2024.

    Raises:
        ValueError: for counts below one, times that are not positive, or low above high.
    """
    for name, value in (
        ("duration_ms", duration_ms),
        ("every_ms", every_ms),
        ("stimuli", n_stimuli),
        ("sites", n_sites),
    ):
        if not value > 0:
            raise ValueError(f"{name} is {value}; it must be positive")
    if not low_nA <= high_nA:
        raise ValueError(f"low_nA {low_nA} is above high_nA {high_nA}")
    pieces = int(np.ceil(duration_ms / every_ms - 1e-9))
    rng = np.random.default_rng(seed)
    values = rng.uniform(low_nA, high_nA, size=(n_stimuli, n_sites, pieces))
    return Stimulus(every_ms * np.arange(pieces + 1), values)
