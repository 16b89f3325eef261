# ruff: noqa: F821, RUF059
# pyright: reportUndefinedVariable=false
"""The linearised step of the fused kernel: derivatives of the voltages along many directions at once.

Appended to across_driver.py in a generated module. ``run_linearised`` simulates (compartments fill the lanes), and stores
everything that the linearised steps multiply with as plain numbers: a tangent needs no exponentials. Then ``tangent_steps`` walks
the same steps with directions as lanes; all share the elimination of each step's matrix, which is the simulation's own.

A direction changes the right-hand side at some nodes by a weight times a *source*, a number that each step provides:
channel c in compartment i = WIDTH j + l has source (E_c - V*) times its gates' product, at (j C + c) WIDTH + l (C channels);
capacitance (C / (theta dt)) of compartment i has V - V*, at n C + i (n compartments, padded); and a common factor of all axial
conductances has, at node k, the axial current into it, at n (C + 1) + k.
"""

from numba import njit


@njit(fastmath=EXACT, error_model="numpy", nogil=True, cache=True)
def run_linearised(
    begin, end, states, graph, base, coupling, capacitance, theta, clock, drives, stimulus, dens, n_compartments,
    diagonal, off, rhs, injected, records, recorded, axial, coefficients, pivots, factors, sources,
):  # fmt: skip
    """Runs one simulation as run_across, states in two slots, and linearises its steps.

    coefficients [step, row, 3 per gate, lane] (kept and slope of every gate, dx_new/dx_old and dx_new/dV; then drive of every
    gate, d(current)/dx_new), pivots [step, node] (reciprocals), factors [step, entry] and sources [step, ...] receive steps
    begin to end; the axial currents only where a direction asks for them (``axial``).
    """
    align_stack()
    order, start, column, gather, gather_entry, gather_node, update_start, update_a, update_b, update_target, changed = graph
    step_ms, first_step_ms, stride = clock
    n_rows, per_row = states.shape[1], states.shape[2] * WIDTH
    n_channels, n_gates = dens.shape[1], states.shape[2] - 1
    per_state, per_density, per_coefficient = n_rows * per_row, n_channels * WIDTH, 3 * n_gates * WIDTH
    at_capacitance, at_axial = n_rows * per_density, n_rows * (per_density + WIDTH)
    inverse_theta = 1.0 / theta
    piece_before = -1
    for s in range(begin, end):
        step, now, new = s - begin, (s & 1) * per_state, ((s + 1) & 1) * per_state
        h = first_step_ms if s == 0 else step_ms
        piece = piece_of(s, drives)
        if piece < 0 or piece != piece_before:
            inject(s, drives, stimulus, injected)
            piece_before = piece
        for i in range(changed.size):
            off[changed[i]] = coupling[changed[i]]
        for k in range(n_rows * WIDTH, base.size):
            diagonal[k] = base[k]
            rhs[k] = 0.0
        for row in range(n_rows):
            at, k = row * per_row, row * WIDTH
            pivot, driven = advance_linearised(
                states, now + at, new + at, dens, row * per_density, load(base, k), load(capacitance, k), h,
                coefficients, (step * n_rows + row) * per_coefficient,
            )  # fmt: skip
            store(diagonal, k, pivot)
            store(rhs, k, load(injected, k) + driven)
        for k in range(n_compartments, n_rows * WIDTH):
            rhs[k] = 0.0
        solve_one(graph, diagonal, off, rhs)
        here = step * sources.shape[1]
        for row in range(n_rows):
            at, k = row * per_row, row * WIDTH
            solved, before = load(rhs, k), load(states, now + at)
            store(states, new + at, before + (solved - before) * inverse_theta)
            drive(
                states, new + at, dens, row * per_density, solved, coefficients, (step * n_rows + row) * per_coefficient,
                sources, here + row * per_density,
            )  # fmt: skip
            store(sources, here + at_capacitance + k, before - solved)
        if (s + 1) % stride == 0 and (s + 1) // stride < records.shape[0]:
            for r in range(recorded.size):
                k = recorded[r]
                records[(s + 1) // stride, r] = states[(s + 1) & 1, k // WIDTH, 0, k % WIDTH]
        for i in range(base.size):
            poke(pivots, step * base.size + i, peek(diagonal, i))
        to = step * factors.shape[1]
        for p in range(order.size):
            pivot = peek(diagonal, order[p])
            for e in range(start[p], start[p + 1]):
                poke(factors, to + e, peek(off, e) * pivot)
        if axial:
            axial_currents(graph, coupling, rhs, sources, here + at_axial)


@njit(fastmath=EXACT, error_model="numpy", forceinline=True)
def axial_currents(graph, coupling, solved, sources, at):
    """The axial current into each node, from the solved voltages; a branch point's is solved like any other."""
    order, start, column, gather, gather_entry, gather_node, update_start, update_a, update_b, update_target, changed = graph
    for k in range(solved.size):
        poke(sources, at + k, 0.0)
    for p in range(order.size):
        k = order[p]
        for e in range(start[p], start[p + 1]):
            j = column[e]
            current = peek(coupling, e) * (peek(solved, k) - peek(solved, j))
            poke(sources, at + k, peek(sources, at + k) + current)
            poke(sources, at + j, peek(sources, at + j) - current)


@njit(fastmath=EXACT, error_model="numpy", nogil=True, cache=True)
def tangent_steps(
    begin, end, graph, coefficients, pivots, factors, sources, capacitance, theta, stride, recorded,
    entry_start, source_of, weights, direction, delta, rhs, jacobian,
):  # fmt: skip
    """Walks steps ``begin`` to ``end`` of one simulation along all directions, one set of them after the other, so that a set's
    state stays in the cache.

    coefficients, pivots, factors, sources: of this simulation, from run_linearised. Entries entry_start[set, p] to
    entry_start[set, p + 1] of (source_of, weights, direction) belong to a set and to the p-th node in the order of elimination:
    each adds a weighted source to the right-hand side of a direction, counted within the set. delta [set, compartment, 1 + gates,
    direction] is carried on. rhs [node, direction] is scratch. jacobian [sample, recorded, set * directions + direction]
    receives dV at the samples that fall into these steps, first to last.
    """
    align_stack()
    order, start, column, gather, gather_entry, gather_node, update_start, update_a, update_b, update_target, changed = graph
    n_sets, n_compartments, n_variables, n_directions = delta.shape
    per_compartment = n_variables * n_directions
    n_entries, n_rows, per_coefficient = factors.shape[1], coefficients.shape[1], coefficients.shape[2] * WIDTH
    inverse_theta = 1.0 / theta
    for which in range(n_sets):
        base = which * n_compartments * per_compartment
        row = 0
        for s in range(begin, end):
            step = s - begin
            for p in range(order.size):
                k = order[p]
                to = k * n_directions
                first, last = gather[p], gather[p + 1]
                # a leaf takes nothing from its own row, which is finite
                factor, child = 0.0, to
                if first < last:
                    factor = peek(factors, step * n_entries + gather_entry[first])
                    child = gather_node[first] * n_directions
                if k < n_compartments:
                    c_at = (step * n_rows + k // WIDTH) * per_coefficient + k % WIDTH
                    tangent(
                        coefficients, c_at, delta, base + k * per_compartment,
                        rhs, to, n_directions, capacitance[k], factor, child,
                    )  # fmt: skip
                else:
                    for d in range(0, n_directions, WIDTH):
                        store(rhs, to + d, -factor * load(rhs, child + d))
                for g in range(first + 1, last):
                    factor = peek(factors, step * n_entries + gather_entry[g])
                    child = gather_node[g] * n_directions
                    for d in range(0, n_directions, WIDTH):
                        store(rhs, to + d, load(rhs, to + d) - factor * load(rhs, child + d))
                for i in range(entry_start[which, p], entry_start[which, p + 1]):
                    rhs[k, direction[i]] += weights[i] * sources[step, source_of[i]]
            for p in range(order.size - 1, -1, -1):
                k = order[p]
                pivot = peek(pivots, step * pivots.shape[1] + k)
                to, at = k * n_directions, base + k * per_compartment
                first, last = start[p], start[p + 1]
                for e in range(first + 1, last):
                    # before its own row is multiplied with the pivot
                    factor, parent = peek(factors, step * n_entries + e) / pivot, column[e] * n_directions
                    for d in range(0, n_directions, WIDTH):
                        store(rhs, to + d, load(rhs, to + d) - factor * load(rhs, parent + d))
                factor, parent = 0.0, to
                if first < last:
                    factor, parent = peek(factors, step * n_entries + first), column[first] * n_directions
                if k < n_compartments:
                    for d in range(0, n_directions, WIDTH):
                        right = load(rhs, to + d) * pivot - factor * load(rhs, parent + d)
                        store(rhs, to + d, right)
                        before = load(delta, at + d)
                        store(delta, at + d, before + (right - before) * inverse_theta)
                else:
                    for d in range(0, n_directions, WIDTH):
                        store(rhs, to + d, load(rhs, to + d) * pivot - factor * load(rhs, parent + d))
            if (s + 1) % stride == 0 and row < jacobian.shape[0]:
                for r in range(recorded.size):
                    to = (row * recorded.size + r) * jacobian.shape[2] + which * n_directions
                    for d in range(0, n_directions, WIDTH):
                        store(jacobian, to + d, load(delta, base + recorded[r] * per_compartment + d))
                row += 1
