"""BluePyOpt on NEURON: the same neuron as gradevo's, counted alike, and able to find it."""

import os
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from gradevo.channels import channel_set
from gradevo.fit import fit
from gradevo.methods import METHODS, bluepyopt_neuron
from gradevo.methods.bluepyopt_neuron import NeuronEvaluator
from gradevo.methods.neuron_scores import FeatureScores, feature_distances, squared_errors
from gradevo.morphology import from_adjacency, random_tree, read_morphology
from gradevo.neuron import Neuron
from gradevo.parameters import make_parameters
from gradevo.problem import Problem
from gradevo.result import Status
from gradevo.simulate import simulate_numpy
from gradevo.stimulus import Stimulus
from tests.conftest import cycle_and_island, make_neuron, spiking_protocol
from tests.fitting import toy_problem
from tests.reconstructions import swc_text

ON_NEURON = ("bluepyopt_neuron_mse", "bluepyopt_neuron_efel")
EFEL = {key: METHODS["bluepyopt_neuron_efel"].defaults[key] for key in ("features", "sites", "std_share")}


def posed(neuron: Neuron, free: tuple[str, ...], regions: dict[str, int], implicitness: float, n_stimuli: int = 2) -> Problem:
    """A problem whose target is gradevo's voltages at densities from the middle of the box; gates first step with NEURON's."""
    protocol = replace(
        spiking_protocol(neuron, n_stimuli=n_stimuli, duration_ms=10.0), implicitness=implicitness, first_gate_step=0.0
    )
    fixed = neuron.default_densities() * np.random.default_rng(5).uniform(0.8, 1.2, neuron.default_densities().shape)
    parameters = make_parameters(neuron, free, regions, fixed)
    truth = parameters.defaults * np.random.default_rng(6).uniform(0.8, 1.25, parameters.n_parameters)
    inputs = parameters.inputs(truth[None])
    target = simulate_numpy(neuron, inputs.densities, protocol, **inputs.passive())[0]
    return Problem(
        "rivals", neuron, protocol, target, parameters.defaults / 2, parameters.defaults * 2, free,
        regions=regions, fixed=fixed, truth=truth, transform="unit",
    )  # fmt: skip


def neurons(tmp_path) -> dict[str, Neuron]:
    path = tmp_path / "made.swc"
    path.write_text(swc_text("branched", seed=6, depth=1))
    return {
        "read": Neuron("read", read_morphology(path, 60.0, 150.0), channel_set("hh")),
        "cylinders": Neuron("cylinders", random_tree(7, seed=3, compartments_per_section=2), channel_set("hh")),
        "direct": make_neuron("chain", "jones2024"),
    }


@pytest.mark.parametrize("implicitness", [1.0, 0.5])
@pytest.mark.parametrize("name", ["read", "cylinders", "direct"])
def test_the_same_voltages(name, implicitness, tmp_path):
    """Densities differ in every region, other channels' in every compartment; currents jump between steps."""
    neuron = neurons(tmp_path)[name]
    free, regions = ("Na", "capacitance", "axial_resistivity"), {"Na": 3, "capacitance": 2}
    if name == "direct":
        free, regions = ("Na", "K"), {"Na": 3}
    problem = posed(neuron, free, regions, implicitness)
    assert problem.truth is not None
    assert np.ptp(problem.target) > 60, "the test must run through spikes"
    evaluator = NeuronEvaluator(problem, squared_errors(problem))
    theta = problem.coordinates.from_density(problem.truth)
    for _ in range(2):  # a candidate leaves nothing behind for the next
        np.testing.assert_allclose(evaluator.voltages(theta), problem.target, rtol=0, atol=1e-6)
        evaluator.voltages(np.full(problem.n_parameters, 0.3))
    other = problem.sample_random(np.random.default_rng(1), 1)
    scores = evaluator.init_simulator_and_evaluate_with_lists(other[0])
    np.testing.assert_allclose(scores, problem.objectives(other)[0], rtol=1e-6)


