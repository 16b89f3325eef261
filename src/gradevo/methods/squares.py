"""The squared errors that a competitor minimises: the problem's own where its loss is a sum of squares."""

from __future__ import annotations

import numpy as np

from gradevo.problem import Problem


def weighted_squares(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Weights and target, both [stimuli, samples, recorded]: a stimulus's term is the sum of weights * (voltages - target)^2.

    For a loss that is no sum of squares they are those of the mean squared error. What was not recorded has no weight and a
    target of 0.
    """
    weights = problem.loss_function.weights
    if weights is None:
        observed = np.isfinite(problem.target)
        weights = observed / observed.sum(axis=(1, 2), keepdims=True)
    return np.broadcast_to(weights, problem.target.shape), np.nan_to_num(problem.target)
