"""SWC files, cut into sections as NEURON's Import3d cuts them.

They are read here and not through MorphIO: it drops to which point of the soma a dendrite is attached, and merges a section
with its only child, and NEURON's rules (read_swc.hoc) rest on both.
"""

import heapq
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gradevo.morphology.base import SOMA, Cable
from gradevo.morphology.soma import sphere_to_points


@dataclass(frozen=True, eq=False)
class _Points:
    """Points with parents before children: kinds [n] as in the file, xyz and diameter [n, 4] um, parent index [n]."""

    kinds: np.ndarray
    xyzd: np.ndarray
    parents: np.ndarray


def read_swc(path: str | Path) -> list[Cable]:
    """The file's sections, parents first. Sections are runs of points of one kind between branch points.

    Raises:
        FileNotFoundError, or ValueError naming the point: for a line that is not seven numbers, a radius or coordinate that is
        not positive and finite, a number that is used twice, a parent that does not exist, a cycle, more than one root, no
        soma, or a root that is not part of it.
    """
    points = _parse(Path(path))
    kinds, parents = points.kinds, points.parents.copy()
    n = len(parents)
    children, to_start = _count_children(kinds, parents)
    soma_children = np.bincount(parents[(parents >= 0) & (kinds == SOMA)], minlength=n)
    sphere = _is_three_point_sphere(points, children)
    if sphere:
        parents[2] = 1
    for i in range(n - 1):
        soma_run = kinds[i] == SOMA and kinds[i + 1] == SOMA and parents[i + 1] == i
        if soma_run and not (i != 0 and soma_children[i] > 1):
            children[i] = 1
    ends = np.flatnonzero(children != 1)
    section_of = np.searchsorted(ends, np.arange(n))
    starts = np.concatenate([[0], ends[:-1] + 1])
    soma = points.xyzd[0 : 1 if sphere else ends[0] + 1]
    cables = [Cable(-1, 1.0, 1, SOMA, sphere_to_points(soma[0]) if len(soma) == 1 else soma)]
    for index in range(1, len(ends)):
        first, end = int(starts[index]), int(ends[index]) + 1
        p = int(parents[first])
        parent = int(section_of[p])
        own = end - first
        dendrite = kinds[first] != SOMA
        on_soma = kinds[starts[parent]] == SOMA
        x, skip_wire = 1.0, False
        single = parent == 0 and len(soma) == 1
        if single and dendrite:
            x, skip_wire = 0.5, own > 1
        elif parent == 0 and p == 0:
            x, skip_wire = 0.0, bool(dendrite and soma_children[0] > 1)
        elif on_soma and p < ends[parent]:
            x, skip_wire = 0.5, bool(dendrite and own > 1)
        elif on_soma and own > 1 and soma_children[p] > 1:
            skip_wire = bool(dendrite)
        if to_start[first]:
            x = 0.0
        xyzd = points.xyzd[[p, *range(first, end)]]
        if on_soma and dendrite:
            # a dendrite does not begin with the soma's diameter
            xyzd[0, 3] = xyzd[1, 3]
        cables.append(Cable(parent, x, 1, int(kinds[first]), xyzd[skip_wire:]))
    return _without_stubs(cables)


