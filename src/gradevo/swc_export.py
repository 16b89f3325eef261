"""Neurons written as SWC files, so that reading them again gives the same sections."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from gradevo.morphology import Cable, Morphology
from gradevo.morphology.base import BASAL, SOMA
from gradevo.morphology.frusta import arc_um
from gradevo.neuron import Neuron
from gradevo.result import write_aside


def write_swc(neuron: Neuron | Morphology, path: str | Path) -> None:
    """The geometry as SWC; the root section is written as the soma.

    What ``read_morphology`` reads again has the same areas and couplings, if it is cut into the same compartments, for neurons
    that were read from a file and for cylinders of one diameter. Where the diameter jumps (between the cylinders of a tapering
    section, and from a section to a thinner child) SWC has a step, and its ring counts as membrane when it is read.
    Coupling that was given directly is not part of the format.

    Raises:
        ValueError: for a neuron that is not one tree: SWC cannot hold a cycle, and separate parts are no neuron.
    """
    morphology = neuron.morphology if isinstance(neuron, Neuron) else neuron
    # SWC attaches to points only: what is coupled directly follows end on end
    cables = morphology.cables or tuple(replace(cable, parent_x=1.0) for cable in tree_of_compartments(morphology))
    if sum(cable.parent < 0 for cable in cables) != 1:
        raise ValueError("the neuron has several separate parts; SWC holds one tree: export them one by one")
    first = np.concatenate([[0], np.cumsum([cable.compartments for cable in cables])])
    points = [_points(morphology, cable, int(first[i])) for i, cable in enumerate(cables)]
    rows: list[tuple[int, np.ndarray, int]] = []
    # the rows that a section's children are attached to at 0, 1/2 and 1
    anchors: dict[int, dict[float, int]] = {}
    soma_children: dict[int, int] = {}
    for index in _order(cables):
        cable, own = cables[index], points[index]
        if cable.parent < 0:
            if any(c.parent == index and c.parent_x == 0.5 for c in cables):
                own = _with_middle(own)
            at = -1
        else:
            parent = cables[cable.parent]
            at = anchors[cable.parent][cable.parent_x]
            on_soma, dendrite = parent.kind == SOMA or cable.parent == 0, cable.kind != SOMA
            # exactly the wires that a reader leaves out (see morphology/swc.py)
            wire = on_soma and dendrite and (cable.parent_x == 0.5 or soma_children.get(at, 0) > 1)
            before = rows[at - 1][1]
            begins_there = np.array_equal(own[0, :3], before[:3]) and own[0, 3] == (own[1, 3] if on_soma else before[3])
            if begins_there and not wire:
                own = own[1:]
        kind = SOMA if cable.parent < 0 else cable.kind
        start = len(rows) + 1
        for k, point in enumerate(own):
            rows.append((kind, point, at if k == 0 else len(rows)))
        if kind == SOMA and at > 0:
            soma_children[at] = soma_children.get(at, 0) + 1
        if kind == SOMA:
            for row in range(start, len(rows)):
                soma_children[row] = 1
        root_like = cable.parent < 0 or cables[cable.parent].kind == SOMA or cable.parent == 0
        middle = start + _middle_index(own)
        anchors[index] = {0.0: start if root_like else at, 0.5: middle, 1.0: len(rows)}
    lines = [f"{n} {kind} {x:.9g} {y:.9g} {z:.9g} {0.5 * d:.9g} {at}" for n, (kind, (x, y, z, d), at) in enumerate(rows, start=1)]
    text = "# written by gradevo: n type x y z radius parent, um\n" + "\n".join(lines) + "\n"
    write_aside(path, lambda temporary: temporary.write_text(text))


def tree_of_compartments(morphology: Morphology) -> tuple[Cable, ...]:
    """Where coupling was given directly: every compartment a section of its own, attached to its neighbour's middle.

    Raises:
        ValueError: if the couplings have a cycle.
    """
    parents = morphology.parents
    if len(morphology.edges) != int((parents >= 0).sum()) or morphology.n_nodes != len(parents):
        raise ValueError("the neuron's couplings have a cycle; SWC files and NEURON's sections hold trees only")
    if (parents >= np.arange(len(parents))).any():
        raise ValueError("the neuron's compartments are not numbered from the root outwards; renumber its adjacency matrix")
    return tuple(Cable(int(p), 1.0 if p < 0 else 0.5, 1, SOMA if p < 0 else BASAL) for p in parents)


def _points(morphology: Morphology, cable: Cable, first: int) -> np.ndarray:
    """[k, 4] um; two for each cylinder, without repetition where the diameter goes on."""
    if cable.points_um is not None:
        return cable.points_um
    members = slice(first, first + cable.compartments)
    diameter = morphology.diameters_um[members, None]
    starts = np.hstack([morphology.start_um[members], diameter])
    ends = np.hstack([morphology.end_um[members], diameter])
    points = np.stack([starts, ends], axis=1).reshape(-1, 4)
    new = np.ones(len(points), dtype=bool)
    new[1:] = ~np.isclose(points[1:], points[:-1], rtol=1e-9, atol=1e-9).all(axis=1)
    return points[new]


def _with_middle(points: np.ndarray) -> np.ndarray:
    """At least one point between the ends, for children of the middle."""
    if len(points) > 2:
        return points
    return np.stack([points[0], points.mean(axis=0), points[1]])


def _middle_index(points: np.ndarray) -> int:
    """The inner point nearest to the middle."""
    if len(points) < 3:
        return 0
    arc = arc_um(points)
    return 1 + int(np.argmin(np.abs(arc[1:-1] - 0.5 * arc[-1])))


def _order(cables: tuple[Cable, ...]) -> list[int]:
    """Parents first, then the rest of the soma, and an only child not straight after its parent where that can be avoided: a
    reader would join them. What has most generations below it comes first, so that ends are left to come between.
    """
    children: dict[int, list[int]] = {}
    generations = [0] * len(cables)
    for i, cable in reversed(list(enumerate(cables))):
        children.setdefault(cable.parent, []).insert(0, i)
        if cable.parent >= 0:
            generations[cable.parent] = max(generations[cable.parent], generations[i] + 1)
    order: list[int] = []
    ready = children[-1]
    while ready:
        ready.sort(key=lambda i: (cables[i].kind != SOMA, -generations[i]))
        chosen = ready[0]
        if order:
            ends_here = [i for i in children.get(order[-1], []) if cables[i].parent_x == 1.0]
            only = ends_here[0] if len(ends_here) == 1 and cables[ends_here[0]].kind == cables[order[-1]].kind else None
            chosen = next((i for i in ready if i != only), chosen)
        order.append(chosen)
        ready.remove(chosen)
        ready += children.get(chosen, [])
    return order
