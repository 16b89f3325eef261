"""Fisher information against differences, masks against what they leave out, bounds and what is refused."""

from dataclasses import replace

import numpy as np
import pytest

from gradevo.identifiability.information import cramer_rao, fisher_information
from gradevo.identifiability.squares import Squares
from gradevo.simulate import simulate_numpy
from tests.identifiability.cases import compartment, island, mirror, true


def voltages(problem, values):
    inputs = problem.parameters.inputs(values[None])
    return simulate_numpy(problem.neuron, inputs.densities, problem.protocol, **inputs.passive())[0]


def test_information_is_that_of_differences():
    problem = compartment(free=("Na", "K", "capacitance"))
    columns = []
    for i in range(3):
        step = np.zeros(3)
        step[i] = 1e-5
        up, down = (voltages(problem, true(problem) * np.exp(sign * step)) for sign in (1, -1))
        columns.append((up - down).ravel() / 2e-5)
    jacobian = np.array(columns).T
    found = fisher_information(problem, true(problem), 0.2)
    np.testing.assert_allclose(found.relative, jacobian.T @ jacobian / 0.04, rtol=1e-6)
    physical = jacobian / true(problem)
    np.testing.assert_allclose(found.physical, physical.T @ physical / 0.04, rtol=1e-6)
    np.testing.assert_allclose(cramer_rao(found), np.sqrt(np.diagonal(np.linalg.inv(found.relative))), rtol=1e-6)


def test_information_of_parts_adds_up():
    problem = mirror()
    mask = np.random.default_rng(0).random(problem.target.shape) < 0.3
    parts = [fisher_information(replace(problem, observed=part), true(problem), 0.1) for part in (mask, ~mask)]
    whole = fisher_information(problem, true(problem), 0.1)
    np.testing.assert_allclose(parts[0].relative + parts[1].relative, whole.relative, rtol=1e-10)
    assert parts[0].n_data + parts[1].n_data == whole.n_data == 3 * 100
    early, late = (replace(problem, loss_declared={"kind": "windows", "windows_ms": [w]}) for w in ([0, 5], [5.05, 10]))
    halves = [fisher_information(half, true(problem), 0.1).relative for half in (early, late)]
    np.testing.assert_allclose(halves[0] + halves[1], whole.relative, rtol=1e-10)
    assert not np.allclose(halves[0], halves[1], rtol=0.1)


def test_a_loss_that_is_no_sum_of_squares_has_the_voltages_information():
    problem = compartment()
    phase_plane = replace(problem, loss_declared={"kind": "phase_plane"})
    found, by_voltages = (fisher_information(p, true(problem), 0.1).relative for p in (phase_plane, problem))
    np.testing.assert_array_equal(found, by_voltages)


def test_chi2_is_the_noises():
    problem = compartment(noise_mV=0.3, seed=4)
    squares = Squares(problem, 0.3)
    residuals = (voltages(problem, true(problem)) - problem.target) / 0.3
    assert squares.chi2(true(problem)) == pytest.approx((residuals**2).sum())
    assert squares.products(true(problem)).loss == pytest.approx((residuals**2).sum())


def test_the_bound_follows_the_noise_and_a_prior_only_helps():
    problem = compartment()
    small, large = (fisher_information(problem, true(problem), noise) for noise in (0.1, 0.2))
    np.testing.assert_allclose(cramer_rao(large), 2 * cramer_rao(small), rtol=1e-8)
    assert (cramer_rao(large, prior_sd=0.01) < np.minimum(cramer_rao(large), 0.01)).all()
    np.testing.assert_allclose(cramer_rao(large, prior_sd=1e6), cramer_rao(large), rtol=1e-8)


def test_what_is_refused():
    problem = compartment()
    for noise in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match=r"noise_mV is .* state the recording's"):
            fisher_information(problem, true(problem), noise)
    with pytest.raises(ValueError, match=r"shape \(2,\).*\[3\] parameters"):
        fisher_information(problem, true(problem)[:2], 0.1)
    with pytest.raises(ValueError, match=r"density K is 0\.0; relative"):
        fisher_information(problem, true(problem) * [1, 0, 1], 0.1)
    found = fisher_information(problem, true(problem), 0.1)
    with pytest.raises(ValueError, match=r"prior_sd is 0"):
        cramer_rao(found, prior_sd=0.0)


def test_a_singular_matrix_has_no_bounds_without_a_prior():
    problem = island()
    found = fisher_information(problem, true(problem), 0.1)
    with pytest.raises(ValueError, match=r"rank 6 of 9.*3 directions.*Na\[6\], Na\[7\], Na\[8\].*prior_sd"):
        cramer_rao(found)
    bounds = cramer_rao(found, prior_sd=0.3)
    np.testing.assert_allclose(bounds[6:], 0.3)
    assert (bounds[:6] < 0.29).all()


def test_fewer_data_than_parameters_are_refused():
    problem = island()
    few = np.zeros(problem.target.shape, dtype=bool)
    few[:, 30:32, 0] = True
    few[:, 30, 1:] = few[:, 30, 0:1] = True
    few[1:, 30:, 1:] = few[1:, 31, :] = False
    few[2, 30, 1] = few[0, 30, 2] = True
    masked = replace(problem, observed=few)
    found = fisher_information(masked, true(problem), 0.1)
    assert found.n_data == few.sum() < problem.n_parameters
    with pytest.raises(ValueError, match=rf"9 parameters but {few.sum()} recorded samples"):
        cramer_rao(found)
    assert found.spectrum.rank <= few.sum()
