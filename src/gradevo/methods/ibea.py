"""BluePyOpt's optimiser with its indicator-based selection (IBEA, Zitzler and Kuenzli 2004), as its users run it.

Its objectives are the loss's terms, one per stimulus. BluePyOpt evaluates through a map function; ours hands it the
whole generation as one batch.
"""

from __future__ import annotations

import numpy as np
from bluepyopt.deapext.optimisations import IBEADEAPOptimisation
from bluepyopt.evaluators import Evaluator
from bluepyopt.objectives import Objective
from bluepyopt.parameters import Parameter

from gradevo.meter import Meter
from gradevo.methods import Outcome
from gradevo.methods.randomness import draw_seed, seeded_random
from gradevo.problem import Problem
from gradevo.result import Status

# The objective of a stimulus under which the simulation diverged: worse than voltage traces usually are (an error of
# 100 mV throughout), yet finite, because IBEA scales objectives by their range.
_DIVERGED_MV2 = 1e4

_ENDLESS = 10**9


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
    """Minimise the terms of the loss by BluePyOpt's IBEA, each generation one batch.

    population : BluePyOpt's offspring_size
    eta : of crossover and mutation; a larger one keeps children closer to their parents
    crossover_probability, mutation_probability : BluePyOpt's cxpb and mutpb
    generations : how many; None goes on until the budget ends

    Raises ValueError for settings out of range, and RunEnded.
    """
    if population < 2 or (generations is not None and generations < 1):
        raise ValueError(f"ibea: population must be at least 2, generations at least 1; got {population=}, {generations=}")

    def evaluate_batch(_evaluate, people) -> list[list[float]]:
        people = list(people)
        if not people:
            return []
        terms = meter.objectives(problem, np.array([list(individual) for individual in people]))
        return np.where(np.isfinite(terms), terms, _DIVERGED_MV2).tolist()

    first = problem.sample_initial(rng, population).tolist()
    with seeded_random(rng):
        optimisation = IBEADEAPOptimisation(
            evaluator=_Declaration(problem),
            seed=draw_seed(rng),
            offspring_size=population,
            eta=eta,
            cxpb=crossover_probability,
            mutpb=mutation_probability,
            map_function=evaluate_batch,
        )
        optimisation.run(max_ngen=generations if generations is not None else _ENDLESS, parent_population=first)
    return Outcome(Status.stagnated, f"all {generations} generations bred")


class _Declaration(Evaluator):
    """Tells BluePyOpt the parameters (the unit box) and the objectives; evaluation goes through the map function."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(
            objectives=[Objective(f"stimulus {i}") for i in range(problem.n_simulations)],
            params=[Parameter(f"density {i}", bounds=(0.0, 1.0)) for i in range(problem.n_parameters)],
        )

    def init_simulator_and_evaluate_with_lists(self, *args):
        raise NotImplementedError("evaluation goes through the map function")
