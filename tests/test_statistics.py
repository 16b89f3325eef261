"""Statistics of cells whose answers can be worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from gradevo.statistics import COST_COLUMNS, cell_statistics, finite_median


def fits(costs: list[float], spent: list[float], status: str = "budget") -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "problem": "p", "method": "m", "seed": range(len(costs)), "n_parameters": 12, "status": status,
            "success_loss": np.isfinite(costs), "success_density": False, "best_loss": 1.0, "heldout_loss": 2.0,
        }
    )  # fmt: skip
    for axis, column in COST_COLUMNS.items():
        table[axis], table[column] = spent, costs
    return table


def test_median_counts_missed_targets_as_infinite():
    assert finite_median(np.array([1.0, 3.0, np.nan])) == 3.0
    assert np.isnan(finite_median(np.array([1.0, np.nan, np.nan])))
    assert np.isnan(finite_median(np.array([1.0, np.inf])))


def test_expected_cost_pays_for_failures():
    row = cell_statistics(fits([10.0, np.nan, 30.0], [15.0, 100.0, 35.0])).iloc[0]
    # 10 and 30 until the target, 100 in vain, two successes
    assert row["expected_simulations_to_target"] == pytest.approx(70.0)
    assert row["median_simulations_to_target"] == 30.0
    assert row["success_loss"] == 2
    assert row["fits"] == 3


def test_never_reached_has_no_cost():
    row = cell_statistics(fits([np.nan, np.nan], [100.0, 100.0], status="error")).iloc[0]
    assert np.isnan(row["expected_wall_s_to_target"])
    assert np.isnan(row["median_wall_s_to_target"])
    assert row["errors"] == 2


def test_cells_keep_their_order():
    table = pd.concat([fits([1.0], [1.0]).assign(method=m) for m in ("lbfgs", "adam")])
    assert list(cell_statistics(table)["method"]) == ["lbfgs", "adam"]
