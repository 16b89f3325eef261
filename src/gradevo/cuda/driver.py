# ruff: noqa: F821, RUF059
# pyright: reportUndefinedVariable=false
"""The loops of one thread, which walks one simulation through all its steps, forwards and backwards. The scheme, its adjoint and
the names ``graph`` and ``clock`` are those of kernels/driver.py; codegen.py puts this text into a module with the rest.

Thread k computes simulation k: candidate k // stimuli under stimulus k % stimuli. Arrays that a thread owns are
[number, simulation]; those of a candidate, or shared by all, are [number, candidate or 1]. Rows are counted as in the CPU's
kernels. Names that return:

sizes
    (compartments, variables of a compartment, channels)
keeping
    (kept, every, checkpoints): whether every state is kept, in slot s before step s; if not, there is one slot, and each step
    overwrites it; of ``checkpoints`` states, the first before every ``every``-th step, copies are made.
drive
    (step_start, step_piece, step_weight, currents [piece, site, stimulus], changes [step], site_of [node]): ``changes`` says
    whether a step's currents are other than the step's before, ``site_of`` which stimulated site a node is, or -1.
"""


@device
def inject(s, drive, stimulus, injected):
    """The mean currents of step s into the stimulated sites."""
    step_start, step_piece, step_weight, currents, changes, site_of = drive
    for site in range(currents.shape[1]):
        mean = 0.0
        for i in range(step_start[s], step_start[s + 1]):
            mean += step_weight[i] * currents[step_piece[i], site, stimulus]
        store(injected, site, mean)


@device
def step(now, new, h, sizes, graph, base, coupling, capacitance, theta, site_of, dens, states, diagonal, off, rhs, injected):
    """From the state at row ``now`` to the one at row ``new``, which may be the same."""
    n_compartments, n_variables, n_channels = sizes
    order, changed = graph[0], graph[10]
    for i in range(changed.size):
        store(off, changed[i], load(coupling, changed[i]))
    for p in range(order.size):
        k = order[p]
        pivot = load(base, k)
        right = 0.0 * pivot
        if site_of[k] >= 0:
            right = load(injected, site_of[k])
        if k < n_compartments:
            at = k * n_variables
            pivot, driven = advance(states, now + at, new + at, dens, k * n_channels, pivot, load(capacitance, k), h)
            right = right + driven
        eliminate(p, graph, diagonal, off, rhs, pivot, right)
    inverse_theta = 1.0 / theta
    for p in range(order.size - 1, -1, -1):
        k = order[p]
        solved = substitute(p, graph, diagonal, off, rhs)
        if k < n_compartments:
            before = load(states, now + k * n_variables)
            store(states, new + k * n_variables, before + (solved - before) * inverse_theta)


