"""Bound against achieved error of every density: fits of noisy recordings, from the truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import chi2, norm

from gradevo.config import Config
from gradevo.figure_tables.identifiability import TABLES
from gradevo.figure_tables.identifiability.common import posed
from gradevo.identifiability.calibration import Calibration, calibrate
from gradevo.identifiability.verdicts import IDENTIFIED

EDGES = np.arange(-4.0, 4.01, 0.25)
"""Of the histogram of z-scores; what is beyond counts in the outermost bins."""

LEVEL = 0.999
"""With this probability all spreads of a problem lie within the limits of the table, if the bounds are right."""


def calibration_tables(config: Config) -> dict[str, pd.DataFrame]:
    """The job's tables by name: a row per problem and density, a row per problem and bin. Raises ValueError as `calibrate`."""
    asked = config["identifiability"]["calibration"]
    densities, scores = [], []
    for name, draws in asked["draws"].items():
        problem, _ = posed(config, name)
        found = calibrate(problem, config["identifiability"]["noise_mV"], draws, asked["seed"])
        densities.append(_densities(name, problem.parameter_names, found))
        scores.append(_histogram(name, found))
    return dict(zip(TABLES["calibration"], (pd.concat(densities), pd.concat(scores)), strict=True))


def _densities(name: str, parameters: tuple[str, ...], found: Calibration) -> pd.DataFrame:
    draws = len(found.z)
    low, high = found.spread_limits(LEVEL)
    # the interval of the spread itself: draws times its square is chi2 distributed about what the true spread makes
    tails = chi2.ppf([0.975, 0.025], draws)
    return pd.DataFrame(
        {
            "problem": name,
            "parameter": parameters,
            "draws": draws,
            "failed": found.failed,
            "bound": found.bounds,
            "threshold": IDENTIFIED,
            "achieved": found.bounds * found.spread,
            "spread": found.spread,
            "spread_low": found.spread * np.sqrt(draws / tails[0]),
            "spread_high": found.spread * np.sqrt(draws / tails[1]),
            "limit_low": low,
            "limit_high": high,
            "mean_z": found.z.mean(axis=0),
            "normality_p": found.normality(),
        }
    )


def _histogram(name: str, found: Calibration) -> pd.DataFrame:
    inside = np.nextafter(EDGES[-1], 0)
    counts, _ = np.histogram(np.clip(found.z, EDGES[0], inside), EDGES)
    probability = np.diff(np.concatenate([[0.0], norm.cdf(EDGES[1:-1]), [1.0]]))
    return pd.DataFrame(
        {"problem": name, "z_low": EDGES[:-1], "z_high": EDGES[1:], "count": counts, "expected": found.z.size * probability}
    )
