"""The one way to a voltage: simulate(neuron, densities, protocol), differentiable in the densities and passive properties."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gradevo.devices import kernels
from gradevo.kernels import cpu
from gradevo.kernels.compiling import compile_seconds
from gradevo.kernels.plan import smallest_plan
from gradevo.neuron import Neuron
from gradevo.protocol import Protocol

if TYPE_CHECKING:
    import torch

    from gradevo.losses.base import Loss


def simulate(
    neuron: Neuron,
    densities: torch.Tensor,
    protocol: Protocol | cpu.Plan,
    threads: int | None = None,
    *,
    capacitance: torch.Tensor | None = None,
    axial_resistivity: torch.Tensor | None = None,
    device: str | None = None,
) -> torch.Tensor:
    """Voltages of a whole population under every stimulus, in one batch on all cores.

    Args:
        densities: [population, channels, compartments] or [channels, compartments], S/cm2. Their type, float64 or float32,
            is the precision that the kernel computes in.
        protocol: the experiment; ``gradevo.kernels.cpu.make_plan(neuron, protocol)`` saves its preparation when repeated.
        threads: None for GRADEVO_THREADS or every core.
        capacitance: float64 [population, compartments] uF/cm2; None for the channel set's.
        axial_resistivity: float64 [population] ohm cm; None for the morphology's.
        device: "cpu", "cuda", or "auto" for the GPU where there is one (docs/gpu.md); None for where the densities are.

    Returns:
        mV, [population, stimuli, samples, recorded sites], where the densities are (no population axis if there was none). A
        simulation that diverged is NaN throughout, and its gradient is zero.

    Raises:
        ValueError: for tensors of the wrong shape or type, densities that are NaN, capacitances or resistivities that are not
            positive, a resistivity where compartments are coupled directly, sites that do not exist, an empty population, less
            than one thread, and a device that is not there.
    """
    import torch

    from gradevo.autograd import Simulation

    if densities.dtype not in (torch.float64, torch.float32):
        raise ValueError(f"densities are {densities.dtype}; the kernels compute in torch.float64 or torch.float32")
    if densities.ndim not in (2, 3):
        raise ValueError(f"densities have {densities.ndim} axes; give [population, channels, compartments]")
    plan = protocol if isinstance(protocol, cpu.Plan) else cpu.make_plan(neuron, protocol)
    single = densities.ndim == 2
    batch = densities[None] if single else densities
    conductances = None
    # few numbers, and the kernels' preparation is the host's
    capacitance, axial_resistivity = (None if a is None else a.cpu() for a in (capacitance, axial_resistivity))
    if capacitance is not None or axial_resistivity is not None:
        capacitance, conductances = _checked_passive(neuron, len(batch), capacitance, axial_resistivity, torch)
    device = device or ("cuda" if batch.is_cuda else "cpu")
    voltages = Simulation.apply(batch, capacitance, conductances, plan, threads, device)
    assert isinstance(voltages, torch.Tensor)
    return voltages[0] if single else voltages


def _checked_passive(neuron: Neuron, population: int, capacitance: Any, axial_resistivity: Any, arrays: Any) -> tuple[Any, Any]:
    """Capacitances [population, compartments] uF/cm2 and axial conductances [population, edges] uS of every candidate, as
    tensors or arrays, by the module ``arrays`` (torch or numpy)."""
    m = neuron.morphology
    if capacitance is None:
        capacitance = arrays.full((population, m.n_compartments), neuron.channels.capacitance_uF_cm2, dtype=arrays.float64)
    for name, values, shape in (
        ("capacitance", capacitance, (population, m.n_compartments)),
        ("axial_resistivity", axial_resistivity, (population,)),
    ):
        if values is None:
            continue
        if tuple(values.shape) != shape or values.dtype != arrays.float64:
            raise ValueError(f"{name} is {values.dtype} {tuple(values.shape)}; it must be float64 {shape}")
        if not bool((values > 0).all() and arrays.isfinite(values).all()):
            raise ValueError(f"{name} holds {float(values.min())}; it must be positive and finite")
    conductances = arrays.asarray(np.repeat(m.conductances_uS[None], population, axis=0))
    if axial_resistivity is not None:
        if m.axial_resistivity_ohm_cm is None:
            raise ValueError(
                f"axial_resistivity: the compartments of neuron {neuron.name!r} are coupled directly and have none; "
                "build the morphology from cables, or leave it out"
            )
        conductances = conductances * (m.axial_resistivity_ohm_cm / axial_resistivity)[:, None]
    return capacitance, conductances


def passive_properties(
    neuron: Neuron, population: int, capacitance: np.ndarray | None, axial_resistivity: np.ndarray | None
) -> cpu.Passive | None:
    """What the kernel takes for capacitances [population, compartments] uF/cm2 and resistivities [population] ohm cm; None
    where neither is given. Errors as ``simulate``."""
    if capacitance is None and axial_resistivity is None:
        return None
    return cpu.Passive(*_checked_passive(neuron, population, capacitance, axial_resistivity, np))


def simulate_numpy(
    neuron: Neuron,
    densities: np.ndarray,
    protocol: Protocol | cpu.Plan,
    threads: int | None = None,
    *,
    capacitance: np.ndarray | None = None,
    axial_resistivity: np.ndarray | None = None,
    device: str = "cpu",
) -> np.ndarray:
    """``simulate`` without torch and without gradients, from and to numpy arrays."""
    densities = np.asarray(densities)
    single = densities.ndim == 2
    batch = densities[None] if single else densities
    if batch.ndim != 3:
        raise ValueError(f"densities have {batch.ndim} axes; give [population, channels, compartments]")
    plan = protocol if isinstance(protocol, cpu.Plan) else cpu.make_plan(neuron, protocol)
    passive = passive_properties(neuron, len(batch), capacitance, axial_resistivity)
    voltages = kernels(device).forward(plan, batch.astype(_precision(batch), copy=False), False, threads, passive)[0]
    return voltages[0] if single else voltages


def _precision(densities: np.ndarray) -> type:
    """That kernels compute in."""
    return np.float32 if densities.dtype == np.float32 else np.float64


def terms_numpy(
    neuron: Neuron,
    densities: np.ndarray,
    protocol: Protocol | cpu.Plan,
    loss: Loss,
    target: np.ndarray,
    threads: int | None = None,
    *,
    capacitance: np.ndarray | None = None,
    axial_resistivity: np.ndarray | None = None,
    device: str = "cpu",
) -> np.ndarray:
    """The loss's terms [population, stimuli] against the target [stimuli, samples, recorded] mV, NaN where a simulation diverged;
    the same bits as `gradient_numpy`'s. Of a sum of squares, all voltages are never held at once. Errors as ``simulate``."""
    plan = protocol if isinstance(protocol, cpu.Plan) else cpu.make_plan(neuron, protocol)
    passive = passive_properties(neuron, len(densities), capacitance, axial_resistivity)
    if not loss.is_sum_of_squares:
        return loss.terms(kernels(device).forward(plan, densities, False, threads, passive)[0], target)
    return kernels(device).terms(plan, densities, loss.against(target, _precision(densities)), threads, passive)


