"""The fused kernel against the torch reference, finite differences and itself."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from gradevo.channels import CHANNEL_SETS, channel_set
from gradevo.kernels import cpu
from gradevo.kernels.reference import simulate_reference
from gradevo.losses import Recorded, make_loss
from gradevo.losses.base import squares_loss
from gradevo.morphology import chain, random_tree
from gradevo.neuron import Neuron
from gradevo.protocol import Protocol
from gradevo.simulate import gradient_numpy, simulate, simulate_numpy, terms_numpy
from gradevo.stimulus import steps
from tests.conftest import make_neuron, perturbed, spiking_protocol


def weighted(voltages: torch.Tensor) -> torch.Tensor:
    """A loss in which every sample counts differently."""
    weight = torch.linspace(0.5, 1.5, voltages.numel(), dtype=torch.float64).reshape(voltages.shape)
    return (weight * (voltages / 50) ** 2).mean()


def test_agrees_with_the_reference_through_spikes(channels_name):
    """With every shape of neuron, protocol and batch, but not through whole spikes: test_properties.py."""
    neuron = make_neuron("random", channels_name)
    protocol = spiking_protocol(neuron)
    fused = torch.from_numpy(perturbed(neuron, 2)).requires_grad_()
    plain = fused.detach().clone().requires_grad_()
    ours, law = simulate(neuron, fused, protocol), simulate_reference(neuron, plain, protocol)
    assert law.max() > 0, "the protocol must make the neuron spike"
    assert (ours - law).abs().max() < 1e-9 * law.abs().max()
    weighted(ours).backward()
    weighted(law).backward()
    assert fused.grad is not None
    assert plain.grad is not None
    assert (fused.grad - plain.grad).abs().max() < 1e-7 * plain.grad.abs().max()


def test_gradient_agrees_with_central_differences_through_spikes(channels_name):
    neuron = make_neuron("random", channels_name)
    protocol = spiking_protocol(neuron, n_stimuli=2)
    densities = perturbed(neuron, 1)
    x = torch.from_numpy(densities).requires_grad_()
    weighted(simulate(neuron, x, protocol)).backward()
    assert x.grad is not None
    gradient = x.grad.numpy()
    rng = np.random.default_rng(1)
    for _ in range(4):
        direction = rng.standard_normal(densities.shape) * densities

        def loss(h: float, along: np.ndarray = direction) -> float:
            return float(weighted(simulate(neuron, torch.from_numpy(densities + h * along), protocol)))

        h = 2e-5  # so small that no voltage crosses a kink: K_A's time constants have lower limits
        central = (8 * (loss(h) - loss(-h)) - (loss(2 * h) - loss(-2 * h))) / (12 * h)
        assert central == pytest.approx(float((gradient * direction).sum()), rel=1e-6)


def gradients_of(neuron: Neuron, densities: np.ndarray, protocol: Protocol, threads: int = 1) -> tuple[np.ndarray, np.ndarray]:
    plan = cpu.make_plan(neuron, protocol)
    voltages, _, run = cpu.forward(plan, densities, keep=True, threads=threads)
    return voltages, cpu.adjoint(run, voltages / 100)[0]


@pytest.mark.parametrize("morphology", ["random", "graph", "cable"])
def test_gradients_in_capacitance_and_axial_resistivity(morphology):
    """Against central differences, branch points included; the densities' gradient is there as well."""
    neuron = make_neuron(morphology, "hh")
    protocol = spiking_protocol(neuron, n_stimuli=2)
    rng = np.random.default_rng(4)
    population = 2
    cables = neuron.morphology.axial_resistivity_ohm_cm is not None
    point = {
        "densities": perturbed(neuron, population),
        "capacitance": rng.uniform(0.7, 1.3, (population, neuron.n_compartments)),
    } | ({"axial_resistivity": rng.uniform(80.0, 120.0, population)} if cables else {})

    def loss(values: dict[str, torch.Tensor]) -> torch.Tensor:
        passive: dict[str, Any] = {name: x for name, x in values.items() if name != "densities"}
        return weighted(simulate(neuron, values["densities"], protocol, None, **passive))

    at = {name: torch.from_numpy(x).requires_grad_() for name, x in point.items()}
    loss(at).backward()
    for name, x in point.items():
        direction = rng.standard_normal(x.shape) * x

        def along(h: float, name: str = name, x: np.ndarray = x, direction: np.ndarray = direction) -> float:
            return float(loss({k: torch.from_numpy(v) for k, v in point.items()} | {name: torch.from_numpy(x + h * direction)}))

        h = 1e-4
        central = (8 * (along(h) - along(-h)) - (along(2 * h) - along(-2 * h))) / (12 * h)
        gradient = at[name].grad
        assert gradient is not None
        assert central == pytest.approx(float((gradient.numpy() * direction).sum()), rel=1e-6), name


