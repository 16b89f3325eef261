"""Problems that lead to another one, how they are counted, and the methods that take them as stages."""

from dataclasses import replace

import numpy as np
import pytest

from gradevo.fit import fit
from gradevo.meter import BudgetExhausted, Meter
from gradevo.methods.stages import Stage, staged
from gradevo.result import Status
from tests.test_regression import cables, tree


def true(problem) -> np.ndarray:
    assert problem.truth is not None
    return problem.coordinates.from_density(problem.truth)


@pytest.mark.parametrize(("posed", "dt_ms"), [(tree, 0.025), (cables, 0.05)])
def test_a_pull_keeps_voltages_by_the_data_and_leaves_the_truth_alone(posed, dt_ms):
    problem = posed(sample_interval_ms=dt_ms)  # a sample at every step: nothing is left to splines
    start = problem.coordinates.from_density(problem.parameters.defaults)
    free = problem.loss(start[None])[0]
    losses = [staged(problem, Stage(strength, 1.0, 100)).loss(start[None])[0] for strength in (1.0, 10.0, 100.0)]
    assert free > losses[0] > losses[1] > losses[2]
    assert losses[2] < 0.05 * free
    assert staged(problem, Stage(10.0, 1.0, 100)).loss(true(problem)[None])[0] < 1e-18


def test_only_recorded_sites_are_pulled():
    problem = tree(recorded=[0, 5])
    pulled = staged(problem, Stage(10.0, 1.0, 100))
    leak = problem.neuron.channel_names.index("leak")
    own = problem.full_densities(problem.densities(true(problem))[None])[0, leak]
    # strength x C: 10 / ms x 0.45 uF/cm2 = 4.5 mS/cm2
    expected = np.where(np.isin(np.arange(12), [0, 5]), 4.5e-3, 0.0)
    np.testing.assert_allclose(pulled.full_densities(problem.densities(true(problem))[None])[0, leak] - own, expected, atol=1e-12)


def test_a_shorter_problem_has_the_truth_at_its_floor():
    problem = tree()
    shorter = staged(problem, Stage(0.0, 0.2, 4))
    assert shorter.target.shape == (4, 11, 12)
    assert shorter.loss(true(problem)[None])[0] < 1e-20


def test_stages_are_counted_by_what_they_simulate_and_are_never_the_best():
    problem = tree()
    meter = Meter(100.0, 2.5, problem.n_simulations, tangent_weight=0.1)
    shorter = staged(problem, Stage(0.0, 0.2, 4))
    assert meter.loss_of_another(problem, shorter, true(problem)[None])[0] < 1e-20
    assert meter.simulations == 1  # 4 stimuli of a fifth of the time
    meter.products_of_another(problem, shorter, true(problem))
    assert (meter.simulations, meter.tangents) == (2, problem.n_parameters)
    assert meter.best_loss == np.inf
    with pytest.raises(BudgetExhausted):
        meter.loss_of_another(problem, staged(problem, Stage(0.0, 1.0, 100)), np.repeat(true(problem)[None], 50, axis=0))
    assert meter.simulation_equivalents <= 100.0


@pytest.mark.parametrize("name", ["synchronised_lm", "horizon_lm"])
def test_recovers_the_truth(name):
    result = fit(tree(), name, seed=0, budget_equivalents=1e5, gradient_weight=2.5, stop_loss=1e-8)
    assert result.status == Status.converged, result.message
    assert result.totals["density_error_max_rel"] < 1e-2
    assert result.totals["tangents"] > 0


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("synchronised_lm", {"strengths_per_ms": []}),
        ("synchronised_lm", {"iterations": 0}),
        ("horizon_lm", {"horizons": [0.5, 1.5]}),
    ],
)
def test_settings_out_of_range_are_refused(name, settings):
    result = fit(tree(), name, seed=0, budget_equivalents=100, gradient_weight=2.5, settings=settings)
    assert result.status == Status.error
    assert next(iter(settings)) in result.message


def test_what_cannot_be_staged_is_said():
    problem = tree()
    with pytest.raises(ValueError, match="out of range"):
        staged(problem, Stage(-1.0, 1.0, 4))
    observed = np.ones(problem.target.shape, dtype=bool)
    observed[0, 3] = False
    with pytest.raises(ValueError, match="gaps"):
        staged(replace(problem, observed=observed), Stage(1.0, 1.0, 4))
    with pytest.raises(ValueError, match="no leak"):
        staged(tree(free=["Na", "K", "leak"], start_factor=1.1), Stage(1.0, 1.0, 4))
