"""Mean squared error over chosen windows of time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gradevo.losses.base import Loss, Recorded
from gradevo.losses.mse import mean_squared_error


def windows(recorded: Recorded, *, windows_ms: Sequence[tuple[float, float]]) -> Loss:
    """The mean squared error over the samples that lie in any of the windows, ends included; each counts once.

    windows_ms : pairs (begin, end)

    Raises
    ------
    ValueError : no windows, an end before its begin, or a window without a sample
    """
    times = recorded.times_ms
    if len(windows_ms) == 0:
        raise ValueError("windows_ms is empty; give at least one [begin, end]")
    slack = 1e-9 * max(1.0, float(np.abs(times).max()))
    inside = np.zeros(len(times), dtype=bool)
    for begin, end in windows_ms:
        if not begin <= end:
            raise ValueError(f"the window [{begin}, {end}] ms ends before it begins; swap the two")
        chosen = (times >= begin - slack) & (times <= end + slack)
        if not chosen.any():
            raise ValueError(
                f"no sample lies in the window [{begin}, {end}] ms; samples go from {times[0]:g} to {times[-1]:g} ms, "
                f"{len(times)} in all"
            )
        inside |= chosen
    samples = np.flatnonzero(inside)

    def terms(voltages: Any, target: Any) -> Any:
        return mean_squared_error(voltages[..., samples, :], target[..., samples, :])

    weights = np.zeros((len(times), recorded.n_recorded))
    weights[samples] = 1 / (len(samples) * recorded.n_recorded)
    return Loss("windows", terms, weights)