def test_features_are_scored_as_by_bluepyopt():
    from bluepyopt.ephys.objectivescalculators import ObjectivesCalculator

    problem = toy_problem().view("unit")
    scores = feature_distances(problem, **EFEL)
    assert scores.objectives is not None
    names = {objective.name.rpartition(".")[2] for objective in scores.objectives}
    assert {"Spikecount", "AP_amplitude", "minimum_voltage"} <= names <= set(EFEL["features"])
    evaluator = NeuronEvaluator(problem, scores)
    theta = problem.sample_random(np.random.default_rng(3), 1)[0]
    responses = evaluator.run_protocols(evaluator.fitness_protocols.values(), evaluator.param_dict(theta.tolist()))
    some = FeatureScores(scores.objectives[:12])
    ours, theirs = some.calculate_scores(responses), ObjectivesCalculator(some.objectives).calculate_scores(responses)
    assert ours == pytest.approx(theirs, rel=1e-12)
    assert max(ours.values()) > 0
    targets = {name: {**response, "voltage": None} for name, response in responses.items()}
    for i, sweep in enumerate(evaluator.fitness_protocols.values()):
        for k, recording in enumerate(sweep.recordings or ()):
            targets[recording.name]["voltage"] = problem.target[i, :, k]
    at_target = scores.calculate_scores(targets)
    single = [name for name in at_target if not name.endswith("min_AHP_values")]
    assert max(at_target[name] for name in single) < 1e-9, "a feature with one value is at no distance from itself"
    failed = scores.calculate_scores(dict.fromkeys(responses))
    assert set(failed.values()) == {250.0}


def test_what_was_not_recorded_makes_no_difference():
    problem = toy_problem().view("unit")
    observed = np.ones(problem.target.shape, dtype=bool)
    observed[0, :, 1] = False
    observed[1, 10:] = False
    partly = replace(problem, observed=observed, heldout=None)
    theta = problem.sample_random(np.random.default_rng(3), 1)
    as_neuron = replace(partly, protocol=replace(partly.protocol, first_gate_step=0.0))
    evaluator = NeuronEvaluator(as_neuron, squared_errors(as_neuron))
    scores = evaluator.init_simulator_and_evaluate_with_lists(theta[0])
    np.testing.assert_allclose(scores, as_neuron.objectives(theta)[0], rtol=1e-6)
    names = {objective.name.rpartition(".")[0] for objective in feature_distances(partly, **EFEL).objectives or ()}
    assert names == {"stimulus0.v0", "stimulus2.v0", "stimulus2.v1", "stimulus3.v0", "stimulus3.v1"}


def test_features_that_cannot_be_had_are_named():
    problem = toy_problem()
    with pytest.raises(ValueError, match=r"features \['Spikes'\] are not eFEL's"):
        feature_distances(problem, ["Spikes"], None, 0.05)
    with pytest.raises(ValueError, match="finds none of the features ISI_CV in the target traces"):
        feature_distances(problem, ["ISI_CV"], None, 0.05)


@pytest.mark.parametrize(
    ("name", "settings", "worst"),
    [
        ("bluepyopt_neuron_mse", {"algorithm": "cma", "population": 12, "sigma": 0.3}, 0.02),
        ("bluepyopt_neuron_mse", {"population": 20}, 0.1),
        ("bluepyopt_neuron_efel", {"algorithm": "cma", "population": 12}, 0.1),
    ],
)
def test_recovers_two_densities(name, settings, worst):
    problem = toy_problem(regions=1)
    assert problem.n_parameters == 2
    # what the two values do, not the exact truth: that differs between the two compartments
    problem = replace(problem, true_values=None, truth=problem.parameters.defaults * [1.1, 0.85])
    assert problem.truth is not None
    full = problem.full_densities(problem.truth[None])[0]
    problem = replace(problem, target=simulate_numpy(problem.neuron, full, problem.protocol), heldout=None)
    result = fit(problem, name, seed=2, budget_equivalents=900, gradient_weight=2.5, settings=settings)
    assert result.status == Status.budget, result.message
    assert result.totals["simulations"] == 900
    assert result.totals["density_error_max_rel"] < worst, result.best_loss
    # the loss is gradevo's own of what was returned
    assert result.best_loss == problem.loss_of_densities(result.best_densities[None])[0]
    assert result.totals["cpu_s"] > 0
    assert result.totals["compile_s"] > 0


