"""Verdicts as a table on the screen, in words, and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gradevo.files import write_aside
from gradevo.identifiability.verdicts import Verdicts
from gradevo.wording import number

if TYPE_CHECKING:
    from rich.table import Table


def verdict_table(found: Verdicts) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column, justify in (("parameter", "left"), ("value", "right"), ("unit", "left"), ("bound", "right"), ("verdict", "left")):
        table.add_column(column, justify=justify)  # pyright: ignore[reportArgumentType]
    for row in found.rows():
        bound = float(str(row["bound_rel_percent"]))
        cells = str(row["parameter"]).replace("[", r"\["), f"{row['value']:.4g}", str(row["unit"])
        table.add_row(*cells, f"{number(bound)} %" if np.isfinite(bound) else "none", str(row["verdict"]))
    return table


def summary(found: Verdicts) -> Iterator[str]:
    """The verdicts' counts and the spectrum in a few lines."""
    info, spectrum = found.information, found.information.spectrum
    n = info.parameters.n_parameters
    yield (
        f"{n} parameters, {info.n_data} recorded samples, independent noise of {number(info.noise_mV)} mV: "
        + ", ".join(f"{count} {verdict}" for verdict, count in found.counts.items())
    )
    if info.n_data < n:
        yield f"fewer data than parameters: at least {n - info.n_data} directions cannot be seen, whatever the noise"
    yield (
        f"numerical rank {spectrum.rank} of {n}; {spectrum.n_known(found.threshold)} directions known to "
        f"{number(100 * found.threshold)} %, {spectrum.n_known(1.0)} to a factor of e"
    )
    seen = spectrum.eigenvalues[: spectrum.rank]
    if len(seen):
        yield f"relative standard deviation along the best known direction {number(100 * seen[0] ** -0.5)} %, " + (
            f"along the worst seen {number(100 * seen[-1] ** -0.5)} %"
        )


def write_verdicts(found: Verdicts, path: Path) -> None:
    """A .csv with a row per parameter; infinite bounds are written as inf."""
    rows, text = found.rows(), io.StringIO()
    writer = csv.DictWriter(text, rows[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_aside(path, lambda temporary: temporary.write_text(text.getvalue()))
