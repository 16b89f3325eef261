"""Mean squared error over chosen windows of time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gradevo.losses.base import Loss, Recorded, squares_loss
from gradevo.observations import samples_within


def windows(recorded: Recorded, *, windows_ms: Sequence[tuple[float, float]]) -> Loss:
    """The mean squared error over the samples that lie in any of the windows, ends included; each counts once.
    Of those, the recorded ones count, under each stimulus.

    windows_ms : pairs (begin, end)

    Raises
    ------
    ValueError : no windows, an end before its begin, a window without a sample, or a stimulus without a recorded one
    """
    times = recorded.times_ms
    if len(windows_ms) == 0:
        raise ValueError("windows_ms is empty; give at least one [begin, end]")
    inside = samples_within(times, windows_ms)
    if recorded.observed is not None:
        kept = recorded.observed & inside[:, None]
        counts = kept.sum(axis=(1, 2))
        for stimulus in np.flatnonzero(counts == 0):
            raise ValueError(f"nothing was recorded under stimulus {stimulus} in the windows {windows_ms} ms; widen them")
        return squares_loss("windows", kept / counts[:, None, None])
    samples = np.flatnonzero(inside)

    weights = np.zeros((len(times), recorded.n_recorded))
    weights[samples] = 1 / (len(samples) * recorded.n_recorded)
    return squares_loss("windows", weights)
