"""Multiple shooting: Levenberg-Marquardt on windows of time, whose first states are unknowns too."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from gradevo.meter import Meter
from gradevo.methods import Outcome
from gradevo.methods.levenberg_marquardt import _MOST_DAMPING, _step, descend
from gradevo.methods.stages import Stage, staged
from gradevo.methods.windows import Windows
from gradevo.problem import Problem
from gradevo.result import Status
from gradevo.sensitivity import ResidualProducts

# Of a step, in densities and nodes alike. A whole step closes all defects, and linearised spikes do not reach that far.
_SHARES = (1.0, 0.5, 0.2, 0.05)


def run(
    problem: Problem,
    meter: Meter,
    rng: np.random.Generator,
    *,
    windows: int,
    iterations: int,
    stimuli: int,
    strength_per_ms: float,
    damping: float,
    trials: int,
    growth: float,
    tolerance: float,
    ridge: float,
) -> Outcome:
    """Start every window beside the data, and let densities and windows grow together; then one search in one piece.

    windows : how many, equally long
    iterations : with windows, at most
    stimuli : how many are simulated with windows
    strength_per_ms : of the pull towards the data by which the windows' first states are found
    ridge : of `levenberg_marquardt.descend`, 1 / mV2 in the view's coordinates (logarithms)
    damping, trials, growth, tolerance : of `levenberg_marquardt`; with windows, four shares of two steps are tried

    Raises ValueError for settings out of range, recordings with gaps or a neuron without a known leak, and RunEnded.
    """
    if iterations < 1 or not strength_per_ms > 0:
        raise ValueError(
            f"shooting_lm: iterations must be at least 1 and strength_per_ms above 0; got {iterations=}, {strength_per_ms=}"
        )
    point = problem.sample_initial(rng, 1)[0]
    cut = Windows.of(staged(problem, Stage(0.0, 1.0, stimuli)), windows)
    point = _shoot(problem, meter, cut, point, iterations, strength_per_ms, damping, growth, tolerance, ridge)
    descend(problem, meter, point, damping, trials, growth, tolerance, ridge=ridge)
    return Outcome(Status.stagnated, "the search over traces in one piece ended above the target")


def _shoot(
    problem: Problem,
    meter: Meter,
    windows: Windows,
    point: np.ndarray,
    iterations: int,
    strength_per_ms: float,
    damping: float,
    growth: float,
    tolerance: float,
    ridge: float,
) -> np.ndarray:
    """The last point of a search with windows; each is simulated in one piece, too. Counted as the same questions without
    windows, and a trial as two simulations: its own, and its share of the linearised one that moves the nodes of all."""
    lower, upper = problem.coordinates.bounds
    values = problem.densities

    def begin(thetas: np.ndarray) -> tuple[np.ndarray, float]:
        found = windows.nodes_near_data(values(thetas)[0], strength_per_ms)
        return found, float(windows.amiss(values(thetas), found[None])[0])

    def products(theta: np.ndarray) -> ResidualProducts:
        half, normal = windows.products(values(theta[None])[0], nodes)
        slope = problem.coordinates.slope(theta)
        return ResidualProducts(total, half * slope, normal * slope[:, None] * slope)

    def attempt(thetas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        here, there = values(point[None])[0], values(thetas)
        moved = windows.moved(here, nodes, there - here, shares[: len(thetas)])
        return moved, windows.amiss(there, moved)

    def asked(answer: Callable[[np.ndarray], Any], simulations: int) -> Any:
        """What the meter wants to know of another problem: its size, and its answer."""
        cut = windows.problem
        size = {"n_simulations": simulations * cut.n_simulations, "compartment_steps": cut.compartment_steps}
        return SimpleNamespace(**size, loss=answer, residual_products=answer)

    meter.loss(problem, point[None])
    nodes, total = meter.loss_of_another(problem, asked(begin, 2), point[None])
    for _ in range(iterations):
        _, half, normal = meter.products_of_another(problem, asked(products, 1), point)
        regular = normal + ridge * total * np.eye(len(point))
        while True:
            dampings = np.repeat(damping * growth ** np.arange(2), len(_SHARES))
            shares = np.tile(_SHARES, 2)
            steps = np.repeat([_step(regular, half, each) for each in dampings[:: len(_SHARES)]], len(_SHARES), axis=0)
            candidates = np.clip(point + shares[:, None] * steps, lower, upper)
            moved, totals = meter.loss_of_another(problem, asked(attempt, 2), candidates)
            best = int(np.argmin(totals))
            if totals[best] < total:
                break
            damping = dampings[-1] * growth
            if damping > _MOST_DAMPING:
                return point
        before, total = total, float(totals[best])
        point, nodes = candidates[best], moved[best]
        damping = dampings[best] / growth if shares[best] == 1.0 else dampings[best]
        meter.loss(problem, point[None])
        if before - total <= tolerance * before:
            break
    return point
