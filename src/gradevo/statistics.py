"""From fits to one row per problem and method: how often it succeeds, and at what cost."""

from __future__ import annotations

import numpy as np
import pandas as pd

COST_COLUMNS = {
    "simulations": "simulations_to_target",
    "gradients": "gradients_to_target",
    "simulation_equivalents": "simulation_equivalents_to_target",
    "wall_s": "wall_s_to_target",
}
"""For each axis of what a fit spends, the summary's column with its value when the loss target was reached (else NaN)."""


def cell_statistics(summary: pd.DataFrame) -> pd.DataFrame:
    """A row per problem and method, in their order of appearance.

    summary: a row per fit, with problem, method, n_parameters, status, success_loss, success_density, best_loss_mV2,
    heldout_loss_mV2, what was spent (the keys of COST_COLUMNS) and what the target cost (its values).

    Columns: fits, errors (fits with status error), success_loss and success_density (counts), the medians of the final
    losses, and per axis

    - ``median_<axis>_to_target``: the median over all fits, those that missed the target counting as infinitely
      expensive; NaN where it is infinite, so never a median of the lucky ones only;
    - ``expected_<axis>_to_target``: the expected running time with restarts, all that was spent until the target or the
      end, divided by the number of fits that reached it (Hansen et al. 2021, COCO); NaN where none did.
    """
    rows = []
    for (problem, method), cell in summary.groupby(["problem", "method"], sort=False):
        row = {
            "problem": problem,
            "method": method,
            "n_parameters": int(cell["n_parameters"].iloc[0]),
            "fits": len(cell),
            "errors": int((cell["status"] == "error").sum()),
            "success_loss": int(cell["success_loss"].sum()),
            "success_density": int(cell["success_density"].sum()),
            "median_best_loss_mV2": _finite_median(cell["best_loss_mV2"]),
            "median_heldout_loss_mV2": _finite_median(cell["heldout_loss_mV2"]),
        }
        for axis, column in COST_COLUMNS.items():
            cost = cell[column].to_numpy(float)
            reached = np.isfinite(cost)
            row[f"median_{axis}_to_target"] = _finite_median(cost)
            spent = np.where(reached, cost, cell[axis].to_numpy(float)).sum()
            row[f"expected_{axis}_to_target"] = spent / reached.sum() if reached.any() else np.nan
        rows.append(row)
    return pd.DataFrame(rows)


def _finite_median(values: pd.Series | np.ndarray) -> float:
    """The median with what is missing counted as infinite; NaN where the median is infinite."""
    numbers = np.asarray(values, dtype=float)
    middle = float(np.median(np.where(np.isfinite(numbers), numbers, np.inf)))
    return middle if np.isfinite(middle) else float("nan")
