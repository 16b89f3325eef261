"""Where fits begin: random densities, the same for every method."""

from __future__ import annotations

import numpy as np

from gradevo.transforms import Transform

START_MIDDLE = (0.25, 0.75)
"""Starts are drawn from this share of the box, on the log scale of transforms.py."""

START_EDGE = 0.01
"""Starts keep this share of the box from its bounds, on the same scale. In the logit view a bound is infinitely far, and close to
it every slope is nearly zero: a method would not get away from there."""


def middle_of_box(rng: np.random.Generator, n: int, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Densities [n, P], uniform in START_MIDDLE of the box [P] on its log scale."""
    return Transform("unit", low, high).to_density(rng.uniform(*START_MIDDLE, size=(n, low.size)))


def near_truth(
    rng: np.random.Generator, n: int, truth: np.ndarray, factor: float, low: np.ndarray, high: np.ndarray
) -> np.ndarray:
    """Densities [n, P] in random directions from the truth [P]: the root mean square over parameters of |log(start / truth)| is
    log(factor).

    What would leave the box goes the other way from the truth, and stops near the bound (`START_EDGE`) where both ways leave it.
    """
    steps = rng.standard_normal((n, truth.size))
    steps *= np.log(factor) / np.sqrt((steps**2).mean(axis=1, keepdims=True))
    points = truth * np.exp(steps)
    points = np.where((points < low) | (points > high), truth * np.exp(-steps), points)
    return off_the_bounds(points, low, high)


def off_the_bounds(points: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Densities [n, P] with those within START_EDGE of a bound [P], or beyond it, moved to that distance."""
    edge = (high / low) ** START_EDGE
    return np.clip(points, low * edge, high / edge)
