"""Sums of weighted squared errors and their slopes, in one walk through the voltages.

Knows no channel. modules.py makes a module of its own of this text, so that it is compiled and kept as the kernels are, and
codegen.py appends it to the kernels, whose gradients take it; it is never imported itself.
"""

import numpy as np
from numba import njit

# Partial sums side by side, as many as a vector holds; and after how many numbers they are added up: rounding errors grow with
# the number of pieces then, and not of voltages.
SUMS, PIECE = 8, 1024


@njit(fastmath={"contract", "nsz"}, error_model="numpy", nogil=True, cache=True)
def weighted_squares(stimuli, voltages, target, weights, scale, terms, slopes):
    """terms [k] = sum of weights (voltages - target)^2, summed in float64, each in one order whatever k is; and, where slopes has
    rows, slopes [k, n] = scale weights (voltages - target).

    stimuli [k], voltages [k, n] (may be ``slopes``), target [stimuli, n], weights [stimuli, n] or one row for all.
    """
    n = voltages.shape[1]
    total, part = np.empty(SUMS), np.empty(SUMS)
    for i in range(stimuli.size):
        stimulus = stimuli[i]
        row = stimulus if weights.shape[0] > 1 else 0
        total[:] = 0.0
        for piece in range(0, n, PIECE):
            part[:] = 0.0
            end = min(piece + PIECE, n)
            whole = end - (end - piece) % SUMS
            for begin in range(piece, whole, SUMS):
                for j in range(SUMS):
                    error = voltages[i, begin + j] - target[stimulus, begin + j]
                    weighted = error * weights[row, begin + j]
                    part[j] += np.float64(error * weighted)
                    if slopes.shape[0] > 0:
                        slopes[i, begin + j] = weighted * scale
            for k in range(whole, end):
                error = voltages[i, k] - target[stimulus, k]
                weighted = error * weights[row, k]
                part[k - whole] += np.float64(error * weighted)
                if slopes.shape[0] > 0:
                    slopes[i, k] = weighted * scale
            for j in range(SUMS):
                total[j] += part[j]
        terms[i] = ((total[0] + total[1]) + (total[2] + total[3])) + ((total[4] + total[5]) + (total[6] + total[7]))
