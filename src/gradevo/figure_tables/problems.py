"""A row per problem: what the figures group it by, and what they call it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from gradevo.config import Config
from gradevo.losses import LOSS_UNITS, loss_spec
from gradevo.protocol import resolve_sites
from gradevo.statistics.series import series, site_series
from gradevo.study import make_neuron, make_problem

MOST_SHOWN = 4
"""Of a series, so many problems are shown where curves of every problem would not fit on a page."""


def problems_table(config: Config, summary: pd.DataFrame) -> pd.DataFrame:
    """problems.csv; summary: a row per fit."""
    of_fits = summary.drop_duplicates("problem").set_index("problem")
    targets: Any = summary.groupby("problem")["loss_target"].agg(["min", "max"])
    counts, sites = series(config), site_series(config)
    rows: list[dict[str, Any]] = []
    for name, declared in config["problems"].items():
        if name not in of_fits.index:
            continue
        neuron, _ = make_neuron(config, declared["neuron"])
        n = neuron.n_compartments
        row = {"problem": name, "series": counts[name], "site_series": sites[name], "neuron": declared["neuron"]}
        row |= {"channels": config["neurons"][declared["neuron"]]["channels"], "compartments": n}
        row |= {"n_parameters": of_fits.loc[name, "n_parameters"]}
        protocol = make_problem(config, name).protocol if "stimulated" not in declared else None  # whose sites its files name
        for key in ("stimulated", "recorded"):
            row[key] = len(getattr(protocol, key) if protocol else resolve_sites(declared[key], n, f"{key} site"))
        row |= {"noise_mV": declared.get("noise_mV", 0.0)}
        row |= {"loss_target": targets.loc[name, "min"], "loss_target_high": targets.loc[name, "max"]}
        rows.append(row | {"loss_unit": LOSS_UNITS[loss_spec(declared.get("loss", "mse"))[0]].replace("2", "²")})
    table = pd.DataFrame(rows)
    return table.assign(shown=table["problem"].isin(shown_problems(table, summary)))


def shown_problems(problems: pd.DataFrame, summary: pd.DataFrame) -> list[str]:
    """The problems of which curves are kept and drawn: all where they are few, or else MOST_SHOWN of the longest series, spread
    evenly over its numbers of parameters."""
    if len(problems) <= MOST_SHOWN + 1:
        return list(problems["problem"])
    chosen = counts_series(problems, summary)
    at = np.unique(np.linspace(0, len(chosen) - 1, MOST_SHOWN).round().astype(int))
    return [chosen[i] for i in at]


def counts_series(problems: pd.DataFrame, summary: pd.DataFrame) -> list[str]:
    """The problems of the series with the most numbers of parameters (of several, with the most methods), by that number; of two
    with the same number, that which more methods fitted."""
    methods: Any = summary.groupby("problem")["method"].nunique()
    table = problems.assign(methods=problems["problem"].map(methods))
    ordered = table.sort_values(["n_parameters", "methods"], ascending=[True, False], kind="stable")
    distinct = ordered.drop_duplicates(["series", "n_parameters"])
    size = distinct.groupby("series", sort=False).agg(counts=("problem", "size"), methods=("methods", "sum"))
    longest = size.sort_values(["counts", "methods"], ascending=False, kind="stable").index[0]
    return list(distinct.loc[distinct["series"] == longest, "problem"])
