"""Neurons made by rule: chains, balanced trees, random trees, trees of equal compartments."""

import numpy as np

from gradevo.morphology.base import Morphology, at_least_one, positive
from gradevo.morphology.graph import from_adjacency
from gradevo.morphology.sections import Section, from_sections


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
        adjacency = np.zeros((at_least_one("compartments", compartments),) * 2)
        i = np.arange(compartments - 1)
        adjacency[i, i + 1] = adjacency[i + 1, i] = 1
        return from_adjacency(adjacency, coupling_S_cm2, length_um=length_um, diameter_um=diameter_um)
    total = length_um * at_least_one("compartments", compartments)
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
    at_least_one("branching", branching)
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
    at_least_one("sections", sections)
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


def attached_tree(
    compartments: int,
    seed: int,
    coupling_S_cm2: float,
    *,
    chance: float = 0.85,
    length_um: float = 50.0,
    diameter_um: float = 2.0,
) -> Morphology:
    """A tree of equal compartments, coupled directly by a density: each is attached to the one before it with probability
    ``chance``, else to one drawn from all earlier ones. 1 makes a chain. Same arguments, same neuron.

    Raises:
        ValueError: for fewer than one compartment, a chance outside [0, 1], or any size or coupling that is not positive and
            finite.
    """
    if not 0 <= chance <= 1:
        raise ValueError(f"chance is {chance}; it is a probability, from 0 to 1")
    rng = np.random.default_rng(seed)
    adjacency = np.zeros((at_least_one("compartments", compartments),) * 2)
    for i in range(1, compartments):
        parent = i - 1 if rng.random() < chance else int(rng.integers(i))
        adjacency[i, parent] = adjacency[parent, i] = 1
    return from_adjacency(adjacency, coupling_S_cm2, length_um=length_um, diameter_um=diameter_um)
