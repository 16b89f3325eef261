"""Levenberg-Marquardt (Levenberg 1944; Marquardt 1963): least squares from exact tangents, start after start.

Each iteration asks once for J^T J and J^T r, and then tries several dampings as one batch of plain simulations.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from gradevo.meter import Meter
from gradevo.methods import Outcome
from gradevo.problem import Problem
from gradevo.result import Status
from gradevo.sensitivity import ResidualProducts

# Beyond this damping, a step changes nothing in float64.
_MOST_DAMPING = 1e12


def run(
    problem: Problem,
    meter: Meter,
    rng: np.random.Generator,
    *,
    damping: float,
    trials: int,
    growth: float,
    tolerance: float,
    restarts: int | None,
    view: str,
) -> Outcome:
    """Minimise a loss that is a sum of squares.

    damping : of the first step, relative to the diagonal of J^T J
    trials : dampings tried as one batch, each `growth` times the one before; the first is the last success over growth
    tolerance : a search ends when an iteration lowers its loss by less than this times the loss
    restarts : new random starts after the first one ends; None goes on until the budget ends
    view : the coordinates (`problem` is already in them); steps are cut at their bounds

    Raises ValueError for settings out of range or a loss that is not a sum of squares, and RunEnded.
    """
    if damping <= 0 or trials < 1 or growth <= 1 or tolerance < 0 or (restarts is not None and restarts < 0):
        raise ValueError(
            "levenberg_marquardt: damping must be above 0, trials at least 1, growth above 1, tolerance and restarts 0 or "
            f"more; got {damping=}, {trials=}, {growth=}, {tolerance=}, {restarts=}"
        )
    point = problem.sample_initial(rng, 1)[0]
    ended = 0
    while True:
        descend(problem, meter, point, damping, trials, growth, tolerance)
        ended += 1
        if restarts is not None and ended > restarts:
            return Outcome(Status.stagnated, f"{ended} searches ended in minima above the target")
        point = problem.sample_random(rng, 1)[0]


class Asked(Protocol):
    """What a search asks: the meter, or what stands between a method and it."""

    def loss(self, problem: Problem, thetas: np.ndarray) -> np.ndarray: ...

    def residual_products(self, problem: Problem, theta: np.ndarray) -> ResidualProducts: ...


def descend(
    problem: Problem,
    meter: Asked,
    point: np.ndarray,
    damping: float,
    trials: int,
    growth: float,
    tolerance: float,
    iterations: int | None = None,
    ridge: float = 0.0,
) -> np.ndarray:
    """One search, from its start to where no damping lowers the loss any more, or for so many iterations; its last point.

    ridge : times the loss, it is added to the diagonal of J^T J (damping in proportion to the squared residuals: Yamashita and
        Fukushima 2001, Computing Suppl 15:239): while residuals are large, what they hardly depend on stays where it is
    """
    lower, upper = problem.coordinates.bounds
    while iterations is None or iterations > 0:
        iterations = None if iterations is None else iterations - 1
        loss, half_gradient, normal = meter.residual_products(problem, point)
        if not np.isfinite(loss):
            return point
        regular = normal + ridge * loss * np.eye(len(point))
        while True:
            dampings = damping * growth ** np.arange(trials)
            steps = np.array([_step(regular, half_gradient, each) for each in dampings])
            candidates = np.clip(point + steps, lower, upper)
            losses = meter.loss(problem, candidates)
            best = int(np.argmin(losses))
            if losses[best] < loss:
                break
            damping = dampings[-1] * growth
            if damping > _MOST_DAMPING:
                return point
        point, damping = candidates[best], dampings[best] / growth
        if loss - losses[best] <= tolerance * loss:
            return point
    return point


def _step(normal: np.ndarray, half_gradient: np.ndarray, damping: float) -> np.ndarray:
    """-(J^T J + damping D)^-1 J^T r, D the diagonal of J^T J (no direction counts as less than 1e-8 of the largest)."""
    diagonal = np.diagonal(normal)
    scale = np.maximum(diagonal, 1e-8 * max(float(diagonal.max()), np.finfo(float).tiny))
    try:
        return -cho_solve(cho_factor(normal + np.diag(damping * scale)), half_gradient)
    except LinAlgError:  # not positive definite to rounding: more damping will be
        return np.zeros_like(half_gradient)
