"""Lays simulations out as lanes, runs the generated kernel in threads, and hands back voltages and density gradients."""

import itertools
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

import numpy as np

from gradevo.kernels.codegen import kernel_module
from gradevo.kernels.elimination import Elimination, plan_elimination
from gradevo.neuron import Neuron
from gradevo.protocol import Protocol
from gradevo.units import S_PER_CM2_UM2_TO_US, UF_PER_CM2_UM2_TO_NF

VECTOR = 4
"""float64 numbers in an AVX2 register: lanes come in multiples of it."""

LEAST_LANES, MOST_LANES = 16, 64
"""Simulations per block: four vectors keep the arithmetic units busy; beyond 64 lanes nothing more is gained."""

CACHE_BYTES = 2**18
ROWS_PER_COMPARTMENT = 12
"""State, densities, matrix and right-hand side that a step touches, in numbers per compartment and lane."""

_compile_seconds = 0.0


def compile_seconds() -> float:
    """Seconds this process has spent on compiling or loading kernels."""
    return _compile_seconds


def available_threads() -> int:
    """GRADEVO_THREADS, else the cores this process may use.

    Raises:
        ValueError: if GRADEVO_THREADS is not a positive number.
    """
    wanted = os.environ.get("GRADEVO_THREADS")
    if wanted is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not wanted.isdigit() or int(wanted) < 1:
        raise ValueError(f"GRADEVO_THREADS is {wanted!r}; it must be a whole number of 1 or more")
    return int(wanted)


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="gradevo")


@dataclass(frozen=True, eq=False)
class Plan:
    """Everything about one neuron under one protocol that does not depend on its densities, as the kernel wants it."""

    neuron: Neuron
    protocol: Protocol
    elimination: Elimination
    base_diagonal: np.ndarray
    capacitance_over_step: np.ndarray
    step_weights: tuple[np.ndarray, np.ndarray, np.ndarray]
    currents: np.ndarray
    initial_gates: np.ndarray
    to_uS: np.ndarray

    def solver_arguments(self) -> tuple:
        e = self.elimination
        return (
            *(e.order, e.start, e.column, e.value, e.update_start, e.update_a, e.update_b, e.update_target, e.changed),
            *(self.base_diagonal, self.capacitance_over_step, self.protocol.implicitness),
        )

    def time_arguments(self) -> tuple:
        p = self.protocol
        return (p.step_ms, p.first_gate_step_ms, p.n_steps, p.steps_per_sample)


def make_plan(neuron: Neuron, protocol: Protocol) -> Plan:
    """Raises ValueError if the protocol names a site the neuron lacks."""
    protocol.validate(neuron)
    m, channels = neuron.morphology, neuron.channels
    capacitance_nF = channels.capacitance_uF_cm2 * m.areas_um2 * UF_PER_CM2_UM2_TO_NF
    over_step = capacitance_nF / (protocol.implicitness * protocol.step_ms)
    base = np.zeros(m.n_nodes)
    base[: m.n_compartments] = over_step
    for column in (0, 1):
        np.add.at(base, m.edges[:, column], m.conductances_uS)
    return Plan(
        neuron=neuron,
        protocol=protocol,
        elimination=plan_elimination(m.n_nodes, m.edges, m.conductances_uS),
        base_diagonal=base,
        capacitance_over_step=over_step,
        step_weights=protocol.stimulus.step_weights(protocol.start_ms, protocol.step_ms, protocol.n_steps),
        currents=np.ascontiguousarray(protocol.stimulus.values_nA.transpose(2, 1, 0)),
        initial_gates=np.array(channels.initial_gates(), dtype=float),
        to_uS=m.areas_um2 * S_PER_CM2_UM2_TO_US,
    )


@dataclass(eq=False)
class Run:
    """A forward run whose states were kept for its adjoint."""

    plan: Plan
    densities: np.ndarray
    voltages: np.ndarray
    gates: np.ndarray
    diverged: np.ndarray
    n_population: int
    threads: int

    def __del__(self) -> None:
        """The state buffers serve the next run of the same size."""
        _release(self.voltages)
        _release(self.gates)


# Fresh large arrays cost a page fault per 4 kB, a third of a small run's time: a few are kept for reuse.
_spare: list[np.ndarray] = []
_SPARE_BUFFERS = 4


def _acquire(shape: tuple[int, ...]) -> np.ndarray:
    size = int(np.prod(shape))
    for i, buffer in enumerate(_spare):
        if size <= buffer.size <= 2 * size + 4096:
            return _spare.pop(i)[:size].reshape(shape)
    return np.empty(size).reshape(shape)


def _release(array: np.ndarray) -> None:
    flat = array.base if array.base is not None else array.reshape(-1)
    assert isinstance(flat, np.ndarray)
    _spare.append(flat.reshape(-1))
    del _spare[:-_SPARE_BUFFERS]


def _in_threads(threads: int, n_blocks: int, call) -> None:
    """Calls call(first_block, end_block) on contiguous shares of the blocks."""
    shares = min(threads, n_blocks)
    bounds = [round(n_blocks * k / shares) for k in range(shares + 1)]
    if shares == 1:
        call(0, n_blocks)
        return
    for future in [_pool(threads).submit(call, a, b) for a, b in itertools.pairwise(bounds)]:
        future.result()


