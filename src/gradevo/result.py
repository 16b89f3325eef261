"""What a fit returns, and its two files: the history (Parquet) and what is needed to judge it (JSON)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gradevo.files import write_aside

if TYPE_CHECKING:
    import pandas as pd


class Status(StrEnum):
    """How a fit ended. Failure is a value, never a missing row."""

    converged = "converged"  # the loss target was reached
    budget = "budget"  # the budget (or the hard wall-clock stop) ended it
    stagnated = "stagnated"  # the method gave up before its budget was spent
    diverged = "diverged"  # losses were seen, none of them finite
    error = "error"  # the method raised; the message says what


@dataclass(frozen=True, eq=False)
class Result:
    """The outcome of one fit.

    best_densities [P] the best parameters in their units (NaN when no finite loss was seen), best_loss in the loss's unit (inf
    then), columns the history, one entry per batch in each of `history_columns`, totals a flat dict of what was spent and reached
    (the JSON's "totals"), metadata the settings, versions and hardware.
    """

    best_densities: np.ndarray
    best_loss: float
    status: Status
    message: str
    columns: Mapping[str, np.ndarray | Sequence[str]]
    totals: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def history(self) -> pd.DataFrame:
        """The columns as a table."""
        import pandas as pd  # takes longer to load than a small fit lasts: not before the table is wanted

        return pd.DataFrame(dict(self.columns))


def history_columns(error_columns: tuple[str, ...]) -> list[str]:
    """Columns of a history, in order, with a problem's error columns. Errors are those of the best so far."""
    return [
        "study", "problem", "method", "seed", "event",
        "simulations", "gradients", "tangents", "simulation_equivalents", "wall_s", "cpu_s",
        "loss", "best_loss", "heldout_loss",
        *error_columns,
    ]  # fmt: skip


def write_result(result: Result, parquet: str | Path, json_path: str | Path | None = None) -> None:
    """Write the history to `parquet` and the rest beside it (same name, .json). Readers never see half a file."""
    parquet = Path(parquet)
    json_path = Path(json_path) if json_path is not None else parquet.with_suffix(".json")
    document = {
        "status": str(result.status),
        "message": result.message,
        "best_loss": _plain(result.best_loss),
        "best_parameters": _plain(result.best_densities),
        "totals": _plain(result.totals),
        "metadata": _plain(result.metadata),
    }
    write_aside(parquet, lambda path: result.history.to_parquet(path, index=False))
    write_aside(json_path, lambda path: path.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n"))


def read_result(parquet: str | Path, json_path: str | Path | None = None) -> Result:
    """The inverse of `write_result`. Raises FileNotFoundError, or KeyError for a JSON that is not a result's."""
    import pandas as pd

    parquet = Path(parquet)
    json_path = Path(json_path) if json_path is not None else parquet.with_suffix(".json")
    document = json.loads(json_path.read_text())
    best_loss = document["best_loss"]
    densities = [np.nan if value is None else value for value in document["best_parameters"]]
    return Result(
        best_densities=np.array(densities, dtype=float),
        best_loss=np.inf if best_loss is None else float(best_loss),
        status=Status(document["status"]),
        message=document["message"],
        columns={str(name): column.to_numpy() for name, column in pd.read_parquet(parquet).items()},
        totals={key: np.nan if value is None else value for key, value in document["totals"].items()},
        metadata=document["metadata"],
    )


def _plain(value: Any) -> Any:
    """JSON's types only; what JSON cannot say (NaN, infinity) becomes null."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if isinstance(value, Path):
        return str(value)
    return value
