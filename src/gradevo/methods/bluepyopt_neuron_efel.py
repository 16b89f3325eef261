"""BluePyOpt on NEURON, fitting eFEL features of the target traces, an objective each."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from gradevo.meter import Meter
from gradevo.methods import Outcome
from gradevo.methods.bluepyopt_neuron import minimise
from gradevo.methods.neuron_scores import feature_distances
from gradevo.problem import Problem


def run(
    problem: Problem,
    meter: Meter,
    rng: np.random.Generator,
    *,
    features: Sequence[str],
    sites: int | None,
    std_share: float,
    **settings: Any,
) -> Outcome:
    """Minimise the distances of NEURON's features from the target's. Settings: see `feature_distances` and `minimise`.

    Raises ValueError for settings out of range, for a neuron that NEURON cannot hold, and RunEnded.
    """
    if std_share <= 0 or (sites is not None and sites < 1):
        raise ValueError(f"bluepyopt_neuron_efel: std_share must be above 0, sites at least 1; got {std_share=}, {sites=}")
    calculator_of = partial(feature_distances, features=features, sites=sites, std_share=std_share)
    return minimise("bluepyopt_neuron_efel", problem, meter, rng, calculator_of, settings)
