"""A simulation cut into windows of time: at the beginning of each, recorded voltages are the data's.

A spike that comes too early spoils everything after it; in windows, it spoils one of them. That is multiple shooting (Bock 1983,
doi 10.1007/978-3-0348-7324-6_8; Baake, Baake, Bock and Briggs 1992, Phys Rev A 45:5524, doi 10.1103/PhysRevA.45.5524) with the
windows' first states given where they were measured, and carried over from the window before where they were not: gates, which
follow the voltage, and compartments that nobody recorded. (Setting a model to what was measured is direct insertion: Charney,
Halem and Jastrow 1969, J Atmos Sci 26:1160.) No state is an unknown; a residual is how far a window is from the data
before the next one begins. The true densities have none.

The simulator's forward pass and tangents go from any state, so they need no change: in between, voltages are set, and their
derivatives are nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gradevo.kernels import cpu, memory, tangents
from gradevo.kernels.compiling import call
from gradevo.kernels.threads import in_threads
from gradevo.problem import Problem
from gradevo.sensitivity import ResidualProducts, residual_products
from gradevo.simulate import passive_properties
from gradevo.transforms import Transform


@dataclass(frozen=True, eq=False)
class Windows:
    """A problem whose windows are so many samples long (`length`). Like a problem, it has losses and residual products, in
    the same view. Raises ValueError for a length below 1, or a loss that is not a sum of squares."""

    problem: Problem
    length: int

    def __post_init__(self) -> None:
        if self.length < 1:
            raise ValueError(f"windows are {self.length} samples long; they must be 1 or more")
        if self.problem.loss_function.weights is None:
            raise ValueError(
                f"the loss {self.problem.loss_function.name!r} of problem {self.problem.name!r} is not a sum of squares, which "
                "windows need; use mse, published_mse or windows"
            )

    @property
    def coordinates(self) -> Transform:
        return self.problem.coordinates

    @property
    def n_simulations(self) -> int:
        return self.problem.n_simulations

    @property
    def compartment_steps(self) -> int:
        return self.problem.compartment_steps

    def loss(self, thetas: np.ndarray) -> np.ndarray:
        """Losses [K] of thetas [K, P]; inf where a simulation diverged, or cannot be made (a capacitance that is infinite)."""
        values, parameters = self.problem.densities(thetas), self.problem.parameters
        possible = parameters.possible(values)
        voltages = self.voltages(np.where(possible[:, None], values, parameters.defaults))
        with np.errstate(invalid="ignore", over="ignore"):
            losses = (self._weights * (voltages - self.problem.target) ** 2).sum(axis=(-2, -1)).mean(axis=1)
        return np.where(possible & np.isfinite(losses), losses, np.inf)

    def voltages(self, values: np.ndarray) -> np.ndarray:
        """Of parameters [K, P], [K, stimuli, samples, recorded] mV: at a window's end as it was before the next one begins; NaN
        where the last one ends diverged."""
        plan, protocol, batch = self._plan, self._plan.protocol, self._batch(values)
        n_stimuli, graph, target = protocol.n_stimuli, plan.elimination.graph, self.problem.target
        row, lane = np.divmod(plan.recorded, batch.layout.width)
        found = np.empty((len(values) * n_stimuli, protocol.n_samples, plan.recorded.size))
        no_checkpoints = np.empty((0, 1, 1, batch.layout.width))
        edges = [protocol.steps_per_sample * k for k in tangents.Windows(self.length, target).edges(protocol)]

        def run(shares: Iterator[tuple[int, int]]) -> None:
            states = memory.empty((2, *batch.state_shape), np.float64)
            diagonal, rhs = (memory.empty((plan.elimination.n_rows,), np.float64) for _ in range(2))
            for block in (b for first, end in shares for b in range(first, end)):
                matrix = tuple(part[block if len(part) > 1 else 0] for part in batch.matrix)
                off, injected = matrix[1].copy(), np.zeros(plan.elimination.n_rows)
                states[0] = plan.initial_state[:, None]
                found[block, 0] = plan.initial_state[0]
                for begin, stop in itertools.pairwise(edges):
                    call(
                        batch.module.run_across, begin, stop, states, graph, *matrix, protocol.implicitness, plan.clock,
                        plan.drive, block % n_stimuli, batch.densities[block], plan.neuron.n_compartments, diagonal, off, rhs,
                        injected, found[block], plan.recorded, no_checkpoints, protocol.n_steps + 1,
                    )  # fmt: skip
                    states[0] = states[(stop - begin) & 1]
                    if stop == protocol.n_steps and tangents.ended_diverged(states[0], plan.neuron.n_compartments):
                        found[block] = np.nan
                    states[0, row, 0, lane] = target[block % n_stimuli, stop // protocol.steps_per_sample]

        in_threads(batch.threads, len(found), run)
        return found.reshape(len(values), n_stimuli, *found.shape[1:])

    def residual_products(self, theta: np.ndarray) -> ResidualProducts:
        """As the problem's own, of the residuals in windows."""
        problem = self.problem
        values = problem.densities(theta[None])[0]
        if not problem.parameters.possible(values[None])[0]:
            return ResidualProducts(np.inf, np.zeros(len(theta)), np.zeros((len(theta), len(theta))))
        found = residual_products(
            problem.parameters, self._plan, problem.target, self._weights, values, window_samples=self.length
        )  # fmt: skip
        slope = self.coordinates.slope(theta)
        return ResidualProducts(found.loss, found.gradient_half * slope, found.normal_matrix * slope[:, None] * slope)

    @cached_property
    def _plan(self) -> cpu.Plan:
        return cpu.make_plan(self.problem.neuron, self.problem.protocol)

    @cached_property
    def _weights(self) -> np.ndarray:
        weights = self.problem.loss_function.weights
        assert weights is not None
        return weights

    def _batch(self, values: np.ndarray) -> cpu.Batch:
        parameters = self.problem.parameters
        inputs = parameters.inputs(values)
        passive = passive_properties(parameters.neuron, len(values), inputs.capacitance, inputs.axial_resistivity)
        return cpu.make_batch(self._plan, inputs.densities, passive=passive, across=True)
