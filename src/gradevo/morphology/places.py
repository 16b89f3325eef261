"""Which compartment a place of a neuron lies in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from gradevo.morphology.base import SOMA, Morphology
from gradevo.morphology.frusta import arc_um

NEAR_UM = 5.0
"""A place may be this far from the neuron's surface: electrodes and points copied by hand are not exact."""


def soma_compartment(morphology: Morphology) -> int:
    """The compartment in the middle of the soma. Raises ValueError for a neuron that has none."""
    for index, cable in enumerate(morphology.cables):
        if cable.kind == SOMA:
            own = np.flatnonzero(morphology.sections == index)
            return int(own[len(own) // 2])
    raise ValueError("this neuron has no soma; give the site's coordinates or its compartment's number")


def nearest_compartment(morphology: Morphology, place_um: Sequence[float]) -> int:
    """The compartment that is nearest to a place [x, y, z] um, in the coordinates of the morphology's file.

    Raises ValueError for a place that is not on the neuron: further from it than its radius there and NEAR_UM.
    """
    place = np.asarray(place_um, dtype=float)
    best, distance_um, radius_um = -1, np.inf, 0.0
    for points, first, count in _lines(morphology):
        start, along = points[:-1, :3], np.diff(points[:, :3], axis=0)
        length2 = (along**2).sum(axis=1)
        share = np.clip(((place - start) * along).sum(axis=1) / np.where(length2 > 0, length2, 1.0), 0.0, 1.0)
        distances = np.sqrt(((start + share[:, None] * along - place) ** 2).sum(axis=1))
        k = int(np.argmin(distances))
        if distances[k] < distance_um:
            arc = arc_um(points)
            at = arc[k] + share[k] * (arc[k + 1] - arc[k])
            best = first + min(count - 1, int(count * at / arc[-1]))
            distance_um, radius_um = float(distances[k]), float(points[k : k + 2, 3].max()) / 2
    if distance_um > radius_um + NEAR_UM:
        said = ", ".join(f"{value:g}" for value in place)
        raise ValueError(
            f"[{said}] um is {distance_um:.1f} um away from the neuron (nearest: compartment {best}); give x, y, z of a point "
            "of the morphology's file"
        )
    return best


def _lines(morphology: Morphology) -> Iterator[tuple[np.ndarray, int, int]]:
    """Points [k, 4] (x, y, z, diameter; um) of every section or compartment, its first compartment, and how many it has."""
    drawn = [cable.points_um for cable in morphology.cables]
    if drawn and all(points is not None for points in drawn):
        first = 0
        for cable, points in zip(morphology.cables, drawn, strict=True):
            assert points is not None
            yield points, first, cable.compartments
            first += cable.compartments
        return
    diameters = morphology.diameters_um[:, None]
    starts, ends = np.hstack([morphology.start_um, diameters]), np.hstack([morphology.end_um, diameters])
    for i in range(morphology.n_compartments):
        yield np.stack([starts[i], ends[i]]), i, 1
