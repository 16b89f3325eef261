"""Multiple shooting: a simulation cut into windows of time, each of which begins in a state of its own.

A spike that comes too early spoils everything after it; where every window begins near the recorded voltages, it spoils one
window. States at the windows' beginnings (*nodes*) are unknowns besides the densities, and what a window's end misses of the next
one's beginning (its *defect*) has to vanish: van Domselaar and Hemker (1975, Mathematisch Centrum NW 18/75); Bock (1983,
doi 10.1007/978-3-0348-7324-6_8). Each node holds every voltage and gate, 736 numbers for 184 compartments of three gates; but
linearised, all of them follow from the densities and the defects. So a least-squares step costs what one of the densities
alone costs, and one direction more, along which the defects are carried (the lifted Newton method: Albersmeyer and
Diehl 2010, SIAM J Optim 20:1655, doi 10.1137/080724885). The simulator's tangents need no change for that: each segment of a
trajectory is linearised where it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from threadpoolctl import threadpool_limits

from gradevo.kernels import cpu, memory, tangents
from gradevo.kernels.compiling import call
from gradevo.kernels.threads import in_threads
from gradevo.methods.stages import pulled
from gradevo.problem import Problem
from gradevo.sensitivity import directions
from gradevo.simulate import passive_properties

# What a defect of 1 in a gate counts as, in mV, where trajectories are compared: about a spike's height.
_GATE_MV = 100.0


@dataclass(frozen=True, eq=False)
class Windows:
    """A problem whose simulations begin anew at each of `starts` (steps, at samples; the first is 0, where the state is the
    neuron's own). Nodes are [stimuli, windows - 1, compartments in the kernels' order, 1 + gates]."""

    problem: Problem
    starts: tuple[int, ...]

    @staticmethod
    def of(problem: Problem, count: int) -> Windows:
        """So many windows, as equally long as samples allow. Raises ValueError for fewer than 2, or more than samples."""
        if not 2 <= count < problem.protocol.n_samples:
            raise ValueError(
                f"{count} windows cannot be cut from {problem.protocol.n_samples} samples of problem {problem.name!r}; take 2 to "
                f"{problem.protocol.n_samples - 1}"
            )
        samples = np.unique(np.rint(np.linspace(0, problem.protocol.n_samples - 1, count + 1)).astype(int)[:-1])
        return Windows(problem, tuple(int(i) * problem.protocol.steps_per_sample for i in samples))

    @cached_property
    def plan(self) -> cpu.Plan:
        return cpu.make_plan(self.problem.neuron, self.problem.protocol)

    @property
    def spans(self) -> list[tuple[int, int]]:
        """First step and end of each window."""
        return list(zip(self.starts, (*self.starts[1:], self.plan.protocol.n_steps), strict=True))

    def nodes_near_data(self, values: np.ndarray, strength_per_ms: float) -> np.ndarray:
        """Nodes from a simulation of densities [P] that is pulled towards the data (stages.py), with the voltages that were
        recorded there."""
        followed = Windows(pulled(self.problem, strength_per_ms), self.starts)
        nodes = followed.shoot(values[None], None)[1][0]
        samples = np.array(self.starts[1:], dtype=int) // self.plan.protocol.steps_per_sample
        nodes[:, :, self.plan.recorded, 0] = self.problem.target[:, samples]
        return nodes

    def shoot(self, values: np.ndarray, nodes: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """Simulates parameters [K, P] from nodes [K, ...]; None: each window from where the one before ended.

        Returns voltages [K, stimuli, samples, recorded] mV, and the states at the ends of all windows but the last [K, ...].
        """
        plan, protocol = self.plan, self.plan.protocol
        batch = self._batch(values)
        n_stimuli, graph = protocol.n_stimuli, plan.elimination.graph
        voltages = np.empty((len(values) * n_stimuli, protocol.n_samples, plan.recorded.size))
        ends = np.empty((len(values) * n_stimuli, len(self.starts) - 1, plan.neuron.n_compartments, batch.state_shape[1]))
        given = None if nodes is None else nodes.reshape(ends.shape)
        no_checkpoints = np.empty((0, 1, 1, batch.state_shape[2]))

        def run(first: int, end: int) -> None:
            states = memory.empty((2, *batch.state_shape), np.float64)
            diagonal, rhs = (memory.empty((plan.elimination.n_rows,), np.float64) for _ in range(2))
            for block in range(first, end):
                matrix = tuple(part[block if len(part) > 1 else 0] for part in batch.matrix)
                off, injected = matrix[1].copy(), np.zeros(plan.elimination.n_rows)
                states[0] = plan.initial_state[:, None]
                voltages[block, 0] = plan.initial_state[0]
                for w, (begin, stop) in enumerate(self.spans):
                    call(
                        batch.module.run_across, begin, stop, states, False, graph, *matrix, protocol.implicitness, plan.clock,
                        plan.drive, block % n_stimuli, batch.densities[block], plan.neuron.n_compartments, diagonal, off, rhs,
                        injected, voltages[block], plan.recorded, no_checkpoints, protocol.n_steps + 1,
                    )  # fmt: skip
                    if w < ends.shape[1]:
                        ends[block, w] = self._by_compartment(states[(stop - begin) & 1])
                        states[0] = self._as_state(ends[block, w] if given is None else given[block, w], batch.state_shape)

        in_threads(batch.threads, len(voltages), run)
        shape = (len(values), n_stimuli)
        return voltages.reshape(*shape, *voltages.shape[1:]), ends.reshape(*shape, *ends.shape[1:])

    def amiss(self, values: np.ndarray, nodes: np.ndarray) -> np.ndarray:
        """[K] what is wrong with parameters [K, P] and nodes [K, ...]: the loss, and the mean squared defect of all compartments,
        stimuli and nodes (mV2); inf where it diverged."""
        voltages, ends = self.shoot(values, nodes)
        with np.errstate(invalid="ignore", over="ignore"):
            loss = (self._weights * (voltages - self.problem.target) ** 2).sum(axis=(-2, -1)).mean(axis=1)
            scale = np.array([1.0, *[_GATE_MV] * (nodes.shape[-1] - 1)])
            total = loss + (((ends - nodes) * scale) ** 2).sum(axis=-1).mean(axis=(1, 2, 3))
        return np.where(np.isfinite(total), total, np.inf)

    def products(self, values: np.ndarray, nodes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """J^T r [P] and J^T J [P, P] of parameters [P], with the residuals that there would be (linearised) without defects."""
        n = self.problem.n_parameters
        root = np.sqrt(np.broadcast_to(self._weights / self.plan.protocol.n_stimuli, self.problem.target.shape))
        normal, half = np.zeros((tangents.GROUPS, n, n)), np.zeros((tangents.GROUPS, n))

        def add(group: int, stimulus: int, first: int, part: np.ndarray, simulated: np.ndarray) -> None:
            rows = slice(first, first + len(part))
            part *= root[stimulus, rows, :, None]
            residual = root[stimulus, rows] * (simulated - self.problem.target[stimulus, rows]) + part[..., n]
            weighted = np.ascontiguousarray(part[..., :n]).reshape(-1, n)
            normal[group] += weighted.T @ weighted
            half[group] += residual.reshape(-1) @ weighted

        # as in sensitivity.residual_products
        with threadpool_limits(1, user_api="blas"):
            self._walk(values, nodes, self._directions(values), add, None)
        return half.sum(axis=0), normal.sum(axis=0)

    def moved(self, values: np.ndarray, nodes: np.ndarray, steps: np.ndarray, closed: np.ndarray) -> np.ndarray:
        """Nodes [K, ...] for parameters `values` + steps [K, P], linearised, with a share `closed` [K] of the defects gone."""
        single = self._directions(values)
        count, own = len(steps), np.arange(len(steps))[:, None]
        each = tangents.Directions(
            count + 1,
            np.tile(single.node, count),
            np.tile(single.source, count),
            (single.weight * steps[:, single.direction]).ravel(),
            np.broadcast_to(own, (count, single.node.size)).ravel().copy(),
        )
        found = np.empty((count, *nodes.shape))

        def take(stimulus: int, w: int, delta: np.ndarray) -> None:
            for k in range(count):
                found[k, stimulus, w] = nodes[stimulus, w] + delta[..., k] + closed[k] * delta[..., count]

        self._walk(values, nodes, each, None, take)
        found[..., 1:] = np.clip(found[..., 1:], 0.0, 1.0)
        return found

    def _walk(
        self,
        values: np.ndarray,
        nodes: np.ndarray,
        along: tangents.Directions,
        consume: Callable[[int, int, int, np.ndarray, np.ndarray], None] | None,
        at_node: Callable[[int, int, np.ndarray], None] | None,
    ) -> None:
        """As `tangents.stream_jacobian`, window by window. The last direction has no entries; it carries the defects.

        at_node(stimulus, window that ends, delta [compartments in the kernels' order, 1 + gates, directions]): with the defect.
        """
        plan, protocol, batch = self.plan, self.plan.protocol, self._batch(values[None])
        module, graph, stride = batch.module, plan.elimination.graph, protocol.steps_per_sample
        base, coupling, capacity = (part[0] for part in batch.matrix)
        sets = tangents._Sets.of(along, plan)
        which, lane = divmod(along.count - 1, sets.size)
        groups = min(tangents.GROUPS, protocol.n_stimuli)
        bounds = [round(protocol.n_stimuli * g / groups) for g in range(groups + 1)]
        spans = self.spans

        def walk(first_group: int, end_group: int) -> None:
            room = tangents._Room.of(batch, sets)
            diagonal, off, rhs, injected = room.scratch
            voltages = np.empty((protocol.n_samples, plan.recorded.size))
            for group in range(first_group, end_group):
                for stimulus in range(bounds[group], bounds[group + 1]):
                    room.delta[:] = 0.0
                    room.rhs[:] = 0.0
                    room.states[0] = plan.initial_state[:, None]
                    off[:] = coupling
                    injected[:] = 0.0
                    for w, (start, stop) in enumerate(spans):
                        for begin in range(start, stop, room.samples * stride):
                            end = min(begin + room.samples * stride, stop)
                            call(
                                module.run_linearised, begin, end, room.states, graph, base, coupling, capacity,
                                protocol.implicitness, plan.clock, plan.drive, stimulus, batch.densities[stimulus],
                                plan.neuron.n_compartments, diagonal, off, rhs, injected, voltages, plan.recorded, *room.linear,
                            )  # fmt: skip
                            call(
                                module.tangent_steps, begin, end, graph, *room.linear, capacity, protocol.implicitness, stride,
                                plan.recorded, *sets.entries, room.delta, room.rhs, room.jacobian,
                            )  # fmt: skip
                            if consume is not None:
                                rows = slice(begin // stride + 1, end // stride + 1)
                                part = room.jacobian[: rows.stop - rows.start, :, : along.count]
                                consume(group, stimulus, rows.start, part, voltages[rows])
                        if w + 1 < len(spans):
                            room.delta[which, :, :, lane] += self._by_compartment(room.states[stop & 1]) - nodes[stimulus, w]
                            if at_node is not None:
                                delta = np.moveaxis(room.delta, 0, 2)
                                at_node(stimulus, w, delta.reshape(*delta.shape[:2], -1)[..., : along.count])
                            room.states[stop & 1] = self._as_state(nodes[stimulus, w], batch.state_shape)

        in_threads(batch.threads, groups, walk)

    def _batch(self, values: np.ndarray) -> cpu.Batch:
        parameters = self.problem.parameters
        inputs = parameters.inputs(values)
        passive = passive_properties(parameters.neuron, len(values), inputs.capacitance, inputs.axial_resistivity)
        return cpu.make_batch(self.plan, inputs.densities, passive=passive, across=True)

    def _directions(self, values: np.ndarray) -> tangents.Directions:
        """One per parameter, and one for the defects."""
        own = directions(self.problem.parameters, self.plan, values)
        return replace(own, count=own.count + 1)

    @cached_property
    def _weights(self) -> np.ndarray:
        weights = self.problem.loss_function.weights
        if weights is None:
            raise ValueError(f"the loss {self.problem.loss_function.name!r} is not a sum of squares; use mse or windows")
        return weights

    def _by_compartment(self, state: np.ndarray) -> np.ndarray:
        """[rows, 1 + gates, lanes] -> [compartments in the kernels' order, 1 + gates]."""
        return state.transpose(0, 2, 1).reshape(-1, state.shape[1])[: self.plan.neuron.n_compartments]

    def _as_state(self, values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """The other way: the last compartment fills the last row."""
        rows, variables, lanes = shape
        filled = values[np.minimum(np.arange(rows * lanes), len(values) - 1)]
        return filled.reshape(rows, lanes, variables).transpose(0, 2, 1)
