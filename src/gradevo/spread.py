"""How far fits of one method agree on what they found: all that can be said of densities that nobody knows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from gradevo.statistics import CELL, FIT


def spread(densities: pd.DataFrame, summary: pd.DataFrame) -> pd.DataFrame:
    """A row per problem, method, fitted quantity and region: spread.csv, whose columns are in docs/reading_the_tables.md.

    densities: a row per fit, quantity and compartment, as `fit_rows.density_rows` makes them; summary: a row per fit. It is over
    the fits that reached the loss target, or over all with a finite loss where none did.
    """
    fits = summary[[*FIT, "success_loss", "best_loss"]]
    table = densities.drop_duplicates([*FIT, "channel", "region"]).merge(fits, on=FIT).dropna(subset=["fitted"])
    made: list[dict[str, Any]] = []
    for key, cell in table.groupby([*CELL, "channel", "region"], sort=False):
        assert isinstance(key, tuple)
        reached = np.asarray(cell["success_loss"], dtype=bool)
        over = reached if reached.any() else np.ones(len(cell), dtype=bool)
        fitted, losses = (np.asarray(cell[name], dtype=float)[over] for name in ("fitted", "best_loss"))
        made.append(
            dict(zip((*CELL, "channel", "region"), key, strict=True))
            | {"unit": cell["unit"].iloc[0], "fits": len(fitted), "reached": bool(reached.any())}
            | {"best": float(fitted[losses.argmin()]), "median": float(np.median(fitted))}
            | {"lowest": fitted.min(), "highest": fitted.max(), "highest_over_lowest": fitted.max() / fitted.min()}
        )
    return pd.DataFrame(made, columns=pd.Index(COLUMNS))


COLUMNS = (*CELL, "channel", "region", "unit", "fits", "reached", "best", "median", "lowest", "highest", "highest_over_lowest")
