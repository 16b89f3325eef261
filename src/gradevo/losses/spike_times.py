"""A distance of spike times that tolerates small shifts and has a gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradevo.losses.base import Loss, Recorded, arrays_of, by_trace, like


def spike_times(recorded: Recorded, *, tau_ms: float = 2.0, threshold_mV: float = -20.0, slope_mV: float = 4.0) -> Loss:
    """The distance of van Rossum (2001, doi 10.1162/089976601300014321) between softly thresholded traces.

    s(t) = 1 / (1 + exp(-(V - threshold) / slope)) is near 1 during a spike and near 0 otherwise. With e the difference of the
    two traces' s, filtered as f' = -f / tau + e, the distance is D = (1 / tau) times the integral of f^2, until long after the
    recording's end. A term is the mean of D over recorded sites, in ms2.

    A spike that lasts w << tau above threshold and is missing costs w^2 / 2; one that is shifted by d costs
    w^2 (1 - exp(-d / tau)): little for d << tau. What happens below threshold is hardly seen.

    tau_ms : how large a shift is tolerated
    threshold_mV, slope_mV : where a spike begins, and how softly

    Raises
    ------
    ValueError : a tau or slope that is not positive, fewer than two samples, or a trace that was recorded with gaps
    """
    for name, value in (("tau_ms", tau_ms), ("slope_mV", slope_mV)):
        if not value > 0:
            raise ValueError(f"{name} is {value}; it must be positive")
    interval = recorded.interval_ms
    weights = recorded.site_weights()
    decay = float(np.exp(-interval / tau_ms))
    gain = -tau_ms * float(np.expm1(-interval / tau_ms))

    def terms(voltages: Any, target: Any) -> Any:
        tanh = arrays_of(voltages).tanh  # the logistic function without an exp that overflows
        error = tanh((by_trace(voltages) - threshold_mV) / (2 * slope_mV)) / 2
        error = error - tanh((by_trace(target) - threshold_mV) / (2 * slope_mV)) / 2
        filtered = 0.0 * error[..., 0]
        distance = filtered
        for sample in range(1, error.shape[-1]):
            # exact for an error that is constant from one sample to the next
            filtered = decay * filtered + gain * error[..., sample]
            distance = distance + (interval / tau_ms) * filtered**2
        distance = distance + filtered**2 / 2  # from the end of the recording on
        if weights is not None:
            distance = distance * like(distance, weights * weights.shape[1])
        total = distance[..., 0]
        for site in range(1, distance.shape[-1]):
            total = total + distance[..., site]
        return total / distance.shape[-1]

    return Loss("spike_times", terms, numbers_per_sample=12.0)
