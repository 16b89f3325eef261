"""Generated currents: their statistics, their exact charge, their seeds, and what bad input says."""

from typing import Any

import numpy as np
import pytest

from gradevo.stimulus import GENERATORS, Stimulus, first_shared, make_stimulus, random_steps
from gradevo.stimulus.base import even_edges, piece_means

# every kind with arguments that fit 20 ms
ARGUMENTS: dict[str, dict[str, Any]] = {
    "random_steps": {"every_ms": 1.0, "low_nA": 0.0, "high_nA": 2.0},
    "ornstein_uhlenbeck": {"every_ms": 0.1, "mean_nA": 1.0, "sd_nA": 0.5, "correlation_ms": 2.0},
    "ramps": {"every_ms": 0.3, "low_nA": 1.0, "high_nA": 2.0, "start_nA": -1.0, "onset_ms": 4.0},
    "sine_sweeps": {"every_ms": 0.2, "low_nA": 1.0, "high_nA": 2.0, "from_Hz": 20.0, "to_Hz": 400.0, "offset_nA": 0.5},
    "alpha_synapses": {"every_ms": 0.25, "rate_Hz": 300.0, "low_nA": 0.5, "high_nA": 1.0, "rise_ms": 0.7},
}


def generate(kind: str, n_stimuli: int = 3, n_sites: int = 2, duration_ms: float = 20.0, seed: int = 4, **changed) -> Stimulus:
    return GENERATORS[kind](n_stimuli, n_sites, duration_ms, seed=seed, **(ARGUMENTS[kind] | changed))


def charge(stimulus: Stimulus) -> np.ndarray:
    return (stimulus.values_nA * np.diff(stimulus.edges_ms)).sum(axis=2)


@pytest.mark.parametrize("kind", GENERATORS)
def test_currents_follow_from_their_seed(kind):
    a, b, c = generate(kind), generate(kind), generate(kind, seed=5)
    assert a.values_nA.shape[:2] == (3, 2)
    assert a.edges_ms[-1] >= 20.0
    np.testing.assert_array_equal(a.values_nA, b.values_nA)
    assert not np.array_equal(a.values_nA, c.values_nA)
    assert not np.array_equal(a.values_nA[0], a.values_nA[1]), "stimuli differ"
    assert not np.array_equal(a.values_nA[:, 0], a.values_nA[:, 1]), "sites differ"
    np.testing.assert_array_equal(generate(kind, n_stimuli=5).values_nA[:3], a.values_nA)  # more stimuli: the first stay


def test_noise_is_stationary_and_forgets_exponentially():
    noise = generate("ornstein_uhlenbeck", n_stimuli=100, n_sites=40, duration_ms=12.0).values_nA
    n = noise.shape[0] * noise.shape[1]
    for k in (0, 60, 119):  # from the first piece on; five standard errors
        assert noise[:, :, k].mean() == pytest.approx(1.0, abs=5 * 0.5 / np.sqrt(n))
        assert noise[:, :, k].std() == pytest.approx(0.5, rel=5 / np.sqrt(2 * n))
    for lag in (1, 5, 20, 60):
        a, b = noise[:, :, 10] - 1.0, noise[:, :, 10 + lag] - 1.0
        assert (a * b).mean() / 0.25 == pytest.approx(np.exp(-0.1 * lag / 2.0), abs=5 * np.sqrt(2 / n))


def test_noise_does_not_depend_on_how_often_it_is_read():
    """The update is exact: readings twice as far apart have the same variance and correlation in time."""
    coarse = generate("ornstein_uhlenbeck", n_stimuli=100, n_sites=40, every_ms=4.0).values_nA - 1.0
    assert (coarse[:, :, 0] * coarse[:, :, 1]).mean() / 0.25 == pytest.approx(np.exp(-2.0), abs=5 * np.sqrt(2 / 4000))
    assert coarse[:, :, 3].std() == pytest.approx(0.5, rel=5 / np.sqrt(8000))


def test_ramps_rise_in_a_straight_line_and_lose_no_charge():
    stimulus = generate("ramps", low_nA=1.5, high_nA=1.5)
    assert stimulus.edges_ms[0] == 4.0
    assert stimulus.edges_ms[-1] == 20.0
    np.testing.assert_allclose(charge(stimulus), 16.0 * (1.5 - 1.0) / 2, rtol=1e-12)
    middles = (stimulus.edges_ms[:-1] + stimulus.edges_ms[1:]) / 2
    np.testing.assert_allclose(stimulus.values_nA[0, 0], -1.0 + 2.5 * (middles - 4.0) / 16.0, rtol=1e-12)


