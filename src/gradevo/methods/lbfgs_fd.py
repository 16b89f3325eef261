"""L-BFGS-B with gradients from finite differences: the control that isolates what exact gradients are worth.

Everything but the gradient is as in `lbfgs`. A gradient is one batch of simulations: the point and its neighbours, one
(forward) or two (central) per parameter. The meter counts each of them as what it is, a simulation.
"""

from __future__ import annotations

import numpy as np

from gradevo.meter import Meter
from gradevo.methods import Outcome
from gradevo.methods.searches import search_from_many_starts
from gradevo.problem import Problem


def run(
    problem: Problem,
    meter: Meter,
    rng: np.random.Generator,
    *,
    starts: int,
    memory: int,
    tolerance: float,
    restarts: int | None,
    difference: str,
    step: float,
    view: str,
) -> Outcome:
    """Minimise the loss by L-BFGS-B.

    difference : "forward" or "central"
    step : of the difference, in the view's coordinates (log: a relative change of the density)
    starts, memory, tolerance, restarts, view : as for `lbfgs`

    Raises ValueError for settings out of range, and RunEnded.
    """
    if difference not in ("forward", "central"):
        raise ValueError(f"lbfgs_fd: difference is {difference!r}; use forward or central")
    if step <= 0:
        raise ValueError(f"lbfgs_fd: step is {step}; it must be above 0")
    lower, upper = problem.coordinates.bounds

    def evaluate(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """[K, P] -> losses [K] and gradients [K, P], from one batch; neighbours never leave the box."""
        ahead, behind = points + step, points - step
        if difference == "forward":
            neighbours = [np.where(ahead <= upper, ahead, behind)]
        else:
            neighbours = [np.minimum(ahead, upper), np.maximum(behind, lower)]
        batch = [points, *(_one_at_a_time(points, neighbour) for neighbour in neighbours)]
        losses = meter.loss(problem, np.concatenate(batch))
        here, around = losses[: len(points)], losses[len(points) :].reshape(-1, *points.shape)
        with np.errstate(invalid="ignore"):
            if difference == "forward":
                gradients = (around[0] - here[:, None]) / (neighbours[0] - points)
            else:
                gradients = (around[0] - around[1]) / (neighbours[0] - neighbours[1])
        # beside a simulation that diverges nothing is known of the slope
        return here, np.where(np.isfinite(gradients), gradients, 0.0)

    return search_from_many_starts(
        "lbfgs_fd", problem, evaluate, rng, starts=starts, memory=memory, tolerance=tolerance, restarts=restarts
    )


def _one_at_a_time(points: np.ndarray, neighbour: np.ndarray) -> np.ndarray:
    """[K, P] and [K, P] -> [K * P, P]: each point with one coordinate after the other taken from its neighbour."""
    n = points.shape[1]
    return np.where(np.eye(n, dtype=bool), neighbour[:, None], points[:, None]).reshape(-1, n)