def _layout(n_simulations: int, n_compartments: int, threads: int) -> tuple[int, int]:
    """(blocks, lanes per block): equal shares for the threads, blocks whose state stays in a core's cache.

    Results do not depend on the layout (a test), so it is free to follow the machine.
    """
    in_cache = CACHE_BYTES // (8 * ROWS_PER_COMPARTMENT * n_compartments)
    most = min(max(in_cache, LEAST_LANES), MOST_LANES)
    blocks = -(-n_simulations // most)
    if n_simulations >= LEAST_LANES * threads:
        blocks = threads * -(-blocks // threads)
    return blocks, VECTOR * -(-n_simulations // (VECTOR * blocks))


def forward(plan: Plan, densities: np.ndarray, keep: bool, threads: int | None = None) -> tuple[np.ndarray, np.ndarray, Run]:
    """Simulates population x stimuli.

    Args:
        densities: [population, channels, compartments] S/cm2.
        keep: keep every state, for the adjoint.

    Returns:
        voltages [population, stimuli, samples, sites] mV (NaN where diverged), diverged [population, stimuli], and the run.

    Raises:
        ValueError: for a wrong shape, or densities that are NaN.
    """
    plan.neuron.check_densities(densities)
    if np.isnan(densities).any():
        where = tuple(int(i) for i in np.argwhere(np.isnan(densities))[0])
        raise ValueError(f"densities{list(where)} (candidate, channel, compartment) is NaN; it must be a number in S/cm2")
    module = kernel_module(plan.neuron.channels)
    protocol = plan.protocol
    threads = available_threads() if threads is None else threads
    n_population, n_channels, n = densities.shape
    n_stimuli = protocol.n_stimuli
    total = n_population * n_stimuli
    blocks, lanes = _layout(total, n, threads)
    # the last blocks may be padding only
    blocks = -(-total // lanes)
    # padding repeats the last simulation, so that idle lanes hold harmless numbers
    simulation = np.minimum(np.arange(blocks * lanes), total - 1)
    candidate, stimulus = np.divmod(simulation, n_stimuli)
    in_uS = (densities * plan.to_uS).transpose(2, 1, 0)
    by_lane = np.ascontiguousarray(in_uS[:, :, candidate].reshape(n, n_channels, blocks, lanes).transpose(2, 0, 1, 3))
    stimulus_of_lane = np.ascontiguousarray(stimulus.reshape(blocks, lanes))
    n_gates = plan.initial_gates.size
    slots = protocol.n_steps + 1 if keep else 2
    voltages = _acquire((blocks, slots, n, lanes))
    gates = _acquire((blocks, slots, n, n_gates, lanes))
    records = np.empty((blocks, protocol.n_samples, len(protocol.recorded), lanes))
    diverged = np.empty((blocks, lanes), dtype=np.bool_)
    shared = (
        *plan.solver_arguments(),
        *plan.time_arguments(),
        *plan.step_weights,
        plan.currents,
        np.array(protocol.stimulated, dtype=np.int64),
        stimulus_of_lane,
        np.array(protocol.recorded, dtype=np.int64),
        by_lane,
        plan.neuron.channels.initial_voltage_mV,
        plan.initial_gates,
        voltages,
        gates,
        records,
        diverged,
    )
    _in_threads(threads, blocks, lambda first, end: module.forward(first, end, keep, *shared))
    out = records.transpose(0, 3, 1, 2).reshape(blocks * lanes, protocol.n_samples, -1)[:total]
    bad = diverged.reshape(-1)[:total]
    out[bad] = np.nan
    run = Run(plan, by_lane, voltages, gates, bad, n_population, threads)
    return out.reshape(n_population, n_stimuli, protocol.n_samples, -1), bad.reshape(n_population, n_stimuli), run


def adjoint(run: Run, voltage_gradients: np.ndarray) -> np.ndarray:
    """dL/d densities [population, channels, compartments] (1 / (S/cm2)) from dL/d voltages [population, stimuli, samples,
    sites] (1/mV). A diverged simulation contributes nothing."""
    plan, protocol = run.plan, run.plan.protocol
    module = kernel_module(plan.neuron.channels)
    blocks, n, n_channels, lanes = run.densities.shape
    total = run.n_population * protocol.n_stimuli
    upstream = np.zeros((blocks * lanes, protocol.n_samples, len(protocol.recorded)))
    upstream[:total] = voltage_gradients.reshape(total, protocol.n_samples, -1)
    upstream[:total][run.diverged] = 0.0
    by_lane = np.ascontiguousarray(upstream.reshape(blocks, lanes, protocol.n_samples, -1).transpose(0, 2, 3, 1))
    gradients = np.empty((blocks, n, n_channels, lanes))
    shared = (
        *plan.solver_arguments(),
        *plan.time_arguments(),
        np.array(protocol.recorded, dtype=np.int64),
        run.densities,
        run.voltages,
        run.gates,
        by_lane,
        gradients,
    )
    _in_threads(run.threads, blocks, lambda first, end: module.adjoint(first, end, *shared))
    per_simulation = gradients.transpose(0, 3, 2, 1).reshape(blocks * lanes, n_channels, n)[:total]
    per_simulation[run.diverged] = 0.0
    per_candidate = per_simulation.reshape(run.n_population, protocol.n_stimuli, n_channels, n)
    # one stimulus after the other: numpy's own sum would choose its order by the array's shape
    summed = np.zeros((run.n_population, n_channels, n))
    for s in range(protocol.n_stimuli):
        summed += per_candidate[:, s]
    return summed * plan.to_uS


def warm_up(neuron: Neuron) -> float:
    """Compiles (or loads from the disk cache) both passes of a neuron's kernel; returns the seconds it took."""
    from gradevo.stimulus import Stimulus

    global _compile_seconds
    begin = time.perf_counter()
    stimulus = Stimulus(np.array([0.0, 1.0]), np.zeros((1, 1, 1)))
    plan = make_plan(neuron, Protocol(stimulus, (0,), (0,), 0.025, 2, 0.025))
    voltages, _, run = forward(plan, neuron.default_densities()[None], keep=True, threads=1)
    adjoint(run, np.zeros_like(voltages))
    took = time.perf_counter() - begin
    _compile_seconds += took
    return took
