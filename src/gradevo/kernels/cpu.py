"""Runs the generated kernels: from densities to voltages, and from the voltages' adjoints to the densities'."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from gradevo.kernels import memory
from gradevo.kernels.codegen import kernel_module
from gradevo.kernels.comparison import Squares
from gradevo.kernels.compiling import call
from gradevo.kernels.layout import Layout, choose_layout
from gradevo.kernels.plan import Passive, Plan, make_plan
from gradevo.kernels.threads import available_threads, in_threads
from gradevo.units import UF_PER_CM2_UM2_TO_NF

__all__ = ["Passive", "Plan", "adjoint", "forward", "gradient", "make_plan", "terms"]

KEPT_BYTES = 512 * 2**20
"""Up to this much memory, a gradient keeps every state; beyond, it keeps checkpoints and runs each segment twice."""

SEGMENT_BYTES = 2 * 2**20
"""Between checkpoints there are as many steps as keep their states within this, and are walked back out of a near cache."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Simulations laid out for the kernels: densities [block, row, channel, lane] uS, and matrix, the voltage matrix without
    channels (diagonal, entries, C / (theta dt))."""

    plan: Plan
    layout: Layout
    n_population: int
    threads: int
    dtype: type
    densities: np.ndarray
    matrix: tuple[np.ndarray, ...]
    module: Any

    @property
    def state_shape(self) -> tuple[int, int, int]:
        """V and gates of one block."""
        return (self.layout.rows, self.plan.initial_state.size, self.layout.width)

    @property
    def kept_shape(self) -> tuple[int, int, int]:
        """Of one block: a state with the two derivatives of each gate's step that the adjoint needs."""
        return (self.layout.rows, 3 * self.plan.initial_state.size - 2, self.layout.width)

    @property
    def block_bytes(self) -> int:
        """Of every state of one block, kept."""
        return (self.plan.protocol.n_steps + 1) * math.prod(self.kept_shape) * np.dtype(self.dtype).itemsize

    def part(self, first: int, end: int) -> tuple[Any, ...]:
        """What the passes over blocks first to end have in common, in the order of the kernels' arguments."""
        plan, p = self.plan, self.plan.protocol
        matrix = (a if len(a) == 1 else a[first:end] for a in self.matrix)
        return (
            p.n_steps, plan.elimination.graph, *matrix, p.implicitness, plan.clock, plan.drive, self.layout.stimulus[first:end],
            self.layout.simulation[first:end], self.densities[first:end], plan.recorded, plan.neuron.n_compartments,
        )  # fmt: skip

    def recorded_shape(self, simulations: int) -> tuple[int, int, int]:
        return (simulations, self.plan.protocol.n_samples, self.plan.recorded.size)

    def records_shape(self, blocks: int) -> tuple[int, int, int]:
        return self.recorded_shape(blocks * self.layout.stimulus.shape[1])


class Kept(NamedTuple):
    """What a forward pass over some blocks leaves for the adjoint: every state, or checkpoints every so many steps."""

    whole: bool
    every: int
    states: np.ndarray
    checkpoints: np.ndarray


@dataclass(eq=False)
class Run:
    """A forward pass with what its adjoint needs."""

    batch: Batch
    kept: Kept
    diverged: np.ndarray

    def __del__(self) -> None:
        """The buffers serve the next run of the same size."""
        memory.release(self.kept.states)
        memory.release(self.kept.checkpoints)


class Slopes(NamedTuple):
    """Derivatives with respect to densities [population, channels, compartments] (1 / (S/cm2)) and, where asked for, to
    capacitances and axial conductances, in the places of a Passive."""

    densities: np.ndarray
    passive: Passive | None


