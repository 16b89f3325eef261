"""Compartments and what couples them. A Morphology is geometry only: channels join it in ``gradevo.neuron``.

The two halves of a compartment conduct axially; where sections meet there is a branch point, a node without capacitance, as in
NEURON. A neuron given as an adjacency matrix couples its compartments directly.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SOMA, AXON, BASAL, APICAL = 1, 2, 3, 4
"""What a cable is, in the codes of the SWC format (Cannon et al. 1998, J Neurosci Methods 84:49)."""


@dataclass(frozen=True, eq=False)
class Cable:
    """An unbranched section, and where it is attached.

    parent: index of the cable it is attached to, -1 for a root. parent_x: where on it; 0, 1/2 (its middle) or 1.
    compartments: how many equal lengths it is cut into. kind: a code of the SWC format.
    points_um: [k, 4] x, y, z and diameter of the frusta it was cut from; None where its compartments are cylinders.
    """

    parent: int
    parent_x: float
    compartments: int
    kind: int = BASAL
    points_um: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Morphology:
    """Immutable geometry of a neuron.

    parents: [n] compartment towards the soma, -1 for the root of each component.
    areas_um2, diameters_um, lengths_um: [n]; the diameter is the mean along the compartment.
    path_distance_um: [n] distance along the tree from the centre of the component's root.
    start_um, end_um: [n, 3] ends of each compartment, for drawing.
    edges: [E, 2] coupled nodes; nodes n and above are branch points. conductances_uS: [E].
    sections: [n] index of the unbranched section a compartment belongs to.
    axial_resistivity_ohm_cm: None where coupling was given directly.
    cables: the sections, by that index; empty where coupling was given directly.
    """

    parents: np.ndarray
    areas_um2: np.ndarray
    diameters_um: np.ndarray
    lengths_um: np.ndarray
    path_distance_um: np.ndarray
    start_um: np.ndarray
    end_um: np.ndarray
    edges: np.ndarray
    conductances_uS: np.ndarray
    n_nodes: int
    sections: np.ndarray
    axial_resistivity_ohm_cm: float | None
    cables: tuple[Cable, ...] = ()

    def __post_init__(self) -> None:
        for name in ("areas_um2", "diameters_um", "lengths_um", "conductances_uS"):
            values = getattr(self, name)
            bad = np.flatnonzero(~(np.isfinite(values) & (values > 0)))
            if bad.size:
                raise ValueError(f"{name}[{bad[0]}] is {values[bad[0]]}; it must be positive and finite")

    @property
    def n_compartments(self) -> int:
        return len(self.parents)


@dataclass(frozen=True, eq=False)
class Joined:
    """What follows from cables and the lengths and half resistances of their compartments; fields as in Morphology."""

    parents: np.ndarray
    path_distance_um: np.ndarray
    edges: np.ndarray
    conductances_uS: np.ndarray
    n_nodes: int
    sections: np.ndarray


def join(cables: Sequence[Cable], lengths_um: np.ndarray, left_mohm: np.ndarray, right_mohm: np.ndarray) -> Joined:
    """Couples compartments, numbered cable by cable, as NEURON does.

    Cables that end at one place share a branch point; a cable attached to a middle is coupled to that compartment's centre.
    left_mohm, right_mohm: [n] resistance of the two halves of each compartment. An end where only two halves meet needs no
    node: they are in series.
    """
    counts = [cable.compartments for cable in cables]
    first = np.concatenate([[0], np.cumsum(counts)])
    n = int(first[-1])
    parents = np.arange(-1, n - 1)
    distances = np.zeros(n)
    # cables attached to the centre, the right end and (roots only) the left end of a compartment
    places: dict[tuple[int, float], list[int]] = {}
    place_of: list[tuple[int, float]] = []
    for index, cable in enumerate(cables):
        c = int(first[index])
        place = (-1, 0.0)
        if cable.parent >= 0:
            # what is attached to the beginning of a section that has a parent meets that parent, too
            place = place_of[cable.parent] if cable.parent_x == 0 else (-1, 0.0)
            if cable.parent_x > 0:
                offset = counts[cable.parent] - 1 if cable.parent_x == 1 else counts[cable.parent] // 2
                place = (int(first[cable.parent]) + offset, cable.parent_x)
            elif place[0] < 0:
                place = (int(first[cable.parent]), 0.0)
            places.setdefault(place, []).append(c)
            q, x = place
            distances[c] = distances[q] + (0.0 if x == 0.5 else 0.5 * lengths_um[q]) + 0.5 * lengths_um[c]
        place_of.append(place)
        parents[c] = place[0]
        for k in range(c + 1, c + cable.compartments):
            distances[k] = distances[k - 1] + 0.5 * lengths_um[k - 1] + 0.5 * lengths_um[k]
    edges, resistances, n_nodes = [], [], n
    ends = set((first[1:] - 1).tolist())
    for p in range(n):
        for c in places.get((p, 0.5), []):
            edges.append((p, c))
            resistances.append(left_mohm[c])
        if p not in ends:
            edges.append((p, p + 1))
            resistances.append(right_mohm[p] + left_mohm[p + 1])
        for x, own_mohm in ((0.0, left_mohm[p]), (1.0, right_mohm[p])):
            children = places.get((p, x), [])
            if len(children) == 1:
                edges.append((p, children[0]))
                resistances.append(own_mohm + left_mohm[children[0]])
            elif children:
                edges += [(p, n_nodes)] + [(n_nodes, c) for c in children]
                resistances += [own_mohm] + [left_mohm[c] for c in children]
                n_nodes += 1
    return Joined(
        parents=parents,
        path_distance_um=distances,
        edges=np.array(edges, dtype=np.int64).reshape(-1, 2),
        conductances_uS=1.0 / np.array(resistances, dtype=float),
        n_nodes=n_nodes,
        sections=np.repeat(np.arange(len(cables)), counts),
    )


def positive(**values: float) -> None:
    """Raises ValueError naming the first argument that is not positive and finite."""
    for name, value in values.items():
        if not (np.isfinite(value) and value > 0):
            raise ValueError(f"{name} is {value}; it must be positive and finite")


def at_least_one(name: str, value: int) -> int:
    """The value itself. Raises ValueError if it is below 1."""
    if value < 1:
        raise ValueError(f"{name} is {value}; it must be 1 or more")
    return value
