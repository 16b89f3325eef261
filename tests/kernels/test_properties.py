"""What holds for every neuron, protocol and batch: agreement with the reference, transposes, bits, and no silent NaN."""

from dataclasses import replace
from unittest.mock import patch

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from gradevo.kernels import cpu, tangents
from gradevo.kernels.reference import simulate_reference
from gradevo.losses.base import squares_loss
from gradevo.neuron import Neuron
from gradevo.parameters import Inputs, Parameters, make_parameters
from gradevo.sensitivity import directions
from gradevo.simulate import passive_properties, simulate
from gradevo.units import AXIAL_RESISTIVITY, CAPACITANCE
from tests.kernels.cases import Case, cases

TOLERANCES = {torch.float64: (1e-9, 1e-9), torch.float32: (1e-3, 2e-2)}
"""Largest error of voltages, relative to the largest, and of gradients and tangents in norm. Rounding (1e-16 and 6e-8) is
amplified by spikes, by nearly singular matrices of short compartments and short steps, and, in gradients, by the cancelling of
samples: up to 1e5 times together, of which the worst gradient that was seen in float32 took 3e-3."""


def parameters_of(neuron: Neuron, passive: bool) -> Parameters:
    """Every channel in every compartment; if ``passive``, every capacitance too, and the axial resistivity where there is one."""
    free = neuron.channel_names
    if passive:
        free += (CAPACITANCE,)
        free += () if neuron.morphology.axial_resistivity_ohm_cm is None else (AXIAL_RESISTIVITY,)
    return make_parameters(neuron, free)


def all_tangents(case: Case, candidate: int) -> np.ndarray:
    """[stimuli, samples, recorded, channels, compartments] mV per S/cm2."""
    densities = case.densities[candidate]
    parameters = parameters_of(case.neuron, passive=False)
    along = directions(parameters, case.plan, densities.reshape(-1))
    found = tangents.jacobian(case.plan, densities, along)
    return found.reshape(*found.shape[:-1], *densities.shape)


def relative(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.linalg.norm(a - b) / max(float(np.linalg.norm(b)), 1e-12))


@given(cases())
def test_voltages_gradients_and_tangents_are_those_of_the_reference(case: Case):
    law_at = torch.from_numpy(case.densities).requires_grad_()
    law = simulate_reference(case.neuron, law_at, case.protocol)
    law.backward(torch.from_numpy(case.weights))
    assert law_at.grad is not None
    gradient = law_at.grad.numpy()
    for dtype, (of_voltages, of_gradients) in TOLERANCES.items():
        at = law_at.detach().to(dtype).requires_grad_()
        voltages = simulate(case.neuron, at, case.plan)
        assert voltages.dtype == dtype
        voltages.backward(torch.from_numpy(case.weights).to(dtype))
        assert at.grad is not None
        assert (voltages - law).abs().max() < of_voltages * law.abs().max()
        assert relative(at.grad.double().numpy(), gradient) < of_gradients
    candidate = len(case.densities) - 1
    pulled_back = np.tensordot(case.weights[candidate], all_tangents(case, candidate), axes=3)
    assert relative(pulled_back, gradient[candidate]) < TOLERANCES[torch.float64][1]


@given(cases(), st.booleans())
def test_adjoint_and_tangents_are_transposes(case: Case, passive: bool):
    """The dot-product test: w . (J v) = (J^T w) . v, to 1e-10 of |J v| |w|; with passive properties among the parameters, too."""
    parameters = parameters_of(case.neuron, passive)
    rng = np.random.default_rng(0)
    values = parameters.defaults * rng.uniform(0.8, 1.2, parameters.n_parameters)
    at = parameters.inputs(values[None])
    own = passive_properties(case.neuron, 1, at.capacitance, at.axial_resistivity)
    _, diverged, run = cpu.forward(case.plan, at.densities, keep=True, passive=own)
    assert not diverged.any()
    w, v = case.weights[0], rng.standard_normal(parameters.n_parameters) * values
    along = tangents.jacobian(case.plan, at.densities[0], directions(parameters, case.plan, values), own) @ v
    bars, others = cpu.adjoint(run, w[None], passive=passive)
    gradient = Inputs(bars)
    if others is not None and own is not None:
        gradient = Inputs(bars, others.capacitance_uF_cm2)
        if at.axial_resistivity is not None:
            resistivity = -(others.conductances_uS * own.conductances_uS).sum(axis=1) / at.axial_resistivity
            gradient = gradient._replace(axial_resistivity=resistivity)
    backwards = parameters.gradient(gradient)[0] @ v
    assert abs((w * along).sum() - backwards) <= 1e-10 * np.linalg.norm(along) * np.linalg.norm(w)


def both_passes(plan: cpu.Plan, densities: np.ndarray, weights: np.ndarray, **how) -> tuple[np.ndarray, np.ndarray]:
    voltages, _, run = cpu.forward(plan, densities, keep=True, **how)
    return voltages, cpu.adjoint(run, weights)[0]


