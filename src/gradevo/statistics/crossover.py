"""The number of parameters above which one method is cheaper than another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from gradevo.statistics import COMPARED_AXES
from gradevo.statistics.bootstrap import interval, resample_times
from gradevo.statistics.expected import expected_cost
from gradevo.statistics.runs import Runs, paired, runs_by_method
from gradevo.statistics.settings import Settings

BELOW, ABOVE, CROSSES, REVERSED, NONE = (
    "below the smallest", "above the largest", "crosses", "crosses the other way", "no single crossing",
)  # fmt: skip
UNKNOWN = "neither reached the target"

COLUMNS = (
    "series", "target", "axis", "method", "compared_with", "counts", "untold", "ratios", "seeds", "outcome", "crossover",
    "crossover_low", "crossover_high", "share_below", "share_crosses", "share_above", "share_other",
)  # fmt: skip


def crossovers(hits: pd.DataFrame, series: Mapping[str, str], settings: Settings | None = None) -> pd.DataFrame:
    """A row per series of problems, target, axis and planned pair of methods: crossovers.csv.

    hits: as from ``hits.target_hits``; series: problem -> its series, as from ``series.series``. Series with one number of
    parameters have no crossover and no row. Resamples draw the same seeds at every number of parameters that has as many.
    """
    settings = settings or Settings()
    table = hits.assign(series=[series[problem] for problem in hits["problem"]])
    rows: list[dict[str, Any]] = []
    for (name, target), part in table.groupby(["series", "target"], sort=False):  # pyright: ignore[reportGeneralTypeIssues]
        sizes = dict(zip(part["problem"], part["n_parameters"], strict=True))
        runs = {problem: runs_by_method(cell) for problem, cell in part.groupby("problem")}
        for a, b in settings.compared(part["method"]):
            of_size: dict[int, Any] = {}
            for problem, size in sizes.items():
                if {a, b} <= set(runs[problem]):
                    of_size.setdefault(int(size), runs[problem])  # of two problems of one size the first
            pairs = {size: paired(of_size[size][a], of_size[size][b]) for size in sorted(of_size)}
            if len(pairs) < 2:
                continue
            counts = np.array(list(pairs), float)
            found = np.stack([_log_ratios(*pair, settings) for pair in pairs.values()], axis=1)  # [1 + resamples, counts, axes]
            for i, axis in enumerate(COMPARED_AXES):
                outcomes, values = crossings(counts, found[:, :, i])
                row = {"series": name, "target": target, "axis": axis, "method": a, "compared_with": b}
                row |= _told(counts, found[0, :, i]) | {"seeds": min(len(pair[0].seeds) for pair in pairs.values())}
                rows.append(row | {"outcome": outcomes[0], "crossover": values[0]} | _spread(outcomes, values))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def crossings(counts: np.ndarray, log_ratios: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the first method becomes cheaper as the count grows: outcomes [m] (text), and the count [m], 0 below the smallest,
    infinite above the largest, NaN where there is no single one.

    counts [k], growing; log_ratios [m, k] of the costs, first over second, NaN where neither reached the target (those counts
    are left out). Between two counts the logarithm of the ratio is linear in that of the count.
    """
    known = ~np.isnan(log_ratios)
    # what is left out repeats the known one before it (or the first), where nothing changes and nothing is interpolated
    last = np.maximum.accumulate(np.where(known, np.arange(len(counts)), -1), axis=1)
    source = np.where(last < 0, known.argmax(axis=1)[:, None], last)
    x, y = np.log(counts)[source], np.take_along_axis(log_ratios, source, axis=1)
    cheaper = y < 0
    changes = cheaper[:, 1:] != cheaper[:, :-1]
    at = np.arange(len(y)), changes.argmax(axis=1)
    after = at[0], at[1] + 1
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        count = np.exp(x[at] + (x[after] - x[at]) * y[at] / (y[at] - y[after]))
    single, never = changes.sum(axis=1) == 1, ~changes.any(axis=1)
    cases = [~known.any(axis=1), never & cheaper[:, 0], never, single & cheaper[:, -1], single]
    outcomes = np.select(cases, [UNKNOWN, BELOW, ABOVE, CROSSES, REVERSED], NONE)
    return outcomes, np.select(cases, [np.nan, 0.0, np.inf, count, count], np.nan)


def _log_ratios(first: Runs, second: Runs, settings: Settings) -> np.ndarray:
    """log(expected cost of the first / of the second) [1 + resamples, axes]: of the fits, then of each resample.

    Where one never reached the target, its expected cost is above all that it spent; that bound stands for it, on its side of
    1, so that something can be interpolated. NaN where neither did.
    """
    n, both = len(first.seeds), (first, second)
    times = np.concatenate([np.ones((1, n)), resample_times(n, settings.resamples, settings.seed)])
    costs = [expected_cost(runs.spent, runs.reached, times) for runs in both]
    logs = [np.log(np.where(np.isinf(cost), times @ runs.spent, cost)) for runs, cost in zip(both, costs, strict=True)]
    ratio, never = logs[0] - logs[1], [np.isinf(cost) for cost in costs]
    barely = 1e-9
    cases = [never[0] & never[1], never[0], never[1]]
    return np.select(cases, [np.full_like(ratio, np.nan), np.maximum(ratio, barely), np.minimum(ratio, -barely)], ratio)


def _told(counts: np.ndarray, log_ratios: np.ndarray) -> dict[str, str]:
    """The counts at which the costs can be compared, those at which neither reached the target, and the ratios."""
    known = ~np.isnan(log_ratios)
    lists = {"counts": counts[known], "untold": counts[~known], "ratios": np.exp(log_ratios[known])}
    return {name: " ".join(f"{value:.4g}" for value in values) for name, values in lists.items()}


def _spread(outcomes: np.ndarray, values: np.ndarray) -> dict[str, float]:
    """The interval of the crossover, and the shares of outcomes, over the resamples (all but the first)."""
    drawn, shares = outcomes[1:], {}
    for name, of in (("below", [BELOW]), ("crosses", [CROSSES]), ("above", [ABOVE])):
        shares[f"share_{name}"] = float(np.isin(drawn, of).mean())
    ordered = values[1:][np.isin(drawn, [BELOW, CROSSES, ABOVE])]
    ends = interval(ordered) if len(ordered) and outcomes[0] in (BELOW, CROSSES, ABOVE) else (np.nan, np.nan)
    limits = {"crossover_low": float(ends[0]), "crossover_high": float(ends[1])}
    shares["share_other"] = float((~np.isin(drawn, [BELOW, CROSSES, ABOVE])).mean())
    return limits | shares
