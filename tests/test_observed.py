"""Sweeps that differ in recorded sites and times: what was not recorded makes no difference, and costs nothing."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from gradevo.fit_rows import loss_target
from gradevo.kernels import cpu
from gradevo.losses import Recorded, make_loss
from gradevo.observations import declared_observed
from gradevo.problem import Problem
from gradevo.stimulus import Stimulus
from gradevo.study import make_problem, make_targets
from tests.fitting import toy_config, toy_problem

SQUARES = ("mse", "published_mse", {"kind": "windows", "windows_ms": [[0.5, 1.5], [2, 3]]})
OTHERS = ("spike_times", "phase_plane")


@pytest.fixture(scope="module")
def problem() -> Problem:
    """Four stimuli, 31 samples, two sites."""
    return toy_problem()


@pytest.fixture(scope="module")
def traces(problem) -> np.ndarray:
    """Every sweep records other sites, each all the time."""
    mask = np.ones(problem.target.shape, dtype=bool)
    mask[0, :, 1] = mask[2, :, 0] = False
    return mask


@pytest.fixture(scope="module")
def ragged(problem) -> np.ndarray:
    """Sites begin, end and are sampled at other times in every sweep."""
    mask = np.zeros(problem.target.shape, dtype=bool)
    mask[0, :, 0] = True
    mask[1, 4:19, 1] = True
    mask[2, ::2, 0] = mask[2, ::3, 1] = True
    mask[3] = True
    return mask


@pytest.fixture(scope="module")
def thetas(problem) -> np.ndarray:
    return problem.sample_initial(np.random.default_rng(0), 3)


def masked(problem: Problem, observed: np.ndarray, declared="mse") -> Problem:
    return replace(problem, observed=observed, loss_declared=declared)


def sweep(problem: Problem, s: int, observed: np.ndarray) -> Problem:
    """Stimulus s alone, recorded where it was."""
    sites = np.flatnonzero(observed[s].all(axis=0))
    stimulus = problem.protocol.stimulus
    alone = Stimulus(stimulus.edges_ms, stimulus.values_nA[s : s + 1])
    protocol = replace(problem.protocol, stimulus=alone, recorded=tuple(int(i) for i in sites))
    return replace(problem, protocol=protocol, target=problem.target[s : s + 1, :, sites], heldout=None)


@pytest.mark.parametrize("declared", SQUARES + OTHERS, ids=str)
def test_the_loss_is_the_mean_of_the_sweeps_as_problems_of_their_own(problem, traces, thetas, declared):
    together = masked(problem, traces, declared)
    alone = [sweep(replace(problem, loss_declared=declared), s, traces) for s in range(4)]
    terms = np.stack([each.loss(thetas) for each in alone], axis=1)
    assert np.ptp(terms, axis=1).min() > 0
    np.testing.assert_allclose(together.objectives(thetas), terms, rtol=1e-12)
    losses, gradients = together.loss_and_gradient(thetas)
    np.testing.assert_allclose(losses, terms.mean(axis=1), rtol=1e-12)
    expected = np.mean([each.loss_and_gradient(thetas)[1] for each in alone], axis=0)
    np.testing.assert_allclose(gradients, expected, rtol=1e-9, atol=1e-12 * np.abs(expected).max())


@pytest.mark.parametrize("declared", SQUARES, ids=str)
def test_residual_products_are_those_of_the_sweeps(problem, traces, thetas, declared):
    together = masked(problem, traces, declared).residual_products(thetas[0])
    alone = [sweep(replace(problem, loss_declared=declared), s, traces).residual_products(thetas[0]) for s in range(4)]
    for found, parts in zip(together, zip(*alone, strict=True), strict=True):
        expected = np.mean(parts, axis=0)
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-13 * np.abs(expected).max())


@pytest.mark.parametrize("declared", SQUARES, ids=str)
def test_gaps_in_time(problem, ragged, thetas, declared):
    """Means are over the recorded samples; the published one stays over all samples and compartments."""
    gapped = masked(problem, ragged, declared)
    voltages = cpu.forward(gapped._plans[0], problem.full_densities(problem.densities(thetas)), keep=False)[0]
    kept = ragged.copy()
    if isinstance(declared, dict):
        times = problem.protocol.sample_times_ms
        kept &= np.any([(times > a - 1e-9) & (times < b + 1e-9) for a, b in declared["windows_ms"]], axis=0)[:, None]
    counts = kept.sum(axis=(1, 2)) if declared != "published_mse" else kept[0].size
    expected = (np.where(kept, voltages - problem.target, 0) ** 2).sum(axis=(2, 3)) / counts
    np.testing.assert_allclose(gapped.objectives(thetas), expected, rtol=1e-12)

    losses, gradients = gapped.loss_and_gradient(thetas)
    np.testing.assert_allclose(losses, expected.mean(axis=1), rtol=1e-12)
    direction, step = np.array([0.3, -0.5, 0.4, 0.7]), 1e-5
    numeric = (gapped.loss(thetas + step * direction) - gapped.loss(thetas - step * direction)) / (2 * step)
    np.testing.assert_allclose(gradients @ direction, numeric, rtol=2e-5)

    loss, half, _ = gapped.residual_products(thetas[0])
    assert loss == pytest.approx(losses[0], rel=1e-12)
    np.testing.assert_allclose(2 * half, gradients[0], rtol=1e-9)
    assert problem.truth is not None
    at = gapped.coordinates.from_density(problem.truth)
    slopes = [gapped.loss_and_gradient((at + sign * step * direction)[None])[1][0] for sign in (1, -1)]
    second = 2 * gapped.residual_products(at).normal_matrix @ direction
    np.testing.assert_allclose(second, (slopes[0] - slopes[1]) / (2 * step), rtol=1e-4, atol=1e-4 * np.abs(second).max())


@pytest.mark.parametrize("declared", OTHERS)
def test_gradients_of_losses_along_traces(problem, traces, thetas, declared):
    some = masked(problem, traces, declared)
    gradients = some.loss_and_gradient(thetas)[1]
    direction, step = np.array([0.3, -0.5, 0.4, 0.7]), 1e-5
    numeric = (some.loss(thetas + step * direction) - some.loss(thetas - step * direction)) / (2 * step)
    np.testing.assert_allclose(gradients @ direction, numeric, rtol=1e-4)


@pytest.mark.parametrize("declared", SQUARES, ids=str)
def test_torch_and_the_written_slopes_agree(problem, ragged, declared):
    loss = make_loss(declared, Recorded(problem.protocol.sample_times_ms, 2, 2, ragged))
    target = problem.target
    voltages = target + np.random.default_rng(1).normal(size=(3, *target.shape))
    tensor = torch.from_numpy(voltages).requires_grad_()
    terms = loss.terms(tensor, torch.from_numpy(target))
    np.testing.assert_allclose(terms.detach().numpy(), loss.terms(voltages, target), rtol=1e-12)
    terms.mean(dim=-1).sum().backward()
    assert tensor.grad is not None
    slopes = voltages.copy()
    for one in slopes:
        loss.against(target, np.float64)(np.arange(len(target)), one, one)
    np.testing.assert_allclose(slopes, tensor.grad.numpy(), rtol=1e-12)
    assert (slopes[:, ~ragged] == 0).all()
    assert loss.terms(voltages.astype(np.float32), target.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize("declared", SQUARES + OTHERS, ids=str)
def test_everything_recorded_is_the_same_to_the_bit(problem, thetas, declared):
    plain = replace(problem, loss_declared=declared)
    full = masked(problem, np.ones(problem.target.shape, dtype=bool), declared)
    for one, other in zip(plain.loss_and_gradient(thetas), full.loss_and_gradient(thetas), strict=True):
        np.testing.assert_array_equal(one, other)
    if declared in SQUARES:
        for one, other in zip(plain.residual_products(thetas[0]), full.residual_products(thetas[0]), strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("declared", ["mse", *OTHERS])
@pytest.mark.parametrize("filling", [np.nan, np.inf, 1e6])
def test_what_was_not_recorded_may_be_anything(problem, traces, thetas, declared, filling):
    hidden = replace(problem, target=np.where(traces, problem.target, filling), observed=traces, loss_declared=declared)
    for one, other in zip(
        hidden.loss_and_gradient(thetas), masked(problem, traces, declared).loss_and_gradient(thetas), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    assert np.isnan(hidden.target[~traces]).all()
    np.testing.assert_array_equal(hidden.target[traces], problem.target[traces])


def test_batches_and_divergence(problem, ragged, thetas, monkeypatch):
    gapped = masked(problem, ragged).view("identity")
    points = np.concatenate([problem.densities(thetas), np.full((1, 4), np.inf)])
    calls = []
    gradient = cpu.gradient
    monkeypatch.setattr(cpu, "gradient", lambda *a, **k: calls.append(1) or gradient(*a, **k))
    losses, gradients = gapped.loss_and_gradient(points)
    assert len(calls) == 1, "all sweeps of all candidates are one batch"
    assert np.isinf(losses[3])
    assert not gradients[3].any()
    for i in range(3):
        one = gapped.loss_and_gradient(points[i : i + 1])
        np.testing.assert_array_equal(one[0], losses[i : i + 1])
        np.testing.assert_array_equal(one[1], gradients[i : i + 1])
    np.testing.assert_array_equal(gapped.loss(points), losses)


def test_held_out(problem, thetas):
    protocol, target = problem.heldout
    mask = np.zeros(target.shape, dtype=bool)
    mask[0, :, 0] = mask[1, :, 1] = True
    judged = replace(problem, heldout=(protocol, np.where(mask, target, np.nan)), heldout_observed=mask)
    densities = problem.densities(thetas)
    sites = [replace(problem, heldout=(replace(protocol, recorded=(i,)), target[:, :, i : i + 1])) for i in (0, 1)]
    terms = [each._terms(densities, heldout=True)[:, i] for i, each in enumerate(sites)]
    np.testing.assert_allclose(judged.heldout_loss(densities), np.mean(terms, axis=0), rtol=1e-12)
    np.testing.assert_array_equal(judged.loss(thetas), problem.loss(thetas))


def without(mask: np.ndarray, *place) -> np.ndarray:
    mask = mask.copy()
    mask[place] = False
    return mask


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p, m: {"observed": m[:3]}, r"observed is bool \(3, 31, 2\); it must be .* \(4, 31, 2\)"),
        (lambda p, m: {"observed": m.astype(float)}, "observed is float64"),
        (lambda p, m: {"observed": without(m, 2)}, "nothing was recorded under stimulus 2"),
        (lambda p, m: {"observed": without(np.ones_like(m), slice(None), slice(None), 1)}, r"recorded site 1 \(compartment 1\)"),
        (lambda p, m: {"observed": m, "target": np.where(m, np.nan, 0)}, r"holds nan at stimulus 0, sample 0, recorded site 0 "),
        (lambda p, m: {"observed": m, "target": np.where(p.target == p.target[1, 7, 1], np.inf, p.target)}, "1 at 0.7 ms"),
        (lambda p, m: {"observed": m, "loss_declared": "spike_times"}, "site 1 only 15 of 31 .* under stimulus 1"),
        (lambda p, m: {"observed": m, "loss_declared": "phase_plane"}, "loss 'phase_plane': .* use mse"),
        (
            lambda p, m: {"observed": m, "loss_declared": {"kind": "windows", "windows_ms": [[2, 3]]}},
            "nothing was recorded under stimulus 1 in the windows",
        ),
        (lambda p, m: {"heldout_observed": m}, r"heldout_observed is bool \(4, 31, 2\); .* \(2, 31, 2\)"),
        (lambda p, m: {"heldout": None, "heldout_observed": m}, "but nothing is held out"),
    ],
)
def test_bad_masks_are_named(problem, ragged, change, message):
    with pytest.raises(ValueError, match=message):
        replace(problem, **change(problem, ragged))


RECORDINGS = [{"stimuli": [0, 1], "sites": [0]}, {"stimuli": [1, 2, 3], "sites": -1, "windows_ms": [[0, 1], [2, 2.5]]}]


def test_a_study_declares_recordings():
    config = toy_config(recordings=RECORDINGS, noise_mV=0.5)
    targets = make_targets(config, "toy")
    declared = make_problem(config, "toy", targets)
    assert declared.observed is not None
    np.testing.assert_array_equal(declared.observed[:, :, 0].all(axis=1), [True, True, False, False])
    np.testing.assert_array_equal(np.flatnonzero(declared.observed[3, :, 1]), [*range(11), *range(20, 26)])
    np.testing.assert_array_equal(np.isfinite(targets["target_mV"]), declared.observed)
    full = make_targets(toy_config(noise_mV=0.5), "toy")["target_mV"]
    np.testing.assert_array_equal(targets["target_mV"][declared.observed], full[declared.observed])
    assert loss_target(config, declared) == pytest.approx(4 * 0.5**2), "noise alone makes its variance of every mean"


@pytest.mark.parametrize(
    ("recordings", "message"),
    [
        ([{"stimuli": [4]}], r"recordings\[0\] names stimulus 4; there are stimuli 0 to 3"),
        ([{}, {"sites": [2]}], r"recordings\[1\] site 2 does not exist"),
        ([{"windows_ms": [[4, 5]]}], r"no sample lies in the window \[4, 5\] ms"),
        ([{"stimuli": [0, 1, 2]}], "recordings says that nothing was recorded under stimulus 3"),
        ([{"sites": [0]}], r"recordings says that recorded site 1 \(compartment 1\) was recorded under no stimulus"),
    ],
)
def test_bad_recordings_are_named(recordings, message):
    with pytest.raises(ValueError, match=message):
        make_targets(toy_config(recordings=recordings), "toy")


def test_sites_of_recordings_are_among_the_recorded(problem):
    protocol = replace(problem.protocol, recorded=(1,))
    with pytest.raises(ValueError, match="compartment 0, which is not among the problem's recorded sites"):
        declared_observed([{"sites": [0]}], protocol, 2)


def test_levenberg_marquardt_finds_the_densities():
    """Only one of the sweeps sees both sites, and that in parts."""
    from gradevo.fit import fit

    posed = make_problem(toy_config(recordings=RECORDINGS), "toy")
    result = fit(posed, "levenberg_marquardt", seed=0, budget_equivalents=3000, gradient_weight=2.5, stop_loss=1e-12)
    assert result.best_loss <= 1e-12
    assert result.totals["density_error_max_rel"] < 1e-3
