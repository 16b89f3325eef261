"""The figures of a study, drawn from its stored tables and from nothing else: by the workflow, and by `gradevo figures`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import matplotlib
import pandas as pd
from matplotlib.figure import Figure

from gradevo.config import Config
from gradevo.figures.convergence import convergence
from gradevo.figures.cost import cost_to_target
from gradevo.figures.densities import true_against_fitted
from gradevo.figures.identifiability.calibration import calibration
from gradevo.figures.identifiability.known import known
from gradevo.figures.identifiability.likelihood import likelihood
from gradevo.figures.identifiability.placement import placement
from gradevo.figures.identifiability.spectrum import spectrum
from gradevo.figures.identifiability.unseen import unseen
from gradevo.figures.planned import planned_figures, tables_of
from gradevo.figures.price import price
from gradevo.figures.profiles import runtime_profiles
from gradevo.figures.question import question
from gradevo.figures.recovery import recovery
from gradevo.figures.rivals import rivals
from gradevo.figures.stale import staleness
from gradevo.figures.style import mark, rows, save
from gradevo.figures.traces import recorded_and_fitted

FIGURES: dict[str, Callable[[Mapping[str, pd.DataFrame]], Figure]] = {
    "question": question,
    "convergence": convergence,
    "cost": cost_to_target,
    "profiles": runtime_profiles,
    "recovery": recovery,
    "rivals": rivals,
    "price": price,
    "densities": lambda tables: true_against_fitted(tables["found"]),
    "traces": recorded_and_fitted,
    "spectrum": spectrum,
    "known": known,
    "unseen": unseen,
    "calibration": calibration,
    "likelihood": likelihood,
    "placement": placement,
}
"""Each from its tables, by name (``planned.tables_of``); traces_<problem> from those of its problem."""

FORMATS = ("png", "pdf", "svg")

STYLE = Path("figures/matplotlibrc")


def draw(name: str, folder: str | Path, paths: Iterable[str | Path], *, style: str | Path, stale: bool = False) -> None:
    """Draw figure `name` from the tables in `folder` into each of the paths. Raises FileNotFoundError for tables that are not
    there."""
    folder = Path(folder)
    kind, _, problem = name.partition("_")
    missing = [f"{table}.csv" for table in tables_of(name) if not (folder / f"{table}.csv").is_file()]
    if missing:
        raise FileNotFoundError(
            f"{folder} has no {', '.join(missing)}; run its study there (make study CONFIG=...), which writes it"
        )
    tables = {table: pd.read_csv(folder / f"{table}.csv") for table in tables_of(name)}
    if problem:
        tables = {table: rows(content, problem=problem) for table, content in tables.items()}
    with matplotlib.rc_context(fname=style):
        # names of an SVG's parts are drawn at random otherwise
        matplotlib.rcParams["svg.hashsalt"] = name
        figure = FIGURES[kind](tables)
        if stale:
            mark(figure, "stale: sources or config changed since the tables were made")
        save(figure, paths)


def draw_all(folder: str | Path, out: str | Path, config: Config) -> tuple[list[Path], list[str]]:
    """Draw all figures of the study whose tables are in `folder` into `out`: the files, and why they are stale (each figure says
    that it is). No fit is run or planned. Raises FileNotFoundError, or ValueError for a record that is none.
    """
    folder, out = Path(folder), Path(out)
    record = read_record(folder)
    stale = staleness(record, config)
    files: list[Path] = []
    for name in planned_figures(record["config"]):
        paths = [out / f"{name}.{ending}" for ending in FORMATS]
        draw(name, folder, paths, style=_style(), stale=bool(stale))
        files += paths
    return files, stale


def read_record(folder: Path) -> dict:
    """What the tables in a folder were made from. Raises FileNotFoundError, ValueError."""
    path = folder / "record.json"
    if not path.is_file():
        raise FileNotFoundError(
            f"{folder} has no record.json: there are no tables to draw from. Run the study first (make study CONFIG=...), or "
            "give a folder that holds a study's tables with --results"
        )
    record = json.loads(path.read_text())
    if not isinstance(record, dict) or not {"config", "sources"} <= set(record):
        raise ValueError(f"{path} is not a study's record; run the study there again, which writes it")
    return record


def _style() -> Path:
    return STYLE if STYLE.is_file() else Path(__file__).parents[3] / STYLE
