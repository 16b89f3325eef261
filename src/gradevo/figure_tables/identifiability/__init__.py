"""The tables behind the figures of what data can tell (`snakemake identifiability`), a file per job of the workflow.

They need no fits of a study. Figures are drawn from the tables alone (gradevo.figures.identifiability).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TABLES: dict[str, tuple[str, ...]] = {
    "sites": ("neuron", "spectrum", "verdicts", "known", "unseen"),
    "calibration": ("calibration", "z_scores"),
    "likelihood": ("likelihood", "intervals"),
    "placement": ("placement", "placement_sites"),
}
"""Job -> its tables, <name>.csv; a job's name is that of its part of the config's section `identifiability`."""


def asked_of(config: Mapping[str, Any], job: str) -> dict[str, Any]:
    """What of a checked config a job depends on."""
    asked = config["identifiability"]
    shared = {key: config[key] for key in ("neurons", "problems")}
    return shared | {"identifiability": {"noise_mV": asked["noise_mV"], job: asked[job]}}
