"""Who has the lowest loss at a given cost."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from gradevo.figures.style import problem_label, rows
from gradevo.findings.phrases import Labels, Tables
from gradevo.wording import listed, number


def leaders(tables: Tables, label: Labels, stop_loss: float) -> Iterator[str]:
    """Per problem, whose median loss is the lowest at each cost. Fits end at stop_loss: what is below it leads together."""
    stop = f" Fits end at a loss of {number(stop_loss)}: medians at or below it count as equal." if stop_loss else ""
    yield (
        "The lowest median loss at 1, 3, 10, ... simulation-equivalents; a fit that ended before keeps the loss that it had. No "
        f"test is made here.{stop}\n"
    )
    units = dict(zip(tables["problems"]["problem"], tables["problems"]["loss_unit"], strict=True))
    table = rows(tables["fixed_budget"], axis="simulation_equivalents").dropna(subset=["best_loss"])
    finite = table[table["best_loss"] < float("inf")]
    for problem, cell in finite.groupby("problem", sort=False):
        at_costs: list[tuple[float, float, tuple[str, ...]]] = []
        for cost, part in cell.groupby("cost"):
            lowest: Any = part["best_loss"].min()
            first = part[part["best_loss"] <= max(lowest, stop_loss)]
            at_costs.append((float(cost), lowest, tuple(first["method"])))  # pyright: ignore[reportArgumentType]
        spans = []
        for methods, group in groupby(at_costs, key=lambda each: each[2]):
            led = list(group)
            costs, losses = (" to ".join(dict.fromkeys(map(number, ends))) for ends in zip(led[0][:2], led[-1][:2], strict=True))
            spans.append(f"at {costs}, {listed(label[method] for method in methods)} ({losses})")
        unit = "" if units[problem] == "none" else f" (in {units[problem]})"
        yield f"- On {problem_label(str(problem))}{unit}: {'; '.join(spans)}."