def test_passive_properties_that_equal_the_neurons_own_change_nothing():
    neuron = make_neuron("random", "hh")
    protocol = spiking_protocol(neuron)
    densities = perturbed(neuron, 2)
    own = simulate_numpy(neuron, densities, protocol)
    capacitance = np.full((2, neuron.n_compartments), neuron.channels.capacitance_uF_cm2)
    resistivity = np.full(2, neuron.morphology.axial_resistivity_ohm_cm)
    assert np.array_equal(
        own, simulate_numpy(neuron, densities, protocol, capacitance=capacitance, axial_resistivity=resistivity)
    )


def test_single_precision_follows_double(channels_name):
    """Voltages to 0.05 mV and gradients to 2 % in norm, through spikes."""
    neuron = make_neuron("random", channels_name)
    protocol = spiking_protocol(neuron)
    densities = torch.from_numpy(perturbed(neuron, 2))
    double, single = densities.clone().requires_grad_(), densities.float().requires_grad_()
    law, ours = simulate(neuron, double, protocol), simulate(neuron, single, protocol)
    assert ours.dtype == torch.float32
    assert (ours - law).abs().max() < 0.05
    weighted(law).backward()
    weighted(ours.double()).backward()
    assert double.grad is not None
    assert single.grad is not None
    assert (single.grad - double.grad).norm() < 0.02 * double.grad.norm()


# What the order depends on: the rule for voltages; the first gate step, which matters where gates do not begin at their steady
# state (jones2024); instantaneous gates (pospischil_lts), which lag.
@pytest.mark.parametrize(
    ("channels", "settings", "order"),
    [
        ("hh", {}, 2.0),
        ("hh", {"implicitness": 1.0}, 1.0),
        ("jones2024", {}, 2.0),
        ("pospischil_lts+ih+k_a", {}, 1.0),
    ],
)
def test_order_of_convergence(channels, settings, order):
    """Error against a fine solution falls as dt^order, with current jumps between the steps and a spike in the trace."""
    assert measured_order(channels, settings) == pytest.approx(order, abs=0.1)


def test_second_order_needs_half_a_first_gate_step():
    for first_gate_step in (0.0, 1.0):
        assert measured_order("jones2024", {"first_gate_step": first_gate_step}, coarse=160) < 1.7


def measured_order(channels: str, settings: dict[str, float], coarse: int = 40) -> float:
    """log2 of what halving the step (of 0.25 ms / coarse) divides the error by."""
    neuron = Neuron("tree", random_tree(20, seed=11), channel_set(channels.split("+")))
    protocol = spiking_protocol(neuron, n_stimuli=2, duration_ms=10.0)
    densities = neuron.default_densities()
    fine = simulate_numpy(neuron, densities, dataclasses.replace(protocol, dt_ms=0.25 / 1280))
    assert fine.max() > 0

    def error(steps_per_sample: int) -> float:
        v = simulate_numpy(neuron, densities, dataclasses.replace(protocol, dt_ms=0.25 / steps_per_sample, **settings))
        return float(np.sqrt(((v - fine) ** 2).mean()))

    return float(np.log2(error(coarse) / error(2 * coarse)))


def test_charge_is_conserved():
    """Without channels a coupled neuron keeps every injected charge: sum C dV = I t."""
    neuron = make_neuron("graph", "hh")
    none = np.zeros((3, neuron.n_compartments))
    protocol = Protocol(steps(np.array([[0.5]]), 0.31, 1.0), (2,), tuple(range(9)), 0.5, 6, 0.025)
    v = simulate_numpy(neuron, none, protocol)
    charge_pC = (neuron.morphology.areas_um2 * 1e-5 * (v[0, -1] - v[0, 0])).sum()
    assert charge_pC == pytest.approx(0.5 * 1.0, rel=1e-9)
    assert np.allclose(v[0, -1, 6:], -65.0, atol=1e-12), "a separate component must not feel the current"


