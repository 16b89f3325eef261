"""What BluePyOpt minimises: squared errors of the voltage, an objective per stimulus, or eFEL features, an objective each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import efel
import numpy as np
from bluepyopt.ephys.efeatures import EFeature, eFELFeature
from bluepyopt.ephys.objectives import SingletonObjective
from bluepyopt.ephys.objectivescalculators import ObjectivesCalculator

from gradevo.methods.neuron_cell import recording_name
from gradevo.methods.squares import weighted_squares
from gradevo.problem import Problem

DIVERGED = 1e4
"""A squared error (mV2) where the simulation failed: worse than voltage traces usually are, yet finite, as IBEA needs it."""

MAX_SCORE = 250
"""BluePyOpt's own score of a feature that cannot be had from a simulated trace, in standard deviations."""


class SquaredError(EFeature):
    """The weighted sum of squared differences from a stimulus's target [samples, recorded], mV2."""

    def __init__(self, name: str, recordings: Sequence[str], target: np.ndarray, weights: np.ndarray) -> None:
        super().__init__(name)
        self.recordings, self.target, self.weights = recordings, target, weights

    def calculate_score(self, responses: Mapping[str, Any]) -> float:
        traces = [responses.get(name) for name in self.recordings]
        if any(trace is None for trace in traces):
            return DIVERGED
        voltages = np.stack([trace["voltage"][: len(self.target)] for trace in traces if trace is not None], axis=1)
        with np.errstate(over="ignore"):
            return min(DIVERGED, float((self.weights * (voltages - self.target) ** 2).sum()))


class FeatureScores(ObjectivesCalculator):
    """BluePyOpt's scores of its eFEL features, from one call of eFEL per candidate.

    BluePyOpt's own calculator has eFEL read its table of features from disk again and again, three times per feature: many times
    the cost of a short simulation. The numbers are the same.
    """

    def calculate_scores(self, responses: Mapping[str, Any]) -> dict[str, float]:
        wanted: dict[str, list[Any]] = {}  # of eFELFeature, whose fields BluePyOpt leaves untyped
        for objective in self.objectives or ():
            feature = objective.features[0]
            wanted.setdefault(feature.recording_names[""], []).append(feature)
        scores = {feature.name: float(MAX_SCORE) for features in wanted.values() for feature in features}
        found = {name: responses[name] for name in wanted if responses.get(name) is not None}
        for features, values in zip([wanted[name] for name in found], _feature_values(found, wanted), strict=True):
            for feature in features:
                value = values[feature.efel_feature_name]
                if value is not None and len(value):
                    distance = np.abs(np.asarray(value) - feature.exp_mean).mean() / feature.exp_std
                    scores[feature.name] = float(np.fmin(distance, MAX_SCORE))
        return scores


def squared_errors(problem: Problem) -> ObjectivesCalculator:
    """The terms of the problem's loss if it is a sum of squares, else those of the mean squared error."""
    objectives = []
    for i, (weights, target) in enumerate(zip(*weighted_squares(problem), strict=True)):
        names = [recording_name(i, site) for site in problem.protocol.recorded]
        objectives.append(SingletonObjective(f"stimulus{i}", SquaredError(f"stimulus{i}", names, target, weights)))
    return ObjectivesCalculator(objectives)


def feature_distances(problem: Problem, features: Sequence[str], sites: int | None, std_share: float) -> FeatureScores:
    """BluePyOpt's distance of every feature in standard deviations, from its mean value in the target trace.

    features : eFEL's names; those that eFEL finds in a target trace are used on it
    sites : recorded sites whose features are used, spread evenly over the recorded ones; None for all of them. A trace that was
        recorded with gaps has none
    std_share : the standard deviation, as a share of the value's size, or of 1 where that is smaller

    Raises ValueError for a feature that eFEL does not know, and if no target trace has any of these.
    """
    unknown = sorted(set(features) - set(efel.get_feature_names()))
    if unknown or not features:
        raise ValueError(f"features {unknown} are not eFEL's; name one or more of efel.get_feature_names()")
    protocol = problem.protocol
    every = len(protocol.recorded)
    kept = np.unique(np.round(np.linspace(0, every - 1, min(sites or every, every))).astype(int))
    times = protocol.sample_interval_ms * np.arange(protocol.n_samples)
    targets = {
        recording_name(i, protocol.recorded[position]): {"time": times, "voltage": target[:, position]}
        for i, target in enumerate(problem.target)
        for position in kept
        if np.isfinite(target[:, position]).all()
    }
    wanted: dict[str, list[Any]] = {
        name: [
            eFELFeature(
                f"{name}.{feature}",
                efel_feature_name=feature,
                recording_names={"": name},
                stim_start=0.0,
                stim_end=float(times[-1]),
                max_score=MAX_SCORE,
                force_max_score=True,
            )
            for feature in features
        ]
        for name in targets
    }
    objectives = []
    for name, values in zip(targets, _feature_values(targets, wanted), strict=True):
        for feature in wanted[name]:
            value = values[feature.efel_feature_name]
            if value is not None and len(value) and np.isfinite(value).all():
                feature.exp_mean = float(np.mean(value))
                feature.exp_std = std_share * max(1.0, abs(feature.exp_mean))
                objectives.append(SingletonObjective(feature.name, feature))
    if not objectives:
        raise ValueError(f"eFEL finds none of the features {', '.join(features)} in the target traces; choose others")
    return FeatureScores(objectives)


def _feature_values(
    responses: Mapping[str, Mapping[str, np.ndarray]], wanted: Mapping[str, Sequence[Any]]
) -> list[dict[str, Any]]:
    """eFEL's values of the features of each response, by eFEL's names; None where it finds none."""
    if not responses:
        return []
    traces: Any = [
        {
            "T": response["time"], "V": response["voltage"],
            "stim_start": [wanted[name][0].stim_start], "stim_end": [wanted[name][0].stim_end],
        }
        for name, response in responses.items()
    ]  # fmt: skip
    features = sorted({feature.efel_feature_name for name in responses for feature in wanted[name]})
    found: Any = efel.get_feature_values(traces, features, raise_warnings=False)  # pyright: ignore[reportCallIssue]
    return found
