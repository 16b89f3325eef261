"""Derivatives of the voltages along many directions, simulation by simulation: what Gauss-Newton and Fisher information need.

Memory is bounded: nothing larger than one segment of one simulation's derivatives exists at a time for each thread.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from gradevo.channels.base import ChannelSet
from gradevo.kernels import cpu
from gradevo.kernels.codegen import kernel_module
from gradevo.neuron import Neuron

SEGMENT_BYTES = 64 * 2**20
"""What one thread's linearised steps and derivatives of one segment may take."""

SET_BYTES = 2**20
"""Directions are walked in sets whose state takes about this much, to stay in a core's share of the cache."""

GROUPS = 8
"""Blocks are cut into this many contiguous groups whatever the threads, so that sums over them have one order."""


@dataclass(frozen=True, eq=False)
class Directions:
    """How each of ``count`` directions changes a neuron: entry i adds weight[i] times source[i] at node[i] to the right-hand
    side of direction[i] (tangent_driver.py lists the sources). Weights are in the kernel's units: uS per unit of the
    direction for a channel, nF / (theta ms) for a capacitance, a relative change for the axial conductances."""

    count: int
    node: np.ndarray
    source: np.ndarray
    weight: np.ndarray
    direction: np.ndarray


@dataclass(frozen=True, eq=False)
class _Sets:
    """Directions cut into ``count`` sets of ``size``, the last one padded; entries: as tangent_steps takes them."""

    count: int
    size: int
    entries: tuple[np.ndarray, ...]

    @property
    def padded(self) -> int:
        return self.count * self.size

    @staticmethod
    def of(directions: Directions, width: int, state_numbers: int) -> "_Sets":
        most = max(1, SET_BYTES // (8 * state_numbers * width))
        vectors = -(-directions.count // width)
        count = -(-vectors // most)
        size = width * -(-vectors // count)
        which, within = np.divmod(directions.direction, size)
        order = np.argsort(which, kind="stable")
        start = np.searchsorted(which[order], np.arange(count + 1)).astype(np.int64)
        columns = (directions.node, directions.source, directions.weight, within)
        return _Sets(count, size, (start, *(np.ascontiguousarray(c[order]) for c in columns)))


def stream_jacobian(
    plan: cpu.Plan,
    densities: np.ndarray,
    directions: Directions,
    consume: Callable[[int, int, int, np.ndarray, np.ndarray], None],
    threads: int | None = None,
    passive: cpu.Passive | None = None,
) -> np.ndarray:
    """Calls consume(group, stimulus, first_sample, part, voltages), with part [samples, recorded, directions] mV per unit of
    direction and the voltages [samples, recorded] mV themselves, until every sample but the initial one was handed over.

    Calls of one group (0 to GROUPS - 1) come one after the other, stimuli and samples ascending within a block's segment; those
    of different groups may come at the same time. densities: [channels, compartments] S/cm2.

    Returns:
        voltages [stimuli, samples, recorded] mV, NaN where diverged (such a stimulus is not handed over).
    """
    warm_up(plan.neuron)
    voltages, _, run = cpu.forward(plan, densities[None].astype(np.float64), True, threads, passive)
    layout, protocol = run.layout, plan.protocol
    groups = min(GROUPS, layout.blocks)
    bounds = [round(layout.blocks * g / groups) for g in range(groups + 1)]

    def hand_over(group: int, simulation: int, first: int, part: np.ndarray) -> None:
        consume(group, simulation, first, part, voltages[0, simulation, first : first + len(part)])

    def walk(_worker: int, first: int, end: int) -> None:
        for group in range(first, end):
            for block in range(bounds[group], bounds[group + 1]):
                _walk_block(run, block, directions, partial(hand_over, group))

    if protocol.n_samples > 1:
        cpu.in_threads(run.threads, groups, walk)
    return voltages[0]


_warm: set[ChannelSet] = set()


def warm_up(neuron: Neuron) -> None:
    """Compiles (or loads) the tangents' kernels of a neuron, once in a process, on the clock of compilation."""
    if neuron.channels in _warm:
        return
    _warm.add(neuron.channels)
    with cpu.compiling():
        nothing = np.zeros(1, np.int64)
        jacobian(cpu.smallest_plan(neuron), neuron.default_densities(), Directions(1, nothing, nothing, np.zeros(1), nothing))


def _walk_block(run: cpu.Run, block: int, directions: Directions, consume: Callable[[int, int, np.ndarray], None]) -> None:
    plan, protocol = run.plan, run.plan.protocol
    module, graph = kernel_module(plan.neuron.channels), plan.elimination.graph
    n, n_variables, n_nodes = plan.neuron.n_compartments, plan.initial_state.size, plan.neuron.morphology.n_nodes
    n_channels, width = run.densities.shape[2], run.layout.width
    sets = _Sets.of(directions, width, n * n_variables)
    stride = protocol.steps_per_sample
    samples = _samples_per_segment(run, sets.padded)
    length = samples * stride
    lanes = range(min(width, run.layout.total - block * width))
    coefficients = np.empty((width, length, n, 3 * (n_variables - 1)))
    pivots = np.empty((width, length, n_nodes))
    factors = np.empty((width, length, run.matrix[1].shape[1]))
    sources = np.empty((width, length, n * (n_channels + 1) + n_nodes))
    delta = np.zeros((len(lanes), sets.count, n, n_variables, sets.size))
    rhs = np.empty((n_nodes, sets.size))
    jacobian = np.empty((samples, plan.recorded.size, sets.padded))
    base, coupling, capacity = (a[block if len(a) > 1 else 0] for a in run.matrix)
    scratch = np.empty((0 if run.kept else length + 1, n, n_variables, width))
    for begin in range(0, protocol.n_steps, length):
        end = min(begin + length, protocol.n_steps)
        states, slot = (run.states[block], begin) if run.kept else (_run_again(run, block, begin, end, scratch), 0)
        module.linearise_steps(
            begin, end, states, slot, graph, base, coupling, capacity, protocol.implicitness, plan.clock, run.densities[block],
            coefficients, pivots, factors, sources,
        )  # fmt: skip
        rows = (end - begin) // stride
        for lane in lanes:
            simulation = block * width + lane
            if run.diverged[simulation]:
                continue
            module.tangent_steps(
                begin, end, graph, coefficients[lane], pivots[lane], factors[lane], sources[lane], capacity[:, lane].copy(),
                protocol.implicitness, stride, plan.recorded, *sets.entries, delta[lane], rhs, jacobian,
            )  # fmt: skip
            consume(simulation, begin // stride + 1, jacobian[:rows, :, : directions.count])


def _samples_per_segment(run: cpu.Run, padded: int) -> int:
    """Whole samples whose linearised steps (for all lanes) and derivatives fit into SEGMENT_BYTES, at least one."""
    plan = run.plan
    n, n_nodes, n_gates = plan.neuron.n_compartments, plan.neuron.morphology.n_nodes, plan.initial_state.size - 1
    a_step = run.layout.width * (n * (3 * n_gates + run.densities.shape[2] + 2 + n_gates) + 3 * n_nodes)
    a_sample = a_step * plan.protocol.steps_per_sample + n * padded
    return max(1, min(SEGMENT_BYTES // (8 * a_sample), plan.protocol.n_samples - 1))


def _run_again(run: cpu.Run, block: int, begin: int, end: int, states: np.ndarray) -> np.ndarray:
    """The states from step ``begin`` to ``end`` of a block, from the last checkpoint before them."""
    plan, protocol = run.plan, run.plan.protocol
    module = kernel_module(plan.neuron.channels)
    base, coupling, capacity = (a[block if len(a) > 1 else 0] for a in run.matrix)
    width = run.layout.width
    scratch = [np.empty((base.shape[0], width)), coupling.copy(), np.empty((base.shape[0], width))]
    injected = np.zeros((base.shape[0], width))
    nothing = (np.empty((0, 1, width)), plan.recorded, np.empty((0, 1, 1, width)), run.every)
    stimulus = run.layout.stimulus.reshape(run.layout.blocks, width)[block]

    def steps(first: int, last: int, where: np.ndarray, kept: bool) -> None:
        module.run_steps(
            first, last, where, kept, plan.elimination.graph, base, coupling, capacity, protocol.implicitness, plan.clock,
            plan.drive, stimulus, run.densities[block], *scratch, injected, *nothing,
        )  # fmt: skip

    near = begin // run.every
    between = np.empty((2, *states.shape[1:]))
    between[0] = run.checkpoints[block, near]
    steps(near * run.every, begin, between, False)
    states[0] = between[(begin - near * run.every) & 1]
    steps(begin, end, states, True)
    return states


def jacobian(
    plan: cpu.Plan, densities: np.ndarray, directions: Directions, passive: cpu.Passive | None = None, threads: int | None = None
) -> np.ndarray:
    """All derivatives at once, [stimuli, samples, recorded, directions]; NaN where a simulation diverged. For small problems."""
    protocol = plan.protocol
    out = np.zeros((protocol.n_stimuli, protocol.n_samples, plan.recorded.size, directions.count))

    def keep(_group: int, stimulus: int, first: int, part: np.ndarray, _voltages: np.ndarray) -> None:
        out[stimulus, first : first + len(part)] = part

    voltages = stream_jacobian(plan, densities, directions, keep, threads, passive)
    out[np.isnan(voltages).any(axis=(1, 2))] = np.nan
    return out
