"""What a gradient costs beside the simulation it belongs to, timed on a study's own problems (price.csv)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd

from gradevo.kernels.threads import available_threads
from gradevo.problem import Problem

POPULATIONS = (1, 16)
"""Candidates in one call: as of a single start, and enough to fill the processor's lanes."""

REPEATS, LONGEST_S = (15, 200), 0.6
"""Of each pair of timings: at least, at most; and about how long the pairs of one row take."""


def price_table(problems: Iterable[Problem], gradient_weight: float) -> pd.DataFrame:
    """A row per problem and size of population.

    A forward pass (the loss) and a gradient (with its own forward pass) are timed in turns, from the same starts as the fits',
    after both ran once; medians and quartiles over the turns, and of the ratios within a turn.
    """
    rows = []
    for posed in problems:
        problem = posed.view("log")
        for population in POPULATIONS:
            thetas = problem.sample_initial(np.random.default_rng(0), population)
            forward_s, gradient_s = in_turns(
                lambda thetas=thetas, problem=problem: problem.loss(thetas),
                lambda thetas=thetas, problem=problem: problem.loss_and_gradient(thetas),
            )
            simulations = population * problem.n_simulations
            steps = simulations * problem.compartment_steps
            row: dict[str, Any] = {"problem": problem.name, "n_parameters": problem.n_parameters}
            row |= {"compartments": problem.neuron.n_compartments, "steps": problem.protocol.n_steps, "simulations": simulations}
            row |= {"threads": available_threads(), "turns": len(forward_s)}
            row |= _quartiles("forward_ns_per_compartment_step", forward_s * 1e9 / steps)
            row |= _quartiles("gradient_ns_per_compartment_step", gradient_s * 1e9 / steps)
            rows.append(row | _quartiles("ratio", gradient_s / forward_s) | {"gradient_weight": gradient_weight})
    return pd.DataFrame(rows)


def in_turns(first: Callable[[], Any], second: Callable[[], Any]) -> tuple[np.ndarray, np.ndarray]:
    """Seconds [turns] of each of two calls that alternate."""
    first()
    second()
    taken: list[tuple[float, float]] = []
    end = time.perf_counter() + LONGEST_S
    while len(taken) < REPEATS[0] or (time.perf_counter() < end and len(taken) < REPEATS[1]):
        begin = time.perf_counter()
        first()
        between = time.perf_counter()
        second()
        taken.append((between - begin, time.perf_counter() - between))
    one, two = np.array(taken).T
    return one, two


def _quartiles(name: str, values: np.ndarray) -> dict[str, float]:
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
    return {name: float(middle), f"{name}_low": float(low), f"{name}_high": float(high)}
