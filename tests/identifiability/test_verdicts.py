"""Verdicts where physics says what they must be."""

from dataclasses import replace

import numpy as np
import pytest

from gradevo.channels import channel_set
from gradevo.identifiability.fits import Fault, judge_fit
from gradevo.identifiability.information import cramer_rao, fisher_information
from gradevo.identifiability.refit import refit
from gradevo.identifiability.squares import Squares
from gradevo.identifiability.verdicts import Verdict, Verdicts
from gradevo.morphology import chain
from gradevo.neuron import Neuron
from tests.identifiability.cases import at_rest, compartment, currents, island, mirror, posed, true


def test_without_injected_current_only_ratios_can_be_seen():
    problem = at_rest()
    found = fisher_information(problem, true(problem), 0.1)
    assert found.spectrum.rank == problem.n_parameters - 1
    deviations, drawn = found.weak_directions(2)
    assert deviations[0] == np.inf > deviations[1]
    together = np.array([1, 1, 1, 1, 1, -1]) / np.sqrt(6)  # the resistivity falls as everything else rises
    direction = found.spectrum.directions[:, -1]
    np.testing.assert_allclose(direction * np.sign(direction[0]), together, atol=1e-6)
    assert drawn.shape == (2, 5, 4)
    np.testing.assert_allclose(np.abs(drawn[0]), 1 / np.sqrt(6), atol=1e-6)
    assert Verdicts(found).verdicts == (Verdict.structural,) * 6
    assert np.isinf(Verdicts(found).bounds).all()


def test_what_no_electrode_reaches_is_structural_and_the_rest_is_not():
    problem = island()
    found = Verdicts(fisher_information(problem, true(problem), 0.01))
    assert found.verdicts[6:] == (Verdict.structural,) * 3
    assert Verdict.structural not in found.verdicts[:6]
    alone = np.linalg.inv(found.information.relative[:6, :6])
    np.testing.assert_allclose(found.bounds[:6], np.sqrt(np.diagonal(alone)), rtol=1e-6)


def test_verdicts_agree_with_bounds_under_a_weak_prior():
    """A long, weakly coupled chain recorded at one end: with next to nothing known beforehand (a factor e), what is called
    structural stays unknown and what is called identified is known."""
    neuron = Neuron("long", chain(16, coupling_S_cm2=0.02e-3), channel_set(["jones2024"]))
    problem = posed(neuron, (0,), (0,), currents(neuron, (0,)), ("Na", "K"))
    found = Verdicts(fisher_information(problem, true(problem), 0.002))
    assert all(count > 1 for count in found.counts.values()), found.counts
    posterior = cramer_rao(found.information, prior_sd=1.0)
    assert (posterior[np.isinf(found.bounds)] > 0.1).all()
    assert (posterior[found.identified] < 0.01).all()


def test_the_noise_decides_between_identified_and_practical():
    problem = compartment()
    bound = Verdicts(fisher_information(problem, true(problem), 1.0)).bounds
    for share, verdict in ((0.99, Verdict.identified), (1.01, Verdict.practical)):
        found = Verdicts(fisher_information(problem, true(problem), share * 0.01 / bound[1]))
        assert found.verdicts[1] is verdict
        assert found.bounds[1] == pytest.approx(share * 0.01)
    assert sum(found.counts.values()) == 3
    with pytest.raises(ValueError, match="threshold is 0"):
        Verdicts(found.information, threshold=0.0)


def test_a_fit_along_a_null_direction_is_the_datas_fault():
    problem = at_rest()
    found = judge_fit(problem, true(problem) * np.array([1.2, 1.2, 1.2, 1.2, 1.2, 1 / 1.2]), 0.01)
    assert found.fault is Fault.data
    assert found.weak_share > 0.999
    assert found.worst_error == pytest.approx(0.2)
    assert found.excess < 1e-6


def test_a_swap_of_indistinguishable_ends_is_a_distant_solution():
    problem = mirror()
    noise = 0.01 * 0.003 / Verdicts(fisher_information(problem, true(problem), 0.01)).bounds.max()
    found = judge_fit(problem, true(problem)[::-1], noise)
    assert found.fault is Fault.elsewhere
    assert found.weak_share < 0.5
    assert found.error_chi2 > 1e3  # which the local theory would have excluded


def test_a_worse_loss_than_the_best_known_is_the_optimisers_fault():
    problem = compartment(noise_mV=5.0, seed=3)
    bounds = Verdicts(fisher_information(problem, true(problem), 5.0)).bounds
    assert bounds[1] > 0.005  # so that a few bounds are more than 1 %
    assert judge_fit(problem, true(problem), 5.0).fault is Fault.none
    off = true(problem) * np.array([1, 1 + 20 * bounds[1], 1])
    found = judge_fit(problem, off, 5.0)
    assert found.fault is Fault.optimiser
    assert found.excess > found.excess_limit
    assert judge_fit(problem, true(problem), 5.0, better=np.array([off, true(problem)])).excess == 0.0


def test_what_noise_makes_is_the_datas_fault_and_a_better_fit_is_the_measure():
    problem = compartment(noise_mV=5.0, seed=3)
    best = refit(Squares(problem, 5.0), true(problem)).values
    found = judge_fit(problem, best, 5.0)
    assert found.excess < 0  # the best fit follows the noise further than the truth does
    assert found.worst_error > 0.01
    assert found.fault is Fault.data
    bound = Verdicts(fisher_information(problem, true(problem), 5.0)).bounds[0]
    beside = best * np.array([1 + 10 * bound, 1, 1])
    assert judge_fit(problem, beside, 5.0, better=best).fault is Fault.optimiser


def test_a_loss_above_the_noise_floor_that_nobody_betters_is_the_models_fault():
    """Noise of ten times the stated one, and a fit off along a direction that no loss can see."""
    quiet = at_rest()
    noise = np.random.default_rng(0).normal(0, 1.0, quiet.target.shape)
    problem = replace(quiet, target=quiet.target + noise)
    found = judge_fit(problem, true(problem) * np.array([1.2, 1.2, 1.2, 1.2, 1.2, 1 / 1.2]), 0.1)
    assert found.chi2 > found.floor
    assert found.excess < found.excess_limit
    assert found.fault is Fault.model


def test_the_noise_of_first_samples_is_no_fault_of_the_model():
    """Of 300 traces of 11 samples it is 300 of the 3300 that chi2 expects."""
    neuron = Neuron("one", chain(1, coupling_S_cm2=0.5e-3), channel_set(["hh"]))
    values = currents(neuron, (0,), n_stimuli=300, pieces=1)
    problem = posed(neuron, (0,), (0,), values, ("Na",), noise_mV=5.0)
    found = judge_fit(problem, true(problem), 5.0)
    assert found.chi2 == pytest.approx(3300, abs=4 * np.sqrt(2 * 3300))
    assert found.chi2 < found.floor


def test_what_is_refused():
    problem = compartment()
    with pytest.raises(ValueError, match="noise_mV is 0"):
        judge_fit(problem, true(problem), 0.0)
    with pytest.raises(ValueError, match="information is of noise"):
        judge_fit(problem, true(problem), 0.1, fisher_information(problem, true(problem), 0.2))
