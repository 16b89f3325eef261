"""Regression on currents: the truth is its fixed point, and methods that start from it reach the floor."""

from dataclasses import replace

import numpy as np
import pytest

from gradevo.fit import fit
from gradevo.methods.currents import Currents
from gradevo.result import Status
from gradevo.simulate import simulate_numpy
from gradevo.study import make_problem
from tests.fitting import toy_config


def tree(compartments: int = 12, **problem):
    """An attached tree of the published neuron, three sites stimulated, recorded everywhere unless told otherwise."""
    declared = {"stimulated": {"spread": 3}, "dt_ms": 0.025, "duration_ms": 5, "start": "defaults", **problem}
    config = toy_config(**declared)
    config["problems"]["toy"]["stimuli"]["count"] = 12
    config["neurons"]["two"]["morphology"] = {
        "kind": "attached_tree", "compartments": compartments, "seed": 1, "coupling_S_cm2": 0.5e-3,
    }  # fmt: skip
    return make_problem(config, "toy")


def cables(**problem):
    """A branching cable of the squid's membrane, whose branch points are nodes without capacitance."""
    config = toy_config(**{"stimulated": {"spread": 3}, "duration_ms": 10, "sample_interval_ms": 0.2, "dt_ms": 0.05, **problem})
    config["neurons"]["two"] |= {"morphology": {"kind": "random_tree", "sections": 9, "seed": 3}, "channels": "hh"}
    config["problems"]["toy"]["stimuli"] |= {"high_uA_cm2": 60, "every_ms": 2, "count": 8}
    return make_problem(config, "toy")


@pytest.mark.parametrize("implicitness", [0.5, 1.0])
@pytest.mark.parametrize("posed", [tree, cables])
def test_the_truth_is_a_fixed_point(posed, implicitness):
    problem = posed()
    protocol = replace(problem.protocol, implicitness=implicitness)
    target = simulate_numpy(problem.neuron, problem.full_densities(problem.truth[None])[0], protocol)
    problem = replace(problem, protocol=protocol, target=target, heldout=None)
    every = replace(protocol, sample_interval_ms=protocol.step_ms, n_samples=protocol.n_steps + 1)
    path = simulate_numpy(problem.neuron, problem.full_densities(problem.truth[None])[0], every)
    regression = Currents(problem, problem.truth)
    regression.path = path.transpose(1, 0, 2).copy()
    found = regression.improve()
    np.testing.assert_allclose(regression.path, path.transpose(1, 0, 2), atol=1e-7)
    np.testing.assert_allclose(found, problem.truth, rtol=1e-5)


def test_one_pass_comes_close_and_more_come_closer():
    problem = tree()
    regression = Currents(problem, problem.parameters.defaults)
    errors = [np.median(np.abs(regression.improve() / problem.truth - 1)) for _ in range(12)]
    assert errors[-1] < 1e-3 < errors[0]


@pytest.mark.parametrize("posed", [tree, cables])
def test_recovers_the_truth(posed):
    problem = posed()
    result = fit(problem, "regression_lm", seed=0, budget_equivalents=1e5, gradient_weight=2.5, stop_loss=1e-10)
    assert result.status == Status.converged, result.message
    assert result.totals["density_error_max_rel"] < 1e-2
    assert result.totals["simulations"] > 0


def test_levenberg_marquardt_goes_on_where_few_passes_end():
    problem = tree()
    few = {"settings": {"passes": 10}, "seed": 0, "budget_equivalents": 1e5, "gradient_weight": 2.5, "stop_loss": 1e-8}
    result = fit(problem, "regression_lm", **few)
    assert result.status == Status.converged, result.message
    assert result.totals["tangents"] > 0


def test_regions_share_their_density():
    problem = tree(regions=3)
    regression = Currents(problem, problem.parameters.defaults)
    assert regression.improve().shape == (6,)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"recorded": [0, 1]}, "records 2 of 12"), ({"free": ["Na", "capacitance"]}, "capacitance is free too")],
)
def test_what_it_cannot_do_is_said(change, message):
    problem = tree(**change)
    with pytest.raises(ValueError, match=message):
        Currents(problem, problem.parameters.defaults)


def test_an_attached_tree_is_one_tree():
    problem = tree(40)
    m = problem.neuron.morphology
    assert len(m.edges) == 39
    assert (m.parents == -1).sum() == 1
    assert (m.parents[1:] == np.arange(39)).mean() > 0.6
