"""A real-coded genetic algorithm on DEAP's operators, in the unit box: tournament selection, simulated binary crossover
(Deb and Agrawal 1995), polynomial mutation (Deb and Goyal 1996), elitism. Each generation is one batch."""

from __future__ import annotations

import numpy as np
from deap import base, tools

from gradevo.meter import Meter
from gradevo.methods import Outcome
from gradevo.methods.randomness import seeded_random
from gradevo.problem import Problem
from gradevo.result import Status


class _Fitness(base.Fitness):
    weights = (-1.0,)


class _Individual(list):
    """Unit-box coordinates with a fitness, as DEAP's operators expect."""

    def __init__(self, genes) -> None:
        super().__init__(genes)
        self.fitness = _Fitness()


def run(
    problem: Problem,
    meter: Meter,
    rng: np.random.Generator,
    *,
    population: int,
    crossover_probability: float,
    crossover_eta: float,
    mutation_probability: float,
    mutation_eta: float,
    genes_mutated: float,
    tournament: int,
    elite: int,
    generations: int | None,
) -> Outcome:
    """Minimise the loss by a genetic algorithm.

    population : candidates per generation
    crossover_probability, crossover_eta : of a pair of parents; a larger eta keeps children closer to them
    mutation_probability, mutation_eta : of a child; a larger eta makes smaller changes
    genes_mutated : how many parameters a mutation changes on average
    tournament : candidates compared for each parent chosen
    elite : best candidates that live on unchanged (and are not simulated again)
    generations : how many; None goes on until the budget ends

    Raises ValueError for settings out of range, and RunEnded.
    """
    if population < 2 or not 0 <= elite < population or tournament < 1 or genes_mutated <= 0:
        raise ValueError(
            "genetic: population must be at least 2, elite below population, tournament at least 1, genes_mutated "
            f"above 0; got {population=}, {elite=}, {tournament=}, {genes_mutated=}"
        )
    for name, value in (
        ("crossover_probability", crossover_probability),
        ("mutation_probability", mutation_probability),
    ):
        if not 0 <= value <= 1:
            raise ValueError(f"genetic: {name} is {value}; it must be from 0 to 1")
    gene_probability = min(1.0, genes_mutated / problem.n_parameters)

    people = [_Individual(genes) for genes in problem.sample_initial(rng, population).tolist()]
    with seeded_random(rng):
        _evaluate(problem, meter, people)
        generation = 1
        while generations is None or generation < generations:
            survivors = tools.selBest(people, elite)
            wanted = population - elite
            parents = tools.selTournament(people, wanted + wanted % 2, tournament)
            children = [_Individual(parent) for parent in parents]
            for one, other in zip(children[::2], children[1::2], strict=True):
                if rng.random() < crossover_probability:
                    tools.cxSimulatedBinaryBounded(one, other, eta=crossover_eta, low=0.0, up=1.0)
            for child in children:
                if rng.random() < mutation_probability:
                    tools.mutPolynomialBounded(child, eta=mutation_eta, low=0.0, up=1.0, indpb=gene_probability)
            children = children[:wanted]
            _evaluate(problem, meter, children)
            people = survivors + children
            generation += 1
    return Outcome(Status.stagnated, f"all {generation} generations bred")


def _evaluate(problem: Problem, meter: Meter, people: list[_Individual]) -> None:
    losses = meter.loss(problem, np.array(people))
    for individual, loss in zip(people, losses, strict=True):
        individual.fitness.values = (float(loss),)
