"""Runtime profiles: which share of all (problem, seed, target) a method has solved within a cost.

As empirical distributions of the cost to target (Hansen et al. 2021, COCO), and as performance profiles, in which the cost is
relative to that of the cheapest method on the same instance (Dolan and More 2002).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from gradevo.statistics import AXES, COMPARED_AXES

INSTANCE = ["problem", "seed", "target"]


def runtime_profiles(hits: pd.DataFrame) -> pd.DataFrame:
    """A row per step of each profile: profiles.csv. hits: as from ``hits.target_hits``.

    Problems that the same methods fitted form a set. Of it, an instance counts that every method has: merged studies may have
    run some methods on fewer seeds. Columns: problems (the set, as its first problem and the number of others), axis, relative
    (false: x is a cost; true: x is a multiple of the cheapest method's), method, x, solved (instances with at most x),
    instances, share.
    """
    rows: list[dict[str, Any]] = []
    for name, problems in problem_sets(hits).items():
        part: Any = hits[hits["problem"].isin(problems)]
        methods = part.groupby(INSTANCE)["method"].transform("nunique")
        part = part[methods == part["method"].nunique()]
        for axis in AXES:
            costs = part.pivot_table(index=INSTANCE, columns="method", values=axis, sort=False)
            reached = part.pivot_table(index=INSTANCE, columns="method", values="reached", sort=False).astype(bool)
            censored = costs.where(reached, np.inf)
            rows += _steps(censored, {"problems": name, "axis": axis, "relative": False})
            if axis in COMPARED_AXES:
                cheapest = censored.min(axis=1).clip(lower=np.finfo(float).tiny)
                ratios = censored.div(cheapest.where(np.isfinite(cheapest), 1.0), axis=0)
                rows += _steps(ratios, {"problems": name, "axis": axis, "relative": True})
    return pd.DataFrame(rows)


def problem_sets(table: pd.DataFrame) -> dict[str, list[str]]:
    """Problems fitted by the same methods, named by their first and how many there are besides."""
    sets: dict[frozenset[str], list[str]] = {}
    for problem, part in table.groupby("problem", sort=False):
        sets.setdefault(frozenset(part["method"]), []).append(str(problem))
    return {f"{p[0]} and {len(p) - 1} more" if len(p) > 1 else p[0]: p for p in sets.values()}


def _steps(costs: pd.DataFrame, labels: dict[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for method in costs:
        x, counts = np.unique(costs[method].to_numpy(float), return_counts=True)
        steps = np.isfinite(x)
        if not steps.any():  # nothing solved is a profile too: one row that says so
            rows.append(labels | {"method": method, "x": np.inf, "solved": 0, "instances": len(costs), "share": 0.0})
        for value, solved in zip(x[steps], np.cumsum(counts[steps]), strict=True):
            share = solved / len(costs)
            rows.append(labels | {"method": method, "x": value, "solved": solved, "instances": len(costs), "share": share})
    return rows
