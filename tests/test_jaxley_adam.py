"""Adam on Jaxley: the same neuron as gradevo's, counted alike, and able to find it. Most of it needs Jaxley (make bench)."""

from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from gradevo.bench.model import tree
from gradevo.channels import channel_set
from gradevo.fit import fit
from gradevo.methods import jaxley_peer
from gradevo.methods.jaxley_peer import Jaxley, JaxleyError, attachments, make_task
from gradevo.morphology import from_adjacency, random_tree
from gradevo.neuron import Neuron
from gradevo.problem import Problem
from gradevo.result import Status
from gradevo.simulate import simulate_numpy
from tests.conftest import cycle_and_island, make_neuron
from tests.fitting import toy_problem
from tests.test_bluepyopt_neuron import posed

needs_jaxley = pytest.mark.skipif(find_spec("jaxley") is None, reason="Jaxley is not installed; make bench installs it")


def as_jaxley(problem: Problem) -> Problem:
    """With Jaxley's first gate step, and a target to match."""
    protocol = replace(problem.protocol, first_gate_step=1.0)
    assert problem.truth is not None
    inputs = problem.parameters.inputs(problem.truth[None])
    target = simulate_numpy(problem.neuron, inputs.densities, protocol, **inputs.passive())[0]
    return replace(problem, protocol=protocol, target=target, heldout=None)


def cases() -> dict[str, tuple[Problem, float]]:
    at_ends = Neuron("ends", tree(5), channel_set("hh"))
    at_centre = Neuron("centre", random_tree(5, seed=3, compartments_per_section=2), channel_set(["hh", "k_a"]))
    return {
        "hh, ends": (posed(at_ends, ("Na", "capacitance", "axial_resistivity"), {"Na": 3, "capacitance": 2}, 1.0), 1e-6),
        "hh and k_a, centre": (posed(at_centre, ("Na", "K"), {"Na": 3, "K": 1}, 1.0), 5e-5),
        "jones2024, direct": (posed(make_neuron("chain", "jones2024"), ("Na", "K"), {"K": 2}, 0.5), 1e-6),
    }


@needs_jaxley
@pytest.mark.parametrize("name", cases())
def test_the_same_voltages_and_gradients(name):
    problem, tolerance = cases()[name]
    problem = as_jaxley(problem).view("logit")
    assert problem.truth is not None
    assert np.ptp(problem.target) > 60, "the test must run through spikes"
    theta = problem.sample_random(np.random.default_rng(1), 2)
    with Jaxley(make_task(problem, "logit")) as jaxley:
        voltages, _ = jaxley.ask("voltages", problem.truth)
        np.testing.assert_allclose(voltages, problem.target, rtol=0, atol=tolerance)
        variables, _ = jaxley.ask("variables", problem.densities(theta))
        np.testing.assert_allclose(variables, theta, atol=1e-12)
        (losses, gradients), cpu_s = jaxley.ask("loss_and_gradient", variables)
        with pytest.raises(JaxleyError, match="AttributeError"):
            jaxley.ask("nothing")
    expected = problem.loss_and_gradient(theta)
    np.testing.assert_allclose(losses, expected[0], rtol=1e-5)
    for ours, theirs in zip(expected[1], gradients, strict=True):
        assert np.linalg.norm(theirs - ours) < 1e-5 * np.linalg.norm(ours)
    assert cpu_s > 0


@needs_jaxley
@pytest.mark.parametrize("transform", ["logit", "sigmoid"])
def test_recovers_two_densities(transform):
    problem = toy_problem(regions=1)
    problem = replace(problem, true_values=None, truth=problem.parameters.defaults * [1.1, 0.85])
    assert problem.truth is not None
    full = problem.full_densities(problem.truth[None])[0]
    problem = replace(problem, target=simulate_numpy(problem.neuron, full, problem.protocol), heldout=None)
    settings = {"starts": 2, "learning_rate": 0.2, "transform": transform}
    result = fit(problem, "jaxley_adam", seed=2, budget_equivalents=1210, gradient_weight=2.5, settings=settings)
    assert result.status == Status.budget, result.message
    # two starts of four stimuli at 2.5 each cost 20; of the last step only one is paid for
    assert (result.totals["simulations"], result.totals["gradients"]) == (0, 484)
    assert result.totals["density_error_max_rel"] < 0.02
    assert result.best_loss == problem.loss_of_densities(result.best_densities[None])[0]
    assert result.totals["compile_s"] > 1 > 0 < result.totals["cpu_s"]


@needs_jaxley
@pytest.mark.parametrize("view", ["log", "logit"])
def test_is_adam_but_for_the_simulator(view):
    """With one set of settings, both walk the same way."""
    problem = as_jaxley(toy_problem())
    shared: dict[str, Any] = {"starts": 2, "learning_rate": 0.1, "schedule": "constant"}
    budget: dict[str, Any] = {"seed": 3, "budget_equivalents": 400, "gradient_weight": 2.5}
    theirs = fit(problem, "jaxley_adam", settings=shared | {"transform": view}, **budget)
    ours = fit(problem, "adam", settings=shared | {"view": view}, **budget)
    assert theirs.totals["gradients"] == ours.totals["gradients"] > 100
    assert theirs.best_loss == pytest.approx(ours.best_loss, rel=1e-3)
    np.testing.assert_allclose(theirs.best_densities, ours.best_densities, rtol=1e-4)


def test_without_jaxley_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(jaxley_peer, "find_spec", lambda name: None)
    result = fit(toy_problem(), "jaxley_adam", seed=0, budget_equivalents=100, gradient_weight=2.5)
    assert result.status == Status.error
    assert "`make bench` installs it" in result.message
    assert "requirements-peers.lock" in result.message


def test_what_jaxley_cannot_hold_is_refused_before_anything_is_simulated():
    neuron = Neuron("ring", from_adjacency(cycle_and_island(), 0.5e-3), channel_set("jones2024"))
    with pytest.raises(ValueError, match=r"'ring' cannot be built in Jaxley, which takes one tree.* it has a cycle"):
        attachments(neuron)


def test_attachments_are_the_couplings():
    """In series, and around every meeting point, the halves make up gradevo's couplings."""
    m = tree(9)
    neuron = Neuron("ends", m, channel_set("hh"))
    into, out = attachments(neuron)
    for (i, j), conductance in zip(m.edges, m.conductances_uS, strict=True):
        if max(i, j) < neuron.n_compartments:
            assert out[min(i, j)] + into[max(i, j)] == pytest.approx(1 / conductance)
        else:
            half = out if (m.parents == min(i, j)).any() and out[min(i, j)] == 1 / conductance else into
            assert half[min(i, j)] == pytest.approx(1 / conductance)


@pytest.mark.parametrize("settings", [{"schedule": "linear"}, {"starts": 0}, {"transform": "unit"}, {"solver": "exp_euler"}])
def test_settings_out_of_range_are_refused(settings):
    result = fit(toy_problem(), "jaxley_adam", seed=0, budget_equivalents=100, gradient_weight=2.5, settings=settings)
    assert result.status == Status.error
    assert next(iter(settings)) in result.message
