"""From fits to one row per problem and method: how often it succeeds, and at what cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

COST_COLUMNS = {
    "simulations": "simulations_to_target",
    "gradients": "gradients_to_target",
    "tangents": "tangents_to_target",
    "simulation_equivalents": "simulation_equivalents_to_target",
    "wall_s": "wall_s_to_target",
}
"""For each axis of what a fit spends, the summary's column with its value when the loss target was reached."""


def cell_statistics(summary: pd.DataFrame) -> pd.DataFrame:
    """A row per problem and method, in their order of appearance.

    summary: a row per fit, with problem, method, n_parameters, status, success_loss, success_density, best_loss,
    heldout_loss, what was spent (the keys of COST_COLUMNS) and what the target cost (its values).

    Columns: fits, errors (fits with status error), success_loss and success_density (counts), the medians of the final
    losses, and per axis

    - ``median_<axis>_to_target``: the median over all fits, those that missed the target counting as infinitely
      expensive; NaN where it is infinite, so never a median of the lucky ones only;
    - ``expected_<axis>_to_target``: the expected running time with restarts, all that was spent until the target or the
      end, divided by the number of fits that reached it (Hansen et al. 2021, COCO); NaN where none did.
    """
    rows = []
    for _, cell in summary.groupby(["problem", "method"], sort=False):
        row: dict[str, Any] = {key: cell[key].iloc[0] for key in ("problem", "method", "n_parameters")}
        row |= {
            "fits": len(cell),
            "errors": np.count_nonzero(cell["status"] == "error"),
            "success_loss": np.count_nonzero(cell["success_loss"]),
            "success_density": np.count_nonzero(cell["success_density"]),
            "median_best_loss": finite_median(cell["best_loss"].to_numpy(float)),
            "median_heldout_loss": finite_median(cell["heldout_loss"].to_numpy(float)),
        }
        for axis, column in COST_COLUMNS.items():
            cost = cell[column].to_numpy(float)
            reached = np.isfinite(cost)
            row[f"median_{axis}_to_target"] = finite_median(cost)
            spent = np.where(reached, cost, cell[axis].to_numpy(float)).sum()
            row[f"expected_{axis}_to_target"] = spent / reached.sum() if reached.any() else np.nan
        rows.append(row)
    return pd.DataFrame(rows)


def finite_median(values: np.ndarray) -> float:
    """The median with what is missing counted as infinite; NaN where the median is infinite."""
    middle = float(np.median(np.where(np.isfinite(values), values, np.inf)))
    return middle if np.isfinite(middle) else float("nan")
