"""Profile likelihoods of chosen densities, and the intervals of profile and bound.

The recordings are those without noise, whose best fit is the truth: the profile is the one that is expected, and the bound at the
truth is its parabola. A draw of the noise moves both by about a bound.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from gradevo.config import Config
from gradevo.figure_tables.identifiability import TABLES
from gradevo.figure_tables.identifiability.common import posed
from gradevo.identifiability.information import fisher_information
from gradevo.identifiability.profile import Profile, profile
from gradevo.identifiability.verdicts import Verdicts
from gradevo.problem import Problem
from gradevo.simulate import simulate_numpy


def likelihood_tables(config: Config) -> dict[str, pd.DataFrame]:
    """The job's tables by name: a row per point of a profile, and a row per profile. Raises ValueError for a density that a
    problem does not have, and as `profile` does."""
    asked = config["identifiability"]["likelihood"]
    noise_mV = config["identifiability"]["noise_mV"]
    points, intervals = [], []
    for name, chosen in asked["densities"].items():
        problem, truth = posed(config, name)
        quiet = _without_noise(problem, truth)
        verdicts = Verdicts(fisher_information(quiet, truth, noise_mV))
        for parameter in chosen:
            if parameter not in problem.parameter_names:
                known = ", ".join(problem.parameter_names)
                raise ValueError(f"problem {name!r} has no density {parameter!r} (identifiability.likelihood); it has {known}")
            i = problem.parameter_names.index(parameter)
            found = profile(quiet, i, noise_mV, truth, asked["confidence"], asked["largest_factor"], asked["step"])
            labels = {"problem": name, "recorded": len(problem.protocol.recorded), "parameter": parameter}
            points.append(_points(labels, found, float(truth[i])))
            intervals.append(_interval(labels, found, verdicts, i))
    return dict(zip(TABLES["likelihood"], (pd.concat(points, ignore_index=True), pd.DataFrame(intervals)), strict=True))


def _without_noise(problem: Problem, truth: np.ndarray) -> Problem:
    inputs = problem.parameters.inputs(truth[None])
    voltages = simulate_numpy(problem.neuron, inputs.densities, problem.protocol, **inputs.passive())[0]
    return replace(problem, target=voltages)


def _points(labels: dict, found: Profile, truth: float) -> pd.DataFrame:
    """Densities over the true one; `moved`, how far the others have gone along, the largest change of a logarithm."""
    at_truth = found.fitted[np.argmin(np.abs(np.log(found.values / truth)))]
    others = np.delete(np.abs(np.log(found.fitted / at_truth)), found.parameter, axis=1)
    moved = others.max(axis=1, initial=0.0)
    columns = {"value_rel": found.values / truth, "rise": found.rise, "moved": moved, "converged": found.converged}
    return pd.DataFrame(labels | columns)


def _interval(labels: dict, found: Profile, verdicts: Verdicts, i: int) -> dict:
    """Interval of the profile (0 or infinite on a side that stays open) and of the bound, over the true density."""
    truth = float(verdicts.information.densities[i])
    bounded = {"bound": float(verdicts.bounds[i]), "verdict": verdicts.verdicts[i].name, "threshold": found.threshold}
    ends = {f"profile_{end}": value / truth for end, value in zip(("low", "high"), found.interval, strict=True)}
    ends |= {f"quadratic_{end}": value / truth for end, value in zip(("low", "high"), found.quadratic, strict=True)}
    # how far the profile reaches, in times of the bound's interval, on the logarithm; not a number where there is no bound
    with np.errstate(divide="ignore", invalid="ignore"):
        for end in ("low", "high"):
            ends[f"{end}_ratio"] = float(np.log(ends[f"profile_{end}"]) / np.log(ends[f"quadratic_{end}"]))
    return labels | bounded | ends
