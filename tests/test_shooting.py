"""Windows of time that begin at the data: their residuals, derivatives and cost, and the method that takes them as stages."""

from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest

from gradevo.fit import fit
from gradevo.meter import Meter
from gradevo.methods.stages import Aside, Stage, staged
from gradevo.methods.windows import Windows
from gradevo.problem import Problem
from gradevo.result import Status
from tests.test_regression import cables, tree

POSED = [tree, cables, lambda: tree(recorded=[0, 5])]


def theta_near(problem: Problem, size: float) -> np.ndarray:
    """The truth, its logarithms off by up to ``size``."""
    assert problem.truth is not None
    aside = np.random.default_rng(1).uniform(-size, size, problem.n_parameters)
    return problem.coordinates.from_density(problem.truth * np.exp(aside))


@pytest.mark.parametrize("posed", POSED)
def test_one_window_is_the_problem_itself(posed):
    problem = posed().view("log")
    whole = Windows(problem, problem.protocol.n_samples)
    theta = theta_near(problem, 0.1)
    assert whole.loss(theta[None])[0] == pytest.approx(problem.loss(theta[None])[0], rel=1e-12)
    own, other = whole.residual_products(theta), problem.residual_products(theta)
    assert own.loss == pytest.approx(other.loss, rel=1e-12)
    np.testing.assert_allclose(own.gradient_half, other.gradient_half, rtol=1e-9)
    np.testing.assert_allclose(own.normal_matrix, other.normal_matrix, rtol=1e-9, atol=1e-12 * other.normal_matrix.max())


@pytest.mark.parametrize("posed", POSED)
def test_the_truth_has_no_residual_and_errors_do_not_grow(posed):
    problem = posed().view("log")
    losses = [Windows(problem, length).loss(np.stack([theta_near(problem, 0.0), theta_near(problem, 0.2)])) for length in (1, 10)]
    assert max(loss[0] for loss in losses) < 1e-18
    assert losses[0][1] < losses[1][1] < problem.loss(theta_near(problem, 0.2)[None])[0]


@pytest.mark.parametrize("length", [1, 7])
@pytest.mark.parametrize("posed", POSED)
def test_derivatives_are_those_of_the_loss(posed, length):
    windows = Windows(posed().view("log"), length)
    theta = theta_near(windows.problem, 0.05)
    products = windows.residual_products(theta)
    assert products.loss == pytest.approx(windows.loss(theta[None])[0], rel=1e-12)
    step = 1e-6
    shifts = step * np.eye(len(theta))
    differences = (windows.loss(theta + shifts) - windows.loss(theta - shifts)) / (2 * step)
    np.testing.assert_allclose(2 * products.gradient_half, differences, rtol=1e-5, atol=1e-6 * np.abs(differences).max())
    # J^T J: the second derivative where there is no residual
    true = theta_near(windows.problem, 0.0)
    normal, step = windows.residual_products(true).normal_matrix, 1e-5
    along = np.random.default_rng(2).standard_normal(len(true))
    second = windows.loss((true + step * along)[None])[0] / step**2
    assert second == pytest.approx(along @ normal @ along, rel=1e-2)


def test_products_do_not_depend_on_the_segments_within_windows(monkeypatch):
    windows = Windows(tree().view("log"), 7)
    theta = theta_near(windows.problem, 0.05)
    whole = windows.residual_products(theta)
    monkeypatch.setattr("gradevo.kernels.tangents.SEGMENT_BYTES", 1)
    parts = windows.residual_products(theta)
    assert parts.loss == whole.loss
    np.testing.assert_allclose(parts.gradient_half, whole.gradient_half, rtol=1e-9)
    np.testing.assert_allclose(parts.normal_matrix, whole.normal_matrix, rtol=1e-9, atol=1e-12 * whole.normal_matrix.max())


def test_recorded_voltages_begin_at_the_data_and_others_go_on():
    problem = tree(recorded=[0, 5])
    theta = theta_near(problem, 0.2)
    values = problem.densities(theta[None])
    shifted = replace(problem, target=problem.target + 1.0)
    near, far = (Windows(posed, 10).voltages(values)[0] for posed in (problem, shifted))
    np.testing.assert_array_equal(near[:, :11], far[:, :11])  # up to the first window's end, the data play no part
    assert np.abs(near - far)[:, 11].min() > 0.1


def test_threads_change_nothing(monkeypatch):
    problem = tree().view("log")
    found = []
    for threads in ("1", "2"):
        monkeypatch.setenv("GRADEVO_THREADS", threads)
        windows, theta = Windows(problem, 3), theta_near(problem, 0.1)
        found.append((windows.loss(theta[None]), *windows.residual_products(theta)))
    for one, two in zip(*found, strict=True):
        np.testing.assert_array_equal(one, two)


def test_windows_are_counted_by_what_they_simulate():
    problem = tree()
    meter = Meter(1000.0, 2.5, problem.n_simulations, tangent_weight=0.1)
    windows, theta = staged(problem, Stage(0.0, 0.5, 4, 1)), theta_near(problem, 0.1)
    aside = Aside(meter, problem)
    aside.loss(windows, theta[None])
    assert meter.simulations == 2  # 4 stimuli of half the time
    aside.residual_products(windows, theta)
    assert (meter.simulations, meter.tangents) == (4, 2 * problem.n_parameters)
    assert meter.best_loss == np.inf


@pytest.mark.parametrize("posed", POSED[:2])
def test_recovers_the_truth(posed):
    result = fit(posed(), "shooting_lm", seed=0, budget_equivalents=1e5, gradient_weight=2.5, stop_loss=1e-8)
    assert result.status == Status.converged, result.message
    assert result.totals["density_error_max_rel"] < 1e-2


@pytest.mark.parametrize("posed", POSED)
def test_a_diverged_simulation_is_infinitely_wrong(posed):
    """Also where what diverged was set to the data, or is not recorded; at rest and above, nobody is within 20 mV of zero at
    the end."""
    problem = posed().view("log")
    windows, theta = Windows(problem, 1), theta_near(problem, 0.1)
    assert np.isfinite(windows.loss(theta[None])[0])
    with patch("gradevo.kernels.tangents.VOLTAGE_LIMIT_MV", 20.0):
        assert windows.loss(theta[None])[0] == np.inf
        products = windows.residual_products(theta)
    assert products.loss == np.inf
    assert not products.normal_matrix.any()


def test_what_cannot_be_simulated_is_infinitely_wrong():
    problem = tree(free=["Na", "capacitance"]).view("log")
    windows, theta = Windows(problem, 1), theta_near(problem, 0.1)
    absurd = np.stack([theta, theta])
    absurd[1, -1] = 1e3
    with np.errstate(over="ignore"):
        losses = windows.loss(absurd)
        assert np.isfinite(losses[0])
        assert losses[1] == np.inf
        assert windows.residual_products(absurd[1]).loss == np.inf


@pytest.mark.parametrize("settings", [{"windows": [1]}, {"horizons": []}, {"windows": [0] * 10}, {"iterations": 0}])
def test_settings_out_of_range_are_refused(settings):
    result = fit(tree(), "shooting_lm", seed=0, budget_equivalents=100, gradient_weight=2.5, settings=settings)
    assert result.status == Status.error
    assert next(iter(settings)) in result.message


def test_what_cannot_be_cut_is_said():
    with pytest.raises(ValueError, match="0 samples long"):
        Windows(tree(), 0)
    with pytest.raises(ValueError, match="not a sum of squares"):
        Windows(replace(tree(), loss_declared={"kind": "phase_plane"}), 1)
