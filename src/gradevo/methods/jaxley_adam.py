"""Adam (Kingma and Ba 2015) on Jaxley, as its users run it: its simulator and gradient compiled once, its parameter transforms,
several starts at once.

Gradevo's are the channels (from their declarations), the counting, the starting points, and Adam itself, whose formulas Jaxley's
users take from a library that is no part of Jaxley.
"""

from __future__ import annotations

import itertools
import math

import numpy as np

from gradevo.meter import Meter
from gradevo.methods import Outcome
from gradevo.methods.jaxley_peer import Jaxley, make_task
from gradevo.methods.jaxley_server import main as _server  # noqa: F401 - part of this method: it runs in another process
from gradevo.problem import Problem
from gradevo.result import Status

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


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
    transform: str,
    solver: str | None,
) -> Outcome:
    """Minimise the squared errors of Jaxley's voltages by Adam.

    starts, learning_rate, steps, schedule, final_rate : as for the method adam
    transform : of Jaxley's ParamTransform: "log" for logarithms, which ignore the box, "logit" on the log scale of the box, or
        "sigmoid" on the box itself
    solver : Jaxley's "bwd_euler" or "crank_nicolson"; None for what is nearest to the problem's own scheme

    A start whose simulations diverge is drawn anew. Raises ValueError for settings out of range and for a neuron that Jaxley
    cannot hold, ModuleNotFoundError without Jaxley, and RunEnded.
    """
    if schedule not in ("constant", "cosine") or transform not in ("log", "logit", "sigmoid"):
        raise ValueError(
            f"jaxley_adam: schedule is constant or cosine, transform log, logit or sigmoid; got {schedule=}, {transform=}"
        )
    if starts < 1 or learning_rate <= 0 or not 0 <= final_rate <= 1 or (steps is not None and steps < 1):
        raise ValueError(
            "jaxley_adam: starts and steps must be at least 1, learning_rate above 0, final_rate from 0 to 1; got "
            f"{starts=}, {steps=}, {learning_rate=}, {final_rate=}"
        )
    if solver not in (None, "bwd_euler", "crank_nicolson"):
        raise ValueError(f"jaxley_adam: solver is {solver!r}; take bwd_euler, crank_nicolson, or leave it out")
    total = steps if steps is not None else max(1, meter.affordable(gradient=True) // starts)
    task = make_task(problem, transform, solver)
    with Jaxley(task) as jaxley:
        with meter.preparing():
            variables, _ = jaxley.ask("variables", problem.densities(problem.sample_initial(rng, starts)))
            jaxley.ask("loss_and_gradient", variables)
        mean, square, age = np.zeros_like(variables), np.zeros_like(variables), np.zeros((starts, 1))
        for step in itertools.count() if steps is None else range(steps):
            rate = learning_rate
            if schedule == "cosine":
                rate *= final_rate + (1 - final_rate) * (1 + math.cos(math.pi * min(1.0, step / total))) / 2
            losses, gradients = _evaluate(problem, meter, jaxley, variables)
            lost = ~np.isfinite(losses) | ~np.isfinite(gradients).all(axis=1)
            gradients[lost] = 0.0
            age += 1
            mean = BETA1 * mean + (1 - BETA1) * gradients
            square = BETA2 * square + (1 - BETA2) * gradients**2
            variables = variables - rate * (mean / (1 - BETA1**age)) / (np.sqrt(square / (1 - BETA2**age)) + EPSILON)
            if lost.any():
                fresh = problem.densities(problem.sample_random(rng, int(lost.sum())))
                variables[lost] = jaxley.ask("variables", fresh)[0]
                mean[lost], square[lost], age[lost] = 0.0, 0.0, 0.0
    return Outcome(Status.stagnated, f"all {steps} steps taken")


def _evaluate(problem: Problem, meter: Meter, jaxley: Jaxley, variables: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Losses [S] and gradients [S, P] of Jaxley's variables [S, P], through the meter. Raises RunEnded."""
    values, _ = jaxley.ask("values", variables)

    def judge(thetas: np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
        # always all starts, also where the budget pays for fewer: another size would be compiled anew
        (losses, gradients), cpu_s = jaxley.ask("loss_and_gradient", variables)
        meter.add_cpu(cpu_s)
        return losses[: len(thetas)], (losses, gradients.copy())

    return meter.elsewhere(problem, problem.coordinates.from_density(values), judge, gradient=True)