def gradient_numpy(
    neuron: Neuron,
    densities: np.ndarray,
    protocol: Protocol | cpu.Plan,
    loss: Loss,
    target: np.ndarray,
    threads: int | None = None,
    *,
    capacitance: np.ndarray | None = None,
    axial_resistivity: np.ndarray | None = None,
    device: str = "cpu",
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray | None, np.ndarray | None]]:
    """The loss's terms [population, stimuli] against the target [stimuli, samples, recorded] mV, and derivatives of each
    candidate's loss with respect to densities [population, channels, compartments] and, if either was given, to capacitance
    [population, compartments] and axial resistivity [population] (None where the run was not given one). The term of a
    simulation that diverged is NaN, and it contributes nothing to the derivatives (where the loss is no sum of squares, neither
    do its candidate's others). Errors as ``simulate``."""
    plan = protocol if isinstance(protocol, cpu.Plan) else cpu.make_plan(neuron, protocol)
    passive = passive_properties(neuron, len(densities), capacitance, axial_resistivity)
    wanted = passive is not None
    if loss.is_sum_of_squares:
        squares = loss.against(target, _precision(densities))
        terms, found = kernels(device).gradient(plan, densities, squares, threads, passive, wanted)
    else:
        voltages, _, run = kernels(device).forward(plan, densities, True, threads, passive)
        terms = loss.terms(voltages, target)
        found = kernels(device).adjoint(run, loss.slopes(voltages, target), wanted)
    if found.passive is None or passive is None:
        return terms, (found.densities, None, None)
    resistivity = None
    if axial_resistivity is not None:
        resistivity = -(found.passive.conductances_uS * passive.conductances_uS).sum(axis=1) / axial_resistivity
    return terms, (found.densities, found.passive.capacitance_uF_cm2, resistivity)


def warm_up(neuron: Neuron, dtype: type = np.float64) -> float:
    """Compiles (or loads from the disk cache) what losses and gradients of many simulations take on the CPU; returns the
    seconds it took. Nobody has to: what is missing is compiled when it is called."""
    from gradevo.losses import Recorded, make_loss

    before = compile_seconds()
    plan = smallest_plan(neuron)
    # as many as fill a vector of lanes are simulated side by side
    densities = np.repeat(neuron.default_densities()[None].astype(dtype), 16, axis=0)
    loss = make_loss("mse", Recorded(plan.protocol.sample_times_ms, 1, neuron.n_compartments))
    target = np.zeros((1, plan.protocol.n_samples, 1))
    gradient_numpy(neuron, densities, plan, loss, target, threads=1)
    return compile_seconds() - before
