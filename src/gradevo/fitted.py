"""What a fit says that its neuron does: voltages under the fitted stimuli and the held-out ones."""

from __future__ import annotations

import numpy as np

from gradevo.problem import Problem
from gradevo.protocol import Protocol
from gradevo.simulate import simulate_numpy


def fitted_voltages(problem: Problem, values: np.ndarray) -> list[np.ndarray]:
    """[stimuli, samples, recorded] mV of the parameters [P], and where stimuli are held out the same under those."""
    inputs = problem.parameters.inputs(np.asarray(values)[None])

    def voltages(protocol: Protocol) -> np.ndarray:
        return simulate_numpy(problem.neuron, inputs.densities, protocol, **inputs.passive())[0]

    heldout = [] if problem.heldout is None else [problem.heldout[0]]
    return [voltages(protocol) for protocol in (problem.protocol, *heldout)]
