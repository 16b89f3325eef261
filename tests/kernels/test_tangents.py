"""Tangents against differences (against the adjoint: test_properties.py); streamed in segments against all at once."""

import numpy as np

from gradevo.kernels import cpu, tangents
from gradevo.neuron import Neuron
from gradevo.parameters import make_parameters
from gradevo.sensitivity import directions, residual_products
from gradevo.simulate import simulate_numpy
from tests.conftest import make_neuron, perturbed, spiking_protocol


def linearised(neuron: Neuron, densities: np.ndarray, plan: cpu.Plan, **how) -> np.ndarray:
    """[stimuli, samples, recorded, parameters] for the densities of Na and K in every compartment."""
    parameters = make_parameters(neuron, ("Na", "K"))
    return tangents.jacobian(plan, densities, directions(parameters, plan, parameters.defaults), **how)


def test_tangents_are_differences():
    neuron = make_neuron("random", "hh")
    protocol = spiking_protocol(neuron)
    densities = perturbed(neuron, 1)[0]
    found = linearised(neuron, densities, cpu.make_plan(neuron, protocol))
    for parameter in (0, 5, neuron.n_compartments + 2):
        channel, compartment = divmod(parameter, neuron.n_compartments)
        step = 1e-6 * densities[channel, compartment]
        up, down = densities.copy(), densities.copy()
        up[channel, compartment] += step
        down[channel, compartment] -= step
        difference = (simulate_numpy(neuron, up, protocol) - simulate_numpy(neuron, down, protocol)) / (2 * step)
        assert np.abs(difference - found[..., parameter]).max() < 1e-6 * np.abs(difference).max()


def test_segments_sets_and_threads_change_nothing(monkeypatch):
    neuron = make_neuron("graph", "hh")
    plan = cpu.make_plan(neuron, spiking_protocol(neuron, n_stimuli=9))
    densities = perturbed(neuron, 1)[0]
    whole = linearised(neuron, densities, plan, threads=1)
    monkeypatch.setattr(tangents, "SEGMENT_BYTES", 1)
    monkeypatch.setattr(tangents, "SET_BYTES", 1)
    monkeypatch.setattr(tangents, "SET_VECTORS", 1)
    assert np.array_equal(whole, linearised(neuron, densities, plan, threads=2))


def test_products_do_not_depend_on_the_threads(monkeypatch):
    neuron = make_neuron("random", "hh")
    plan = cpu.make_plan(neuron, spiking_protocol(neuron, n_stimuli=40))
    parameters = make_parameters(neuron, ("Na", "K"))
    target = simulate_numpy(neuron, neuron.default_densities(), plan)
    weights = np.full(target.shape[1:], 1 / target[0].size)
    found = []
    for threads in ("1", "2"):
        monkeypatch.setenv("GRADEVO_THREADS", threads)
        found.append(residual_products(parameters, plan, target, weights, 1.1 * parameters.defaults))
    assert found[0].loss == found[1].loss
    assert np.array_equal(found[0].gradient_half, found[1].gradient_half)
    assert np.array_equal(found[0].normal_matrix, found[1].normal_matrix)


def test_a_diverged_simulation_gives_an_infinite_loss_and_no_products():
    neuron = make_neuron("cable", "hh")
    plan = cpu.make_plan(neuron, spiking_protocol(neuron))
    parameters = make_parameters(neuron, ("Na",), {"Na": 1})
    target = np.zeros((3, plan.protocol.n_samples, plan.recorded.size))
    with np.errstate(over="ignore", invalid="ignore"):
        found = residual_products(parameters, plan, target, np.ones(target.shape[1:]), np.array([1e308]))
    assert found.loss == np.inf
    assert not found.normal_matrix.any()
