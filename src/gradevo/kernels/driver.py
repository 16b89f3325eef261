# ruff: noqa: F821
# pyright: reportUndefinedVariable=false
"""The time loop of the fused kernel, forward and adjoint, for a block of simulations laid out as SIMD lanes.

Lanes are the innermost, contiguous axis of every array; the time loop is outside, compartments inside. This file is the
generic half: codegen.py appends it to the scalar code of one channel set (``advance_gates``, ``load_membrane``,
``adjoint_membrane``), and Numba compiles the two as one module. It is never imported on its own.

Step s, from time t to t + dt, with implicitness theta (docs/numerics.md):

1. gates: x <- x + (x_inf(V) - x) (1 - exp(-h / tau(V))), h = dt but for the first step;
2. voltages: (C / (theta dt) + G + L) V* = C / (theta dt) V + sum g E + I, with L the axial conductances and I the exact mean
   of the current over the step;
3. V <- V + (V* - V) / theta.

The adjoint walks the same steps backwards: one solve with the same symmetric matrix, then the derivatives of the rates.
"""

import numpy as np
from numba import njit

# see primitives.py
EXACT = {"contract", "nsz"}


@njit(fastmath=EXACT, error_model="numpy", nogil=True, cache=True)
def solve(order, start, column, update_start, update_a, update_b, update_target, diagonal, off, rhs, lanes):
    """Solves the symmetric system in place: diagonal becomes its own reciprocal pivots, rhs the solution."""
    n_nodes = order.size
    for p in range(n_nodes):
        k = order[p]
        pivot = diagonal[k]
        right = rhs[k]
        for lane in range(lanes):
            pivot[lane] = 1.0 / pivot[lane]
        for e in range(start[p], start[p + 1]):
            below = diagonal[column[e]]
            right_below = rhs[column[e]]
            coupling = off[e]
            for lane in range(lanes):
                factor = coupling[lane] * pivot[lane]
                below[lane] -= factor * coupling[lane]
                right_below[lane] -= factor * right[lane]
        for u in range(update_start[p], update_start[p + 1]):
            a = off[update_a[u]]
            b = off[update_b[u]]
            target = off[update_target[u]]
            for lane in range(lanes):
                target[lane] -= a[lane] * b[lane] * pivot[lane]
    for p in range(n_nodes - 1, -1, -1):
        k = order[p]
        right = rhs[k]
        pivot = diagonal[k]
        for e in range(start[p], start[p + 1]):
            solved = rhs[column[e]]
            coupling = off[e]
            for lane in range(lanes):
                right[lane] -= coupling[lane] * solved[lane]
        for lane in range(lanes):
            right[lane] *= pivot[lane]


@njit(fastmath=EXACT, error_model="numpy", nogil=True, cache=True)
def forward(
    first_block, end_block, keep,
    order, start, column, value, update_start, update_a, update_b, update_target, changed,
    base_diagonal, capacitance_over_step, theta,
    step_ms, first_step_ms, n_steps, stride,
    step_start, step_piece, step_weight, currents, stimulated, stimulus_of_lane,
    recorded, densities, initial_voltage, initial_gates,
    voltages, gates, records, diverged,
):  # fmt: skip
    """Simulates blocks first_block..end_block - 1.

    densities [block, compartment, channel, lane] uS. currents [piece, site, stimulus] nA. voltages [block, slot,
    compartment, lane] and gates [block, slot, compartment, gate, lane]: all steps are kept if ``keep``, else two slots are
    used in turn. records [block, sample, site, lane] mV. diverged [block, lane].
    """
    n_compartments = capacitance_over_step.size
    n_nodes = base_diagonal.size
    n_gates = initial_gates.size
    lanes = densities.shape[3]
    diagonal = np.empty((n_nodes, lanes))
    rhs = np.empty((n_nodes, lanes))
    off = np.empty((max(value.size, 1), lanes))
    step_current = np.zeros(max(currents.shape[2], 1))
    for e in range(value.size):
        off[e, :] = value[e]
    for block in range(first_block, end_block):
        kept = block if keep else first_block
        volts = voltages[kept]
        states = gates[kept]
        dens = densities[block]
        stimulus = stimulus_of_lane[block]
        for c in range(n_compartments):
            volts[0, c, :] = initial_voltage
            for g in range(n_gates):
                states[0, c, g, :] = initial_gates[g]
        for r in range(recorded.size):
            records[block, 0, r, :] = volts[0, recorded[r]]
        for s in range(n_steps):
            now = s if keep else s & 1
            new = s + 1 if keep else 1 - now
            h = first_step_ms if s == 0 else step_ms
            for c in range(n_compartments):
                advance_gates(volts[now, c], states[now, c], states[new, c], h, lanes)
                load_membrane(
                    volts[now, c], states[new, c], dens[c], base_diagonal[c], capacitance_over_step[c],
                    diagonal[c], rhs[c], lanes,
                )  # fmt: skip
            for c in range(n_compartments, n_nodes):
                diagonal[c, :] = base_diagonal[c]
                rhs[c, :] = 0.0
            for site in range(stimulated.size):
                step_current[:] = 0.0
                for i in range(step_start[s], step_start[s + 1]):
                    for m in range(step_current.size):
                        step_current[m] += step_weight[i] * currents[step_piece[i], site, m]
                injected = rhs[stimulated[site]]
                for lane in range(lanes):
                    injected[lane] += step_current[stimulus[lane]]
            for i in range(changed.size):
                off[changed[i], :] = value[changed[i]]
            solve(order, start, column, update_start, update_a, update_b, update_target, diagonal, off, rhs, lanes)
            for c in range(n_compartments):
                before = volts[now, c]
                after = volts[new, c]
                solved = rhs[c]
                for lane in range(lanes):
                    after[lane] = before[lane] + (solved[lane] - before[lane]) / theta
            if (s + 1) % stride == 0:
                sample = (s + 1) // stride
                if sample < records.shape[1]:
                    for r in range(recorded.size):
                        records[block, sample, r, :] = volts[new, recorded[r]]
        last = n_steps if keep else n_steps & 1
        for lane in range(lanes):
            bad = False
            for c in range(n_compartments):
                v = volts[last, c, lane]
                # written so that a NaN counts as out of range
                if not (-VOLTAGE_LIMIT < v < VOLTAGE_LIMIT):
                    bad = True
            diverged[block, lane] = bad


