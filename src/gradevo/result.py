"""What a fit returns, and its two files: the history (Parquet) and what is needed to judge it (JSON)."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd


class Status(StrEnum):
    """How a fit ended. Failure is a value, never a missing row."""

    converged = "converged"  # the loss target was reached
    budget = "budget"  # the budget (or the hard wall-clock stop) ended it
    stagnated = "stagnated"  # the method gave up before its budget was spent
    diverged = "diverged"  # no finite loss was ever seen
    error = "error"  # the method raised; the message says what


@dataclass(frozen=True, eq=False)
class Result:
    """The outcome of one fit.

    best_densities [P] the best parameters in their units (NaN when no finite loss was seen), best_loss in the loss's unit (inf
    then), history one row per batch with the columns of `history_columns`, totals a flat dict of what was spent and reached
    (the JSON's "totals"), metadata the settings, versions and hardware.
    """

    best_densities: np.ndarray
    best_loss: float
    status: Status
    message: str
    history: pd.DataFrame
    totals: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)


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
        history=pd.read_parquet(parquet),
        totals={key: np.nan if value is None else value for key, value in document["totals"].items()},
        metadata=document["metadata"],
    )


ASIDE = ".aside"
"""Part of the names of files that are being written; what a killed process leaves under such a name is nobody's."""


def write_aside(path: str | Path, write: Callable[[Path], Any]) -> None:
    """Call `write` on a temporary name in the same folder, then move it into place in one step.

    Raises OSError naming the file and the way out, where the folder cannot be written or is full.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{ASIDE}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        # on the disk before it gets its name: not even a power failure leaves a name with half a file
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise OSError(error.errno, f"cannot write {path}: {why_not_written(error)}") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def why_not_written(error: OSError) -> str:
    """What went wrong in writing a file, and the way out."""
    ways = {
        errno.ENOSPC: "the disk is full; free some space",
        errno.EDQUOT: "your disk quota is used up; free some space",
        errno.EROFS: "the file system is read-only; work in a folder that can be written",
        errno.EACCES: "permission denied; work in a folder of your own, or have its owner grant you the right to write",
    }
    return f"{ways.get(error.errno or 0, str(error))}, then run the same command again"


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
