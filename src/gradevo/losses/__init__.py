"""Losses between simulated and target voltages, one kind per file. A kind is one function and its entries below."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import Parameter, signature
from typing import Any

from gradevo.losses.base import Loss, Recorded
from gradevo.losses.mse import mse, published_mse
from gradevo.losses.phase_plane import phase_plane
from gradevo.losses.spike_times import spike_times
from gradevo.losses.windows import windows

__all__ = ["LOSSES", "LOSS_UNITS", "Loss", "Recorded", "loss_spec", "make_loss"]

LOSSES: dict[str, Callable[..., Loss]] = {
    "mse": mse,
    "published_mse": published_mse,
    "windows": windows,
    "spike_times": spike_times,
    "phase_plane": phase_plane,
}

LOSS_UNITS = {"mse": "mV2", "published_mse": "mV2", "windows": "mV2", "spike_times": "ms2", "phase_plane": "no unit"}


def loss_spec(declared: str | Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """What a config declares (a name, or a mapping with the name as `kind`) as (name, settings)."""
    if isinstance(declared, str):
        return declared, {}
    settings = dict(declared)
    return settings.pop("kind"), settings


def make_loss(declared: str | Mapping[str, Any], recorded: Recorded) -> Loss:
    """The declared loss for a recording.

    Raises
    ------
    ValueError : an unknown name or setting, a setting that is missing, or what the loss itself refuses
    """
    name, settings = loss_spec(declared)
    if name not in LOSSES:
        raise ValueError(f"unknown loss {name!r}; use one of {', '.join(LOSSES)}")
    known = {key: entry.default for key, entry in signature(LOSSES[name]).parameters.items() if key != "recorded"}
    for key in settings:
        if key not in known:
            raise ValueError(f"loss {name!r} has no setting {key!r}; known: {', '.join(known) or 'none'}")
    for key, default in known.items():
        if default is Parameter.empty and key not in settings:
            raise ValueError(f"loss {name!r} needs the setting {key!r}")
    try:
        return LOSSES[name](recorded, **settings)
    except ValueError as error:
        raise ValueError(f"loss {name!r}: {error}") from None