@njit(fastmath=EXACT, error_model="numpy", nogil=True, cache=True)
def adjoint(
    first_block, end_block,
    order, start, column, value, update_start, update_a, update_b, update_target, changed,
    base_diagonal, capacitance_over_step, theta,
    step_ms, first_step_ms, n_steps, stride,
    recorded, densities, voltages, gates, record_gradients, density_gradients,
):  # fmt: skip
    """From dL/d records to dL/d densities, lane by lane; every state was kept by ``forward``.

    record_gradients [block, sample, site, lane] 1/mV; density_gradients [block, compartment, channel, lane] 1/uS, zeroed
    here. Gradients stay separate per lane: the caller sums them in a fixed order, whatever the batch and the threads.
    """
    n_compartments = capacitance_over_step.size
    n_nodes = base_diagonal.size
    lanes = densities.shape[3]
    n_gates = gates.shape[3]
    diagonal = np.empty((n_nodes, lanes))
    rhs = np.empty((n_nodes, lanes))
    off = np.empty((max(value.size, 1), lanes))
    voltage_adjoint = np.empty((n_compartments, lanes))
    gate_adjoint = np.empty((n_compartments, n_gates, lanes))
    for e in range(value.size):
        off[e, :] = value[e]
    for block in range(first_block, end_block):
        volts = voltages[block]
        states = gates[block]
        dens = densities[block]
        gradient = density_gradients[block]
        gradient[:, :, :] = 0.0
        voltage_adjoint[:, :] = 0.0
        gate_adjoint[:, :, :] = 0.0
        for s in range(n_steps - 1, -1, -1):
            h = first_step_ms if s == 0 else step_ms
            if (s + 1) % stride == 0:
                sample = (s + 1) // stride
                if sample < record_gradients.shape[1]:
                    for r in range(recorded.size):
                        target = voltage_adjoint[recorded[r]]
                        source = record_gradients[block, sample, r]
                        for lane in range(lanes):
                            target[lane] += source[lane]
            for c in range(n_compartments):
                load_membrane(volts[s, c], states[s + 1, c], dens[c], base_diagonal[c], 0.0, diagonal[c], rhs[c], lanes)
                right = rhs[c]
                incoming = voltage_adjoint[c]
                for lane in range(lanes):
                    right[lane] = incoming[lane] / theta
            for c in range(n_compartments, n_nodes):
                diagonal[c, :] = base_diagonal[c]
                rhs[c, :] = 0.0
            for i in range(changed.size):
                off[changed[i], :] = value[changed[i]]
            solve(order, start, column, update_start, update_a, update_b, update_target, diagonal, off, rhs, lanes)
            for c in range(n_compartments):
                adjoint_membrane(
                    volts[s, c], volts[s + 1, c], states[s, c], states[s + 1, c], dens[c], rhs[c],
                    capacitance_over_step[c], theta, h,
                    voltage_adjoint[c], gate_adjoint[c], gradient[c], lanes,
                )  # fmt: skip
