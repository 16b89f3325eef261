"""Tangents on CUDA: the derivatives that the reference has by automatic differentiation, and the CPU's kernels by theirs."""

import numpy as np
import pytest
import torch

from gradevo.cuda import tangents
from gradevo.kernels import cpu
from gradevo.kernels import tangents as on_cpu
from gradevo.kernels.reference import simulate_reference
from gradevo.parameters import make_parameters
from gradevo.sensitivity import directions
from gradevo.simulate import passive_properties
from tests.cuda.test_backend import Small, relative


def jacobian(case: Small, every: on_cpu.Directions, passive: cpu.Passive | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Voltages [stimuli, samples, recorded], and derivatives with directions besides."""
    p = case.protocol
    out = np.zeros((p.n_stimuli, p.n_samples, len(p.recorded), every.count))

    def keep(_group: int, stimulus: int, first: int, part: np.ndarray, voltages: np.ndarray) -> None:
        assert voltages.shape == part.shape[:2]
        out[stimulus, first : first + len(part)] = part

    return tangents.stream_jacobian(case.plan, case.densities[0], every, keep, passive=passive), out


@pytest.mark.parametrize(("morphology", "channels", "implicitness"), [("chain", "hh", 0.5), ("graph", "jones2024", 1.0)])
def test_of_densities_they_are_the_references(morphology, channels, implicitness):
    """Summed over weighted voltages, the derivatives are what goes back through the reference."""
    case = Small(morphology, channels, implicitness)
    names = case.neuron.channel_names[:2]
    parameters = make_parameters(case.neuron, names)
    densities = torch.from_numpy(case.densities[:1]).requires_grad_()
    law = simulate_reference(case.neuron, densities, case.protocol)
    (law * torch.from_numpy(case.weights[0])).sum().backward()
    assert densities.grad is not None
    voltages, found = jacobian(case, directions(parameters, case.plan, parameters.defaults))
    assert relative(voltages, law.detach().numpy()[0]) < 1e-11
    backwards = np.einsum("str,strd->d", case.weights[0], found)
    assert relative(backwards, densities.grad[0, : len(names)].numpy().ravel()) < 1e-9


def test_of_everything_they_are_the_cpus(monkeypatch):
    """Capacitance and axial resistivity besides; segment by segment, stimulus by stimulus."""
    case = Small("random", "hh")
    parameters = make_parameters(case.neuron, ("Na", "capacitance", "axial_resistivity"), {"Na": 2, "capacitance": 2})
    values = 1.1 * parameters.defaults
    inputs = parameters.inputs(values[None])
    passive = passive_properties(case.neuron, 1, inputs.capacitance, inputs.axial_resistivity)
    every = directions(parameters, case.plan, values)
    wanted = on_cpu.jacobian(case.plan, case.densities[0], every, passive)
    voltages, found = jacobian(case, every, passive)
    for d, name in enumerate(parameters.names):
        assert relative(found[..., d], wanted[..., d]) < 1e-9, name
    monkeypatch.setattr(tangents, "SEGMENT_BYTES", 1)
    again, parts = jacobian(case, every, passive)
    assert np.array_equal(parts, found)
    assert np.array_equal(again, voltages)
    # of two stimuli one at a time
    monkeypatch.setattr("gradevo.cuda.arrays.free_bytes", lambda: 20000.0)
    again, parts = jacobian(case, every, passive)
    assert np.array_equal(parts, found)
    assert np.array_equal(again, voltages)
