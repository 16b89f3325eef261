"""BluePyOpt on NEURON, fitting the voltage: an objective per stimulus."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradevo.meter import Meter
from gradevo.methods import Outcome
from gradevo.methods.bluepyopt_neuron import minimise
from gradevo.methods.neuron_scores import squared_errors
from gradevo.problem import Problem


def run(problem: Problem, meter: Meter, rng: np.random.Generator, **settings: Any) -> Outcome:
    """Minimise the squared errors of NEURON's voltages. Settings: see `minimise`.

    Raises ValueError for settings out of range, for a neuron that NEURON cannot hold, and RunEnded.
    """
    return minimise("bluepyopt_neuron_mse", problem, meter, rng, squared_errors, settings)