@given(cases(), st.sampled_from([np.float64, np.float32]), st.data())
def test_bits_depend_neither_on_batch_nor_on_threads_nor_on_checkpoints(case: Case, dtype: type, data: st.DataObject):
    densities = case.densities.astype(dtype)
    voltages, gradients = both_passes(case.plan, densities, case.weights, threads=1)
    assert np.array_equal(voltages, cpu.forward(case.plan, densities, keep=False, threads=1)[0])
    every = data.draw(st.integers(1, case.protocol.n_steps + 2), "checkpoint_every")
    hows = [{"threads": threads, "across": across} for threads in (1, 2) for across in (False, True)]
    hows += [{**how, "checkpoint_every": every} for how in hows]
    for how in hows:
        again = both_passes(case.plan, densities, case.weights, **how)
        assert np.array_equal(voltages, again[0]), how
        assert np.array_equal(gradients, again[1]), how

    # block by block; there alone, and there and back, with every state and with checkpoints
    weights = np.random.default_rng(1).uniform(0.5, 1.0, voltages.shape[1:])
    squares = squares_loss("mse", weights).against(case.weights[0], dtype)
    flat = voltages.reshape(-1, *voltages.shape[2:])
    stimuli, slopes = np.arange(len(flat)) % case.protocol.n_stimuli, np.empty_like(flat)
    sums = squares(stimuli, flat, slopes).reshape(voltages.shape[:2])
    apart = cpu.adjoint(cpu.forward(case.plan, densities, keep=True)[2], slopes, passive=True)
    assert apart.passive is not None
    for how in hows[:4]:
        assert np.array_equal(cpu.terms(case.plan, densities, squares, **how), sums, equal_nan=True)
    for kept in (cpu.KEPT_BYTES, 0):
        for how in hows[:4]:
            with patch.object(cpu, "KEPT_BYTES", kept):
                terms, fused = cpu.gradient(case.plan, densities, squares, passive_gradient=True, **how)
            assert fused.passive is not None
            assert np.array_equal(terms, sums, equal_nan=True)
            assert np.array_equal(fused.densities, apart.densities)
            assert np.array_equal(fused.passive.capacitance_uF_cm2, apart.passive.capacitance_uF_cm2)
            assert np.array_equal(fused.passive.conductances_uS, apart.passive.conductances_uS)

    # a candidate of its own
    k = data.draw(st.integers(0, len(densities) - 1), "candidate")
    alone = both_passes(case.plan, densities[k : k + 1], case.weights[k : k + 1], threads=1)
    assert np.array_equal(voltages[k], alone[0][0])
    assert np.array_equal(gradients[k], alone[1][0])

    # a single simulation, whose gradient is its part of the batch's
    s = data.draw(st.integers(0, case.protocol.n_stimuli - 1), "stimulus")
    stimulus = replace(case.protocol.stimulus, values_nA=case.protocol.stimulus.values_nA[s : s + 1])
    plan = cpu.make_plan(case.neuron, replace(case.protocol, stimulus=stimulus))
    single = both_passes(plan, densities[k : k + 1], case.weights[k : k + 1, s : s + 1], threads=1)
    assert np.array_equal(voltages[k, s], single[0][0, 0])
    only = np.zeros_like(case.weights)
    only[k, s] = case.weights[k, s]
    assert np.array_equal(both_passes(case.plan, densities, only, threads=1)[1][k], single[1][0])


@given(cases(absurd=True), st.sampled_from([np.float64, np.float32]))
def test_absurd_parameters_give_finite_numbers_or_are_flagged(case: Case, dtype: type):
    """A diverged simulation is NaN throughout, and says so; nothing else is ever NaN or infinite."""
    voltages, diverged, run = cpu.forward(case.plan, case.densities.astype(dtype), keep=True)
    assert np.array_equal(diverged, np.isnan(voltages).all(axis=(2, 3)))
    assert np.isfinite(voltages[~diverged]).all()
    gradients = cpu.adjoint(run, case.weights)[0]
    assert np.isfinite(gradients).all()
    assert not gradients[diverged.all(axis=1)].any()
    squares = squares_loss("mse", np.ones(voltages.shape[2:])).against(np.full(voltages.shape[1:], -65.0), dtype)
    terms, found = cpu.gradient(case.plan, case.densities.astype(dtype), squares)
    assert np.array_equal(np.isnan(terms), diverged)
    assert np.array_equal(terms, cpu.terms(case.plan, case.densities.astype(dtype), squares), equal_nan=True)
    assert np.isfinite(terms[~diverged]).all()
    assert np.isfinite(found.densities).all()
    assert not found.densities[diverged.all(axis=1)].any()
    if dtype == np.float64:
        assert np.array_equal(np.isfinite(all_tangents(case, 0)).all(axis=(1, 2, 3, 4)), ~diverged[0])
