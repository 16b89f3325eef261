"""Which problems of a study differ in nothing but the number of regions, or in nothing but the sites."""

from __future__ import annotations

import json
from typing import Any

from gradevo.config import Config

# what sets the number of parameters, and what says nothing about the problem itself; an expected cost depends on the budget
_DIAL = ("neuron", "regions", "free", "methods")
_SITES = ("stimulated", "recorded", "neuron", "methods", "budget_equivalents")


def series(config: Config) -> dict[str, str]:
    """Problem -> the series that it belongs to: the name of the series' first problem.

    Two problems are of one series where their declarations, their neurons' included, agree in all but regions and methods.
    """
    firsts: dict[str, str] = {}
    return {name: firsts.setdefault(_same(config, problem), name) for name, problem in config["problems"].items()}


def site_series(config: Config) -> dict[str, str]:
    """Problem -> the problems that differ in nothing but which sites are stimulated and recorded, and by what they are fitted."""
    firsts: dict[str, str] = {}
    return {
        name: firsts.setdefault(json.dumps([_neuron_of(config, problem), _without(problem, _SITES)], sort_keys=True), name)
        for name, problem in config["problems"].items()
    }


def parameter_dial(config: Config, problem: str) -> str:
    """What sets the number of parameters within a series: problems that agree in it have the same number."""
    declared = config["problems"][problem]
    regions = declared.get("regions", _neuron_of(config, declared).get("regions"))
    return json.dumps([regions, declared.get("free")], sort_keys=True)


def _same(config: Config, problem: dict[str, Any]) -> str:
    """What problems of one series have in common, as text."""
    neuron = _without(_neuron_of(config, problem), ("regions",))
    return json.dumps([neuron, _without(problem, _DIAL), sorted(problem.get("free", []))], sort_keys=True)


def _neuron_of(config: Config, problem: dict[str, Any]) -> dict[str, Any]:
    return config["neurons"][problem["neuron"]]


def _without(declared: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: value for key, value in declared.items() if key not in keys}
