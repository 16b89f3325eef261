"""All tables of the figures that follow from a study's fits; the gradient's price, which is timed, is apart."""

from __future__ import annotations

import pandas as pd

from gradevo.config import Config
from gradevo.figure_tables.curves import convergence_curves, profile_curves
from gradevo.figure_tables.example import example_tables
from gradevo.figure_tables.problems import problems_table
from gradevo.figure_tables.recordings import recording_tables
from gradevo.figures.planned import with_competitors


def figure_tables(
    config: Config, summary: pd.DataFrame, histories: pd.DataFrame, densities: pd.DataFrame, profiles: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    """Tables by name, from those of the summary and profiles.csv."""
    problems = problems_table(config, summary)
    shown = [*problems.loc[problems["shown"], "problem"], *with_competitors(config)]
    return (
        {
            "problems": problems,
            "convergence": convergence_curves(histories, list(dict.fromkeys(shown))),
            "profile_curves": profile_curves(profiles),
        }
        | example_tables(config, problems, summary, densities)
        | recording_tables(config, summary, densities)
    )
