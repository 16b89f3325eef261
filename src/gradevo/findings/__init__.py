"""A study's findings in plain sentences, made from its tables and nothing else: results/<study>/FINDINGS.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from gradevo.figures.style import looks
from gradevo.findings.comparing import decided_otherwise, evolution_cheaper, gradient_cheaper, same
from gradevo.findings.costs import costs_to_densities, costs_to_loss, wrong_densities
from gradevo.findings.crossing import crossovers
from gradevo.findings.leading import leaders
from gradevo.statistics.bootstrap import rate_interval
from gradevo.wording import number, percent

IN_SENTENCES = {
    "genetic": "the genetic algorithm",
    "cma_lbfgs": "CMA-ES with L-BFGS",
    "lbfgs_fd": "L-BFGS on differences",
    "bluepyopt_neuron_mse": "BluePyOpt on NEURON (voltage)",
    "bluepyopt_neuron_efel": "BluePyOpt on NEURON (eFEL)",
    "jaxley_adam": "Jaxley's Adam",
}
"""What methods are called where their label, with its comma, will not do."""

TABLES = ("statistics", "costs", "comparisons", "crossovers", "fixed_budget", "problems")
"""What the page is made from."""


def findings(config: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]) -> str:
    """The page.

    config: the study's; of it, study, neuron_per_seed, stop_loss and success.density_rel are said. tables: TABLES, as
    ``statistics.tables.all_tables`` and ``figure_tables.all`` make them and as they are read from their files.
    """
    label = {method: IN_SENTENCES.get(method, look.label) for method, look in looks(tables["statistics"]["method"]).items()}
    parts = [f"# Findings: {config['study']}", *_preface(config, tables["statistics"])]
    for title, table, lines in (
        ("Cost to the loss target", "statistics.csv, problems.csv", costs_to_loss(tables, label)),
        ("Where evolution is cheaper", "comparisons.csv, statistics.csv", evolution_cheaper(tables, label)),
        ("Where the gradient is cheaper", "comparisons.csv, statistics.csv", gradient_cheaper(tables, label)),
        ("Other planned comparisons", "comparisons.csv, statistics.csv", decided_otherwise(tables, label)),
        ("What cannot be told apart", "comparisons.csv", same(tables["comparisons"], label)),
        ("The crossover", "crossovers.csv", crossovers(tables["crossovers"], label)),
        ("At a given cost", "fixed_budget.csv", leaders(tables, label, config.get("stop_loss", 0.0))),
        ("Loss reached, densities wrong", "statistics.csv", wrong_densities(tables["statistics"], label, config)),
        ("Cost to the densities", "costs.csv", costs_to_densities(tables["costs"], label)),
    ):
        parts += [f"## {title}", f"*From {table}.*", "\n".join(lines)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _preface(config: Mapping[str, Any], statistics: pd.DataFrame) -> list[str]:
    """What all sentences below rest on."""
    fits, errors = statistics["fits"].sum(), statistics["errors"].sum()
    seeds = " to ".join(dict.fromkeys(map(str, (statistics["fits"].min(), statistics["fits"].max()))))
    problems, methods = (statistics[key].nunique() for key in ("problem", "method"))
    each = "each a neuron of its own" if config.get("neuron_per_seed") else "each another start on the same neuron"
    return [
        "This page is made from the tables beside it; every number is in the tables that its section names, or is a ratio of two "
        "of them.",
        f"Fits: {fits}. Problems: {problems}. Methods: {methods}. Seeds of each method on a problem: {seeds}, {each}. Fits that "
        f"ended with an error: {errors}; they count by what they had reached until then.",
        "A **cost** is the expected cost of restarting a method until it reaches the target: all that its fits spent, divided by "
        "how many of them reached it. In brackets are 95 % bootstrap intervals over seeds; an end that is infinite, or 0 in a "
        "ratio, says that in more than 2.5 % of the resamples no fit reached the target.",
        _bound(statistics),
        "A **planned comparison** is a pair of methods on one problem: the pairs that the config names (`statistics.pairs`), or "
        "every gradient method with every evolutionary one. The test is paired by seed (Wilcoxon's signed ranks of the log cost "
        "ratios; a failure is dearer than any success, two failures are a tie). p is corrected (Holm) for the pairs on the same "
        "problem, not for the number of problems: where all methods cost the same, up to one problem in twenty would "
        "still show a difference.",
        "How all of this is computed, and what not to read into it: docs/reading_the_tables.md.",
    ]


def _bound(statistics: pd.DataFrame) -> str:
    """What is said of costs that are infinite; empty where none is."""
    missed = statistics[statistics["success_loss"] == 0]
    if missed.empty:
        return ""
    fits = int(np.max(np.asarray(missed["fits"])))
    rate = rate_interval(0, fits)[1]
    return (
        "Where **no fit reached the target**, what all fits spent together stands for the cost, and a ratio with it is written "
        f'"at most" or "at least". This is no confidence bound: with 0 of {fits} fits, a success rate of {percent(rate)} is '
        f"still within Wilson's 95 % interval, and would make the cost {number((1 / rate - 1) / fits)} times as much."
    )
