"""Derivatives of the voltages along many directions, simulation by simulation: what Gauss-Newton and Fisher information need.

Memory is bounded: nothing larger than one segment of one simulation's derivatives exists at a time for each thread.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from gradevo.kernels import cpu, memory
from gradevo.kernels.codegen import VECTOR_BYTES, VOLTAGE_LIMIT_MV
from gradevo.kernels.compiling import call
from gradevo.kernels.threads import in_threads
from gradevo.protocol import Protocol

SEGMENT_BYTES = 4 * 2**20
"""What one thread's linearised steps and derivatives of one segment may take: they are read once per set of directions."""

SET_BYTES = 2**21
"""Directions are walked in sets whose state takes about this much, a core's share of the caches."""

SET_VECTORS = 8
"""A set has at least so many vectors of directions, whatever that takes: what is looked up once per compartment and set costs
more than the way to a farther cache."""

GROUPS = 8
"""Stimuli are cut into this many contiguous groups whatever the threads, so that sums over them have one order."""


@dataclass(frozen=True, eq=False)
class Directions:
    """How each of ``count`` directions changes a neuron: entry i adds weight[i] times source[i] at node[i] to the right-hand
    side of direction[i]. With n compartments and C channels, source i C + c is that of channel c in compartment i, n C + i that
    of its capacitance, and n (C + 1) + k the axial current into node k (tangent_driver.py says what they are). Weights are in
    the kernel's units: uS per unit of the direction for a channel, nF / (theta ms) for a capacitance, a relative change for the
    axial conductances."""

    count: int
    node: np.ndarray
    source: np.ndarray
    weight: np.ndarray
    direction: np.ndarray


class Windows(NamedTuple):
    """Voltages [stimuli, samples, recorded] mV that are set, with no derivatives, where windows of so many ``samples`` meet."""

    samples: int
    voltages: np.ndarray

    def edges(self, protocol: Protocol) -> list[int]:
        """Where windows begin and end, as samples."""
        return [*range(0, protocol.n_samples - 1, self.samples), protocol.n_samples - 1]


