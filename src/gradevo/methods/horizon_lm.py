"""A growing horizon: Levenberg-Marquardt on the traces' beginnings, where spikes are few, and then on ever more of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gradevo.meter import Meter
from gradevo.methods import Outcome
from gradevo.methods.stages import Stage, descend_in_stages
from gradevo.problem import Problem
from gradevo.result import Status


def run(
    problem: Problem,
    meter: Meter,
    rng: np.random.Generator,
    *,
    horizons: Sequence[float],
    iterations: int,
    stimuli: int,
    damping: float,
    trials: int,
    growth: float,
    tolerance: float,
    ridge: float,
) -> Outcome:
    """Fit what came first first: errors have not grown there yet.

    horizons : shares of the samples, from the first, a stage each; the last stage, with all, is the problem itself
    iterations : of each stage but the last, at most
    stimuli : how many are simulated in each stage but the last
    ridge : of `levenberg_marquardt.descend`, 1 / mV2 in the view's coordinates (logarithms)
    damping, trials, growth, tolerance : of `levenberg_marquardt`

    Raises ValueError for settings out of range or recordings with gaps, and RunEnded.
    """
    if not horizons or not 0 < min(horizons) <= max(horizons) <= 1 or iterations < 1:
        raise ValueError(
            "horizon_lm: horizons must be one or more shares above 0 and at most 1, iterations at least 1; got "
            f"{horizons=}, {iterations=}"
        )
    point = problem.sample_initial(rng, 1)[0]
    stages = [Stage(0.0, share, stimuli) for share in horizons]
    descend_in_stages(problem, meter, point, stages, iterations, damping, trials, growth, tolerance, ridge)
    return Outcome(Status.stagnated, "the search over all samples ended above the target")
