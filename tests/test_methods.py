"""Every method on problems whose answers are known: a quadratic, and two compartments of the published neuron."""

from typing import Any

import numpy as np
import pytest

from gradevo.fit import fit
from gradevo.meter import BudgetExhausted, Meter, TargetReached
from gradevo.methods import METHODS, Method, Outcome, get_method
from gradevo.result import Status
from tests.fitting import Quadratic, toy_problem

ALL = list(METHODS)


def drive(name: str, budget: float, seed: int = 0, stop_loss: float | None = None, problem: Any = None, **settings):
    """Run a method by itself on a quadratic; what it returned or raised, the meter, and the problem."""
    method = METHODS[name]
    complete = method.settings(settings)
    problem = (problem or Quadratic()).view(complete.get("view", method.view))
    meter = Meter(budget, 2.5, problem.n_simulations, stop_loss=stop_loss)
    try:
        end = method.run(problem, meter, np.random.default_rng(seed), **complete)
    except (BudgetExhausted, TargetReached) as raised:
        end = raised
    return end, meter, problem


@pytest.mark.parametrize("name", ALL)
def test_finds_the_minimum_of_a_quadratic(name):
    target = {"adam": 1e-6, "lbfgs": 1e-12, "cma_es": 1e-10, "genetic": 1e-3, "ibea": 1e-2}[name]
    end, meter, problem = drive(name, budget=12000, stop_loss=target)
    assert isinstance(end, TargetReached), meter.best_loss
    assert meter.best_densities is not None
    np.testing.assert_allclose(meter.best_densities, problem.truth, rtol=2 * np.sqrt(2 * problem.n_parameters * target))


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("budget", [601, 1000.5])
def test_stops_at_its_budget_to_the_letter(name, budget):
    end, meter, problem = drive(name, budget)
    price = problem.n_simulations * (2.5 if METHODS[name].gradient else 1)
    assert isinstance(end, BudgetExhausted)
    assert budget - price < meter.simulation_equivalents <= budget
    assert sum(problem.calls) * problem.n_simulations == meter.simulations + meter.gradients
    assert (meter.gradients > 0) == METHODS[name].gradient
    assert (meter.simulations == 0) == METHODS[name].gradient


@pytest.mark.parametrize("name", ALL)
def test_same_seed_same_run(name):
    rows = [drive(name, 900, seed)[1].rows for seed in (4, 4, 5)]
    losses = [[row["loss"] for row in run] for run in rows]
    assert losses[0] == losses[1]
    assert losses[0] != losses[2]


@pytest.mark.parametrize("name", ALL)
def test_works_around_divergence(name):
    # nearly half of the box diverges; the minimum does not
    problem = Quadratic(diverge_above=1.6)
    _, meter, _ = drive(name, 12000, problem=problem)
    assert meter.best_loss < (0.02 if name == "ibea" else 5e-3)


@pytest.mark.parametrize("name", ALL)
def test_all_begin_at_the_same_densities(name, monkeypatch):
    seen = []
    original = Quadratic.objectives

    def spy(self, thetas):
        seen.append(self.densities(thetas))
        return original(self, thetas)

    monkeypatch.setattr(Quadratic, "objectives", spy)
    drive(name, 1000, seed=7)
    expected = Quadratic(view="identity").sample_initial(np.random.default_rng(7), 4)
    if name == "cma_es":  # it samples about its start
        assert np.abs(np.log(seen[0] / expected[0])).mean() < 0.2 * np.log(10) * 1.5
    else:
        np.testing.assert_allclose(seen[0][:4], expected, rtol=1e-9)


def test_lbfgs_batches_its_starts_and_replaces_those_that_end():
    _, meter, problem = drive("lbfgs", 3000, starts=3)
    assert set(problem.calls[:-1]) == {3}
    assert len(meter.rows) == len(problem.calls)
    end, _, problem = drive("lbfgs", 1e6, starts=3, restarts=2)
    assert end == Outcome(Status.stagnated, "5 searches ended in minima above the target")
    assert problem.calls[0] == 3


def test_methods_that_end_by_themselves_say_so():
    for name, settings in (
        ("adam", {"steps": 5}),
        ("genetic", {"generations": 3, "population": 8}),
        ("ibea", {"generations": 3, "population": 8}),
        ("cma_es", {"restarts": 0}),
    ):
        end, meter, _ = drive(name, 1e6, **settings)
        assert isinstance(end, Outcome)
        assert end.status == Status.stagnated
        if name != "cma_es":
            assert len(meter.rows) == settings.get("steps", settings.get("generations"))


def test_elitism_never_loses_the_best():
    _, meter, problem = drive("genetic", 3000, population=10, elite=2)
    assert problem.calls[0] == 10
    assert set(problem.calls[1:-1]) == {8}
    assert meter.best_loss == min(row["loss"] for row in meter.rows)


def test_the_published_adam_takes_raw_steps():
    settings = METHODS["adam"].settings({"preset": "published"})
    assert (settings["starts"], settings["steps"], settings["view"]) == (1, 200, "identity")
    problem = Quadratic(view="identity")
    _, meter, _ = drive("adam", 1e6, problem=problem, preset="published", steps=2)
    # Adam's first step moves every coordinate by the learning rate: 0.5 mS/cm2
    assert meter.gradients == 2 * 3


@pytest.mark.parametrize("name", ALL)
def test_recovers_the_densities_of_a_neuron(name):
    problem = toy_problem()
    result = fit(problem, name, seed=1, budget_equivalents=6000, gradient_weight=2.5, stop_loss=1e-3)
    errors = problem.density_errors(result.best_densities)
    if name in ("lbfgs", "cma_es"):
        assert result.status == Status.converged, result.message
        assert errors["density_error_max_rel"] < 0.01
    else:
        assert errors["density_error_median_rel"] < 0.1, result.best_loss
    assert result.best_loss < {"genetic": 10, "ibea": 20, "adam": 0.5}.get(name, 1e-3)
    assert np.isfinite(result.totals["heldout_loss"])


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("adam", {"learningrate": 1}, "unknown setting of adam 'learningrate'; did you mean 'learning_rate'"),
        ("adam", {"preset": "publised"}, "unknown preset of adam 'publised'; did you mean 'published'"),
        ("lbfgs", {"popsize": 4}, "known: starts, memory, tolerance"),
    ],
)
def test_unknown_settings_are_named(name, settings, message):
    with pytest.raises(ValueError, match=message):
        METHODS[name].settings(settings)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("adam", {"starts": 0}),
        ("adam", {"schedule": "linear"}),
        ("lbfgs", {"memory": 0}),
        ("cma_es", {"sigma": 0.0}),
        ("genetic", {"elite": 64}),
        ("genetic", {"mutation_probability": 2.0}),
        ("ibea", {"population": 1}),
    ],
)
def test_settings_out_of_range_are_refused(name, settings):
    with pytest.raises(ValueError, match=f"{name}: .*{next(iter(settings))}"):
        drive(name, 100, **settings)


def test_unknown_method_is_named():
    with pytest.raises(ValueError, match="unknown method 'cmaes'; did you mean 'cma_es'"):
        get_method("cmaes")


def test_the_registry_is_complete():
    for name, method in METHODS.items():
        assert isinstance(method, Method)
        assert method.name == name
        assert method.run.__module__ == method.module
