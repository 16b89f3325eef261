# ruff: noqa: F821, RUF059
# pyright: reportUndefinedVariable=false
"""The linearised step of the fused kernel: derivatives of the voltages along many directions at once.

Appended to driver.py in a generated module. A tangent needs no exponentials: ``linearise_steps`` takes them once per step of a
simulation (lanes are simulations), and stores everything that the linearised step multiplies with as plain numbers. Then
``tangent_steps`` walks one simulation with directions as lanes; all share the elimination of that step's matrix.

A direction changes the right-hand side at some nodes by a weight times a *source*, a number that each step provides:
channel c in compartment i has source (E_c - V*) times its gates' product, at i C + c (C channels, n compartments);
capacitance (C / (theta dt)) of compartment i has V - V*, at n C + i; and a common factor of all axial conductances has, at
node k, the axial current into it, at n C + n + k.
"""

import numpy as np
from numba import njit


@njit(fastmath=EXACT, error_model="numpy", nogil=True, cache=True)
def linearise_steps(
    begin, end, states, base_slot, graph, base, coupling, capacitance, theta, clock, dens,
    coefficients, pivots, factors, sources,
):  # fmt: skip
    """Linearises steps ``begin`` to ``end`` of one block, whose state before step s is in slot s - begin + base_slot of
    ``states``.

    Fills, for every lane: coefficients [lane, step, compartment, 3 per gate] (kept, slope, drive: dx_new/dx_old, dx_new/dV
    and d(current)/dx_new), pivots [lane, step, node] (reciprocals), factors [lane, step, entry], and sources [lane, step, ...].
    """
    order, start, column, gather, gather_entry, gather_node, update_start, update_a, update_b, update_target, changed = graph
    step_ms, first_step_ms, stride = clock
    n_compartments, n_variables = states.shape[1], states.shape[2]
    n_channels, n_gates = dens.shape[1], n_variables - 1
    per_compartment, per_density = n_variables * WIDTH, n_channels * WIDTH
    per_state = n_compartments * per_compartment
    n_nodes = order.size
    diagonal = np.empty((n_nodes, WIDTH))
    rhs = np.empty((n_nodes, WIDTH))
    solved = np.empty((n_nodes, WIDTH))
    found = np.empty((3 * n_gates + n_channels + 1, WIDTH))
    off = coupling.copy()
    at_capacitance, at_axial = n_compartments * n_channels, n_compartments * (n_channels + 1)
    for s in range(begin, end):
        slot = s - begin + base_slot
        now, new = slot * per_state, (slot + 1) * per_state
        step = s - begin
        h = first_step_ms if s == 0 else step_ms
        for k in range(n_nodes):
            store(solved, k * WIDTH, 0.0)
        for i in range(changed.size):
            store(off, changed[i] * WIDTH, load(coupling, changed[i] * WIDTH))
        for p in range(n_nodes):
            k = order[p]
            pivot = load(base, k * WIDTH)
            if k < n_compartments:
                at = k * per_compartment
                pivot = conductance(states, new + at, dens, k * per_density, pivot)
                linearise(states, now + at, new + at, dens, k * per_density, theta, h, found)
                store(solved, k * WIDTH, load(found, (3 * n_gates + n_channels) * WIDTH))
                for lane in range(WIDTH):
                    for i in range(3 * n_gates):
                        coefficients[lane, step, k, i] = found[i, lane]
                    for c in range(n_channels):
                        sources[lane, step, k * n_channels + c] = found[3 * n_gates + c, lane]
                    sources[lane, step, at_capacitance + k] = states[slot, k, 0, lane] - solved[k, lane]
            eliminate(p, graph, diagonal, off, rhs, pivot, 0.0 * pivot)
            for lane in range(WIDTH):
                pivots[lane, step, k] = diagonal[k, lane]
                for e in range(start[p], start[p + 1]):
                    factors[lane, step, e] = off[e, lane] * diagonal[k, lane]
        branch_voltages(graph, n_compartments, base, coupling, solved)
        for lane in range(WIDTH):
            for k in range(n_nodes):
                sources[lane, step, at_axial + k] = 0.0
            for p in range(n_nodes):
                for e in range(start[p], start[p + 1]):
                    i, j = order[p], column[e]
                    current = coupling[e, lane] * (solved[i, lane] - solved[j, lane])
                    sources[lane, step, at_axial + i] += current
                    sources[lane, step, at_axial + j] -= current