def test_a_sweep_has_its_frequencies_and_its_means():
    fixed = generate("sine_sweeps", from_Hz=100.0, to_Hz=100.0, low_nA=2.0, high_nA=2.0)
    np.testing.assert_allclose(charge(fixed), 0.5 * 20.0, atol=1e-9)  # two whole periods: only the offset is left
    np.testing.assert_allclose(
        (fixed.values_nA[0, 0] - 0.5) ** 2 @ np.diff(fixed.edges_ms) / 20, 2.0, rtol=2e-3
    )  # amplitude^2 / 2
    stimulus = generate("sine_sweeps", duration_ms=200.0)
    crossings = stimulus.edges_ms[1:-1][np.diff(np.sign(stimulus.values_nA[0, 0] - 0.5)) != 0]
    halves = [np.sum(crossings < 100.0), np.sum(crossings >= 100.0)]
    # the frequency's mean over a half, times its length, is its number of cycles: two crossings each
    np.testing.assert_allclose(halves, [2 * 0.1 * 115.0, 2 * 0.1 * 305.0], atol=1.01)
    edges = even_edges(3.0, 0.1)
    numeric = piece_means(np.sin, edges)
    np.testing.assert_allclose(numeric, -np.diff(np.cos(edges)) / np.diff(edges), rtol=1e-10)


def test_synaptic_currents_have_the_charge_of_their_events():
    """An alpha function of peak p and rise r carries e p r of charge, and peaks at p."""
    one = generate("alpha_synapses", n_stimuli=2000, n_sites=1, rate_Hz=50.0, low_nA=1.0, high_nA=1.0, every_ms=0.05, rise_ms=0.2)
    total = charge(one)[:, 0] / (np.e * 0.2)
    whole = np.abs(total - np.rint(total)) < 1e-6  # all but the events that the end cuts
    assert whole.mean() > 0.85
    assert np.rint(total).mean() == pytest.approx(1.0, abs=0.15), "50 Hz for 20 ms"
    alone = whole & (np.rint(total) == 1)
    np.testing.assert_allclose(one.values_nA[alone, 0].max(axis=1), 1.0, rtol=0.02)
    assert (one.values_nA >= -1e-12).all()


def test_a_step_takes_the_exact_mean_whatever_the_grid():
    """What the kernel injects over each step adds up to the whole charge, for pieces that no step divides."""
    for kind in GENERATORS:
        stimulus = generate(kind, every_ms=0.173)
        start, piece, weight = stimulus.step_weights(0.0, 0.5, 41)
        assert len(start) == 42
        injected = 0.5 * (stimulus.values_nA[..., piece] * weight).sum(axis=2)
        inside = np.minimum(np.diff(stimulus.edges_ms), 20.5 - stimulus.edges_ms[:-1])
        np.testing.assert_allclose(injected, (stimulus.values_nA * inside).sum(axis=2), atol=1e-10)


def test_the_same_current_is_recognised_on_other_edges():
    a = random_steps(3, 2, 5.0, 1.0, 0.0, 1.0, seed=0)
    finer = Stimulus(np.arange(0.0, 5.01, 0.5), np.repeat(a.values_nA[[2]], 2, axis=2))
    assert first_shared(finer, a) == (0, 2)
    assert first_shared(a, random_steps(3, 2, 5.0, 1.0, 0.0, 1.0, seed=1)) is None
    assert first_shared(a, random_steps(4, 2, 5.0, 1.0, 0.0, 1.0, seed=0)) == (0, 0)
    assert first_shared(a, random_steps(3, 1, 5.0, 1.0, 0.0, 1.0, seed=0)) is None


def test_declared_currents_are_densities():
    declared = {"kind": "ramps", "count": 2, "every_ms": 1, "low_uA_cm2": 5, "high_uA_cm2": 5, "seed": 0}
    stimulus = make_stimulus(declared, np.array([100.0, 300.0]), 10.0, 1e-5)
    np.testing.assert_allclose(stimulus.values_nA[:, 1], 3 * stimulus.values_nA[:, 0])
    np.testing.assert_allclose(stimulus.values_nA[0, 0, -1], 5 * 100 * 1e-5 * 0.95)
    pulses = make_stimulus({"kind": "steps", "amplitudes_uA_cm2": [1, 2], "onset_ms": 1, "duration_ms": 2}, np.ones(3), 10.0, 0.5)
    np.testing.assert_array_equal(pulses.values_nA[:, :, 0], [[0.5] * 3, [1.0] * 3])


@pytest.mark.parametrize(
    ("kind", "changed", "message"),
    [
        ("random_steps", {"n_stimuli": 0}, "stimuli is 0"),
        ("random_steps", {"low_nA": 3.0}, "low_nA 3.0 is above high_nA 2.0; swap them"),
        ("ornstein_uhlenbeck", {"correlation_ms": 0.0}, "correlation_ms is 0.0"),
        ("ornstein_uhlenbeck", {"sd_nA": -1.0}, "sd_nA is -1.0"),
        ("ramps", {"onset_ms": 20.0}, "onset_ms is 20.0"),
        ("sine_sweeps", {"to_Hz": 2000.0}, "every_ms 0.2 is too long for a sine of 2000 Hz; take 0.0625 or less"),
        ("sine_sweeps", {"from_Hz": 0.0}, "from_Hz is 0.0"),
        ("alpha_synapses", {"rate_Hz": 0.0}, "rate_Hz is 0.0"),
    ],
)
def test_bad_input_is_named(kind, changed, message):
    with pytest.raises(ValueError, match=message):
        generate(kind, **changed)