@kernel
def forward(
    n_steps, sizes, keeping, graph, base, coupling, capacitance, theta, clock, drive, dens, recorded, initial_state,
    states, checkpoints, diagonal, off, rhs, injected, records, diverged,
):  # fmt: skip
    """Simulates. records [simulation, sample, site] mV, NaN where it diverged; diverged [simulation]. ``off`` has a row per entry
    where elimination changes entries, else it is not looked at."""
    simulation = cuda.grid(1)
    if simulation >= diverged.size:
        return
    n_compartments, n_variables, n_channels = sizes
    kept, every, n_checkpoints = keeping
    step_ms, first_step_ms, stride = clock
    currents, changes, site_of, changed = drive[3], drive[4], drive[5], graph[10]
    n_stimuli = currents.shape[2]
    candidate, stimulus = simulation // n_stimuli, simulation % n_stimuli
    column = candidate if base.shape[1] > 1 else 0
    my_base, my_coupling, my_capacitance = base[:, column], coupling[:, column], capacitance[:, column]
    my_dens, my_states, my_checkpoints = dens[:, candidate], states[:, simulation], checkpoints[:, simulation]
    my_diagonal, my_rhs, my_injected = diagonal[:, simulation], rhs[:, simulation], injected[:, simulation]
    my_off = my_coupling
    if changed.size > 0:
        my_off = off[:, simulation]
        for e in range(coupling.shape[0]):
            store(my_off, e, load(my_coupling, e))
    per_state = n_compartments * n_variables
    for c in range(n_compartments):
        for g in range(n_variables):
            store(my_states, c * n_variables + g, initial_state[g])
    for r in range(recorded.size):
        records[simulation, 0, r] = initial_state[0]
    now = 0
    for s in range(n_steps):
        new = now + per_state if kept else now
        if s % every == 0 and s // every < n_checkpoints:
            for i in range(per_state):
                store(my_checkpoints, s // every * per_state + i, load(my_states, now + i))
        if changes[s]:
            inject(s, drive, stimulus, my_injected)
        step(
            now, new, first_step_ms if s == 0 else step_ms, sizes, graph, my_base, my_coupling, my_capacitance, theta, site_of,
            my_dens, my_states, my_diagonal, my_off, my_rhs, my_injected,
        )  # fmt: skip
        if (s + 1) % stride == 0 and (s + 1) // stride < records.shape[1]:
            for r in range(recorded.size):
                records[simulation, (s + 1) // stride, r] = load(my_states, new + recorded[r] * n_variables)
        now = new
    bad = False
    for c in range(n_compartments):
        last = load(my_states, now + c * n_variables)
        # written so that a NaN counts as out of range
        if not (-VOLTAGE_LIMIT < last < VOLTAGE_LIMIT):
            bad = True
    diverged[simulation] = bad
    if bad:
        for k in range(records.shape[1]):
            for r in range(recorded.size):
                records[simulation, k, r] = math.nan


@kernel
def adjoint(
    n_steps, sizes, keeping, graph, base, coupling, capacitance, theta, clock, drive, dens, recorded,
    states, checkpoints, diagonal, off, rhs, injected, record_bar, volts_bar, gates_bar, dens_bar, passive, capacitance_bar,
    coupling_bar,
):  # fmt: skip
    """From dL/d records [simulation, sample, site] 1/mV to dL/d densities, simulation by simulation.

    Where not every state was kept, each segment is run again from its checkpoint into ``states``, which has a slot per step of a
    segment and one more. dens_bar [compartment and channel, simulation] 1/uS; where ``passive``, capacitance_bar [compartment,
    simulation] and coupling_bar [entry, simulation] too. All are set here.
    """
    simulation = cuda.grid(1)
    if simulation >= record_bar.shape[0]:
        return
    n_compartments, n_variables, n_channels = sizes
    kept, every, n_checkpoints = keeping
    step_ms, first_step_ms, stride = clock
    currents, changes, site_of, order, changed = drive[3], drive[4], drive[5], graph[0], graph[10]
    n_stimuli = currents.shape[2]
    candidate, stimulus = simulation // n_stimuli, simulation % n_stimuli
    column = candidate if base.shape[1] > 1 else 0
    my_base, my_coupling, my_capacitance = base[:, column], coupling[:, column], capacitance[:, column]
    my_dens, my_states, my_checkpoints = dens[:, candidate], states[:, simulation], checkpoints[:, simulation]
    my_diagonal, my_rhs, my_injected = diagonal[:, simulation], rhs[:, simulation], injected[:, simulation]
    my_volts_bar, my_gates_bar, my_dens_bar = volts_bar[:, simulation], gates_bar[:, simulation], dens_bar[:, simulation]
    my_capacitance_bar, my_coupling_bar = my_volts_bar, my_volts_bar
    my_off = my_coupling
    if changed.size > 0:
        my_off = off[:, simulation]
        for e in range(coupling.shape[0]):
            store(my_off, e, load(my_coupling, e))
    n_gates = n_variables - 1
    per_state = n_compartments * n_variables
    for i in range(n_compartments * n_channels):
        store(my_dens_bar, i, 0.0)
    for i in range(n_compartments):
        store(my_volts_bar, i, 0.0)
    for i in range(n_compartments * n_gates):
        store(my_gates_bar, i, 0.0)
    if passive:
        my_capacitance_bar, my_coupling_bar = capacitance_bar[:, simulation], coupling_bar[:, simulation]
        for i in range(n_compartments):
            store(my_capacitance_bar, i, 0.0)
        for e in range(coupling.shape[0]):
            store(my_coupling_bar, e, 0.0)
    inverse_theta = 1.0 / theta
    for segment in range((n_steps + every - 1) // every - 1, -1, -1):
        begin = segment * every
        end = min(begin + every, n_steps)
        if not kept:
            for i in range(per_state):
                store(my_states, i, load(my_checkpoints, segment * per_state + i))
            for s in range(begin, end):
                if s == begin or changes[s]:
                    inject(s, drive, stimulus, my_injected)
                step(
                    (s - begin) * per_state, (s - begin + 1) * per_state, first_step_ms if s == 0 else step_ms, sizes, graph,
                    my_base, my_coupling, my_capacitance, theta, site_of, my_dens, my_states, my_diagonal, my_off, my_rhs,
                    my_injected,
                )  # fmt: skip
        for s in range(end - 1, begin - 1, -1):
            now, new = (s - begin) * per_state, (s - begin + 1) * per_state
            h = first_step_ms if s == 0 else step_ms
            if (s + 1) % stride == 0 and (s + 1) // stride < record_bar.shape[1]:
                for r in range(recorded.size):
                    added = load(my_volts_bar, recorded[r]) + record_bar[simulation, (s + 1) // stride, r]
                    store(my_volts_bar, recorded[r], added)
            for i in range(changed.size):
                store(my_off, changed[i], load(my_coupling, changed[i]))
            for p in range(order.size):
                k = order[p]
                pivot = load(my_base, k)
                right = 0.0 * pivot
                if k < n_compartments:
                    pivot = conductance(my_states, new + k * n_variables, my_dens, k * n_channels, pivot)
                    right = load(my_volts_bar, k) * inverse_theta
                eliminate(p, graph, my_diagonal, my_off, my_rhs, pivot, right)
            for p in range(order.size - 1, -1, -1):
                k = order[p]
                mu = substitute(p, graph, my_diagonal, my_off, my_rhs)
                if k < n_compartments:
                    at = k * n_variables
                    retreat_anew(
                        my_states, now + at, new + at, my_dens, k * n_channels, mu, load(my_capacitance, k), theta, h,
                        my_volts_bar, k, my_gates_bar, k * n_gates, my_dens_bar,
                    )  # fmt: skip
            if passive:
                passive_bars(
                    graph, my_states, now, new, n_variables, n_compartments, theta, my_base, my_coupling, my_rhs, my_diagonal,
                    my_capacitance_bar, my_coupling_bar,
                )  # fmt: skip


@kernel
def take_in(values, row, factor, across, inside):
    """inside[row[i], candidate], or the other way round where ``across``, = values[candidate, i] factor[i]: a thread per
    candidate and i."""
    k = cuda.grid(1)
    if k < values.size:
        candidate, i = k // row.size, k % row.size
        value = values[candidate, i] * factor[i]
        if across:
            inside[candidate, row[i]] = value
        else:
            inside[row[i], candidate] = value


@kernel
def sum_over_stimuli(inside, diverged, row, factor, across, out):
    """out[candidate, i] = factor[i] times the sum of inside[row[i], simulation], or the other way round where ``across``, over
    the candidate's simulations, less those that diverged: in float64, one stimulus after the other, as on the CPU."""
    k = cuda.grid(1)
    if k < out.size:
        candidate, i = k // row.size, k % row.size
        n_stimuli = diverged.size // out.shape[0]
        total = np.float64(0)
        for simulation in range(candidate * n_stimuli, (candidate + 1) * n_stimuli):
            if not diverged[simulation]:
                total += inside[simulation, row[i]] if across else inside[row[i], simulation]
        out[candidate, i] = total * factor[i]
