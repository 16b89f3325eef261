"""Where traces go in the phase plane, whenever they go there."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradevo.losses.base import Loss, Recorded, arrays_of, by_trace, like, mean_over_sites

# Added to every cell before the root, whose slope is infinite at 0: a ten-billionth of the time.
EMPTY = 1e-10


def phase_plane(
    recorded: Recorded,
    *,
    width_mV: float = 5.0,
    width_mV_ms: float = 20.0,
    range_mV: tuple[float, float] = (-110.0, 70.0),
    range_mV_ms: tuple[float, float] = (-250.0, 450.0),
    distance: str = "hellinger",
) -> Loss:
    """The phase-plane trajectory density of LeMasson and Maex (2001, Introduction to equation solving and parameter fitting,
    in De Schutter, ed., Computational Neuroscience: Realistic Modeling for Experimentalists, CRC Press), with a gradient.

    Their histogram counts a trace's points in cells of (V, dV/dt). Here each point, the middle of two successive samples, is
    spread by a Gaussian instead, and the density is read on a grid that is as fine as the Gaussian is wide. When something
    happens makes no difference. A term is the mean of the distance over recorded sites; it has no unit, 0 for equal densities.

    width_mV, width_mV_ms : standard deviations of the Gaussian. Densities further apart than a few of these see nothing of
        each other: wide ones guide a search from afar, narrow ones tell close traces apart
    range_mV, range_mV_ms : of the grid; points beyond it count for nothing
    distance : between p, the density of the voltages, and q, that of the target, both with sum 1. "hellinger" is
        sum (sqrt p - sqrt q)^2 / 2, at most 1 and about the share of time spent where the target never is. "squares" is
        sum (p - q)^2 / sum q^2 (squared differences, as in Neurofitter, Van Geit, Achard and De Schutter 2007): rest, where a
        trace spends most of its time, then outweighs spikes

    Raises
    ------
    ValueError : an unknown distance, widths that are not positive, ranges that cross, fewer than two samples, or a trace that was
        recorded with gaps
    """
    if distance not in ("hellinger", "squares"):
        raise ValueError(f"distance is {distance!r}; use hellinger or squares")
    axes = []
    for name, width, (low, high) in (("mV", width_mV, range_mV), ("mV_ms", width_mV_ms, range_mV_ms)):
        if not width > 0:
            raise ValueError(f"width_{name} is {width}; it must be positive")
        if not low < high:
            raise ValueError(f"range_{name} [{low}, {high}] is empty; give [low, high]")
        axes.append(np.arange(low, high + width, width) / width)
    interval = recorded.interval_ms
    weights = recorded.site_weights()
    voltage_axis, slope_axis = axes

    def density(traces: Any) -> Any:
        """[..., samples] mV -> [..., cells of the grid]; the sum over cells is 1 if all points are well inside."""
        module = arrays_of(traces)
        middle = (traces[..., 1:] + traces[..., :-1]) / 2
        slope = (traces[..., 1:] - traces[..., :-1]) / interval
        from_v = (middle / width_mV)[..., None, :] - module.asarray(voltage_axis, device=middle.device)[:, None]
        from_slope = (slope / width_mV_ms)[..., None] - module.asarray(slope_axis, device=slope.device)
        cells = module.exp(from_v * from_v * -0.5) @ module.exp(from_slope * from_slope * -0.5)
        cells = cells * (1 / (2 * np.pi * middle.shape[-1]))
        # one contiguous axis, whose order of summation is the same for every batch
        return cells.reshape(*cells.shape[:-2], len(voltage_axis) * len(slope_axis))

    def terms(voltages: Any, target: Any) -> Any:
        aim, found = density(by_trace(target)), density(by_trace(voltages))
        norm = (aim**2).sum(axis=-1)
        if weights is not None:
            norm = norm + like(norm, weights == 0)  # whatever it is where nothing was recorded
        if not (norm > 0).all():
            raise ValueError(f"a target trace lies wholly outside range_mV {range_mV} and range_mV_ms {range_mV_ms}; widen them")
        if distance == "squares":
            error = ((found - aim) ** 2).sum(axis=-1) / norm
        else:
            root = arrays_of(voltages).sqrt
            error = ((root(found + EMPTY) - root(aim + EMPTY)) ** 2).sum(axis=-1) / 2
        return mean_over_sites(error, weights)

    cells = len(voltage_axis) * len(slope_axis)
    numbers = 5 * (len(voltage_axis) + len(slope_axis)) + 4 * cells / max(1, len(recorded.times_ms) - 1)
    return Loss("phase_plane", terms, numbers_per_sample=numbers)
