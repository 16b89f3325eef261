"""Joining the results of a study that was run in parts: other seeds, problems or methods on each machine.

A part is a folder with the three tables that the summary writes and its record (`record_of`), which says what they were made
from. Parts are joined only where everything that they share is the same.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from gradevo.config import Config
from gradevo.figure_tables.all import figure_tables
from gradevo.files import write_aside, write_table
from gradevo.findings import findings
from gradevo.result import Result
from gradevo.spread import spread
from gradevo.statistics import FIT
from gradevo.statistics.series import series
from gradevo.statistics.settings import read_settings
from gradevo.statistics.tables import all_tables

TABLES = ("summary", "histories", "densities")
KEPT_WHOLE = ("hits",)
"""Tables of the statistics that are Parquet; the others are CSV."""

RECORD = "record.json"
PARTS = ("neurons", "problems", "methods")
"""The config's sections of which each machine may run some entries; shared ones must be the same."""

TIMES = ("wall_s", "cpu_s", "compile_s")
"""How columns begin that differ from run to run."""


def record_of(config: Config, results: Sequence[Result]) -> dict[str, Any]:
    """What a study's tables were made from: its configuration, and the hash of the sources of each method's fits.

    Raises ValueError, naming the two, if fits of one method were made from different sources.
    """
    sources: dict[str, str] = {}
    for result in results:
        method, digest = result.totals["method"], result.metadata["source_sha256"]
        if sources.setdefault(method, digest) != digest:
            raise ValueError(
                f"fits of {method} were made from two versions of the sources; run the study again to renew the older"
            )
    return {"config": config, "sources": sources}


@dataclass(frozen=True, eq=False)
class Part:
    """One folder's content."""

    folder: Path
    config: Config
    sources: dict[str, str]
    tables: dict[str, pd.DataFrame]


def read_part(folder: str | Path) -> Part:
    """Raises FileNotFoundError, or ValueError for a record that is none."""
    folder = Path(folder)
    for name in (RECORD, *(f"{table}.parquet" for table in TABLES)):
        if not (folder / name).is_file():
            raise FileNotFoundError(f"{folder} has no {name}; give folders such as results/quick, of studies that have ended")
    try:
        record = json.loads((folder / RECORD).read_text())
        config, sources = record["config"], record["sources"]
    except (json.JSONDecodeError, KeyError, TypeError):
        raise ValueError(f"{folder / RECORD} is not a study's record; run the study there again, which writes it") from None
    return Part(folder, config, sources, {table: pd.read_parquet(folder / f"{table}.parquet") for table in TABLES})


def merge(folders: Sequence[str | Path], out: str | Path) -> list[str]:
    """Write the tables of all parts to `out`, their statistics, their joint record and config.yaml; returns what was written.

    Raises
    ------
    ValueError : fewer than two folders, `out` among them, parts of different configurations or sources, or a fit that two
        parts have differently (but for its times); naming the two, and the way out
    """
    parts = [read_part(folder) for folder in folders]
    out = Path(out)
    if len({part.folder.resolve() for part in parts}) < 2:
        raise ValueError(f"merging needs two folders or more, not {', '.join(map(str, folders))}")
    if out.resolve() in [part.folder.resolve() for part in parts]:
        raise ValueError(f"--out {out} is one of the folders to merge; give another")
    record = _joint_record(parts)
    owners, repeated = _owners(parts)
    tables = {name: _joined(name, parts, owners) for name in TABLES}
    config = record["config"]
    statistics, latex = all_tables(
        tables["summary"], tables["histories"], series(config), read_settings(config.get("statistics"))
    )
    statistics |= figure_tables(config, tables["summary"], tables["histories"], tables["densities"], statistics["profiles"])
    statistics |= _prices(parts) | {"spread": spread(tables["densities"], tables["summary"])}
    kept = {name: statistics.pop(name) for name in KEPT_WHOLE} | tables
    texts = {
        "statistics.tex": latex,
        "FINDINGS.md": findings(config, statistics),
        RECORD: json.dumps(record, indent=1) + "\n",
        "config.yaml": yaml.safe_dump(config, sort_keys=False),
    }
    for name, table in kept.items():
        write_aside(out / f"{name}.parquet", lambda path, table=table: table.to_parquet(path, index=False))
    write_aside(out / "summary.csv", lambda path: tables["summary"].to_csv(path, index=False))
    for name, table in statistics.items():
        write_table(out / f"{name}.csv", table)
    for name, text in texts.items():
        write_aside(out / name, lambda path, text=text: path.write_text(text))
    said = [f"{part.folder}: {len(part.tables['summary'])} fits" for part in parts]
    if repeated:
        said.append(f"{repeated} fits were in several folders, the same but for their times: taken once, from the first of them")
    files = [
        *(f"{name}.parquet" for name in (*TABLES, *KEPT_WHOLE)),
        "summary.csv",
        *(f"{name}.csv" for name in statistics),
        *texts,
    ]
    return [*said, f"{len(tables['summary'])} fits in {out}: {', '.join(files)}"]


