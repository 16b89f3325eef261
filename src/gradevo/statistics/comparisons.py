"""Planned comparisons of two methods on one problem, neuron by neuron."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from gradevo.statistics import COMPARED_AXES
from gradevo.statistics.bootstrap import interval, resample_times
from gradevo.statistics.expected import expected_cost
from gradevo.statistics.paired import SMALLEST_N, Paired, holm, signed_rank
from gradevo.statistics.runs import Runs, paired, runs_by_method
from gradevo.statistics.settings import Settings

CHEAPER, DEARER, SAME = "cheaper", "dearer", "cannot be told apart"

SIGNIFICANT = 0.05

COLUMNS = (
    "problem", "n_parameters", "target", "axis", "method", "compared_with", "pairs", "wins", "losses", "ties",
    "cost_ratio", "expected_ratio", "expected_ratio_low", "expected_ratio_high", "rank_biserial", "p", "p_corrected",
    "comparisons", "verdict", "note",
)  # fmt: skip


def compare_methods(hits: pd.DataFrame, settings: Settings | None = None) -> pd.DataFrame:
    """A row per problem, target, axis and pair of methods: comparisons.csv. hits: as from ``hits.target_hits``.

    The verdict is on the first method. Holm's correction is over all pairs on one problem, one target and one axis. The
    columns are in docs/reading_the_tables.md.
    """
    settings = settings or Settings()
    rows: list[dict[str, Any]] = []
    for (problem, target), cell in hits.groupby(["problem", "target"], sort=False):  # pyright: ignore[reportGeneralTypeIssues]
        runs = runs_by_method(cell)
        planned = settings.compared(runs)
        compared = [_compare(*paired(runs[a], runs[b]), settings) for a, b in planned]  # of each pair, each axis
        for i, axis in enumerate(COMPARED_AXES):
            labels = {"problem": problem, "n_parameters": cell["n_parameters"].iloc[0], "target": target, "axis": axis}
            family = [each[i] for each in compared]
            corrected = holm(np.array([test.p for test, _ in family]))
            for k, ((a, b), (test, effects), p) in enumerate(zip(planned, family, corrected, strict=True)):
                row = labels | {"method": a, "compared_with": b}
                row |= {"pairs": test.pairs, "wins": test.wins, "losses": test.losses, "ties": test.ties} | effects
                row |= {"p_corrected": p, "comparisons": len(planned)}
                others = np.array([other.p for j, (other, _) in enumerate(family) if j != k])
                rows.append(row | {"verdict": verdict(test, p), "note": reach(test, others)})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def verdict(test: Paired, p_corrected: float) -> str:
    if p_corrected < SIGNIFICANT:
        return CHEAPER if test.rank_biserial < 0 else DEARER
    return SAME


def reach(test: Paired, others: np.ndarray) -> str:
    """Why 5 % was out of reach whatever the costs, given the p of the other comparisons; empty where it was not."""
    told = test.wins + test.losses
    if told < SMALLEST_N:
        return f"pairs that differ: {told}; with fewer than {SMALLEST_N} no test of pairs reaches 5 %"
    smallest = holm(np.append(others, test.smallest_p))[-1]
    if smallest >= SIGNIFICANT:
        return (
            f"with {told} pairs that differ p is {test.smallest_p:.2g} or more; "
            f"corrected for {len(others) + 1} comparisons {smallest:.2g} or more"
        )
    return ""


def ratios(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """first / second, costs that may be infinite; NaN where both are, and where both are 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return first / second


def ratio_interval(values: np.ndarray) -> tuple[float, float]:
    """The interval of ratios [resamples]; where a resample tells nothing (NaN), the ratio may be anything."""
    low, _ = interval(np.where(np.isnan(values), 0.0, values))
    _, high = interval(np.where(np.isnan(values), np.inf, values))
    return float(low), float(high)


def _compare(first: Runs, second: Runs, settings: Settings) -> list[tuple[Paired, dict[str, float]]]:
    """Of two methods on the same seeds, on each of COMPARED_AXES: the test, and the sizes of the difference."""
    both = (first, second)
    times = resample_times(len(first.seeds), settings.resamples, settings.seed)
    expected = ratios(*(expected_cost(runs.spent, runs.reached) for runs in both))
    drawn = ratios(*(expected_cost(runs.spent, runs.reached, times) for runs in both))
    censored = [np.where(runs.reached[:, None], runs.spent, np.inf) for runs in both]
    each = ratios(*censored)
    found = []
    for i in range(len(COMPARED_AXES)):
        test = signed_rank(censored[0][:, i], censored[1][:, i])
        told = each[~np.isnan(each[:, i]), i]
        low, high = ratio_interval(drawn[:, i])
        effects = {
            "cost_ratio": float(np.median(told)) if len(told) else float("nan"), "expected_ratio": float(expected[i]),
            "expected_ratio_low": low, "expected_ratio_high": high, "rank_biserial": test.rank_biserial, "p": test.p,
        }  # fmt: skip
        found.append((test, effects))
    return found
