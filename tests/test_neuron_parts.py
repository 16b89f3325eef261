"""Morphologies, densities, stimuli and protocols: physics, reproducibility, and what bad input says."""

import itertools
from typing import Any

import numpy as np
import pytest
import sympy as sp

from gradevo.channels import CHANNEL_SETS, Gate
from gradevo.channels.base import V
from gradevo.densities import distance_gradient, uniform_perturbation
from gradevo.kernels.elimination import plan_elimination
from gradevo.morphology import Section, balanced_tree, chain, from_adjacency, from_sections, random_tree
from gradevo.neuron import Neuron
from gradevo.protocol import Protocol, resolve_sites
from gradevo.stimulus import Stimulus, random_steps, steps
from tests.conftest import MORPHOLOGIES, make_neuron


def test_a_tree_is_eliminated_without_fill_and_a_cycle_with(morphology_name):
    m = MORPHOLOGIES[morphology_name]()
    plan = plan_elimination(m.n_nodes, m.edges)
    assert sorted(plan.order.tolist()) == list(range(m.n_nodes))
    fill = int(plan.fill.sum())
    assert fill == 0 if morphology_name != "graph" else fill > 0


def test_rall_law_and_taper():
    m = balanced_tree(3)
    for p in range(m.n_compartments):
        children = np.flatnonzero(m.parents == p)
        if len(children):
            assert (m.diameters_um[children] ** 1.5).sum() == pytest.approx(m.diameters_um[p] ** 1.5)
    tree = random_tree(40, seed=1, compartments_per_section=3)
    for section in range(1, 40):
        assert (np.diff(tree.diameters_um[tree.sections == section]) < 0).all()


def test_input_resistance_of_a_cable():
    """A long passive cable's input resistance is R_a lambda / (pi d^2 / 4) (Rall), here from the steady state at its end."""
    from gradevo.simulate import simulate_numpy

    d, ra, g = 2.0, 150.0, 1e-3
    neuron = Neuron("cable", chain(400, length_um=5.0, diameter_um=d, axial_resistivity_ohm_cm=ra), CHANNEL_SETS["hh"])
    densities = np.zeros((3, 400))
    densities[2] = g
    protocol = Protocol(steps(np.array([[0.0], [0.01]]), 0.0, 100.0), (0,), (0,), 30.0, 2, 0.05, implicitness=1.0)
    v = simulate_numpy(neuron, densities, protocol)
    length_constant_um = np.sqrt(d / 4 / (ra * g) * 1e4)
    resistance = ra * 1e-2 * length_constant_um / (np.pi * d**2 / 4)
    # the recorded point is the centre of the first compartment, half a compartment in
    assert (v[1, 1, 0] - v[0, 1, 0]) / 0.01 == pytest.approx(resistance * np.exp(-2.5 / length_constant_um), rel=3e-3)


def test_same_seed_same_neuron():
    a, b, c = random_tree(20, seed=5), random_tree(20, seed=5), random_tree(20, seed=6)
    assert np.array_equal(a.areas_um2, b.areas_um2)
    assert not np.array_equal(a.areas_um2, c.areas_um2)
    neuron = Neuron("tree", a, CHANNEL_SETS["hh"])
    for generate in (uniform_perturbation, distance_gradient):
        assert np.array_equal(generate(neuron, 3), generate(neuron, 3))
        assert not np.array_equal(generate(neuron, 3), generate(neuron, 4))
        assert np.array_equal(generate(neuron, 3)[2], neuron.default_densities()[2]), "the leak is not free"
    assert (np.abs(uniform_perturbation(neuron, 0) / neuron.default_densities() - 1) <= 0.3).all()
    falling = distance_gradient(neuron, 0, distal=0.2, noise=0.0)[0]
    assert np.corrcoef(falling, a.path_distance_um)[0, 1] == pytest.approx(-1)