def _joint_record(parts: Sequence[Part]) -> dict[str, Any]:
    """The union of what the parts have, after finding it equal where they share it."""
    first = parts[0]
    config: Config = {**first.config, **{section: {} for section in PARTS}, "seeds": []}
    sources: dict[str, str] = {}
    come_from: dict[tuple[str, str], Path] = {}
    for part in parts:
        _same(first.config, part.config, first.folder, part.folder)
        for section in PARTS:
            for name, declared in part.config[section].items():
                other = come_from.setdefault((section, name), part.folder)
                _refuse_unless(
                    _declaration(config[section].setdefault(name, declared)) == _declaration(declared),
                    f"{section}.{name} is declared differently in {other} and {part.folder}; run one of them again with the "
                    "other's, or rename it",
                )
        for method, digest in part.sources.items():
            other = come_from.setdefault(("sources", method), part.folder)
            known = sources.setdefault(method, digest)
            _refuse_unless(
                known == digest,
                f"{method} ran from different sources in {other} ({known[:12]}) and {part.folder} ({digest[:12]}); check out one "
                "version on both machines and run the older again",
            )
        config["seeds"] = sorted({*config["seeds"], *part.config["seeds"]})
    return {"config": _methods_joined(config, parts), "sources": sources}


def _same(one: Config, two: Config, first: Path, other: Path) -> None:
    """Raises ValueError where two configurations differ in a key that all parts of a study share."""
    for key in dict.fromkeys([*one, *two]):
        if key not in (*PARTS, "seeds"):
            _refuse_unless(
                one.get(key) == two.get(key),
                f"{key} is {one.get(key)!r} in {first} and {two.get(key)!r} in {other}; parts of a study differ in seeds, "
                "neurons, problems and methods only: run one of them again with the other's",
            )


def _declaration(declared: dict[str, Any]) -> dict[str, Any]:
    """Of a neuron, problem or method; by which methods a problem is fitted is a choice of each part."""
    return {key: value for key, value in declared.items() if key != "methods"}


def _methods_joined(config: Config, parts: Sequence[Part]) -> Config:
    """The config with, for each problem, the methods that fit it in any part."""
    problems = {}
    for name, declared in config["problems"].items():
        fitted = [
            part.config["problems"][name].get("methods", part.config["methods"])
            for part in parts
            if name in part.config["problems"]
        ]
        problems[name] = {**declared, "methods": list(dict.fromkeys(method for methods in fitted for method in methods))}
    return {**config, "problems": problems}


def _owners(parts: Sequence[Part]) -> tuple[pd.Series, int]:
    """Of each fit, the number of the first part that has it; and how many more parts have fits that are already there."""
    owners: dict[tuple, int] = {}
    repeated = 0
    rows = [part.tables["summary"].set_index(FIT) for part in parts]
    for number, table in enumerate(rows):
        for fit, row in table.iterrows():
            assert isinstance(fit, tuple)
            first = owners.setdefault(fit, number)
            if first == number:
                continue
            repeated += 1
            different = _differences(rows[first].loc[fit], row)
            _refuse_unless(
                not different,
                f"{' '.join(map(str, fit))} (problem, method, seed) is in {parts[first].folder} and in {parts[number].folder}, "
                f"and differs in {', '.join(different)}; leave one of the folders out, or delete the fit there and run the study "
                "again",
            )
    return pd.Series(owners, name="part"), repeated


def _differences(one: pd.Series, two: pd.Series) -> list[str]:
    columns = [str(name) for name in one.index.union(two.index, sort=False) if not str(name).startswith(TIMES)]
    one, two = one.reindex(columns), two.reindex(columns)
    return [name for name in columns if not _equal(one[name], two[name])]


def _equal(one: Any, two: Any) -> bool:
    return one == two or (pd.isna(one) and pd.isna(two))


def _joined(name: str, parts: Sequence[Part], owners: pd.Series) -> pd.DataFrame:
    """One table of all parts, each fit's rows from the part that owns it."""
    kept = []
    for number, part in enumerate(parts):
        table = part.tables[name]
        owner = owners.reindex(pd.MultiIndex.from_frame(pd.DataFrame(table[FIT]))).to_numpy()
        kept.append(table[owner == number])
    return joined(kept)


def joined(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """One table of several with the same columns; of none with a row, the empty one."""
    return pd.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True)


def _prices(parts: Sequence[Part]) -> dict[str, pd.DataFrame]:
    """The gradient's price as the first part that has it timed it: times of two machines make no table."""
    timed = [part.folder / "price.csv" for part in parts if (part.folder / "price.csv").is_file()]
    return {"price": pd.read_csv(timed[0])} if timed else {}


def _refuse_unless(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)
