"""Which samples of which site were recorded under which stimulus: experiments do not record everything in every sweep.

A mask is boolean, [stimuli, samples, recorded]. Simulations know nothing of it: they give a protocol's union of sites and times
under every stimulus, which costs next to nothing more, and losses leave out what was not recorded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gradevo.protocol import Protocol, resolve_sites


def checked_observed(field: str, observed: np.ndarray | None, protocol: Protocol) -> np.ndarray | None:
    """The mask, or None where all is recorded. Raises ValueError for another shape or type, and for a stimulus or site without
    any recording."""
    if observed is None:
        return None
    observed = np.ascontiguousarray(observed)
    expected = _shape(protocol)
    if observed.shape != expected or observed.dtype != np.bool_:
        raise ValueError(
            f"{field} is {observed.dtype} {observed.shape}; it must be a boolean mask [stimuli, samples, recorded] = {expected}"
        )
    for s in np.flatnonzero(~observed.any(axis=(1, 2))):
        raise ValueError(f"{field} says that nothing was recorded under stimulus {s}; leave that stimulus out of the protocol")
    for r in np.flatnonzero(~observed.any(axis=(0, 1))):
        raise ValueError(
            f"{field} says that recorded site {r} (compartment {protocol.recorded[r]}) was recorded under no stimulus; leave it "
            "out of the protocol's recorded sites"
        )
    return None if observed.all() else observed


def checked_trace(field: str, trace: np.ndarray, protocol: Protocol, observed: np.ndarray | None) -> np.ndarray:
    """The voltages [stimuli, samples, recorded], NaN where nothing was recorded. Raises ValueError for another shape, or for
    numbers that are not finite where something was."""
    trace = np.ascontiguousarray(trace, dtype=float)
    if trace.shape != _shape(protocol):
        raise ValueError(f"{field} has shape {trace.shape}; its protocol makes [stimuli, samples, recorded] = {_shape(protocol)}")
    wrong = ~np.isfinite(trace) if observed is None else observed & ~np.isfinite(trace)
    for s, k, r in np.argwhere(wrong):
        raise ValueError(
            f"{field} holds {trace[s, k, r]} at stimulus {s}, sample {k}, recorded site {r} (compartment "
            f"{protocol.recorded[r]} at {protocol.sample_times_ms[k]:g} ms); targets must be finite, "
            "but for what `observed` says was not recorded"
        )
    return trace if observed is None else np.where(observed, trace, np.nan)


def comparable(trace: np.ndarray, observed: np.ndarray | None) -> np.ndarray:
    """The voltages with a number where nothing was recorded, as zero weight times NaN would still be NaN."""
    return trace if observed is None else np.where(observed, trace, 0.0)


def declared_observed(recordings: Sequence[Mapping[str, Any]], protocol: Protocol, n_compartments: int) -> np.ndarray:
    """The mask that a config's `recordings` add up to. Each entry: stimuli (numbers), sites (compartments), windows_ms
    (pairs [begin, end], ends included); whatever an entry leaves out is all of it.

    Raises ValueError for a stimulus that does not exist, a site that is not recorded, or a window without a sample.
    """
    mask = np.zeros(_shape(protocol), dtype=bool)
    times = protocol.sample_times_ms
    for i, entry in enumerate(recordings):
        place = f"recordings[{i}]"
        stimuli = entry.get("stimuli", range(protocol.n_stimuli))
        for s in stimuli:
            if not 0 <= s < protocol.n_stimuli:
                raise ValueError(f"{place} names stimulus {s}; there are stimuli 0 to {protocol.n_stimuli - 1}")
        sites = resolve_sites(entry.get("sites", protocol.recorded), n_compartments, f"{place} site")
        for site in sites:
            if site not in protocol.recorded:
                raise ValueError(f"{place} names compartment {site}, which is not among the problem's recorded sites")
        inside = samples_within(times, entry["windows_ms"]) if "windows_ms" in entry else np.ones(len(times), dtype=bool)
        columns = np.array([protocol.recorded.index(site) for site in sites])
        mask[np.ix_(np.array(stimuli), np.flatnonzero(inside), columns)] = True
    return mask


def samples_within(times_ms: np.ndarray, windows_ms: Sequence[Sequence[float]]) -> np.ndarray:
    """[samples] whether a sample lies in any of the windows [begin, end], ends included. Raises ValueError for an end before its
    begin, or a window without a sample."""
    slack = 1e-9 * max(1.0, float(np.abs(times_ms).max()))
    inside = np.zeros(len(times_ms), dtype=bool)
    for begin, end in windows_ms:
        if not begin <= end:
            raise ValueError(f"the window [{begin}, {end}] ms ends before it begins; swap the two")
        chosen = (times_ms >= begin - slack) & (times_ms <= end + slack)
        if not chosen.any():
            raise ValueError(
                f"no sample lies in the window [{begin}, {end}] ms; samples go from {times_ms[0]:g} to {times_ms[-1]:g} ms, "
                f"{len(times_ms)} in all"
            )
        inside |= chosen
    return inside


def _shape(protocol: Protocol) -> tuple[int, int, int]:
    return (protocol.n_stimuli, protocol.n_samples, len(protocol.recorded))
