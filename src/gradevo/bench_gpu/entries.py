"""The entries of ``gradevo bench --device cuda`` (run.py), each a dictionary of what was timed and how long it took."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
from numba import cuda

from gradevo.bench.model import TARGET_MV, Case
from gradevo.bench_gpu.limits import Limits, work_of
from gradevo.cuda import backend
from gradevo.cuda.arrays import torch_device
from gradevo.cuda.batch import Batch, make_batch
from gradevo.kernels import cpu
from gradevo.kernels.threads import available_threads
from gradevo.losses import Recorded, make_loss
from gradevo.problem import Problem
from gradevo.simulate import simulate_numpy

PRECISIONS = ("float32", "float64")
CORES = 2
AGREEMENT = {"float32": 0.02, "float64": 1e-7}
LONGEST_S = 20.0
MEASURED_ON_THE_CPU = 64
"""Candidates: above, the CPU's time is in proportion."""


class OnDevice:
    """A case with its densities where the kernels read them, for a population of so many."""

    def __init__(self, case: Case, precision: str, across: bool | None = None, population: int = 1) -> None:
        self.plan = cpu.make_plan(case.neuron, case.protocol(first_gate_step=1.0))
        self.across = across
        self.densities: Any = population_of(case, population).astype(precision)
        place = torch_device()
        if place is not None:
            import torch

            self.densities = torch.from_numpy(self.densities).to(place)

    def forward(self) -> Any:
        return backend.forward(self.plan, self.densities, keep=False, across=self.across)[0]

    def batch(self) -> Batch:
        return make_batch(self.plan, self.densities, across=self.across)

    def gradient(self) -> Any:
        voltages, _, run = backend.forward(self.plan, self.densities, keep=True, across=self.across)
        return backend.adjoint(run, slopes_of_squares(voltages)).densities


def population_of(case: Case, population: int) -> np.ndarray:
    """[population, channels, compartments] S/cm2: the case's, and others near them."""
    factors = np.random.default_rng(5).uniform(0.9, 1.1, (population, 1, 1))
    factors[0] = 1.0
    return case.full_densities * factors


def slopes_of_squares(voltages: Any) -> Any:
    """d (mean square) / d voltages."""
    return (voltages - TARGET_MV) * (2.0 / np.prod(voltages.shape))


def problem_of(case: Case, device: str) -> Problem:
    """The case as a problem whose every density is free."""
    protocol = case.protocol(first_gate_step=1.0)
    box, truth = case.parameters.defaults, case.values
    target = simulate_numpy(case.neuron, case.full_densities[None], protocol)[0]
    return Problem(
        "bench", case.neuron, protocol, target, 0.3 * box, 3.0 * box, ("Na", "K"), truth=truth, start=box,
        regions={"Na": 1, "K": 1} if case.densities == 2 else None, device=device,
    )  # fmt: skip


def checks(case: Case) -> Iterator[dict[str, Any]]:
    """Largest differences from the CPU's kernel in float64, relative to its largest number. Raises ValueError where they are not
    rounding's."""
    plan = cpu.make_plan(case.neuron, case.protocol(first_gate_step=1.0))
    voltages, _, run = cpu.forward(plan, case.full_densities[None], keep=True)
    gradient = cpu.adjoint(run, slopes_of_squares(voltages)).densities
    for precision in PRECISIONS:
        for across in (False, True):
            there = OnDevice(case, precision, across)
            found = {"voltages": differ(there.forward(), voltages), "gradient": differ(there.gradient(), gradient)}
            yield _agreed({"precision": precision, "across": across, **found})
    theta = problem_of(case, "cpu").coordinates.from_density(case.parameters.defaults)
    here, there = (problem_of(case, device).residual_products(theta) for device in ("cpu", "cuda"))
    yield _agreed({"precision": "float64", "across": True, "tangents": differ(there.normal_matrix, here.normal_matrix)})