def make_batch(
    plan: Plan, densities: np.ndarray, threads: int | None = None, passive: Passive | None = None, across: bool | None = None
) -> Batch:
    """Densities [population, channels, compartments] S/cm2 under every stimulus, in their precision.

    Args:
        threads: None for `available_threads`.
        passive: None for the neuron's own.
        across: which layout (layout.py); None for the quicker one. The results are the same to the bit.

    Raises:
        ValueError: for a wrong shape, densities that are NaN, nothing to simulate, or less than one thread.
    """
    plan.neuron.check_densities(densities)
    if np.isnan(densities).any():
        where = tuple(int(i) for i in np.argwhere(np.isnan(densities))[0])
        raise ValueError(f"densities{list(where)} (candidate, channel, compartment) is NaN; it must be a number in S/cm2")
    dtype = np.float32 if densities.dtype == np.float32 else np.float64
    threads = available_threads() if threads is None else threads
    if threads < 1:
        raise ValueError(f"threads is {threads}; it must be 1 or more, or None for every core")
    if not len(densities) or not plan.protocol.n_stimuli:
        raise ValueError(f"there is nothing to simulate: {len(densities)} candidates under {plan.protocol.n_stimuli} stimuli")
    n = plan.neuron.n_compartments
    layout = choose_layout(len(densities), plan.protocol.n_stimuli, plan.place[:n], threads, dtype, across)
    if passive is not None:
        matrix = _matrix(plan, layout, passive, dtype)
    elif (matrix := plan.own_matrices.get((layout.across, dtype))) is None:
        matrix = plan.own_matrices[layout.across, dtype] = _matrix(plan, layout, plan.own_passive, dtype)
    inside = layout.compartments_in(densities * plan.to_uS, dtype)
    module = kernel_module(plan.neuron.channels, dtype.__name__)
    return Batch(plan, layout, len(densities), threads, dtype, inside, matrix, module)


def _matrix(plan: Plan, layout: Layout, passive: Passive, dtype: type) -> tuple[np.ndarray, ...]:
    """The voltage matrix without channels; one block serves all where the candidates share it."""
    m, p = plan.neuron.morphology, plan.protocol
    n, edges = m.n_compartments, plan.place[m.edges]
    capacity = passive.capacitance_uF_cm2 * m.areas_um2 * UF_PER_CM2_UM2_TO_NF / (p.implicitness * p.step_ms)
    base = np.zeros((len(capacity), plan.elimination.n_rows))
    base[:, plan.place[:n]] = capacity
    for column in (0, 1):
        np.add.at(base.T, edges[:, column], passive.conductances_uS.T)
    entries = np.zeros((len(capacity), max(plan.elimination.column.size, 1)))
    np.subtract.at(entries.T, plan.elimination.entry_of_edge, passive.conductances_uS.T)
    inside = np.zeros((len(capacity), layout.rows * (layout.width if layout.across else 1)))
    inside[:, plan.place[:n]] = capacity
    return layout.shared_in(base, dtype), layout.shared_in(entries, dtype), layout.shared_in(inside, dtype)


def forward(
    plan: Plan,
    densities: np.ndarray,
    keep: bool,
    threads: int | None = None,
    passive: Passive | None = None,
    checkpoint_every: int | None = None,
    across: bool | None = None,
) -> tuple[np.ndarray, np.ndarray, Run]:
    """Simulates population x stimuli, in the precision of ``densities`` (float64 or float32).

    Args:
        keep: keep what the adjoint needs.
        checkpoint_every: steps between checkpoints; None keeps every state up to KEPT_BYTES, and beyond takes as few steps as
            a near cache holds, at most the square root of all.
        others: as `make_batch`.

    Returns:
        voltages [population, stimuli, samples, sites] mV (NaN where diverged), diverged [population, stimuli], and the run.

    Raises:
        ValueError: as `make_batch`.
    """
    batch = make_batch(plan, densities, threads, passive, across)
    blocks = batch.layout.blocks
    whole = keep and checkpoint_every is None and blocks * batch.block_bytes <= KEPT_BYTES
    kept = _room(batch, blocks, keep, whole, checkpoint_every or _steps_between_checkpoints(batch, blocks))
    voltages = np.empty(batch.recorded_shape(batch.layout.total), batch.dtype)
    diverged = np.empty(batch.layout.stimulus.shape, np.bool_)

    def simulate_blocks(shares: Iterator[tuple[int, int]]) -> None:
        for first, end in shares:
            _simulate(batch, first, end, _share(kept, first, end), voltages, diverged[first:end])

    in_threads(batch.threads, blocks, simulate_blocks)
    bad = diverged.reshape(-1)[: batch.layout.total]
    voltages[bad] = np.nan
    shape = (len(densities), plan.protocol.n_stimuli)
    return voltages.reshape(*shape, *voltages.shape[1:]), bad.reshape(shape), Run(batch, kept, bad)


