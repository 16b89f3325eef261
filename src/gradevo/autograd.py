"""The kernels as a differentiable operation of torch. Imported when a tensor is asked for: torch takes seconds to load."""

from typing import Any

import numpy as np
import torch

from gradevo.kernels import cpu


class Simulation(torch.autograd.Function):
    """densities [population, channels, compartments], capacitance [population, compartments], conductances [population,
    edges] -> voltages."""

    @staticmethod
    def forward(ctx: Any, densities: Any, capacitance: Any, conductances: Any, plan: cpu.Plan, threads: int | None) -> Any:
        keep = any(ctx.needs_input_grad[:3])
        passive = None if capacitance is None else cpu.Passive(capacitance.detach().numpy(), conductances.detach().numpy())
        voltages, _, run = cpu.forward(plan, densities.detach().numpy(), keep, threads, passive)
        if keep:
            ctx.run = run
        return torch.from_numpy(voltages)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        wanted = any(ctx.needs_input_grad[1:3])
        densities, passive = cpu.adjoint(ctx.run, gradients[0].detach().numpy(), passive=wanted)
        out = torch.from_numpy(np.ascontiguousarray(densities.astype(ctx.run.batch.dtype)))
        if passive is None:
            return out, None, None, None, None
        return out, torch.from_numpy(passive.capacitance_uF_cm2), torch.from_numpy(passive.conductances_uS), None, None
