"""Neurons from sections of tapering frusta, given by points with diameters, discretised as NEURON discretises its 3-D points."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gradevo.morphology.base import Cable, Morphology, join, positive
from gradevo.units import OHM_CM_PER_UM_TO_MOHM


def from_cables(cables: Sequence[Cable], max_compartment_um: float, axial_resistivity_ohm_cm: float) -> Morphology:
    """Cuts every cable into the fewest equal lengths of at most ``max_compartment_um`` and joins them.

    A cable that others attach to in its middle gets an odd number of compartments, so that its middle is a centre.
    ``compartments`` of the given cables is not used. Parents must come before their children.

    Raises:
        ValueError: for a length or resistivity that is not positive and finite, or a cable without extent.
    """
    positive(axial_resistivity_ohm_cm=axial_resistivity_ohm_cm)
    if not max_compartment_um > 0:
        raise ValueError(f"max_compartment_um is {max_compartment_um}; it must be positive")
    middles = {cable.parent for cable in cables if cable.parent_x == 0.5}
    cut, pieces = [], []
    for index, cable in enumerate(cables):
        assert cable.points_um is not None
        length = float(arc_um(cable.points_um)[-1])
        if not length > 0:
            raise ValueError(f"section {index} has no length: all its points lie at {cable.points_um[0, :3].tolist()}")
        count = max(1, int(np.ceil(length / max_compartment_um - 1e-9)))
        if index in middles and count % 2 == 0:
            count += 1
        cut.append(replace(cable, compartments=count))
        pieces.append(integrate(cable.points_um, count))
    lengths, diameters, areas, left, right = (np.concatenate(column) for column in zip(*(p[:5] for p in pieces), strict=True))
    ohmic = axial_resistivity_ohm_cm * OHM_CM_PER_UM_TO_MOHM
    joined = join(cut, lengths, ohmic * left, ohmic * right)
    return Morphology(
        parents=joined.parents,
        areas_um2=areas,
        diameters_um=diameters,
        lengths_um=lengths,
        path_distance_um=joined.path_distance_um,
        start_um=np.concatenate([p[5][:-1] for p in pieces]),
        end_um=np.concatenate([p[5][1:] for p in pieces]),
        edges=joined.edges,
        conductances_uS=joined.conductances_uS,
        n_nodes=joined.n_nodes,
        sections=joined.sections,
        axial_resistivity_ohm_cm=axial_resistivity_ohm_cm,
        cables=tuple(cut),
    )


def arc_um(points_um: np.ndarray) -> np.ndarray:
    """[k] distance along the points [k, 4]. Differences are taken in single precision, in which NEURON keeps points."""
    steps = np.diff(points_um[:, :3].astype(np.float32), axis=0).astype(float)
    return np.concatenate([[0.0], np.cumsum(np.sqrt((steps**2).sum(axis=1)))])


def integrate(points_um: np.ndarray, count: int) -> tuple[np.ndarray, ...]:
    """Lengths (um), mean diameters (um), areas (um2), left and right half resistances over resistivity (1/um) [count], and the
    ends of the compartments [count + 1, 3] um.

    A frustum of length l between diameters a and b has the lateral area pi (a + b) / 2 sqrt(l^2 + ((a - b) / 2)^2) and the
    resistance R_a 4 l / (pi a b). Where the diameter jumps (two points at one place) the ring between them is membrane. These
    are the integrals of NEURON's treeset.cpp (diam_from_list), which halves compartments in the same way.
    """
    arc = arc_um(points_um)
    step = arc[-1] / count
    halves = step * np.arange(count)[:, None] + np.array([0.0, 0.5 * step])
    cuts = halves.reshape(-1)[1:]
    # a point on a cut belongs to what is before it
    at = np.minimum(np.searchsorted(arc, cuts, side="right"), len(arc) - 1)
    low, high = points_um[at - 1], points_um[at]
    gap = arc[at] - arc[at - 1]
    fraction = np.where(gap > 0, (cuts - arc[at - 1]) / np.where(gap > 0, gap, 1.0), 1.0)
    between = low + (high - low) * fraction[:, None]
    diameter = np.insert(points_um[:, 3], at, between[:, 3])
    length = np.diff(np.insert(arc, at, cuts))
    half = np.cumsum(np.insert(np.zeros(len(arc), int), at, 1))[:-1]
    a, b = diameter[:-1], diameter[1:]

    def over_halves(values: np.ndarray) -> np.ndarray:
        return np.bincount(half, weights=values, minlength=2 * count).reshape(count, 2)

    area = over_halves(np.pi / 2 * (a + b) * np.hypot(length, 0.5 * (a - b))).sum(axis=1)
    mean = over_halves(0.5 * (a + b) * length).sum(axis=1) / step
    resistance = over_halves(4 / np.pi * length / (a * b))
    ends = np.concatenate([points_um[:1, :3], between[1::2, :3], points_um[-1:, :3]])
    return np.full(count, step), mean, area, resistance[:, 0], resistance[:, 1], ends
