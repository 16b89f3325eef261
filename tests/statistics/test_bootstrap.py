"""Intervals contain the truth about as often as they say, and keep methods paired."""

import numpy as np
import pytest

from gradevo.statistics.bootstrap import interval, median_interval, medians, rate_interval, resample, resample_times
from gradevo.statistics.expected import expected_cost

DRAWS, NEURONS = 400, 20


def test_coverage_of_the_median():
    rng = np.random.default_rng(1)
    values = rng.lognormal(0.0, 1.0, size=(NEURONS, DRAWS))
    low, high = interval(medians(values, resample(NEURONS, 1000, 0)))
    covered = ((low <= 1.0) & (high >= 1.0)).mean()
    assert 0.92 < covered < 0.99


def test_coverage_of_the_expected_cost():
    """Of runs that cost 100 exp(N(0, 1/2)) where they succeed (with probability 0.8) and 500 where they fail."""
    rng = np.random.default_rng(2)
    reached = rng.random((DRAWS, NEURONS)) < 0.8
    spent = np.where(reached, 100 * rng.lognormal(0.0, 0.5, size=reached.shape), 500.0)
    truth = 100 * np.exp(0.125) + 500 * 0.2 / 0.8
    times = resample_times(NEURONS, 1000, 0)
    covered = 0
    for s, r in zip(spent, reached, strict=True):
        low, high = interval(expected_cost(s, r, times))
        covered += low <= truth <= high
    # percentile intervals of 20 are known to be somewhat narrow
    assert 0.88 < covered / DRAWS < 0.98


def test_the_same_resamples_as_indices_and_as_counts():
    drawn, times = resample(7, 50, 3), resample_times(7, 50, 3)
    spent, reached = np.arange(1.0, 8), np.array([True, False, True, True, False, True, True])
    by_hand = [spent[i].sum() / reached[i].sum() for i in drawn]
    assert expected_cost(spent, reached, times) == pytest.approx(by_hand)


def test_infinite_ends_stay_infinite_and_finite_ones_finite():
    low, high = interval(np.array([1.0] * 50 + [np.inf] * 50))
    assert (low, high) == (1.0, np.inf)
    middle, low, high = median_interval(np.array([1.0, 2.0, 3.0, np.nan]), resample(4, 2000, 0))
    assert (middle, low, high) == (2.5, 1.0, np.inf)
    assert np.isnan(median_interval(np.array([[np.nan, 1], [np.nan, 1]]), resample(2, 100, 0))[:, 0]).all()


def test_all_succeeding_is_no_certainty():
    """Wilson's interval of n in n is [n / (n + z^2), 1]."""
    low, high = rate_interval(10, 10)
    assert (low, high) == (pytest.approx(10 / (10 + 1.959964**2), abs=1e-6), 1.0)
