"""Derivatives of the voltages along many directions on a CUDA device, as kernels/tangents.py has them for the CPU."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gradevo.cuda import backend, batch
from gradevo.cuda.arrays import Arrays, arrays_for
from gradevo.kernels.plan import Passive, Plan, make_plan
from gradevo.kernels.tangents import GROUPS, Directions

SEGMENT_BYTES = 2**30
"""What the linearised steps and derivatives of one segment of all simulations may take, where memory allows it."""

THREADS = 128
"""Directions of a block, at most."""


def stream_jacobian(
    plan: Plan,
    densities: Any,
    directions: Directions,
    consume: Callable[[int, int, int, Any, Any], None],
    threads: int | None = None,
    passive: Passive | None = None,
) -> Any:
    """Calls consume(group, stimulus, first_sample, part, voltages), with part [samples, recorded, directions] mV per unit of
    direction and the voltages [samples, recorded] mV themselves, until every sample but the initial one was handed over: segment
    by segment, stimulus by stimulus, one call after the other. In float64.

    densities: [channels, compartments] S/cm2, numpy, or torch on the device, and so are the parts and what is returned; threads
    make no difference here.

    Returns:
        voltages [stimuli, samples, recorded] mV, NaN where diverged; parts of such a stimulus may have been handed over.

    Raises:
        MemoryError: if the device has no room for one stimulus.
    """
    found = []
    for stimuli, here in _parts(plan, densities, directions):
        voltages, _, run = backend.forward(here, densities[None], keep=True, passive=passive, across=True)
        if not run.keeping.whole:
            raise MemoryError(f"the device has no room for all states of {here.protocol.n_stimuli} simulations")
        for first, part in _segments(run, directions):
            for i, stimulus in enumerate(stimuli):
                group = stimulus * GROUPS // plan.protocol.n_stimuli
                consume(group, stimulus, first, part[i], voltages[0, i, first : first + part.shape[1]])
        found.append(voltages[0])
    if len(found) == 1:
        return found[0]
    if isinstance(found[0], np.ndarray):
        return np.concatenate(found)
    import torch

    return torch.cat(found)


@dataclass(frozen=True, eq=False)
class _Walked:
    """Directions as the kernel takes them: entry_start, turn, source_of, weights; each one's in the order of elimination."""

    entries: tuple[Any, ...]
    axial: bool

    @staticmethod
    def of(directions: Directions, plan: Plan, arrays: Arrays) -> "_Walked":
        order, place = plan.elimination.order, plan.place
        n, n_channels = plan.neuron.n_compartments, len(plan.neuron.channel_names)
        turn_of = np.empty(plan.elimination.n_rows, np.int64)
        turn_of[order] = np.arange(order.size)
        turn = turn_of[place[directions.node]]
        by_channel = place[:n, None] * n_channels + np.arange(n_channels)
        source = np.concatenate([by_channel.ravel(), n * n_channels + place[:n], n * (n_channels + 1) + place])
        kept = np.lexsort((turn, directions.direction))
        start = np.searchsorted(directions.direction[kept], np.arange(directions.count + 1))
        columns = (start, turn[kept], source[directions.source[kept]])
        entries = (*(arrays.take(c, np.int64) for c in columns), arrays.take(directions.weight[kept], np.float64))
        return _Walked(entries, bool((directions.source >= n * (n_channels + 1)).any()))


def _parts(plan: Plan, densities: Any, directions: Directions) -> Iterator[tuple[range, Plan]]:
    """Stimuli, as many at once as the device has room for, and their plans."""
    protocol, numbers = plan.protocol, plan.neuron.n_compartments * plan.initial_state.size
    rows = plan.elimination.n_rows
    each = 8 * ((protocol.n_steps + 1) * numbers + (numbers + rows) * directions.count)
    room = batch.USED_OF_FREE * arrays_for(densities).free_bytes() - SEGMENT_BYTES
    size = int(max(1, min(room // each, protocol.n_stimuli)))
    for first in range(0, protocol.n_stimuli, size):
        stimuli = range(first, min(first + size, protocol.n_stimuli))
        if len(stimuli) == protocol.n_stimuli:
            yield stimuli, plan
            continue
        stimulus = replace(protocol.stimulus, values_nA=protocol.stimulus.values_nA[stimuli.start : stimuli.stop])
        yield stimuli, make_plan(plan.neuron, replace(protocol, stimulus=stimulus))


def _segments(run: backend.Run, directions: Directions) -> Iterator[tuple[int, Any]]:
    """The first sample of each segment of the run, and its derivatives [simulation, sample, recorded, direction]."""
    there = run.batch
    plan, arrays, p = there.plan, there.arrays, there.plan.protocol
    graph, levels, base, coupling, capacitance, theta, clock, _, dens, recorded = there.shared
    n, n_variables, n_channels = there.sizes
    rows, entries, stride = plan.elimination.n_rows, coupling.shape[1], p.steps_per_sample
    walked = _Walked.of(directions, plan, arrays)
    shapes = (max(3 * (n_variables - 1), 1) * n, rows, entries, rows, n * (n_channels + 1) + rows)
    a_sample = 8 * there.total * (stride * sum(shapes) + plan.recorded.size * directions.count)
    samples = max(1, min(SEGMENT_BYTES // a_sample, p.n_samples - 1))

    def empty(*shape: int) -> Any:
        return arrays.empty((there.total, *shape), np.float64)

    linear = tuple(empty(samples * stride, size) for size in shapes)
    coefficients, pivots, factors, _, sources = linear
    delta, rhs = empty(n * n_variables, directions.count), empty(rows, directions.count)
    jacobian = empty(samples, plan.recorded.size, directions.count)
    together = min(-(-directions.count // 32) * 32, THREADS)
    per_step = min(-(-rows // 32) * 32, batch.THREADS_ACROSS)
    blocks = there.total * -(-directions.count // together)
    for first in range(1, p.n_samples, samples):
        last = min(first + samples, p.n_samples)
        begin, count = (first - 1) * stride, (last - first) * stride
        there.launch(
            there.module.linearise, there.total * count, per_step, begin, count, there.sizes, graph, levels,
            base, coupling, capacitance, theta, clock, dens, run.states, walked.axial, *linear,
        )  # fmt: skip
        there.launch(
            there.module.tangent_steps, blocks, together, begin, count, there.sizes, graph, capacitance, theta, stride, recorded,
            coefficients, pivots, factors, sources, *walked.entries, delta, rhs, jacobian,
        )  # fmt: skip
        yield first, arrays.give(jacobian)[:, : last - first]
