"""Information of single sites adds up to the whole; greedy placement against every placement, uniform and random ones."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from gradevo.channels import channel_set
from gradevo.identifiability.design import design_value, greedy, random_sites, uniform_sites
from gradevo.identifiability.information import fisher_information
from gradevo.identifiability.site_information import recording_sites, stimulation_sites
from gradevo.morphology import chain
from gradevo.neuron import Neuron
from tests.identifiability.cases import currents, mirror, posed, true


def cable(n: int = 6, **how):
    neuron = Neuron("cable", chain(n, coupling_S_cm2=0.5e-3), channel_set(["hh"]))
    return posed(neuron, (0,), (0, n - 1), currents(neuron, (0,), **how), ("Na", "K"))


def test_sites_add_up_to_the_whole():
    problem = cable()
    alone = recording_sites(problem.parameters, problem.protocol, true(problem), 0.1, tuple(range(6)))
    whole = fisher_information(problem, true(problem), 0.1).relative
    np.testing.assert_allclose(alone[0] + alone[5], whole, rtol=1e-9, atol=1e-9 * whole.max())
    assert (np.linalg.eigvalsh(alone) > -1e-9 * whole.max()).all()


def test_stimulated_sites_are_experiments_of_their_own():
    problem = cable(n_stimuli=2)
    density = problem.protocol.stimulus.values_nA[:, 0] / (problem.neuron.morphology.areas_um2[0] * 1e-5)
    alone = stimulation_sites(problem.parameters, problem.protocol, true(problem), 0.1, (3, 0), density)
    whole = fisher_information(problem, true(problem), 0.1).relative
    np.testing.assert_allclose(alone[1], whole, rtol=1e-8, atol=1e-9 * whole.max())
    assert not np.allclose(alone[0], whole, rtol=0.1)


@pytest.mark.parametrize("criterion", ["D", "A"])
def test_greedy_is_nested_deterministic_and_near_the_best_of_all(criterion):
    problem = cable()
    sites = recording_sites(problem.parameters, problem.protocol, true(problem), 0.1, tuple(range(6)))
    order = greedy(sites, 6, criterion, 0.3)
    assert sorted(order) == list(range(6))
    sign = 1 if criterion == "D" else -1
    for k in (1, 2, 3):
        assert greedy(sites, k, criterion, 0.3) == order[:k]
        reached = sign * design_value(sites, order[:k], criterion, 0.3)
        every = [sign * design_value(sites, list(chosen), criterion, 0.3) for chosen in combinations(range(6), k)]
        assert reached <= max(every) + 1e-9
        if k == 1:
            assert reached == pytest.approx(max(every))
        if criterion == "D":
            assert reached >= (1 - 1 / np.e) * max(every)
        at_random = [sign * design_value(sites, chosen, criterion, 0.3) for chosen in random_sites(6, k, 40, seed=1)]
        assert reached >= np.median(at_random)


def test_each_site_adds_information_and_the_first_adds_most():
    problem = cable()
    sites = recording_sites(problem.parameters, problem.protocol, true(problem), 0.1, tuple(range(6)))
    order = greedy(sites, 6, "D", 0.3)
    values = [0.0, *(design_value(sites, order[:k], "D", 0.3) for k in range(1, 7))]
    gains = np.diff(values)
    assert (gains > 0).all()
    assert (np.diff(gains) <= 1e-9).all()  # submodular: ever less
    assert design_value(sites, [], "D", 0.3) == pytest.approx(0, abs=1e-12)
    assert design_value(sites, [], "A", 0.3) == pytest.approx(0.3)


def test_the_second_site_sees_what_the_first_does_not():
    """Two groups of densities, each seen by two sites alike: the best pair is one of each, and ties go to the first."""
    sites = np.zeros((4, 2, 2))
    sites[:2, 0, 0] = 100.0
    sites[2:, 1, 1] = 50.0
    for criterion in ("D", "A"):
        assert greedy(sites, 2, criterion, 1.0) == [0, 2]


def test_mirrored_sites_are_ties():
    problem = replace(mirror(), truth=None)
    at = problem.parameters.defaults
    sites = recording_sites(problem.parameters, problem.protocol, at, 0.1, (0, 1, 2))
    assert greedy(sites, 1, "A", 0.3) != [2]
    assert design_value(sites, [0], "D", 0.3) == pytest.approx(design_value(sites, [2], "D", 0.3))


def test_uniform_and_random():
    assert uniform_sites(10, 1) == [5]
    assert uniform_sites(10, 5) == [1, 3, 5, 7, 9]
    assert uniform_sites(4, 4) == [0, 1, 2, 3]
    drawn = random_sites(10, 4, 20, seed=3)
    assert all(len(set(row)) == 4 for row in drawn)
    np.testing.assert_array_equal(random_sites(10, 2, 20, seed=3), drawn[:, :2])


def test_what_is_refused():
    sites = np.eye(3)[None]
    for call, message in (
        (lambda: greedy(sites, 2, "D", 0.3), "k is 2; choose 1 to 1"),
        (lambda: greedy(sites, 1, "E", 0.3), "unknown criterion 'E'"),  # pyright: ignore[reportArgumentType]
        (lambda: greedy(sites, 1, "D", 0.0), "prior_sd is 0"),
        (lambda: design_value(np.eye(3), [0], "D", 0.3), "one information matrix per candidate"),
        (lambda: design_value(sites, [1], "D", 0.3), "site 1 does not exist"),
        (lambda: uniform_sites(3, 4), "k is 4"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    problem = cable()
    with pytest.raises(ValueError, match="noise_mV is 0"):
        recording_sites(problem.parameters, problem.protocol, true(problem), 0.0, (0,))
    with pytest.raises(ValueError, match=r"waveforms are \(5,\)"):
        stimulation_sites(problem.parameters, problem.protocol, true(problem), 0.1, (0,), np.zeros(5))
