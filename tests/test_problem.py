from dataclasses import replace

import numpy as np
import pytest

from gradevo.problem import Problem
from gradevo.transforms import VIEWS
from tests.fitting import toy_problem


@pytest.fixture(scope="module")
def problem() -> Problem:
    return toy_problem()


def test_truth_has_no_loss_and_no_error(problem):
    assert problem.truth is not None
    assert problem.loss_of_densities(problem.truth[None])[0] == 0
    assert problem.heldout_loss(problem.truth[None])[0] == 0
    assert set(problem.density_errors(problem.truth).values()) == {0.0}


@pytest.mark.parametrize("view", VIEWS)
def test_gradient_matches_central_differences(problem, view):
    seen = problem.view(view)
    thetas = seen.sample_initial(np.random.default_rng(0), 3)
    losses, gradients = seen.loss_and_gradient(thetas)
    np.testing.assert_allclose(losses, seen.loss(thetas), rtol=1e-13)
    direction = np.random.default_rng(1).standard_normal(problem.n_parameters) * (0.05 if view == "identity" else 1.0)
    step = 1e-5
    numeric = (seen.loss(thetas + step * direction) - seen.loss(thetas - step * direction)) / (2 * step)
    np.testing.assert_allclose(gradients @ direction, numeric, rtol=2e-5)


def test_loss_is_the_mean_of_the_objectives(problem):
    thetas = problem.sample_initial(np.random.default_rng(0), 5)
    terms = problem.objectives(thetas)
    assert terms.shape == (5, problem.n_simulations)
    np.testing.assert_array_equal(terms.mean(axis=1), problem.loss(thetas))


def test_published_loss_is_the_mean_over_all_compartments(problem):
    one = toy_problem(recorded=[0])
    thetas = one.sample_initial(np.random.default_rng(0), 2)
    np.testing.assert_allclose(replace(one, loss_declared="published_mse").loss(thetas), one.loss(thetas) / 2, rtol=1e-14)


def test_a_population_in_chunks_is_the_same_to_the_bit(problem, monkeypatch):
    thetas = problem.sample_initial(np.random.default_rng(0), 7)
    whole, whole_gradient = problem.loss_and_gradient(thetas)
    monkeypatch.setattr("gradevo.problem.CHUNK_BYTES", 1)
    np.testing.assert_array_equal(problem.loss(thetas), whole)
    losses, gradients = problem.loss_and_gradient(thetas)
    np.testing.assert_array_equal(losses, whole)
    np.testing.assert_array_equal(gradients, whole_gradient)


def test_starts_depend_on_the_generator_alone(problem):
    first = problem.densities(problem.sample_initial(np.random.default_rng(3), 4))
    for view in VIEWS:
        seen = problem.view(view)
        again = seen.densities(seen.sample_initial(np.random.default_rng(3), 2))
        np.testing.assert_allclose(again, first[:2], rtol=1e-12)
    assert (first > problem.low).all()
    assert (first < problem.high).all()
    started = replace(problem, start=1.1 * problem.low)
    np.testing.assert_allclose(started.densities(started.sample_initial(np.random.default_rng(3), 2))[0], started.start)


def test_a_diverged_candidate_has_an_infinite_loss_and_no_gradient(problem):
    raw = problem.view("identity")
    wild = np.full(problem.n_parameters, np.inf)
    thetas = np.array([problem.truth * 1.1, wild])
    losses, gradients = raw.loss_and_gradient(thetas)
    assert np.isfinite(losses[0])
    assert np.isinf(losses[1])
    assert np.any(gradients[0] != 0)
    assert np.all(gradients[1] == 0)
    np.testing.assert_array_equal(losses, raw.loss(thetas))
    np.testing.assert_array_equal(gradients[:1], raw.loss_and_gradient(thetas[:1])[1])


def test_full_densities_leave_the_fixed_channels(problem):
    full = problem.full_densities(problem.truth[None])
    default = problem.neuron.default_densities()
    assert problem.neuron.channel_names == ("Na", "K", "leak")
    np.testing.assert_array_equal(full[0, 2], default[2])
    np.testing.assert_array_equal(full[0, :2].ravel(), problem.truth)


