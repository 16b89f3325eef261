"""One neuron under the same stimuli, recorded at fewer and fewer of its sites: spectra, verdicts, and what is known where."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from gradevo.config import Config
from gradevo.figure_tables.identifiability import TABLES
from gradevo.figure_tables.identifiability.common import posed
from gradevo.identifiability.information import Information
from gradevo.identifiability.site_information import recording_sites
from gradevo.identifiability.unseen import least_known
from gradevo.identifiability.verdicts import Verdict, Verdicts
from gradevo.parameters import Parameters
from gradevo.problem import Problem
from gradevo.protocol import resolve_sites


def site_tables(config: Config) -> dict[str, pd.DataFrame]:
    """The job's tables by name.

    The information of a set of sites is the sum of theirs, so that one pass of tangents serves all numbers of sites. Raises
    ValueError for a problem without a truth, of which not every sample counts, or with fewer recorded sites than are asked for.
    """
    asked = config["identifiability"]
    problem, truth = posed(config, asked["sites"]["problem"])
    if problem.observed is not None or problem.loss_declared != "mse":
        raise ValueError(f"problem {problem.name!r} has gaps or a loss of its own; sites add up where every sample counts alike")
    sites = problem.protocol.recorded
    alone = recording_sites(problem.parameters, problem.protocol, truth, asked["noise_mV"], sites)
    samples = problem.protocol.n_stimuli * (problem.protocol.n_samples - 1)
    tables: dict[str, list[pd.DataFrame]] = {name: [] for name in TABLES["sites"]}
    tables["neuron"].append(neuron_table(problem))
    for count in asked["sites"]["counts"]:
        chosen = list(resolve_sites({"spread": count}, len(sites), "identifiability.sites.counts"))
        of_sites = Information(problem.parameters, truth, asked["noise_mV"], alone[chosen].sum(axis=0), samples * count)
        found = Verdicts(of_sites)
        tables["spectrum"].append(_spectrum(found, count))
        tables["verdicts"].append(_verdicts(found, count))
        if count in asked["sites"]["drawn"]:
            recorded = [sites[i] for i in chosen]
            tables["known"].append(_known(found, count, recorded))
            tables["unseen"].append(_unseen(found, count, recorded))
    return {name: pd.concat(parts, ignore_index=True) for name, parts in tables.items()}


def neuron_table(problem: Problem) -> pd.DataFrame:
    """A row per compartment: where it is, and whether it is stimulated."""
    shape = problem.neuron.morphology
    table = pd.DataFrame({"compartment": np.arange(problem.neuron.n_compartments)})
    for end, at in (("start", shape.start_um), ("end", shape.end_um)):
        for i, axis in enumerate("xy"):
            table[f"{end}_{axis}_um"] = at[:, i]
    table["diameter_um"], table["path_distance_um"] = shape.diameters_um, shape.path_distance_um
    table["stimulated"] = table["compartment"].isin(problem.protocol.stimulated)
    return table


def _spectrum(found: Verdicts, count: int) -> pd.DataFrame:
    """A row per direction, best known first; beyond the rank, eigenvalues are 0 and deviations infinite."""
    eigenvalues = found.information.spectrum.eigenvalues
    with np.errstate(divide="ignore"):
        deviations = 1 / np.sqrt(eigenvalues)
    order = np.arange(1, len(eigenvalues) + 1)
    return pd.DataFrame({"recorded": count, "direction": order, "eigenvalue": eigenvalues, "deviation": deviations})


def _verdicts(found: Verdicts, count: int) -> pd.DataFrame:
    info, spectrum = found.information, found.information.spectrum
    row = {"recorded": count, "n_parameters": info.parameters.n_parameters, "n_data": info.n_data, "noise_mV": info.noise_mV}
    row |= {"threshold": found.threshold, "rank": spectrum.rank, "directions_known": spectrum.n_known(found.threshold)}
    return pd.DataFrame([row | {verdict.name: found.counts[verdict] for verdict in Verdict}])


def _known(found: Verdicts, count: int, recorded: list[int]) -> pd.DataFrame:
    """A row per quantity and compartment: the relative bound of its density, and the verdict."""
    of_parameters = np.array([verdict.name for verdict in found.verdicts])
    parts = []
    for labels, region in _compartments(found.information.parameters, count, recorded):
        parts.append(labels.assign(bound=found.bounds[region], verdict=of_parameters[region]))
    return pd.concat(parts)


def _unseen(found: Verdicts, count: int, recorded: list[int]) -> pd.DataFrame:
    """A row per quantity and compartment: the component of the least known direction."""
    deviation, vector = least_known(found.information)
    null = len(vector) - found.information.spectrum.rank
    parts = []
    for labels, region in _compartments(found.information.parameters, count, recorded):
        parts.append(labels.assign(null_directions=null, deviation=deviation, component=vector[region]))
    return pd.concat(parts)


def _compartments(parameters: Parameters, count: int, recorded: list[int]) -> Iterator[tuple[pd.DataFrame, np.ndarray]]:
    """Of each quantity, the rows' labels, and which parameter [n] each of its compartments has."""
    for quantity in parameters.quantities:
        compartments = np.arange(len(quantity.labels))
        labels = {"recorded": count, "channel": quantity.name, "compartment": compartments}
        yield pd.DataFrame(labels).assign(is_recorded=np.isin(compartments, recorded)), quantity.values.start + quantity.labels
