"""gradevo as a contestant."""

from __future__ import annotations

import numpy as np

from gradevo.bench.model import Case
from gradevo.kernels import cpu, tangents
from gradevo.losses import Recorded, make_loss
from gradevo.parameters import Inputs
from gradevo.sensitivity import directions, residual_products
from gradevo.simulate import gradient_numpy, simulate_numpy, warm_up


class Gradevo:
    """Options: precision float64 or float32; threads; keep_all (True: never use checkpoints). It runs in Jaxley's mode, in which
    the first step of the gates is a whole one."""

    def __init__(self, precision: str, threads: int, keep_all: bool = False) -> None:
        self.dtype = np.dtype(precision).type
        self.threads = threads
        if keep_all:
            cpu.KEPT_BYTES = 2**62

    def prepare(self, case: Case) -> dict[str, float]:
        self.case = case
        protocol = case.protocol(first_gate_step=1.0)
        self.plan = cpu.make_plan(case.neuron, protocol)
        self.target = case.target().astype(self.dtype)
        self.loss = make_loss("mse", Recorded(protocol.sample_times_ms, case.compartments, case.compartments))
        return {"compile_s": warm_up(case.neuron, self.dtype)}

    def _densities(self) -> np.ndarray:
        return self.case.parameters.inputs(self.case.values[None]).densities.astype(self.dtype)

    def forward(self) -> np.ndarray:
        """Voltages [simulations, samples + 1, compartments] mV."""
        return simulate_numpy(self.case.neuron, self._densities(), self.plan, self.threads)[0]

    def forward_as_neuron(self) -> np.ndarray:
        """The same in NEURON's mode, which solves the first voltages from the initial gates."""
        return simulate_numpy(self.case.neuron, self._densities(), self.case.protocol(0.0), self.threads)[0]

    def gradient(self) -> np.ndarray:
        """d loss / d densities, [densities]; what Problem.loss_and_gradient does, in either precision."""
        densities = self._densities()
        terms, found = gradient_numpy(self.case.neuron, densities, self.plan, self.loss, self.target, self.threads)
        terms.mean()
        return self.case.parameters.gradient(Inputs(*found))[0]

    def tangents(self, count: int) -> None:
        """Derivatives of all recorded voltages along the first ``count`` densities, computed and dropped."""
        every = directions(self.case.parameters, self.plan, self.case.values)
        mine = every.direction < count
        few = tangents.Directions(count, *(a[mine] for a in (every.node, every.source, every.weight, every.direction)))
        tangents.stream_jacobian(self.plan, self.case.full_densities, few, lambda *_: None, self.threads)

    def least_squares(self) -> None:
        """J^T J and J^T r of all densities, without ever holding J."""
        assert self.loss.weights is not None
        residual_products(self.case.parameters, self.plan, self.target, self.loss.weights, self.case.values)
