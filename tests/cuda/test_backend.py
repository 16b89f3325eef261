"""The CUDA kernels, under Numba's simulator where there is no GPU, against the reference and the CPU's kernels."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from gradevo.cuda import backend
from gradevo.cuda.levels import levels
from gradevo.kernels import cpu
from gradevo.kernels.reference import simulate_reference
from gradevo.losses.base import squares_loss
from gradevo.morphology import chain
from gradevo.neuron import Neuron
from gradevo.protocol import Protocol
from gradevo.stimulus import Stimulus, random_steps
from tests.conftest import make_neuron, perturbed

CASES = [
    ("chain", "hh", 0.5), ("balanced", "pospischil_lts+ih+k_a", 0.5), ("graph", "jones2024", 1.0), ("random", "hh", 0.7),
]  # fmt: skip
"""A chain, branch points, cycles with fill; gates by rates, by curves, instantaneous; second order, backward Euler, between."""


layouts = pytest.mark.parametrize("across", [False, True], ids=["side by side", "across"])


class Small:
    """Two candidates under two stimuli, a few compartments, 8 steps of a current that carries them into a spike, and that
    changes within steps and stays over others."""

    def __init__(self, morphology: str, channels: str, implicitness: float = 0.5) -> None:
        self.neuron = make_neuron(morphology, channels)
        sites = (0, self.neuron.n_compartments - 1)
        density = random_steps(2, len(sites), 0.5, 0.11, 50.0, 300.0, seed=7)
        area = self.neuron.morphology.areas_um2[list(sites)]
        stimulus = Stimulus(density.edges_ms, density.values_nA * area[None, :, None] * 1e-5)
        recorded = tuple(range(0, self.neuron.n_compartments, 2))
        self.protocol = Protocol(stimulus, sites, recorded, 0.125, 5, 0.0625, implicitness=implicitness)
        self.plan = cpu.make_plan(self.neuron, self.protocol)
        self.densities = perturbed(self.neuron, 2)
        self.weights = np.random.default_rng(1).standard_normal((2, 2, 5, len(recorded)))


def relative(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


@layouts
@pytest.mark.parametrize(("morphology", "channels", "implicitness"), CASES)
def test_voltages_and_gradients_are_those_of_the_reference(morphology, channels, implicitness, across):
    case = Small(morphology, channels, implicitness)
    law_at = torch.from_numpy(case.densities).requires_grad_()
    law = simulate_reference(case.neuron, law_at, case.protocol)
    law.backward(torch.from_numpy(case.weights))
    assert law_at.grad is not None
    assert law.detach().numpy().max() - law.detach().numpy().min() > 20.0, "the protocol does not move the voltage"
    for dtype, of_voltages, of_gradients in ((np.float64, 1e-11, 1e-9), (np.float32, 1e-4, 1e-2)):
        voltages, diverged, run = backend.forward(case.plan, case.densities.astype(dtype), keep=True, across=across)
        assert voltages.dtype == dtype
        assert not diverged.any()
        assert relative(voltages, law.detach().numpy()) < of_voltages
        assert relative(backend.adjoint(run, case.weights).densities, law_at.grad.numpy()) < of_gradients


@layouts
@pytest.mark.parametrize("every", [3, 50])
def test_checkpoints_change_no_bit(every, across):
    case = Small("graph", "hh")
    voltages, _, run = backend.forward(case.plan, case.densities, keep=True, across=across)
    slopes = backend.adjoint(run, case.weights)
    again, _, sparse = backend.forward(case.plan, case.densities, keep=True, checkpoint_every=every, across=across)
    assert not sparse.keeping.whole
    assert np.array_equal(again, voltages)
    assert np.array_equal(backend.adjoint(sparse, case.weights).densities, slopes.densities)


@layouts
@pytest.mark.parametrize("morphology", ["balanced", "graph"])
def test_passive_properties_of_each_candidate(morphology, across):
    """Capacitances and axial conductances that differ between candidates, and their derivatives, are the CPU kernel's."""
    case = Small(morphology, "hh")
    rng = np.random.default_rng(2)
    own = case.plan.own_passive
    passive = cpu.Passive(
        own.capacitance_uF_cm2 * rng.uniform(0.7, 1.3, (2, case.neuron.n_compartments)),
        own.conductances_uS * rng.uniform(0.7, 1.3, (2, own.conductances_uS.shape[1])),
    )
    wanted, _, there = cpu.forward(case.plan, case.densities, keep=True, passive=passive)
    found, _, here = backend.forward(case.plan, case.densities, keep=True, passive=passive, across=across)
    assert relative(found, wanted) < 1e-12
    theirs, ours = cpu.adjoint(there, case.weights, passive=True), backend.adjoint(here, case.weights, passive=True)
    assert theirs.passive is not None
    assert ours.passive is not None
    assert relative(ours.densities, theirs.densities) < 1e-9
    assert relative(ours.passive.capacitance_uF_cm2, theirs.passive.capacitance_uF_cm2) < 1e-9
    assert relative(ours.passive.conductances_uS, theirs.passive.conductances_uS) < 1e-9


