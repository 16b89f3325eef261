"""All tables of the statistics at once."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from gradevo.statistics.budget import fixed_budget
from gradevo.statistics.cells import cell_statistics, cost_table
from gradevo.statistics.comparisons import compare_methods
from gradevo.statistics.crossover import crossovers
from gradevo.statistics.hits import target_hits
from gradevo.statistics.latex import latex_table
from gradevo.statistics.profiles import runtime_profiles
from gradevo.statistics.settings import Settings


def all_tables(
    summary: pd.DataFrame, histories: pd.DataFrame, series: Mapping[str, str], settings: Settings | None = None
) -> tuple[dict[str, pd.DataFrame], str]:
    """The tables by name, hits and the CSV files' names, and statistics.csv for LaTeX.

    summary: a row per fit; histories: a row per batch of each fit, in order; series: problem -> its series, as from
    ``series.series``.
    """
    settings = settings or Settings()
    hits = target_hits(summary, histories, settings.targets)
    statistics = cell_statistics(summary, settings)
    tables = {
        "hits": hits,
        "statistics": statistics,
        "costs": cost_table(hits, settings),
        "comparisons": compare_methods(hits, settings),
        "crossovers": crossovers(hits, series, settings),
        "profiles": runtime_profiles(hits),
        "fixed_budget": fixed_budget(summary, histories, settings),
    }
    return tables, latex_table(statistics)
