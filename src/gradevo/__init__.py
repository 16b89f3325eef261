"""gradevo: when does gradient descent beat evolutionary search for fitting biophysical neuron models?

The package imports nothing heavy by itself: torch, numba and pandas load with the module that needs them.
"""

__version__ = "0.1.0"
