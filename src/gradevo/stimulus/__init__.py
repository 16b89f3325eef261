"""Injected currents, piecewise constant in time, in nA. One kind per file; all of them follow from their seeds.

Time goes from 0 to the recording's end. A kind is one generator and one entry in `GENERATORS`.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from gradevo.stimulus.alpha_synapses import alpha_synapses
from gradevo.stimulus.base import Stimulus, first_shared
from gradevo.stimulus.ornstein_uhlenbeck import ornstein_uhlenbeck
from gradevo.stimulus.ramps import ramps
from gradevo.stimulus.sine_sweeps import sine_sweeps
from gradevo.stimulus.steps import random_steps, steps

__all__ = [
    "GENERATORS", "Stimulus", "alpha_synapses", "first_shared", "make_stimulus", "ornstein_uhlenbeck", "ramps", "random_steps",
    "sine_sweeps", "steps",
]  # fmt: skip

# The random kinds: generator(n_stimuli, n_sites, duration_ms, ..., seed).
GENERATORS: dict[str, Callable[..., Stimulus]] = {
    "random_steps": random_steps,
    "ornstein_uhlenbeck": ornstein_uhlenbeck,
    "ramps": ramps,
    "sine_sweeps": sine_sweeps,
    "alpha_synapses": alpha_synapses,
}


def make_stimulus(declared: Mapping[str, Any], areas_um2: np.ndarray, duration_ms: float, to_nA: float) -> Stimulus:
    """The stimulus that a config declares, for sites of these membrane areas [n_sites] um2.

    declared: ``kind``, ``count`` (of stimuli) and the generator's arguments, with ``_uA_cm2`` for ``_nA``: currents are
    declared per membrane area, so that large and small compartments are driven alike. to_nA: uA/cm2 times um2 in nA.

    Raises:
        ValueError: as the generators do.
    """
    # generators are linear in their currents: drawn as densities, then multiplied by the areas
    settings = {key.replace("_uA_cm2", "_nA"): value for key, value in declared.items() if key not in ("kind", "count")}
    if declared["kind"] == "steps":
        amplitudes = np.array(settings.pop("amplitudes_nA"), dtype=float)
        drawn = steps(np.repeat(amplitudes[:, None], len(areas_um2), axis=1), **settings)
    else:
        drawn = GENERATORS[declared["kind"]](declared["count"], len(areas_um2), duration_ms, **settings)
    return Stimulus(drawn.edges_ms, drawn.values_nA * (to_nA * areas_um2)[None, :, None])
