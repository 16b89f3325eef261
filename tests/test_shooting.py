"""Windows of time with states of their own: what they do to products, how their nodes move, and the method that uses them."""

import numpy as np
import pytest

from gradevo.fit import fit
from gradevo.meter import Meter
from gradevo.methods.windows import Windows
from gradevo.result import Status
from tests.test_regression import cables, tree

POSED = [tree, cables, lambda: tree(recorded=[0, 5])]


def on_the_way(windows: Windows, values: np.ndarray) -> np.ndarray:
    """The nodes of a trajectory in one piece."""
    return windows.shoot(values[None], None)[1][0]


def true_values(problem) -> np.ndarray:
    assert problem.truth is not None
    return problem.truth


def off_the_way(windows: Windows, values: np.ndarray, size: float) -> np.ndarray:
    """The same, missed by about this share of what states vary by."""
    scale = np.array([10.0, *[0.1] * (len(windows.plan.initial_state) - 1)])
    nodes = on_the_way(windows, values)
    return nodes + size * scale * np.random.default_rng(3).uniform(-1, 1, nodes.shape)


@pytest.mark.parametrize("posed", POSED)
def test_a_trajectory_without_defects_is_that_of_one_piece(posed):
    problem = posed()
    windows = Windows.of(problem, 4)
    assert len(windows.starts) == 4
    values = problem.parameters.defaults * 1.05
    nodes = on_the_way(windows, values)
    half, normal = windows.products(values, nodes)
    whole = problem.view("identity").residual_products(values)
    assert windows.amiss(values[None], nodes[None])[0] == pytest.approx(whole.loss, rel=1e-12)
    np.testing.assert_allclose(half, whole.gradient_half, rtol=1e-9, atol=1e-9 * np.abs(half).max())
    np.testing.assert_allclose(normal, whole.normal_matrix, rtol=1e-9, atol=1e-9 * normal.max())


@pytest.mark.parametrize("posed", POSED)
def test_linearised_steps_miss_in_the_second_order(posed):
    """Nodes a little off, at the truth: without the defects' direction, J^T r would be of the first order."""
    problem = posed()
    windows = Windows.of(problem, 4)
    true, aside = on_the_way(windows, true_values(problem)), np.random.default_rng(1).uniform(-1, 1, (2, problem.n_parameters))
    halves, misses = [], []
    for size in (1e-5, 1e-6):
        nodes = off_the_way(windows, true_values(problem), size)
        halves.append(np.linalg.norm(windows.products(true_values(problem), nodes)[0]))
        steps = size * aside * true_values(problem)
        moved = windows.moved(true_values(problem), nodes, steps, np.ones(2))
        exact = windows.shoot(true_values(problem) + steps, None)[1]
        misses.append([np.abs(one - other).max() for one, other in zip(moved, exact, strict=True)])
        # to the first order, nodes do move with the densities
        assert np.abs(exact - true).max() > 5 * max(misses[-1])
    assert 70 < halves[0] / halves[1] < 140
    assert np.all((np.divide(*misses) > 70) & (np.divide(*misses) < 140))


def test_nodes_near_the_data_hold_what_was_recorded():
    problem = tree(recorded=[0, 5])
    windows = Windows.of(problem, 5)
    nodes = windows.nodes_near_data(problem.parameters.defaults, 100.0)
    true = on_the_way(windows, true_values(problem))
    seen = windows.plan.recorded
    np.testing.assert_array_equal(nodes[:, :, seen, 0], true[:, :, seen, 0])
    free = on_the_way(windows, problem.parameters.defaults)
    for g in range(1, nodes.shape[-1]):  # gates follow recorded voltages, whatever the densities
        assert np.abs(nodes - true)[:, :, seen, g].max() < 0.5 * np.abs(free - true)[:, :, seen, g].max()


def test_defects_and_residuals_are_what_is_amiss():
    problem = tree()
    windows = Windows.of(problem, 4)
    nodes = on_the_way(windows, true_values(problem))
    assert windows.amiss(true_values(problem)[None], nodes[None])[0] < 1e-20
    nodes[0, 1, 3, 0] += 2.0  # mV
    voltages, ends = windows.shoot(true_values(problem)[None], nodes[None])
    count = nodes[..., 0].size
    assert np.abs(ends[0] - nodes)[0, 1, 3, 0] == pytest.approx(2.0)
    rest = problem.loss_function.terms(voltages, problem.target).mean()
    assert windows.amiss(true_values(problem)[None], nodes[None])[0] > rest + 4.0 / count
    nodes[0, 0, 0, 0] = np.nan
    assert windows.amiss(true_values(problem)[None], nodes[None])[0] == np.inf


def test_a_share_of_the_defects_can_be_closed():
    problem = tree()
    windows = Windows.of(problem, 4)
    nodes = off_the_way(windows, true_values(problem), 1e-5)
    none, half, whole = windows.moved(true_values(problem), nodes, np.zeros((3, problem.n_parameters)), np.array([0.0, 0.5, 1.0]))
    np.testing.assert_allclose(none, nodes, atol=1e-5)  # gates stay between 0 and 1
    np.testing.assert_allclose((2 * half - nodes)[..., 0], whole[..., 0], atol=1e-9)


def test_questions_are_counted():
    problem = tree()  # 12 stimuli
    seen = []

    def note(meter: Meter) -> None:
        seen.append((meter.simulations, meter.tangents))

    fit(problem, "shooting_lm", seed=0, budget_equivalents=1e4, gradient_weight=2.5, settings={"iterations": 1}, on_event=note)
    # the start; nodes near the data, and what is amiss there; J^T J; four shares of two steps, each trial two simulations
    assert seen[:4] == [(12, 0), (36, 0), (48, 12 * problem.n_parameters), (48 + 8 * 24, 12 * problem.n_parameters)]


def test_the_budget_is_kept():
    result = fit(tree(), "shooting_lm", seed=0, budget_equivalents=400, gradient_weight=2.5)
    assert result.status == Status.budget
    assert result.totals["simulation_equivalents"] <= 400


@pytest.mark.parametrize("posed", POSED[:2])
def test_recovers_the_truth(posed):
    result = fit(posed(), "shooting_lm", seed=0, budget_equivalents=1e5, gradient_weight=2.5, stop_loss=1e-8)
    assert result.status == Status.converged, result.message
    assert result.totals["density_error_max_rel"] < 1e-2


@pytest.mark.parametrize("settings", [{"windows": 1}, {"windows": 51}, {"iterations": 0}, {"strength_per_ms": 0.0}])
def test_settings_out_of_range_are_refused(settings):
    result = fit(tree(), "shooting_lm", seed=0, budget_equivalents=100, gradient_weight=2.5, settings=settings)
    assert result.status == Status.error
    assert next(iter(settings)) in result.message
