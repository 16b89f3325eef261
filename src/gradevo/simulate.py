"""The one way to a voltage: simulate(neuron, densities, protocol), differentiable in the densities and passive properties."""

from typing import Any

import numpy as np
import torch

from gradevo.kernels import cpu
from gradevo.neuron import Neuron
from gradevo.protocol import Protocol


class _Simulation(torch.autograd.Function):
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
        out = torch.from_numpy(np.ascontiguousarray(densities.astype(ctx.run.dtype)))
        if passive is None:
            return out, None, None, None, None
        return out, torch.from_numpy(passive.capacitance_uF_cm2), torch.from_numpy(passive.conductances_uS), None, None


def simulate(
    neuron: Neuron,
    densities: torch.Tensor,
    protocol: Protocol | cpu.Plan,
    threads: int | None = None,
    *,
    capacitance: torch.Tensor | None = None,
    axial_resistivity: torch.Tensor | None = None,
) -> torch.Tensor:
    """Voltages of a whole population under every stimulus, in one batch on all cores.

    Args:
        densities: [population, channels, compartments] or [channels, compartments], S/cm2. Their type, float64 or float32,
            is the precision that the kernel computes in.
        protocol: the experiment; ``gradevo.kernels.cpu.make_plan(neuron, protocol)`` saves its preparation when repeated.
        threads: None for GRADEVO_THREADS or every core.
        capacitance: float64 [population, compartments] uF/cm2; None for the channel set's.
        axial_resistivity: float64 [population] ohm cm; None for the morphology's.

    Returns:
        mV, [population, stimuli, samples, recorded sites] (no population axis if there was none). A simulation that
        diverged is NaN throughout, and its gradient is zero.

    Raises:
        ValueError: for tensors of the wrong shape or type, densities that are NaN, capacitances or resistivities that are not
            positive, a resistivity where compartments are coupled directly, and sites that do not exist.
    """
    if densities.dtype not in (torch.float64, torch.float32):
        raise ValueError(f"densities are {densities.dtype}; the kernels compute in torch.float64 or torch.float32")
    if densities.ndim not in (2, 3):
        raise ValueError(f"densities have {densities.ndim} axes; give [population, channels, compartments]")
    plan = protocol if isinstance(protocol, cpu.Plan) else cpu.make_plan(neuron, protocol)
    single = densities.ndim == 2
    batch = densities[None] if single else densities
    conductances = None
    if capacitance is not None or axial_resistivity is not None:
        capacitance, conductances = _passive(neuron, len(batch), capacitance, axial_resistivity)
    voltages = _Simulation.apply(batch, capacitance, conductances, plan, threads)
    assert isinstance(voltages, torch.Tensor)
    return voltages[0] if single else voltages


def _passive(
    neuron: Neuron, population: int, capacitance: torch.Tensor | None, axial_resistivity: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Capacitances [population, compartments] uF/cm2 and axial conductances [population, edges] uS of every candidate."""
    m = neuron.morphology
    if capacitance is None:
        capacitance = torch.full((population, m.n_compartments), neuron.channels.capacitance_uF_cm2, dtype=torch.float64)
    conductances = torch.from_numpy(m.conductances_uS).expand(population, -1)
    for name, values, shape in (
        ("capacitance", capacitance, (population, m.n_compartments)),
        ("axial_resistivity", axial_resistivity, (population,)),
    ):
        if values is None:
            continue
        if tuple(values.shape) != shape or values.dtype != torch.float64:
            raise ValueError(f"{name} is {values.dtype} {tuple(values.shape)}; it must be torch.float64 {shape}")
        if not bool((values.detach() > 0).all() and values.detach().isfinite().all()):
            raise ValueError(f"{name} holds {float(values.detach().min())}; it must be positive and finite")
    if axial_resistivity is not None:
        if m.axial_resistivity_ohm_cm is None:
            raise ValueError(
                f"axial_resistivity: the compartments of neuron {neuron.name!r} are coupled directly and have none; "
                "build the morphology from cables, or leave it out"
            )
        conductances = conductances * (m.axial_resistivity_ohm_cm / axial_resistivity)[:, None]
    return capacitance, conductances


def simulate_numpy(
    neuron: Neuron,
    densities: np.ndarray,
    protocol: Protocol | cpu.Plan,
    threads: int | None = None,
    *,
    capacitance: np.ndarray | None = None,
    axial_resistivity: np.ndarray | None = None,
) -> np.ndarray:
    """``simulate`` without gradients, from and to numpy arrays."""
    dtype = np.float32 if np.asarray(densities).dtype == np.float32 else np.float64
    with torch.no_grad():
        return simulate(
            neuron,
            torch.from_numpy(np.ascontiguousarray(densities, dtype=dtype)),
            protocol,
            threads,
            capacitance=None if capacitance is None else torch.from_numpy(np.ascontiguousarray(capacitance, dtype=float)),
            axial_resistivity=(
                None if axial_resistivity is None else torch.from_numpy(np.ascontiguousarray(axial_resistivity, dtype=float))
            ),
        ).numpy()
