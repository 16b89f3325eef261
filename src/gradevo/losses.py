"""Losses between simulated and target voltages. They accept NumPy arrays and torch tensors alike.

Each returns a term per stimulus; their mean is the loss. A NaN in the voltages (a diverged simulation) stays a NaN here
and becomes an infinite loss in the problem.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

LOSSES = ("mse", "published_mse")


def mean_squared_error(voltages: Any, target: Any) -> Any:
    """Mean over samples and recorded sites.

    voltages [..., stimuli, samples, recorded] mV, target [stimuli, samples, recorded] mV -> [..., stimuli] mV2.
    """
    return ((voltages - target) ** 2).mean(axis=(-2, -1))


def loss_terms(name: str, n_recorded: int, n_compartments: int) -> Callable[[Any, Any], Any]:
    """The loss called `name`, as a function (voltages, target) -> terms per stimulus.

    "mse" is the mean squared error over what was recorded. "published_mse" (Jones and Kording, arXiv 2407.04025)
    takes the mean over all compartments, the unrecorded ones being zero in both: the same up to a constant factor.
    Raises ValueError for an unknown name.
    """
    if name == "mse":
        return mean_squared_error
    if name == "published_mse":
        factor = n_recorded / n_compartments
        return lambda voltages, target: mean_squared_error(voltages, target) * factor
    raise ValueError(f"unknown loss {name!r}; use one of {', '.join(LOSSES)}")
