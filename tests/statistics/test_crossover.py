"""A crossover planted at a known number of parameters, and the outcomes in which there is none."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from gradevo.config import load_config
from gradevo.statistics.crossover import ABOVE, BELOW, CROSSES, NONE, REVERSED, UNKNOWN, crossings, crossovers
from gradevo.statistics.series import series
from gradevo.statistics.settings import Settings
from tests.pages import ROOT
from tests.statistics.fits import hits

SIZES = (2, 6, 24, 96)


def table(first, second) -> pd.DataFrame:
    """Of each method, costs [sizes, seeds]."""
    parts = [
        hits(costs, method=method, problem=f"n{size}", n_parameters=size)
        for method, rows in (("lbfgs", first), ("cma_es", second))
        for size, costs in zip(SIZES, rows, strict=True)
    ]
    return pd.concat(parts)


def crossed(first, second, **settings) -> Any:
    found = crossovers(table(first, second), {f"n{size}": "n" for size in SIZES}, Settings(**settings))
    return found.set_index("axis").loc["simulation_equivalents"]


def test_planted_crossover():
    """Costs of 30 n^0.5 and 3 n^1.5 are equal at n = 10. With log-normal noise the interval holds it."""
    n = np.array(SIZES, float)[:, None]
    rng = np.random.default_rng(4)
    noise = rng.lognormal(0.0, 0.2, size=(2, len(SIZES), 12))
    row = crossed(30 * n**0.5 * noise[0], 3 * n**1.5 * noise[1])
    assert row["outcome"] == CROSSES
    assert row["crossover_low"] < 10 < row["crossover_high"]
    assert row["crossover_high"] / row["crossover_low"] < 2
    assert row["share_crosses"] == 1.0
    exact = crossed(np.tile(30 * n**0.5, 3), np.tile(3 * n**1.5, 3))
    assert exact["crossover"] == pytest.approx(10.0)


def test_where_there_is_none():
    counts = np.array([2.0, 6.0, 24.0])
    ratios = np.array([[-1.0, -1, -1], [1, 1, 1], [1, -1, 1], [-1, -1, 1], [1, np.nan, -1], [np.nan] * 3, [np.nan, 1, -1]])
    outcomes, found = crossings(counts, ratios)
    assert outcomes.tolist() == [BELOW, ABOVE, NONE, REVERSED, CROSSES, UNKNOWN, CROSSES]
    # half way in the logarithm, over the gap at 6
    assert found == pytest.approx([0, np.inf, np.nan, 12, np.sqrt(48), np.nan, 12], nan_ok=True)


def test_a_method_that_never_succeeds_counts_as_dearer():
    """From 24 parameters on the second never reached the target: its cost is above what it spent, 3 x 100."""
    same = np.full((2, 3), 10.0)
    row = crossed([*same * 4, [30.0] * 3, [30.0] * 3], [*same, [np.nan] * 3, [np.nan] * 3])
    assert row["outcome"] == CROSSES
    assert 6 < row["crossover"] < 24
    # log ratios 4 at 6 and at most 30 / 300 at 24: a straight line between them
    share = np.log(4) / (np.log(4) + np.log(10))
    assert row["crossover"] == pytest.approx(6 * 4**share)
    nobody = crossed([[np.nan] * 3] * 4, [[np.nan] * 3] * 4)
    assert nobody["outcome"] == UNKNOWN
    assert nobody["untold"] == "2 6 24 96"


def test_an_uncertain_crossover_says_how_often_it_is_there():
    n = np.array(SIZES, float)[:, None]
    rng = np.random.default_rng(5)
    noise = rng.lognormal(0.0, 1.5, size=(2, len(SIZES), 5))
    row = crossed(10 * n * noise[0], 10 * n * noise[1])
    shares = row[["share_below", "share_crosses", "share_above", "share_other"]].astype(float)
    assert shares.sum() == pytest.approx(1.0)
    assert shares.max() < 0.95


def test_a_pair_is_compared_where_both_ran():
    """A series of two problems of each size, fitted by other methods."""
    first = table([[1.0] * 3, [1.0] * 3, [9.0] * 3, [9.0] * 3], [[4.0] * 3] * 4)
    second = first.replace({"method": {"cma_es": "ibea"}}).assign(problem="other_" + first["problem"], reached=True)
    names = {f"{prefix}n{size}": "n2" for prefix in ("", "other_") for size in SIZES}
    found = crossovers(pd.concat([first, second]), names, Settings(pairs=(("lbfgs", "cma_es"), ("lbfgs", "ibea"))))
    assert found.groupby("compared_with")["counts"].unique().to_dict() == {"cma_es": ["2 6 24 96"], "ibea": ["2 6 24 96"]}


def test_series_of_the_quick_study():
    found = series(load_config(ROOT / "config/quick.yaml"))
    assert {name for name, first in found.items() if first == "tree2_all_all"} == {
        "tree2_all_all", "tree12_all_all", "tree48_all_all",
    }  # fmt: skip
    assert found["toy_0_all"] == "toy_0_all"
