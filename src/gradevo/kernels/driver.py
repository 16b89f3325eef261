# ruff: noqa: F821, RUF059
# pyright: reportUndefinedVariable=false
"""The time loop of the fused kernel, forward and adjoint, for blocks of simulations laid out as lanes.

A block is one vector of simulations (lanes.py); every array ends in that axis, and is walked by an index into its flat memory.
This file is the half that knows no channel: codegen.py appends it to the code of one channel set (``advance``, ``advance_two``,
``conductance``, ``advance_linearised``, ``retreat``), and Numba compiles the two as one module. It is never imported on its own.

Step s, from time t to t + dt, with implicitness theta (docs/numerics.md):

1. gates: x <- x_inf(V) + (x - x_inf(V)) exp(-h / tau(V)), h = dt but for the first step;
2. voltages: (C / (theta dt) + G + L) V* = C / (theta dt) V + sum g E + I, with L the axial conductances and I the exact mean
   of the current over the step;
3. V <- V + (V* - V) / theta.

The adjoint walks the same steps backwards: one solve with the same symmetric matrix, then the derivatives of the rates. It
needs every state, and how the gates' steps depend on where they began: a state that is kept has both in its row, [V, gates, two
numbers for each gate], so that no rate is computed twice. Either all of them were kept (one segment of all steps), or only those
at the segments' beginnings, and each segment is run again before it is walked backwards.

Names that return: ``graph`` = (order, start, column, gather, ..., changed), the elimination (elimination.py); ``clock`` =
(step_ms, first_step_ms, stride); ``drive`` = (step_start, step_piece, step_weight, currents, stimulated), the currents.
"""

import numpy as np
from numba import njit

# Where a block's states are too large (bytes) to stay near until they are walked back, rows are announced: side by side a step
# before they are written; and in both layouts on the way back, while the later step is walked: V, which it needs at its end, and
# gates before or during its elimination, the rest after or during its substitution, so that memory never idles.
FAR = 2**21


@njit(fastmath=EXACT, error_model="numpy", forceinline=True)
def eliminate(p, graph, diagonal, off, rhs, pivot, right):
    """Eliminates node order[p], whose own part of the diagonal and of the right-hand side is given: collects from the nodes that
    were eliminated before, and leaves 1 / pivot and the right-hand side in its rows."""
    order, start, column, gather, gather_entry, gather_node, update_start, update_a, update_b, update_target, changed = graph
    for i in range(gather[p], gather[p + 1]):
        before = gather_node[i] * WIDTH
        coupling = load(off, gather_entry[i] * WIDTH)
        factor = coupling * load(diagonal, before)
        pivot = pivot - factor * coupling
        right = right - factor * load(rhs, before)
    pivot = 1.0 / pivot
    store(diagonal, order[p] * WIDTH, pivot)
    store(rhs, order[p] * WIDTH, right)
    for u in range(update_start[p], update_start[p + 1]):
        target = update_target[u] * WIDTH
        fill = load(off, update_a[u] * WIDTH) * load(off, update_b[u] * WIDTH) * pivot
        store(off, target, load(off, target) - fill)


@njit(fastmath=EXACT, error_model="numpy", forceinline=True)
def substitute(p, graph, diagonal, off, rhs):
    """The solution at node order[p], once all later nodes are solved."""
    order, start, column, gather, gather_entry, gather_node, update_start, update_a, update_b, update_target, changed = graph
    k = order[p] * WIDTH
    right = load(rhs, k)
    for e in range(start[p], start[p + 1]):
        right = right - load(off, e * WIDTH) * load(rhs, column[e] * WIDTH)
    solved = right * load(diagonal, k)
    store(rhs, k, solved)
    return solved


@njit(fastmath=EXACT, error_model="numpy", forceinline=True)
def piece_of(s, drive):
    """The piece of the stimulus that lasts all through step s, or -1 where it changes."""
    step_start, step_piece, step_weight, currents, stimulated = drive
    i = step_start[s]
    return step_piece[i] if step_start[s + 1] - i == 1 and step_weight[i] == 1.0 else -1


