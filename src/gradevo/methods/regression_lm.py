"""Linear regression on currents where all voltages are recorded, then Levenberg-Marquardt from what it found."""

from __future__ import annotations

import numpy as np

from gradevo.meter import Meter
from gradevo.methods import Outcome
from gradevo.methods.currents import Currents
from gradevo.methods.levenberg_marquardt import descend
from gradevo.problem import Problem
from gradevo.result import Status


def run(
    problem: Problem,
    meter: Meter,
    rng: np.random.Generator,
    *,
    passes: int,
    change: float,
    damping: float,
    trials: int,
    growth: float,
    tolerance: float,
) -> Outcome:
    """Regress, simulate what was found, regress again along better voltages; then one search of `levenberg_marquardt`.

    passes : of the regression, at most. Each is followed by the metered simulation of what it found; the pass itself, about as
        much work as that, is counted by the clock alone
    change : passes end when no density changed by more than this, relatively
    damping, trials, growth, tolerance : of `levenberg_marquardt`

    Raises ValueError for settings out of range or voltages that were not recorded, and RunEnded.
    """
    if passes < 1 or change < 0:
        raise ValueError(f"regression_lm: passes must be at least 1 and change 0 or more; got {passes=}, {change=}")
    start = problem.densities(problem.sample_initial(rng, 1))[0]
    regression = Currents(problem, start)
    best, lowest = start, np.inf
    for _ in range(passes):
        before = regression.values
        found = regression.improve()
        loss = meter.loss(problem, problem.coordinates.from_density(found[None]))[0]
        if loss < lowest:
            best, lowest = found, loss
        if np.abs(found / before - 1).max() <= change:
            break
    descend(problem, meter, problem.coordinates.from_density(best), damping, trials, growth, tolerance)
    return Outcome(Status.stagnated, "the regression's densities, and a search from them, ended above the target")
