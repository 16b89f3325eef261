"""What k electrodes know: sites chosen one by one against sites at even distances and at random."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from scipy.linalg import cho_factor, cho_solve

from gradevo.config import Config
from gradevo.figure_tables.identifiability import TABLES
from gradevo.figure_tables.identifiability.common import posed
from gradevo.identifiability.design import greedy, random_sites, uniform_sites
from gradevo.identifiability.site_information import recording_sites, stimulation_sites
from gradevo.identifiability.verdicts import IDENTIFIED
from gradevo.units import UA_PER_CM2_UM2_TO_NA

BAND = (5, 95)
"""Percentiles of random placements that the table keeps, beside the median."""


def placement_tables(config: Config) -> dict[str, pd.DataFrame]:
    """The job's tables by name: what is known of the densities per kind of electrode, placement and number of sites k; and the
    order in which sites were chosen. Raises ValueError for a budget above the number of candidates."""
    asked = config["identifiability"]["placement"]
    known, orders = [], []
    for electrodes, sites in _information(config):
        n = len(sites)
        if asked["most"] > n:
            raise ValueError(f"identifiability.placement.most is {asked['most']}, but there are {n} candidates ({electrodes})")
        at_random = random_sites(n, asked["most"], asked["random"], asked["seed"])
        chosen = {criterion: greedy(sites, asked["most"], criterion, asked["prior_sd"]) for criterion in ("D", "A")}
        for criterion, order in chosen.items():
            columns = {"electrodes": electrodes, "criterion": criterion, "order": np.arange(1, len(order) + 1)}
            orders.append(pd.DataFrame(columns | {"compartment": order}))
        for k in range(1, asked["most"] + 1):
            sets = {**{c: [order[:k]] for c, order in chosen.items()}, "uniform": [uniform_sites(n, k)]}
            sets["random"] = [list(row[:k]) for row in at_random]
            for placement, drawn in sets.items():
                labels = {"electrodes": electrodes, "placement": placement, "k": k, "candidates": n}
                known.append(labels | _summary([_known(sites, each, asked["prior_sd"]) for each in drawn]))
        labels = {"electrodes": electrodes, "placement": "all", "k": n, "candidates": n}
        known.append(labels | _summary([_known(sites, list(range(n)), asked["prior_sd"])]))
    return dict(zip(TABLES["placement"], (pd.DataFrame(known), pd.concat(orders, ignore_index=True)), strict=True))


def _information(config: Config) -> Iterator[tuple[str, np.ndarray]]:
    """Of each kind of electrode, the information [n, P, P] of every compartment as its site.

    A recording electrode sees all of the problem's stimuli. A stimulating one is an experiment of its own, which injects the
    first waveforms of the problem's first stimulated site, as densities of current, and records where the problem does.
    """
    asked, noise_mV = config["identifiability"]["placement"], config["identifiability"]["noise_mV"]
    problem, truth = posed(config, asked["recording"])
    everywhere = tuple(range(problem.neuron.n_compartments))
    yield "recording", recording_sites(problem.parameters, problem.protocol, truth, noise_mV, everywhere)
    problem, truth = posed(config, asked["stimulation"])
    area = problem.neuron.morphology.areas_um2[problem.protocol.stimulated[0]]
    waveforms = problem.protocol.stimulus.values_nA[: asked["waveforms"], 0] / (area * UA_PER_CM2_UM2_TO_NA)
    everywhere = tuple(range(problem.neuron.n_compartments))
    yield "stimulation", stimulation_sites(problem.parameters, problem.protocol, truth, noise_mV, everywhere, waveforms)


def _known(sites: np.ndarray, chosen: list[int], prior_sd: float) -> dict[str, float]:
    """Of a set of sites: nats told, the densities' typical (root mean square) relative error, the share known to the verdict's
    threshold, all with the prior."""
    n = sites.shape[1]
    factor = cho_factor(np.eye(n) / prior_sd**2 + sites[chosen].sum(axis=0), lower=True)
    variances = np.diagonal(cho_solve(factor, np.eye(n)))
    nats = float(np.log(np.diagonal(factor[0])).sum() + n * np.log(prior_sd))
    return {"nats": nats, "error": float(np.sqrt(variances.mean())), "identified": float((variances < IDENTIFIED**2).mean())}


def _summary(found: list[dict[str, float]]) -> dict[str, Any]:
    """Medians, and the band of several."""
    row: dict[str, Any] = {"draws": len(found)}
    for name in found[0]:
        low, middle, high = np.percentile([each[name] for each in found], [BAND[0], 50, BAND[1]])
        row |= {name: middle, f"{name}_low": low, f"{name}_high": high}
    return row
