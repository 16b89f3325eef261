# ruff: noqa: F821, RUF059
# pyright: reportUndefinedVariable=false
"""The time loop for one simulation whose compartments fill the lanes (layout.py): the same steps and the same roundings as
driver.py, which says what the names mean.

Appended to driver.py in a generated module. Vector j of a state holds compartments j WIDTH to (j + 1) WIDTH - 1; arrays over
nodes and entries hold plain numbers, and the elimination is done one number at a time. Compartments that pad the last vector
are computed and never looked at.
"""

import numpy as np
from numba import njit


@njit(fastmath=EXACT, error_model="numpy", forceinline=True)
def hand_on(j, coupling, pivot, right, diagonal, rhs):
    """Takes from node j's rows what an eliminated node with 1 / pivot and a right-hand side leaves to it."""
    factor = coupling * pivot
    poke(diagonal, j, peek(diagonal, j) - factor * coupling)
    poke(rhs, j, peek(rhs, j) - factor * right)


@njit(fastmath=EXACT, error_model="numpy", nogil=True, cache=True)
def solve_one(graph, diagonal, off, rhs):
    """Eliminates and substitutes; diagonal and rhs, filled with the whole matrix's and right-hand side's, become 1 / pivot and
    the solution.

    A node hands on to those that it is coupled to, nearly always to one: side by side, nodes collect, so that each row is written
    once, but here rows are numbers in the nearest cache, and collecting, from no node, from one or from several, takes two to
    three times as long. The order of all subtractions is the same.
    """
    order, start, column, gather, gather_entry, gather_node, update_start, update_a, update_b, update_target, changed = graph
    for p in range(order.size):
        k = peek(order, p)
        poke(diagonal, k, 1.0 / peek(diagonal, k))
        # in the array's precision: Numba's 1.0 is a double
        pivot, right = peek(diagonal, k), peek(rhs, k)
        first, last = peek(start, p), peek(start, p + 1)
        if first < last:
            hand_on(peek(column, first), peek(off, first), pivot, right, diagonal, rhs)
        if last - first < 2:
            continue
        for e in range(first + 1, last):
            hand_on(peek(column, e), peek(off, e), pivot, right, diagonal, rhs)
        for u in range(update_start[p], update_start[p + 1]):
            target = update_target[u]
            fill = peek(off, update_a[u]) * peek(off, update_b[u]) * pivot
            poke(off, target, peek(off, target) - fill)
    for p in range(order.size - 1, -1, -1):
        k = peek(order, p)
        right = peek(rhs, k)
        first, last = peek(start, p), peek(start, p + 1)
        if first < last:
            right = right - peek(off, first) * peek(rhs, peek(column, first))
        for e in range(first + 1, last):
            right = right - peek(off, e) * peek(rhs, peek(column, e))
        poke(rhs, k, right * peek(diagonal, k))


@njit(fastmath=EXACT, error_model="numpy", forceinline=True)
def inject(s, drive, stimulus, injected):
    """The exact mean of step s's current at every stimulated site."""
    step_start, step_piece, step_weight, currents, stimulated = drive
    for site in range(stimulated.size):
        mean = 0.0
        for i in range(step_start[s], step_start[s + 1]):
            mean += step_weight[i] * currents[step_piece[i], site, stimulus]
        injected[stimulated[site]] = mean