def holes(target: np.ndarray) -> np.ndarray:
    target = target.copy()
    target[1, 2, 0] = np.nan
    return target


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: {"target": holes(p.target)}, "holds nan at stimulus 1, sample 2, recorded site 0"),
        (lambda p: {"target": p.target[:, :-1]}, r"target has shape .* its protocol makes"),
        (lambda p: {"heldout": (p.protocol, p.target[:1])}, "heldout target has shape"),
        (lambda p: {"low": p.high, "high": p.low}, "bounds cross at parameter 0"),
        (lambda p: {"low": p.low[:-1]}, r"low has shape \(3,\)"),
        (lambda p: {"truth": 2 * p.high}, r"truth\[0\] is .* widen the bounds"),
        (lambda p: {"start": np.full(4, np.nan)}, r"start\[0\] is NaN"),
        (lambda p: {"free": ("Na", "Ca")}, "free 'Ca' is not in neuron 'two'; it has Na, K, leak, capacitance"),
        (lambda p: {"noise_mV": -1.0}, "noise_mV is -1.0"),
        (lambda p: {"transform": "sqrt"}, "unknown view 'sqrt'"),
        (lambda p: {"loss_declared": "mae"}, "unknown loss 'mae'"),
    ],
)
def test_bad_input_is_named(problem, change, message):
    with pytest.raises(ValueError, match=message):
        replace(problem, **change(problem))


def test_what_the_held_out_recordings_cannot_be_judged_by_is_named():
    with pytest.raises(ValueError, match=r"^loss 'windows': "):
        toy_problem(loss={"kind": "windows", "windows_ms": [[50, 60]]})
    problem = toy_problem()
    assert problem.heldout is not None
    protocol, target = problem.heldout
    observed = np.ones(target.shape, dtype=bool)
    observed[1, :-1] = False
    early = {"kind": "windows", "windows_ms": [[0, 1]]}
    with pytest.raises(ValueError, match=r"^held-out recordings: loss 'windows': nothing was recorded under stimulus 1"):
        replace(problem, loss_declared=early, heldout=(protocol, target), heldout_observed=observed)


def test_bad_thetas_are_named(problem):
    with pytest.raises(ValueError, match=r"takes \[K, 4\]"):
        problem.loss(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="NaN in row 1"):
        problem.loss(np.array([[0.0] * 4, [np.nan] * 4]))
    with pytest.raises(ValueError, match="at least 1"):
        problem.sample_initial(np.random.default_rng(0), 0)


@pytest.mark.parametrize("view", ["log", "logit", "identity"])
def test_residual_products_agree_with_the_gradient_and_with_differences(view):
    """J^T r is half the gradient, and where residuals vanish 2 J^T J is the second derivative."""
    problem = toy_problem(loss={"kind": "windows", "windows_ms": [[0.5, 1.5], [2.0, 2.5]]}).view(view)
    theta = problem.sample_initial(np.random.default_rng(2), 1)[0]
    loss, half, normal = problem.residual_products(theta)
    losses, gradients = problem.loss_and_gradient(theta[None])
    assert loss == pytest.approx(losses[0], rel=1e-12)
    np.testing.assert_allclose(2 * half, gradients[0], rtol=1e-9)
    # at the truth residuals vanish, and J^T J is half the loss's second derivative
    assert problem.truth is not None
    at = problem.coordinates.from_density(problem.truth)
    normal = problem.residual_products(at).normal_matrix
    np.testing.assert_allclose(normal, normal.T, rtol=1e-12)
    step = 1e-5 * np.maximum(1.0, np.abs(at)) if view != "identity" else 1e-5 * at
    for i in range(len(at)):
        shifted = np.array([at, at])
        shifted[:, i] += [step[i], -step[i]]
        up, down = problem.loss_and_gradient(shifted)[1]
        np.testing.assert_allclose(2 * normal[i], (up - down) / (2 * step[i]), rtol=1e-4, atol=1e-4 * np.abs(2 * normal[i]).max())


def test_losses_that_are_no_sums_of_squares_have_no_residual_products():
    problem = toy_problem(loss={"kind": "phase_plane"}, loss_target=1.0)
    with pytest.raises(ValueError, match="not a sum of squares"):
        problem.residual_products(problem.sample_initial(np.random.default_rng(0), 1)[0])
