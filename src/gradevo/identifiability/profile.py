"""Profile likelihood of one density: how well the data can be explained with it held at other values.

The profile is the least chi2 over all other densities, as a function of the one that is held (Raue et al. 2009,
doi 10.1093/bioinformatics/btp358). By Wilks' theorem the interval in which it rises by less than the chi2 quantile with one
degree of freedom covers the truth at that confidence. The quadratic approximation at the optimum is the Cramer-Rao bound's
interval; where the profile is flatter than its parabola, the bound is optimistic.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2 as chi2_distribution

from gradevo.identifiability.refit import Refit, refit
from gradevo.identifiability.spectrum import spectrum
from gradevo.identifiability.squares import Squares
from gradevo.identifiability.verdicts import NULL_SHARE
from gradevo.problem import Problem

POINTS_PER_SIDE = 40
"""How many points a side may take to reach the threshold before the interval counts as open there."""

LARGEST_RISE = 0.5
"""The root of chi2's rise (standard deviations) that one step along the profile aims at, relative to the threshold's root, where
nothing else is asked for."""

FINEST = 64
"""How many times finer than its first step a side may become, where the others' fit does not follow or chi2 rises too fast."""


@dataclass(frozen=True, eq=False)
class Profile:
    """Of parameter `parameter`, ascending in its values.

    values [k] and fitted [k, P], the others re-optimised; rise [k]: chi2 above the optimum's; converged [k]
    interval : where the rise crosses the threshold; 0 or infinite on a side where it did not within the range searched
    quadratic : the interval of the parabola at the optimum, in the logarithm; 0 and infinite without information
    """

    parameter: int
    values: np.ndarray
    fitted: np.ndarray
    rise: np.ndarray
    converged: np.ndarray
    threshold: float
    interval: tuple[float, float]
    quadratic: tuple[float, float]


def profile(
    problem: Problem,
    parameter: int,
    noise_mV: float,
    start: np.ndarray,
    confidence: float = 0.95,
    largest_factor: float = 10.0,
    step: float = LARGEST_RISE,
) -> Profile:
    """From parameters `start` [P] near the optimum, which is refined first; then outwards, each point begun at its neighbour's
    solution, until the threshold is passed or the density is `largest_factor` away from the optimum. `step` sets how finely: as
    LARGEST_RISE.

    Raises ValueError for a parameter that does not exist, a confidence outside (0, 1), a factor that is not above 1, a step
    outside (0, 1], a noise that is not above 0, or an optimum that the refinement does not reach.
    """
    if not 0 <= parameter < problem.n_parameters:
        raise ValueError(f"parameter {parameter} does not exist; problem {problem.name!r} has 0 to {problem.n_parameters - 1}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}; it must be between 0 and 1, such as 0.95")
    if not largest_factor > 1:
        raise ValueError(f"largest_factor is {largest_factor}; it must be above 1")
    if not 0 < step <= 1:
        raise ValueError(f"step is {step}; it must be above 0 and at most 1, such as {LARGEST_RISE}")
    squares = Squares(problem, noise_mV)
    best = refit(squares, start)
    if not best.converged:
        raise ValueError(
            f"no optimum of problem {problem.name!r} was reached from the start of the profile (chi2 {best.chi2:g}); fit it first"
        )
    threshold = float(chi2_distribution.ppf(confidence, 1))
    found = spectrum(squares.products(best.values).normal_matrix)
    deviation = float(np.sqrt(found.variances[parameter])) if found.null_share[parameter] <= NULL_SHARE else np.inf
    reach, centre = np.log(largest_factor), best.values[parameter]
    aim = step * np.sqrt(threshold)
    sides = [_side(squares, best, parameter, sign, deviation, threshold, reach, aim) for sign in (-1.0, 1.0)]
    fits = [*reversed(sides[0]), best, *sides[1]]
    values = np.array([fit.values[parameter] for fit in fits])
    rise = np.array([fit.chi2 for fit in fits]) - best.chi2
    with np.errstate(over="ignore"):
        half = np.exp(np.sqrt(threshold) * deviation)
    at = len(sides[0])
    low = _crossing(values[at::-1], rise[at::-1], threshold, 0.0)
    high = _crossing(values[at:], rise[at:], threshold, np.inf)
    return Profile(
        parameter=parameter,
        values=values,
        fitted=np.array([fit.values for fit in fits]),
        rise=rise,
        converged=np.array([fit.converged for fit in fits]),
        threshold=threshold,
        interval=(low, high),
        quadratic=(float(centre / half), float(centre * half)),
    )


def _side(
    squares: Squares, best: Refit, parameter: int, sign: float, deviation: float, threshold: float, reach: float, aim: float
) -> list[Refit]:
    """Outwards from the optimum, in steps that adapt to how fast chi2 rises: its root by about `aim` each."""
    step = min(aim * deviation, reach / 4)
    distance, points = 0.0, [best]
    finest = step / FINEST
    while len(points) <= POINTS_PER_SIDE and distance < reach and points[-1].chi2 - best.chi2 <= threshold:
        step = min(step, reach - distance)
        value = best.values[parameter] * np.exp(sign * (distance + step))
        # where the valley bends, the line through the last two solutions may lead out of it
        begin = min((_continued(points[i:], parameter, value) for i in (-2, -1)), key=squares.chi2)
        found = refit(squares, begin, held=(parameter,))
        risen = np.sqrt(max(found.chi2 - best.chi2, 0.0)) - np.sqrt(max(points[-1].chi2 - best.chi2, 0.0))
        if step > finest and (risen > 2 * aim or not found.converged):
            step = max(step / 4, finest)
            continue
        points.append(found)
        distance += step
        step *= float(np.clip(aim / max(risen, 1e-3 * aim), 0.5, 2.0))
        if reach - distance < 1e-9 * reach:
            break
    return points[1:]


def _continued(points: list[Refit], parameter: int, value: float) -> np.ndarray:
    """The last solution, moved on along the line through the last two where there are two (not beyond a factor e)."""
    last = np.log(points[-1].values)
    ahead = last.copy()
    if len(points) > 1:
        before = np.log(points[-2].values)
        share = (np.log(value) - last[parameter]) / (last[parameter] - before[parameter])
        ahead = last + np.clip(share * (last - before), -1.0, 1.0)
    ahead[parameter] = np.log(value)
    return np.exp(ahead)


def _crossing(values: np.ndarray, rise: np.ndarray, threshold: float, never: float) -> float:
    """Where the rise, from the optimum outwards, first crosses the threshold: its root is interpolated, as it is straight for a
    parabola."""
    above = np.flatnonzero(rise > threshold)
    if not len(above):
        return never
    j = int(above[0])
    roots, logs = np.sqrt(np.maximum(rise[j - 1 : j + 1], 0.0)), np.log(values[j - 1 : j + 1])
    share = (np.sqrt(threshold) - roots[0]) / (roots[1] - roots[0])
    return float(np.exp(logs[0] + share * (logs[1] - logs[0])))
