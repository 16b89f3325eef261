"""From densities to voltages, and from the voltages' adjoints to the densities', on a CUDA device. The functions, their arguments
and their results are those of kernels/cpu.py; what is not in numpy stays on the device (arrays.py)."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from gradevo.cuda.batch import Batch, Keeping, make_batch
from gradevo.kernels.comparison import Squares
from gradevo.kernels.cpu import Slopes
from gradevo.kernels.plan import Passive, Plan
from gradevo.units import UF_PER_CM2_UM2_TO_NF


@dataclass(eq=False)
class Run:
    """A forward pass with what its adjoint needs, on the device."""

    batch: Batch
    keeping: Keeping
    states: Any
    checkpoints: Any
    diverged: Any


def forward(
    plan: Plan,
    densities: Any,
    keep: bool,
    threads: int | None = None,
    passive: Passive | None = None,
    checkpoint_every: int | None = None,
    across: bool | None = None,
) -> tuple[Any, Any, Run]:
    """Simulates population x stimuli, in the precision of ``densities`` (float64 or float32).

    Args:
        densities: [population, channels, compartments] S/cm2; numpy, or torch on the device, and so are the results.
        keep: keep what the adjoint needs.
        threads: of the CPU's kernels; makes no difference here.
        passive: None for the neuron's own.
        checkpoint_every: steps between checkpoints; None keeps every state if there is room, else takes the square root of the
            steps.
        across: the layout (batch.py); None for the one that suits the number of simulations.

    Returns:
        voltages [population, stimuli, samples, sites] mV (NaN where diverged), diverged [population, stimuli], and the run.

    Raises:
        ValueError: for a wrong shape, or densities that are NaN.
        MemoryError: if the device has no room for the checkpoints.
        NoCudaError: without a device and without the simulator.
    """
    batch = make_batch(plan, densities, passive, across)
    p, arrays = plan.protocol, batch.arrays
    keeping = batch.keeping(keep, checkpoint_every)
    states = batch.of_compartments(batch.sizes[1] * (p.n_steps + 1 if keeping.whole else 1))
    checkpoints = batch.of_compartments(batch.sizes[1] * keeping.checkpoints)
    records = arrays.empty((batch.total, p.n_samples, plan.recorded.size), batch.dtype)
    diverged = arrays.empty((batch.total,), np.uint8)
    batch.simulate(
        "forward", p.n_steps, batch.sizes, tuple(keeping), *batch.shared,
        batch.constants.initial_state, states, checkpoints, *batch.work(), records, diverged,
    )  # fmt: skip
    shape = (batch.n_population, p.n_stimuli)
    voltages = arrays.give(records).reshape(*shape, p.n_samples, plan.recorded.size)
    return voltages, arrays.give(diverged).reshape(shape) != 0, Run(batch, keeping, states, checkpoints, diverged)


def adjoint(run: Run, voltage_gradients: Any, passive: bool = False) -> Slopes:
    """From dL/d voltages [population, stimuli, samples, sites] (1/mV): derivatives in float64, numpy or torch as the run's
    densities were. A diverged simulation contributes nothing."""
    batch, keeping = run.batch, run.keeping
    plan, p, arrays = batch.plan, batch.plan.protocol, batch.arrays
    n_compartments, n_variables, n_channels = batch.sizes
    upstream = arrays.take(voltage_gradients, batch.dtype).reshape(batch.total, p.n_samples, plan.recorded.size)
    states = run.states if keeping.whole else batch.of_compartments(n_variables * (keeping.every + 1))
    dens_bar = batch.of_compartments(n_channels)
    capacitance_bar = batch.own(n_compartments if passive else 0)
    coupling_bar = batch.own(max(plan.elimination.column.size, 1) if passive else 0)
    batch.simulate(
        "adjoint", p.n_steps, batch.sizes, tuple(keeping), *batch.shared,
        states, run.checkpoints, *batch.work(), upstream, batch.own(n_compartments),
        batch.of_compartments(n_variables - 1), dens_bar, passive, capacitance_bar, coupling_bar,
    )  # fmt: skip
    bars = arrays.give(batch.collect(dens_bar, run.diverged, batch.constants.row, batch.constants.factor))
    densities = bars.reshape(batch.n_population, n_channels, n_compartments)
    if not passive:
        return Slopes(densities, None)
    per_area = plan.neuron.morphology.areas_um2 * UF_PER_CM2_UM2_TO_NF / (p.implicitness * p.step_ms)
    entry_of_edge = plan.elimination.entry_of_edge

    def collect(bar: Any, row: np.ndarray, factor: np.ndarray) -> Any:
        there = (arrays.take(row, np.int64), arrays.take(factor, np.float64))
        return arrays.give(batch.collect(bar, run.diverged, *there))

    capacitance = collect(capacitance_bar, plan.place[:n_compartments], per_area)
    conductances = collect(coupling_bar, entry_of_edge, np.ones(entry_of_edge.size))
    return Slopes(densities, Passive(capacitance, conductances))


def terms(
    plan: Plan,
    densities: np.ndarray,
    squares: Squares,
    threads: int | None = None,
    passive: Passive | None = None,
    across: bool | None = None,
) -> np.ndarray:
    """A sum of squares [population, stimuli], NaN where diverged, from and to numpy arrays. Other arguments and errors as
    `forward`."""
    voltages = forward(plan, densities, False, threads, passive, None, across)[0]
    return squares(*_one_by_one(plan, voltages)).reshape(voltages.shape[:2])


def gradient(
    plan: Plan,
    densities: np.ndarray,
    squares: Squares,
    threads: int | None = None,
    passive: Passive | None = None,
    passive_gradient: bool = False,
    across: bool | None = None,
) -> tuple[np.ndarray, Slopes]:
    """As `terms`, and the derivatives of its mean over stimuli."""
    voltages, _, run = forward(plan, densities, True, threads, passive, None, across)
    stimuli, slopes = _one_by_one(plan, voltages)
    sums = squares(stimuli, slopes, slopes=slopes)
    return sums.reshape(voltages.shape[:2]), adjoint(run, slopes, passive_gradient)


def _one_by_one(plan: Plan, voltages: Any) -> tuple[np.ndarray, Any]:
    """The stimulus of each simulation [k], and a view of the voltages [k, samples, sites]."""
    total, stimuli = len(voltages) * plan.protocol.n_stimuli, plan.protocol.n_stimuli
    return np.arange(total) % stimuli, voltages.reshape(total, *voltages.shape[2:])
