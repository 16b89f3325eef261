"""The data as independent Gaussian samples: which count, their squared errors, and the products of their derivatives."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gradevo.kernels import cpu
from gradevo.observations import comparable
from gradevo.problem import Problem
from gradevo.sensitivity import ResidualProducts, residual_products
from gradevo.simulate import simulate_numpy


@dataclass(frozen=True, eq=False)
class Squares:
    """A problem's recorded samples, each with the standard deviation noise_mV.

    Raises ValueError for a noise that is not positive and finite.
    """

    problem: Problem
    noise_mV: float

    def __post_init__(self) -> None:
        check_noise(self.noise_mV)

    @cached_property
    def counted(self) -> np.ndarray:
        """Boolean [stimuli, samples, recorded]: what was recorded and enters the loss, if that is a sum of squares.

        Any other loss is judged by the voltages that it was computed from: it cannot know more.
        """
        problem = self.problem
        weights = problem.loss_function.weights
        counted = np.ones(problem.target.shape, dtype=bool) if problem.observed is None else problem.observed
        return counted if weights is None else counted & np.broadcast_to(weights > 0, problem.target.shape)

    @cached_property
    def n_data(self) -> int:
        """Samples that densities can change: the first of every trace is the initial state."""
        return int(self.counted[:, 1:].sum())

    @cached_property
    def weights(self) -> np.ndarray:
        """[stimuli, samples, recorded] 1 / mV2: `residual_products` averages over stimuli, chi2 adds them up."""
        return self.counted * (self.problem.protocol.n_stimuli / self.noise_mV**2)

    def products(self, values: np.ndarray) -> ResidualProducts:
        """chi2, J^T r and J^T J at parameters [P] for residuals in units of the noise, J in log-density units."""
        chi2, half, normal = residual_products(self.problem.parameters, self._plan, self._target, self.weights, values)
        return ResidualProducts(chi2, half * values, normal * values[:, None] * values)

    def chi2(self, values: np.ndarray) -> float:
        """Squared residuals at parameters [P] in units of the noise, summed; infinite where a simulation diverged."""
        values = np.asarray(values, dtype=float)[None]
        if not self.problem.parameters.possible(values)[0]:
            return np.inf
        inputs = self.problem.parameters.inputs(values)
        voltages = simulate_numpy(self.problem.neuron, inputs.densities, self._plan, **inputs.passive())[0]
        total = float((((voltages - self._target)[self.counted] / self.noise_mV) ** 2).sum())
        return total if np.isfinite(total) else np.inf

    @cached_property
    def _plan(self) -> cpu.Plan:
        return cpu.make_plan(self.problem.neuron, self.problem.protocol)

    @cached_property
    def _target(self) -> np.ndarray:
        return comparable(self.problem.target, self.problem.observed)


def check_noise(noise_mV: float) -> None:
    """Raises ValueError for a noise that is not positive and finite."""
    if not (np.isfinite(noise_mV) and noise_mV > 0):
        raise ValueError(
            f"noise_mV is {noise_mV}; information and bounds need a noise above 0 mV (without noise, every density that changes "
            "any voltage would be known exactly): state the recording's, such as 0.1"
        )


def check_values(problem: Problem, densities: np.ndarray) -> np.ndarray:
    """The parameters [P] as floats. Raises ValueError for another shape, or for one that is not positive and finite."""
    values = np.asarray(densities, dtype=float)
    if values.shape != (problem.n_parameters,):
        raise ValueError(f"densities have shape {values.shape}; problem {problem.name!r} has [{problem.n_parameters}] parameters")
    wrong = np.flatnonzero(~(np.isfinite(values) & (values > 0)))
    if len(wrong):
        i = int(wrong[0])
        raise ValueError(f"density {problem.parameter_names[i]} is {values[i]}; relative units need positive, finite densities")
    return values
