"""The tables and the record of what they were made from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from gradevo.files import write_aside, write_table
from gradevo.jones2024.cases import GRAPH, STORED, Case, Config, cases, data_folder, own_sources
from gradevo.jones2024.published import COMMIT, REPOSITORY, reported
from gradevo.provenance import describe_run

COLUMNS = (
    "stimulated", "recorded", "method", "published_g_Na_error", "published_g_K_error", "g_Na_error", "g_K_error",
    "max_rel_density_error", "loss", "simulations", "gradients", "wall_s", "published_hours", "identified_fraction", "source",
)  # fmt: skip
"""Of toy.csv and test184.csv. Errors are means over compartments of absolute ones, mS/cm2; losses the study's, mV2."""

SHAPE_COLUMNS = (
    "source", "stimulated", "recorded", "targets", "fitted", "method", "g_Na_error", "g_K_error", "max_rel_density_error",
    "loss", "loss_of_truth", "simulations", "gradients", "wall_s",
)  # fmt: skip
"""Of shape.csv. loss_of_truth: mV2 of the fitted neuron at the true densities."""


def own_hash() -> str:
    """SHA-256 (hexadecimal) over the names and contents of `own_sources`."""
    digest = hashlib.sha256()
    for path in own_sources():
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def tabulated(fits: pd.DataFrame, config: Config) -> dict[str, pd.DataFrame]:
    """toy, test184 and shape from the rows of all fits, in the config's order."""
    listed = cases(config)
    order = {name: place for place, name in enumerate(listed)}
    fits = fits.sort_values("case", key=lambda names: names.map(order), kind="stable")
    published = pd.DataFrame([_published(listed[name]) for name in fits["case"]], index=fits.index, dtype=float)
    fits = fits.join(published)
    tables = {name: fits.loc[fits["table"] == name, list(COLUMNS)] for name in ("toy", "test184")}
    # the stored targets with the graph that was fitted to them are rows of test184 already
    again = (fits["table"] == "test184") & (fits["source"] == STORED) & (fits["fitted"] == GRAPH)
    tables["shape"] = fits.loc[(fits["table"] == "shape") | again, list(SHAPE_COLUMNS)].sort_values("source", kind="stable")
    return tables


def _published(case: Case) -> dict[str, float | None]:
    """What the study reported: of the file's seed, or the mean over all of its seeds where stimuli are drawn."""
    said = reported(case.table, case.stimulated, case.recorded, case.seed if case.source == STORED else None)
    return {
        "published_g_Na_error": said.g_Na_error,
        "published_g_K_error": said.g_K_error,
        "published_hours": said.hours,
    }


def record_of(fits: pd.DataFrame, config: Config, threads: int) -> dict[str, Any]:
    """The config, hashes of sources and of data files, versions and hardware, and the numerics of each condition.

    Raises ValueError, naming it, if fits of one method were made from different sources.
    """
    sources: dict[str, str] = {}
    for method, digest in zip(fits["method"], fits["source_sha256"], strict=True):
        if sources.setdefault(method, digest) != digest:
            raise ValueError(f"fits of {method} were made from two versions of the sources; run snakemake jones2024 again")
    numbers = ("dt_ms", "trace_rms_mV", "trace_max_mV", "loss_of_truth")
    numerics = {row["case"]: {name: row[name] for name in numbers} for row in fits.drop_duplicates("case").to_dict("records")}
    described = describe_run()
    folder = data_folder(config)
    files = {case.file for case in cases(config).values() if case.file is not None}
    return {
        "config": config | {"data": None if folder is None else folder.name},
        "sources": sources,
        "own_sources": own_hash(),
        "published": f"{REPOSITORY} at {COMMIT}",
        "data": {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(files)},
        "versions": described["versions"],
        "hardware": described["hardware"] | {"threads_of_a_fit": threads},
        "numerics": numerics,
        "ended": {f"{row['case']} {row['method']}": f"{row['status']}: {row['message']}" for row in fits.to_dict("records")},
    }


def write_tables(files: Sequence[str | Path], config: Config, folder: Path, threads: int) -> None:
    """toy.csv, test184.csv, shape.csv and record.json in `folder`, from the Parquet files of `fit_case`."""
    fits = pd.concat(list(map(pd.read_parquet, files)), ignore_index=True)
    for name, table in tabulated(fits, config).items():
        write_table(folder / f"{name}.csv", table)
    text = json.dumps(record_of(fits, config, threads), indent=1, default=float) + "\n"
    write_aside(folder / "record.json", lambda path: path.write_text(text))
