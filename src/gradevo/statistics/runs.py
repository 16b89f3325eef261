"""The fits of two methods on one problem, seed by seed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from gradevo.statistics import COMPARED_AXES


class Runs(NamedTuple):
    """Of one method on one problem and target: seeds [n], spent [n, COMPARED_AXES], reached [n]."""

    seeds: np.ndarray
    spent: np.ndarray
    reached: np.ndarray

    def at(self, rows: np.ndarray) -> Runs:
        return Runs(self.seeds[rows], self.spent[rows], self.reached[rows])


def runs_by_method(cell: pd.DataFrame) -> dict[str, Runs]:
    """Of the rows of ``hits.target_hits`` that belong to one problem and target."""
    return {
        str(method): Runs(part["seed"].to_numpy(), part[list(COMPARED_AXES)].to_numpy(float), part["reached"].to_numpy(bool))
        for method, part in cell.groupby("method", sort=False)
    }


def paired(first: Runs, second: Runs) -> tuple[Runs, Runs]:
    """Both on the seeds that both have, in the same order."""
    _, i, j = np.intersect1d(first.seeds, second.seeds, return_indices=True)
    return first.at(i), second.at(j)
