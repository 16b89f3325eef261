"""``device="cuda"`` in simulate, problems, methods, provenance and commands: what the CPU gives, or an error that helps."""

import os
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from gradevo.cuda.device import simulated
from gradevo.devices import resolved
from gradevo.fit import fit
from gradevo.losses import Recorded, make_loss
from gradevo.parameters import make_parameters
from gradevo.problem import Problem
from gradevo.provenance import source_files
from gradevo.simulate import gradient_numpy, simulate, simulate_numpy
from tests.cuda.test_backend import Small, relative

ROOT = Path(__file__).parents[2]


@cache
def posed(free: tuple[str, ...] = ("Na", "K"), loss: str = "mse") -> Problem:
    case = Small("cable", "hh")
    parameters = make_parameters(case.neuron, free, {"Na": 2})
    truth = 1.1 * parameters.defaults
    inputs = parameters.inputs(truth[None])
    target = simulate_numpy(case.neuron, inputs.densities, case.protocol, **inputs.passive())[0]
    return Problem(
        "small", case.neuron, case.protocol, target, 0.3 * parameters.defaults, 3.0 * parameters.defaults, free, truth=truth,
        regions={"Na": 2}, loss_declared=loss,
    )  # fmt: skip


def test_numpy_and_torch_get_what_the_cpu_computes():
    case = Small("chain", "hh")
    voltages = simulate_numpy(case.neuron, case.densities, case.protocol)
    assert relative(simulate_numpy(case.neuron, case.densities, case.plan, device="cuda"), voltages) < 1e-12
    capacitance = np.random.default_rng(0).uniform(0.8, 1.2, (2, case.neuron.n_compartments))
    loss = make_loss("mse", Recorded(case.protocol.sample_times_ms, len(case.protocol.recorded), case.neuron.n_compartments))
    given = (case.neuron, case.densities, case.protocol, loss, voltages[0] + 5.0)
    terms, theirs = gradient_numpy(*given, capacitance=capacitance)
    found, ours = gradient_numpy(*given, capacitance=capacitance, device="cuda")
    assert relative(found, terms) < 1e-11
    assert relative(ours[0], theirs[0]) < 1e-9
    assert ours[1] is not None
    assert theirs[1] is not None
    assert relative(ours[1], theirs[1]) < 1e-9

    def slopes(device: str) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        at = torch.from_numpy(case.densities).requires_grad_()
        of = torch.from_numpy(capacitance).requires_grad_()
        simulated_mV = simulate(case.neuron, at, case.protocol, capacitance=of, device=device)
        (simulated_mV * torch.from_numpy(case.weights)).sum().backward()
        return at.grad, of.grad

    for one, other in zip(slopes("cuda"), slopes("cpu"), strict=True):
        assert one is not None
        assert other is not None
        assert relative(one.numpy(), other.numpy()) < 1e-9


@pytest.mark.parametrize("view", ["logit", "identity"])
def test_a_problem_takes_arrays_and_tensors(view):
    there, here = replace(posed(), transform=view), replace(posed(), transform=view, device="cuda")
    thetas = there.sample_initial(np.random.default_rng(0), 2)
    losses, gradient = there.loss_and_gradient(thetas)
    found, ours = here.loss_and_gradient(thetas)
    assert relative(found, losses) < 1e-10
    assert relative(ours, gradient) < 1e-8
    assert relative(here.loss(thetas[:1]), losses[:1]) < 1e-10
    assert here.tensors is not None
    again, tensor = here.loss_and_gradient(torch.from_numpy(thetas).to(here.tensors))
    assert isinstance(tensor, torch.Tensor)
    assert np.array_equal(again, found)
    assert np.array_equal(tensor.cpu().numpy(), ours)
    with pytest.raises(ValueError, match="NaN"):
        here.loss_and_gradient(torch.full((1, there.n_parameters), torch.nan, dtype=torch.float64).to(here.tensors))


def test_a_population_that_does_not_fit_comes_in_parts(monkeypatch):
    here = replace(posed(), device="cuda")
    thetas = here.sample_initial(np.random.default_rng(0), 3)
    losses, gradient = here.loss_and_gradient(thetas)
    # of three candidates one at a time
    monkeypatch.setattr("gradevo.cuda.arrays.free_bytes", lambda: 7000.0)
    assert [rows.stop for rows in here._on_device._chunks(3, 0, gradient=True)] == [1, 2, 3]
    again, parts = here.loss_and_gradient(thetas)
    assert np.array_equal(again, losses)
    assert relative(parts, gradient) < 1e-12


def test_a_loss_that_is_no_sum_of_squares():
    there = posed(loss="phase_plane")
    thetas = there.sample_initial(np.random.default_rng(0), 1)
    losses, gradient = there.loss_and_gradient(thetas)
    found, ours = replace(there, device="cuda").loss_and_gradient(thetas)
    assert relative(found, losses) < 1e-10
    assert relative(ours, gradient) < 1e-8


def test_passive_properties_go_through_the_host():
    there = posed(("Na", "capacitance"))
    here = replace(there, device="cuda")
    assert here.tensors is None
    thetas = there.sample_initial(np.random.default_rng(0), 1)
    losses, gradient = there.loss_and_gradient(thetas)
    found, ours = here.loss_and_gradient(thetas)
    assert relative(found, losses) < 1e-10
    assert relative(ours, gradient) < 1e-8


@pytest.mark.parametrize(("method", "settings"), [("adam", {"starts": 2}), ("levenberg_marquardt", {"trials": 2})])
def test_a_fit_takes_the_cpus_path(method, settings):
    def run(device: str):
        problem = replace(posed(), device=device)
        return fit(problem, method, seed=1, budget_equivalents=16, gradient_weight=2, settings=settings, heldout_points=0)

    there, here = run("cpu"), run("cuda")
    assert here.message == there.message
    assert here.metadata["device"] == "cuda"
    assert here.metadata["source_sha256"] != there.metadata["source_sha256"]
    assert len(here.history) == len(there.history) > 1
    assert np.allclose(here.history["loss"], there.history["loss"], rtol=1e-7)
    assert np.allclose(here.best_densities, there.best_densities, rtol=1e-7)


def test_what_a_result_rests_on():
    """On the CPU, nothing in gradevo.cuda."""
    cpu, cuda = set(source_files()), set(source_files(device="cuda"))
    assert not [path for path in cpu if path.parent.name == "cuda"]
    assert cpu < cuda
    assert {path.parent.name for path in cuda - cpu} == {"cuda"}


def test_devices_have_names():
    assert resolved("cpu") == "cpu"
    with pytest.raises(ValueError, match="use one of cpu, cuda, auto"):
        resolved("gpu")
    if simulated():
        # for tests alone: nobody's fit should wait for it
        assert resolved("auto") == "cpu"
        assert resolved("cuda") == "cuda"


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
@pytest.mark.parametrize("device", ["cuda", "auto"])
def test_the_command_line_without_a_gpu(device):
    """cuda: one line before anything is computed; auto: the CPU, and it says so."""
    environment = {k: v for k, v in os.environ.items() if k != "NUMBA_ENABLE_CUDASIM"} | {"COLUMNS": "200"}
    command = [sys.executable, "-m", "gradevo.cli", "fit", "config/ci.yaml", "chain2_all_all", "adam", "--device", device]
    if device == "auto":
        code = "from gradevo.devices import resolved, said_of; print(said_of(resolved('auto')))"
        command = [sys.executable, "-c", code]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    if device == "auto":
        assert ended.stdout.strip() == "there is no GPU here; computing on the CPU"
        return
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert "gradevo[cuda]" in ended.stderr
