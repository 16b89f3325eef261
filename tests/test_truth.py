"""Data from another neuron than the one that is fitted, and starts at a known distance from the truth."""

from dataclasses import replace

import numpy as np
import pytest
import sympy as sp

from gradevo.channels import channel_set
from gradevo.channels.expressions import evaluate
from gradevo.config import check_config
from gradevo.fit import fit
from gradevo.fit_rows import loss_target
from gradevo.starts import START_EDGE
from gradevo.study import make_neuron, make_problem, make_targets, make_truth
from gradevo.truth import perturbed
from tests.fitting import toy_config, toy_problem

TREE = {
    "morphology": {"kind": "random_tree", "sections": 6, "seed": 3},
    "channels": "hh",
    "densities": {"kind": "distance_gradient", "distal": 0.5, "noise": 0.15, "seed": 2},
}
CURRENTS = {"kind": "random_steps", "count": 3, "every_ms": 2, "low_uA_cm2": -5, "high_uA_cm2": 25, "seed": 6}


def tree_config(**problem) -> dict:
    """A soma with five dendritic compartments, driven and recorded at two sites."""
    problem = {"duration_ms": 8, "sample_interval_ms": 0.2, "dt_ms": 0.05, "bounds": [0.2, 3]} | problem
    config = toy_config(neuron="tree", stimuli=CURRENTS, stimulated=[0, 4], recorded=[0, 5], **problem)
    return check_config(config | {"neurons": {"tree": TREE}})


@pytest.mark.parametrize("name", ["hh", "pospischil_rs"])
def test_shifted_gates_are_the_same_curves_elsewhere(name):
    """By rates in hh, by rates and by curves in the cortical set."""
    before = channel_set(name)
    channel = next(c.name for c in before.channels if c.gates)
    after = perturbed(before, {channel: 2.5}, {channel: 1.5})
    before_mV, after_mV = -47.3, -44.8
    for gate, moved in zip(before.gates, after.gates, strict=True):
        changed = gate in next(c for c in before.channels if c.name == channel).gates
        there = after_mV if changed else before_mV
        assert _at(moved.rate, there) == pytest.approx(_at(gate.rate, before_mV) * (1.5 if changed else 1.0), rel=1e-9)
        assert _at(moved.infinity, there) == pytest.approx(_at(gate.infinity, before_mV), rel=1e-9)


def _at(expression: sp.Expr, voltage_mV: float) -> float:
    return float(evaluate(expression, voltage_mV))


def test_a_shifted_channel_changes_the_data_and_not_the_model():
    plain, shifted = tree_config(), tree_config(truth={"shift_mV": {"Na": 2.0}})
    fitted = make_problem(shifted, "toy")
    assert fitted.neuron.channels == make_problem(plain, "toy").neuron.channels
    assert fitted.truth is not None
    loss = fitted.loss_of_densities(fitted.truth[None])[0]
    assert loss > 1.0, "2 mV of the sodium channel's activation are spikes at other times"
    assert make_problem(plain, "toy").loss_of_densities(fitted.truth[None])[0] == 0
    # the densities are what they were, and so are their errors
    assert set(fitted.density_errors(fitted.truth).values()) == {0.0}


def test_success_asks_for_no_more_than_the_true_densities_can_do():
    config = tree_config(truth={"shift_mV": {"Na": 2.0}}, noise_mV=0.1)
    problem = make_problem(config, "toy")
    assert problem.truth is not None
    assert loss_target(config, problem) == problem.loss_of_densities(problem.truth[None])[0]
    config = tree_config(noise_mV=0.1)
    assert loss_target(config, make_problem(config, "toy")) == pytest.approx(4 * 0.1**2)


def test_a_finer_truth_is_the_same_cable():
    config = tree_config(truth={"refine": 3})
    neuron, densities = make_neuron(config, "tree")
    truth = make_truth(config, "toy", neuron)
    assert truth.neuron.n_compartments == 1 + 3 * 5
    fine, coarse = truth.neuron.morphology, neuron.morphology
    area = np.bincount(truth.cover, weights=fine.areas_um2)
    np.testing.assert_allclose(area, coarse.areas_um2, rtol=1e-12)
    # the centres of fitted compartments are centres of true ones: electrodes stay where they are
    np.testing.assert_allclose(fine.path_distance_um[truth.middles], coarse.path_distance_um, rtol=1e-12)
    np.testing.assert_array_equal(truth.densities(densities)[:, truth.middles], densities)


