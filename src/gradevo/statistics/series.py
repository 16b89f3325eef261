"""Which problems of a study differ in nothing but the number of parameters."""

from __future__ import annotations

import json
from typing import Any

from gradevo.config import Config

# what sets the number of parameters, and what says nothing about the problem itself
_DIAL = ("neuron", "regions", "free", "bounds", "methods", "budget_equivalents")


def series(config: Config) -> dict[str, str]:
    """Problem -> the series that it belongs to: the name of the series' first problem.

    Two problems are of one series where their declarations, their neurons' included, agree in all but regions, bounds, methods
    and budget.
    """
    firsts: dict[str, str] = {}
    return {name: firsts.setdefault(_same(config, problem), name) for name, problem in config["problems"].items()}


def _same(config: Config, problem: dict[str, Any]) -> str:
    """What problems of one series have in common, as text."""
    neuron = {key: value for key, value in config["neurons"][problem["neuron"]].items() if key != "regions"}
    rest = {key: value for key, value in problem.items() if key not in _DIAL}
    return json.dumps([neuron, rest, sorted(problem.get("free", []))], sort_keys=True)
