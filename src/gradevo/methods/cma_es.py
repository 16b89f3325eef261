"""CMA-ES (Hansen; the pycma library) in the unit box.

It is restarted with growing populations (IPOP, Auger and Hansen 2005).
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from gradevo.meter import Meter
from gradevo.methods import Outcome
from gradevo.problem import Problem
from gradevo.result import Status


@contextmanager
def _without(*names: str) -> Iterator[None]:
    """Imports inside find none of these modules, unless they are loaded already."""
    hidden = dict.fromkeys(name for name in names if name not in sys.modules)
    sys.modules.update(hidden)  # pyright: ignore[reportCallIssue, reportArgumentType] - None makes an import fail
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


with warnings.catch_warnings(), _without("matplotlib", "scipy.stats"):
    warnings.simplefilter("ignore")  # pycma warns that it cannot plot
    import cma  # it can do without both, for plots and surrogate models that are not used here; they take a second to load

# What pycma is told for a diverged simulation: worse than any voltage trace can be (an error of 1 V throughout).
_DIVERGED = 1e6


def run(
    problem: Problem,
    meter: Meter,
    rng: np.random.Generator,
    *,
    population: int | None,
    sigma: float,
    restarts: int | None,
    growth: float,
    tolerance: float,
    diagonal: bool = False,
) -> Outcome:
    """Minimise the loss by CMA-ES, each generation one batch.

    population : candidates per generation; None takes pycma's 4 + 3 ln(parameters)
    sigma : first step size, as a share of the box's side
    restarts : how many; None goes on until the budget ends
    growth : factor on the population at each restart
    tolerance : a search ends when its losses vary by less than this (pycma's tolfun)
    diagonal : a variance per parameter instead of a covariance matrix: the method `sep_cma_es`

    Raises ValueError for settings out of range, and RunEnded.
    """
    if (population is not None and population < 2) or sigma <= 0 or growth < 1 or (restarts is not None and restarts < 0):
        name = "sep_cma_es" if diagonal else "cma_es"
        raise ValueError(
            f"{name}: population must be at least 2, sigma above 0, growth at least 1, restarts 0 or more; got "
            f"{population=}, {sigma=}, {growth=}, {restarts=}"
        )
    size = population if population is not None else default_population(problem.n_parameters)
    point = problem.sample_initial(rng, 1)[0]
    rounds = 0
    while True:
        search = search_from(problem, meter, rng, point, size, sigma, tolerance, diagonal)
        if restarts is not None and rounds >= restarts:
            return Outcome(Status.stagnated, f"{rounds + 1} searches ended: {', '.join(search.stop() or ())}")
        rounds += 1
        size = int(np.ceil(size * growth))
        point = problem.sample_random(rng, 1)[0]


def default_population(n_parameters: int) -> int:
    """pycma's candidates per generation."""
    return int(4 + 3 * np.log(n_parameters))


def search_from(
    problem: Problem,
    meter: Meter,
    rng: np.random.Generator,
    point: np.ndarray,
    population: int,
    sigma: float,
    tolerance: float,
    diagonal: bool = False,
    enough: Callable[[np.ndarray], bool] = lambda losses: False,
) -> cma.CMAEvolutionStrategy:
    """One search from `point` [P] in the unit box until pycma's criteria, or `enough`, end it.

    enough : told each generation's losses [population], says whether that will do

    Returns pycma's search; its best point is `search.best.x` [P]. Raises RunEnded.
    """
    options = {
        "bounds": [0, 1],
        "popsize": population,
        "CMA_diagonal": diagonal,
        # numpy's global generator would tie runs together: pycma draws from ours
        "randn": lambda *shape: rng.standard_normal(shape),
        "seed": np.nan,
        "tolfun": tolerance,
        "tolfunhist": tolerance,
        "maxiter": np.inf,
        "verbose": -9,
        "verb_log": 0,
    }
    search = cma.CMAEvolutionStrategy(point, sigma, options)
    while not search.stop():
        candidates = search.ask()
        losses = meter.loss(problem, np.clip(candidates, 0.0, 1.0))
        search.tell(candidates, np.where(np.isfinite(losses), losses, _DIVERGED).tolist())
        if enough(losses):
            break
    return search
