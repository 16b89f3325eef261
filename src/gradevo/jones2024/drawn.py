"""Stimuli and densities of the study's distribution, drawn anew: no file of the study is needed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

N_PIECES = 48
"""Pieces of 0.1 ms, as many as samples are recorded."""

CHANGES = 2
"""How often each current changes: 5 % of the pieces, rounded down."""

NOMINAL_MS_CM2 = np.array([[100.0], [45.0]])
"""g_Na and g_K from which truths are drawn and fits start."""


def draw_currents(n_stimuli: int, n_compartments: int, sites: Sequence[int], highest_uA_cm2: int, seed: int) -> np.ndarray:
    """[n_stimuli, n_compartments, N_PIECES] uA/cm2, zero but at the sites.

    Independently for each stimulus and site, a new value begins at CHANGES different pieces, drawn with probabilities in
    proportion to their number. Values are whole numbers from 0 to the highest, all equally likely; the first and the last piece
    are zero. Learnt from torch_neuron/generate_data.py of the study's repository (see `published`).

    Raises ValueError for counts below one or a highest value below zero.
    """
    if n_stimuli < 1 or n_compartments < 1 or highest_uA_cm2 < 0:
        raise ValueError(
            "n_stimuli and n_compartments must be at least 1 and highest_uA_cm2 at least 0; got "
            f"{n_stimuli=}, {n_compartments=}, {highest_uA_cm2=}"
        )
    rng = np.random.default_rng(seed)
    chance = np.arange(N_PIECES) / np.arange(N_PIECES).sum()
    currents = np.zeros((n_stimuli, n_compartments, N_PIECES))
    for stimulus in range(n_stimuli):
        for site in sites:
            begins = np.sort(rng.choice(N_PIECES, CHANGES, replace=False, p=chance))
            values = rng.integers(0, highest_uA_cm2 + 1, CHANGES + 1)
            currents[stimulus, site] = values[np.searchsorted(begins, np.arange(N_PIECES), side="right")]
    currents[:, :, [0, -1]] = 0.0
    return currents


def true_densities(n_compartments: int, seed: int) -> np.ndarray:
    """The study's own truth for one of its seeds: [2, n_compartments] mS/cm2, g_Na and g_K within 30 % of nominal."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    factors = torch.empty(2, n_compartments).uniform_(1 - 0.3, 1 + 0.3, generator=generator)
    return NOMINAL_MS_CM2 * factors.numpy().astype(float)
