"""The fixed-budget view: what the methods have reached at given costs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from gradevo.statistics import CELL, FIT
from gradevo.statistics.bootstrap import median_interval, resample
from gradevo.statistics.cells import REACHED
from gradevo.statistics.settings import Settings

BUDGET_AXES = ("simulation_equivalents", "wall_s")


def fixed_budget(summary: pd.DataFrame, histories: pd.DataFrame, settings: Settings | None = None) -> pd.DataFrame:
    """A row per problem, method, axis and cost: fixed_budget.csv.

    Medians over all fits, with intervals, of REACHED at that cost: of the best until then. A fit that ended before keeps what
    it had; one that had no finite loss yet counts as infinite. The held-out loss is that of the last best for which it was taken.
    """
    settings = settings or Settings()
    by_fit = {key: carried_on(part) for key, part in histories.groupby(FIT, sort=False)}
    rows: list[dict[str, Any]] = []
    for axis in BUDGET_AXES:
        grid = round_costs(summary[axis].to_numpy(float).max())
        for (problem, method), cell in summary.groupby(CELL, sort=False):  # pyright: ignore[reportGeneralTypeIssues]
            parts = [by_fit.get((problem, method, seed)) for seed in cell["seed"]]
            values = np.stack([reached_at(part, axis, grid) for part in parts])
            ends = median_interval(values, resample(len(cell), settings.resamples, settings.seed))
            for i, cost in enumerate(grid):
                row = {"problem": problem, "method": method, "n_parameters": cell["n_parameters"].iloc[0]}
                row |= {"axis": axis, "cost": cost, "fits": len(cell)}
                for j, quantity in enumerate(REACHED):
                    row |= dict(zip((quantity, f"{quantity}_low", f"{quantity}_high"), ends[:, i, j], strict=True))
                rows.append(row)
    order = {key: i for i, key in enumerate(dict.fromkeys(zip(summary["problem"], summary["method"], strict=True)))}
    rows.sort(key=lambda row: order[row["problem"], row["method"]])
    return pd.DataFrame(rows)


def round_costs(largest: float) -> np.ndarray:
    """1 and 3 times powers of ten, over three decades up to the largest."""
    if not largest > 0:
        return np.array([])
    top = int(np.floor(np.log10(largest)))
    steps = [float(f"{digit}e{power}") for power in range(top - 3, top + 1) for digit in (1, 3)]
    return np.array([cost for cost in steps if largest / 1000 <= cost <= largest])


def carried_on(history: pd.DataFrame) -> pd.DataFrame:
    """A fit's history with the held-out loss, which is not taken at every batch, carried on."""
    return history.assign(heldout_loss=history["heldout_loss"].ffill())


def reached_at(history: pd.DataFrame | None, axis: str, costs: np.ndarray) -> np.ndarray:
    """REACHED [costs, quantities] at each cost; NaN before the first batch."""
    values = np.full((len(costs), len(REACHED)), np.nan)
    if history is not None:
        last = np.searchsorted(history[axis].to_numpy(float), costs, side="right") - 1
        values[last >= 0] = history[list(REACHED)].to_numpy(float)[last[last >= 0]]
    return values
