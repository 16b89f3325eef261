"""How simulations lie in the kernels' memory.

Simulation k is candidate k // stimuli under stimulus k % stimuli. They come in blocks, which the kernel walks through one after
the other, in one of two layouts:

side by side
    a block is ``width`` simulations, each a lane of every vector; the last block repeats the last simulation;
across
    a block is one simulation, and its compartments fill the lanes: vector j holds compartments j width to (j + 1) width - 1,
    the last one repeated. For so few simulations that most lanes side by side would idle.

Inside, compartments have the places that `elimination.places` gives them; branch points come after the padded compartments.
All arrays of the kernels end in the axis of lanes.
"""

from dataclasses import dataclass

import numpy as np

from gradevo.kernels.codegen import VECTOR_BYTES
from gradevo.kernels.memory import aligned

# Measured on one core of an AMD EPYC (Zen 3), in units of a compartment's membrane, per lane: what its part of the elimination
# costs side by side (per lane) and across (where it is done one number at a time), and what a step across costs whatever the
# neuron. 200 steps of the squid axon take 3.6 ms side by side for 1 to 8 simulations of 184 compartments and 0.7 ms for each
# across; of 24 compartments 0.6 and 0.14 ms, of 868 compartments 18 and 3.1 ms.
_SOLVE_SIDE_BY_SIDE, _SOLVE_ACROSS, _STEP_ACROSS = 0.4, 1.1, 30.0
# How much longer two threads take, each on a core, than half the time of one: 400 steps of 6 simulations of 24 compartments take
# 1.45 ms side by side, one block for one thread, and 1.6 to 1.8 ms across, in two; 8 of 61 compartments 3.8 and 4.2 ms.
_IN_COMPANY = 1.15


@dataclass(frozen=True, eq=False)
class Layout:
    """``total`` simulations of neurons with compartments at ``place`` [compartments] in ``blocks``; simulation, candidate and
    stimulus [block, simulations of a block]."""

    across: bool
    width: int
    total: int
    blocks: int
    place: np.ndarray
    simulation: np.ndarray
    candidate: np.ndarray
    stimulus: np.ndarray

    @property
    def rows(self) -> int:
        """Vectors per variable of a state."""
        return -(-self.place.size // self.width) if self.across else self.place.size

    def compartments_in(self, values: np.ndarray, dtype: type) -> np.ndarray:
        """[candidates, channels, compartments] -> [block, row, channel, lane]."""
        places = np.arange(self.rows * self.width if self.across else self.place.size)
        compartment = np.empty(self.place.size, np.int64)
        compartment[self.place] = np.arange(self.place.size)
        inside = values.take(compartment[np.minimum(places, self.place.size - 1)], axis=2)
        if self.across:
            by_row = inside.reshape(*inside.shape[:2], self.rows, self.width).swapaxes(1, 2)
            return aligned(by_row[self.candidate[:, 0]], dtype)
        return aligned(inside[self.candidate].transpose(0, 3, 2, 1), dtype)

    def compartments_out(self, values: np.ndarray) -> np.ndarray:
        """[block, row, ..., lane] -> [simulations, ..., compartments]."""
        if self.across:
            by_row = np.moveaxis(values, 1, -2)
            return by_row.reshape(*by_row.shape[:-2], self.rows * self.width).take(self.place, axis=-1)
        by_lane = np.moveaxis(np.moveaxis(values, 1, -1), -2, 1)
        return by_lane.reshape(self.blocks * self.width, *by_lane.shape[2:])[: self.total].take(self.place, axis=-1)

    def shared_in(self, values: np.ndarray, dtype: type) -> np.ndarray:
        """[candidates, numbers] of nodes or entries -> [block, number, lane], or [block, number] across; one block serves all
        where there is one candidate."""
        if self.across:
            return aligned(values if len(values) == 1 else values[self.candidate[:, 0]], dtype)
        if len(values) == 1:
            return aligned(np.repeat(values[:, :, None], self.width, axis=2), dtype)
        return aligned(np.moveaxis(values[self.candidate], 1, -1), dtype)

    def entries_out(self, values: np.ndarray) -> np.ndarray:
        """[block, entry, lane] ([block, entry] across) -> [simulations, entries]."""
        return values if self.across else np.moveaxis(values, -1, 1).reshape(-1, values.shape[1])[: self.total]


def choose_layout(
    n_population: int, n_stimuli: int, place: np.ndarray, threads: int, dtype: type, across: bool | None = None
) -> Layout:
    """The layout in which ``threads`` threads are done first, unless ``across`` says which."""
    width = VECTOR_BYTES // np.dtype(dtype).itemsize
    total = n_population * n_stimuli
    blocks = -(-total // width)
    if across is None:
        n = place.size

        def time(blocks: int, of_one: float) -> float:
            return -(-blocks // threads) * of_one * (_IN_COMPANY if min(blocks, threads) > 1 else 1.0)

        side_by_side = time(blocks, n * width * (1.0 + _SOLVE_SIDE_BY_SIDE))
        across = time(total, -(-n // width) * width + n * _SOLVE_ACROSS + _STEP_ACROSS) < side_by_side
    per_block = 1 if across else width
    blocks = total if across else blocks
    simulation = np.minimum(np.arange(blocks * per_block), total - 1).reshape(blocks, per_block)
    return Layout(across, width, total, blocks, place, simulation, *np.divmod(simulation, n_stimuli))
