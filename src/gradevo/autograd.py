"""The kernels as a differentiable operation of torch. Imported when a tensor is asked for: torch takes seconds to load."""

from typing import Any

import torch

from gradevo.devices import kernels
from gradevo.kernels import cpu


class Simulation(torch.autograd.Function):
    """densities [population, channels, compartments], capacitance [population, compartments], conductances [population,
    edges] -> voltages, where the densities are."""

    @staticmethod
    def forward(
        ctx: Any, densities: Any, capacitance: Any, conductances: Any, plan: cpu.Plan, threads: int | None, device: str
    ) -> Any:
        keep = any(ctx.needs_input_grad[:3])
        passive = None if capacitance is None else cpu.Passive(_numpy(capacitance), _numpy(conductances))
        ctx.kernels = kernels(device)
        voltages, _, run = ctx.kernels.forward(plan, _as_kernels_take(densities, ctx.kernels), keep, threads, passive)
        if keep:
            ctx.run = run
        return torch.as_tensor(voltages, device=densities.device)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        wanted = any(ctx.needs_input_grad[1:3])
        upstream = gradients[0]
        found, passive = ctx.kernels.adjoint(ctx.run, _as_kernels_take(upstream, ctx.kernels), passive=wanted)
        out = torch.as_tensor(found).to(upstream).contiguous()
        if passive is None:
            return out, None, None, None, None, None
        of_passive = (torch.as_tensor(a).cpu() for a in (passive.capacitance_uF_cm2, passive.conductances_uS))
        return out, *of_passive, None, None, None


def _numpy(tensor: torch.Tensor) -> Any:
    return tensor.detach().cpu().numpy()


def _as_kernels_take(tensor: torch.Tensor, module: Any) -> Any:
    """A GPU's kernels take a tensor that is there as it is."""
    return tensor.detach() if tensor.is_cuda and module is not cpu else _numpy(tensor)
