"""Differential evolution (Storn and Price 1997; scipy's) in the unit box, each generation one batch."""

from __future__ import annotations

import numpy as np
from scipy.optimize import differential_evolution

from gradevo.meter import Meter
from gradevo.methods import Outcome
from gradevo.problem import Problem
from gradevo.result import Status

_ENDLESS = 10**9


def run(
    problem: Problem,
    meter: Meter,
    rng: np.random.Generator,
    *,
    population: int,
    strategy: str,
    mutation: float | list[float],
    recombination: float,
    tolerance: float,
    restarts: int | None,
) -> Outcome:
    """Minimise the loss by differential evolution.

    population : candidates per generation
    strategy : scipy's name of the rule that makes a candidate, such as best1bin
    mutation : factor on the differences, from 0 to below 2; two numbers: drawn between them for each generation
    recombination : share of the parameters that a candidate takes over from the mutant
    tolerance : a search ends when the standard deviation of its losses is below this (scipy's atol)
    restarts : new random populations after the first one ends; None goes on until the budget ends

    Raises ValueError for settings out of range, and RunEnded.
    """
    if population < 5 or not 0 <= recombination <= 1 or tolerance < 0 or (restarts is not None and restarts < 0):
        raise ValueError(
            "differential_evolution: population must be at least 5, recombination from 0 to 1, tolerance and restarts 0 "
            f"or more; got {population=}, {recombination=}, {tolerance=}, {restarts=}"
        )
    if not np.all((np.array(mutation) >= 0) & (np.array(mutation) < 2)):
        raise ValueError(f"differential_evolution: mutation is {mutation}; it must be from 0 to below 2")
    people = problem.sample_initial(rng, population)
    rounds = 0
    while True:
        differential_evolution(
            lambda people: meter.loss(problem, people.T),
            [(0.0, 1.0)] * problem.n_parameters,
            strategy=strategy,
            init=people,  # pyright: ignore[reportArgumentType] - scipy takes an array too
            mutation=tuple(mutation) if isinstance(mutation, list) else mutation,
            recombination=recombination,
            maxiter=_ENDLESS,
            tol=0.0,
            atol=tolerance,  # pyright: ignore[reportArgumentType] - scipy takes any number
            rng=rng,
            polish=False,
            updating="deferred",
            vectorized=True,
        )
        if restarts is not None and rounds >= restarts:
            return Outcome(Status.stagnated, f"{rounds + 1} populations agreed to within the tolerance")
        rounds += 1
        people = problem.sample_random(rng, population)