def test_mean_current_of_a_step_is_exact():
    stimulus = random_steps(2, 3, 5.0, 0.37, -1.0, 2.0, seed=0)
    start, piece, weight = stimulus.step_weights(0.1, 0.25, 16)
    fine = np.linspace(0.1, 4.1, 16 * 20000, endpoint=False) + 4.0 / (16 * 40000)
    at = np.searchsorted(stimulus.edges_ms, fine, side="right") - 1
    by_hand = stimulus.values_nA[..., at].reshape(2, 3, 16, -1).mean(axis=-1)
    ours = np.stack([(stimulus.values_nA[..., piece[a:b]] * weight[a:b]).sum(-1) for a, b in itertools.pairwise(start)], -1)
    np.testing.assert_allclose(ours, by_hand, atol=2e-4)


def test_sites():
    assert resolve_sites("all", 4) == (0, 1, 2, 3)
    assert resolve_sites("0,-1", 6) == (0, 5)
    assert resolve_sites([2, -2], 6) == (2, 4)
    for bad, message in [("0,6", "site 6 does not exist"), ("a", "'a' is not a compartment"), ("1,-5", "named twice")]:
        with pytest.raises(ValueError, match=message):
            resolve_sites(bad, 6)


STEP = Stimulus(np.array([0.0, 1.0]), np.ones((1, 1, 1)))


def protocol(**changed: Any) -> Protocol:
    given: dict[str, Any] = {
        "stimulus": STEP,
        "stimulated": (0,),
        "recorded": (0,),
        "sample_interval_ms": 0.1,
        "n_samples": 3,
        "dt_ms": 0.025,
    }
    return Protocol(**(given | changed))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: chain(3, diameter_um=-1.0), "diameter_um is -1.0|proximal_um is -1.0"),
        (lambda: chain(0), "compartments is 0"),
        (lambda: random_tree(0, 1), "sections is 0"),
        (lambda: balanced_tree(-1), "depth is -1"),
        (lambda: from_sections([Section(0, 1.0, 1.0, 1.0, (1.0, 0.0, 0.0))], 100.0), "section 0 has parent 0"),
        (lambda: from_adjacency(np.array([[0, 1], [0, 0]]), 1e-3), "symmetric"),
        (lambda: from_adjacency(np.array([[0, 2], [2, 0]]), 1e-3), "holds 2"),
        (lambda: from_adjacency(np.zeros((2, 3)), 1e-3), r"\(2, 3\)"),
        (lambda: from_adjacency(np.zeros((2, 2)), 0.0), "coupling_S_cm2 is 0.0"),
        (lambda: Stimulus(np.array([0.0, 1.0]), np.full((1, 1, 1), np.nan)), r"values_nA\[0, 0, 0\].*nan"),
        (lambda: Stimulus(np.array([1.0, 0.0]), np.ones((1, 1, 1))), "increase"),
        (lambda: random_steps(1, 1, 5.0, 0.0, 0.0, 1.0, 0), "every_ms is 0.0"),
        (lambda: protocol(dt_ms=0.0), "dt_ms is 0.0"),
        (lambda: protocol(dt_ms=0.03), "does not divide"),
        (lambda: protocol(recorded=()), "recorded is empty"),
        (lambda: protocol(recorded=(1, 1)), "names a site twice"),
        (lambda: protocol(stimulated=(0, 1)), "2 are stimulated"),
        (lambda: protocol(implicitness=0.3), "implicitness is 0.3"),
        (lambda: protocol(recorded=(7,)).validate(make_neuron("chain", "hh")), "recorded site 7 does not exist"),
        (lambda: Gate("m", 0, alpha=V, beta=V), "power 0"),
        (lambda: Gate("m", 1, alpha=V, time_constant=sp.Integer(1)), "either alpha and beta"),
        (lambda: uniform_perturbation(make_neuron("chain", "hh"), 0, 1.5), "fraction is 1.5"),
    ],
)
def test_bad_input_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
