"""Sobol search: a scrambled Sobol sequence (Owen 1998; scipy's) over the box, on its log scale.

It fills the box more evenly than random points do.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import qmc

from gradevo.meter import Meter
from gradevo.methods import Outcome
from gradevo.problem import Problem


def run(problem: Problem, meter: Meter, rng: np.random.Generator, *, batch: int, margin: float) -> Outcome:
    """Go along the sequence until the budget ends; before it, a batch of the starting points that all methods share.

    batch : points per batch, a power of 2: the sequence is even over such blocks
    margin : share of the box left out at either end

    Raises ValueError for settings out of range, and RunEnded.
    """
    if batch < 1 or batch & (batch - 1) or not 0 <= margin < 0.5:
        raise ValueError(f"sobol: batch must be a power of 2, margin from 0 to below 0.5; got {batch=}, {margin=}")
    meter.loss(problem, problem.sample_initial(rng, batch))
    sequence = qmc.Sobol(problem.n_parameters, rng=rng)
    while True:
        meter.loss(problem, margin + (1 - 2 * margin) * sequence.random(batch))
