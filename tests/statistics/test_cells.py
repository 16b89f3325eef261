"""Statistics of cells whose answers can be worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from gradevo.statistics import AXES, finite_median
from gradevo.statistics.cells import cell_statistics, cost_table
from gradevo.statistics.hits import reached_for_good, target_hits
from gradevo.statistics.settings import Settings, Target
from tests.statistics.fits import hits, summary


def test_median_counts_missed_targets_as_infinite():
    assert finite_median(np.array([1.0, 3.0, np.nan])) == 3.0
    assert np.isnan(finite_median(np.array([1.0, np.nan, np.nan])))
    assert np.isnan(finite_median(np.array([1.0, np.inf])))


def test_expected_cost_pays_for_failures():
    row = cell_statistics(summary([10.0, np.nan, 30.0, np.nan], [15.0, 100.0, 35.0, 60.0])).iloc[0]
    # T_success = 20, T_fail = 80, p = 1/2: 20 + 80 (1 - p) / p
    assert row["expected_simulations_to_target"] == pytest.approx(100.0)
    assert row["expected_cpu_s_to_target"] == pytest.approx(100.0)
    assert row["median_simulations_to_target"] == np.inf
    assert (row["success_loss"], row["fits"]) == (2, 4)
    # Wilson's interval of 2 in 4, from its formula with z = 1.959964
    assert row["success_loss_rate_low"] == pytest.approx(0.150038, abs=1e-5)
    assert row["success_loss_rate_high"] == pytest.approx(0.849962, abs=1e-5)


def test_never_reached_is_infinite_with_a_lower_bound():
    row = cell_statistics(summary([np.nan, np.nan], [100.0, 50.0]).assign(status="error")).iloc[0]
    assert row["expected_wall_s_to_target"] == np.inf
    assert row["expected_wall_s_to_target_low"] == np.inf
    assert row["spent_wall_s"] == 150.0
    assert row["median_wall_s_to_target"] == np.inf
    assert row["errors"] == 2


@pytest.mark.parametrize(("successes", "infinite"), [(3, True), (4, False)])
def test_whether_a_cost_may_be_infinite_is_not_left_to_the_draw(successes, infinite):
    """0.7^10 of all resamples, 2.8 %, have none of 3 successes in 10; 0.6^10, 0.6 %, none of 4."""
    table = summary([10.0] * successes + [np.nan] * (10 - successes), [100.0] * 10)
    for seed in range(20):
        row = cell_statistics(table, Settings(resamples=200, seed=seed)).iloc[0]
        assert np.isinf(row["expected_simulations_to_target_high"]) == infinite


def test_loss_reached_but_densities_wrong_is_counted():
    table = summary([1.0, 1.0, np.nan], [2.0, 2.0, 2.0]).assign(success_density=[True, False, True])
    assert cell_statistics(table).iloc[0]["success_loss_only"] == 1


def test_cells_keep_their_order():
    table = pd.concat([summary([1.0], [1.0], method=m) for m in ("lbfgs", "adam")])
    assert list(cell_statistics(table)["method"]) == ["lbfgs", "adam"]


def test_the_row_per_target_says_the_same():
    """costs.csv for the loss target and statistics.csv, from the same fits."""
    costs, spent = [10.0, np.nan, 30.0], [15.0, 100.0, 35.0]
    wide = cell_statistics(summary(costs, spent)).iloc[0]
    long = cost_table(hits(costs, spent, method="lbfgs")).set_index("axis")
    for axis in AXES:
        for name in ("expected", "median"):
            for end in ("", "_low", "_high"):
                assert long.loc[axis, f"{name}{end}"] == wide[f"{name}_{axis}_to_target{end}"]
    row = long.loc["wall_s"]
    p = row["success_rate"]
    assert row["expected"] == pytest.approx(row["mean_success"] + row["mean_failure"] * (1 - p) / p)


def test_a_target_counts_from_where_it_is_kept():
    assert reached_for_good(np.array([3.0, 1.0, 2.0, 1.0, 0.5]), 1.0) == 3
    assert reached_for_good(np.array([3.0, 1.0, 2.0]), 1.0) is None
    assert reached_for_good(np.array([0.5, 0.4]), 1.0) == 0
    assert reached_for_good(np.array([np.nan, 0.4]), 1.0) == 1
    assert reached_for_good(np.array([]), 1.0) is None


def test_hits_of_a_history():
    history = pd.DataFrame({"problem": "p", "method": "lbfgs", "seed": 0, "best_loss": [50.0, 5.0, 0.5]})
    history = history.assign(density_error_max_rel=[0.01, 0.2, 0.03], **{axis: [1.0, 2.0, 3.0] for axis in AXES})
    fits = summary([3.0, np.nan], [4.0, 7.0])  # the second broke down before its first batch: no history
    targets = [Target("loss", "best_loss", 1.0, True), Target("loss x 10", "best_loss", 10.0, True)]
    targets += [Target("max", "density_error_max_rel", 0.05), Target("unknown", "density_error_median_rel", 0.05)]
    found = target_hits(fits, history, targets).set_index(["seed", "target"])
    assert set(found.index.get_level_values("target")) == {"loss", "loss x 10", "max"}
    assert found.loc[(0, "loss"), ["reached", "wall_s"]].tolist() == [True, 3.0]
    assert found.loc[(0, "loss x 10"), "wall_s"] == 2.0
    assert found.loc[(0, "max"), "wall_s"] == 3.0  # 0.01 at the first batch was chance
    assert found.loc[(1, "loss"), ["reached", "wall_s"]].tolist() == [False, 7.0]
    # a problem that no fit came to begin is missed by all, not left out
    nobody = target_hits(fits, history.iloc[:0], targets)
    assert set(nobody["target"]) == {"loss", "loss x 10"}
    assert nobody["reached"].tolist() == [False] * 4
    assert nobody["wall_s"].tolist() == [4.0, 4.0, 7.0, 7.0]
