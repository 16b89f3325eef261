"""Multiple shooting: Levenberg-Marquardt on windows of time that begin at the data, over a growing horizon."""

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
    windows: Sequence[int],
    iterations: int,
    stimuli: int,
    damping: float,
    trials: int,
    growth: float,
    tolerance: float,
    ridge: float,
) -> Outcome:
    """Begin every window with the recorded voltages, so that no error grows from one to the next. Their noise is taken for
    voltage: for recordings with little of it (docs/optimisers.md).

    horizons : shares of the samples, from the first, a stage each
    windows : how many samples long they are, in each stage; the last stage, after these, is the problem itself in one piece
    iterations : of each stage but the last, at most
    stimuli : how many are simulated in each stage but the last
    ridge : of `levenberg_marquardt.descend`, 1 / mV2 in the view's coordinates (logarithms)
    damping, trials, growth, tolerance : of `levenberg_marquardt`

    Raises ValueError for settings out of range or recordings with gaps, and RunEnded.
    """
    if not horizons or len(horizons) != len(windows) or min(windows) < 1 or iterations < 1:
        raise ValueError(
            "shooting_lm: horizons and windows must be as many, windows at least 1 sample long, iterations at least 1; got "
            f"{horizons=}, {windows=}, {iterations=}"
        )
    point = problem.sample_initial(rng, 1)[0]
    stages = [Stage(0.0, share, stimuli, length) for share, length in zip(horizons, windows, strict=True)]
    descend_in_stages(problem, meter, point, stages, iterations, damping, trials, growth, tolerance, ridge)
    return Outcome(Status.stagnated, "the search over traces in one piece ended above the target")
