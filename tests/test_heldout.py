"""Held-out stimuli: of any kind, and never seen by a fit. Losses and held-out stimuli in a configuration."""

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from gradevo import problem as problem_module
from gradevo.config import check_config
from gradevo.fit import fit
from gradevo.fit_rows import loss_target, loss_units
from gradevo.losses import LOSSES
from gradevo.meter import Meter
from gradevo.methods import OWN
from gradevo.stimulus import GENERATORS
from gradevo.study import make_problem, make_targets
from tests.fitting import toy_config, toy_problem

NOISE = {
    "kind": "ornstein_uhlenbeck", "count": 2, "every_ms": 0.1, "mean_uA_cm2": 10, "sd_uA_cm2": 5, "correlation_ms": 1, "seed": 9,
}  # fmt: skip
RAMPS = {"kind": "ramps", "count": 3, "every_ms": 0.2, "low_uA_cm2": 5, "high_uA_cm2": 20, "seed": 3}
SWEEPS = {
    "kind": "sine_sweeps", "count": 2, "every_ms": 0.1, "low_uA_cm2": 5, "high_uA_cm2": 10, "from_Hz": 50, "to_Hz": 500,
    "seed": 2,
}  # fmt: skip
SYNAPSES = {
    "kind": "alpha_synapses", "count": 2, "every_ms": 0.1, "rate_Hz": 900, "low_uA_cm2": 5, "high_uA_cm2": 9, "rise_ms": 0.4,
    "seed": 2,
}  # fmt: skip
PULSES = {"kind": "steps", "amplitudes_uA_cm2": [4, 9], "onset_ms": 0.5, "duration_ms": 2}


def changed(**problem) -> dict:
    return copy.deepcopy(toy_config(**problem))


def run(problem, method: str):
    return fit(problem, method, seed=0, budget_equivalents=200, gradient_weight=2.5)


@pytest.mark.parametrize("kind", [NOISE, RAMPS, SWEEPS, SYNAPSES, PULSES], ids=lambda kind: kind["kind"])
def test_any_kind_can_be_fitted_and_any_other_held_out(kind):
    config = check_config(changed(stimuli=kind, heldout={**NOISE, "seed": 77}))
    problem = make_problem(config, "toy")
    assert problem.heldout is not None
    assert problem.heldout[0].n_stimuli == 2
    assert problem.truth is not None
    assert problem.loss_of_densities(problem.truth[None])[0] == 0
    assert problem.heldout_loss(problem.truth[None])[0] == 0
    assert problem.heldout_loss(1.2 * problem.truth[None])[0] > 0
    assert np.ptp(problem.target, axis=1).min() > 1.0, "the stimuli move the voltage"


@pytest.mark.parametrize("method", OWN)
def test_no_fit_ever_sees_the_heldout_stimuli(method, monkeypatch):
    """Nothing of a fit but its held-out column changes with what is held out, and nothing held out is simulated on the clock."""
    running, simulated = [False], {True: set(), False: set()}
    start, stop = Meter.start, Meter.stop
    monkeypatch.setattr(Meter, "start", lambda self: (running.__setitem__(0, True), start(self))[1])
    monkeypatch.setattr(Meter, "stop", lambda self: (running.__setitem__(0, False), stop(self))[1])
    for name in ("gradient_numpy", "terms_numpy"):
        original = getattr(problem_module, name)

        def spy(neuron, densities, plan, *args, original=original, **kwargs):
            simulated[running[0]].add(plan.protocol.n_stimuli)
            return original(neuron, densities, plan, *args, **kwargs)

        monkeypatch.setattr(problem_module, name, spy)
    problem = toy_problem(heldout=NOISE)
    assert problem.heldout is not None
    result = run(problem, method)
    assert simulated[True] == {problem.protocol.n_stimuli}
    assert simulated[False] == {problem.heldout[0].n_stimuli}
    again = run(replace(problem, heldout=None), method)
    np.testing.assert_array_equal(again.best_densities, result.best_densities)
    for column in ("simulations", "gradients", "simulation_equivalents", "loss", "best_loss"):
        np.testing.assert_array_equal(again.history[column], result.history[column])
    assert np.isfinite(result.totals["heldout_loss"])
    assert np.isnan(again.totals["heldout_loss"])


def test_targets_of_a_fit_are_those_of_its_own_stimuli():
    """What the loss compares with does not change with what is held out."""
    one, other = (make_targets(changed(heldout=heldout), "toy") for heldout in (NOISE, RAMPS))
    np.testing.assert_array_equal(one["target_mV"], other["target_mV"])
    assert one["heldout_mV"].shape != other["heldout_mV"].shape


