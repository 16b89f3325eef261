"""On a GPU, at sizes at which its threads work side by side: voltages, gradients and tangents are the CPU's."""

from dataclasses import replace

import numpy as np
import pytest

from gradevo.bench.model import Case
from gradevo.kernels import cpu
from tests.cuda.test_backend import relative

CASE = Case(60, 8, 200, 120)


@pytest.mark.parametrize("across", [False, True], ids=["side by side", "across"])
@pytest.mark.parametrize(("dtype", "of_voltages", "of_gradients"), [(np.float64, 1e-9, 1e-7), (np.float32, 1e-3, 2e-2)])
@pytest.mark.parametrize("channels", ["hh", "jones2024"])
def test_voltages_and_gradients(channels, dtype, of_voltages, of_gradients, across):
    from gradevo.cuda import backend

    case = replace(CASE, channels=channels)
    plan = cpu.make_plan(case.neuron, case.protocol(1.0))
    densities = case.full_densities * np.random.default_rng(0).uniform(0.8, 1.2, (20, 1, 1))
    voltages, _, run = cpu.forward(plan, densities, keep=True)
    slopes = cpu.adjoint(run, voltages + 65.0, passive=True)
    for every in (None, 15):
        ours, diverged, there = backend.forward(plan, densities.astype(dtype), keep=True, across=across, checkpoint_every=every)
        assert not diverged.any()
        assert relative(ours, voltages) < of_voltages
        found = backend.adjoint(there, voltages + 65.0, passive=True)
        assert relative(found.densities, slopes.densities) < of_gradients
        assert found.passive is not None
        assert slopes.passive is not None
        assert relative(found.passive.capacitance_uF_cm2, slopes.passive.capacitance_uF_cm2) < of_gradients
        assert relative(found.passive.conductances_uS, slopes.passive.conductances_uS) < of_gradients


def test_least_squares():
    from gradevo.bench_gpu.entries import problem_of

    here, there = problem_of(CASE, "cpu"), problem_of(CASE, "cuda")
    theta = here.coordinates.from_density(CASE.parameters.defaults)
    assert there.tensors is not None
    theirs, ours = here.residual_products(theta), there.residual_products(theta)
    assert abs(ours.loss / theirs.loss - 1) < 1e-8
    assert relative(ours.gradient_half, theirs.gradient_half) < 1e-7
    assert relative(ours.normal_matrix, theirs.normal_matrix) < 1e-7
