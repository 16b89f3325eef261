"""Curves on logarithmic grids of cost: what the fits had reached (convergence.csv), and runtime profiles
(profile_curves.csv)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from gradevo.statistics import CELL, FIT
from gradevo.statistics.budget import carried_on, reached_at
from gradevo.statistics.cells import REACHED

CURVE_AXES = ("simulation_equivalents", "wall_s")
POINTS = 36
"""Of a curve; on 12 cm of paper the eye sees no more."""

SHOWN = REACHED[:3]


def convergence_curves(histories: pd.DataFrame, problems: Sequence[str]) -> pd.DataFrame:
    """A row per problem, method, axis and cost: medians over fits of SHOWN, and the middle half of the fits.

    histories: a row per batch of each fit, in order. A curve begins where every fit of the method has begun and ends with the
    last of them; a fit that ended before keeps what it had. Quartiles are rounded outwards to fits that there are: of three
    fits they are the range. What is not finite counts as infinite.
    """
    rows: list[dict[str, Any]] = []
    of_problems: Any = histories[histories["problem"].isin(problems)]
    for key, cell in of_problems.groupby(CELL, sort=False):
        fits = [carried_on(part) for _, part in cell.groupby(FIT, sort=False)]
        for axis in CURVE_AXES:
            spent = [part[axis].to_numpy(float) for part in fits]
            first, last = max(each[0] for each in spent), max(each[-1] for each in spent)
            grid = cost_grid(first, last)
            values = np.stack([reached_at(part, axis, grid) for part in fits])[:, :, : len(SHOWN)]
            ends = quartiles(values)
            for i, cost in enumerate(grid):
                row = dict(zip(CELL, key, strict=True)) | {"axis": axis, "spent": cost, "fits": len(fits)}
                for j, quantity in enumerate(SHOWN):
                    row |= dict(zip((quantity, f"{quantity}_low", f"{quantity}_high"), ends[:, i, j], strict=True))
                rows.append(row)
    quantities = [f"{quantity}{end}" for quantity in SHOWN for end in ("", "_low", "_high")]
    return pd.DataFrame(rows, columns=[*CELL, "axis", "spent", "fits", *quantities])


def quartiles(values: np.ndarray) -> np.ndarray:
    """Median, lower and upper quartile [3, ...] of values [n, ...], outwards; NaN where all are missing."""
    censored = np.where(np.isfinite(values), values, np.inf)
    found = np.stack(
        [
            np.median(censored, axis=0),
            np.quantile(censored, 0.25, axis=0, method="lower"),
            np.quantile(censored, 0.75, axis=0, method="higher"),
        ]
    )
    return np.where(np.isnan(values).all(axis=0), np.nan, found)


def cost_grid(first: float, last: float, points: int = POINTS) -> np.ndarray:
    """Costs from first to last, evenly spaced on a logarithmic scale; the last one is exact."""
    first = max(first, last * 1e-6, np.finfo(float).tiny)
    grid = np.geomspace(first, last, points) if last > first else np.array([last])
    grid[-1] = last
    return grid


def profile_curves(profiles: pd.DataFrame, points: int = 2 * POINTS) -> pd.DataFrame:
    """The runtime profiles of profiles.csv at `points` costs, the same for all methods of a set of problems.

    profiles: as from ``profiles.runtime_profiles``. A row per set of problems, axis, method and cost.
    """
    rows: list[dict[str, Any]] = []
    absolute: Any = profiles[~profiles["relative"] & profiles["axis"].isin(CURVE_AXES)]
    for (problems, axis), part in absolute.groupby(["problems", "axis"], sort=False):
        costs = part["x"].to_numpy(float)
        costs = costs[np.isfinite(costs) & (costs > 0)]
        grid = cost_grid(costs.min(), costs.max(), points) if len(costs) else np.array([1.0])
        for method, steps in part.groupby("method", sort=False):
            x, share = steps["x"].to_numpy(float), steps["share"].to_numpy(float)
            shares = np.concatenate([[0.0], share])[np.searchsorted(x, grid * (1 + 1e-12), side="right")]
            labels = {"problems": problems, "axis": axis, "method": method, "instances": steps["instances"].iloc[0]}
            rows += [labels | {"cost": cost, "share": value} for cost, value in zip(grid, shares, strict=True)]
    return pd.DataFrame(rows)
