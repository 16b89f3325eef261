"""Lays simulations out as lanes, runs the generated kernel in threads, and hands back voltages and their adjoints."""

import itertools
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np

from gradevo.kernels.codegen import VECTOR_BYTES, kernel_module
from gradevo.kernels.elimination import Elimination, plan_elimination
from gradevo.neuron import Neuron
from gradevo.protocol import Protocol
from gradevo.units import S_PER_CM2_UM2_TO_US, UF_PER_CM2_UM2_TO_NF

KEPT_BYTES = 512 * 2**20
"""Up to this much memory, a gradient keeps every state; beyond, it keeps checkpoints and runs each segment twice."""

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


# threads do not exist in a forked child, which must not wait for its parent's
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)


@dataclass(frozen=True, eq=False)
class Passive:
    """What a membrane is without its channels, for each candidate.

    capacitance_uF_cm2: [population, compartments]. conductances_uS: [population, edges], axial.
    """

    capacitance_uF_cm2: np.ndarray
    conductances_uS: np.ndarray


@dataclass(frozen=True, eq=False)
class Plan:
    """Everything about one neuron under one protocol that does not depend on its densities, as the kernel wants it."""

    neuron: Neuron
    protocol: Protocol
    elimination: Elimination
    drive: tuple[np.ndarray, ...]
    initial_state: np.ndarray
    recorded: np.ndarray
    to_uS: np.ndarray

    @property
    def clock(self) -> tuple[float, float, int]:
        p = self.protocol
        return (p.step_ms, p.first_gate_step_ms, p.steps_per_sample)

    @cached_property
    def own_passive(self) -> Passive:
        """The neuron's own, as a population of one."""
        m = self.neuron.morphology
        return Passive(np.full((1, m.n_compartments), self.neuron.channels.capacitance_uF_cm2), m.conductances_uS[None])


def make_plan(neuron: Neuron, protocol: Protocol) -> Plan:
    """Raises ValueError if the protocol names a site the neuron lacks."""
    protocol.validate(neuron)
    m, channels = neuron.morphology, neuron.channels
    currents = np.ascontiguousarray(protocol.stimulus.values_nA.transpose(2, 1, 0))
    weights = protocol.stimulus.step_weights(protocol.start_ms, protocol.step_ms, protocol.n_steps)
    return Plan(
        neuron=neuron,
        protocol=protocol,
        elimination=plan_elimination(m.n_nodes, m.edges, m.conductances_uS),
        drive=(*weights, currents, np.array(protocol.stimulated, dtype=np.int64)),
        initial_state=np.array([channels.initial_voltage_mV, *channels.initial_gates()], dtype=float),
        recorded=np.array(protocol.recorded, dtype=np.int64),
        to_uS=m.areas_um2 * S_PER_CM2_UM2_TO_US,
    )


@dataclass(frozen=True, eq=False)
class Layout:
    """Simulation k, candidate by candidate and within each stimulus by stimulus, is lane k % width of block k // width."""

    total: int
    blocks: int
    width: int
    candidate: np.ndarray
    stimulus: np.ndarray

    def to_lanes(self, values: np.ndarray, dtype: type) -> np.ndarray:
        """[simulations or candidates given by index, ...] -> [block, ..., lane]; the last block repeats the last one."""
        rows = values.reshape(self.blocks, self.width, *values.shape[1:])
        return np.ascontiguousarray(np.moveaxis(rows, 1, -1), dtype=dtype)

    def from_lanes(self, values: np.ndarray) -> np.ndarray:
        """[block, ..., lane] -> [simulations, ...]."""
        rows = np.moveaxis(values, -1, 1)
        return rows.reshape(self.blocks * self.width, *values.shape[1:-1])[: self.total]


