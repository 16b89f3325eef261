"""Of measured recordings: what the fits found (found.csv), and the voltages that they make beside those recorded (traces.csv)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from gradevo.config import Config
from gradevo.figure_tables.example import fitted_parameters
from gradevo.figures.planned import RECORDED, measured_problems
from gradevo.figures.style import rows
from gradevo.fitted import fitted_voltages
from gradevo.measured import measured_names
from gradevo.protocol import Protocol
from gradevo.study import make_problem

MOST_SWEEPS = 4
"""Of the fitted and of the held-out sweeps each."""


def recording_tables(config: Config, summary: pd.DataFrame, densities: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """found and traces, of all measured problems; none where there are no such problems.

    summary: a row per fit; densities: a row per fit, quantity and compartment.
    """
    names = measured_problems(config)
    if not names:
        return {}
    return {"found": found(densities), "traces": pd.concat([_traces(config, name, summary, densities) for name in names])}


def found(densities: pd.DataFrame) -> pd.DataFrame:
    """found.csv: what each fit found in every compartment; in every region where nobody knows the truth."""
    region = ["problem", "method", "seed", "channel", "region"]
    kept = np.asarray(densities["true"].notna()) | ~np.asarray(densities.duplicated(region))
    columns = ["problem", "method", "seed", "channel", "compartment", "region", "unit", "true", "fitted"]
    return densities.loc[kept, columns]  # pyright: ignore[reportReturnType]


def _traces(config: Config, name: str, summary: pd.DataFrame, densities: pd.DataFrame) -> pd.DataFrame:
    """A row per kind of sweep, method, sweep, site and time: of each method its best fit's, and what was recorded."""
    problem = make_problem(config, name)
    of: Any = rows(summary, problem=name)
    best = of[np.isfinite(of["best_loss"])].sort_values("best_loss", kind="stable").drop_duplicates("method")
    answers = {
        fit["method"]: fitted_voltages(
            problem, fitted_parameters(problem, rows(densities, problem=name, method=fit["method"], seed=fit["seed"]))
        )
        for fit in best.to_dict("records")
    }
    names = measured_names(config["problems"][name]["measured"])
    kinds: dict[str, Any] = {"fitted": (names.fitted, problem.protocol, problem.target)}
    if problem.heldout is not None:
        kinds["held out"] = (names.heldout, *problem.heldout)
    parts = []
    for i, (kind, (sweeps, protocol, target)) in enumerate(kinds.items()):
        of_methods = {RECORDED: np.asarray(target)} | {method: both[i] for method, both in answers.items()}
        for method, voltages in of_methods.items():
            parts.append(_rows(protocol, voltages, sweeps, names.sites).assign(stimuli=kind, method=method))
    columns = ["problem", "stimuli", "method", "sweep", "site", "compartment", "time_ms", "voltage_mV"]
    return pd.concat(parts).assign(problem=name).reindex(columns=columns)


def _rows(protocol: Protocol, voltages_mV: np.ndarray, sweeps: Sequence[str], sites: Sequence[str]) -> pd.DataFrame:
    """Of the first sweeps of voltages [sweeps, samples, sites]: a row per sweep, site and time, in this order."""
    shown = voltages_mV[:MOST_SWEEPS].transpose(0, 2, 1)
    sweep, site, sample = (index.ravel() for index in np.indices(shown.shape))
    return pd.DataFrame(
        {
            "sweep": np.array(sweeps, dtype=object)[sweep],
            "site": np.array(sites, dtype=object)[site],
            "compartment": np.asarray(protocol.recorded)[site],
            "time_ms": np.asarray(protocol.sample_times_ms)[sample],
            "voltage_mV": shown.ravel(),
        }
    )
