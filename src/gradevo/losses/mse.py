"""Mean squared errors of the voltage."""

from __future__ import annotations

import numpy as np

from gradevo.losses.base import Loss, Recorded, squares_loss


def mse(recorded: Recorded) -> Loss:
    """The mean squared error (mV2) over what was recorded under each stimulus."""
    return squares_loss("mse", _shares(recorded))


def published_mse(recorded: Recorded) -> Loss:
    """The mean squared error of Jones and Kording (arXiv 2407.04025): the mean is over all compartments, the unrecorded ones
    being zero in both. The same as `mse` up to a constant factor. What else was not recorded is zero in both likewise.
    """
    if recorded.observed is not None:
        return squares_loss("published_mse", recorded.observed / (len(recorded.times_ms) * recorded.n_compartments))
    return squares_loss("published_mse", _shares(recorded) * (recorded.n_recorded / recorded.n_compartments))


def _shares(recorded: Recorded) -> np.ndarray:
    """The same weight for all that was recorded under a stimulus."""
    if recorded.observed is not None:
        return recorded.observed / recorded.observed.sum(axis=(1, 2), keepdims=True)
    shape = (len(recorded.times_ms), recorded.n_recorded)
    return np.full(shape, 1 / np.prod(shape))
