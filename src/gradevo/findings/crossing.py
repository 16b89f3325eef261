"""From which number of parameters on a method is cheaper than another."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pandas as pd

from gradevo.figures.style import problem_label, rows
from gradevo.findings.phrases import AXES, Labels, Row
from gradevo.statistics.crossover import ABOVE, BELOW, CROSSES, NONE, REVERSED
from gradevo.statistics.settings import LOSS_TARGET
from gradevo.wording import listed, number, percent


def crossovers(table: pd.DataFrame, label: Labels) -> Iterator[str]:
    of_loss = rows(table, target=LOSS_TARGET)
    found: Any = of_loss[of_loss["axis"].isin(AXES)]
    if found.empty:
        yield "- No two problems of this study differ in nothing but the number of regions."
        return
    yield (
        "Expected costs alone decide here which method is cheaper, without a test at any single number; where one of the two "
        "never reached the target, what its fits spent stands for its cost. Between the numbers of parameters that were "
        "compared, the logarithm of the costs' ratio is taken as linear in that of the number."
    )
    for name, group in found.groupby("series", sort=False):
        yield f"\n**{problem_label(str(name))} and the problems that differ from it in nothing but the number of regions**\n"
        for row in group.to_dict("records"):
            yield f"- In {AXES[row['axis']]}: {_outcome(row, label)}{_compared(row)}."


def _outcome(row: Row, label: Labels) -> str:
    first, second = label[row["method"]], label[row["compared_with"]]
    at = number(row["crossover"])
    return {
        CROSSES: f"{first} is cheaper than {second} above {at} parameters ({_interval(row)}; {_spread(row)})",
        BELOW: f"{first} is cheaper than {second} at all numbers of parameters that were compared ({_spread(row)})",
        ABOVE: f"{first} is dearer than {second} at all numbers of parameters that were compared ({_spread(row)})",
        REVERSED: f"{first} is cheaper than {second} below {at} parameters, dearer above",
        NONE: f"there is no single crossing of {first} and {second}: the cheaper one changes more than once",
    }.get(row["outcome"], f"neither {first} nor {second} reached the target")


def _spread(row: Row) -> str:
    """How often the resamples say what."""
    shares = {
        "at all": "below",
        "from one between them on": "crosses",
        "at none": "above",
        "otherwise (in another order, or neither arrived)": "other",
    }
    said = [(row[f"share_{key}"], words) for words, key in shares.items() if row[f"share_{key}"] > 0]
    if len(said) == 1:
        return "in all resamples"
    return f"of the resamples, {listed(f'in {percent(share)} {words}' for share, words in said)}"


def _compared(row: Row) -> str:
    """At which numbers of parameters the two were."""
    counts, untold = _numbers(row["counts"]), _numbers(row["untold"])
    said = f"; compared at {listed(counts)}" if counts else ""
    return said + (f"; neither reached the target at {listed(untold)}" if untold else "")


def _interval(row: Row) -> str:
    counts = _numbers(row["counts"])
    low = f"below {counts[0]}" if row["crossover_low"] == 0 else number(row["crossover_low"])
    high = f"above {counts[-1]}" if math.isinf(row["crossover_high"]) else number(row["crossover_high"])
    return f"{low} to {high}"


def _numbers(cell: Any) -> list[str]:
    """Of a cell with numbers separated by spaces: an empty one is read as missing, a single one as a number."""
    if isinstance(cell, str):
        return cell.split()
    return [] if pd.isna(cell) else [f"{cell:g}"]