def test_divergence_is_flagged_and_stays_with_its_own_simulation():
    neuron = Neuron("cable", chain(3, length_um=50.0), CHANNEL_SETS["hh"])
    protocol = spiking_protocol(neuron, n_stimuli=2)
    densities = np.repeat(neuron.default_densities()[None], 3, axis=0)
    densities[1, 0] = 1e308  # overflows
    with np.errstate(over="ignore"):
        voltages, gradients = gradients_of(neuron, densities, protocol)
    assert np.isnan(voltages[1]).all()
    assert np.isfinite(voltages[[0, 2]]).all()
    assert (gradients[1] == 0).all()
    assert np.isfinite(gradients).all()


def test_nan_densities_and_wrong_shapes_are_refused():
    neuron = make_neuron("chain", "hh")
    protocol = spiking_protocol(neuron)
    densities = torch.from_numpy(neuron.default_densities())
    with pytest.raises(ValueError, match=r"3 channels .*5 compartments"):
        simulate(neuron, densities[:, :4], protocol)
    with pytest.raises(ValueError, match="float16"):
        simulate(neuron, densities.half(), protocol)
    densities[1, 3] = torch.nan
    with pytest.raises(ValueError, match=r"densities\[0, 1, 3\].*NaN"):
        simulate(neuron, densities, protocol)


def test_what_cannot_run_is_refused():
    neuron = make_neuron("chain", "hh")
    plan = cpu.make_plan(neuron, spiking_protocol(neuron))
    densities = neuron.default_densities()[None]
    for threads in (0, -1):
        with pytest.raises(ValueError, match=f"threads is {threads}; it must be 1 or more"):
            simulate_numpy(neuron, densities, plan, threads)
    with pytest.raises(ValueError, match="nothing to simulate: 0 candidates"):
        simulate_numpy(neuron, densities[:0], plan)
    voltages, _, run = cpu.forward(plan, densities, keep=False)
    with pytest.raises(ValueError, match="keep=True"):
        cpu.adjoint(run, voltages)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("across", [False, True])
def test_passes_with_slopes_and_without_round_alike(channels_name, across, dtype):
    """Long enough for a last digit to show, which one compiler's choice among fused multiply-adds changes."""
    neuron = make_neuron("random", channels_name)
    plan = cpu.make_plan(neuron, spiking_protocol(neuron, duration_ms=40.0))
    densities = perturbed(neuron, 4).astype(dtype)
    plain = cpu.forward(plan, densities, keep=False, across=across)[0]
    voltages, _, kept = cpu.forward(plan, densities, keep=True, across=across)
    again, _, sparse = cpu.forward(plan, densities, keep=True, across=across, checkpoint_every=10)
    assert kept.kept.whole
    assert not sparse.kept.whole
    assert np.array_equal(plain, voltages)
    assert np.array_equal(plain, again)
    weights = np.random.default_rng(0).standard_normal(plain.shape)
    assert np.array_equal(cpu.adjoint(kept, weights).densities, cpu.adjoint(sparse, weights).densities)


