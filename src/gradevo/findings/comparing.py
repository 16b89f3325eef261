"""The planned comparisons: which of two methods is cheaper, or that it cannot be told."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import groupby
from typing import Any

import pandas as pd

from gradevo.figures.style import problem_label, rows
from gradevo.findings.phrases import AXES, UNITS, Labels, Row, Tables, cost
from gradevo.statistics.comparisons import CHEAPER, DEARER, SAME
from gradevo.statistics.settings import LOSS_TARGET, family
from gradevo.wording import between, listed, number, p_value

FAMILIES = {"gradient", "evolution"}

_BRACKETS = ". In brackets: on how many seeds, the ratio of the expected costs with its interval, and the corrected p."


def evolution_cheaper(tables: Tables, label: Labels) -> Iterator[str]:
    """Comparisons that an evolutionary method wins, and problems on which one has the lowest expected cost."""
    for axis, unit in UNITS.items():
        yield from _won(tables, label, axis, "evolution", "an evolutionary method is cheaper")
        column, best = f"expected_{axis}_to_target", []
        for problem, cell in tables["statistics"].groupby("problem", sort=False):
            row: Any = cell.sort_values(column, kind="stable").iloc[0]
            if math.isfinite(row[column]) and family(row["method"]) == "evolution":
                best.append(f"{problem_label(str(problem))} ({label[row['method']]}, {cost(row, column, unit)})")
        where = f"on {listed(best)}" if best else "on no problem"
        yield f"- Of all methods, an evolutionary one has the lowest expected cost in {AXES[axis]} {where}."


def gradient_cheaper(tables: Tables, label: Labels) -> Iterator[str]:
    for axis in AXES:
        yield from _won(tables, label, axis, "gradient", "a gradient method is cheaper")


def _won(tables: Tables, label: Labels, axis: str, winner: str, said: str) -> Iterator[str]:
    """Of the comparisons between the two families, those that one of them wins."""
    between_families = [row for row in _planned(tables["comparisons"], axis) if _families(row) == FAMILIES]
    won = [row for row in between_families if _winner(row) == winner]
    yield (
        f"- In {AXES[axis]}, {said}, with a corrected p below 5 %, in {len(won)} of {len(between_families)} planned comparisons "
        f"of a gradient method with an evolutionary one{_BRACKETS if won else '.'}"
    )
    yield from _listed(won, tables, label)


def decided_otherwise(tables: Tables, label: Labels) -> Iterator[str]:
    """Comparisons within a family, or with a hybrid or a baseline, that are decided."""
    for axis in AXES:
        others = [row for row in _planned(tables["comparisons"], axis) if _families(row) != FAMILIES]
        told = [row for row in others if row["verdict"] != SAME]
        yield (
            f"- In {AXES[axis]}, {len(told)} of {len(others)} other planned comparisons (of methods of one family, hybrids, "
            f"baselines, competitors) show which is cheaper, with a corrected p below 5 %{_BRACKETS if told else '.'}"
        )
        yield from _listed(told, tables, label)


def same(comparisons: pd.DataFrame, label: Labels) -> Iterator[str]:
    """What neither method wins, with the reason where no costs could have told it."""
    for axis in AXES:
        planned = _planned(comparisons, axis)
        untold = [row for row in planned if row["verdict"] == SAME]
        yield f"- In {AXES[axis]}, {len(untold)} of all {len(planned)} planned comparisons cannot be told apart."
        for (problem, note), group in groupby(untold, key=lambda row: (row["problem"], row["note"])):
            pairs = [
                f"{label.get(row['method'])} and {label.get(row['compared_with'])}"
                + ("" if note else f" (corrected {p_value(row['p_corrected'])})")
                for row in group
            ]
            why = f" ({note})" if note else ""
            yield f"  - On {problem_label(problem)}: {'; '.join(pairs)}{why}."


def _planned(comparisons: pd.DataFrame, axis: str) -> list[Row]:
    return rows(comparisons, target=LOSS_TARGET, axis=axis).fillna({"note": ""}).to_dict("records")


def _families(row: Row) -> set[str]:
    return {family(row["method"]), family(row["compared_with"])}


def _winner(row: Row) -> str:
    """The family of the cheaper method, empty where they cannot be told apart."""
    return {CHEAPER: family(row["method"]), DEARER: family(row["compared_with"])}.get(row["verdict"], "")


def _listed(told: list[Row], tables: Tables, label: Labels) -> Iterator[str]:
    """Comparisons that were decided, those of one method on one problem together."""
    for (problem, method, verdict), group in groupby(told, key=lambda row: (row["problem"], row["method"], row["verdict"])):
        others = [f"{label[row['compared_with']]} ({_versus(row, tables['statistics'])})" for row in group]
        yield f"  - On {problem_label(problem)}, {label[method]} is {verdict} than {listed(others)}."


def _versus(row: Row, statistics: pd.DataFrame) -> str:
    """On how many seeds one of two was cheaper (or dearer), the ratio of their costs, and p."""
    told, against = ("wins", "losses") if row["verdict"] == CHEAPER else ("losses", "wins")
    other = DEARER if row["verdict"] == CHEAPER else CHEAPER
    rest = [f"{other} on {row[against]}"] * bool(row[against]) + [f"tied on {row['ties']}"] * bool(row["ties"])
    seeds = ", ".join([f"{row[told]} of {row['pairs']} seeds", *rest])
    return f"{seeds}; ratio {_ratio(row, statistics)}; {p_value(row['p_corrected'])}"


def _ratio(row: Row, statistics: pd.DataFrame) -> str:
    """With its interval; a bound where one of the two never reached the target."""
    ratio = row["expected_ratio"]
    if 0 < ratio < math.inf:
        return f"{number(ratio)}, {between(row['expected_ratio_low'], row['expected_ratio_high'])}"
    first, second = (_reckoned(statistics, row["problem"], row[key], row["axis"]) for key in ("method", "compared_with"))
    return f"at {'most' if ratio == 0 else 'least'} {number(first / second)}"


def _reckoned(statistics: pd.DataFrame, problem: str, method: str, axis: str) -> float:
    """The expected cost; or what all fits spent, if none reached the target."""
    row: Any = rows(statistics, problem=problem, method=method).iloc[0]
    expected = row[f"expected_{axis}_to_target"]
    return expected if math.isfinite(expected) else row[f"spent_{axis}"]
