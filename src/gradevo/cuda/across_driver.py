# ruff: noqa: F821, RUF059
# pyright: reportUndefinedVariable=false
"""The loops of a block of threads that share one simulation, each with compartments of its own; for few simulations.

The same arithmetic as in driver.py, whose names return. What is done per compartment, most of the work, is done by all threads at
once; elimination and substitution by as many as a level has nodes (levels.py). Arrays begin with the axis of simulations (or
candidates) and end in that of compartments, so that neighbouring threads read neighbouring addresses; a compartment's variables,
channels or gates are a column, which the generated code reads by its rows.
"""


@device
def inject_across(s, thread, threads, drive, stimulus, injected):
    """The mean currents of step s into the stimulated sites."""
    step_start, step_piece, step_weight, currents, changes, site_of = drive
    for site in range(thread, currents.shape[1], threads):
        mean = 0.0
        for i in range(step_start[s], step_start[s + 1]):
            mean += step_weight[i] * currents[step_piece[i], site, stimulus]
        injected[site] = mean


@device
def solve_across(thread, threads, graph, levels, coupling, diagonal, off, rhs):
    """Leaves the solution in ``rhs``; ``diagonal`` and ``rhs`` hold the matrix's and the right-hand side's."""
    order, changed = graph[0], graph[10]
    level_start, level_step = levels
    for i in range(thread, changed.size, threads):
        off[changed[i]] = coupling[changed[i]]
    cuda.syncthreads()
    n_levels = level_start.size - 1
    for level in range(n_levels):
        for q in range(level_start[level] + thread, level_start[level + 1], threads):
            p = level_step[q]
            k = order[p]
            eliminate(p, graph, diagonal, off, rhs, diagonal[k], rhs[k])
        cuda.syncthreads()
    for level in range(n_levels - 1, -1, -1):
        for q in range(level_start[level] + thread, level_start[level + 1], threads):
            substitute(level_step[q], graph, diagonal, off, rhs)
        cuda.syncthreads()


@device
def step_across(
    now, new, h, thread, threads, sizes, graph, levels, base, coupling, capacitance, theta, site_of, dens, states, diagonal, off,
    rhs, injected,
):  # fmt: skip
    """From the state in rows ``now`` on to the one in rows ``new`` on, which may be the same."""
    n_compartments, n_variables, n_channels = sizes
    for k in range(thread, base.size, threads):
        pivot = base[k]
        right = 0.0 * pivot
        if site_of[k] >= 0:
            right = injected[site_of[k]]
        if k < n_compartments:
            column = states[:, k]
            pivot, driven = advance(column, now, new, dens[:, k], 0, pivot, capacitance[k], h)
            right = right + driven
        diagonal[k] = pivot
        rhs[k] = right
    solve_across(thread, threads, graph, levels, coupling, diagonal, off, rhs)
    inverse_theta = 1.0 / theta
    for k in range(thread, n_compartments, threads):
        before = states[now, k]
        states[new, k] = before + (rhs[k] - before) * inverse_theta
    cuda.syncthreads()


