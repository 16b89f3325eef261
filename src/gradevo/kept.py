"""Finished fits of unfinished jobs.

One job of the workflow makes several fits (a seed each), and Snakemake deletes what an unfinished job has written.
A copy of each finished fit is therefore kept under a name that says what it was made from, and a job that is started again
takes over what it would only repeat. The copies go when the whole study has ended.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradevo.config import LIMITS, Config, morphology_file
from gradevo.files import write_aside
from gradevo.methods import get_method
from gradevo.provenance import describe_run
from gradevo.workplace import STATE, WORKFLOW

if TYPE_CHECKING:
    import pandas as pd

KILLED = "its process was ended by"
"""How the message of a fit begins whose process died of a signal, or for want of memory in its job, or with its job."""

HALF = 16
"""Digits of each half of a kept fit's hash."""

BEGUN = ".begun"
"""Ending of the file that tells in which jobs a fit was begun. It goes when the fit is finished."""


CLUSTER_JOB = "SLURM_JOB_ID"
"""Environment variable that names a cluster's job."""


def kept_folder(study: str) -> Path:
    return STATE / "fits" / study


def fit_key(config: Config, problem: str, method: str, seed: int, targets: str | Path, threads: int) -> str:
    """Names a fit by everything that it follows from: declarations, targets, settings, limits, sources, versions; and, in the
    second half of the hash, the machine, whose times it has.
    """
    chosen = get_method(method)
    run = describe_run(chosen.module, config.get("device", "cpu"))
    machine = run.pop("hardware")
    declared = config["problems"][problem]
    morphology = morphology_file(config, declared["neuron"])
    description: dict[str, Any] = {
        "problem": declared,
        "neuron": config["neurons"][declared["neuron"]],
        "morphology": None if morphology is None else _content_hash(morphology),
        "targets": _content_hash(targets),
        "settings": chosen.settings(config["methods"].get(method)),
        "limits": {key: config.get(key) for key in LIMITS},
        "run": {key: value for key, value in run.items() if key != "peak_memory_bytes"},
        "threads": threads,
    }
    return f"{problem}__{method}__s{seed}__{_half_hash(description)}{_half_hash(machine)}"


def _content_hash(path: str | Path) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _half_hash(described: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(described, sort_keys=True, default=str).encode()).hexdigest()[:HALF]


def keep(folder: Path, key: str, files: Iterable[str | Path]) -> None:
    """Copy a fit's files (history, JSON); the last to be copied, the JSON, makes it complete. Raises OSError."""
    for path in map(Path, files):
        write_aside(folder / f"{key}{path.suffix}", lambda aside, path=path: shutil.copyfile(path, aside))
    _begun(folder, key).unlink(missing_ok=True)


def jobs_before(folder: Path, key: str) -> int:
    """In how many earlier jobs of this workflow the fit was begun and not finished, and note that it begins in this one.

    A job that its cluster preempts and starts again is the same job: that is no fault of the fit. Outside of a workflow it
    is 0. Raises OSError.
    """
    workflow = os.environ.get(WORKFLOW)
    if workflow is None:
        return 0
    path = _begun(folder, key)
    lines = path.read_text().splitlines() if path.is_file() else []
    before = [line for line in lines if line.startswith(f"{workflow}\t")]
    this = f"{workflow}\t{os.environ.get(CLUSTER_JOB, '')}"
    if this not in before:
        write_aside(path, lambda aside: aside.write_text("\n".join([*before, this]) + "\n"))
    return len([line for line in before if line != this])


def take_over(folder: Path, key: str, files: Iterable[str | Path]) -> bool:
    """Copy the kept fit to these files (history, JSON), if it is there and whole. Raises OSError.

    On a cluster, where any node may have made any fit, one from another node will do.
    """
    keys = [key]
    if CLUSTER_JOB in os.environ:
        keys += sorted(path.stem for path in folder.glob(f"{key[:-HALF]}*.json"))
    for name in keys:
        pairs = [(folder / f"{name}{path.suffix}", path) for path in map(Path, files)]
        if all(kept.is_file() for kept, _ in pairs):
            for kept, path in pairs:
                write_aside(path, lambda aside, kept=kept: shutil.copyfile(kept, aside))
            return True
    return False


def _begun(folder: Path, key: str) -> Path:
    # without the hash: within one workflow nothing that it follows from changes, but the node may
    return folder / f"{key.rpartition('__')[0]}{BEGUN}"


def forget(folder: Path, but: Iterable[str] = ()) -> None:
    """Remove all kept fits but those of these problem__method pairs, and the folder if nothing is left in it."""
    saved = tuple(f"{name}__" for name in but)
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        if not path.name.startswith(saved):
            path.unlink(missing_ok=True)
    if not any(folder.iterdir()):
        folder.rmdir()


def conclude_study(study: str, summary: pd.DataFrame, fits: str | Path) -> None:
    """After the tables and figures are made: forget the kept fits, and leave those that were killed to the next run.

    summary: a row per fit. fits: the folder of their files. A fit whose process died of a signal loses its files, so that
    the next run makes it again; its job's other seeds stay kept for that run.
    """
    killed = summary[summary["message"].str.startswith(KILLED)]
    forget(kept_folder(study), but={f"{row['problem']}__{row['method']}" for _, row in killed.iterrows()})
    for _, row in killed.iterrows():
        for suffix in (".parquet", ".json"):
            Path(fits, f"{row['problem']}__{row['method']}__s{row['seed']}{suffix}").unlink(missing_ok=True)
