"""A study's findings in plain sentences, made from its tables and nothing else."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd

from gradevo.figures.style import looks, problem_label, rows
from gradevo.statistics.comparisons import CHEAPER, DEARER, SAME
from gradevo.statistics.crossover import ABOVE, BELOW, CROSSES, NONE, REVERSED
from gradevo.statistics.settings import LOSS_TARGET, family
from gradevo.wording import between, listed, number, p_value, percent

UNITS = {"simulation_equivalents": "simulation-equivalents", "wall_s": "s of wall-clock time"}
"""The axes of cost that sentences are on."""

Row = dict[str, Any]
Tables = Mapping[str, pd.DataFrame]


def findings(study: str, tables: Tables) -> str:
    """The page results/<study>/FINDINGS.md.

    tables: statistics, costs, comparisons, crossovers and fixed_budget, as ``statistics.tables.all_tables`` makes them and as
    they are read from their files.
    """
    label = {method: look.label for method, look in looks(tables["statistics"]["method"]).items()}
    parts = [f"# Findings: {study}", *_preface(tables["statistics"])]
    for title, table, lines in (
        ("Cost to the loss target", "statistics.csv", _costs(tables["statistics"], label)),
        ("Where evolution is cheaper", "comparisons.csv, statistics.csv", _evolution(tables, label)),
        ("Where the gradient is cheaper", "comparisons.csv", _gradient(tables["comparisons"], label)),
        ("What cannot be told apart", "comparisons.csv", _same(tables["comparisons"], label)),
        ("The crossover", "crossovers.csv", _crossovers(tables["crossovers"], label)),
        ("At a given cost", "fixed_budget.csv", _leaders(tables["fixed_budget"], label)),
        ("Loss reached, densities wrong", "statistics.csv", _wrong(tables["statistics"], label)),
        ("Cost to the densities", "costs.csv", _densities(tables["costs"], label)),
    ):
        parts += [f"## {title}", f"*From {table}.*", "\n".join(lines)]
    return "\n\n".join(parts) + "\n"


def _preface(statistics: pd.DataFrame) -> list[str]:
    fits, errors = statistics["fits"].sum(), statistics["errors"].sum()
    seeds = " to ".join(map(str, np.unique(np.sort(statistics["fits"].to_numpy(int))[[0, -1]])))
    problems, methods = (statistics[key].nunique() for key in ("problem", "method"))
    return [
        "This page is made from the tables beside it; every number is in the table that its section names.",
        f"Fits: {fits}. Problems: {problems}. Methods: {methods}. Seeds of each method on a problem: {seeds}. Fits that ended "
        f"with an error: {errors}; they count as failures.",
        "A cost is the expected cost of restarting a method until it reaches the target: it pays for failures. In brackets are "
        "95 % bootstrap intervals over seeds. Comparisons are paired by seed and corrected for their number (Holm). How all of "
        "this is computed, and what not to read into it: docs/reading_the_tables.md.",
    ]


def _costs(statistics: pd.DataFrame, label: Mapping[str, str]) -> Iterator[str]:
    """Per problem: who reaches the loss target, cheapest first, and who does not."""
    for problem, cell in statistics.groupby("problem", sort=False):
        ordered: list[Row] = cell.sort_values("expected_simulation_equivalents_to_target", kind="stable").to_dict("records")
        yield f"\n**{problem_label(str(problem))}** ({ordered[0]['n_parameters']} parameters)\n"
        for row in ordered:
            if row["success_loss"]:
                costs = [_cost(row, f"expected_{axis}_to_target", unit) for axis, unit in UNITS.items()]
                reached = f"{row['success_loss']} of {row['fits']}"
                yield f"- {label[row['method']]} reached the target in {reached} fits, at {listed(costs)}. {_ended(row)}"
        missed = [
            f"{label[row['method']]} (0 of {row['fits']}; above {number(row['spent_simulation_equivalents'])})"
            for row in ordered
            if not row["success_loss"]
        ]
        if missed:
            yield f"- Never reached, at a cost above so many simulation-equivalents, by {listed(missed)}."


def _ended(row: Row) -> str:
    """What a method's fits end with, of what is known."""
    said = []
    if not math.isnan(row["median_density_error_max_rel"]):
        said.append(f"the median largest density error is {percent(row['median_density_error_max_rel'])}")
    if not math.isnan(row["median_heldout_loss"]):
        said.append(f"the median held-out loss {'' if said else 'is '}{number(row['median_heldout_loss'])}")
    return f"At the end of its fits {', '.join(said)}." if said else ""