@kernel
def forward_across(
    n_steps, sizes, keeping, graph, levels, base, coupling, capacitance, theta, clock, drive, dens, recorded, initial_state,
    states, checkpoints, diagonal, off, rhs, injected, records, diverged,
):  # fmt: skip
    """Simulates; as ``forward``, with a block per simulation."""
    simulation, thread, threads = cuda.blockIdx.x, cuda.threadIdx.x, cuda.blockDim.x
    n_compartments, n_variables, n_channels = sizes
    kept, every, n_checkpoints = keeping
    step_ms, first_step_ms, stride = clock
    currents, changes, site_of, changed = drive[3], drive[4], drive[5], graph[10]
    n_stimuli = currents.shape[2]
    candidate, stimulus = simulation // n_stimuli, simulation % n_stimuli
    column = candidate if base.shape[0] > 1 else 0
    my_base, my_coupling, my_capacitance = base[column], coupling[column], capacitance[column]
    my_dens, my_states, my_checkpoints = dens[candidate], states[simulation], checkpoints[simulation]
    my_diagonal, my_rhs, my_injected = diagonal[simulation], rhs[simulation], injected[simulation]
    my_off = my_coupling
    if changed.size > 0:
        my_off = off[simulation]
        for e in range(thread, coupling.shape[1], threads):
            my_off[e] = my_coupling[e]
    for k in range(thread, n_compartments, threads):
        for g in range(n_variables):
            my_states[g, k] = initial_state[g]
    for r in range(thread, recorded.size, threads):
        records[simulation, 0, r] = initial_state[0]
    now = 0
    for s in range(n_steps):
        new = now + n_variables if kept else now
        if s % every == 0 and s // every < n_checkpoints:
            for k in range(thread, n_compartments, threads):
                for g in range(n_variables):
                    my_checkpoints[s // every * n_variables + g, k] = my_states[now + g, k]
        if changes[s]:
            inject_across(s, thread, threads, drive, stimulus, my_injected)
        cuda.syncthreads()
        step_across(
            now, new, first_step_ms if s == 0 else step_ms, thread, threads, sizes, graph, levels, my_base, my_coupling,
            my_capacitance, theta, site_of, my_dens, my_states, my_diagonal, my_off, my_rhs, my_injected,
        )  # fmt: skip
        if (s + 1) % stride == 0 and (s + 1) // stride < records.shape[1]:
            for r in range(thread, recorded.size, threads):
                records[simulation, (s + 1) // stride, r] = my_states[new, recorded[r]]
        now = new
    bad = 0
    for k in range(thread, n_compartments, threads):
        # written so that a NaN counts as out of range
        if not (-VOLTAGE_LIMIT < my_states[now, k] < VOLTAGE_LIMIT):
            bad = 1
    bad = cuda.syncthreads_or(bad)
    if thread == 0:
        diverged[simulation] = bad != 0
    if bad != 0:
        for k in range(records.shape[1]):
            for r in range(thread, recorded.size, threads):
                records[simulation, k, r] = math.nan


@device
def passive_bars_across(
    now, new, thread, threads, sizes, graph, theta, base, coupling, states, mu, solved, capacitance_bar, coupling_bar
):
    """One step's part of the adjoints of C / (theta dt) and of the axial conductances. ``solved`` is overwritten with V*."""
    n_compartments = sizes[0]
    order, start, column = graph[0], graph[1], graph[2]
    for k in range(thread, base.size, threads):
        solved[k] = 0.0
        if k < n_compartments:
            v = states[now, k]
            change = theta * (states[new, k] - v)
            solved[k] = v + change
            capacitance_bar[k] -= mu[k] * change
    cuda.syncthreads()
    if thread == 0:
        branch_voltages(graph, n_compartments, base, coupling, solved)
    cuda.syncthreads()
    for p in range(thread, order.size, threads):
        for e in range(start[p], start[p + 1]):
            i, j = order[p], column[e]
            coupling_bar[e] -= (mu[i] - mu[j]) * (solved[i] - solved[j])
    cuda.syncthreads()


@kernel
def adjoint_across(
    n_steps, sizes, keeping, graph, levels, base, coupling, capacitance, theta, clock, drive, dens, recorded,
    states, checkpoints, diagonal, off, rhs, injected, record_bar, volts_bar, gates_bar, dens_bar, passive, capacitance_bar,
    coupling_bar,
):  # fmt: skip
    """From dL/d records to dL/d densities; as ``adjoint``, with a block per simulation."""
    simulation, thread, threads = cuda.blockIdx.x, cuda.threadIdx.x, cuda.blockDim.x
    n_compartments, n_variables, n_channels = sizes
    kept, every, n_checkpoints = keeping
    step_ms, first_step_ms, stride = clock
    currents, changes, site_of, changed = drive[3], drive[4], drive[5], graph[10]
    n_stimuli = currents.shape[2]
    candidate, stimulus = simulation // n_stimuli, simulation % n_stimuli
    column = candidate if base.shape[0] > 1 else 0
    my_base, my_coupling, my_capacitance = base[column], coupling[column], capacitance[column]
    my_dens, my_states, my_checkpoints = dens[candidate], states[simulation], checkpoints[simulation]
    my_diagonal, my_rhs, my_injected = diagonal[simulation], rhs[simulation], injected[simulation]
    my_volts_bar, my_gates_bar, my_dens_bar = volts_bar[simulation], gates_bar[simulation], dens_bar[simulation]
    my_off = my_coupling
    if changed.size > 0:
        my_off = off[simulation]
        for e in range(thread, coupling.shape[1], threads):
            my_off[e] = my_coupling[e]
    for k in range(thread, n_compartments, threads):
        my_volts_bar[k] = 0.0
        for g in range(n_variables - 1):
            my_gates_bar[g, k] = 0.0
        for c in range(n_channels):
            my_dens_bar[c, k] = 0.0
    if passive:
        for k in range(thread, n_compartments, threads):
            capacitance_bar[simulation, k] = 0.0
        for e in range(thread, coupling.shape[1], threads):
            coupling_bar[simulation, e] = 0.0
    cuda.syncthreads()
    inverse_theta = 1.0 / theta
    for segment in range((n_steps + every - 1) // every - 1, -1, -1):
        begin = segment * every
        end = min(begin + every, n_steps)
        if not kept:
            for k in range(thread, n_compartments, threads):
                for g in range(n_variables):
                    my_states[g, k] = my_checkpoints[segment * n_variables + g, k]
            for s in range(begin, end):
                if s == begin or changes[s]:
                    inject_across(s, thread, threads, drive, stimulus, my_injected)
                cuda.syncthreads()
                step_across(
                    (s - begin) * n_variables, (s - begin + 1) * n_variables, first_step_ms if s == 0 else step_ms, thread,
                    threads, sizes, graph, levels, my_base, my_coupling, my_capacitance, theta, site_of, my_dens, my_states,
                    my_diagonal, my_off, my_rhs, my_injected,
                )  # fmt: skip
        for s in range(end - 1, begin - 1, -1):
            now, new = (s - begin) * n_variables, (s - begin + 1) * n_variables
            h = first_step_ms if s == 0 else step_ms
            if (s + 1) % stride == 0 and (s + 1) // stride < record_bar.shape[1]:
                for r in range(thread, recorded.size, threads):
                    my_volts_bar[recorded[r]] += record_bar[simulation, (s + 1) // stride, r]
                cuda.syncthreads()
            for k in range(thread, my_base.size, threads):
                pivot = my_base[k]
                right = 0.0 * pivot
                if k < n_compartments:
                    pivot = conductance(my_states[:, k], new, my_dens[:, k], 0, pivot)
                    right = my_volts_bar[k] * inverse_theta
                my_diagonal[k] = pivot
                my_rhs[k] = right
            solve_across(thread, threads, graph, levels, my_coupling, my_diagonal, my_off, my_rhs)
            for k in range(thread, n_compartments, threads):
                retreat_anew(
                    my_states[:, k], now, new, my_dens[:, k], 0, my_rhs[k], my_capacitance[k], theta, h,
                    my_volts_bar, k, my_gates_bar[:, k], 0, my_dens_bar[:, k],
                )  # fmt: skip
            cuda.syncthreads()
            if passive:
                passive_bars_across(
                    now, new, thread, threads, sizes, graph, theta, my_base, my_coupling, my_states, my_rhs, my_diagonal,
                    capacitance_bar[simulation], coupling_bar[simulation],
                )  # fmt: skip
