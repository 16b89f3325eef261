"""Runtime profiles and the fixed-budget view, by hand."""

import numpy as np
import pandas as pd
import pytest

from gradevo.statistics import AXES
from gradevo.statistics.budget import fixed_budget, round_costs
from gradevo.statistics.profiles import problem_sets, runtime_profiles
from tests.statistics.fits import hits, summary


def steps(table: pd.DataFrame, method: str, relative: bool) -> list[tuple[float, float]]:
    chosen = table[(table["method"] == method) & (table["axis"] == "wall_s") & (table["relative"] == relative)]
    return list(zip(chosen["x"], chosen["share"], strict=True))


def test_profiles_by_hand():
    table = pd.concat(
        [
            hits([2.0, 8.0, np.nan], method="lbfgs"), hits([4.0, 4.0, np.nan], method="cma_es"),
            hits([np.nan] * 3, method="ibea"),
        ]
    )  # fmt: skip
    profiles = runtime_profiles(table)
    assert steps(profiles, "lbfgs", False) == [(2.0, pytest.approx(1 / 3)), (8.0, pytest.approx(2 / 3))]
    assert steps(profiles, "cma_es", False) == [(4.0, pytest.approx(2 / 3))]
    # against the cheapest: lbfgs 1 and 2 times, cma_es 2 times and 1
    assert (
        steps(profiles, "lbfgs", True)
        == steps(profiles, "cma_es", True)
        == [(1.0, pytest.approx(1 / 3)), (2.0, pytest.approx(2 / 3))]
    )
    assert steps(profiles, "ibea", False) == [(np.inf, 0.0)]


def test_methods_are_profiled_on_the_same_problems():
    table = pd.concat([hits([1.0], method=m, problem=p) for m, p in (("a", "x"), ("b", "x"), ("a", "y"), ("b", "y"), ("a", "z"))])
    assert problem_sets(table) == {"x and 1 more": ["x", "y"], "z": ["z"]}
    assert runtime_profiles(table).groupby("problems")["instances"].first().to_dict() == {"x and 1 more": 2, "z": 1}


def test_an_instance_counts_where_every_method_has_it():
    """Of merged studies, one method may have been run on fewer seeds; what was not run is no failure and no success."""
    profiles = runtime_profiles(pd.concat([hits([1.0, 2.0, np.nan], method="a"), hits([4.0, 8.0], method="b")]))
    assert set(profiles["instances"]) == {2}
    assert steps(profiles, "a", False) == [(1.0, 0.5), (2.0, 1.0)]
    assert steps(profiles, "b", False) == [(4.0, 0.5), (8.0, 1.0)]


def test_fixed_budget_by_hand():
    fits = summary([3.0, np.nan], [100.0, 50.0])
    history = pd.DataFrame({"problem": "p", "method": "lbfgs", "seed": [0, 0, 0, 1], "best_loss": [8.0, 4.0, 2.0, 6.0]})
    history = history.assign(heldout_loss=[9.0, np.nan, 3.0, 7.0], density_error_median_rel=0.1, density_error_max_rel=0.2)
    history = history.assign(**{axis: [2.0, 20.0, 90.0, 5.0] for axis in AXES})
    found = fixed_budget(fits, history).set_index(["axis", "cost"]).loc["wall_s"]
    assert list(found.index) == [0.1, 0.3, 1, 3, 10, 30, 100]
    assert np.isnan(found.loc[1.0, "best_loss"])  # nothing yet
    assert found.loc[3.0, "best_loss"] == np.inf  # one of two has nothing yet
    assert found.loc[10.0, "best_loss"] == 7.0
    assert found.loc[30.0, ["best_loss", "heldout_loss"]].tolist() == [5.0, 8.0]  # 9, carried on, and 7
    assert found.loc[100.0, "best_loss"] == 4.0  # the second ended long before
    assert found.loc[100.0, ["best_loss_low", "best_loss_high"]].tolist() == [2.0, 6.0]


def test_round_costs():
    assert round_costs(12000.0).tolist() == [30, 100, 300, 1000, 3000, 10000]
    assert len(round_costs(0.0)) == 0
