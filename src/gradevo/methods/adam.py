"""Adam (Kingma and Ba 2015) from several starts, advanced together: one batched gradient call per step.

Adam works on each coordinate by itself, so one torch optimiser over all starts is the same as one for each.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import torch
from torch.optim.adam import adam as adam_step

from gradevo.meter import Meter
from gradevo.methods import Outcome
from gradevo.problem import Problem
from gradevo.result import Status

# torch.optim.Adam's own, and its defaults. The class itself would load torch's compiler, which takes a second.
_CONSTANTS = {"amsgrad": False, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0, "maximize": False}


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
    place = problem.tensors or "cpu"
    variables = torch.from_numpy(problem.sample_initial(rng, starts) / scale).to(place)
    means, squares = torch.zeros_like(variables), torch.zeros_like(variables)
    taken = torch.tensor(0.0)
    for step in itertools.count() if steps is None else range(steps):
        rate = 1.0
        if schedule == "cosine":
            rate = final_rate + (1 - final_rate) * (1 + math.cos(math.pi * min(1.0, step / total))) / 2
        thetas = variables * scale
        losses, gradients = meter.loss_and_gradient(problem, thetas if problem.tensors else thetas.numpy())
        slopes = torch.as_tensor(gradients) * scale
        adam_step([variables], [slopes], [means], [squares], [], [taken], lr=learning_rate * rate, **_CONSTANTS)
        lost = np.flatnonzero(~np.isfinite(losses))
        if len(lost):
            variables[lost] = torch.from_numpy(problem.sample_random(rng, len(lost)) / scale).to(place)
            means[lost] = squares[lost] = 0.0
    return Outcome(Status.stagnated, f"all {steps} steps taken")
