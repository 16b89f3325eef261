"""Recordings of a real neuron, from CSV files: a row per moment of a sweep, a column per site, units in the headers."""

from gradevo.measured.arrays import measured_arrays

__all__ = ["measured_arrays"]