def adjoint(run: Run, voltage_gradients: np.ndarray, passive: bool = False) -> Slopes:
    """From dL/d voltages [population, stimuli, samples, sites] (1/mV). A diverged simulation contributes nothing. Raises
    ValueError for a run that kept nothing."""
    batch = run.batch
    if not run.kept.whole and not run.kept.checkpoints.shape[1] and batch.plan.protocol.n_steps:
        raise ValueError("the forward pass kept nothing for its adjoint; run it with keep=True")
    upstream = np.ascontiguousarray(voltage_gradients.reshape(batch.recorded_shape(batch.layout.total)), batch.dtype)
    bars = _bars(batch, True, passive)

    def walk_blocks(shares: Iterator[tuple[int, int]]) -> None:
        for first, end in shares:
            _walk_back(batch, first, end, _share(run.kept, first, end), upstream, passive, bars)

    in_threads(batch.threads, batch.layout.blocks, walk_blocks)
    return _collect(batch, bars, run.diverged, passive)


def terms(
    plan: Plan,
    densities: np.ndarray,
    squares: Squares,
    threads: int | None = None,
    passive: Passive | None = None,
    across: bool | None = None,
) -> np.ndarray:
    """A sum of squares [population, stimuli], NaN where diverged; the same bits as `gradient`'s. Arguments, errors as there."""
    batch = make_batch(plan, densities, threads, passive, across)
    return _compare(batch, squares, _bars(batch, False, False), False)[0]


def gradient(
    plan: Plan,
    densities: np.ndarray,
    squares: Squares,
    threads: int | None = None,
    passive: Passive | None = None,
    passive_gradient: bool = False,
    across: bool | None = None,
) -> tuple[np.ndarray, Slopes]:
    """A sum of squares [population, stimuli], NaN where diverged, and the derivatives of its mean over stimuli.

    The same bits as `forward`, ``squares`` and `adjoint`. Arguments and errors as there; ValueError if ``squares`` was not made
    for this protocol and precision.
    """
    batch = make_batch(plan, densities, threads, passive, across)
    bars = _bars(batch, True, passive_gradient)
    sums, diverged = _compare(batch, squares, bars, passive_gradient)
    return sums, _collect(batch, bars, diverged, passive_gradient)


def _compare(batch: Batch, squares: Squares, bars: list[np.ndarray], passive: bool) -> tuple[np.ndarray, np.ndarray]:
    """Sums of squares [population, stimuli] and diverged [simulations]; and fills the bars, if they have blocks.

    Each thread simulates a block, compares it with the target, and at once walks it back, so that only so many blocks' states are
    ever held.
    """
    plan, layout, back = batch.plan, batch.layout, len(bars[0]) > 0
    squares.check_made_for(plan.protocol.n_stimuli, batch.recorded_shape(1)[1:], batch.dtype)
    in_work = min(batch.threads, layout.blocks)
    whole = back and batch.block_bytes * in_work <= KEPT_BYTES
    every = _steps_between_checkpoints(batch, in_work)
    sums, diverged = np.empty(layout.total), np.empty(layout.stimulus.shape, np.bool_)
    run = batch.module.compare_across if layout.across else batch.module.compare
    common = batch.part(0, layout.blocks)

    def there_and_back(shares: Iterator[tuple[int, int]]) -> None:
        kept, records = _room(batch, 1, back, whole, every), memory.acquire(batch.records_shape(1), batch.dtype)
        # between checkpoints, a state and the next; and a segment, walked back
        running = kept.states if whole else memory.acquire((1, 2, *batch.state_shape), batch.dtype)
        segment = (1, every + 1, *batch.kept_shape)
        states = memory.acquire(segment, batch.dtype) if back and not whole else kept.states
        for first, end in shares:
            call(
                run, first, end, *common, plan.initial_state, whole, running, states, kept.checkpoints, every,
                squares.target, squares.weights, squares.scale, records, sums, diverged, passive, *bars,
            )  # fmt: skip
        for buffer in (states, kept.checkpoints, records):
            memory.release(buffer)

    in_threads(batch.threads, layout.blocks, there_and_back)
    return sums.reshape(batch.n_population, -1), diverged.reshape(-1)[: layout.total]


