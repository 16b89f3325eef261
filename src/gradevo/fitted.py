"""What a fit says that its neuron does: voltages under the fitted stimuli and the held-out ones."""

from __future__ import annotations

import numpy as np

from gradevo.problem import Problem
from gradevo.protocol import Protocol
from gradevo.simulate import simulate_numpy


def fitted_voltages(problem: Problem, values: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """[stimuli, samples, recorded] mV of the parameters [P], and the same under the held-out stimuli where there are any."""
    inputs = problem.parameters.inputs(np.asarray(values)[None])

    def voltages(protocol: Protocol) -> np.ndarray:
        return simulate_numpy(problem.neuron, inputs.densities, protocol, **inputs.passive())[0]

    return voltages(problem.protocol), None if problem.heldout is None else voltages(problem.heldout[0])
