"""What a plan has on the device, whatever the densities: made once for each plan, and kept as long as the plan is."""

from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from gradevo.cuda.arrays import Arrays
from gradevo.cuda.levels import levels
from gradevo.kernels.plan import Passive, Plan
from gradevo.units import UF_PER_CM2_UM2_TO_NF


class Constants(NamedTuple):
    """graph, levels if across, the matrix of the neuron's own passive properties, drive, recorded, where densities lie and their
    factors (`densities_in`), and the initial state."""

    graph: tuple[Any, ...]
    levels: tuple[Any, ...]
    matrix: tuple[Any, ...]
    drive: tuple[Any, ...]
    recorded: Any
    row: Any
    factor: Any
    initial_state: Any


_constants: WeakKeyDictionary[Plan, dict[tuple[str, bool, type], Constants]] = WeakKeyDictionary()


def constants_of(plan: Plan, arrays: Arrays, across: bool, dtype: type) -> Constants:
    """Made once, and kept as long as the plan is."""
    known = _constants.setdefault(plan, {})
    key = (arrays.place, across, dtype)
    if key not in known:
        row, factor = densities_in(plan, across)

        def integers(values: np.ndarray) -> Any:
            return arrays.take(values, np.int64)

        known[key] = Constants(
            graph=tuple(integers(a) for a in plan.elimination.graph),
            levels=tuple(integers(a) for a in levels(plan.elimination)) if across else (),
            matrix=tuple(arrays.take(a.T if across else a, dtype) for a in matrix_of(plan, plan.own_passive)),
            drive=_drive(plan, arrays),
            recorded=integers(plan.recorded),
            row=integers(row),
            factor=arrays.take(factor, np.float64),
            initial_state=arrays.take(plan.initial_state, dtype),
        )
    return known[key]


def compartment_rows(plan: Plan, across: bool) -> np.ndarray:
    """[channels, compartments] where densities lie: compartment by compartment side by side, channel by channel across."""
    n_compartments, channels = plan.neuron.n_compartments, np.arange(len(plan.neuron.channel_names))[:, None]
    place = plan.place[:n_compartments]
    return channels * n_compartments + place if across else place * channels.size + channels


def densities_in(plan: Plan, across: bool) -> tuple[np.ndarray, np.ndarray]:
    """Rows and factors (S/cm2 to uS) of densities [channels x compartments]."""
    return compartment_rows(plan, across).reshape(-1), np.tile(plan.to_uS, len(plan.neuron.channel_names))


def matrix_of(plan: Plan, passive: Passive) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The voltage matrix without channels (diagonal, entries, C / (theta dt)), [number, candidate or 1]."""
    m, p = plan.neuron.morphology, plan.protocol
    n, edges = m.n_compartments, plan.place[m.edges]
    capacity = (passive.capacitance_uF_cm2 * m.areas_um2 * UF_PER_CM2_UM2_TO_NF / (p.implicitness * p.step_ms)).T
    conductances = passive.conductances_uS.T
    base = np.zeros((plan.elimination.n_rows, capacity.shape[1]))
    base[plan.place[:n]] = capacity
    for column in (0, 1):
        np.add.at(base, edges[:, column], conductances)
    entries = np.zeros((max(plan.elimination.column.size, 1), capacity.shape[1]))
    np.subtract.at(entries, plan.elimination.entry_of_edge, conductances)
    inside = np.empty((n, capacity.shape[1]))
    inside[plan.place[:n]] = capacity
    return base, entries, inside


def _drive(plan: Plan, arrays: Arrays) -> tuple[Any, ...]:
    """What the kernels call ``drive``."""
    step_start, step_piece, step_weight, currents, stimulated = plan.drive
    # a step whose current is one whole piece, the same as the step's before, needs no new one
    first = step_start[:-1]
    single = (np.diff(step_start) == 1) & (np.append(step_weight, 0.0)[first] == 1.0)
    piece = np.append(step_piece, -1)[first]
    changes = np.ones(first.size, dtype=np.bool_)
    changes[1:] = ~(single[1:] & single[:-1] & (piece[1:] == piece[:-1]))
    site_of = np.full(plan.elimination.n_rows, -1)
    site_of[stimulated] = np.arange(stimulated.size)
    return (
        arrays.take(step_start, np.int64), arrays.take(step_piece, np.int64), arrays.take(step_weight, np.float64),
        arrays.take(currents, np.float64), arrays.take(changes, np.uint8), arrays.take(site_of, np.int64),
    )  # fmt: skip
