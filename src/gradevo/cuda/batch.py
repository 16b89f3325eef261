"""Simulations laid out on the device: what kernels read, and how much of their states there is room for.

Two layouts, as on the CPU:

side by side
    a thread is a simulation; arrays are [number, simulation], rows of states compartment by compartment;
across
    a block of threads is a simulation, and its compartments are dealt to them; arrays are [simulation, number], of states
    [simulation, variable, compartment]. For few simulations, which would leave most of the device idle.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from gradevo.cuda.arrays import Arrays, arrays_for
from gradevo.cuda.codegen import kernel_module
from gradevo.cuda.constants import Constants, constants_of, matrix_of
from gradevo.cuda.device import simulated
from gradevo.kernels.compiling import call
from gradevo.kernels.plan import Passive, Plan

THREADS = 32
"""Of a block side by side: one warp, so that few simulations spread over all multiprocessors."""

THREADS_ACROSS = 256
"""At most so many of a block across; fewer where there are fewer compartments."""

ACROSS_BELOW = 2048
"""Fewer simulations than this are laid across: side by side they would be half a warp for each of a large device's 132
multiprocessors. Reasoned, not measured."""

USED_OF_FREE = 0.8
"""The share of the device's free memory that states may take."""


class Keeping(NamedTuple):
    """Whether every state is kept; if not, ``checkpoints`` of them, each ``every`` steps (the kernels' ``keeping``)."""

    whole: bool
    every: int
    checkpoints: int


@dataclass(eq=False)
class Launch:
    """A kernel with its arguments, run once when it is called; the same as any other launch of the kernel."""

    kernel: Any
    blocks: int
    threads: int
    stream: Any
    args: tuple[Any, ...]
    done: bool = False

    def __call__(self) -> None:
        if not self.done:
            self.kernel[self.blocks, self.threads, self.stream](*self.args)

    def compile(self, _signature: Any) -> None:
        """Numba compiles, or loads from disk, what is launched for the first time."""
        self()
        # what stays known is the kernel, not the memory of its first arguments
        self.done, self.args = True, ()

    def __hash__(self) -> int:
        return hash(id(self.kernel))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Launch) and other.kernel is self.kernel


