"""The one way to a voltage: simulate(neuron, densities, protocol), differentiable in the densities."""

from typing import Any

import numpy as np
import torch

from gradevo.kernels import cpu
from gradevo.neuron import Neuron
from gradevo.protocol import Protocol


class _Simulation(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, densities: torch.Tensor, plan: cpu.Plan, threads: int | None) -> torch.Tensor:
        keep = ctx.needs_input_grad[0]
        voltages, _, run = cpu.forward(plan, densities.detach().numpy(), keep, threads)
        if keep:
            ctx.run = run
        return torch.from_numpy(voltages)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        return torch.from_numpy(cpu.adjoint(ctx.run, gradients[0].detach().numpy())), None, None


def simulate(neuron: Neuron, densities: torch.Tensor, protocol: Protocol | cpu.Plan, threads: int | None = None) -> torch.Tensor:
    """Voltages of a whole population under every stimulus, in one batch on all cores.

    Args:
        densities: float64 [population, channels, compartments] or [channels, compartments], S/cm2.
        protocol: the experiment; ``gradevo.kernels.cpu.make_plan(neuron, protocol)`` saves its preparation when repeated.
        threads: None for GRADEVO_THREADS or every core.

    Returns:
        mV, [population, stimuli, samples, recorded sites] (no population axis if there was none). A simulation that
        diverged is NaN throughout, and its gradient is zero.

    Raises:
        ValueError: for densities of the wrong shape or type or that are NaN, and for sites that do not exist.
    """
    if densities.dtype != torch.float64:
        raise ValueError(f"densities are {densities.dtype}; the kernels compute in torch.float64")
    if densities.ndim not in (2, 3):
        raise ValueError(f"densities have {densities.ndim} axes; give [population, channels, compartments]")
    plan = protocol if isinstance(protocol, cpu.Plan) else cpu.make_plan(neuron, protocol)
    single = densities.ndim == 2
    voltages = _Simulation.apply(densities[None] if single else densities, plan, threads)
    assert isinstance(voltages, torch.Tensor)
    return voltages[0] if single else voltages


def simulate_numpy(
    neuron: Neuron, densities: np.ndarray, protocol: Protocol | cpu.Plan, threads: int | None = None
) -> np.ndarray:
    """``simulate`` without gradients, from and to numpy arrays."""
    with torch.no_grad():
        return simulate(neuron, torch.from_numpy(np.ascontiguousarray(densities, dtype=float)), protocol, threads).numpy()
