"""Phrases that several sections use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from gradevo.wording import between, number

UNITS = {"simulation_equivalents": "simulation-equivalents", "wall_s": "s of wall-clock time"}
"""The axes of cost that sentences are on, after a number."""

AXES = {"simulation_equivalents": "simulation-equivalents", "wall_s": "wall-clock time"}
"""The same, without one."""

Row = dict[str, Any]
Tables = Mapping[str, pd.DataFrame]
Labels = Mapping[str, str]


def cost(row: Any, column: str, unit: str) -> str:
    """A column with its unit and its interval."""
    return f"{number(row[column])} {unit} ({between(row[f'{column}_low'], row[f'{column}_high'])})"


def begun(sentence: str) -> str:
    """With a capital."""
    return sentence[:1].upper() + sentence[1:]
