"""A row per problem and method: how often it succeeds, what it reaches, and at what cost."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from gradevo.statistics import AXES, CELL, COST_COLUMNS
from gradevo.statistics.bootstrap import LEVEL, interval, median_interval, medians, rate_interval, resample, resample_times
from gradevo.statistics.expected import expected_cost
from gradevo.statistics.settings import Settings

REACHED = ("best_loss", "heldout_loss", "density_error_median_rel", "density_error_max_rel")
"""What a fit reaches at its end."""


def cell_statistics(summary: pd.DataFrame, settings: Settings | None = None) -> pd.DataFrame:
    """A row per problem and method, in their order of appearance: statistics.csv.

    summary: a row per fit, with problem, method, n_parameters, status, success_loss, success_density, REACHED, what was
    spent (AXES) and what the loss target cost (the values of COST_COLUMNS). The columns are in docs/reading_the_tables.md.
    """
    settings = settings or Settings()
    rows = []
    for _, cell in summary.groupby(CELL, sort=False):
        row: dict[str, Any] = {key: cell[key].iloc[0] for key in (*CELL, "n_parameters")}
        drawn = resample(len(cell), settings.resamples, settings.seed)
        row |= {"fits": len(cell), "errors": np.count_nonzero(cell["status"] == "error")}
        reached, right = (_counted(cell[success].tolist()) for success in ("success_loss", "success_density"))
        row |= {"success_loss": reached, "success_density": right}
        row["success_loss_only"] = right if math.isnan(right) else _loss_only(cell)
        for success in ("success_loss", "success_density"):
            row |= _with_interval(f"{success}_rate", _rate(row[success], len(cell)))
        ends = median_interval(cell[list(REACHED)].to_numpy(float), drawn)
        for i, quantity in enumerate(REACHED):
            row |= _with_interval(f"median_{quantity}", tuple(ends[:, i]))
        until = cell[list(COST_COLUMNS.values())].to_numpy(float)
        reached = np.isfinite(until[:, 0])
        spent = np.where(reached[:, None], until, cell[list(AXES)].to_numpy(float))
        costs = _costs(spent, reached, settings)
        for name in ("median", "expected"):
            for i, axis in enumerate(AXES):
                ends = tuple(costs[f"{name}{end}"][i] for end in ("", "_low", "_high"))
                row |= _with_interval(f"{name}_{axis}_to_target", ends)
        for i, axis in enumerate(AXES):
            row[f"spent_{axis}"] = spent[:, i].sum()
        rows.append(row)
    return pd.DataFrame(rows)


def cost_table(hits: pd.DataFrame, settings: Settings | None = None) -> pd.DataFrame:
    """A row per problem, method, target and axis: costs.csv. hits: as from ``hits.target_hits``."""
    settings = settings or Settings()
    rows = []
    for key, cell in hits.groupby([*CELL, "target"], sort=False):
        problem, method, target = key  # pyright: ignore[reportGeneralTypeIssues]
        spent, reached = cell[list(AXES)].to_numpy(float), cell["reached"].to_numpy(bool)
        successes = int(reached.sum())
        low, high = rate_interval(successes, len(cell))
        costs = _costs(spent, reached, settings)
        for i, axis in enumerate(AXES):
            row = {"problem": problem, "method": method, "n_parameters": cell["n_parameters"].iloc[0]}
            row |= {"target": target, "axis": axis, "fits": len(cell), "reached": successes}
            row |= {"success_rate": successes / len(cell), "success_rate_low": low, "success_rate_high": high}
            row |= {name: values[i] for name, values in costs.items()}
            row |= {"mean_success": _mean(spent[reached, i]), "mean_failure": _mean(spent[~reached, i])}
            rows.append(row | {"spent": spent[:, i].sum()})
    return pd.DataFrame(rows)


def _costs(spent: np.ndarray, reached: np.ndarray, settings: Settings) -> dict[str, np.ndarray]:
    """Expected and median cost with intervals, each [axes], of spent [n, axes]; what missed the target has infinite cost."""
    censored = np.where(reached[:, None], spent, np.inf)
    bootstrap = len(spent), settings.resamples, settings.seed
    low, high = _expected_interval(expected_cost(spent, reached, resample_times(*bootstrap)), reached)
    median_low, median_high = interval(medians(censored, resample(*bootstrap)))
    return {
        "expected": expected_cost(spent, reached), "expected_low": low, "expected_high": high,
        "median": np.median(censored, axis=0), "median_low": median_low, "median_high": median_high,
    }  # fmt: skip


def _expected_interval(drawn: np.ndarray, reached: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The interval of expected costs [resamples, axes]. Whether its upper end is infinite is not left to the draw: of all
    possible resamples of n neurons, (1 - share that reached the target)^n have none that did."""
    low, high = interval(drawn)
    if (1 - reached.mean()) ** len(reached) > (1 - LEVEL) / 2:
        return low, np.full_like(high, np.inf)
    return low, np.minimum(high, np.where(np.isfinite(drawn), drawn, -np.inf).max(axis=0))


def _counted(success: list[bool | None]) -> float:
    """How many fits succeeded; NaN where nobody knows."""
    return math.nan if any(pd.isna(one) for one in success) else sum(map(bool, success))


def _rate(count: float, fits: int) -> tuple[float, float, float]:
    """Share and interval of successes."""
    if math.isnan(count):
        return math.nan, math.nan, math.nan
    low, high = rate_interval(int(count), fits)
    return count / fits, low, high


def _loss_only(cell: pd.DataFrame) -> int:
    return int(np.count_nonzero(cell["success_loss"].to_numpy(bool) & ~cell["success_density"].to_numpy(bool)))


def _with_interval(name: str, values: tuple[float, ...]) -> dict[str, float]:
    return dict(zip((name, f"{name}_low", f"{name}_high"), values, strict=True))


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")
