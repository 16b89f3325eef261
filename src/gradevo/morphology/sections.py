"""Neurons from a list of unbranched sections, cut into equal cylinders."""

from dataclasses import dataclass

import numpy as np

from gradevo.morphology.base import BASAL, SOMA, Cable, Morphology, at_least_one, join, positive
from gradevo.units import OHM_CM_PER_UM_TO_MOHM


@dataclass(frozen=True)
class Section:
    """An unbranched cable: its parent section (-1 for the root), end diameters and length in um, direction for drawing."""

    parent: int
    length_um: float
    proximal_um: float
    distal_um: float
    direction: tuple[float, float, float]
    compartments: int = 1


def from_sections(sections: list[Section], axial_resistivity_ohm_cm: float) -> Morphology:
    """Cuts sections into equal cylinders and joins them. Children of section 0, where it has one compartment (a soma), attach
    to its centre; all other children attach to their parent's distal end. Parents must come before their children.
    """
    positive(axial_resistivity_ohm_cm=axial_resistivity_ohm_cm)
    lengths, diameters, starts, ends, last = [], [], [], [], []
    cables: list[Cable] = []
    for index, section in enumerate(sections):
        positive(length_um=section.length_um, proximal_um=section.proximal_um, distal_um=section.distal_um)
        count = at_least_one("compartments_per_section", section.compartments)
        if not -1 <= section.parent < index:
            raise ValueError(f"section {index} has parent {section.parent}; parents come before their children")
        step = section.length_um / count
        direction = np.asarray(section.direction) / np.linalg.norm(section.direction)
        at = ends[last[section.parent]] if section.parent >= 0 else -0.5 * section.length_um * direction
        from_centre = section.parent == 0 and sections[0].compartments == 1
        if from_centre:
            at = np.zeros(3) + 0.5 * sections[0].length_um * direction
        for k in range(count):
            lengths.append(step)
            diameters.append(section.proximal_um + (section.distal_um - section.proximal_um) * ((k + 0.5) / count))
            starts.append(at)
            at = at + step * direction
            ends.append(at)
        last.append(len(lengths) - 1)
        cables.append(Cable(section.parent, 0.5 if from_centre else 1.0, count, SOMA if index == 0 else BASAL))
    lengths_um, diameters_um = np.array(lengths), np.array(diameters)
    half_mohm = axial_resistivity_ohm_cm * OHM_CM_PER_UM_TO_MOHM * 0.5 * lengths_um / (np.pi * diameters_um**2 / 4)
    joined = join(cables, lengths_um, half_mohm, half_mohm)
    return Morphology(
        parents=joined.parents,
        areas_um2=np.pi * diameters_um * lengths_um,
        diameters_um=diameters_um,
        lengths_um=lengths_um,
        path_distance_um=joined.path_distance_um,
        start_um=np.array(starts),
        end_um=np.array(ends),
        edges=joined.edges,
        conductances_uS=joined.conductances_uS,
        n_nodes=joined.n_nodes,
        sections=joined.sections,
        axial_resistivity_ohm_cm=axial_resistivity_ohm_cm,
        cables=tuple(cables),
    )
