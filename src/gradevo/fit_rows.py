"""A fit as rows of the tables: what it spent and reached, against the study's targets, and what it found."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradevo.config import Config
from gradevo.losses import LOSS_UNITS, loss_spec
from gradevo.problem import Problem
from gradevo.result import Result

COSTS = ("simulations", "gradients", "tangents", "simulation_equivalents", "wall_s", "cpu_s", "compile_s")


def loss_target(config: Config, problem: Problem) -> float:
    """What counts as success in the loss, in the loss's unit: the problem's `loss_target`; or else a multiple of what the noise
    alone makes of a mean squared error; or else, without noise, the study's small value. Where the data are another neuron's
    (`truth`), no less than the loss of the true densities: no fit is asked to explain what its model cannot.
    """
    success, declared = config["success"], config["problems"].get(problem.name, {})
    if "loss_target" in declared:
        return declared["loss_target"]
    weights = problem.loss_function.weights
    target = success["loss"]
    if problem.noise_mV > 0 and weights is not None:
        target = success["noise_factor"] * problem.noise_mV**2 * float(weights.sum(axis=(-2, -1)).mean())
    if declared.get("truth") and problem.nearest_truth is not None:
        target = max(target, float(problem.loss_of_densities(problem.nearest_truth[None])[0]))
    return target


def loss_units(config: Config) -> str:
    """The unit of the study's losses, for an axis; several if its problems differ."""
    units = dict.fromkeys(LOSS_UNITS[loss_spec(problem.get("loss", "mse"))[0]] for problem in config["problems"].values())
    return " or ".join(unit.replace("2", "²") for unit in units)


def summary_row(config: Config, problem: Problem, result: Result) -> dict[str, Any]:
    """One row of summary.csv.

    What was spent and reached, success in the loss and in the densities, and the first cost on each axis at which the
    loss target was met (NaN when it was not).
    """
    from gradevo.statistics import COST_COLUMNS  # with pandas, which fits are spared

    target = loss_target(config, problem)
    totals = result.totals
    row = {key: totals[key] for key in ("problem", "method", "seed", "n_parameters")}
    row |= {"status": str(result.status), "message": result.message}
    row |= {key: totals[key] for key in COSTS}
    row |= {"best_loss": result.best_loss, "heldout_loss": totals["heldout_loss"]}
    row |= {key: totals[key] for key in problem.parameters.error_columns}
    worst = totals["density_error_max_rel"]
    row["success_loss"] = bool(result.best_loss <= target)
    known = problem.compartment_truth is not None
    row["success_density"] = bool(worst <= config["success"]["density_rel"]) if known else None
    # from where it stays there: a competitor's best may rise (`Meter.elsewhere`)
    missed = result.history["best_loss"].to_numpy() > target
    reached = result.history.loc[~np.logical_or.accumulate(missed[::-1])[::-1]]
    for axis, column in COST_COLUMNS.items():
        row[column] = float(reached[axis].iloc[0]) if len(reached) else float("nan")
    row["loss_target"] = target
    return row


def density_rows(problem: Problem, result: Result) -> list[dict[str, Any]]:
    """True and fitted value of every free quantity in every compartment, one row each.

    A channel's row holds its density; capacitance and axial resistivity are rows too, under their names, where they are free.
    """
    fitted = problem.parameters.per_compartment(result.best_densities)
    true = problem.compartment_truth if problem.compartment_truth is not None else np.full(fitted.shape, np.nan)
    labels = {key: result.totals[key] for key in ("problem", "method", "seed")}
    return [
        {
            **labels,
            "neuron": problem.neuron.name,
            "channel": quantity.name,
            "compartment": i,
            "region": int(quantity.labels[i]),
            "unit": quantity.unit,
            "true": float(true[q, i]),
            "fitted": float(fitted[q, i]),
        }
        for q, quantity in enumerate(problem.parameters.quantities)
        for i in range(problem.neuron.n_compartments)
    ]
