"""Adam (Kingma and Ba 2015) from several starts, advanced together: one batched gradient call per step.

Adam works on each coordinate by itself, so one optimiser over all starts is the same as one for each. The step is written for
arrays of numpy and tensors of torch alike: on a CPU nothing of torch is loaded, which takes seconds; on a GPU nothing leaves it.
"""

from __future__ import annotations

import itertools
import math
from typing import Any, NamedTuple

import numpy as np

from gradevo.meter import Meter
from gradevo.methods import Outcome
from gradevo.problem import Problem
from gradevo.result import Status

# Kingma and Ba's, and the defaults of torch.optim.Adam
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8


class Moments(NamedTuple):
    """Running means of the slopes and of their squares, [starts, parameters]."""

    slopes: Any
    squares: Any


def adam_step(variables: Any, slopes: Any, moments: Moments, taken: Any, rate: float) -> None:
    """Moves variables [starts, parameters] in place; ``taken``, this step included, is how many each start took [starts, 1]. As
    torch.optim.Adam (a test)."""
    moments.slopes[:] += (1 - BETA_1) * (slopes - moments.slopes)
    moments.squares[:] *= BETA_2
    moments.squares[:] += (1 - BETA_2) * slopes * slopes
    spread = (moments.squares / (1 - BETA_2**taken)) ** 0.5 + EPSILON
    variables -= rate / (1 - BETA_1**taken) * moments.slopes / spread


def run(
    problem: Problem,
    meter: Meter,
    rng: np.random.Generator,
    *,
    starts: int,
    learning_rate: float,
    steps: int | None,
    schedule: str,
    final_rate: float,
    view: str,
    scale: float,
) -> Outcome:
    """Minimise the loss by Adam.

    starts : how many, advanced as one batch
    learning_rate : in the view's coordinates divided by `scale`
    steps : how many; None goes on until the budget ends
    schedule : "constant", or "cosine": from learning_rate down to final_rate * learning_rate over the steps, or over
        the steps that the budget pays for
    view : the coordinates (`problem` is already in them)
    scale : coordinates per unit of the optimiser's variable: 1e-3 with the identity view makes that unit mS/cm2

    A start whose simulations diverge is drawn anew. Raises ValueError for settings out of range, and RunEnded.
    """
    if schedule not in ("constant", "cosine"):
        raise ValueError(f"adam: unknown schedule {schedule!r}; use constant or cosine")
    if starts < 1 or learning_rate <= 0 or scale <= 0 or not 0 <= final_rate <= 1 or (steps is not None and steps < 1):
        raise ValueError(
            "adam: starts and steps must be at least 1, learning_rate and scale above 0, final_rate from 0 to 1; got "
            f"{starts=}, {steps=}, {learning_rate=}, {scale=}, {final_rate=}"
        )
    total = steps if steps is not None else max(1, meter.affordable(gradient=True) // starts)
    variables = _placed(problem, problem.sample_initial(rng, starts) / scale)
    moments = Moments(0.0 * variables, 0.0 * variables)
    taken = 0.0 * variables[:, :1]
    for step in itertools.count() if steps is None else range(steps):
        rate = 1.0
        if schedule == "cosine":
            rate = final_rate + (1 - final_rate) * (1 + math.cos(math.pi * min(1.0, step / total))) / 2
        losses, gradients = meter.loss_and_gradient(problem, variables * scale)
        taken += 1
        adam_step(variables, gradients * scale, moments, taken, learning_rate * rate)
        lost = np.flatnonzero(~np.isfinite(losses))
        if len(lost):
            variables[lost] = _placed(problem, problem.sample_random(rng, len(lost)) / scale)
            moments.slopes[lost] = moments.squares[lost] = taken[lost] = 0.0
    return Outcome(Status.stagnated, f"all {steps} steps taken")


def _placed(problem: Problem, values: np.ndarray) -> Any:
    """The array itself, or a tensor where the problem's simulations run."""
    if problem.tensors is None:
        return values
    import torch

    return torch.from_numpy(values).to(problem.tensors)
