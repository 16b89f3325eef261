"""Maximum likelihood near a known solution: Levenberg-Marquardt on log densities, with some of them held.

Not a method of the study, which starts anywhere and is metered: this one refines what is already close, to a fraction of what the
noise blurs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gradevo.identifiability.squares import Squares, check_values

CONVERGED = 1e-6
"""In units of chi2, whose quantiles decide: a fit this close to the least is within 0.001 standard deviations of it."""

LEAST_DAMPING = 1e-12
"""Of the scaled matrix, whose diagonal is 1."""

LONGEST_STEP = 1.0
"""No step changes a density by more than a factor e."""


class Refit(NamedTuple):
    """values [P] and their chi2; converged: the last step brought less than CONVERGED, and the undamped one promises no more."""

    values: np.ndarray
    chi2: float
    converged: bool


def refit(squares: Squares, start: np.ndarray, held: Sequence[int] = (), iterations: int = 40) -> Refit:
    """The least chi2 from parameters [P] downhill, those numbered in `held` kept.

    Raises ValueError for a start that is not positive or where the simulation diverges, or a number that does not exist.
    """
    values = check_values(squares.problem, start)
    free = np.setdiff1d(np.arange(len(values)), _checked(held, len(values)))
    chi2, damping = np.inf, 1e-4
    for _ in range(iterations):
        chi2, half, normal = squares.products(values)
        if not np.isfinite(chi2):
            raise ValueError(f"problem {squares.problem.name!r} diverges at the start of a refit; start closer to a solution")
        if not len(free):
            return Refit(values, chi2, True)
        matrix, slope = normal[np.ix_(free, free)], half[free]
        accepted = False
        while damping < 1e10 and not accepted:
            step = _step(matrix, slope, damping)
            promised = _promise(matrix, slope, step)
            candidate = values.copy()
            candidate[free] *= np.exp(step)
            found = squares.chi2(candidate)
            accepted = found < chi2
            if promised < CONVERGED and chi2 - found < CONVERGED:
                # a damped step promises little also where weak directions still have far to go
                undamped = _step(matrix, slope, LEAST_DAMPING)
                if _promise(matrix, slope, undamped) < CONVERGED:
                    return Refit(candidate if accepted else values, min(found, chi2), True)
                if not accepted:
                    return Refit(values, chi2, False)
            damping = max(damping / 10, LEAST_DAMPING) if accepted else damping * 10
        if not accepted:
            return Refit(values, chi2, False)
        values, chi2 = candidate, found
    return Refit(values, chi2, False)


def _promise(matrix: np.ndarray, slope: np.ndarray, step: np.ndarray) -> float:
    """By how much chi2 falls along a step, if it is the parabola that its derivatives say."""
    return -float(2 * slope @ step + step @ matrix @ step)


def _step(matrix: np.ndarray, slope: np.ndarray, damping: float) -> np.ndarray:
    """The damped Gauss-Newton step, scaled by the diagonal (Marquardt), no longer than LONGEST_STEP in any density.

    What no datum depends on does not move: its diagonal counts as 1.
    """
    diagonal = np.diagonal(matrix)
    scale = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    scaled = matrix / scale[:, None] / scale + damping * np.eye(len(scale))
    step = -np.linalg.solve(scaled, slope / scale) / scale
    return step * min(1.0, LONGEST_STEP / max(float(np.abs(step).max()), np.finfo(float).tiny))


def _checked(held: Sequence[int], n: int) -> list[int]:
    for i in held:
        if not 0 <= i < n:
            raise ValueError(f"parameter {i} does not exist; there are 0 to {n - 1}")
    return list(held)
