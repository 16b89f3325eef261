"""Profile likelihoods: the parabola where the problem is linear, wider where the bound is optimistic, open where nothing ends."""

import numpy as np
import pytest

from gradevo.identifiability.profile import profile
from gradevo.identifiability.squares import Squares
from tests.identifiability.cases import at_rest, compartment, mirror, true


def test_a_nearly_linear_profile_is_the_bounds_parabola():
    problem = compartment(noise_mV=0.02, seed=2)
    found = profile(problem, 1, 0.02, true(problem))
    assert found.converged.all()
    np.testing.assert_allclose(np.log(found.interval), np.log(found.quadratic), atol=2e-4)
    width = np.log(found.quadratic[1] / found.quadratic[0]) / 2
    best = found.values[np.argmin(found.rise)]
    parabola = found.threshold * (np.log(found.values / best) / width) ** 2
    np.testing.assert_allclose(found.rise, parabola, rtol=0.05, atol=0.01)


def test_the_others_are_at_their_best_along_the_profile():
    problem = compartment(noise_mV=0.5, seed=2)
    found = profile(problem, 0, 0.5, true(problem))
    squares = Squares(problem, 0.5)
    end = found.fitted[0]
    best = squares.chi2(end)
    for other in (1, 2):
        for factor in (0.999, 1.001):
            moved = end.copy()
            moved[other] *= factor
            assert squares.chi2(moved) > best
    np.testing.assert_array_equal(found.fitted[:, 0], found.values)
    assert (np.diff(found.values) > 0).all()


def test_more_confidence_is_a_wider_interval():
    problem = compartment(noise_mV=0.5, seed=2)
    narrow, wide = (profile(problem, 0, 0.5, true(problem), confidence=level) for level in (0.68, 0.99))
    assert wide.interval[0] < narrow.interval[0] < narrow.interval[1] < wide.interval[1]


def test_an_optimistic_bound_is_shown_by_a_wider_profile():
    """The ends of a mirrored chain may be swapped. With noise that hides the hill between the two solutions, the profile of one
    end reaches over to the other, which the parabola at the optimum ends before."""
    problem = mirror()
    middle = true(problem).copy()
    middle[[0, 2]] = np.sqrt(middle[0] * middle[2])
    noise = np.sqrt(Squares(problem, 1.0).chi2(middle) / 2)  # a rise of 2 at most where both ends are alike
    found = profile(problem, 0, noise, true(problem), largest_factor=5.0)
    assert found.quadratic[1] < true(problem)[2] < found.interval[1]
    # over the hill the others have swapped too
    at = int(np.argmin(np.abs(found.values - true(problem)[2])))
    assert found.fitted[at, 2] < found.fitted[at, 0]


def test_a_structural_direction_leaves_the_interval_open():
    problem = at_rest()
    found = profile(problem, 3, 0.1, true(problem), largest_factor=2.0)
    assert found.interval == (0.0, np.inf)
    assert found.quadratic == (0.0, np.inf)
    assert found.rise.max() < 1e-3
    # the others follow: only ratios matter
    np.testing.assert_allclose(found.fitted[-1, 1] / found.fitted[-1, 3], true(problem)[1] / true(problem)[3], rtol=1e-3)


def test_what_is_refused():
    problem = compartment()
    for wrong, message in (
        ({"parameter": 3}, "parameter 3 does not exist"),
        ({"confidence": 1.0}, "confidence is 1"),
        ({"largest_factor": 1.0}, "largest_factor is 1"),
        ({"noise_mV": 0.0}, "noise_mV is 0"),
    ):
        with pytest.raises(ValueError, match=message):
            profile(**{"problem": problem, "parameter": 0, "noise_mV": 0.1, "start": true(problem), **wrong})
