"""BluePyOpt's CMA-ES, single-objective, as its users run it: the terms of the loss summed, candidates clipped to the box,
its own stopping rules."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from bluepyopt.deapext.optimisationsCMA import DEAPOptimisationCMA

from gradevo.meter import Meter
from gradevo.methods import Outcome
from gradevo.methods.bluepyopt_batch import ENDLESS, MeteredEvaluator
from gradevo.methods.randomness import draw_seed, seeded_random
from gradevo.problem import Problem
from gradevo.result import Status


def run(
    problem: Problem,
    meter: Meter,
    rng: np.random.Generator,
    *,
    population: int | None,
    sigma: float,
    stagnation: bool,
    restarts: int | None,
) -> Outcome:
    """Minimise the loss by BluePyOpt's CMA-ES, each generation one batch.

    population : BluePyOpt's offspring_size; None takes its 4 + 3 ln(parameters)
    sigma : first step size, in half sides of the box
    stagnation : whether its criterion of stagnation may end a search (use_stagnation_criterion)
    restarts : searches from random points after the first one ends; None goes on until the budget ends

    Raises ValueError for settings out of range, and RunEnded.
    """
    if (population is not None and population < 2) or sigma <= 0 or (restarts is not None and restarts < 0):
        raise ValueError(
            "bluepyopt_cma: population must be at least 2, sigma above 0, restarts 0 or more; got "
            f"{population=}, {sigma=}, {restarts=}"
        )
    point = problem.sample_initial(rng, 1)[0]
    evaluator = MeteredEvaluator(problem, meter)
    rounds = 0
    while True:
        with seeded_random(rng), _without_warnings_of_empty_medians():
            optimisation = DEAPOptimisationCMA(
                evaluator=evaluator,
                seed=draw_seed(rng),
                offspring_size=population,
                centroids=[point.tolist()],
                sigma=sigma,
                use_stagnation_criterion=stagnation,
                map_function=evaluator.map,
            )
            optimisation.run(max_ngen=ENDLESS)
        if restarts is not None and rounds >= restarts:
            return Outcome(Status.stagnated, f"{rounds + 1} searches ended by BluePyOpt's criteria")
        rounds += 1
        point = problem.sample_random(rng, 1)[0]


@contextmanager
def _without_warnings_of_empty_medians() -> Iterator[None]:
    """In its first hundred generations, the criterion of stagnation takes medians of nothing, harmlessly."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Mean of empty slice|invalid value encountered in scalar divide", RuntimeWarning)
        yield