@njit(fastmath=EXACT, error_model="numpy", nogil=True, cache=True)
def run_across(
    first, end, states, graph, base, coupling, capacitance, theta, clock, currents, stimulus, dens, n_compartments,
    diagonal, off, rhs, injected, records, recorded, checkpoints, every,
):  # fmt: skip
    """Runs one simulation from step ``first`` to ``end``; as run_steps, with ``run_kept_across`` where ``KEPT``. states [slots,
    row, 1 + gates (1 + 3 gates if kept), lane], dens [row, channel, lane], base, capacitance, injected, diagonal, rhs [node],
    coupling [entry], records [sample, site]."""
    align_stack()
    order, start, column, gather, gather_entry, gather_node, update_start, update_a, update_b, update_target, changed = graph
    step_ms, first_step_ms, stride = clock
    n_rows, per_row = states.shape[1], states.shape[2] * WIDTH
    per_state, per_density, n_numbers = n_rows * per_row, dens.shape[1] * WIDTH, VARIABLES * WIDTH
    inverse_theta = 1.0 / theta
    piece_before = -1
    for s in range(first, end):
        slot_now, slot_new = (s - first, s - first + 1) if KEPT else ((s - first) & 1, (s - first + 1) & 1)
        now, new = slot_now * per_state, slot_new * per_state
        h = first_step_ms if s == 0 else step_ms
        if s % every == 0 and s // every < checkpoints.shape[0]:
            for row in range(n_rows):
                for i in range(0, n_numbers, WIDTH):
                    store(checkpoints, (s // every * n_rows + row) * n_numbers + i, load(states, now + row * per_row + i))
        piece = piece_of(s, currents)
        if piece < 0 or piece != piece_before:
            inject(s, currents, stimulus, injected)
            piece_before = piece
        for i in range(changed.size):
            off[changed[i]] = coupling[changed[i]]
        for k in range(n_rows * WIDTH, base.size):
            diagonal[k] = base[k]
            rhs[k] = 0.0
        for row in range(n_rows):
            at, k = row * per_row, row * WIDTH
            pivot, capacity = load(base, k), load(capacitance, k)
            if KEPT:
                pivot, driven = advance_linearised(
                    states, now + at, new + at, dens, row * per_density, pivot, capacity, h, states, new + at + n_numbers
                )  # fmt: skip
            else:
                pivot, driven = advance(states, now + at, new + at, dens, row * per_density, pivot, capacity, h)
            store(diagonal, k, pivot)
            store(rhs, k, load(injected, k) + driven)
        for k in range(n_compartments, n_rows * WIDTH):
            rhs[k] = 0.0
        solve_one(graph, diagonal, off, rhs)
        for row in range(n_rows):
            before = load(states, now + row * per_row)
            store(states, new + row * per_row, before + (load(rhs, row * WIDTH) - before) * inverse_theta)
        if (s + 1) % stride == 0 and (s + 1) // stride < records.shape[0]:
            for r in range(recorded.size):
                k = recorded[r]
                records[(s + 1) // stride, r] = states[slot_new, k // WIDTH, 0, k % WIDTH]


@njit(fastmath=EXACT, error_model="numpy", nogil=True, cache=True)
def forward_across(
    n_steps, graph, base, coupling, capacitance, theta, clock, drive, stimulus, simulation, dens, recorded, n_compartments,
    initial_state, kept, states, checkpoints, every, records, diverged,
):  # fmt: skip
    """Simulates blocks, one after the other; as forward, with one lane in stimulus, simulation and diverged."""
    diagonal = np.empty(base.shape[1], states.dtype)
    rhs = np.empty(base.shape[1], states.dtype)
    injected = np.zeros(base.shape[1], states.dtype)
    n_variables = states.shape[3]
    for block in range(dens.shape[0]):
        mine = states[block] if kept else states[0]
        m = block if base.shape[0] > 1 else 0
        off = coupling[m].copy()
        for row in range(states.shape[2]):
            for g in range(VARIABLES):
                store(mine, (row * n_variables + g) * WIDTH, initial_state[g])
        mine_recorded = records[simulation[block, 0]]
        mine_recorded[0] = initial_state[0]
        rest = (
            graph, base[m], coupling[m], capacitance[m], theta, clock, drive, stimulus[block, 0], dens[block], n_compartments,
            diagonal, off, rhs, injected, mine_recorded, recorded, checkpoints[block], every,
        )  # fmt: skip
        if kept:
            run_kept_across(0, n_steps, mine, *rest)
        else:
            run_across(0, n_steps, mine, *rest)
        last = mine[n_steps if kept else n_steps & 1]
        bad = False
        for k in range(n_compartments):
            if not (-VOLTAGE_LIMIT < last[k // WIDTH, 0, k % WIDTH] < VOLTAGE_LIMIT):
                bad = True
        diverged[block, 0] = bad


@njit(fastmath=EXACT, error_model="numpy", nogil=True, cache=True)
def adjoint_across(
    n_steps, graph, base, coupling, capacitance, theta, clock, drive, stimulus, simulation, dens, recorded, n_compartments,
    kept, states, checkpoints, every, record_bar, passive, dens_bar, capacitance_bar, coupling_bar,
):  # fmt: skip
    """As adjoint. dens_bar [block, row, channel, lane], capacitance_bar [block, row, lane],
    coupling_bar [block, entry]."""
    align_stack()
    order, start, column, gather, gather_entry, gather_node, update_start, update_a, update_b, update_target, changed = graph
    stride = clock[2]
    n_rows, n_variables = states.shape[2], states.shape[3]
    n_gates, per_row = VARIABLES - 1, n_variables * WIDTH
    per_state, per_density = n_rows * per_row, dens.shape[2] * WIDTH
    far = kept and states[0].size * states.itemsize > FAR
    diagonal = np.empty(base.shape[1], states.dtype)
    rhs = np.empty(base.shape[1], states.dtype)
    injected = np.zeros(base.shape[1], states.dtype)
    volts_bar = np.empty(n_rows * WIDTH, states.dtype)
    gates_bar = np.empty((n_rows, n_gates, WIDTH), states.dtype)
    no_records = np.empty((0, 1), states.dtype)
    no_checkpoints = np.empty((0, 1, 1, WIDTH), states.dtype)
    inverse_theta = 1.0 / theta
    for block in range(dens.shape[0]):
        mine = states[block] if kept else states[0]
        m = block if base.shape[0] > 1 else 0
        off = coupling[m].copy()
        here, bar, records = dens[block], dens_bar[block], record_bar[simulation[block, 0]]
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
                run_kept_across(
                    begin, end, mine, graph, matrix, coupling[m], cap, theta, clock, drive, stimulus[block, 0],
                    here, n_compartments, diagonal, off, rhs, injected, no_records, recorded, no_checkpoints, every,
                )  # fmt: skip
            for s in range(end - 1, begin - 1, -1):
                now, new = (s - begin) * per_state, (s - begin + 1) * per_state
                if (s + 1) % stride == 0 and (s + 1) // stride < records.shape[0]:
                    for r in range(recorded.size):
                        volts_bar[recorded[r]] += records[(s + 1) // stride, r]
                for i in range(changed.size):
                    off[changed[i]] = coupling[m, changed[i]]
                for k in range(n_rows * WIDTH, matrix.size):
                    diagonal[k] = matrix[k]
                    rhs[k] = 0.0
                for row in range(n_rows):
                    at, k = now + row * per_row, row * WIDTH
                    if far:
                        for i in range(at, at + VARIABLES * WIDTH, WIDTH):
                            expect_load(mine, i)
                    store(diagonal, k, conductance(mine, new + row * per_row, here, row * per_density, load(matrix, k)))
                    store(rhs, k, load(volts_bar, k) * inverse_theta)
                solve_one(graph, diagonal, off, rhs)
                for k in range(n_compartments, n_rows * WIDTH):
                    rhs[k] = 0.0
                for row in range(n_rows):
                    at, k = row * per_row, row * WIDTH
                    if far:
                        for i in range(now + at + VARIABLES * WIDTH, now + at + per_row, WIDTH):
                            expect_load(mine, i)
                    retreat(
                        mine, now + at, new + at, here, row * per_density, load(rhs, k), load(cap, k), theta,
                        volts_bar, k, gates_bar, row * n_gates * WIDTH, bar,
                    )  # fmt: skip
                if passive:
                    passive_bars_across(
                        graph, mine, s - begin, n_compartments, theta, matrix, coupling[m], rhs, diagonal,
                        capacitance_bar[block], coupling_bar[block],
                    )  # fmt: skip


@njit(fastmath=EXACT, error_model="numpy", nogil=True, cache=True)
def branch_voltages_across(graph, n_compartments, base, coupling, solved):
    """As branch_voltages."""
    order, start, column, gather, gather_entry, gather_node, update_start, update_a, update_b, update_target, changed = graph
    for p in range(order.size):
        for e in range(start[p], start[p + 1]):
            i, j = order[p], column[e]
            if i >= n_compartments or j >= n_compartments:
                b, c = (i, j) if i >= n_compartments else (j, i)
                share = coupling[e] / base[b]
                solved[b] = solved[b] - share * solved[c]


@njit(fastmath=EXACT, error_model="numpy", nogil=True, cache=True)
def passive_bars_across(
    graph, states, slot, n_compartments, theta, base, coupling, mu, solved, capacitance_bar, coupling_bar
):  # fmt: skip
    """As passive_bars."""
    order, start, column, gather, gather_entry, gather_node, update_start, update_a, update_b, update_target, changed = graph
    per_row = states.shape[2] * WIDTH
    now = slot * states.shape[1] * per_row
    for row in range(states.shape[1]):
        k = row * WIDTH
        v = load(states, now + row * per_row)
        change = theta * (load(states, now + states.shape[1] * per_row + row * per_row) - v)
        store(solved, k, v + change)
        store(capacitance_bar, k, load(capacitance_bar, k) - load(mu, k) * change)
    for k in range(states.shape[1] * WIDTH, solved.size):
        solved[k] = 0.0
    branch_voltages_across(graph, n_compartments, base, coupling, solved)
    for p in range(order.size):
        for e in range(start[p], start[p + 1]):
            i, j = order[p], column[e]
            across = (mu[i] - mu[j]) * (solved[i] - solved[j])
            coupling_bar[e] = coupling_bar[e] - across