def _evolution(tables: Tables, label: Mapping[str, str]) -> Iterator[str]:
    """Comparisons that an evolutionary method wins, and problems on which one has the lowest expected cost."""
    for axis, unit in UNITS.items():
        planned = _planned(tables["comparisons"], axis)
        won = [row for row in planned if _winner(row) == "evolution"]
        share = f"{len(won)} of {len(planned)} planned comparisons"
        yield f"- In {unit}, an evolutionary method is cheaper, with a corrected p below 5 %, in {share}."
        yield from (f"  - On {problem_label(row['problem'])}, {_versus(row, label)}." for row in won)
        column, best = f"expected_{axis}_to_target", []
        for problem, cell in tables["statistics"].groupby("problem", sort=False):
            row: Any = cell.sort_values(column, kind="stable").iloc[0]
            if math.isfinite(row[column]) and family(row["method"]) == "evolution":
                best.append(f"{problem_label(str(problem))} ({label[row['method']]}, {_cost(row, column, unit)})")
        where = f"on {listed(best)}" if best else "on no problem"
        yield f"- Of all methods, an evolutionary one has the lowest expected cost in {unit} {where}."


def _gradient(comparisons: pd.DataFrame, label: Mapping[str, str]) -> Iterator[str]:
    for axis, unit in UNITS.items():
        planned = _planned(comparisons, axis)
        won = [row for row in planned if _winner(row) == "gradient"]
        share = f"{len(won)} of {len(planned)} planned comparisons"
        yield f"- In {unit}, a gradient method is cheaper, with a corrected p below 5 %, in {share}."
        yield from (f"  - On {problem_label(row['problem'])}, {_versus(row, label)}." for row in won)


def _same(comparisons: pd.DataFrame, label: Mapping[str, str]) -> Iterator[str]:
    """What neither family wins, with the reason where no costs could have told it."""
    for axis, unit in UNITS.items():
        planned = _planned(comparisons, axis)
        same = [row for row in planned if row["verdict"] == SAME]
        yield f"- In {unit}, {len(same)} of {len(planned)} planned comparisons cannot be told apart."
        for (problem, note), group in groupby(same, key=lambda row: (row["problem"], row["note"])):
            pairs = [f"{label.get(row['method'])} and {label.get(row['compared_with'])}" for row in group]
            why = f" ({note})" if note else ""
            yield f"  - On {problem_label(problem)}: {'; '.join(pairs)}{why}."


def _crossovers(crossovers: pd.DataFrame, label: Mapping[str, str]) -> Iterator[str]:
    found: list[Row] = [row for row in rows(crossovers, target=LOSS_TARGET).to_dict("records") if row["axis"] in UNITS]
    if not found:
        yield "- No two problems of this study differ in nothing but the number of parameters."
    for row in found:
        counts, first, second = str(row["counts"]).split(), label[row["method"]], label[row["compared_with"]]
        spread = (
            f"in {percent(row['share_below'])} of resamples it is cheaper at all these numbers, "
            f"in {percent(row['share_crosses'])} from one between them on, in {percent(row['share_above'])} at none"
        )
        said = {
            CROSSES: f"{first} is cheaper than {second} above {number(row['crossover'])} parameters ({_interval(row)}; {spread})",
            BELOW: f"{first} is cheaper than {second} at every number of parameters where they can be compared ({spread})",
            ABOVE: f"{first} is dearer than {second} at every number of parameters where they can be compared ({spread})",
            REVERSED: f"{first} is cheaper than {second} below {number(row['crossover'])} parameters, dearer above",
            NONE: f"there is no single crossing of {first} and {second}: the cheaper one changes more than once",
        }.get(row["outcome"], f"neither {first} nor {second} reached the target")
        at = f"; compared at {listed(counts)}" if counts and counts != ["nan"] else ""
        yield f"- {problem_label(row['series'])} and its series, in {UNITS[row['axis']]}: {said}{at}."