def _agreed(check: dict[str, Any]) -> dict[str, Any]:
    for what in ("voltages", "gradient", "tangents"):
        if not check.get(what, 0.0) < AGREEMENT[check["precision"]]:
            raise ValueError(
                f"{what} on the device differ from the CPU's by {check[what]:.1g} of the largest ({check}); nothing is timed"
            )
    return check


def differ(ours: Any, law: np.ndarray) -> float:
    ours = ours if isinstance(ours, np.ndarray) else ours.cpu().numpy()
    return float(np.abs(ours - law).max() / np.abs(law).max())


def timed(case: Case, limits: Limits, runs: int, precision: str, across: bool | None = None) -> dict[str, Any]:
    """Both passes of a case, with the two limits of each, and the share of the narrower one that is reached."""
    there = OnDevice(case, precision, across)
    batch = there.batch()
    entry: dict[str, Any] = {**asdict(case), "precision": precision, "across": batch.across}
    try:
        for what, work in (("forward", there.forward), ("gradient", there.gradient)):
            sparse = what == "gradient" and not batch.keeping(True, None).whole
            limit = work_of(there.plan, precision, 1, what == "gradient", sparse).seconds(limits, precision)
            spent = seconds(work, runs)
            entry[what] = {"median_s": spent, **limit, "reached": max(limit.values()) / spent, "checkpoints": sparse}
    except MemoryError as error:
        entry["error"] = str(error)
    return entry


def populations(case: Case, sizes: tuple[int, ...], runs: int) -> Iterator[dict[str, Any]]:
    """Gradients of so many candidates in float64, on the device and on two cores."""
    rate, plan = 0.0, cpu.make_plan(case.neuron, case.protocol(first_gate_step=1.0))
    loss = make_loss("mse", Recorded(plan.protocol.sample_times_ms, case.compartments, case.compartments))
    squares = loss.against(case.target(), np.float64)
    for population in sizes:
        there = OnDevice(case, "float64", population=population)
        densities = population_of(case, population)
        if population <= MEASURED_ON_THE_CPU:
            rate = seconds(lambda d=densities: cpu.gradient(plan, d, squares, CORES), runs) / population
        yield {"population": population, "cuda_s": seconds(there.gradient, runs), f"cpu_{CORES}_cores_s": rate * population}


def least_squares(case: Case, runs: int) -> Iterator[dict[str, Any]]:
    """J^T J and J^T r, on the CPU with all threads that it has."""
    for device, threads in (("cuda", 0), ("cpu", available_threads())):
        problem = problem_of(case, device)
        theta = problem.coordinates.from_density(case.parameters.defaults)
        spent = seconds(lambda p=problem, theta=theta: p.residual_products(theta), runs)
        yield {
            "device": device,
            "parameters": problem.n_parameters,
            "stimuli": problem.n_simulations,
            "threads": threads,
            "median_s": spent,
        }


def steps(case: Case, starts: int, runs: int) -> Iterator[dict[str, Any]]:
    """A gradient of so many starts: of the problem, from thetas to slopes as methods ask for it, and of the kernels alone."""
    problem = problem_of(case, "cuda")
    thetas: Any = problem.sample_initial(np.random.default_rng(0), starts)
    if problem.tensors is not None:
        import torch

        thetas = torch.from_numpy(thetas).to(problem.tensors)
    there = OnDevice(case, "float64", population=starts)
    whole = seconds(lambda: problem.loss_and_gradient(thetas), runs)
    yield {"starts": starts, "whole_s": whole, "kernels_s": seconds(there.gradient, runs), "tensors": problem.tensors is not None}


def seconds(work: Callable[[], Any], runs: int) -> float:
    """The median of so many runs, after one that is not counted; of fewer where they take more than LONGEST_S."""
    taken: list[float] = []
    while len(taken) <= runs and (len(taken) < 2 or sum(taken) < LONGEST_S):
        begin = time.perf_counter()
        work()
        cuda.synchronize()
        taken.append(time.perf_counter() - begin)
    return float(np.median(taken[1:]))
