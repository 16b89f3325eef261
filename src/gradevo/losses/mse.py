"""Mean squared errors of the voltage."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradevo.losses.base import Loss, Recorded, squares_loss


def mean_squared_error(voltages: Any, target: Any) -> Any:
    """Mean over samples and recorded sites.

    voltages [..., stimuli, samples, recorded] mV, target [stimuli, samples, recorded] mV -> [..., stimuli] mV2.
    """
    return ((voltages - target) ** 2).mean(axis=(-2, -1))


def mse(recorded: Recorded) -> Loss:
    """The mean squared error over what was recorded under each stimulus."""
    if recorded.observed is not None:
        return squares_loss("mse", recorded.observed, recorded.observed.sum(axis=(1, 2)))
    shape = (len(recorded.times_ms), recorded.n_recorded)
    return Loss("mse", mean_squared_error, np.full(shape, 1 / np.prod(shape)))


def published_mse(recorded: Recorded) -> Loss:
    """The mean squared error of Jones and Kording (arXiv 2407.04025): the mean is over all compartments, the unrecorded ones
    being zero in both. The same as `mse` up to a constant factor. What else was not recorded is zero in both likewise.
    """
    if recorded.observed is not None:
        return squares_loss("published_mse", recorded.observed, len(recorded.times_ms) * recorded.n_compartments)
    factor = recorded.n_recorded / recorded.n_compartments
    shape = (len(recorded.times_ms), recorded.n_recorded)
    return Loss(
        "published_mse",
        lambda voltages, target: mean_squared_error(voltages, target) * factor,
        np.full(shape, factor / np.prod(shape)),
    )