@dataclass(frozen=True, eq=False)
class _Sets:
    """Directions cut into ``count`` sets of ``size``, the last one padded; entries: as tangent_steps takes them; axial: whether a
    direction changes the axial conductances."""

    count: int
    size: int
    entries: tuple[np.ndarray, ...]
    axial: bool

    @property
    def padded(self) -> int:
        return self.count * self.size

    @staticmethod
    def of(directions: Directions, plan: cpu.Plan) -> "_Sets":
        n, n_nodes = plan.neuron.n_compartments, plan.elimination.order.size
        width = VECTOR_BYTES // 8
        most = max(SET_VECTORS, SET_BYTES // (8 * (n * plan.initial_state.size + n_nodes) * width))
        vectors = -(-directions.count // width)
        count = -(-vectors // most)
        size = width * -(-vectors // count)
        which, within = np.divmod(directions.direction, size)
        turn = np.empty(plan.elimination.n_rows, np.int64)
        turn[plan.elimination.order] = np.arange(n_nodes)
        at = which * (n_nodes + 1) + turn[plan.place[directions.node]]
        order = np.argsort(at, kind="stable")
        start = np.searchsorted(at[order], np.arange(count * (n_nodes + 1))).reshape(count, n_nodes + 1)
        columns = (_places_of_sources(plan)[directions.source], directions.weight, within)
        axial = bool((directions.source >= n * (len(plan.neuron.channel_names) + 1)).any())
        return _Sets(count, size, (start.astype(np.int64), *(np.ascontiguousarray(c[order]) for c in columns)), axial)


def _places_of_sources(plan: cpu.Plan) -> np.ndarray:
    """Where the kernels keep each source of `Directions` (tangent_driver.py)."""
    n, n_channels, place = plan.neuron.n_compartments, len(plan.neuron.channel_names), plan.place
    width = VECTOR_BYTES // 8
    row, lane = np.divmod(place[:n, None], width)
    padded = -(-n // width) * width
    channels = (row * n_channels + np.arange(n_channels)) * width + lane
    return np.concatenate([channels.ravel(), padded * n_channels + place[:n], padded * (n_channels + 1) + place])


def stream_jacobian(
    plan: cpu.Plan,
    densities: np.ndarray,
    directions: Directions,
    consume: Callable[[int, int, int, np.ndarray, np.ndarray], None],
    threads: int | None = None,
    passive: cpu.Passive | None = None,
    windows: Windows | None = None,
) -> np.ndarray:
    """Calls consume(group, stimulus, first_sample, part, voltages), with part [samples, recorded, directions] mV per unit of
    direction and the voltages [samples, recorded] mV themselves, until every sample but the initial one was handed over.

    Calls of one group (0 to GROUPS - 1) come one after the other, stimulus by stimulus, samples ascending; those of different
    groups may come at the same time. The part is scratch: it may be overwritten, and is gone after the call. densities:
    [channels, compartments] S/cm2. windows: None for one, from the initial state to the end.

    Returns:
        voltages [stimuli, samples, recorded] mV (at a window's end, those before the next begins), NaN where diverged; parts of
        such a stimulus may have been handed over.

    Raises:
        ValueError: as `cpu.make_batch`.
    """
    batch = cpu.make_batch(plan, densities[None].astype(np.float64), threads, passive, across=True)
    sets = _Sets.of(directions, plan)
    n_stimuli = plan.protocol.n_stimuli
    groups = min(GROUPS, n_stimuli)
    bounds = [round(n_stimuli * g / groups) for g in range(groups + 1)]
    voltages = np.empty((n_stimuli, plan.protocol.n_samples, plan.recorded.size))

    def walk(shares: Iterator[tuple[int, int]]) -> None:
        room = _Room.of(batch, sets)
        for group in (g for first, end in shares for g in range(first, end)):
            for stimulus in range(bounds[group], bounds[group + 1]):
                mine = partial(consume, group, stimulus)
                _walk(batch, stimulus, sets, room, voltages[stimulus], directions.count, windows, mine)

    in_threads(batch.threads, groups, walk)
    return voltages


@dataclass(frozen=True, eq=False)
class _Room:
    """What one thread works in. ``samples``: of a segment. linear: coefficients, pivots, factors and sources of its steps."""

    samples: int
    states: np.ndarray
    scratch: tuple[np.ndarray, ...]
    linear: tuple[np.ndarray, ...]
    delta: np.ndarray
    rhs: np.ndarray
    jacobian: np.ndarray

    @staticmethod
    def of(batch: cpu.Batch, sets: _Sets) -> "_Room":
        plan, protocol = batch.plan, batch.plan.protocol
        n, n_rows, entries = plan.neuron.n_compartments, plan.elimination.n_rows, batch.matrix[1].shape[1]
        rows, variables, width = batch.state_shape
        n_channels, gates = batch.densities.shape[2], variables - 1
        shapes = ((rows, 3 * gates, width), (n_rows,), (entries,), (rows * width * (n_channels + 1) + n_rows,))
        a_sample = protocol.steps_per_sample * sum(int(np.prod(shape)) for shape in shapes) + plan.recorded.size * sets.padded
        samples = max(1, min(SEGMENT_BYTES // (8 * a_sample), protocol.n_samples - 1))

        def empty(*shape: int) -> np.ndarray:
            return memory.empty(shape, np.float64)

        return _Room(
            samples=samples,
            states=empty(2, *batch.state_shape),
            scratch=(empty(n_rows), empty(entries), empty(n_rows), empty(n_rows)),
            linear=tuple(empty(samples * protocol.steps_per_sample, *shape) for shape in shapes),
            delta=empty(sets.count, n, variables, sets.size),
            rhs=empty(n_rows, sets.size),
            jacobian=empty(samples, plan.recorded.size, sets.padded),
        )


def _walk(
    batch: cpu.Batch, stimulus: int, sets: _Sets, room: _Room, voltages: np.ndarray, count: int, windows: Windows | None,
    consume: Callable[[int, np.ndarray, np.ndarray], None],
) -> None:  # fmt: skip
    """Simulates segment by segment, and walks each along all directions while its linearised steps are in the cache."""
    plan, protocol, module = batch.plan, batch.plan.protocol, batch.module
    graph, n, stride = plan.elimination.graph, plan.neuron.n_compartments, protocol.steps_per_sample
    base, coupling, capacity = (a[0] for a in batch.matrix)
    diagonal, off, rhs, injected = room.scratch
    room.delta[:] = 0.0
    room.rhs[:] = 0.0
    room.states[0] = plan.initial_state[:, None]
    off[:] = coupling
    injected[:] = 0.0
    voltages[0] = plan.initial_state[0]
    edges = [0, protocol.n_samples - 1] if windows is None else windows.edges(protocol)
    for first, last in itertools.pairwise(edges):
        if first > 0 and windows is not None:
            row, lane = np.divmod(plan.recorded, batch.layout.width)
            room.states[first * stride & 1, row, 0, lane] = windows.voltages[stimulus, first]
            room.delta[:, plan.recorded, 0] = 0.0
        for before in range(first, last, room.samples):
            after = min(before + room.samples, last)
            begin, end = before * stride, after * stride
            call(
                module.run_linearised, begin, end, room.states, graph, base, coupling, capacity, protocol.implicitness,
                plan.clock, plan.drive, stimulus, batch.densities[stimulus], n, diagonal, off, rhs, injected, voltages,
                plan.recorded, sets.axial, *room.linear,
            )  # fmt: skip
            call(
                module.tangent_steps, begin, end, graph, *room.linear, capacity, protocol.implicitness, stride, plan.recorded,
                *sets.entries, room.delta, room.rhs, room.jacobian,
            )  # fmt: skip
            consume(before + 1, room.jacobian[: after - before, :, :count], voltages[before + 1 : after + 1])
    if ended_diverged(room.states[protocol.n_steps & 1], n):
        voltages[:] = np.nan


def ended_diverged(state: np.ndarray, n_compartments: int) -> bool:
    """Whether any compartment of a simulation's last state [row, 1 + gates, lane] is outside the voltages of a neuron."""
    with np.errstate(invalid="ignore"):
        return not (np.abs(state[:, 0].reshape(-1)[:n_compartments]) < VOLTAGE_LIMIT_MV).all()


def jacobian(
    plan: cpu.Plan, densities: np.ndarray, directions: Directions, passive: cpu.Passive | None = None, threads: int | None = None
) -> np.ndarray:
    """All derivatives at once, [stimuli, samples, recorded, directions]; NaN where a simulation diverged. For small problems.
    Raises ValueError as `cpu.make_batch`."""
    protocol = plan.protocol
    out = np.zeros((protocol.n_stimuli, protocol.n_samples, plan.recorded.size, directions.count))

    def keep(_group: int, stimulus: int, first: int, part: np.ndarray, _voltages: np.ndarray) -> None:
        out[stimulus, first : first + len(part)] = part

    voltages = stream_jacobian(plan, densities, directions, keep, threads, passive)
    out[np.isnan(voltages).any(axis=(1, 2))] = np.nan
    return out
