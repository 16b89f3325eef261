"""Where traces go in the phase plane, whenever they go there."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradevo.losses.base import Loss, Recorded, arrays_of, by_trace


def phase_plane(
    recorded: Recorded,
    *,
    width_mV: float = 5.0,
    width_mV_ms: float = 10.0,
    range_mV: tuple[float, float] = (-110.0, 70.0),
    range_mV_ms: tuple[float, float] = (-250.0, 450.0),
) -> Loss:
    """The phase-plane trajectory density of LeMasson and Maex (2001, Introduction to equation solving and parameter fitting,
    in De Schutter, ed., Computational Neuroscience: Realistic Modeling for Experimentalists, CRC Press), with a gradient.

    Their histogram counts a trace's points in cells of (V, dV/dt). Here each point, the middle of two successive samples, is
    spread by a Gaussian instead, and the density is read on a grid that is as fine as the Gaussian is wide. With p the
    density of the voltages and q that of the target, a term is the mean over recorded sites of sum (p - q)^2 / sum q^2. It has
    no unit: 0 for equal densities, about 1 for a point that a target never visits. When something happens makes no difference.

    width_mV, width_mV_ms : standard deviations of the Gaussian. Densities further apart than a few of these see nothing of
        each other: wide ones guide a search from afar, narrow ones tell close traces apart
    range_mV, range_mV_ms : of the grid; points beyond it count for nothing

    Raises
    ------
    ValueError : widths that are not positive, ranges that cross, or fewer than two samples
    """
    axes = []
    for name, width, (low, high) in (("mV", width_mV, range_mV), ("mV_ms", width_mV_ms, range_mV_ms)):
        if not width > 0:
            raise ValueError(f"width_{name} is {width}; it must be positive")
        if not low < high:
            raise ValueError(f"range_{name} [{low}, {high}] is empty; give [low, high]")
        axes.append(np.arange(low, high + width, width))
    interval = recorded.interval_ms
    voltage_axis, slope_axis = axes

    def density(traces: Any) -> Any:
        """[..., samples] mV -> [..., voltages, slopes], up to a constant factor."""
        module = arrays_of(traces)
        middle = (traces[..., 1:] + traces[..., :-1]) / 2
        slope = (traces[..., 1:] - traces[..., :-1]) / interval
        along_v = module.exp(-(((middle[..., None, :] - module.asarray(voltage_axis)[:, None]) / width_mV) ** 2) / 2)
        along_slope = module.exp(-(((slope[..., None] - module.asarray(slope_axis)) / width_mV_ms) ** 2) / 2)
        return (along_v @ along_slope) / middle.shape[-1]

    def terms(voltages: Any, target: Any) -> Any:
        aim = density(by_trace(target))
        norm = _sum(aim**2)
        if not (norm > 0).all():
            raise ValueError(f"a target trace lies wholly outside range_mV {range_mV} and range_mV_ms {range_mV_ms}; widen them")
        error = _sum((density(by_trace(voltages)) - aim) ** 2) / norm
        return error.sum(axis=-1) / error.shape[-1]

    cells = len(voltage_axis) * len(slope_axis)
    numbers = 5 * (len(voltage_axis) + len(slope_axis)) + 4 * cells / max(1, len(recorded.times_ms) - 1)
    return Loss("phase_plane", terms, numbers_per_sample=numbers)


def _sum(density: Any) -> Any:
    """Over the last two axes: as one contiguous axis, whose order of summation is the same for every batch."""
    return density.reshape(*density.shape[:-2], density.shape[-2] * density.shape[-1]).sum(axis=-1)