def test_a_heldout_stimulus_among_the_fitted_is_refused():
    with pytest.raises(ValueError, match="held-out stimulus 0 is the fitted stimulus 0; take another seed"):
        toy_problem(heldout={"count": 2, "seed": 5})
    with pytest.raises(ValueError, match="held-out stimulus 1 is the fitted stimulus 0"):
        toy_problem(stimuli=PULSES, heldout={**PULSES, "amplitudes_uA_cm2": [5, 4]})


@pytest.mark.parametrize(
    ("problem", "message"),
    [
        ({"heldout": {"count": 2, "seed": 5}}, "problems.toy.heldout has the seed of the fitted stimuli; choose another"),
        ({"stimuli": PULSES}, "problems.toy.heldout: 'steps' are not drawn at random; name a kind"),
        ({"heldout": {"count": 2}}, "'seed' is a required property"),
        ({"heldout": {**RAMPS, "low_uA_cm2": 30}}, "problems.toy.heldout: low_uA_cm2 is above high_uA_cm2; swap them"),
        ({"heldout": {**RAMPS, "slope": 1}}, "unknown key 'slope' in problems.toy.heldout"),
        ({"stimuli": {**NOISE, "tau_ms": 1}}, "unknown key 'tau_ms' in problems.toy.stimuli"),
        ({"loss": "mae"}, "problems.toy.loss: 'mae' is not one of"),
        ({"loss": "windows"}, "problems.toy.loss: 'windows' is not one of"),
        ({"loss": {"kind": "windows"}}, "'windows_ms' is a required property"),
        ({"loss": {"kind": "spike_times", "tau": 1}, "loss_target": 1}, "unknown key 'tau' in problems.toy.loss; did you mean"),
        ({"loss": "phase_plane"}, "is 'phase_plane', which is not in mV2 .* give the problem a loss_target"),
        ({"loss_target": 0}, "problems.toy.loss_target: 0 is less than or equal to the minimum of 0"),
    ],
)  # fmt: skip
def test_mistakes_in_a_configuration_are_named(problem, message):
    with pytest.raises(ValueError, match=message):
        check_config(changed(**problem))


def test_success_in_the_unit_of_the_loss():
    config = check_config(changed(loss={"kind": "spike_times", "tau_ms": 1}, loss_target=0.02))
    problem = make_problem(config, "toy")
    assert loss_target(config, problem) == 0.02
    assert loss_units(config) == "ms²"
    windows = check_config(changed(loss={"kind": "windows", "windows_ms": [[0, 2]]}, noise_mV=0.5))
    assert loss_target(windows, make_problem(windows, "toy")) == pytest.approx(4 * 0.25)
    published = check_config(changed(loss="published_mse", noise_mV=0.5, recorded=[0]))
    assert loss_target(published, make_problem(published, "toy")) == pytest.approx(4 * 0.25 / 2)


@pytest.mark.parametrize("loss", ["spike_times", "phase_plane", {"kind": "windows", "windows_ms": [[1, 3]]}], ids=str)
def test_densities_are_recovered_through_other_losses(loss):
    """Noise-free traces, every site recorded: the gradient of each loss leads to the truth."""
    problem = make_problem(check_config(changed(loss=loss, loss_target=1e-6, duration_ms=6)), "toy")
    settings = {"starts": 2, "tolerance": 1e-14}
    result = fit(problem, "lbfgs", seed=0, budget_equivalents=2000, gradient_weight=2.5, settings=settings, stop_loss=1e-12)
    assert result.totals["density_error_max_rel"] < 0.01


def test_the_documented_problem_is_fitted():
    """docs/stimuli_and_losses.md: its problem, and every kind it has to name."""
    page = (Path(__file__).parents[1] / "docs/stimuli_and_losses.md").read_text()
    declared = yaml.safe_load(page.split("```yaml")[1].split("```")[0])["problems"]
    config = check_config(changed() | {"problems": declared})
    problem = make_problem(config, "noise_to_ramps")
    result = run(problem, "lbfgs")
    assert result.best_loss < problem.loss(problem.sample_initial(np.random.default_rng(0), 1))[0]
    assert np.isfinite(result.totals["heldout_loss"])
    for kind in [*GENERATORS, *LOSSES, "steps"]:
        assert f"| `{kind}` |" in page
