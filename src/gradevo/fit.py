"""One fit: a method on a problem, within a budget, whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from gradevo.kernels.compiling import compile_clock
from gradevo.meter import TANGENT_WEIGHT, Meter, RunEnded
from gradevo.methods import Method, get_method
from gradevo.problem import Problem
from gradevo.provenance import describe_run
from gradevo.result import Result, Status, history_columns


@dataclass(frozen=True)
class Ended:
    """How a run in another process ended, and what it had reported (of `Meter.progress`, in order)."""

    status: Status
    message: str
    progress: tuple[dict[str, Any], ...] = ()


def fit(
    problem: Problem,
    method: str,
    *,
    seed: int,
    budget_equivalents: float,
    gradient_weight: float,
    settings: Mapping[str, Any] | None = None,
    stop_loss: float | None = None,
    wall_limit_s: float | None = None,
    tangent_weight: float = TANGENT_WEIGHT,
    study: str = "",
    heldout_points: int = 40,
    on_event: Callable[[Meter], Any] | None = None,
    ended: Ended | None = None,
) -> Result:
    """Run `method` on `problem` until its budget, its loss target, or its own end.

    Parameters
    ----------
    seed : of everything random in the method; the starting points depend on it alone
    budget_equivalents, gradient_weight, tangent_weight, stop_loss, wall_limit_s, on_event : see `Meter`
    settings : the method's settings ("preset" names a ready set)
    heldout_points : of the successive best fits, how many at most are judged on held-out stimuli
    ended : a run that ended elsewhere, in a process that died: it is judged by what it had reported, and nothing is run

    Returns
    -------
    Result; a method that raises yields one with status "error" and the exception as its message.

    Raises
    ------
    ValueError : unknown method or setting, or a budget that is not positive: mistakes of the caller, before computing.
    """
    chosen = get_method(method)
    complete = chosen.settings(settings)
    limits = {
        "budget_equivalents": budget_equivalents,
        "gradient_weight": gradient_weight,
        "tangent_weight": tangent_weight,
        "stop_loss": stop_loss,
        "wall_limit_s": wall_limit_s,
    }
    meter = Meter(
        budget_equivalents,
        gradient_weight,
        problem.n_simulations,
        stop_loss=stop_loss,
        wall_limit_s=wall_limit_s,
        on_event=on_event,
        compile_clock=compile_clock,
        tangent_weight=tangent_weight,
        problem=problem,
    )
    if ended is None:
        view = problem.view(complete.get("view", chosen.view))
        status, message = _run(chosen, view, meter, np.random.default_rng(seed), complete)
    else:
        status, message = ended.status, ended.message
        for progress in ended.progress:
            meter.take_over(progress)
    meter.stop()

    labels = {"study": study, "problem": problem.name, "method": method, "seed": seed}
    columns, scores = _score(problem, meter, labels, heldout_points)
    best = meter.best_densities
    totals = {
        **labels,
        "n_parameters": problem.n_parameters,
        "simulations": meter.simulations,
        "gradients": meter.gradients,
        "tangents": meter.tangents,
        "simulation_equivalents": meter.simulation_equivalents,
        "compartment_steps": meter.compartment_steps,
        "wall_s": meter.wall_s,
        "cpu_s": meter.cpu_s,
        "compile_s": meter.compile_s,
        **scores,
    }
    return Result(
        best_densities=best if best is not None else np.full(problem.n_parameters, np.nan),
        best_loss=meter.best_loss,
        status=status,
        message=message,
        columns=columns,
        totals=totals,
        metadata={
            "parameters": problem.parameter_names,
            "units": problem.parameters.units,
            "settings": complete,
            "preset": (settings or {}).get("preset"),
            "limits": limits,
            "device": problem.device,
            **describe_run(chosen.module, problem.device),
        },
    )


def _run(
    method: Method, problem: Problem, meter: Meter, rng: np.random.Generator, settings: dict[str, Any]
) -> tuple[Status, str]:
    """The method's end as a value."""
    try:
        run = method.run  # imports the method's libraries: before the clock starts
        problem.warm_up()
        # BLAS rounds by the number of its threads: with one, a method's results do not depend on the cores that it has
        with threadpool_limits(1, user_api="blas"):
            meter.start()
            status, message = run(problem, meter, rng, **settings)
    except RunEnded as end:
        status, message = end.status, str(end)
    except Exception as error:  # noqa: BLE001 - the one place where any failure of a method becomes a row of the table
        return Status.error, f"{type(error).__name__}: {error}"
    if meter.best_densities is None and meter.rows:  # a budget that pays for no evaluation ends as one that is spent
        return Status.diverged, f"no finite loss was seen ({message})"
    return Status(status), message


def _score(
    problem: Problem, meter: Meter, labels: dict[str, Any], heldout_points: int
) -> tuple[dict[str, np.ndarray | list[str]], dict[str, float]]:
    """The history's columns with density errors and held-out losses of the best so far, and the final values of these.

    A held-out loss costs simulations, so it is taken for at most `heldout_points` of the successive bests (spread
    evenly over them, the last included) and is NaN in the rows of the others.
    """
    errors = [problem.density_errors(densities) for _, densities in meter.improvements]
    heldout = np.full(len(meter.improvements), np.nan)
    if problem.heldout is not None and meter.improvements and heldout_points > 0:
        last = len(meter.improvements) - 1
        chosen = np.unique(np.round(np.linspace(last, 0, min(heldout_points, last + 1))).astype(int))
        heldout[chosen] = problem.heldout_loss(np.array([meter.improvements[i][1] for i in chosen]))
    nothing = problem.density_errors(np.full(problem.n_parameters, np.nan))
    # the improvement that each row's best came from (-1: none yet)
    events = np.array([event for event, _ in meter.improvements], dtype=int)
    source = np.searchsorted(events, [row["event"] for row in meter.rows], side="right") - 1
    judged = {name: np.array([each[name] for each in [*errors, nothing]])[source] for name in nothing}  # the last serves -1
    judged["heldout_loss"] = np.append(heldout, np.nan)[source]
    columns: dict[str, np.ndarray | list[str]] = {}
    for name in history_columns(problem.parameters.error_columns):
        if name in labels:
            columns[name] = [labels[name]] * len(meter.rows)
        elif name in judged:
            columns[name] = judged[name]
        else:
            columns[name] = np.array([row[name] for row in meter.rows])
    final = {
        "best_loss": meter.best_loss,
        "heldout_loss": float(heldout[-1]) if len(heldout) else float("nan"),
        **(errors[-1] if errors else nothing),
    }
    return columns, final
