"""The hybrid: CMA-ES (pycma) finds a valley, L-BFGS-B (scipy) with exact gradients descends it.

When the descent ends above the target, the two begin anew from a random point.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from gradevo.meter import Meter
from gradevo.methods import Outcome
from gradevo.methods.cma_es import default_population, search_from
from gradevo.methods.searches import search_together
from gradevo.problem import Problem
from gradevo.result import Status

# A generation is progress if it lowers the best loss to below this share of it.
_PROGRESS = 0.9


def run(
    problem: Problem,
    meter: Meter,
    rng: np.random.Generator,
    *,
    population: int | None,
    sigma: float,
    share: float,
    patience: int,
    memory: int,
    tolerance: float,
    restarts: int | None,
) -> Outcome:
    """Minimise the loss by CMA-ES in the unit box, then by L-BFGS-B on log densities from the best point found.

    population, sigma : of CMA-ES, as for `cma_es`
    share : of the budget that is left, at most, for CMA-ES
    patience : CMA-ES also ends after this many generations in a row that lowered its best loss by less than a tenth
    memory : of L-BFGS-B, as for `lbfgs`
    tolerance : of both, as for `cma_es` and `lbfgs`
    restarts : how many; None goes on until the budget ends

    Raises ValueError for settings out of range, and RunEnded.
    """
    if (population is not None and population < 2) or sigma <= 0 or not 0 < share < 1 or patience < 1:
        raise ValueError(
            "cma_lbfgs: population must be at least 2, sigma above 0, share between 0 and 1, patience at least 1; got "
            f"{population=}, {sigma=}, {share=}, {patience=}"
        )
    if memory < 1 or tolerance < 0 or (restarts is not None and restarts < 0):
        raise ValueError(
            f"cma_lbfgs: memory must be at least 1, tolerance and restarts 0 or more; got {memory=}, {tolerance=}, {restarts=}"
        )
    size = population if population is not None else default_population(problem.n_parameters)
    log_view = problem.view("log")
    point = problem.sample_initial(rng, 1)[0]
    rounds = 0
    while True:
        enough = _Enough(meter, share, patience)
        explored = search_from(problem, meter, rng, point, size, sigma, tolerance, enough=enough)
        start = log_view.coordinates.from_density(problem.densities(np.asarray(explored.best.x)))
        search_together(log_view, partial(meter.loss_and_gradient, log_view), start[None], memory=memory, tolerance=tolerance)
        if restarts is not None and rounds >= restarts:
            return Outcome(Status.stagnated, f"{rounds + 1} descents ended in minima above the target")
        rounds += 1
        point = problem.sample_random(rng, 1)[0]


class _Enough:
    """Whether CMA-ES has spent its share, or stands still: asked after each generation."""

    def __init__(self, meter: Meter, share: float, patience: int) -> None:
        self.meter = meter
        self.keep = (1 - share) * meter.remaining_equivalents
        self.patience = patience
        self.best = np.inf
        self.idle = 0

    def __call__(self, losses: np.ndarray) -> bool:
        best = np.min(losses)
        self.idle = 0 if best < _PROGRESS * self.best else self.idle + 1
        self.best = min(self.best, best)
        return self.idle >= self.patience or self.meter.remaining_equivalents <= self.keep
