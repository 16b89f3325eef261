"""Which figures a study has, known from its config alone, before anything has run; and what each is drawn from."""

from __future__ import annotations

from gradevo.config import Config, methods_of
from gradevo.methods import get_method
from gradevo.statistics.series import parameter_dial, series, site_series

TABLES: dict[str, tuple[str, ...]] = {
    "question": ("example", "example_compartments", "example_traces"),
    "convergence": ("problems", "convergence"),
    "cost": ("problems", "costs", "crossovers"),
    "profiles": ("problems", "profile_curves"),
    "recovery": ("problems", "statistics"),
    "rivals": ("problems", "statistics", "convergence", "summary"),
    "price": ("price",),
}
"""Figure -> the tables that it is drawn from, <name>.csv in results/<study>; in the order of the paper."""

IDENTIFIABILITY_TABLES: dict[str, tuple[str, ...]] = {
    "spectrum": ("spectrum", "verdicts"),
    "known": ("neuron", "known", "verdicts"),
    "unseen": ("neuron", "unseen"),
    "calibration": ("calibration", "z_scores"),
    "likelihood": ("likelihood", "intervals"),
    "placement": ("neuron", "placement", "placement_sites"),
}
"""The same of what data can tell, whatever the method (config/identifiability.yaml)."""

OF_RECORDINGS: dict[str, tuple[str, ...]] = {"densities": ("found",), "traces": ("traces",)}
"""The same, of measured recordings; of traces, a figure for each problem: traces_<problem>."""

RECORDED = "recorded"
"""What stands for a method in traces.csv where voltages are the data."""


def tables_of(figure: str) -> tuple[str, ...]:
    """The tables that a figure is drawn from."""
    return (TABLES | OF_RECORDINGS | IDENTIFIABILITY_TABLES)[figure.partition("_")[0]]


def planned_figures(config: Config) -> list[str]:
    """The figures of a study, in the order of the paper: those for which it has the data."""
    if "identifiability" in config:
        return list(IDENTIFIABILITY_TABLES)
    has = {"cost": dialled(config), "price": dialled(config), "recovery": sites_vary(config), "rivals": with_competitors(config)}
    measured = measured_problems(config)
    more = ["densities", *(f"traces_{name}" for name in measured)] if measured else []
    return [name for name in TABLES if has.get(name, True)] + more


def measured_problems(config: Config) -> list[str]:
    """The problems whose recordings come from files."""
    return [name for name, problem in config["problems"].items() if "measured" in problem]


def dialled(config: Config) -> list[str]:
    """The problems of the series with the most numbers of parameters, one for each number; none where no series has several."""
    found: dict[str, dict[str, str]] = {}
    for name, group in series(config).items():
        found.setdefault(group, {}).setdefault(parameter_dial(config, name), name)
    longest = max(found.values(), key=len)
    return list(longest.values()) if len(longest) > 1 else []


def sites_vary(config: Config) -> list[str]:
    """The problems that differ from others in nothing but their sites."""
    sites = {name: str((problem.get("stimulated"), problem.get("recorded"))) for name, problem in config["problems"].items()}
    found: dict[str, set[str]] = {}
    for name, group in site_series(config).items():
        found.setdefault(group, set()).add(sites[name])
    return [name for name, group in site_series(config).items() if len(found[group]) > 1]


def with_competitors(config: Config) -> list[str]:
    """The problems that a method with a simulator of its own fits."""
    return [
        name
        for name in config["problems"]
        if any(get_method(method).simulator != "gradevo" for method in methods_of(config, name))
    ]
