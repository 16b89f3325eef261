"""A verdict per fit: whose fault is what it missed?

chi2 is the sum of squared residuals over the noise's variance, the excess that of the fit over the best known one (the truth's,
or any better loss that is given). The rules, in this order:

- recovered: every density is within `threshold` (1 %) of the truth;
- the optimiser's fault: the excess is above the CONFIDENCE quantile of chi2 with one degree of freedom, 3.8. A better loss
  exists, and a density may be further from where it is best than two of its bounds;
- the model's fault, or the stated noise's: chi2 is above the FLOOR quantile of chi2 with as many degrees of freedom as there are
  data, although no better loss is known: even the truth is above the noise floor;
- the data's fault, locally: at least WEAK_SHARE of the squared norm of the errors (logarithms of fitted over true) lies within
  the weak subspace, the eigenvectors of the information along which the standard deviation is not below `threshold`; or the
  errors are what noise makes, their squared norm under the information below the FLOOR quantile with rank degrees of freedom;
- the data's fault, globally: the fit is as good as the best known, but its errors are neither. A distant solution explains the
  data as well, which no local theory can foresee.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy.stats import chi2 as chi2_distribution

from gradevo.identifiability.information import Information, fisher_information
from gradevo.identifiability.squares import Squares, check_values
from gradevo.identifiability.verdicts import IDENTIFIED
from gradevo.problem import Problem

CONFIDENCE = 0.95
FLOOR = 0.999
WEAK_SHARE = 0.9


class Fault(StrEnum):
    none = "recovered"
    optimiser = "the optimiser's: a better loss exists"
    model = "the model's or the stated noise's: the truth is above the noise floor"
    data = "the data's: errors along weak directions, or the noise's"
    elsewhere = "the data's: a distant solution fits as well"


@dataclass(frozen=True)
class FitVerdict:
    """excess and its limit, chi2 and its floor as in the rules; weak_share: of the errors' squared norm (NaN without errors);
    error_chi2: the errors' squared norm under the information, about the rank for a fit that only noise displaced."""

    fault: Fault
    chi2: float
    floor: float
    excess: float
    excess_limit: float
    weak_share: float
    error_chi2: float
    worst_error: float


def judge_fit(
    problem: Problem,
    fitted: np.ndarray,
    noise_mV: float,
    information: Information | None = None,
    better: np.ndarray | None = None,
    threshold: float = IDENTIFIED,
) -> FitVerdict:
    """Parameters [P] that a method found for `problem`.

    noise_mV : of the recordings; for targets without noise, the one at which the fit shall be told from the truth
    information : at the truth under that noise; None computes it
    better : parameters [k, P] of other fits, which may have found a better loss than the truth's

    Raises ValueError for a problem without a truth, a noise that is not above 0, or densities that are not positive.
    """
    if problem.truth is None:
        raise ValueError(
            f"problem {problem.name!r} has no true parameters (unknown, or varying within its regions): fits cannot be judged "
            "by their errors"
        )
    squares = Squares(problem, noise_mV)
    fitted = check_values(problem, fitted)
    info = fisher_information(problem, problem.truth, noise_mV) if information is None else information
    if info.noise_mV != noise_mV:
        raise ValueError(f"the information is of noise {info.noise_mV} mV, not of {noise_mV} mV; take that of one noise")
    others = [] if better is None else [check_values(problem, other) for other in np.atleast_2d(better)]
    chi2 = squares.chi2(fitted)
    excess = chi2 - min(squares.chi2(known) for known in (problem.truth, *others))
    limit = float(chi2_distribution.ppf(CONFIDENCE, 1))
    # chi2 has the noise of first samples too, which no density changes
    floor = float(chi2_distribution.ppf(FLOOR, max(int(squares.counted.sum()), 1)))
    errors = np.log(fitted / problem.truth)
    along = (info.spectrum.directions.T @ errors) ** 2
    weak = info.spectrum.eigenvalues <= threshold**-2
    share = float(along[weak].sum() / along.sum()) if along.any() else float("nan")
    worst = float(np.abs(fitted / problem.truth - 1).max())
    error_chi2 = float(info.spectrum.eigenvalues @ along)
    noisy = error_chi2 <= chi2_distribution.ppf(FLOOR, max(info.spectrum.rank, 1))
    if worst <= threshold:
        fault = Fault.none
    elif not excess <= limit:
        fault = Fault.optimiser
    elif chi2 > floor:
        fault = Fault.model
    else:
        fault = Fault.data if share >= WEAK_SHARE or noisy else Fault.elsewhere
    return FitVerdict(fault, chi2, floor, excess, limit, share, error_chi2, worst)