def test_one_process_or_two_are_the_same(monkeypatch):
    problem = toy_problem()
    results = []
    for threads in ("1", "2"):
        monkeypatch.setenv("GRADEVO_THREADS", threads)
        results.append(fit(problem, "bluepyopt_neuron_mse", seed=0, budget_equivalents=301, gradient_weight=2.5))
    one, two = (result.history.drop(columns=["wall_s", "cpu_s"]) for result in results)
    pd.testing.assert_frame_equal(one, two, check_exact=True)
    assert results[0].totals["simulations"] == 300  # whole candidates of four stimuli, within the budget


@pytest.mark.parametrize("name", ON_NEURON)
def test_all_begin_at_the_same_densities(name, monkeypatch):
    problem, seen = toy_problem().view("unit"), []
    original = bluepyopt_neuron.PooledEvaluator._judge
    monkeypatch.setattr(
        bluepyopt_neuron.PooledEvaluator, "_judge", lambda self, thetas: (seen.append(thetas), original(self, thetas))[1]
    )
    fit(problem, name, seed=7, budget_equivalents=100, gradient_weight=2.5)
    expected = problem.sample_initial(np.random.default_rng(7), 4)
    np.testing.assert_allclose(seen[0][:4], expected, rtol=1e-12)


@pytest.mark.parametrize("name", ON_NEURON)
def test_a_cycle_is_refused_before_anything_is_simulated(name):
    neuron = Neuron("ring", from_adjacency(cycle_and_island(), 0.5e-3), channel_set("jones2024"))
    protocol = spiking_protocol(neuron, n_stimuli=1, duration_ms=2.0)
    target = simulate_numpy(neuron, neuron.default_densities(), protocol)
    n = 2 * neuron.n_compartments
    problem = Problem("ring", neuron, protocol, target, np.full(n, 0.01), np.full(n, 0.2), ("Na", "K"))
    result = fit(problem, name, seed=0, budget_equivalents=100, gradient_weight=2.5)
    assert result.status == Status.error
    assert "neuron 'ring' cannot be built in NEURON" in result.message
    assert "adjacency matrices without cycles" in result.message
    assert result.totals["simulations"] == 0


def _die(_theta):
    os._exit(1)


def test_a_process_that_dies_is_a_row(monkeypatch):
    monkeypatch.setattr(bluepyopt_neuron, "_evaluate", _die)
    result = fit(toy_problem(), "bluepyopt_neuron_mse", seed=0, budget_equivalents=100, gradient_weight=2.5)
    assert result.status == Status.error
    assert "BrokenProcessPool" in result.message


def test_diverged_simulations_are_survived():
    # a current that no membrane stands
    problem = toy_problem()
    edges, values = problem.protocol.stimulus.edges_ms, problem.protocol.stimulus.values_nA.copy()
    values[0] = 1e300
    wild = replace(problem, protocol=replace(problem.protocol, stimulus=Stimulus(edges, values)), heldout=None).view("unit")
    theta = wild.sample_random(np.random.default_rng(0), 1)[0]
    assert NeuronEvaluator(wild, squared_errors(wild)).init_simulator_and_evaluate_with_lists(theta)[0] == 1e4


@pytest.mark.parametrize(
    "settings", [{"algorithm": "nsga2"}, {"population": 1}, {"sigma": 0.0}, {"view": "logit"}, {"secondorder": 1}]
)
def test_settings_out_of_range_are_refused(settings):
    result = fit(toy_problem(), ON_NEURON[0], seed=0, budget_equivalents=100, gradient_weight=2.5, settings=settings)
    assert result.status == Status.error
    assert next(iter(settings)) in result.message
    assert result.totals["simulations"] == 0
