"""statistics.csv for a manuscript: LaTeX with booktabs."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from gradevo.figures.style import looks, problem_label

_HEAD = (
    r"\begin{tabular}{llrrrrrrr}",
    r"\toprule",
    r" & & \multicolumn{2}{c}{successes} & \multicolumn{2}{c}{expected cost to the loss target}"
    r" & \multicolumn{3}{c}{median at the end} \\",
    r"\cmidrule(lr){3-4} \cmidrule(lr){5-6} \cmidrule(lr){7-9}",
    r"problem & method & loss & densities & simulation-equivalents & wall time (s)"
    r" & loss & held-out loss & largest density error (\%) \\",
)

_ESCAPES = {"\\": r"\textbackslash{}"} | {sign: rf"\{sign}" for sign in "&%$#_{}"} | {"|": r"\textbar{}"}


def latex_table(statistics: pd.DataFrame) -> str:
    """A tabular (package booktabs) with a row per problem and method; 95 % intervals in brackets, in small type.

    statistics: as from ``cells.cell_statistics``. Where no fit reached the target, what all fits together spent is a lower
    bound of the expected cost.
    """
    names = looks(statistics["method"])
    lines: list[str] = [*_HEAD]
    previous = None
    for row in statistics.to_dict("records"):
        first = row["problem"] != previous
        if first:
            lines.append(r"\midrule")
        label = f"{problem_label(row['problem'])} ({row['n_parameters']})"
        cells = [
            escape(label) if first else "",
            escape(names[row["method"]].label),
            *(_share(row[name], row["fits"]) for name in ("success_loss", "success_density")),
            *(_cost(row, axis) for axis in ("simulation_equivalents", "wall_s")),
            _number(row["median_best_loss"]),
            _number(row["median_heldout_loss"]),
            _number(100 * row["median_density_error_max_rel"]),
        ]
        lines.append(" & ".join(cells) + r" \\")
        previous = row["problem"]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def escape(text: str) -> str:
    return "".join(_ESCAPES.get(sign, sign) for sign in text)


def _share(count: float, fits: int) -> str:
    return "--" if math.isnan(count) else f"{count:.0f}/{fits}"


def _cost(row: dict[str, Any], axis: str) -> str:
    name = f"expected_{axis}_to_target"
    if math.isinf(row[name]):
        return f"$>$ {_number(row[f'spent_{axis}'])}"
    low, high = (_number(row[f"{name}_{end}"]) for end in ("low", "high"))
    return rf"{_number(row[name])} {{\small [{low}, {high}]}}"


def _number(value: float) -> str:
    """Three digits: 1,234; 0.0123; 1.2 times a power of ten; an infinity sign; a dash for what is missing."""
    if math.isnan(value):
        return "--"
    if math.isinf(value):
        return r"$\infty$"
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        rounded = float(f"{value:.3g}")
        return f"{rounded:,.0f}" if abs(rounded) >= 100 else f"{rounded:g}"
    digits, power = f"{value:.1e}".split("e")
    return rf"${digits} \times 10^{{{int(power)}}}$"