@layouts
def test_a_diverged_simulation_is_nan_and_contributes_nothing(across):
    case = Small("chain", "hh")
    values = case.protocol.stimulus.values_nA.copy()
    values[1] *= 1e9
    protocol = replace(case.protocol, stimulus=replace(case.protocol.stimulus, values_nA=values))
    plan = cpu.make_plan(case.neuron, protocol)
    voltages, diverged, run = backend.forward(plan, case.densities, keep=True, across=across)
    assert diverged.tolist() == [[False, True]] * 2
    assert np.isnan(voltages[:, 1]).all()
    assert np.isfinite(voltages[:, 0]).all()
    without = case.weights.copy()
    without[:, 1] = 0.0
    _, _, calm = backend.forward(case.plan, case.densities, keep=True, across=across)
    assert np.array_equal(backend.adjoint(run, case.weights).densities, backend.adjoint(calm, without).densities)


def test_gradient_of_a_sum_of_squares_is_the_cpu_kernels():
    case = Small("balanced", "hh")
    rng = np.random.default_rng(0)
    one = backend.forward(case.plan, case.densities, keep=False)[0].shape[1:]
    squares = squares_loss("mse", rng.uniform(0.5, 1.0, one)).against(rng.normal(-60.0, 10.0, one), np.float64)
    (terms, found), (sums, law) = (k.gradient(case.plan, case.densities, squares) for k in (backend, cpu))
    assert relative(terms, sums) < 1e-11
    assert np.array_equal(backend.terms(case.plan, case.densities, squares), terms)
    assert relative(found.densities, law.densities) < 1e-9


@layouts
def test_a_single_compartment_without_steps(across):
    """No edges and no time: the smallest arrays that there are."""
    case = Small("chain", "hh")
    neuron = Neuron("single", chain(1, length_um=80.0), case.neuron.channels)
    stimulus = replace(case.protocol.stimulus, values_nA=case.protocol.stimulus.values_nA[:, :1])
    protocol = replace(case.protocol, stimulus=stimulus, stimulated=(0,), recorded=(0,), n_samples=1)
    plan = cpu.make_plan(neuron, protocol)
    voltages, _, run = backend.forward(plan, neuron.default_densities()[None], keep=True, across=across)
    assert np.array_equal(voltages, np.full((1, 2, 1, 1), neuron.channels.initial_voltage_mV))
    slopes = backend.adjoint(run, np.ones_like(voltages), passive=True)
    assert not slopes.densities.any()
    assert slopes.passive is not None
    assert slopes.passive.conductances_uS.shape == (1, 0)


def test_densities_that_are_nan_are_refused():
    case = Small("chain", "hh")
    case.densities[1, 0, 2] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        backend.forward(case.plan, case.densities, keep=False)


def test_too_little_memory_is_told_before_the_run(monkeypatch):
    case = Small("chain", "hh")
    monkeypatch.setattr("gradevo.cuda.arrays.free_bytes", lambda: 5000.0)
    with pytest.raises(MemoryError, match="take 1 at once"):
        backend.forward(case.plan, case.densities, keep=True)
    monkeypatch.setattr("gradevo.cuda.arrays.free_bytes", lambda: 7000.0)
    assert not backend.forward(case.plan, case.densities, keep=True)[2].keeping.whole


@pytest.mark.parametrize("morphology", ["random", "graph"])
def test_steps_of_a_level_do_not_meet(morphology):
    """What one step of a level writes, its node's row and the entries of its updates, no other one of it reads or writes; and all
    steps are there once."""
    e = Small(morphology, "hh").plan.elimination
    start, step = levels(e)
    assert sorted(step.tolist()) == list(range(e.order.size))
    done: set[int] = set()
    for first, end in pairwise(start):
        now = step[first:end].tolist()
        for p in now:
            gathered = slice(e.gather_start[p], e.gather_start[p + 1])
            assert set(e.gather_node[gathered].tolist()) <= done
            written = set(e.update_target[e.update_start[p] : e.update_start[p + 1]].tolist())
            for q in now:
                if q != p:
                    theirs = slice(e.update_start[q], e.update_start[q + 1])
                    used = {*e.update_target[theirs], *e.update_a[theirs], *e.update_b[theirs]}
                    used |= set(e.gather_entry[e.gather_start[q] : e.gather_start[q + 1]].tolist())
                    assert not written & used
        done |= {int(e.order[p]) for p in now}
