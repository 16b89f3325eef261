"""Synchronisation: Levenberg-Marquardt while recorded sites are pulled towards their data, ever more weakly."""

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
    strengths_per_ms: Sequence[float],
    iterations: int,
    stimuli: int,
    damping: float,
    trials: int,
    growth: float,
    tolerance: float,
    ridge: float,
) -> Outcome:
    """Keep simulated voltages beside the recorded ones, so that spikes are in their places before densities are.

    strengths_per_ms : of the pull, a stage each; the last stage, without any, is the problem itself
    iterations : of each stage but the last, at most
    stimuli : how many are simulated in each stage but the last
    ridge : of `levenberg_marquardt.descend`, 1 / mV2 in the view's coordinates (logarithms)
    damping, trials, growth, tolerance : of `levenberg_marquardt`

    Raises ValueError for settings out of range or recordings with gaps, and RunEnded.
    """
    if not strengths_per_ms or min(strengths_per_ms) <= 0 or iterations < 1:
        raise ValueError(
            "synchronised_lm: strengths_per_ms must be one or more above 0, iterations at least 1; got "
            f"{strengths_per_ms=}, {iterations=}"
        )
    stages = [Stage(strength, 1.0, stimuli) for strength in strengths_per_ms]
    point = problem.sample_initial(rng, 1)[0]
    descend_in_stages(problem, meter, point, stages, iterations, damping, trials, growth, tolerance, ridge)
    return Outcome(Status.stagnated, "the search without a pull ended above the target")
