"""Recordings of a real neuron, from CSV files: a row per moment of a sweep, a column per site, units in the headers."""

from gradevo.measured.arrays import measured_arrays, measured_names
from gradevo.measured.currents import file_stimulus, in_order

__all__ = ["file_stimulus", "in_order", "measured_arrays", "measured_names"]
