"""Noisy fits spread as the bounds say, and a bound that is wrong by a quarter is found out."""

import numpy as np
import pytest

from gradevo.identifiability.calibration import Calibration, calibrate
from gradevo.identifiability.information import fisher_information
from gradevo.identifiability.refit import refit
from gradevo.identifiability.squares import Squares
from tests.fitting import toy_problem
from tests.identifiability.cases import compartment, island, true


def test_the_spread_of_noisy_fits_agrees_with_the_bounds():
    found = calibrate(toy_problem(), 0.1, draws=250, seed=1)
    assert found.failed == 0
    low, high = found.spread_limits()
    assert 0.8 < low < 1 < high < 1.25
    assert found.agrees(), f"spreads {found.spread}, Kolmogorov-Smirnov p {found.normality()}"


def test_a_noise_that_is_a_quarter_larger_than_stated_is_found_out():
    found = calibrate(toy_problem(), 0.1, draws=250, seed=1, drawn_noise_mV=0.125)
    assert not found.agrees()
    assert found.spread == pytest.approx(1.25, rel=0.2)


def test_what_agrees_and_what_does_not():
    """The test itself: right z-scores pass, and a shift, a scale or heavy tails do not."""
    z = np.random.default_rng(0).normal(size=(400, 3))
    for wrong, agrees in ((z, True), (1.25 * z, False), (0.8 * z, False), (z + [0, 0, 0.4], False), (np.sign(z), False)):
        assert Calibration(wrong, np.ones(3), 0).agrees() is agrees


def test_a_refit_finds_the_least_chi2():
    problem = compartment(noise_mV=0.2, seed=5)
    squares = Squares(problem, 0.2)
    found = refit(squares, true(problem) * [1.1, 0.93, 1.05])
    assert found.converged
    products = squares.products(found.values)
    assert found.chi2 == pytest.approx(products.loss)
    # what a Newton step would still gain
    assert products.gradient_half @ np.linalg.solve(products.normal_matrix, products.gradient_half) < 1e-4
    assert found.chi2 < squares.chi2(true(problem))
    from_truth = refit(squares, true(problem))
    np.testing.assert_allclose(found.values, from_truth.values, rtol=1e-4)
    held = refit(squares, true(problem) * [1.02, 1, 1], held=(0,))
    assert held.values[0] == true(problem)[0] * 1.02
    assert held.chi2 > found.chi2
    # the rise is the quadratic one: held off by d, the rest re-optimised, chi2 rises by (d / bound)^2
    bound = np.sqrt(fisher_information(problem, found.values, 0.2).spectrum.variances[0])
    assert held.chi2 - found.chi2 == pytest.approx((np.log(held.values[0] / found.values[0]) / bound) ** 2, rel=0.15)


def test_what_is_refused():
    with pytest.raises(ValueError, match="draws is 1"):
        calibrate(compartment(), 0.1, draws=1)
    with pytest.raises(ValueError, match="rank 6 of 9"):
        calibrate(island(), 0.1, draws=5)
    with pytest.raises(ValueError, match="parameter 7 does not exist"):
        refit(Squares(compartment(), 0.1), true(compartment()), held=(7,))