def _count_children(kinds: np.ndarray, parents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A section ends at a point whose number of children [n], in NEURON's count, is not exactly 1: a child that does not follow
    in the file counts 1.01, and a change of kind adds 0.01. Also which points [n] are attached to their parent section's
    beginning: branches from the first point of a dendrite whose own wire leads to the soma.
    """
    children = np.zeros(len(parents))
    to_start = np.zeros(len(parents), dtype=bool)
    for i, p in enumerate(parents.tolist()):
        if p < 0:
            continue
        children[p] += 1
        if p != i - 1:
            children[p] += 0.01
            if p > 1 and kinds[p] != SOMA and kinds[parents[p]] == SOMA and parents[p + 1] == p:
                to_start[i] = True
                children[p] = 1
        if kinds[p] != kinds[i]:
            children[p] += 0.01
    return children, to_start


def _is_three_point_sphere(points: _Points, children: np.ndarray) -> bool:
    """NeuroMorpho.org's soma: the centre, and one point a radius to each side, all of one diameter."""
    if (points.kinds == SOMA).sum() != 3 or len(points.parents) < 3:
        return False
    xyz, diameter = points.xyzd[:, :3], points.xyzd[:, 3]
    if points.parents[1] != 0 or points.parents[2] != 0 or children[1] or children[2]:
        return False
    span = np.linalg.norm(xyz[1] - xyz[0]) + np.linalg.norm(xyz[2] - xyz[0])
    return bool(diameter[1] == diameter[0] == diameter[2] and abs(span / diameter[0] - 1) < 0.01)


def _without_stubs(cables: list[Cable]) -> list[Cable]:
    """Without sections of a single point, or of two at one place; their children move to where they were attached."""

    def is_stub(cable: Cable) -> bool:
        xyz = np.asarray(cable.points_um)[:, :3]
        return cable.parent >= 0 and (len(xyz) < 2 or (len(xyz) == 2 and np.allclose(xyz[0], xyz[1], rtol=0, atol=1e-11)))

    stubs = [is_stub(cable) for cable in cables]
    index = np.cumsum(~np.array(stubs)) - 1
    kept = []
    for cable in cables:
        parent, x = cable.parent, cable.parent_x
        while parent >= 0 and stubs[parent]:
            parent, x = cables[parent].parent, cables[parent].parent_x
        kept.append(replace(cable, parent=int(index[parent]) if parent >= 0 else -1, parent_x=x))
    return [cable for cable, stub in zip(kept, stubs, strict=True) if not stub]


def _parse(path: Path) -> _Points:
    if not path.is_file():
        raise FileNotFoundError(f"no morphology file {path}")
    rows: dict[int, list[float]] = {}
    for line_number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1):
        words = line.split("#")[0].split()
        if not words:
            continue
        try:
            row = [float(word) for word in words[:7]]
            number = int(words[0])
        except ValueError:
            row, number = [], 0
        if len(row) < 7:
            raise ValueError(
                f"{path} line {line_number} is {line.strip()!r}; an SWC line is seven numbers: n type x y z radius parent"
            )
        if not np.isfinite(row).all():
            raise ValueError(f"{path}: point {number} (line {line_number}) holds a value that is not finite; correct it")
        if not row[5] > 0:
            raise ValueError(
                f"{path}: point {number} (line {line_number}) has radius {row[5]:g}; it must be positive: measure it, or "
                "remove the point and attach its children to its parent"
            )
        if number in rows:
            raise ValueError(f"{path}: point {number} (line {line_number}) appears twice; give every point its own number")
        rows[number] = row
    if not any(row[1] == SOMA for row in rows.values()):
        raise ValueError(f"{path} has no soma: no point is of type 1; mark the root as type 1, or add a soma point as the root")
    order = _parents_first(path, {number: int(row[6]) for number, row in rows.items()})
    table = np.array([rows[number] for number in order])
    position = {number: i for i, number in enumerate(order)}
    kinds = table[:, 1].astype(int)
    if kinds[0] != SOMA:
        raise ValueError(
            f"{path}: the root, point {order[0]}, is of type {kinds[0]}, not soma (1); make a soma point the root (parent -1)"
        )
    xyzd = table[:, 2:6] * np.array([1.0, 1.0, 1.0, 2.0])
    parents = np.array([position.get(int(parent), -1) for parent in table[:, 6]])
    return _Points(kinds, xyzd, parents)


def _parents_first(path: Path, parent_of: dict[int, int]) -> list[int]:
    """Point numbers with every parent before its children, and otherwise in their order."""
    children: dict[int, list[int]] = {}
    roots = []
    for number, parent in parent_of.items():
        if parent < 0:
            roots.append(number)
        elif parent not in parent_of:
            raise ValueError(f"{path}: point {number} names parent {parent}, which does not exist; correct it, or write -1")
        else:
            children.setdefault(parent, []).append(number)
    order, ready = [], list(roots[:1])
    while ready:
        number = heapq.heappop(ready)
        order.append(number)
        for child in children.get(number, []):
            heapq.heappush(ready, child)
    if len(roots) > 1:
        raise ValueError(
            f"{path} is disconnected: points {roots[0]} and {roots[1]} are both roots (parent -1); attach point {roots[1]} to "
            "the neuron, or remove it"
        )
    if len(order) < len(parent_of):
        number = next(iter(parent_of.keys() - set(order)))
        walk = []
        while number not in walk:
            walk.append(number)
            number = parent_of[number]
        cycle = " -> ".join(map(str, [*walk[walk.index(number) :], number]))
        raise ValueError(f"{path}: the parents of points {cycle} form a cycle; give one of them another parent")
    return order