@njit(fastmath=EXACT, error_model="numpy", nogil=True, cache=True)
def tangent_steps(
    begin, end, graph, coefficients, pivots, factors, sources, capacitance, theta, stride, recorded,
    entry_start, nodes, source_of, weights, direction, delta, rhs, jacobian,
):  # fmt: skip
    """Walks steps ``begin`` to ``end`` of one simulation along all directions, one set of them after the other, so that a set's
    state stays in the cache.

    coefficients [step, compartment, 3 per gate], pivots, factors, sources: of this simulation. Entries entry_start[set] to
    entry_start[set + 1] of (nodes, source_of, weights, direction) belong to a set: each adds a weighted source to the right-hand
    side of a direction, counted within the set. delta [set, compartment, 1 + gates, direction] is carried on. rhs [node,
    direction] is scratch. jacobian [sample, recorded, set * directions + direction] receives dV at the samples that fall into
    these steps, first to last.
    """
    order, start, column, gather, gather_entry, gather_node, update_start, update_a, update_b, update_target, changed = graph
    n_sets, n_compartments, n_variables, n_directions = delta.shape
    n_gates = n_variables - 1
    per_compartment = n_variables * n_directions
    inverse_theta = 1.0 / theta
    for which in range(n_sets):
        base = which * n_compartments * per_compartment
        row = 0
        for s in range(begin, end):
            step = s - begin
            for k in range(order.size * n_directions // WIDTH):
                store(rhs, k * WIDTH, 0.0)
            for i in range(entry_start[which], entry_start[which + 1]):
                rhs[nodes[i], direction[i]] += weights[i] * sources[step, source_of[i]]
            for p in range(order.size):
                k = order[p]
                right_at = k * n_directions
                if k < n_compartments:
                    charge = capacitance[k]
                    for d in range(0, n_directions, WIDTH):
                        at = base + k * per_compartment + d
                        volt = load(delta, at)
                        right = load(rhs, right_at + d) + charge * volt
                        for i in range(n_gates):
                            at += n_directions
                            gate = coefficients[step, k, 3 * i] * load(delta, at) + coefficients[step, k, 3 * i + 1] * volt
                            store(delta, at, gate)
                            right += coefficients[step, k, 3 * i + 2] * gate
                        store(rhs, right_at + d, right)
                for e in range(start[p], start[p + 1]):
                    factor, below = factors[step, e], column[e] * n_directions
                    for d in range(0, n_directions, WIDTH):
                        store(rhs, below + d, load(rhs, below + d) - factor * load(rhs, right_at + d))
            for p in range(order.size - 1, -1, -1):
                k = order[p]
                pivot = pivots[step, k]
                right_at, at = k * n_directions, base + k * per_compartment
                for d in range(0, n_directions, WIDTH):
                    right = load(rhs, right_at + d) * pivot
                    for e in range(start[p], start[p + 1]):
                        right -= factors[step, e] * load(rhs, column[e] * n_directions + d)
                    store(rhs, right_at + d, right)
                    if k < n_compartments:
                        before = load(delta, at + d)
                        store(delta, at + d, before + (right - before) * inverse_theta)
            if (s + 1) % stride == 0 and row < jacobian.shape[0]:
                for r in range(recorded.size):
                    to = (row * recorded.size + r) * jacobian.shape[2] + which * n_directions
                    for d in range(0, n_directions, WIDTH):
                        store(jacobian, to + d, load(delta, base + recorded[r] * per_compartment + d))
                row += 1
