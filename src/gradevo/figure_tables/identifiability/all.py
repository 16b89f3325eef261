"""Every job's tables, and what they were made from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from gradevo.config import Config
from gradevo.figure_tables.identifiability.calibration import calibration_tables
from gradevo.figure_tables.identifiability.likelihood import likelihood_tables
from gradevo.figure_tables.identifiability.placement import placement_tables
from gradevo.figure_tables.identifiability.sites import site_tables
from gradevo.identifiability.sources import identifiability_hash

JOBS: dict[str, Callable[[Config], dict[str, pd.DataFrame]]] = {
    "sites": site_tables,
    "calibration": calibration_tables,
    "likelihood": likelihood_tables,
    "placement": placement_tables,
}


def record(config: Config) -> dict[str, Any]:
    """record.json: the configuration, and the hash of the sources that the tables follow from."""
    return {"config": config, "sources": {"identifiability": identifiability_hash()}}