@njit(fastmath=EXACT, error_model="numpy", nogil=True, cache=True)
def run_steps(
    first, end, states, graph, base, coupling, capacitance, theta, clock, drive, stimulus, dens,
    diagonal, off, rhs, injected, records, simulation, recorded, checkpoints, every,
):  # fmt: skip
    """Runs one block from step ``first`` to ``end``. codegen.py makes two functions of this one: ``run_steps``, and ``run_kept``,
    where ``KEPT``.

    states [slots, compartment, 1 + gates, lane]: V and gates, step s in slot (s - first) & 1; where ``KEPT``, in slot
    s - first of [slots, compartment, 1 + 3 gates, lane], with dx_new/dx_old and dx_new/dV of each gate in the step that led
    there. records [simulation, sample, site], if it has samples, is filled in the rows ``simulation`` [lane]; checkpoints
    [segment, compartment, 1 + gates, lane] receives the state before every ``every``-th step, where it has rows. base,
    coupling, capacitance: the matrix without channels [node | entry | compartment, lane]. dens [compartment, channel, lane] uS.
    """
    align_stack()
    order, start, column, gather, gather_entry, gather_node, update_start, update_a, update_b, update_target, changed = graph
    step_ms, first_step_ms, stride = clock
    step_start, step_piece, step_weight, currents, stimulated = drive
    n_compartments, per_compartment = states.shape[1], states.shape[2] * WIDTH
    per_state = n_compartments * per_compartment
    per_density = dens.shape[1] * WIDTH
    far = KEPT and states.size * states.itemsize > FAR
    inverse_theta = 1.0 / theta
    piece_before = -1
    for s in range(first, end):
        now = (s - first if KEPT else (s - first) & 1) * per_state
        new = (s - first + 1 if KEPT else (s - first + 1) & 1) * per_state
        h = first_step_ms if s == 0 else step_ms
        if s % every == 0 and s // every < checkpoints.shape[0]:
            for k in range(n_compartments):
                to = (s // every * n_compartments + k) * VARIABLES * WIDTH
                for i in range(0, VARIABLES * WIDTH, WIDTH):
                    store(checkpoints, to + i, load(states, now + k * per_compartment + i))
        # a current that does not change is not gathered again
        piece = piece_of(s, drive)
        if piece < 0 or piece != piece_before:
            for site in range(stimulated.size):
                for lane in range(WIDTH):
                    mean = 0.0
                    for i in range(step_start[s], step_start[s + 1]):
                        mean += step_weight[i] * currents[step_piece[i], site, stimulus[lane]]
                    injected[stimulated[site], lane] = mean
            piece_before = piece
        for i in range(changed.size):
            store(off, changed[i] * WIDTH, load(coupling, changed[i] * WIDTH))
        for p in range(order.size):
            k = order[p]
            pivot, right = load(base, k * WIDTH), load(injected, k * WIDTH)
            if k < n_compartments:
                at, in_dens, capacity = k * per_compartment, k * per_density, load(capacitance, k * WIDTH)
                if far and s + 2 < states.shape[0] + first:
                    for i in range(new + per_state + at, new + per_state + at + per_compartment, WIDTH):
                        expect_store(states, i)
                if KEPT:
                    pivot, driven = advance_linearised(
                        states, now + at, new + at, dens, in_dens, pivot, capacity, h, states, new + at + VARIABLES * WIDTH
                    )  # fmt: skip
                    right = right + driven
                elif k % 2 == 0 and k + 1 == n_compartments:
                    pivot, driven = advance(states, now + at, new + at, dens, in_dens, pivot, capacity, h)
                    right = right + driven
                else:
                    # their numbers follow the order: the first of two compartments advances both
                    if k % 2 == 0:
                        pivots, driven = advance_two(
                            states, now + at, new + at, dens, in_dens, load_two(base, k * WIDTH, WIDTH),
                            load_two(capacitance, k * WIDTH, WIDTH), h, per_compartment, per_density,
                        )  # fmt: skip
                        store_two(diagonal, k * WIDTH, WIDTH, pivots)
                        store_two(rhs, k * WIDTH, WIDTH, load_two(injected, k * WIDTH, WIDTH) + driven)
                    pivot, right = load(diagonal, k * WIDTH), load(rhs, k * WIDTH)
            eliminate(p, graph, diagonal, off, rhs, pivot, right)
        for p in range(order.size - 1, -1, -1):
            k = order[p]
            solved = substitute(p, graph, diagonal, off, rhs)
            if k < n_compartments:
                before = load(states, now + k * per_compartment)
                store(states, new + k * per_compartment, before + (solved - before) * inverse_theta)
        if (s + 1) % stride == 0 and (s + 1) // stride < records.shape[1]:
            for r in range(recorded.size):
                v = new + recorded[r] * per_compartment
                for lane in range(WIDTH):
                    records[simulation[lane], (s + 1) // stride, r] = peek(states, v + lane)


@njit(fastmath=EXACT, error_model="numpy", nogil=True, cache=True)
def forward(
    n_steps, graph, base, coupling, capacitance, theta, clock, drive, stimulus, simulation, dens, recorded, n_compartments,
    initial_state, kept, states, checkpoints, every, records, diverged,
):  # fmt: skip
    """Simulates blocks.

    base, coupling, capacitance [block or 1, ...]; states [block, steps + 1, ...] if all are kept, else [1, 2, ...] for all
    blocks (of what, run_steps says); stimulus, simulation [block, lane]: lanes may repeat a simulation; records [simulation,
    sample, site] mV; diverged [block, lane].
    """
    diagonal = np.empty((base.shape[1], WIDTH), states.dtype)
    rhs = np.empty((base.shape[1], WIDTH), states.dtype)
    injected = np.zeros((base.shape[1], WIDTH), states.dtype)
    n_variables = states.shape[3]
    for block in range(dens.shape[0]):
        mine = states[block] if kept else states[0]
        m = block if base.shape[0] > 1 else 0
        off = coupling[m].copy()
        for c in range(n_compartments):
            for g in range(VARIABLES):
                store(mine, (c * n_variables + g) * WIDTH, initial_state[g])
        for lane in range(WIDTH):
            records[simulation[block, lane], 0, :] = initial_state[0]
        rest = (
            graph, base[m], coupling[m], capacitance[m], theta, clock, drive, stimulus[block], dens[block],
            diagonal, off, rhs, injected, records, simulation[block], recorded, checkpoints[block], every,
        )  # fmt: skip
        if kept:
            run_kept(0, n_steps, mine, *rest)
        else:
            run_steps(0, n_steps, mine, *rest)
        last = mine[n_steps if kept else n_steps & 1]
        for lane in range(WIDTH):
            bad = False
            for c in range(n_compartments):
                # written so that a NaN counts as out of range
                if not (-VOLTAGE_LIMIT < last[c, 0, lane] < VOLTAGE_LIMIT):
                    bad = True
            diverged[block, lane] = bad


@njit(fastmath=EXACT, error_model="numpy", nogil=True, cache=True)
def adjoint(
    n_steps, graph, base, coupling, capacitance, theta, clock, drive, stimulus, simulation, dens, recorded, n_compartments,
    kept, states, checkpoints, every, record_bar, passive, dens_bar, capacitance_bar, coupling_bar,
):  # fmt: skip
    """From dL/d records to dL/d densities, lane by lane.

    states [block, steps + 1, ...] if all were kept; else [1, every + 1, ...], into which each segment is run again from its
    checkpoint. record_bar [simulation, sample, site] 1/mV. dens_bar [block, compartment, channel, lane] 1/uS. Where
    ``passive``, capacitance_bar [block, compartment, lane] and coupling_bar [block, entry, lane] (of the conductance between
    the entry's two nodes) are filled too. All are set here. Gradients stay separate per lane: the caller sums them in a fixed
    order, whatever the batch and the threads.
    """
    align_stack()
    order, start, column, gather, gather_entry, gather_node, update_start, update_a, update_b, update_target, changed = graph
    stride = clock[2]
    n_nodes, n_variables = order.size, states.shape[3]
    per_compartment = n_variables * WIDTH
    per_state = n_compartments * per_compartment
    per_density = dens.shape[2] * WIDTH
    n_gates = VARIABLES - 1
    far = kept and states[0].size * states.itemsize > FAR
    diagonal = np.empty((base.shape[1], WIDTH), states.dtype)
    rhs = np.empty((base.shape[1], WIDTH), states.dtype)
    injected = np.zeros((base.shape[1], WIDTH), states.dtype)
    volts_bar = np.empty((n_compartments, WIDTH), states.dtype)
    gates_bar = np.empty((n_compartments, n_gates, WIDTH), states.dtype)
    no_records = np.empty((0, 0, 0), states.dtype)
    no_checkpoints = np.empty((0, 1, 1, WIDTH), states.dtype)
    inverse_theta = 1.0 / theta
    for block in range(dens.shape[0]):
        mine = states[block] if kept else states[0]
        m = block if base.shape[0] > 1 else 0
        off = coupling[m].copy()
        here, bar = dens[block], dens_bar[block]
        matrix, cap = base[m], capacitance[m]
        bar[:] = 0.0
        volts_bar[:] = 0.0
        gates_bar[:] = 0.0
        if passive:
            capacitance_bar[block] = 0.0
            coupling_bar[block] = 0.0
        length = n_steps if kept else every
        for segment in range((n_steps + length - 1) // length - 1, -1, -1):
            begin = segment * length
            end = min(begin + length, n_steps)
            if not kept:
                mine[0, :, :VARIABLES] = checkpoints[block, segment]
                run_kept(
                    begin, end, mine, graph, matrix, coupling[m], cap, theta, clock, drive, stimulus[block],
                    here, diagonal, off, rhs, injected, no_records, simulation[block], recorded, no_checkpoints, every,
                )  # fmt: skip
            for s in range(end - 1, begin - 1, -1):
                now, new = (s - begin) * per_state, (s - begin + 1) * per_state
                if (s + 1) % stride == 0 and (s + 1) // stride < record_bar.shape[1]:
                    for r in range(recorded.size):
                        for lane in range(WIDTH):
                            volts_bar[recorded[r], lane] += record_bar[simulation[block, lane], (s + 1) // stride, r]
                for i in range(changed.size):
                    store(off, changed[i] * WIDTH, load(coupling[m], changed[i] * WIDTH))
                for p in range(n_nodes):
                    k = order[p]
                    if far and k < n_compartments:
                        row = now + k * per_compartment
                        for i in range(row, row + VARIABLES * WIDTH, WIDTH):
                            expect_load(mine, i)
                    pivot = load(matrix, k * WIDTH)
                    right = 0.0 * pivot
                    if k < n_compartments:
                        pivot = conductance(mine, new + k * per_compartment, here, k * per_density, pivot)
                        right = load(volts_bar, k * WIDTH) * inverse_theta
                    eliminate(p, graph, diagonal, off, rhs, pivot, right)
                for p in range(n_nodes - 1, -1, -1):
                    k = order[p]
                    if far and k < n_compartments:
                        row = now + k * per_compartment
                        for i in range(row + VARIABLES * WIDTH, row + per_compartment, WIDTH):
                            expect_load(mine, i)
                    mu = substitute(p, graph, diagonal, off, rhs)
                    if k < n_compartments:
                        at = k * per_compartment
                        retreat(
                            mine, now + at, new + at, here, k * per_density, mu, load(cap, k * WIDTH), theta,
                            volts_bar, k * WIDTH, gates_bar, k * n_gates * WIDTH, bar,
                        )  # fmt: skip
                if passive:
                    passive_bars(
                        graph, mine, now, new, per_compartment, n_compartments, theta, matrix, coupling[m], rhs, diagonal,
                        capacitance_bar[block], coupling_bar[block],
                    )  # fmt: skip


@njit(fastmath=EXACT, error_model="numpy", nogil=True, cache=True)
def branch_voltages(graph, n_compartments, base, coupling, solved):
    """Adds to each branch point's row of ``solved`` the mean of its neighbours' voltages, weighted with the conductances:
    what the matrix says of a node without capacitance. All its neighbours are compartments."""
    order, start, column, gather, gather_entry, gather_node, update_start, update_a, update_b, update_target, changed = graph
    for p in range(order.size):
        for e in range(start[p], start[p + 1]):
            i, j = order[p], column[e]
            if i >= n_compartments or j >= n_compartments:
                b, c = (i, j) if i >= n_compartments else (j, i)
                share = load(coupling, e * WIDTH) / load(base, b * WIDTH)
                store(solved, b * WIDTH, load(solved, b * WIDTH) - share * load(solved, c * WIDTH))


@njit(fastmath=EXACT, error_model="numpy", nogil=True, cache=True)
def passive_bars(
    graph, states, now, new, per_compartment, n_compartments, theta, base, coupling, mu, solved, capacitance_bar, coupling_bar
):
    """Adds one step's part of the adjoints of C / (theta dt) and of the axial conductances. ``solved`` is overwritten with V*."""
    order, start, column, gather, gather_entry, gather_node, update_start, update_a, update_b, update_target, changed = graph
    for p in range(order.size):
        k = order[p]
        if k < n_compartments:
            v = load(states, now + k * per_compartment)
            change = theta * (load(states, new + k * per_compartment) - v)
            store(solved, k * WIDTH, v + change)
            store(capacitance_bar, k * WIDTH, load(capacitance_bar, k * WIDTH) - load(mu, k * WIDTH) * change)
        else:
            store(solved, k * WIDTH, 0.0)
    branch_voltages(graph, n_compartments, base, coupling, solved)
    for p in range(order.size):
        for e in range(start[p], start[p + 1]):
            i, j = order[p] * WIDTH, column[e] * WIDTH
            across = (load(mu, i) - load(mu, j)) * (load(solved, i) - load(solved, j))
            store(coupling_bar, e * WIDTH, load(coupling_bar, e * WIDTH) - across)
