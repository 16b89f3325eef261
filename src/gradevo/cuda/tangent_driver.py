# ruff: noqa: F821, RUF059
# pyright: reportUndefinedVariable=false
"""The linearised steps of one candidate's simulations: derivatives of the voltages along many directions at once. As
kernels/tangent_driver.py, whose coefficients, sources and directions return; codegen.py puts this text into a module too.

Steps are linearised from states that a run has kept, all at once: a block of threads for each step of each simulation, which lies
across (across_driver.py). Then a thread walks one simulation along one direction. Arrays that it owns are [simulation, number,
direction], so that neighbouring threads read neighbouring addresses; what it multiplies with is the simulation's own, the same
address for all of them.
"""


@kernel
def linearise(
    begin, count, sizes, graph, levels, base, coupling, capacitance, theta, clock, dens, states, axial,
    coefficients, pivots, factors, scratch, sources,
):  # fmt: skip
    """Linearises steps ``begin`` to ``begin + count`` of every simulation.

    states [simulation, step and variable, compartment]. coefficients [simulation, step, compartment and 3 per gate] (kept and
    slope of every gate, then every drive), pivots [simulation, step, node] (reciprocals), factors [simulation, step, entry] and
    sources [simulation, step, ...] receive the steps; currents between nodes only where ``axial``. scratch [simulation, step,
    node].
    """
    simulation, step = cuda.blockIdx.x // count, cuda.blockIdx.x % count
    thread, threads = cuda.threadIdx.x, cuda.blockDim.x
    n_compartments, n_variables, n_channels = sizes
    step_ms, first_step_ms, stride = clock
    order, start, column = graph[0], graph[1], graph[2]
    level_start, level_step = levels
    per_compartment = 3 * (n_variables - 1)
    at_capacitance, at_axial = n_compartments * n_channels, n_compartments * (n_channels + 1)
    my_base, my_coupling, my_capacitance = base[0], coupling[0], capacitance[0]
    my_coefficients, my_sources = coefficients[simulation, step], sources[simulation, step]
    my_pivots, my_factors, my_scratch = pivots[simulation, step], factors[simulation, step], scratch[simulation, step]
    h = first_step_ms if begin + step == 0 else step_ms
    first = (begin + step) * n_variables
    # of two states; the gates that a step leaves are computed once more, and not written where others read
    two = cuda.local.array(TWO_STATES, real)
    for e in range(thread, my_factors.size, threads):
        my_factors[e] = my_coupling[e]
    for k in range(thread, my_base.size, threads):
        pivot = my_base[k]
        my_scratch[k] = 0.0
        if k < n_compartments:
            for i in range(2 * n_variables):
                two[i] = states[simulation, first + i, k]
            my_dens = dens[0, :, k]
            pivot, driven = advance_linearised(
                two, 0, n_variables, my_dens, 0, pivot, my_capacitance[k], h, my_coefficients, k * per_compartment
            )
            solved = two[0] + theta * (two[n_variables] - two[0])
            drive(two, n_variables, my_dens, 0, solved, my_coefficients, k * per_compartment, my_sources, k * n_channels)
            my_sources[at_capacitance + k] = two[0] - solved
            my_scratch[k] = solved
        my_pivots[k] = pivot
    cuda.syncthreads()
    if axial and thread == 0:
        branch_voltages(graph, n_compartments, my_base, my_coupling, my_scratch)
        for k in range(my_base.size):
            my_sources[at_axial + k] = 0.0
        for p in range(order.size):
            for e in range(start[p], start[p + 1]):
                i, j = order[p], column[e]
                current = my_coupling[e] * (my_scratch[i] - my_scratch[j])
                my_sources[at_axial + i] += current
                my_sources[at_axial + j] -= current
    cuda.syncthreads()
    for level in range(level_start.size - 1):
        for q in range(level_start[level] + thread, level_start[level + 1], threads):
            p = level_step[q]
            eliminate(p, graph, my_pivots, my_factors, my_scratch, my_pivots[order[p]], 0.0)
        cuda.syncthreads()
    for p in range(thread, order.size, threads):
        for e in range(start[p], start[p + 1]):
            my_factors[e] = my_factors[e] * my_pivots[order[p]]


@kernel
def tangent_steps(
    begin, count, sizes, graph, capacitance, theta, stride, recorded, coefficients, pivots, factors, sources,
    entry_start, turn, source_of, weights, delta, rhs, jacobian,
):  # fmt: skip
    """Walks these steps along all directions: coefficients, pivots, factors and sources are those of ``linearise``.

    Entries entry_start[d] to entry_start[d + 1] of (turn, source_of, weights) are direction d's, in the order of elimination:
    each adds a weighted source to the right-hand side of the turn-th node. delta [simulation, compartment and variable,
    direction] is carried on, from zero at step 0; rhs [simulation, node, direction] is scratch. jacobian [simulation, sample,
    recorded, direction] receives dV at the samples that fall into these steps.
    """
    n_directions = delta.shape[2]
    blocks = (n_directions + cuda.blockDim.x - 1) // cuda.blockDim.x
    simulation = cuda.blockIdx.x // blocks
    direction = cuda.blockIdx.x % blocks * cuda.blockDim.x + cuda.threadIdx.x
    if direction >= n_directions:
        return
    order, start, column, gather, gather_entry, gather_node = graph[0], graph[1], graph[2], graph[3], graph[4], graph[5]
    n_compartments, n_variables, n_channels = sizes
    per_compartment = 3 * (n_variables - 1)
    my_capacitance = capacitance[0]
    my_delta, my_rhs = delta[simulation, :, direction], rhs[simulation, :, direction]
    inverse_theta = 1.0 / theta
    if begin == 0:
        for i in range(delta.shape[1]):
            store(my_delta, i, 0.0)
        for i in range(rhs.shape[1]):
            store(my_rhs, i, 0.0)
    row = 0
    for step in range(count):
        my_coefficients, my_sources = coefficients[simulation, step], sources[simulation, step]
        my_pivots, my_factors = pivots[simulation, step], factors[simulation, step]
        entry = entry_start[direction]
        for p in range(order.size):
            k = order[p]
            first, last = gather[p], gather[p + 1]
            # a leaf takes nothing from its own row, which is finite
            factor, child = 0.0 * theta, k
            if first < last:
                factor, child = load(my_factors, gather_entry[first]), gather_node[first]
            if k < n_compartments:
                tangent(
                    my_coefficients, k * per_compartment, my_delta, k * n_variables, my_rhs, k, 1, load(my_capacitance, k),
                    factor, child,
                )  # fmt: skip
            else:
                store(my_rhs, k, -factor * load(my_rhs, child))
            right = load(my_rhs, k)
            for g in range(first + 1, last):
                right = right - load(my_factors, gather_entry[g]) * load(my_rhs, gather_node[g])
            while entry < entry_start[direction + 1] and turn[entry] == p:
                right = right + weights[entry] * load(my_sources, source_of[entry])
                entry += 1
            store(my_rhs, k, right)
        for p in range(order.size - 1, -1, -1):
            k = order[p]
            right = load(my_rhs, k) * load(my_pivots, k)
            for e in range(start[p], start[p + 1]):
                right = right - load(my_factors, e) * load(my_rhs, column[e])
            store(my_rhs, k, right)
            if k < n_compartments:
                before = load(my_delta, k * n_variables)
                store(my_delta, k * n_variables, before + (right - before) * inverse_theta)
        if (begin + step + 1) % stride == 0 and row < jacobian.shape[1]:
            for r in range(recorded.size):
                jacobian[simulation, row, r, direction] = load(my_delta, recorded[r] * n_variables)
            row += 1
