"""What a gradient costs beside the simulation it belongs to, timed on a study's own problems (price.csv)."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from gradevo.kernels.threads import available_threads
from gradevo.problem import Problem

POPULATIONS = (1, 16)
"""Candidates in one call: as of a single start, and enough to fill the processor's lanes."""

ROUNDS, CELL_S = (5, 60), 1.5
"""All cells are timed in so many rounds: at least, at most; and about how long one cell's timings take in all."""

PAIRS = 3
"""Timings of a cell in each round: the first may find the caches full of another's numbers, the median does not feel it."""


def price_table(problems: Iterable[Problem], gradient_weight: float) -> pd.DataFrame:
    """A row per cell: a problem and a size of population.

    A forward pass (the loss) and a gradient (with its own forward pass) are timed in turns, from the same starts as the fits',
    after both ran once; medians and quartiles over the turns, and of the ratios within a turn. All cells take turns, too, round
    by round, so that a slow minute of the machine is every cell's.
    """
    cells = [(posed.view("log"), population) for posed in problems for population in POPULATIONS]
    calls = []
    for problem, population in cells:
        thetas = problem.sample_initial(np.random.default_rng(0), population)
        calls.append((partial(problem.loss, thetas), partial(problem.loss_and_gradient, thetas)))
    rows = []
    for (problem, population), (forward_s, gradient_s) in zip(cells, in_rounds(calls), strict=True):
        simulations = population * problem.n_simulations
        steps = simulations * problem.compartment_steps
        row: dict[str, Any] = {"problem": problem.name, "n_parameters": problem.n_parameters}
        row |= {"compartments": problem.neuron.n_compartments, "steps": problem.protocol.n_steps, "simulations": simulations}
        row |= {"threads": available_threads(), "turns": len(forward_s)}
        row |= _quartiles("forward_ns_per_compartment_step", forward_s * 1e9 / steps)
        row |= _quartiles("gradient_ns_per_compartment_step", gradient_s * 1e9 / steps)
        rows.append(row | _quartiles("ratio", gradient_s / forward_s) | {"gradient_weight": gradient_weight})
    return pd.DataFrame(rows)


def in_rounds(calls: Sequence[tuple[Callable[[], Any], Callable[[], Any]]]) -> np.ndarray:
    """Seconds [pairs of calls, 2, turns]: a pair's two calls alternate PAIRS times in a round, and then it is the next pair's
    turn."""
    for call in itertools.chain.from_iterable(calls):
        call()
    rounds: list[list[list[tuple[float, ...]]]] = []
    end = time.perf_counter() + CELL_S * len(calls)
    while len(rounds) < ROUNDS[0] or (time.perf_counter() < end and len(rounds) < ROUNDS[1]):
        rounds.append([[tuple(_seconds(call) for call in pair) for _ in range(PAIRS)] for pair in calls])
    # [rounds, pairs of calls, turns of a round, 2]
    return np.array(rounds).transpose(1, 3, 0, 2).reshape(len(calls), 2, -1)


def _seconds(call: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def _quartiles(name: str, values: np.ndarray) -> dict[str, float]:
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
    return {name: float(middle), f"{name}_low": float(low), f"{name}_high": float(high)}
