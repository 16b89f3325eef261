"""L-BFGS-B with exact gradients, from several starts advanced together: one batched gradient call per step."""

from __future__ import annotations

from functools import partial

import numpy as np

from gradevo.meter import Meter
from gradevo.methods import Outcome
from gradevo.methods.searches import search_from_many_starts
from gradevo.problem import Problem


def run(
    problem: Problem,
    meter: Meter,
    rng: np.random.Generator,
    *,
    starts: int,
    memory: int,
    tolerance: float,
    restarts: int | None,
    view: str,
) -> Outcome:
    """Minimise the loss by L-BFGS-B.

    starts : searches in flight, one batch per iteration
    memory : pairs of vectors that approximate the Hessian
    tolerance : a search ends when an iteration lowers its loss by less than this times max(loss, 1)
    restarts : new random starts after the first ones end; None goes on until the budget ends
    view : the coordinates (`problem` is already in them); their bounds are kept

    Raises ValueError for settings out of range, and RunEnded.
    """
    evaluate = partial(meter.loss_and_gradient, problem)
    return search_from_many_starts(
        "lbfgs", problem, evaluate, rng, starts=starts, memory=memory, tolerance=tolerance, restarts=restarts
    )
