"""From fits to what can be said of methods: costs that count failures, with intervals, comparisons and crossovers.

This file is light, for all who only need the names; the computing is in the other files of the folder.
"""

from __future__ import annotations

import numpy as np

AXES = ("simulations", "gradients", "tangents", "simulation_equivalents", "wall_s", "cpu_s")
"""What a fit spends."""

COMPARED_AXES = ("simulation_equivalents", "wall_s", "cpu_s")
"""The axes on which methods with and without gradients can be compared: on the others one of them spends nothing."""

COST_COLUMNS = {axis: f"{axis}_to_target" for axis in AXES}
"""For each axis, the summary's column with what had been spent when the loss target was reached."""

CELL = ["problem", "method"]
FIT = ["problem", "method", "seed"]


def finite_median(values: np.ndarray) -> float:
    """The median with what is missing counted as infinite; NaN where the median is infinite."""
    middle = float(np.median(np.where(np.isfinite(values), values, np.inf)))
    return middle if np.isfinite(middle) else float("nan")
