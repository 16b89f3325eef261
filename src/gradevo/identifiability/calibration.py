"""Do fits of noisy data spread as the bounds say? Repeated fits from the truth, each to its own draw of the noise.

Where the problem is nearly linear on the scale of the bounds, the errors of maximum likelihood over the bounds are standard
normal: z-scores. A spread that is larger says that the bound is optimistic there; profile likelihoods (profile.py) show why.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from gradevo.identifiability.information import cramer_rao, fisher_information
from gradevo.identifiability.refit import refit
from gradevo.identifiability.squares import Squares
from gradevo.problem import Problem
from gradevo.simulate import simulate_numpy


@dataclass(frozen=True, eq=False)
class Calibration:
    """z [draws, P], the errors of the logarithms over their bounds [P]; failed: draws whose fit did not converge, left out."""

    z: np.ndarray
    bounds: np.ndarray
    failed: int

    @property
    def spread(self) -> np.ndarray:
        """[P] standard deviation of the estimates over the bound."""
        return np.sqrt((self.z**2).mean(axis=0))

    def spread_limits(self, level: float = 0.999) -> tuple[float, float]:
        """Between which every one of the P spreads lies with this probability, if the bounds are right: draws times the squared
        spread is chi2 with as many degrees of freedom as draws; Bonferroni for P of them."""
        draws, n = self.z.shape
        tail = (1 - level) / (2 * n)
        low, high = np.sqrt(stats.chi2.ppf([tail, 1 - tail], draws) / draws)
        return float(low), float(high)

    def normality(self) -> np.ndarray:
        """[P] p values of Kolmogorov-Smirnov tests of the z-scores against the standard normal."""
        return np.array([stats.kstest(column, "norm").pvalue for column in self.z.T])

    def agrees(self, level: float = 0.999) -> bool:
        """Whether every spread lies within its limits and no Kolmogorov-Smirnov test rejects, at this level together."""
        low, high = self.spread_limits(level)
        spread = self.spread
        return bool(((spread > low) & (spread < high)).all() and (self.normality() > (1 - level) / self.z.shape[1]).all())


def calibrate(problem: Problem, noise_mV: float, draws: int, seed: int = 0, drawn_noise_mV: float | None = None) -> Calibration:
    """Fits of `problem` to its true voltages with noise of noise_mV, `draws` times, against the bounds at the truth.

    drawn_noise_mV : the noise that is really added, if that shall be another than the bounds are told

    Raises ValueError for a problem without a truth, fewer than two draws, a noise that is not above 0, or a singular
    information matrix, whose densities have no bounds to agree with.
    """
    if problem.truth is None:
        raise ValueError(f"problem {problem.name!r} has no true parameters; calibration needs voltages whose densities are known")
    if draws < 2:
        raise ValueError(f"draws is {draws}; a spread needs at least 2")
    truth = problem.truth
    bounds = cramer_rao(fisher_information(problem, truth, noise_mV))
    inputs = problem.parameters.inputs(truth[None])
    voltages = simulate_numpy(problem.neuron, inputs.densities, problem.protocol, **inputs.passive())[0]
    rng = np.random.default_rng(seed)
    fits = []
    for _ in range(draws):
        noise = rng.normal(0.0, noise_mV if drawn_noise_mV is None else drawn_noise_mV, voltages.shape)
        fits.append(refit(Squares(replace(problem, target=voltages + noise), noise_mV), truth))
    kept = np.array([fit.values for fit in fits if fit.converged]).reshape(-1, len(truth))
    return Calibration(np.log(kept / truth) / bounds, bounds, draws - len(kept))
