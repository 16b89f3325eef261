"""Multiple shooting: Levenberg-Marquardt on windows of time, whose first states are unknowns too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from gradevo.meter import Meter
from gradevo.methods import Outcome
from gradevo.methods.levenberg_marquardt import descend
from gradevo.methods.stages import Stage, staged
from gradevo.methods.windows import Windows
from gradevo.problem import Problem
from gradevo.result import Status
from gradevo.sensitivity import ResidualProducts


def run(
    problem: Problem,
    meter: Meter,
    rng: np.random.Generator,
    *,
    windows: Sequence[int],
    iterations: int,
    stimuli: int,
    strength_per_ms: float,
    damping: float,
    trials: int,
    growth: float,
    tolerance: float,
    ridge: float,
) -> Outcome:
    """Start every window beside the data, and let densities and windows grow together.

    windows : how many, a stage each; the last stage is the problem itself, in one piece
    iterations : of each stage but the last, at most
    stimuli : how many are simulated in each stage but the last
    strength_per_ms : of the pull towards the data by which the windows' first states are found, before each stage
    ridge : of `levenberg_marquardt.descend`, 1 / mV2 in the view's coordinates (logarithms)
    damping, trials, growth, tolerance : of `levenberg_marquardt`

    Raises ValueError for settings out of range, recordings with gaps or a neuron without a known leak, and RunEnded.
    """
    if not windows or min(windows) < 2 or iterations < 1 or not strength_per_ms > 0:
        raise ValueError(
            "shooting_lm: windows must be one or more numbers of at least 2, iterations at least 1 and strength_per_ms above 0; "
            f"got {windows=}, {iterations=}, {strength_per_ms=}"
        )
    point = problem.sample_initial(rng, 1)[0]
    cut = staged(problem, Stage(0.0, 1.0, stimuli))
    for count in windows:
        lifted = Lifted(meter, problem, Windows.of(cut, count), point, strength_per_ms)
        point = descend(cut, lifted, point, damping, trials, growth, tolerance, iterations, ridge)
        meter.loss(problem, point[None])
    descend(problem, meter, point, damping, trials, growth, tolerance, ridge=ridge)
    return Outcome(Status.stagnated, "the search over traces in one piece ended above the target")


class Lifted:
    """Answers a search over densities, and moves the nodes along with them.

    Counted as the same questions without windows; a trial as two simulations, its own, and its share of the linearised one that
    moves the nodes of all trials (a simulation, and a tangent for each and one more).
    """

    def __init__(self, meter: Meter, problem: Problem, windows: Windows, point: np.ndarray, strength_per_ms: float) -> None:
        self.meter, self.problem, self.windows, self.point = meter, problem, windows, point
        self.tried: list[tuple[np.ndarray, np.ndarray]] = []  # thetas and their nodes
        first = self._asked(lambda thetas: windows.nodes_near_data(self._values(thetas)[0], strength_per_ms))
        self.nodes: np.ndarray = meter.loss_of_another(problem, first, point[None])

    def loss(self, problem: Problem, thetas: np.ndarray) -> np.ndarray:
        def judge(candidates: np.ndarray) -> np.ndarray:
            here, there = self._values(self.point[None])[0], self._values(candidates)
            nodes = self.windows.moved(here, self.nodes, there - here)
            self.tried += zip(candidates, nodes, strict=True)
            return self.windows.amiss(there, nodes)

        return self.meter.loss_of_another(self.problem, self._asked(judge, simulations=2), thetas)

    def residual_products(self, problem: Problem, theta: np.ndarray) -> ResidualProducts:
        """At a point that was tried, or the first: its nodes are the ones to go on from."""
        for candidate, nodes in self.tried:
            if np.array_equal(candidate, theta):
                self.point, self.nodes = candidate, nodes
        self.tried = []

        def products(point: np.ndarray) -> ResidualProducts:
            found = self.windows.products(self._values(point[None])[0], self.nodes)
            slope = problem.coordinates.slope(point)
            return ResidualProducts(found.loss, found.gradient_half * slope, found.normal_matrix * slope[:, None] * slope)

        return self.meter.products_of_another(self.problem, self._asked(products), theta)

    def _values(self, thetas: np.ndarray) -> np.ndarray:
        return self.windows.problem.densities(thetas)

    def _asked(self, answer: Callable[[np.ndarray], Any], simulations: int = 1) -> Any:
        """What the meter wants to know of another problem: its size, and its answer."""
        cut = self.windows.problem
        return SimpleNamespace(
            n_simulations=simulations * cut.n_simulations,
            compartment_steps=cut.compartment_steps,
            loss=answer,
            residual_products=answer,
        )
