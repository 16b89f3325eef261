"""The conditions that the tables are made of, as config/jones2024.yaml lists them. Loads nothing that computes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from gradevo.methods.method import known

CONFIG = Path("config/jones2024.yaml")
FOLDER = "GRADEVO_JONES2024"
"""Environment variable that names the folder of the study's data files; it wins over the config's `data`."""

DRAWN, STORED = "drawn", "published data"
CHAIN, GRAPH = "chain", "graph"

Config = dict[str, Any]

_KEYS = {
    "": ("data", "seed", "noise_mV", "published_steps", "gradient_weight", "tangent_weight", "stop_loss_mV2", "wall_limit_s",
         "bounds", "methods", "tables"),
    "tables": ("toy", "test184", "shape"),
    "table": ("compartments", "shape", "truth_seed", "highest_uA_cm2", "stimuli", "steps_per_sample", "methods", "conditions",
              "files", "graph"),
    "condition": ("stimulated", "recorded", "targets", "fitted"),
    "file": ("name", "seed", "stimulated", "recorded", "targets", "fitted"),
}  # fmt: skip

_OPTIONAL = ("files", "graph", "targets", "fitted")


@dataclass(frozen=True)
class Case:
    """One condition: recordings and the neuron that is fitted to them.

    name: of files. table: which of the tables. source: DRAWN or STORED. stimulated, recorded: as the study writes them.
    targets, fitted: CHAIN or GRAPH, the shape of the neuron that made the targets and of the one that is fitted.
    methods: that fit it. file: of STORED targets. seed: of the study, whose truth it is.
    """

    name: str
    table: str
    source: str
    stimulated: str
    recorded: str
    targets: str
    fitted: str
    seed: int
    methods: tuple[str, ...]
    file: Path | None = None


def read_config(path: str | Path = CONFIG) -> Config:
    """The YAML, its keys checked. Raises FileNotFoundError, or ValueError naming the key and the ones there are."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no config file {path}")
    config = yaml.safe_load(path.read_text())
    _check("", config, path)
    _check("tables", config["tables"], path)
    for table in config["tables"].values():
        _check("table", table, path)
        for name in table["methods"]:
            known(f"method of {path}", name, list(config["methods"]))
        for condition in table["conditions"]:
            _check("condition", condition, path)
        for file in table.get("files", []):
            _check("file", file, path)
    return config


def _check(place: str, declared: Mapping[str, Any], path: Path) -> None:
    for key in declared:
        known(f"key of {path} ({place or 'top'})", key, list(_KEYS[place]))
    missing = [key for key in _KEYS[place] if key not in declared and key not in _OPTIONAL]
    if missing:
        raise ValueError(f"{path}: {place or 'the top'} lacks {', '.join(missing)}; see {CONFIG}")


def data_folder(config: Config) -> Path | None:
    """Where the study's files are, if anywhere: of the environment variable, else of the config.

    Raises FileNotFoundError if a folder is named and is not there.
    """
    named = os.environ.get(FOLDER) or config["data"]
    if not named:
        return None
    folder = Path(named)
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{folder} (of {FOLDER}, or data in {CONFIG}) is no folder; unset it, or name the one that holds the .npz files"
        )
    return folder


def cases(config: Config) -> dict[str, Case]:
    """All conditions by name: the drawn ones, and those of the study's files that are at hand."""
    folder = data_folder(config)
    found: list[Case] = []
    for table, declared in config["tables"].items():
        for condition in declared["conditions"]:
            sites = (_word(str(condition[key])) for key in ("stimulated", "recorded"))
            found.append(_case("_".join((table, *sites)), table, DRAWN, declared, condition, declared["truth_seed"]))
        for file in declared.get("files", []) if folder is not None else []:
            path = folder / file["name"]
            if path.is_file():
                name = f"{table}_{path.stem.replace('-', 'm')}"
                found.append(_case(name, table, STORED, declared, file, file["seed"], path))
    return {case.name: case for case in found}


def _case(
    name: str, table: str, source: str, declared: Config, condition: Config, seed: int, file: Path | None = None
) -> Case:  # fmt: skip
    targets, fitted = (condition.get(key, declared["shape"]) for key in ("targets", "fitted"))
    return Case(
        name="_".join((name, *dict.fromkeys((targets, fitted)))),
        table=table,
        source=source,
        stimulated=str(condition["stimulated"]),
        recorded=str(condition["recorded"]),
        targets=targets,
        fitted=fitted,
        seed=seed,
        methods=tuple(declared["methods"]),
        file=file,
    )


def own_sources() -> list[Path]:
    """The files that a fit's row rests on besides `provenance.source_files`."""
    here = Path(__file__).parent
    return [here / f"{name}.py" for name in ("cases", "drawn", "fits", "recordings")] + [here.parent / "reproduce.py"]


def _word(sites: str) -> str:
    """Sites as a part of a file's name: many by their number."""
    count = sites.count(",") + 1
    return str(count) if count > 4 else sites.replace(",", "").replace("-", "m")
