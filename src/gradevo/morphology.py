"""Compartments and what couples them. A Morphology is geometry only: channels join it in ``gradevo.neuron``.

Compartments are cylinders. The two halves of a cylinder conduct axially; where sections meet there is a branch point, a node
without capacitance, as in NEURON. A neuron given as an adjacency matrix couples its compartments directly.
"""

from dataclasses import dataclass

import numpy as np

from gradevo.units import OHM_CM_PER_UM_TO_MOHM, S_PER_CM2_UM2_TO_US


@dataclass(frozen=True, eq=False)
class Morphology:
    """Immutable geometry of a neuron.

    parents: [n] compartment towards the soma, -1 for the root of each component.
    areas_um2, diameters_um, lengths_um: [n].
    path_distance_um: [n] distance along the tree from the centre of the component's root.
    start_um, end_um: [n, 3] ends of each compartment, for drawing.
    edges: [E, 2] coupled nodes; nodes n and above are branch points. conductances_uS: [E].
    sections: [n] index of the unbranched section a compartment belongs to.
    axial_resistivity_ohm_cm: None where coupling was given directly.
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

    def __post_init__(self) -> None:
        for name in ("areas_um2", "diameters_um", "lengths_um", "conductances_uS"):
            values = getattr(self, name)
            bad = np.flatnonzero(~(np.isfinite(values) & (values > 0)))
            if bad.size:
                raise ValueError(f"{name}[{bad[0]}] is {values[bad[0]]}; it must be positive and finite")

    @property
    def n_compartments(self) -> int:
        return len(self.parents)


@dataclass(frozen=True)
class Section:
    """An unbranched cable: its parent section (-1 for the root), end diameters and length in um, direction for drawing."""

    parent: int
    length_um: float
    proximal_um: float
    distal_um: float
    direction: tuple[float, float, float]
    compartments: int = 1


def positive(**values: float) -> None:
    """Raises ValueError naming the first argument that is not positive and finite."""
    for name, value in values.items():
        if not (np.isfinite(value) and value > 0):
            raise ValueError(f"{name} is {value}; it must be positive and finite")


def chain(
    compartments: int,
    *,
    coupling_S_cm2: float | None = None,
    length_um: float = 50.0,
    diameter_um: float = 2.0,
    axial_resistivity_ohm_cm: float = 100.0,
) -> Morphology:
    """An unbranched chain: coupled by a density (as published, mS/cm2 between neighbours), or as a cable by its resistivity.

    Raises:
        ValueError: for fewer than one compartment, or any size or coupling that is not positive and finite.
    """
    if coupling_S_cm2 is not None:
        adjacency = np.zeros((_at_least_one("compartments", compartments),) * 2)
        i = np.arange(compartments - 1)
        adjacency[i, i + 1] = adjacency[i + 1, i] = 1
        return from_adjacency(adjacency, coupling_S_cm2, length_um=length_um, diameter_um=diameter_um)
    total = length_um * _at_least_one("compartments", compartments)
    cable = Section(-1, total, diameter_um, diameter_um, (1.0, 0.0, 0.0), compartments)
    return from_sections([cable], axial_resistivity_ohm_cm)


def balanced_tree(
    depth: int,
    *,
    branching: int = 2,
    length_um: float = 80.0,
    diameter_um: float = 4.0,
    compartments_per_section: int = 1,
    axial_resistivity_ohm_cm: float = 100.0,
) -> Morphology:
    """A root section that splits into ``branching`` equal children, ``depth`` times; diameters follow Rall's 3/2 power law
    (Rall 1959, Exp Neurol 1:491). depth 0 is a single section.

    Raises:
        ValueError: for a negative depth, less than one branch, or sizes that are not positive and finite.
    """
    if depth < 0:
        raise ValueError(f"depth is {depth}; it must be 0 or more")
    _at_least_one("branching", branching)
    shrink = branching ** (-2.0 / 3.0)
    sections = [Section(-1, length_um, diameter_um, diameter_um, (0.0, 1.0, 0.0), compartments_per_section)]
    level, angles = [0], [(np.pi / 2, np.pi)]
    for d in range(1, depth + 1):
        diameter = diameter_um * shrink**d
        parents, spans, level, angles = level, angles, [], []
        for parent, (angle, span) in zip(parents, spans, strict=True):
            for b in range(branching):
                turned = angle + span * ((b + 0.5) / branching - 0.5)
                direction = (float(np.cos(turned)), float(np.sin(turned)), 0.0)
                level.append(len(sections))
                angles.append((turned, span / branching))
                sections.append(Section(parent, length_um, diameter, diameter, direction, compartments_per_section))
    return from_sections(sections, axial_resistivity_ohm_cm)


def random_tree(
    sections: int,
    seed: int,
    *,
    compartments_per_section: int = 1,
    soma_diameter_um: float = 20.0,
    stem_diameter_um: float = 4.0,
    mean_length_um: float = 100.0,
    taper: float = 0.8,
    axial_resistivity_ohm_cm: float = 100.0,
) -> Morphology:
    """A soma (compartment 0) with a random dendritic tree of ``sections - 1`` tapering sections.

    Sections are added to a random growing tip: up to four stems at the soma, then bifurcations in which the children share
    the parent's distal diameter^(3/2) at random (Rall 1959). Each section tapers to ``taper`` of its first diameter; lengths
    are log-normal about ``mean_length_um`` (sigma 0.3). Same arguments, same neuron.

    Raises:
        ValueError: for fewer than one section, or sizes that are not positive and finite.
    """
    _at_least_one("sections", sections)
    positive(soma_diameter_um=soma_diameter_um, stem_diameter_um=stem_diameter_um, mean_length_um=mean_length_um, taper=taper)
    rng = np.random.default_rng(seed)
    made = [Section(-1, soma_diameter_um, soma_diameter_um, soma_diameter_um, (0.0, 1.0, 0.0), 1)]
    stems = min(4, max(1, sections - 1))
    # (parent, proximal diameter, direction angle) of sections that may still be grown
    tips = [(0, stem_diameter_um, 2 * np.pi * (k + 0.25) / stems) for k in range(stems)]
    while len(made) < sections:
        parent, diameter, angle = tips.pop(int(rng.integers(len(tips))))
        length = float(mean_length_um * rng.lognormal(0.0, 0.3))
        distal = diameter * taper
        direction = (float(np.cos(angle)), float(np.sin(angle)), 0.0)
        made.append(Section(parent, length, diameter, distal, direction, compartments_per_section))
        share = float(rng.uniform(0.3, 0.7))
        spread = float(rng.uniform(0.25, 0.6))
        for part, turn in ((share, -spread), (1 - share, spread)):
            tips.append((len(made) - 1, max(distal * part ** (2.0 / 3.0), 0.3), angle + turn))
    return from_sections(made, axial_resistivity_ohm_cm)


def from_sections(sections: list[Section], axial_resistivity_ohm_cm: float) -> Morphology:
    """Cuts sections into equal cylinders and joins them. Children of section 0, where it has one compartment (a soma), attach
    to its centre; all other children attach to their parent's distal end. Parents must come before their children.
    """
    positive(axial_resistivity_ohm_cm=axial_resistivity_ohm_cm)
    parents, lengths, diameters, starts, ends, section_of, distances = [], [], [], [], [], [], []
    last: list[int] = []
    for index, section in enumerate(sections):
        positive(length_um=section.length_um, proximal_um=section.proximal_um, distal_um=section.distal_um)
        count = _at_least_one("compartments_per_section", section.compartments)
        if not -1 <= section.parent < index:
            raise ValueError(f"section {index} has parent {section.parent}; parents come before their children")
        step = section.length_um / count
        direction = np.asarray(section.direction) / np.linalg.norm(section.direction)
        at = ends[last[section.parent]] if section.parent >= 0 else -0.5 * section.length_um * direction
        from_centre = section.parent == 0 and sections[0].compartments == 1
        if from_centre:
            at = np.zeros(3) + 0.5 * sections[0].length_um * direction
        for k in range(count):
            parent = last[section.parent] if k == 0 and section.parent >= 0 else (len(parents) - 1 if k else -1)
            fraction = (k + 0.5) / count
            half_parent = 0.0 if parent < 0 or (k == 0 and from_centre) else 0.5 * lengths[parent]
            distances.append(0.0 if parent < 0 else distances[parent] + half_parent + 0.5 * step)
            parents.append(parent)
            lengths.append(step)
            diameters.append(section.proximal_um + (section.distal_um - section.proximal_um) * fraction)
            starts.append(at)
            at = at + step * direction
            ends.append(at)
            section_of.append(index)
        last.append(len(parents) - 1)
    lengths_um, diameters_um = np.array(lengths), np.array(diameters)
    soma_centre = bool(sections[0].compartments == 1 and len(sections) > 1)
    edges, conductances, n_nodes = _couple(np.array(parents), lengths_um, diameters_um, axial_resistivity_ohm_cm, soma_centre)
    return Morphology(
        parents=np.array(parents),
        areas_um2=np.pi * diameters_um * lengths_um,
        diameters_um=diameters_um,
        lengths_um=lengths_um,
        path_distance_um=np.array(distances),
        start_um=np.array(starts),
        end_um=np.array(ends),
        edges=edges,
        conductances_uS=conductances,
        n_nodes=n_nodes,
        sections=np.array(section_of),
        axial_resistivity_ohm_cm=axial_resistivity_ohm_cm,
    )


def _couple(
    parents: np.ndarray, lengths_um: np.ndarray, diameters_um: np.ndarray, resistivity: float, soma_centre: bool
) -> tuple[np.ndarray, np.ndarray, int]:
    """Edges, conductances (uS) and the node count. A half cylinder resists by R_a (l / 2) / (pi d^2 / 4)."""
    n = len(parents)
    half_mohm = resistivity * OHM_CM_PER_UM_TO_MOHM * 0.5 * lengths_um / (np.pi * diameters_um**2 / 4)
    edges, resistances, n_nodes = [], [], n
    for p in range(n):
        children = np.flatnonzero(parents == p).tolist()
        if p == 0 and soma_centre:
            edges += [(p, c) for c in children]
            resistances += [half_mohm[c] for c in children]
        elif len(children) == 1:
            edges.append((p, children[0]))
            resistances.append(half_mohm[p] + half_mohm[children[0]])
        elif children:
            edges += [(p, n_nodes)] + [(n_nodes, c) for c in children]
            resistances += [half_mohm[p]] + [half_mohm[c] for c in children]
            n_nodes += 1
    return np.array(edges, dtype=np.int64).reshape(-1, 2), 1.0 / np.array(resistances, dtype=float), n_nodes


def from_adjacency(
    adjacency: np.ndarray, coupling_S_cm2: float, *, length_um: float = 50.0, diameter_um: float = 2.0
) -> Morphology:
    """Equal compartments coupled directly wherever the symmetric 0/1 matrix [n, n] says so, by a conductance of
    ``coupling_S_cm2`` times the compartment's area. Cycles and separate components are allowed.

    Raises:
        ValueError: for a matrix that is not square, symmetric, 0/1 and zero on its diagonal, or a coupling that is not
            positive and finite.
    """
    positive(coupling_S_cm2=coupling_S_cm2, length_um=length_um, diameter_um=diameter_um)
    matrix = np.asarray(adjacency)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.shape[0] == 0:
        raise ValueError(f"adjacency has shape {matrix.shape}; it must be a square matrix")
    if not np.isin(matrix, (0, 1)).all():
        raise ValueError(f"adjacency holds {matrix[~np.isin(matrix, (0, 1))].flat[0]}; only 0 and 1 are allowed")
    if (matrix != matrix.T).any() or matrix.diagonal().any():
        raise ValueError("adjacency must be symmetric with a zero diagonal")
    n = len(matrix)
    edges = np.argwhere(np.triu(matrix)).astype(np.int64)
    area = np.pi * diameter_um * length_um
    parents, hops, angle = _breadth_first(matrix)
    direction = np.stack([np.cos(angle), np.sin(angle), np.zeros(n)], axis=1)
    end = np.zeros((n, 3))
    start = np.zeros((n, 3))
    for i in np.argsort(np.where(np.isfinite(hops), hops, 0), kind="stable"):
        start[i] = end[parents[i]] if parents[i] >= 0 else 0.0
        end[i] = start[i] + length_um * direction[i]
    return Morphology(
        parents=parents,
        areas_um2=np.full(n, area),
        diameters_um=np.full(n, diameter_um),
        lengths_um=np.full(n, length_um),
        path_distance_um=hops * length_um,
        start_um=start,
        end_um=end,
        edges=edges,
        conductances_uS=np.full(len(edges), coupling_S_cm2 * area * S_PER_CM2_UM2_TO_US),
        n_nodes=n,
        sections=np.arange(n),
        axial_resistivity_ohm_cm=None,
    )


def _breadth_first(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Parents, hops from the root of each component and a drawing angle; a spanning forest grown breadth first."""
    n = len(matrix)
    parents = np.full(n, -1)
    hops = np.full(n, np.inf)
    angle = np.zeros(n)
    for root in range(n):
        if np.isfinite(hops[root]):
            continue
        hops[root] = 0.0
        queue = [root]
        while queue:
            i = queue.pop(0)
            children = [int(j) for j in np.flatnonzero(matrix[i]) if not np.isfinite(hops[j])]
            for k, j in enumerate(children):
                parents[j], hops[j] = i, hops[i] + 1
                angle[j] = angle[i] + 0.9 * (k - (len(children) - 1) / 2)
                queue.append(j)
    return parents, hops, angle


def _at_least_one(name: str, value: int) -> int:
    if value < 1:
        raise ValueError(f"{name} is {value}; it must be 1 or more")
    return value
