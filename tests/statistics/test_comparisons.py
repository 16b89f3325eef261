"""Paired comparisons: failures are worse than every success, Holm's correction, and what few pairs can say."""

import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from gradevo.config import check_config, load_config
from gradevo.statistics.comparisons import CHEAPER, DEARER, SAME, compare_methods, ratio_interval, reach
from gradevo.statistics.paired import Paired, holm, signed_rank
from gradevo.statistics.settings import Settings, read_settings
from tests.pages import ROOT
from tests.statistics.fits import hits

INF = np.inf


def test_without_failures_it_is_wilcoxons_test():
    rng = np.random.default_rng(0)
    first, second = rng.lognormal(size=(2, 9))
    expected: Any = stats.wilcoxon(np.log(first / second), method="exact")
    assert signed_rank(first, second).p == pytest.approx(expected.pvalue)


def test_a_failure_is_worse_than_any_success():
    """Two pairs by a hair for the first, four that the second lost by failing: p by enumeration of the signs of the ranks
    1, 2, 4.5, 4.5, 4.5, 4.5 with the sum 21; only all alike are as extreme."""
    first = np.array([0.9, 0.8, 1.0, 1.0, 1.0, 1.0])
    second = np.array([1.0, 1.0, INF, INF, INF, INF])
    test = signed_rank(first, second)
    assert (test.wins, test.losses, test.ties, test.rank_biserial) == (6, 0, 0, -1.0)
    assert test.p == pytest.approx(2 / 64)
    # one failure of the first outweighs both small wins: ranks 1, 2 against 3
    assert signed_rank(np.array([0.9, 0.8, INF]), np.ones(3)).rank_biserial == 0.0


def test_p_by_enumeration_with_ties():
    first = np.array([1.0, 1.0, 5.0, INF, 2.0, INF, 1.0])
    second = np.array([INF, INF, 1.0, 1.0, 1.9, INF, 7.0])
    ranks = np.array([5.0, 5.0, 2.0, 5.0, 1.0, 3.0])  # |log| of inf, inf, 5, inf, 1.05, 7
    seen = abs(-5.0 - 5.0 + 2.0 + 5.0 + 1.0 - 3.0)
    sums = [abs(np.dot(signs, ranks)) for signs in itertools.product((-1, 1), repeat=6)]
    test = signed_rank(first, second)
    assert (test.pairs, test.ties) == (7, 1)
    assert test.p == pytest.approx(np.mean(np.array(sums) >= seen - 1e-9))


def test_two_failures_say_nothing():
    test = signed_rank(np.full(4, INF), np.full(4, INF))
    assert (test.ties, test.wins) == (4, 0)
    assert np.isnan(test.p)


def test_holm_by_hand():
    # sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1 are 0.02, 0.03, 0.06, 0.04: never falling
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.02, np.nan, 0.2])) == pytest.approx([0.06, np.nan, 0.4], nan_ok=True)
    assert holm(np.array([])).shape == (0,)


def compared(first, second, settings=None) -> Any:
    table = pd.concat([hits(first, method="lbfgs"), hits(second, method="cma_es")])
    return compare_methods(table, settings).set_index("axis").loc["wall_s"]


def test_verdicts():
    cheap, dear = np.linspace(10, 20, 10), np.linspace(30, 90, 10)
    row = compared(cheap, dear)
    assert (row["verdict"], row["wins"], row["note"]) == (CHEAPER, 10, "")
    assert row["p_corrected"] == pytest.approx(2 / 1024)
    assert row["cost_ratio"] == pytest.approx(np.median(cheap / dear))
    assert row["expected_ratio"] == pytest.approx(150 / 600)
    assert row["expected_ratio_low"] < 0.25 < row["expected_ratio_high"]
    assert compared(dear, cheap)["verdict"] == DEARER
    assert compared(cheap, cheap[::-1])["verdict"] == SAME
    assert compared(np.full(10, np.nan), cheap)["verdict"] == DEARER


def test_few_pairs_say_so():
    row = compared([1.0] * 5, [9.0] * 5)
    assert row["verdict"] == SAME
    assert "fewer than 6" in row["note"]


def test_a_family_too_large_for_its_pairs_says_so():
    """Six pairs allow p = 2/64; of two comparisons, the smallest corrected p is 0.0625."""
    table = pd.concat([hits([c] * 6, method=m) for m, c in (("lbfgs", 1.0), ("cma_es", 9.0), ("ibea", 9.0))])
    both = compare_methods(table)
    assert set(both["verdict"]) == {SAME}
    assert both["p_corrected"].tolist() == pytest.approx([0.0625] * len(both))
    assert "2 comparisons" in both["note"].iloc[0]
    # planned for one of them alone
    one = compare_methods(table, Settings(pairs=(("lbfgs", "ibea"),)))
    assert one["compared_with"].unique().tolist() == ["ibea"]
    assert set(one["verdict"]) == {CHEAPER}


def test_a_note_never_contradicts_its_verdict():
    """Holm's correction multiplies by the comparisons that are left. Eight pairs allow p = 2/256: 12 times that is beyond 5 %,
    but after eight smaller p values it is 4 times."""
    eight_pairs = Paired(10, 8, 0, 2, 2 / 256, -1.0)
    smaller = np.full(8, 2 / 1024)
    assert not reach(eight_pairs, np.append(smaller, [2 / 256] * 3))
    assert "12 comparisons 0.094 or more" in reach(eight_pairs, np.append(np.full(8, 0.5), [np.nan] * 3))
    # of seven pairs it is 4 x 2/128
    assert "12 comparisons 0.062 or more" in reach(Paired(10, 7, 0, 3, 2 / 128, -1.0), np.append(smaller, [2 / 128] * 3))


def test_without_a_pair_there_is_an_empty_table():
    table = compare_methods(hits([1.0], method="lbfgs"))
    assert len(table) == 0
    assert "verdict" in table


def test_pairs_are_of_seeds():
    """Each method has a seed that the other lacks."""
    first, second = hits([1.0, 2.0, 3.0], method="lbfgs"), hits([1.0, 2.0, 3.0], method="cma_es")
    second["seed"] += 1
    row = compare_methods(pd.concat([first, second])).iloc[0]
    assert (row["pairs"], row["losses"]) == (2, 2)


def test_a_ratio_that_cannot_be_told_may_be_anything():
    assert ratio_interval(np.array([0.5] * 90 + [np.nan] * 10)) == (0.0, np.inf)


def test_planned_pairs_name_methods_of_the_study():
    """With the closest name, as all mistakes in a config."""
    config = load_config(ROOT / "config/ci.yaml")
    check_config(config | {"statistics": {"pairs": [["adam", "cma_es"]]}})
    with pytest.raises(ValueError, match=r"statistics.pairs names 'cma_ess'.*did you mean 'cma_es'"):
        check_config(config | {"statistics": {"pairs": [["adam", "cma_ess"]]}})
    with pytest.raises(ValueError, match="unknown key 'resample'"):
        check_config(config | {"statistics": {"resample": 100}})
    settings = read_settings({"pairs": [["adam", "cma_es"]], "loss_factors": [1, 5], "density_max_rel": [0.1]})
    assert settings.compared(["cma_es", "adam", "ibea"]) == [("adam", "cma_es")]
    names = ["loss", "loss x 5", "median density error 1 %", "max density error 10 %"]
    assert [target.name for target in settings.targets] == names
    assert read_settings(None).compared(["adam", "ibea", "cma_lbfgs", "random_search"]) == [("adam", "ibea")]
