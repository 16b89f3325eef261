"""How BluePyOpt's optimisers get their losses from a meter: a generation at a time. Shared by methods.

Its objectives are the loss's terms, one per stimulus. BluePyOpt evaluates through a map function; ours hands it the
whole generation as one batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from bluepyopt.evaluators import Evaluator
from bluepyopt.objectives import Objective
from bluepyopt.parameters import Parameter

from gradevo.meter import Meter
from gradevo.problem import Problem

ENDLESS = 10**9
"""Generations that no budget pays for: BluePyOpt asks for a number."""

# The objective of a stimulus under which the simulation diverged: worse than voltage traces usually are (an error of
# 100 mV throughout), yet finite, because IBEA scales objectives by their range.
_DIVERGED = 1e4


class MeteredEvaluator(Evaluator):
    """Tells BluePyOpt the parameters (the unit box) and the objectives, and evaluates through the meter."""

    def __init__(self, problem: Problem, meter: Meter) -> None:
        super().__init__(
            objectives=[Objective(f"stimulus {i}") for i in range(problem.n_simulations)],
            params=[Parameter(f"density {i}", bounds=(0.0, 1.0)) for i in range(problem.n_parameters)],
        )

        self.problem, self.meter = problem, meter

    def map(self, _evaluate: Callable, people: Iterable) -> list[list[float]]:
        """BluePyOpt's map function, for a whole generation at once: a term per stimulus for each. Raises RunEnded."""
        points = np.array([list(individual) for individual in people])
        if len(points) == 0:
            return []
        terms = self.meter.objectives(self.problem, points)
        return np.where(np.isfinite(terms), terms, _DIVERGED).tolist()

    def init_simulator_and_evaluate_with_lists(self, individual: list[float]) -> list[float]:
        """What BluePyOpt asks for a single individual. Raises RunEnded."""
        return self.map(self.init_simulator_and_evaluate_with_lists, [individual])[0]
