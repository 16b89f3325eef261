"""Compartments and what couples them: made by rule, from an adjacency matrix, or read from a reconstruction."""

from gradevo.morphology.base import Cable, Morphology, positive
from gradevo.morphology.files import read_morphology
from gradevo.morphology.generators import attached_tree, balanced_tree, chain, random_tree
from gradevo.morphology.graph import from_adjacency
from gradevo.morphology.sections import Section, from_sections

__all__ = [
    "Cable",
    "Morphology",
    "Section",
    "attached_tree",
    "balanced_tree",
    "chain",
    "from_adjacency",
    "from_sections",
    "positive",
    "random_tree",
    "read_morphology",
]
