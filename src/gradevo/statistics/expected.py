"""The expected running time (Hansen et al. 2021, COCO): the cost of restarting a method until it reaches a target."""

from __future__ import annotations

import numpy as np


def expected_cost(spent: np.ndarray, reached: np.ndarray, times: np.ndarray | None = None) -> np.ndarray:
    """T_success + T_fail (1 - p) / p, infinite where p = 0.

    spent [n, ...]: what each of n runs spent, until the target if it reached it, or else in all; reached [n] (bool).
    T_success is the mean of the runs that reached it, T_fail that of the others (the budget, or less where they gave up or
    broke down), p the share that reached it. All that was spent divided by the number of successes is the same number, and
    is how it is computed. Shape [...]; with times [m, n], how often each run is in each resample, [m, ...].
    """
    if times is None:
        return expected_cost(spent, reached, np.ones((1, len(spent))))[0]
    total, successes = np.tensordot(times, spent, axes=1), times @ reached
    successes = successes.reshape(-1, *[1] * (spent.ndim - 1))
    return np.where(successes > 0, total / np.maximum(successes, 1), np.inf)
