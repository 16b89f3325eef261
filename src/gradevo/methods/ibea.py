"""BluePyOpt's optimiser with its indicator-based selection (IBEA, Zitzler and Kuenzli 2004), as its users run it."""

from __future__ import annotations

import numpy as np
from bluepyopt.deapext.optimisations import IBEADEAPOptimisation

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
    population: int,
    eta: float,
    crossover_probability: float,
    mutation_probability: float,
    generations: int | None,
) -> Outcome:
    """Minimise the terms of the loss, one per stimulus, by BluePyOpt's IBEA, each generation one batch.

    population : BluePyOpt's offspring_size
    eta : of crossover and mutation; a larger one keeps children closer to their parents
    crossover_probability, mutation_probability : BluePyOpt's cxpb and mutpb
    generations : how many; None goes on until the budget ends

    Raises ValueError for settings out of range, and RunEnded.
    """
    if population < 2 or (generations is not None and generations < 1):
        raise ValueError(f"ibea: population must be at least 2, generations at least 1; got {population=}, {generations=}")
    first = problem.sample_initial(rng, population).tolist()
    evaluator = MeteredEvaluator(problem, meter)
    with seeded_random(rng):
        optimisation = IBEADEAPOptimisation(
            evaluator=evaluator,
            seed=draw_seed(rng),
            offspring_size=population,
            eta=eta,
            cxpb=crossover_probability,
            mutpb=mutation_probability,
            map_function=evaluator.map,
        )
        optimisation.run(max_ngen=generations if generations is not None else ENDLESS, parent_population=first)
    return Outcome(Status.stagnated, f"all {generations} generations bred")