def _layout(n_population: int, n_stimuli: int, dtype: type) -> Layout:
    width = VECTOR_BYTES // np.dtype(dtype).itemsize
    total = n_population * n_stimuli
    blocks = -(-total // width)
    candidate, stimulus = np.divmod(np.minimum(np.arange(blocks * width), total - 1), n_stimuli)
    return Layout(total, blocks, width, candidate, stimulus)


@dataclass(eq=False)
class Run:
    """A forward run, with what its adjoint needs: every state, or checkpoints of them."""

    plan: Plan
    layout: Layout
    n_population: int
    threads: int
    dtype: type
    densities: np.ndarray
    passive: Passive
    matrix: tuple[np.ndarray, np.ndarray, np.ndarray]
    kept: bool
    every: int
    states: np.ndarray
    checkpoints: np.ndarray
    diverged: np.ndarray

    def __del__(self) -> None:
        """The state buffers serve the next run of the same size."""
        _release(self.states)
        _release(self.checkpoints)


# Fresh large arrays cost a page fault per 4 kB, a third of a small run's time: a few are kept for reuse.
_spare: list[np.ndarray] = []
_SPARE_BUFFERS = 4


def _acquire(shape: tuple[int, ...], dtype: type) -> np.ndarray:
    size = int(np.prod(shape))
    for i, buffer in enumerate(_spare):
        if buffer.dtype == dtype and size <= buffer.size <= 2 * size + 4096:
            return _spare.pop(i)[:size].reshape(shape)
    return np.empty(size, dtype).reshape(shape)


def _release(array: np.ndarray) -> None:
    flat = array.base if array.base is not None else array.reshape(-1)
    assert isinstance(flat, np.ndarray)
    if flat.size:
        _spare.append(flat.reshape(-1))
    del _spare[:-_SPARE_BUFFERS]


def in_threads(threads: int, n_blocks: int, call: Callable[[int, int, int], None]) -> None:
    """Calls call(worker, first_block, end_block) on contiguous shares of the blocks."""
    shares = min(threads, n_blocks)
    bounds = [round(n_blocks * k / shares) for k in range(shares + 1)]
    if shares == 1:
        call(0, 0, n_blocks)
        return
    for future in [_pool(threads).submit(call, w, *ends) for w, ends in enumerate(itertools.pairwise(bounds))]:
        future.result()


def _matrix(plan: Plan, layout: Layout, passive: Passive, dtype: type) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The voltage matrix without channels: diagonal [block, node, lane], entries [block, entry, lane] and C / (theta dt)
    [block, compartment, lane]; one block serves all where the candidates share them."""
    m, p = plan.neuron.morphology, plan.protocol
    capacity = passive.capacitance_uF_cm2 * m.areas_um2 * UF_PER_CM2_UM2_TO_NF / (p.implicitness * p.step_ms)
    base = np.zeros((len(capacity), m.n_nodes))
    base[:, : m.n_compartments] = capacity
    for column in (0, 1):
        np.add.at(base.T, m.edges[:, column], passive.conductances_uS.T)
    entries = np.zeros((len(capacity), max(plan.elimination.value.size, 1)))
    np.subtract.at(entries.T, plan.elimination.entry_of_edge, passive.conductances_uS.T)
    if len(capacity) == 1:
        shared = (np.repeat(a[0][None, :, None], layout.width, axis=2) for a in (base, entries, capacity))
        base, entries, capacity = (np.ascontiguousarray(a, dtype=dtype) for a in shared)
    else:
        base, entries, capacity = (layout.to_lanes(a[layout.candidate], dtype) for a in (base, entries, capacity))
    return base, entries, capacity


def forward(
    plan: Plan,
    densities: np.ndarray,
    keep: bool,
    threads: int | None = None,
    passive: Passive | None = None,
    checkpoint_every: int | None = None,
) -> tuple[np.ndarray, np.ndarray, Run]:
    """Simulates population x stimuli, in the precision of ``densities`` (float64 or float32).

    Args:
        densities: [population, channels, compartments] S/cm2.
        keep: keep what the adjoint needs.
        passive: None for the neuron's own.
        checkpoint_every: steps between checkpoints; None keeps every state up to KEPT_BYTES, and beyond takes the square
            root of the steps.

    Returns:
        voltages [population, stimuli, samples, sites] mV (NaN where diverged), diverged [population, stimuli], and the run.

    Raises:
        ValueError: for a wrong shape, or densities that are NaN.
    """
    plan.neuron.check_densities(densities)
    if np.isnan(densities).any():
        where = tuple(int(i) for i in np.argwhere(np.isnan(densities))[0])
        raise ValueError(f"densities{list(where)} (candidate, channel, compartment) is NaN; it must be a number in S/cm2")
    dtype = np.float32 if densities.dtype == np.float32 else np.float64
    protocol, passive = plan.protocol, passive or plan.own_passive
    threads = available_threads() if threads is None else threads
    layout = _layout(len(densities), protocol.n_stimuli, dtype)
    by_lane = layout.to_lanes((densities * plan.to_uS).transpose(0, 2, 1)[layout.candidate], dtype)
    matrix = _matrix(plan, layout, passive, dtype)

    n_steps = protocol.n_steps
    one_state = (plan.neuron.n_compartments, plan.initial_state.size, layout.width)
    every_state = layout.blocks * (n_steps + 1) * int(np.prod(one_state)) * np.dtype(dtype).itemsize
    every = checkpoint_every or max(1, int(np.ceil(np.sqrt(n_steps))))
    kept = keep and checkpoint_every is None and every_state <= KEPT_BYTES
    segments = -(-n_steps // every) if keep and not kept else 0
    states = _acquire((layout.blocks, n_steps + 1, *one_state) if kept else (threads, 2, *one_state), dtype)
    checkpoints = _acquire((layout.blocks, segments, *one_state), dtype)
    records = np.empty((layout.blocks, protocol.n_samples, plan.recorded.size, layout.width), dtype)
    diverged = np.empty((layout.blocks, layout.width), np.bool_)

    module = kernel_module(plan.neuron.channels, dtype.__name__)
    stimulus_of_lane = layout.stimulus.reshape(layout.blocks, layout.width)

    def simulate_blocks(worker: int, first: int, end: int) -> None:
        module.forward(
            first, end, n_steps, kept, plan.elimination.graph, *matrix, protocol.implicitness, plan.clock, plan.drive,
            stimulus_of_lane, by_lane, plan.recorded, plan.initial_state, states if kept else states[worker : worker + 1],
            checkpoints, every, records, diverged,
        )  # fmt: skip

    in_threads(threads, layout.blocks, simulate_blocks)
    out = layout.from_lanes(records)
    bad = diverged.reshape(-1)[: layout.total]
    out[bad] = np.nan
    run = Run(plan, layout, len(densities), threads, dtype, by_lane, passive, matrix, kept, every, states, checkpoints, bad)
    shape = (len(densities), protocol.n_stimuli)
    return out.reshape(*shape, protocol.n_samples, -1), bad.reshape(shape), run


def adjoint(run: Run, voltage_gradients: np.ndarray, passive: bool = False) -> tuple[np.ndarray, Passive | None]:
    """From dL/d voltages [population, stimuli, samples, sites] (1/mV) to dL/d densities [population, channels, compartments]
    (1 / (S/cm2)) and, if asked for, to the derivatives with respect to capacitances and axial conductances, in the places of
    a Passive. A diverged simulation contributes nothing."""
    plan, layout, protocol = run.plan, run.layout, run.plan.protocol
    blocks, n, n_channels, lanes = run.densities.shape
    upstream = np.zeros((blocks * lanes, protocol.n_samples, plan.recorded.size), run.dtype)
    upstream[: layout.total] = voltage_gradients.reshape(layout.total, protocol.n_samples, -1)
    upstream[: layout.total][run.diverged] = 0.0
    record_bar = layout.to_lanes(upstream, run.dtype)
    n_entries = run.matrix[1].shape[1]
    bars = [
        np.empty((blocks, n, n_channels, lanes), run.dtype),
        np.empty((blocks if passive else 0, n, lanes), run.dtype),
        np.empty((blocks if passive else 0, n_entries, lanes), run.dtype),
    ]
    segment = (run.threads, run.every + 1, n, plan.initial_state.size, lanes)
    states = run.states if run.kept else _acquire(segment, run.dtype)
    module = kernel_module(plan.neuron.channels, run.dtype.__name__)
    stimulus_of_lane = layout.stimulus.reshape(blocks, lanes)

    def walk_blocks(worker: int, first: int, end: int) -> None:
        module.adjoint(
            first, end, protocol.n_steps, run.kept, plan.elimination.graph, *run.matrix, protocol.implicitness, plan.clock,
            plan.drive, stimulus_of_lane, run.densities, plan.recorded, states if run.kept else states[worker : worker + 1],
            run.checkpoints, run.every, record_bar, passive, *bars,
        )  # fmt: skip

    in_threads(run.threads, blocks, walk_blocks)
    if not run.kept:
        _release(states)
    densities_bar = _sum_over_stimuli(run, bars[0]).transpose(0, 2, 1) * plan.to_uS
    if not passive:
        return densities_bar, None
    per_area = plan.neuron.morphology.areas_um2 * UF_PER_CM2_UM2_TO_NF / (protocol.implicitness * protocol.step_ms)
    return densities_bar, Passive(
        capacitance_uF_cm2=_sum_over_stimuli(run, bars[1]) * per_area,
        conductances_uS=_sum_over_stimuli(run, bars[2])[:, plan.elimination.entry_of_edge],
    )


def _sum_over_stimuli(run: Run, bar: np.ndarray) -> np.ndarray:
    """[block, ..., lane] -> [population, ...] in float64, one stimulus after the other: numpy's own sum would choose its
    order by the array's shape."""
    each = run.layout.from_lanes(bar)
    each[run.diverged] = 0.0
    each = each.reshape(run.n_population, run.plan.protocol.n_stimuli, *each.shape[1:])
    total = np.zeros((run.n_population, *each.shape[2:]))
    for s in range(each.shape[1]):
        total += each[:, s]
    return total


def smallest_plan(neuron: Neuron) -> Plan:
    """One step of the neuron, for compiling its kernels."""
    from gradevo.stimulus import Stimulus

    stimulus = Stimulus(np.array([0.0, 1.0]), np.zeros((1, 1, 1)))
    return make_plan(neuron, Protocol(stimulus, (0,), (0,), 0.025, 2, 0.025))


@contextmanager
def compiling() -> Iterator[None]:
    """Counts the time spent inside as compilation."""
    global _compile_seconds
    begin = time.perf_counter()
    try:
        yield
    finally:
        _compile_seconds += time.perf_counter() - begin


def warm_up(neuron: Neuron, dtype: type = np.float64) -> float:
    """Compiles (or loads from the disk cache) both passes of a neuron's kernel; returns the seconds it took."""
    before = _compile_seconds
    with compiling():
        plan = smallest_plan(neuron)
        voltages, _, run = forward(plan, neuron.default_densities()[None].astype(dtype), keep=True, threads=1)
        adjoint(run, np.zeros_like(voltages))
    return _compile_seconds - before