def _leaders(budget: pd.DataFrame, label: Mapping[str, str]) -> Iterator[str]:
    """Per problem, whose median loss is the lowest at each cost."""
    table = rows(budget, axis="simulation_equivalents").dropna(subset=["best_loss"])
    for problem, cell in table.groupby("problem", sort=False):
        first = cell.sort_values(["cost", "best_loss"], kind="stable").drop_duplicates("cost")
        spans = []
        for method, group in groupby(first.to_dict("records"), key=lambda row: row["method"]):
            leads = [row for row in group if math.isfinite(row["best_loss"])]
            if leads:
                at = " to ".join(dict.fromkeys(number(row["cost"]) for row in (leads[0], leads[-1])))
                losses = " to ".join(dict.fromkeys(number(row["best_loss"]) for row in (leads[0], leads[-1])))
                spans.append(f"at {at}, {label[method]} ({losses})")
        yield f"- On {problem_label(str(problem))} the lowest median loss, by simulation-equivalents spent: {'; '.join(spans)}."


def _wrong(statistics: pd.DataFrame, label: Mapping[str, str]) -> Iterator[str]:
    """Fits whose loss is a success and whose densities are not: what the recordings do not tell, or not to this method."""
    for problem in statistics.loc[statistics["success_density"].isna(), "problem"].unique():
        yield (
            f"- Nobody knows the true densities of {problem_label(str(problem))}: no error of a density can be given. How far "
            "the fitted ones differ between seeds is in spread.csv."
        )
    known = statistics.dropna(subset=["success_density"])
    if known.empty:
        return
    reached, missed = (int(known[name].to_numpy(float).sum()) for name in ("success_loss", "success_loss_only"))
    yield f"- {reached} fits reached the loss target; of these, {missed} missed the study's criterion for the densities."
    for problem, cell in known.groupby("problem", sort=False):
        said = [
            f"{row['success_loss_only']:.0f} of {row['success_loss']} by {label[row['method']]} (median largest error of all its "
            f"{row['fits']} fits {percent(row['median_density_error_max_rel'])})"
            for row in cell.to_dict("records")
            if row["success_loss_only"]
        ]
        if said:
            yield f"  - On {problem_label(str(problem))}: {listed(said)}."


def _densities(costs: pd.DataFrame, label: Mapping[str, str]) -> Iterator[str]:
    """Per problem and target on the densities, who reaches it and at what cost."""
    if not costs["target"].str.contains("density error").any():
        yield "- Nobody knows the true densities of any problem of this study."
    for (problem, target), cell in rows(costs, axis="simulation_equivalents").groupby(["problem", "target"], sort=False):  # pyright: ignore[reportGeneralTypeIssues]
        if "density error" not in target:
            continue
        reached = [
            f"{label[row['method']]} ({row['reached']} of {row['fits']}, {_cost(row, 'expected', 'simulation-equivalents')})"
            for row in cell.sort_values("expected", kind="stable").to_dict("records")
            if row["reached"]
        ]
        yield f"- On {problem_label(str(problem))}, {target} or less: {listed(reached) if reached else 'reached by no method'}."


def _planned(comparisons: pd.DataFrame, axis: str) -> list[Row]:
    return rows(comparisons, target=LOSS_TARGET, axis=axis).fillna({"note": ""}).to_dict("records")


def _winner(row: Row) -> str:
    """The family of the cheaper method, empty where they cannot be told apart."""
    return {CHEAPER: family(row["method"]), DEARER: family(row["compared_with"])}.get(row["verdict"], "")


def _versus(row: Row, label: Mapping[str, str]) -> str:
    """One comparison that was decided."""
    count = row["wins"] if row["verdict"] == CHEAPER else row["losses"]
    low, high = row["expected_ratio_low"], row["expected_ratio_high"]
    ratio = f"ratio of expected costs {number(row['expected_ratio'])} ({between(low, high)})"
    return (
        f"{label[row['method']]} is {row['verdict']} than {label[row['compared_with']]} on {count} of {row['pairs']} seeds; "
        f"{ratio}; corrected {p_value(row['p_corrected'])}"
    )


def _interval(row: Row) -> str:
    low = "below the smallest" if row["crossover_low"] == 0 else number(row["crossover_low"])
    high = "above the largest" if math.isinf(row["crossover_high"]) else number(row["crossover_high"])
    return f"{low} to {high}"


def _cost(row: Any, column: str, unit: str) -> str:
    return f"{number(row[column])} {unit} ({between(row[f'{column}_low'], row[f'{column}_high'])})"
