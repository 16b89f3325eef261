"""The table that a study ends with, for reading in a terminal."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table

from gradevo.figures.style import looks, problem_label

WIDTH = 160
"""Characters: more than the table needs, so that nothing wraps."""


def readable_table(
    statistics: pd.DataFrame, summary: pd.DataFrame, success: dict[str, Any], study: str, places: Iterable[str] = ()
) -> str:
    """Method x problem as plain text, then the fits that ended in an error, then where things are.

    statistics: as from ``statistics.cell_statistics``; summary: a row per fit; success: the study's criteria;
    places: lines such as "figures  figures/quick".
    """
    names = looks(statistics["method"])
    table = Table(
        title=f"{study}: {len(summary)} fits, {len(set(summary['problem']))} problems x {len(names)} methods",
        title_justify="left", title_style="", box=box.SIMPLE_HEAD, pad_edge=False,
    )  # fmt: skip
    table.add_column("problem", no_wrap=True)
    table.add_column("method", no_wrap=True)
    headings = (
        "param-\neters", "loss\nsuccess", "density\nsuccess", "median\nloss", "held-out\nloss",
        "simula-\ntions", "gra-\ndients", "simulation\nequivalents", "wall\ntime, s",
    )  # fmt: skip
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    previous = None
    for row in statistics.to_dict("records"):
        if previous not in (None, row["problem"]):
            table.add_section()
        table.add_row(
            problem_label(row["problem"]) if row["problem"] != previous else "",
            names[row["method"]].label,
            str(row["n_parameters"]),
            f"{row['success_loss']}/{row['fits']}",
            _share(row["success_density"], row["fits"]),
            _loss(row["median_best_loss"]),
            _loss(row["median_heldout_loss"]),
            _count(row["median_simulations_to_target"]),
            _count(row["median_gradients_to_target"]),
            _count(row["median_simulation_equivalents_to_target"]),
            _seconds(row["median_wall_s_to_target"]),
        )
        previous = row["problem"]
    stream = io.StringIO()
    Console(file=stream, width=WIDTH, color_system=None, legacy_windows=False).print(table)
    lines = [line.rstrip() for line in stream.getvalue().rstrip().splitlines()]
    lines += ["", *_explanation(success), "", *_errors(summary), *places]
    return "\n".join(lines) + "\n"


def failed_fits(summary: pd.DataFrame) -> list[str]:
    """One line for each fit that ended with status error."""
    failed = summary[summary["status"] == "error"]
    return [f"{row['problem']} {row['method']} seed {row['seed']}: {row['message']}" for _, row in failed.iterrows()]


def _explanation(success: dict[str, Any]) -> list[str]:
    return [
        f"Loss success: at most {success['loss']:g} mV² (noisy targets: {success['noise_factor']:g} x the noise variance), "
        "or the problem's own loss_target.",
        "Losses are mean squared errors in mV² where a problem declares no other.",
        f"Density success: largest relative error of what is free at most {100 * success['density_rel']:g} %; "
        "- where nobody knows the true densities.",
        "Simulations to wall time: median cost until loss success; - where half of the fits or more missed it.",
    ]


def _errors(summary: pd.DataFrame) -> list[str]:
    lines = failed_fits(summary)
    if not lines:
        return []
    return [f"{len(lines)} of {len(summary)} fits ended in an error:", *(f"  {line}" for line in lines), ""]


def _share(count: float, fits: int) -> str:
    return f"{count:.0f}/{fits}" if np.isfinite(count) else "-"


def _loss(value: float) -> str:
    return f"{value:.1e}" if np.isfinite(value) else "-"


def _count(value: float) -> str:
    return f"{value:,.0f}" if np.isfinite(value) else "-"


def _seconds(value: float) -> str:
    if not np.isfinite(value):
        return "-"
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"