def test_discretisation_leaves_a_loss_that_refining_the_truth_does_not_change_much():
    """Refined by 3 and by 9, the truth is nearly the continuous cable, from which the fitted compartments differ."""
    losses = []
    for refine in (3, 9):
        problem = make_problem(tree_config(truth={"refine": refine}), "toy")
        assert problem.truth is not None
        losses.append(problem.loss_of_densities(problem.truth[None])[0])
    assert 1e-3 < losses[0] < losses[1]
    assert losses[1] < 2 * losses[0], "3 against the limit: 8/9 of the difference in voltage, 0.79 of that in squares"


def test_without_a_truth_of_its_own_the_data_are_the_fitted_neurons():
    targets = make_targets(tree_config(), "toy")
    same = make_targets(tree_config(truth={"refine": 1}), "toy")
    np.testing.assert_array_equal(targets["target_mV"], same["target_mV"])


@pytest.mark.parametrize(
    ("truth", "said"),
    [
        ({"shift_mV": {"leak": 2.0}}, "no gates to change"),
        ({"rate_factor": {"Ca": 2.0}}, "no gates to change"),
        ({"refine": 2}, "odd"),
        ({"shift": 2.0}, "unknown key 'shift'"),
    ],
)
def test_an_impossible_truth_is_refused(truth, said):
    with pytest.raises(ValueError, match=said):
        tree_config(truth=truth)


def test_a_finer_tree_must_be_the_same_tree():
    """Branches leave the middle of a root of one compartment, and the end of a longer one."""
    config = tree_config(truth={"refine": 3})
    tree = {"kind": "balanced_tree", "depth": 2, "axial_resistivity_ohm_cm": 100}
    config["problems"]["toy"] |= {"stimulated": "all", "recorded": "all"}
    with pytest.raises(ValueError, match="would be another tree; give it compartments_per_section: 3"):
        check_config(config | {"neurons": {"tree": TREE | {"morphology": tree}}})
    check_config(config | {"neurons": {"tree": TREE | {"morphology": tree | {"compartments_per_section": 3}}}})


def test_a_neuron_coupled_directly_has_nothing_to_refine():
    with pytest.raises(ValueError, match="cannot be refined"):
        check_config(toy_config(truth={"refine": 3}))


@pytest.mark.parametrize("view", ["log", "logit", "unit"])
@pytest.mark.parametrize("factor", [1.0, 1.2, 2.0])
def test_starts_lie_at_their_distance_from_the_truth(view, factor):
    problem = toy_problem(bounds=[0.02, 50], start_factor=factor).view(view)
    rng = np.random.default_rng(0)
    for points in (problem.sample_initial(rng, 200), problem.sample_random(rng, 200)):
        away = np.log(problem.densities(points) / problem.truth)
        np.testing.assert_allclose(np.sqrt((away**2).mean(axis=1)), np.log(factor), atol=1e-9)
        assert np.abs(away.mean(axis=0)).max() < 0.2, "in no direction more than in others"


def test_starts_near_the_truth_stay_in_the_box():
    problem = toy_problem(bounds=[0.65, 1.4], start_factor=3.0)
    starts = problem.view("unit").densities(problem.view("unit").sample_initial(np.random.default_rng(0), 50))
    edge = (problem.high / problem.low) ** START_EDGE
    assert (starts >= problem.low * edge * (1 - 1e-12)).all()
    assert (starts <= problem.high / edge * (1 + 1e-12)).all()
    assert np.isclose(starts, problem.low * edge).any(), "some would leave it"


@pytest.mark.parametrize("bound", ["low", "high"])
def test_a_method_leaves_a_start_on_a_bound(bound):
    """In the logit view a bound is infinitely far, with slopes of nearly zero."""
    problem = toy_problem(bounds=[0.5, 2])
    problem = replace(problem, start=getattr(problem, bound))
    settings = {"starts": 1, "view": "logit"}
    result = fit(problem, "adam", seed=0, budget_equivalents=3000, gradient_weight=2.5, settings=settings)
    assert result.best_loss < 0.5 * result.history["best_loss"].iloc[0]


def test_a_distance_from_an_unknown_truth_is_refused():
    with pytest.raises(ValueError, match="truth, which is not known"):
        replace(toy_problem(), truth=None, start_factor=2.0)
