"""When each fit reached each target, and what it had spent by then."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from gradevo.statistics import AXES, FIT
from gradevo.statistics.settings import Target


def target_hits(summary: pd.DataFrame, histories: pd.DataFrame, targets: Iterable[Target]) -> pd.DataFrame:
    """A row per fit and target.

    summary: a row per fit; histories: a row per batch of each fit, in order. Columns: problem, method, seed,
    n_parameters, target, reached, and each of AXES: what had been spent when the target was reached, or else in all.
    A target counts as reached from the batch after which it is never left again: a best loss only falls, but a density
    error may pass its limit by chance and leave it. Targets on what a problem does not know (density errors without known
    densities) are left out; targets of the loss never are, though no fit came to a finite one.
    """
    targets = list(targets)
    known = {(problem, target.name) for problem in summary["problem"].unique() for target in targets if target.relative}
    known |= {
        (problem, target.name)
        for problem, part in histories.groupby("problem", sort=False)
        for target in targets
        if target.column in part and np.isfinite(part[target.column].to_numpy(float)).any()
    }
    by_fit = dict(iter(histories.groupby(FIT, sort=False)))
    rows: list[dict[str, Any]] = []
    for fit in summary.to_dict("records"):
        history = by_fit.get(tuple(fit[key] for key in FIT))
        for target in targets:
            if (fit["problem"], target.name) not in known:
                continue
            limit = target.limit * fit["loss_target"] if target.relative else target.limit
            event = None if history is None else reached_for_good(history[target.column].to_numpy(float), limit)
            row = {key: fit[key] for key in (*FIT, "n_parameters")} | {"target": target.name, "reached": event is not None}
            for axis in AXES:
                row[axis] = float(fit[axis] if event is None or history is None else history[axis].iloc[event])
            rows.append(row)
    return pd.DataFrame(rows)


def reached_for_good(values: np.ndarray, limit: float) -> int | None:
    """The first index from which all values [n] are at most the limit; None where the last one is not."""
    outside = np.flatnonzero(~(values <= limit))
    first = int(outside[-1]) + 1 if len(outside) else 0
    return first if first < len(values) else None