@dataclass(frozen=True, eq=False)
class Batch:
    """Simulation k is candidate k // stimuli under stimulus k % stimuli. On the device: the plan's constants; shared, what all
    kernels take between ``keeping`` and their own arrays (graph, levels if across, the matrix without channels, theta, clock,
    drive, densities in uS, recorded)."""

    plan: Plan
    arrays: Arrays
    across: bool
    n_population: int
    dtype: type
    constants: Constants
    shared: tuple[Any, ...]

    @cached_property
    def module(self) -> Any:
        return kernel_module(self.plan.neuron.channels, np.dtype(self.dtype).name)

    @property
    def total(self) -> int:
        return self.n_population * self.plan.protocol.n_stimuli

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Compartments, variables of a compartment, channels."""
        neuron = self.plan.neuron
        return (neuron.n_compartments, self.plan.initial_state.size, len(neuron.channel_names))

    @property
    def state_bytes(self) -> int:
        """Of one state of every simulation."""
        return self.sizes[0] * self.sizes[1] * self.total * np.dtype(self.dtype).itemsize

    def own(self, *shape: int) -> Any:
        """Memory of every simulation: so many numbers, or so many of each compartment ([numbers, compartments])."""
        shape = tuple(max(n, 1) for n in shape)
        return self.arrays.empty((self.total, *shape) if self.across else (int(np.prod(shape)), self.total), self.dtype)

    def of_compartments(self, numbers: int) -> Any:
        """Memory for so many numbers of each compartment of every simulation."""
        return self.own(numbers, self.sizes[0])

    def work(self) -> tuple[Any, ...]:
        """diagonal, off, rhs, injected."""
        nodes, plan = self.plan.elimination.n_rows, self.plan
        off = self.own(plan.elimination.column.size if plan.elimination.changed.size else 0)
        return (self.own(nodes), off, self.own(nodes), self.own(len(plan.protocol.stimulated)))

    def simulate(self, kernel: str, *args: Any) -> None:
        """Launches ``kernel`` of this layout for all simulations."""
        if self.across:
            whole_warps = -(-self.plan.elimination.n_rows // 32) * 32
            self.launch(getattr(self.module, f"{kernel}_across"), self.total, min(whole_warps, THREADS_ACROSS), *args)
        else:
            self.launch(getattr(self.module, kernel), -(-self.total // THREADS), THREADS, *args)

    def launch(self, kernel: Any, blocks: int, threads: int, *args: Any) -> None:
        launch = Launch(kernel, blocks, threads, self.arrays.stream, args)
        if simulated():
            launch()
        else:
            # the first one compiles, which is on a clock of its own
            call(launch)

    def collect(self, inside: Any, diverged: Any, row: Any, factor: Any) -> Any:
        """The sums over stimuli of what simulations own -> [population, i] float64 on the device, i's number ``row``, times
        ``factor``, which are there too."""
        out = self.arrays.empty((self.n_population, row.size), np.float64)
        flat = inside.reshape(self.total, int(np.prod(inside.shape[1:]))) if self.across else inside
        blocks = -(-max(self.n_population * row.size, 1) // THREADS)
        self.launch(self.module.sum_over_stimuli, blocks, THREADS, flat, diverged, row, factor, self.across, out)
        return out

    def keeping(self, keep: bool, checkpoint_every: int | None) -> Keeping:
        """Every state where they fit into the device's memory, else as few as possible.

        Raises:
            MemoryError: if not even these fit, saying how many candidates would.
        """
        n_steps = self.plan.protocol.n_steps
        if not keep:
            return Keeping(False, max(n_steps, 1), 0)
        room = USED_OF_FREE * self.arrays.free_bytes()
        if checkpoint_every is None and (n_steps + 1) * self.state_bytes <= room:
            return Keeping(True, max(n_steps, 1), 0)
        every = checkpoint_every or max(1, int(np.ceil(np.sqrt(n_steps))))
        segments = -(-n_steps // every)
        needed = (segments + every + 1) * self.state_bytes
        if needed > room:
            raise MemoryError(
                f"the gradient of {self.n_population} candidates needs {needed / 2**30:.1f} GiB of the device's memory for "
                f"checkpoints, and {room / 2**30:.1f} GiB are free; take {max(int(self.n_population * room / needed), 1)} at once"
            )
        return Keeping(False, every, segments)


def make_batch(plan: Plan, densities: Any, passive: Passive | None = None, across: bool | None = None) -> Batch:
    """Densities [population, channels, compartments] S/cm2 under every stimulus, in their precision; numpy, or torch on the
    device.

    Args:
        across: the layout; None for the one that suits the number of simulations.

    Raises:
        ValueError: for a wrong shape, or densities that are NaN.
        NoCudaError: without a device and without the simulator.
    """
    plan.neuron.check_densities(densities)
    # a NaN is the only number that differs from itself
    if bool((densities != densities).any()):
        raise ValueError("densities hold NaN; they must be numbers in S/cm2")
    p, population = plan.protocol, len(densities)
    dtype = np.float32 if str(densities.dtype).endswith("float32") else np.float64
    module = kernel_module(plan.neuron.channels, np.dtype(dtype).name)
    arrays = arrays_for(densities)
    across = population * p.n_stimuli < ACROSS_BELOW if across is None else across
    own = constants_of(plan, arrays, across, dtype)
    n_channels, n_compartments = densities.shape[1:]
    numbers = n_channels * n_compartments
    flat_inside = arrays.empty((population, numbers) if across else (numbers, population), dtype)
    inside = flat_inside.reshape(population, n_channels, n_compartments) if across else flat_inside
    matrix = own.matrix
    if passive is not None:
        matrix = tuple(arrays.take(a.T if across else a, dtype) for a in matrix_of(plan, passive))
    shared = (
        own.graph, *([own.levels] if across else []), *matrix, dtype(p.implicitness),
        (dtype(p.step_ms), dtype(p.first_gate_step_ms), p.steps_per_sample), own.drive, inside, own.recorded,
    )  # fmt: skip
    batch = Batch(plan, arrays, across, population, dtype, own, shared)
    flat = arrays.take(densities, dtype).reshape(population, numbers)
    blocks = -(-max(flat.size, 1) // THREADS)
    batch.launch(module.take_in, blocks, THREADS, flat, own.row, own.factor, across, flat_inside)
    return batch
