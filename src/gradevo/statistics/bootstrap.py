"""Bootstrap intervals over neurons.

The unit that is drawn is the seed: where a study draws a neuron per seed, these are its neurons. A resample takes the same
seeds for all methods, which keeps them paired. Intervals are percentile intervals (Efron and Tibshirani 1993, section 13):
they keep their meaning where a resample is infinite (nobody reached the target), and do not depend on the scale, linear or
logarithmic, of a cost. BCa corrects for skew, but its acceleration needs finite values with each neuron left out, which
censored costs do not have, and does not exist for medians. With few neurons percentile intervals are too narrow.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy import stats

LEVEL = 0.95


@cache
def resample(n: int, resamples: int, seed: int) -> np.ndarray:
    """Indices [resamples, n] into n neurons, drawn with replacement; the same for the same arguments."""
    return np.random.default_rng(seed).integers(n, size=(resamples, n))


@cache
def resample_times(n: int, resamples: int, seed: int) -> np.ndarray:
    """The same resamples as how often each neuron is in each [resamples, n]: sums over them become products of matrices."""
    return (resample(n, resamples, seed)[:, :, None] == np.arange(n)).sum(axis=1).astype(float)


def interval(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The middle 95 % of values [resamples, ...]: the ends, each of the shape [...]. They may be infinite.

    Ends are values that occur: between a finite and an infinite one nothing can be interpolated.
    """
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(values, (tail, 1 - tail), axis=0, method="inverted_cdf")
    return low, high


def medians(values: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Medians [resamples, ...] over neurons of values [n, ...], what is missing counting as infinite."""
    return np.median(np.where(np.isnan(values), np.inf, values)[drawn], axis=1)


def median_interval(values: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Medians of values [n, ...] and the ends of their intervals [3, ...].

    What is missing counts as infinite; NaN where all of it is missing.
    """
    middle = np.median(np.where(np.isnan(values), np.inf, values), axis=0)
    return np.where(np.isnan(values).all(axis=0), np.nan, np.stack([middle, *interval(medians(values, drawn))]))


def rate_interval(successes: int, trials: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a success rate.

    Not a bootstrap: where all or none succeed, every resample is the same and the interval would be a point.
    """
    ends = stats.binomtest(successes, trials).proportion_ci(LEVEL, method="wilson")
    return float(ends.low), float(ends.high)
