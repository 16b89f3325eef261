"""NEURON mechanisms from channel declarations: the text of a .mod file, and the compiled library of a whole set."""

from gradevo.nmodl.library import compile_mechanisms, suffix
from gradevo.nmodl.text import mechanism

__all__ = ["compile_mechanisms", "mechanism", "suffix"]
