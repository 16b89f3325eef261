"""What a stimulus is, and what its generators share."""

from collections.abc import Callable
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

    def at(self, times_ms: np.ndarray) -> np.ndarray:
        """The currents [n_stimuli, n_sites, times] nA at the given times; a switch belongs to the piece that it begins."""
        piece = np.searchsorted(self.edges_ms, times_ms, side="right") - 1
        inside = (piece >= 0) & (piece < self.values_nA.shape[2])
        return np.where(inside, self.values_nA[:, :, np.clip(piece, 0, self.values_nA.shape[2] - 1)], 0.0)


def first_shared(a: Stimulus, b: Stimulus) -> tuple[int, int] | None:
    """The first pair (stimulus of a, stimulus of b) that are the same current at all times and sites, or None."""
    if a.n_sites != b.n_sites:
        return None
    edges = np.union1d(a.edges_ms, b.edges_ms)
    middles = (edges[:-1] + edges[1:]) / 2
    middles = middles[np.diff(edges) > 1e-9 * np.ptp(edges)]  # no slivers between edges that differ by rounding
    ours, theirs = a.at(middles), b.at(middles)
    for i, current in enumerate(ours):
        same = np.flatnonzero((theirs == current).all(axis=(1, 2)))
        if len(same):
            return i, int(same[0])
    return None


def even_edges(duration_ms: float, every_ms: float) -> np.ndarray:
    """Edges of equal pieces [pieces + 1] ms from 0 that cover the duration (the last piece may go beyond)."""
    check_positive(duration_ms=duration_ms, every_ms=every_ms)
    return every_ms * np.arange(int(np.ceil(duration_ms / every_ms - 1e-9)) + 1)


def piece_means(current: Callable[[np.ndarray], np.ndarray], edges_ms: np.ndarray) -> np.ndarray:
    """Mean of a smooth current over each piece: current maps times [n] ms to [..., n] nA; returns [..., pieces] nA.

    Gauss-Legendre quadrature with 5 points: exact for polynomials up to degree 9.
    """
    nodes, weights = np.polynomial.legendre.leggauss(5)
    half = np.diff(edges_ms)[:, None] / 2
    times = edges_ms[:-1, None] + half * (1 + nodes)
    values = current(times.ravel())
    return values.reshape(*values.shape[:-1], *times.shape) @ (weights / 2)


def check_positive(**values: float) -> None:
    """Raises ValueError naming the first of the values that is not above 0."""
    for name, value in values.items():
        if not value > 0:
            raise ValueError(f"{name} is {value}; it must be positive")


def check_range(low: float, high: float) -> None:
    """Raises ValueError if low is above high."""
    if not low <= high:
        raise ValueError(f"low_nA {low} is above high_nA {high}; swap them")
