# ruff: noqa: F821
# pyright: reportUndefinedVariable=false
"""A sum of squares and its gradient: a block is simulated, compared with the target and, where derivatives are asked for, at once
walked back, while what it left is in the caches.

Appended to the drivers and to squares.py in a generated module, a second time as ``compare_across`` (codegen.py).
"""

import numpy as np
from numba import njit


@njit(fastmath=EXACT, error_model="numpy", nogil=True, cache=True)
def compare(
    first, end, n_steps, graph, base, coupling, capacitance, theta, clock, drive, stimulus, simulation, dens, recorded,
    n_compartments, initial_state, kept, running, states, checkpoints, every, target, weights, scale, records, terms, diverged,
    passive, dens_bar, capacitance_bar, coupling_bar,
):  # fmt: skip
    """Blocks ``first`` to ``end``; back, too, if dens_bar has blocks.

    kept, checkpoints, and states, ``running`` where they are the forward pass's: of one block, as ``forward`` and ``adjoint``
    take them. records [lane, sample, site]: room for its voltages and slopes. target, weights, scale: as ``weighted_squares``
    takes them. terms [simulation]: NaN of one that diverged. Others as ``forward`` and ``adjoint``.
    """
    lanes, numbers, back = simulation.shape[1], records.shape[1] * records.shape[2], dens_bar.shape[0] > 0
    here = np.empty((1, lanes), np.int64)
    for block in range(first, end):
        one = slice(block, block + 1)
        mine = one if base.shape[0] > 1 else slice(0, 1)
        begin = simulation[block, 0]
        for lane in range(lanes):
            here[0, lane] = simulation[block, lane] - begin
        count = here[0, lanes - 1] + 1
        forward(
            n_steps, graph, base[mine], coupling[mine], capacitance[mine], theta, clock, drive, stimulus[one], here, dens[one],
            recorded, n_compartments, initial_state, kept, running, checkpoints, every, records, diverged[one],
        )  # fmt: skip
        for lane in range(count):
            if diverged[block, lane]:
                records[lane] = np.nan
        traces = records.reshape(lanes, numbers)[:count]
        slopes = traces if back else traces[:0]
        weighted_squares(stimulus[block, :count], traces, target, weights, scale, terms[begin : begin + count], slopes)
        if not back:
            continue
        adjoint(
            n_steps, graph, base[mine], coupling[mine], capacitance[mine], theta, clock, drive, stimulus[one], here, dens[one],
            recorded, n_compartments, kept, states, checkpoints, every, records, passive, dens_bar[one],
            capacitance_bar[one] if passive else capacitance_bar, coupling_bar[one] if passive else coupling_bar,
        )  # fmt: skip
