"""Random search: points drawn uniformly from the box, on its log scale. What any search must beat."""

from __future__ import annotations

import numpy as np

from gradevo.meter import Meter
from gradevo.methods import Outcome
from gradevo.problem import Problem


def run(problem: Problem, meter: Meter, rng: np.random.Generator, *, batch: int, margin: float) -> Outcome:
    """Draw until the budget ends; the first batch are the starting points that all methods share.

    batch : points per batch
    margin : share of the box left out at either end

    Raises ValueError for settings out of range, and RunEnded.
    """
    if batch < 1 or not 0 <= margin < 0.5:
        raise ValueError(f"random_search: batch must be at least 1, margin from 0 to below 0.5; got {batch=}, {margin=}")
    meter.loss(problem, problem.sample_initial(rng, batch))
    while True:
        meter.loss(problem, rng.uniform(margin, 1 - margin, size=(batch, problem.n_parameters)))
