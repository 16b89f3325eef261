"""CMA-ES with a diagonal covariance (sep-CMA-ES, Ros and Hansen 2008; the pycma library) in the unit box.

A variance per parameter is learnt in fewer generations than a covariance matrix, and costs less, when there are many
parameters; dependences between them go unseen.
"""

from __future__ import annotations

import numpy as np

from gradevo.meter import Meter
from gradevo.methods import Outcome, cma_es
from gradevo.problem import Problem


def run(
    problem: Problem,
    meter: Meter,
    rng: np.random.Generator,
    *,
    population: int | None,
    sigma: float,
    restarts: int | None,
    growth: float,
    tolerance: float,
) -> Outcome:
    """Minimise the loss by sep-CMA-ES, each generation one batch; the settings are those of `cma_es`.

    Raises ValueError for settings out of range, and RunEnded.
    """
    return cma_es.run(
        problem, meter, rng, population=population, sigma=sigma, restarts=restarts, growth=growth, tolerance=tolerance,
        diagonal=True,
    )  # fmt: skip
