"""Losses: gradients, what each forgives and what it does not, and bits that do not depend on the batch."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from gradevo.kernels.modules import compiled_squares
from gradevo.losses import LOSS_UNITS, LOSSES, Recorded, make_loss
from gradevo.losses.base import squares_loss
from tests.fitting import toy_problem

TIMES = np.linspace(0.0, 40.0, 401)
KINDS: dict[str, Any] = {
    "mse": "mse",
    "published_mse": {"kind": "published_mse"},
    "windows": {"kind": "windows", "windows_ms": [[0, 5.05], [4, 12], [30, 30]]},
    "spike_times": "spike_times",
    "phase_plane": "phase_plane",
}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


def loss_of(kind: str, n_recorded: int = 2, **settings):
    declared = {"kind": kind, **settings} if settings else KINDS[kind]
    return make_loss(declared, Recorded(TIMES, n_recorded, 6))


def spikes(*onsets_ms: float, peak_mV: float = 40.0, width_ms: float = 0.8) -> np.ndarray:
    """[1 stimulus, samples, 1 site] mV: rest at -65 mV and a bump per onset."""
    bumps = [np.exp(-(((TIMES - onset) / width_ms) ** 2)) for onset in onsets_ms]
    return (-65.0 + (peak_mV + 65.0) * np.sum(bumps, axis=0))[None, :, None]


def random_traces(seed: int, *shape: int) -> np.ndarray:
    """[*shape, 3 stimuli, samples, 2 sites] mV, between -80 and 40 mV, smooth."""
    rng = np.random.default_rng(seed)
    onset, width = rng.uniform(5, 35, size=(*shape, 3, 1, 2)), rng.uniform(0.5, 4, size=(*shape, 3, 1, 2))
    return -70.0 + 100.0 * np.exp(-(((TIMES[:, None] - onset) / width) ** 2)) + rng.normal(0, 1, size=(*shape, 3, 401, 2))


def test_every_kind_is_tested():
    assert set(KINDS) == set(LOSSES) == set(LOSS_UNITS)


def test_equal_traces_cost_nothing_and_each_stimulus_counts_for_itself(kind):
    loss, target = loss_of(kind), random_traces(0)
    np.testing.assert_array_equal(loss.terms(target, target), np.zeros(3))
    changed = target.copy()
    changed[1] = random_traces(1)[1]
    terms = loss.terms(changed, target)
    assert terms[0] == terms[2] == 0
    assert terms[1] > 0


def test_gradient_matches_central_differences(kind):
    loss, target, voltages = loss_of(kind), random_traces(0), random_traces(1, 2)
    tensor = torch.from_numpy(voltages).requires_grad_()
    terms = loss.terms(tensor, torch.from_numpy(target))
    np.testing.assert_allclose(terms.detach().numpy(), loss.terms(voltages, target), rtol=1e-12)
    weights = np.random.default_rng(2).uniform(0.5, 2.0, size=terms.shape)
    (terms * torch.from_numpy(weights)).sum().backward()
    assert tensor.grad is not None
    for seed in range(3):
        direction = np.random.default_rng(seed).standard_normal(voltages.shape)
        step = 1e-4
        ahead, behind = (loss.terms(voltages + sign * step * direction, target) for sign in (1, -1))
        numeric = ((ahead - behind) * weights).sum() / (2 * step)
        assert (tensor.grad.numpy() * direction).sum() == pytest.approx(numeric, rel=1e-6)


def test_gradient_through_the_simulation(kind):
    """d loss / d theta of a simulated neuron, for every loss."""
    declared = {"kind": "windows", "windows_ms": [[0.5, 1], [2, 3]]} if kind == "windows" else kind
    problem = toy_problem(loss=declared, loss_target=1.0)
    assert problem.loss_function.name == kind
    thetas = problem.sample_initial(np.random.default_rng(0), 3)
    losses, gradients = problem.loss_and_gradient(thetas)
    np.testing.assert_array_equal(losses, problem.loss(thetas))
    direction, step = np.random.default_rng(1).standard_normal(problem.n_parameters), 1e-5
    numeric = (problem.loss(thetas + step * direction) - problem.loss(thetas - step * direction)) / (2 * step)
    np.testing.assert_allclose(gradients @ direction, numeric, rtol=2e-5)


def test_terms_do_not_depend_on_the_batch(kind):
    """To the bit: candidates alone or together, and whatever the order of the axes in memory."""
    loss, target, voltages = loss_of(kind), random_traces(0), random_traces(1, 7)
    together = loss.terms(voltages, target)
    for i in range(7):
        np.testing.assert_array_equal(loss.terms(voltages[i : i + 1], target)[0], together[i])
    np.testing.assert_array_equal(loss.terms(voltages[2:5], target), together[2:5])


def test_a_diverged_simulation_is_nan_and_spoils_no_other(kind):
    loss, target, voltages = loss_of(kind), random_traces(0), random_traces(1, 2)
    clean = loss.terms(voltages, target)
    voltages[0, 1] = np.nan
    terms = loss.terms(voltages, target)
    assert np.isnan(terms[0, 1])
    np.testing.assert_array_equal(terms[1], clean[1])
    np.testing.assert_array_equal(terms[0, [0, 2]], clean[0, [0, 2]])


def test_extreme_voltages_neither_warn_nor_overflow(kind):
    target = random_traces(0)
    with np.errstate(all="raise", under="ignore"):
        assert np.isfinite(loss_of(kind).terms(target + 9000.0, target)).all()


def test_sums_of_squares_say_so_with_their_weights(kind):
    loss, target, voltages = loss_of(kind), random_traces(0), random_traces(1, 2)
    assert loss.is_sum_of_squares == (LOSS_UNITS[kind] == "mV2")
    if loss.weights is not None:
        summed = (loss.weights * (voltages - target) ** 2).sum(axis=(-2, -1))
        np.testing.assert_allclose(summed, loss.terms(voltages, target), rtol=1e-12)


@pytest.mark.parametrize("kind", ["mse", "published_mse", "windows"])
@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_compiled_squares_are_the_terms_and_their_slopes(kind, ragged, dtype):
    target, voltages = random_traces(0).astype(dtype), random_traces(1, 2).astype(dtype)
    observed = np.ones(target.shape, bool)
    observed[0, 200:], observed[1, :, 1] = False, False
    loss = make_loss(KINDS[kind], Recorded(TIMES, 2, 6, observed if ragged else None))
    assert loss.weights is not None
    assert loss.weights.ndim == 2 + ragged
    stimuli, flat = np.array([0, 1, 2, 0, 1, 2]), voltages.reshape(6, *voltages.shape[2:])
    squares = loss.against(target, dtype)
    terms = squares(stimuli, flat)
    near = 1e-13 if dtype == np.float64 else 1e-6
    np.testing.assert_allclose(terms.reshape(2, 3), loss.terms(voltages.astype(float), target.astype(float)), rtol=near)
    slopes = np.empty_like(flat)
    np.testing.assert_array_equal(squares(stimuli, flat, slopes), terms)
    weights = np.broadcast_to(loss.weights, target.shape).astype(dtype)
    weighted = (flat - target[stimuli]) * weights[stimuli]
    np.testing.assert_array_equal(slopes, weighted * dtype(2 / 3))
    by_torch = loss.slopes(voltages, target).reshape(slopes.shape)
    np.testing.assert_allclose(by_torch, slopes, rtol=near, atol=near * np.abs(slopes).max())

    # in place, in another order, and one at a time: the same bits
    place = flat.copy()
    np.testing.assert_array_equal(squares(stimuli, place, place), terms)
    np.testing.assert_array_equal(place, slopes)
    np.testing.assert_array_equal(squares(stimuli[::-1], flat[::-1]), terms[::-1])
    for k in range(6):
        np.testing.assert_array_equal(squares(stimuli[k : k + 1], flat[k : k + 1]), terms[k : k + 1])


@pytest.mark.parametrize("n", [1, 7, 8, 9, 1023, 1024, 1031, 2500])
def test_compiled_squares_of_any_length_are_exact(n):
    """Against sums that are rounded once: no number is left out or taken twice, wherever a piece or a vector ends."""
    rng = np.random.default_rng(n)
    voltages, target, weights = rng.normal(size=(2, n, 1)), rng.normal(size=(2, n, 1)), rng.uniform(0.5, 1, (n, 1))
    exact = [math.fsum((weights * (v - t) ** 2).ravel()) for v, t in zip(voltages, target, strict=True)]
    loss = squares_loss("mse", weights)
    np.testing.assert_allclose(loss.against(target, np.float64)(np.arange(2), voltages), exact, rtol=4e-15)


def test_squares_are_compiled_once_for_a_precision():
    """Whatever arrays come: what is compiled later would be on a method's clock."""
    target, voltages = random_traces(0), random_traces(1)
    target.setflags(write=False)
    loss, every = loss_of("mse"), np.broadcast_to(np.arange(3), (2, 3)).ravel()
    for stimuli, traces in ((every[:3], voltages), (every[::2][:3], voltages[:, ::1]), (np.arange(6)[::2] // 2, voltages[::-1])):
        for dtype in (np.float64, np.float32):
            loss.against(target, dtype)(stimuli, traces.astype(dtype))
    for precision in ("float64", "float32"):
        assert len(compiled_squares(precision).weighted_squares.signatures) == 1


def test_squares_refuse_what_does_not_fit():
    target, voltages = random_traces(0), random_traces(1)
    loss, every = loss_of("mse"), np.arange(3)
    squares = loss.against(target, np.float64)
    for stimuli, traces in (
        (every, voltages[:, 1:]),
        (every, voltages[:, :, :1]),
        (every, voltages.astype(np.float32)),
        (every[1:], voltages),
    ):
        with pytest.raises(ValueError, match="cannot be compared"):
            squares(stimuli, traces)
    for wrong in (every + 1, every - 1):
        with pytest.raises(ValueError, match="not among the target's"):
            squares(wrong, voltages)
    for slopes in (np.empty((3, 802)), np.empty(voltages.shape, np.float32), np.empty((3, 2, 401)).swapaxes(1, 2)):
        with pytest.raises(ValueError, match="give contiguous"):
            squares(every, voltages, slopes)
    fewer = make_loss("mse", Recorded(TIMES, 2, 6, np.ones((2, *target.shape[1:]), bool)))
    for comparing, aim in ((loss, target[:, 1:]), (loss, target[:, :, :1]), (fewer, target)):
        with pytest.raises(ValueError, match="cannot be compared with weights"):
            comparing.against(aim, np.float64)


def test_a_simulation_that_diverged_has_no_squares_and_leaves_the_others_alone():
    loss, target, voltages = loss_of("mse"), random_traces(0), random_traces(1)
    slopes, place = np.empty_like(voltages), voltages.copy()
    squares = loss.against(target, np.float64)
    clean = squares(np.arange(3), voltages, slopes)
    slopes[1] = place[1] = np.nan
    np.testing.assert_array_equal(squares(np.arange(3), place, place), [clean[0], np.nan, clean[2]])
    np.testing.assert_array_equal(place, slopes)


def test_windows_see_what_lies_in_them_and_nothing_else():
    loss, target = loss_of("windows"), random_traces(0)
    inside = ((TIMES < 12.01) | (np.abs(TIMES - 30) < 0.01))[:, None]
    voltages = target + np.where(inside, 3.0, 50.0)
    np.testing.assert_allclose(loss.terms(voltages, target), 9.0)
    np.testing.assert_array_equal(loss.terms(np.where(inside, target, 0.0), target), 0.0)


def test_a_shifted_spike_costs_little_and_a_missing_one_much():
    loss, target = loss_of("spike_times", 1, tau_ms=3.0), spikes(10.0, 25.0)
    missing = loss.terms(spikes(10.0), target)[0]
    shifted = [loss.terms(spikes(10.0, 25.0 + shift), target)[0] for shift in (0.1, 0.3, 1.0, 3.0, 9.0)]
    assert shifted[0] < 0.01 * missing
    assert shifted[1] < 0.05 * missing
    assert (np.diff(shifted) > 0).all()
    assert shifted[-1] == pytest.approx(2 * missing, rel=0.1), "a spike far away is one lost and one too many"
    as_mse = loss_of("mse", 1)
    assert as_mse.terms(spikes(10.0, 26.5), target)[0] > 1.5 * as_mse.terms(spikes(10.0), target)[0], "which mse does not forgive"


def test_spike_time_distance_is_van_rossums_integral():
    """Written out: half the double integral of e(u) e(v) exp(-|u - v| / tau); here as a sum over all pairs of samples."""
    for tau, tolerance in ((1.0, 0.06), (10.0, 0.01)):
        loss = loss_of("spike_times", 1, tau_ms=tau)
        for voltages, target in ((spikes(10.0, 20.0), spikes(11.0)), (spikes(30.0, 39.5), spikes(20.0, width_ms=3.0))):
            soft = [1 / (1 + np.exp(-(v[0, :, 0] + 20.0) / 4.0)) for v in (voltages, target)]
            e = soft[0] - soft[1]
            pairs = np.outer(e, e) * np.exp(-np.abs(TIMES[:, None] - TIMES) / tau)
            assert loss.terms(voltages, target)[0] == pytest.approx(0.1**2 * pairs.sum() / 2, rel=tolerance)


def test_a_missing_spike_costs_half_its_width_squared_wherever_it_is():
    loss = loss_of("spike_times", 1, tau_ms=40.0, slope_mV=0.1)
    quiet = np.full((1, 401, 1), -65.0)
    for onset in (5.0, 20.0, 38.0):
        width_ms = 0.1 * (spikes(onset) > -20.0).sum()
        assert loss.terms(quiet, spikes(onset))[0] == pytest.approx(width_ms**2 / 2, rel=0.03)


@pytest.mark.parametrize("distance", ["hellinger", "squares"])
def test_the_phase_plane_does_not_see_when_things_happen(distance):
    loss, target = loss_of("phase_plane", 1, distance=distance), spikes(10.0, 25.0)
    other_shape = loss.terms(spikes(10.0, 25.0, peak_mV=10.0), target)[0]
    missing = loss.terms(spikes(10.0), target)[0]
    for onsets in ((13.0, 28.0), (10.0, 31.0), (10.03, 25.05)):
        assert loss.terms(spikes(*onsets), target)[0] < 0.05 * min(other_shape, missing)
    as_mse = loss_of("mse", 1)
    assert as_mse.terms(spikes(13.0, 28.0), target)[0] > as_mse.terms(spikes(10.0), target)[0]


def test_the_phase_plane_measures_time_spent_elsewhere():
    """A trace that is half of the time where the target never is has a Hellinger distance of 1 - sqrt(1/2); never, of 1."""
    loss, rest = loss_of("phase_plane", 1), np.full((1, 401, 1), -65.0)
    half = np.where(TIMES[:, None] < 20.05, -65.0, 10.0)[None]
    assert loss.terms(half, rest)[0] == pytest.approx(1 - np.sqrt(0.5), abs=5e-3)
    assert loss.terms(rest + 75.0, rest)[0] == pytest.approx(1.0, abs=1e-3)


def test_the_phase_plane_tells_up_from_down():
    """A slow rise and a fast fall visit the same voltages as their mirror image, but not the same slopes."""
    loss = loss_of("phase_plane", 1)
    rise = np.interp(TIMES, [0, 10, 20, 21, 40], [-65, -65, 20, -65, -65])[None, :, None]
    assert loss.terms(rise[:, ::-1], rise)[0] > 0.01
    np.testing.assert_allclose(np.sort(rise, axis=1), np.sort(rise[:, ::-1], axis=1))


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ("mae", "unknown loss 'mae'; use one of mse, "),
        ({"kind": "mse", "tau_ms": 1}, "loss 'mse' has no setting 'tau_ms'; known: none"),
        ({"kind": "windows"}, "loss 'windows' needs the setting 'windows_ms'"),
        ({"kind": "windows", "windows_ms": []}, "windows_ms is empty"),
        ({"kind": "windows", "windows_ms": [[3, 2]]}, r"\[3, 2\] ms ends before it begins"),
        ({"kind": "windows", "windows_ms": [[41, 50]]}, r"no sample lies in .* from 0 to 40 ms, 401 in all"),
        ({"kind": "spike_times", "tau_ms": 0}, "tau_ms is 0"),
        ({"kind": "phase_plane", "width_mV": -1}, "width_mV is -1"),
        ({"kind": "phase_plane", "range_mV_ms": [5, 5]}, r"range_mV_ms \[5, 5\] is empty"),
    ],
)
def test_bad_settings_are_named(declared, message):
    with pytest.raises(ValueError, match=message):
        make_loss(declared, Recorded(TIMES, 1, 6))


def test_recordings_that_a_loss_cannot_use_are_refused():
    for name in ("spike_times", "phase_plane"):
        with pytest.raises(ValueError, match="1 sample is recorded; record 2 or more"):
            make_loss(name, Recorded(TIMES[:1], 1, 6))
    with pytest.raises(ValueError, match="wholly outside range_mV"):
        toy_problem(loss={"kind": "phase_plane", "range_mV": [500, 900]}, loss_target=1.0)