def _room(batch: Batch, blocks: int, keep: bool, whole: bool, every: int) -> Kept:
    """Memory for the states of so many blocks: every state if ``whole``; else checkpoints if ``keep``."""
    n_steps = batch.plan.protocol.n_steps
    segments = -(-n_steps // every) if keep and not whole else 0
    states = memory.acquire((blocks if whole else 0, n_steps + 1, *batch.kept_shape), batch.dtype)
    return Kept(whole, every, states, memory.acquire((blocks, segments, *batch.state_shape), batch.dtype))


def _steps_between_checkpoints(batch: Batch, blocks: int) -> int:
    """As many as SEGMENT_BYTES hold; more, where the checkpoints of so many blocks would not fit into KEPT_BYTES; at most the
    square root of all."""
    n_steps = batch.plan.protocol.n_steps
    cached = SEGMENT_BYTES * (n_steps + 1) // batch.block_bytes - 1
    room = KEPT_BYTES // (blocks * math.prod(batch.state_shape) * np.dtype(batch.dtype).itemsize)
    needed = -(-n_steps // room) if room else n_steps
    return max(1, min(max(cached, needed), math.isqrt(max(n_steps - 1, 0)) + 1))


def _share(kept: Kept, first: int, end: int) -> Kept:
    """The part of blocks first to end."""
    return kept._replace(states=kept.states[first:end], checkpoints=kept.checkpoints[first:end])


def _simulate(batch: Batch, first: int, end: int, kept: Kept, records: np.ndarray, diverged: np.ndarray) -> None:
    """Blocks first to end; kept and diverged are theirs alone, records [simulations, samples, sites]."""
    run = batch.module.forward_across if batch.layout.across else batch.module.forward
    states = kept.states if kept.whole else memory.acquire((1, 2, *batch.state_shape), batch.dtype)
    call(
        run, *batch.part(first, end), batch.plan.initial_state, kept.whole, states, kept.checkpoints, kept.every,
        records, diverged,
    )  # fmt: skip
    if not kept.whole:
        memory.release(states)


def _walk_back(
    batch: Batch, first: int, end: int, kept: Kept, upstream: np.ndarray, passive: bool, bars: list[np.ndarray]
) -> None:
    """Blocks first to end: fills their part of the bars from dL/d voltages [simulations, samples, sites]."""
    run = batch.module.adjoint_across if batch.layout.across else batch.module.adjoint
    states = kept.states if kept.whole else memory.acquire((1, kept.every + 1, *batch.kept_shape), batch.dtype)
    call(
        run, *batch.part(first, end), kept.whole, states, kept.checkpoints, kept.every, upstream, passive,
        *(bar[first:end] for bar in bars),
    )  # fmt: skip
    if not kept.whole:
        memory.release(states)


def _bars(batch: Batch, densities: bool, passive: bool) -> list[np.ndarray]:
    """Memory for the adjoints of densities, capacitances and entries: those that are asked for, the others have no blocks."""
    layout, blocks = batch.layout, batch.layout.blocks
    lane = () if layout.across else (layout.width,)
    return [
        memory.empty((blocks if densities else 0, *batch.densities.shape[1:]), batch.dtype),
        memory.empty((blocks if passive else 0, layout.rows, layout.width), batch.dtype),
        memory.empty((blocks if passive else 0, batch.matrix[1].shape[1], *lane), batch.dtype),
    ]


def _collect(batch: Batch, bars: list[np.ndarray], diverged: np.ndarray, passive: bool) -> Slopes:
    """Sums over stimuli, in the units of densities, capacitances and conductances."""
    plan, layout = batch.plan, batch.layout

    def total(each: np.ndarray) -> np.ndarray:
        """[simulations, ...] -> [population, ...] in float64, one stimulus after the other, as accumulate does: numpy's own
        sum would choose its order by the array's shape."""
        each[diverged] = 0.0
        each = each.reshape(batch.n_population, plan.protocol.n_stimuli, *each.shape[1:])
        # candidate by candidate: the partial sums are kept for one of them only
        return np.stack([np.add.accumulate(one, axis=0, dtype=np.float64)[-1] for one in each])

    densities = total(layout.compartments_out(bars[0])) * plan.to_uS
    if not passive:
        return Slopes(densities, None)
    per_area = plan.neuron.morphology.areas_um2 * UF_PER_CM2_UM2_TO_NF / (plan.protocol.implicitness * plan.protocol.step_ms)
    entries = layout.entries_out(bars[2])
    return Slopes(
        densities,
        Passive(
            capacitance_uF_cm2=total(layout.compartments_out(bars[1])) * per_area,
            conductances_uS=total(entries)[:, plan.elimination.entry_of_edge],
        ),
    )