def test_a_segment_stays_in_the_cache_and_checkpoints_fit_into_memory(monkeypatch):
    neuron = make_neuron("random", "hh")
    plan = cpu.make_plan(neuron, spiking_protocol(neuron))
    densities, n_steps = perturbed(neuron, 2), plan.protocol.n_steps
    batch = cpu.make_batch(plan, densities, across=True)
    states, blocks = batch.block_bytes // (n_steps + 1), batch.layout.blocks
    checkpoint = states * plan.initial_state.size // (3 * plan.initial_state.size - 2)

    def kept(kept_bytes: int, segment_bytes: int) -> cpu.Kept:
        monkeypatch.setattr(cpu, "KEPT_BYTES", kept_bytes)
        monkeypatch.setattr(cpu, "SEGMENT_BYTES", segment_bytes)
        return cpu.forward(plan, densities, keep=True, across=True)[2].kept

    everything = blocks * batch.block_bytes
    assert kept(everything, 1).whole
    near = kept(everything - 1, 4 * states)
    assert not near.whole
    assert near.every == 3
    assert near.checkpoints.nbytes == blocks * checkpoint * -(-n_steps // 3)
    for most in (64, 45, 40):
        few = kept(blocks * checkpoint * (most + 1) - 1, 4 * states)
        assert few.every == -(-n_steps // most)
        assert few.checkpoints.nbytes <= blocks * checkpoint * most
    assert kept(1, 4 * states).every == int(np.ceil(np.sqrt(n_steps)))
    assert kept(everything - 1, 2 * everything).every == int(np.ceil(np.sqrt(n_steps)))


def test_states_too_large_to_stay_near_give_the_same_bits():
    """Their rows are announced to the memory; those of short segments are not."""
    neuron = Neuron("large", random_tree(150, 0), channel_set("hh"))
    protocol = dataclasses.replace(spiking_protocol(neuron), n_samples=7)
    plan = cpu.make_plan(neuron, protocol)
    densities = perturbed(neuron, 8)
    voltages, _, run = cpu.forward(plan, densities, keep=True, threads=1, across=False)
    assert run.batch.block_bytes > run.batch.module.FAR
    again, _, near = cpu.forward(plan, densities, keep=True, threads=1, across=False, checkpoint_every=4)
    assert 5 * run.batch.block_bytes < run.batch.module.FAR * (protocol.n_steps + 1)
    assert np.array_equal(voltages, again)
    slopes = [cpu.adjoint(r, voltages / 100, passive=True) for r in (run, near)]
    assert np.array_equal(slopes[0].densities, slopes[1].densities)
    others = [s.passive for s in slopes]
    assert others[0] is not None
    assert others[1] is not None
    assert np.array_equal(others[0].capacitance_uF_cm2, others[1].capacitance_uF_cm2)
    assert np.array_equal(others[0].conductances_uS, others[1].conductances_uS)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_terms_are_the_gradients_to_the_bit(dtype):
    neuron = make_neuron("random", "hh")
    plan = cpu.make_plan(neuron, spiking_protocol(neuron))
    densities = perturbed(neuron, 11).astype(dtype)
    law = cpu.forward(plan, densities, keep=False)[0]
    target = law[3] + dtype(0.5)
    loss = make_loss("mse", Recorded(plan.protocol.sample_times_ms, target.shape[-1], neuron.n_compartments))
    terms = terms_numpy(neuron, densities, plan, loss, target, threads=2)
    assert np.array_equal(terms, gradient_numpy(neuron, densities, plan, loss, target, threads=1)[0])
    np.testing.assert_allclose(terms[3], 0.25, rtol=1e-12 if dtype == np.float64 else 1e-4)


@pytest.mark.parametrize("across", [False, True])
def test_a_protocol_without_steps(across):
    neuron = make_neuron("random", "hh")
    plan = cpu.make_plan(neuron, dataclasses.replace(spiking_protocol(neuron), n_samples=1))
    densities = perturbed(neuron, 2)
    voltages, _, run = cpu.forward(plan, densities, keep=True, across=across)
    assert (voltages == neuron.channels.initial_voltage_mV).all()
    assert not cpu.adjoint(run, np.ones_like(voltages)).densities.any()
    squares = squares_loss("mse", np.ones(voltages.shape[2:])).against(voltages[0] - 2.0, np.float64)
    terms, found = cpu.gradient(plan, densities, squares, across=across)
    np.testing.assert_array_equal(terms, 4.0 * voltages[0, 0].size)
    assert not found.densities.any()


def test_a_gradient_refuses_what_was_made_for_another_experiment():
    neuron = make_neuron("random", "hh")
    protocol = spiking_protocol(neuron)
    plan, densities = cpu.make_plan(neuron, protocol), perturbed(neuron, 1)
    target = cpu.forward(plan, densities, keep=False)[0][0]
    loss = squares_loss("mse", np.ones(target.shape[1:]))
    for squares in (
        loss.against(target, np.float32),
        loss.against(np.concatenate([target, target]), np.float64),
        squares_loss("mse", np.ones((2, 3))).against(target[:, :2, :3], np.float64),
    ):
        with pytest.raises(ValueError, match="cannot be compared with a target"):
            cpu.gradient(plan, densities, squares)
