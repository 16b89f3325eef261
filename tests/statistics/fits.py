"""Tables of fits made by hand."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from gradevo.statistics import AXES, COST_COLUMNS
from gradevo.statistics.cells import REACHED


def summary(costs: ArrayLike, spent: ArrayLike, *, method: str = "lbfgs", problem: str = "p") -> pd.DataFrame:
    """A row per fit, with the same numbers on every axis; a cost of NaN is a target that was missed."""
    cost = np.asarray(costs, float)
    reached = np.isfinite(cost)
    table = pd.DataFrame({"problem": problem, "method": method, "seed": range(len(cost)), "n_parameters": 12})
    table = table.assign(status="budget", success_loss=reached, success_density=False, loss_target=1.0)
    for quantity in REACHED:
        table[quantity] = np.where(reached, 0.5, 2.0)
    for axis in AXES:
        table[axis], table[COST_COLUMNS[axis]] = np.asarray(spent, float), cost
    return table


def hits(
    costs: ArrayLike, spent: ArrayLike | None = None, *, method: str, problem: str = "p", n_parameters: int = 12,
    target: str = "loss",
) -> pd.DataFrame:  # fmt: skip
    """A row per fit as from ``target_hits``; a cost of NaN is a target that was missed after what was spent (100)."""
    cost = np.asarray(costs, float)
    reached = np.isfinite(cost)
    paid = np.where(reached, cost, 100.0 if spent is None else np.asarray(spent, float))
    table = pd.DataFrame({"problem": problem, "method": method, "seed": range(len(cost)), "n_parameters": n_parameters})
    return table.assign(target=target, reached=reached, **dict.fromkeys(AXES, paid))
