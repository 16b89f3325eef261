"""A CSV of traces or currents: what its columns are, and its numbers in ms, mV and nA.

    sweep,time_ms,current_soma_nA,voltage_soma_mV,voltage_dendrite_mV

`sweep` is a label; times run within a sweep; a voltage's cell is empty where nothing was recorded.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

UNITS = {
    "time": {"ms": 1.0, "s": 1e3},
    "voltage": {"mV": 1.0, "V": 1e3},
    "current": {"nA": 1.0, "pA": 1e-3},
}
"""What a column may hold, its units, and their factors to ms, mV and nA."""

USUAL = {"voltage": (2.0, 300.0), "current": (0.0, 100.0)}
"""mV, nA: the largest magnitude in a column lies between these, or its header names another unit than its numbers are in."""

SHORTEST_STEP_MS = 0.001
"""Of a recording: 1 MHz. A header time_ms above shorter ones stands over seconds."""

FORM = "sweep, time_ms (or _s), voltage_<site>_mV (or _V), current_<site>_nA (or _pA)"


@dataclass(frozen=True, eq=False)
class Table:
    """A file's rows. sweeps: label of each; lines: its line in the file; time_ms: [rows]; voltages, currents: site -> [rows] in
    mV and nA, NaN where a cell is empty; headers: (kind, site) -> the column's header."""

    path: Path
    sweeps: list[str]
    lines: np.ndarray
    time_ms: np.ndarray
    voltages: dict[str, np.ndarray]
    currents: dict[str, np.ndarray]
    headers: dict[tuple[str, str], str]

    def place(self, row: int, kind: str = "time", site: str = "") -> str:
        """How messages name a cell."""
        return f"{self.path} line {self.lines[row]}, column {self.headers[kind, site]}"

    def labels(self) -> list[str]:
        """The sweeps, in order."""
        return list(dict.fromkeys(self.sweeps))

    def rows(self, label: str) -> np.ndarray:
        return np.flatnonzero(np.array(self.sweeps) == label)


def read_table(path: str | Path) -> Table:
    """Raises FileNotFoundError, or ValueError naming the file, the line, the column, the value and the way out."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path} with recordings")
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.reader(stream)
            header = [name.strip() for name in next(reader, [])]
            cells = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} is no CSV text ({error}); export it as CSV, in UTF-8") from None
    columns = _columns(path, header)
    if not cells:
        raise ValueError(f"{path} has no rows below its header; it needs one for every sample")
    for line, row in cells:
        if len(row) != len(header):
            raise ValueError(f"{path} line {line} has {len(row)} cells, the header {len(header)}; separate columns by commas")
    lines = np.array([line for line, _ in cells])
    sweep = header.index("sweep")
    values: dict[str, dict[str, np.ndarray]] = {"time": {}, "voltage": {}, "current": {}}
    for i, (kind, site, unit) in columns.items():
        raw = np.array([_number(path, line, header[i], row[i], kind) for line, row in cells])
        values[kind][site] = raw * UNITS[kind][unit]
        _check_usual(path, header[i], raw, kind, unit)
    headers = {(kind, site): header[i] for i, (kind, site, _) in columns.items()}
    labels = [row[sweep].strip() for _, row in cells]
    if "" in labels:
        raise ValueError(f"{path} line {lines[labels.index('')]}, column sweep is empty; give the sweep's label in every row")
    if headers["time", ""] == "time_ms":
        _check_milliseconds(path, labels, values["time"][""])
    return Table(path, labels, lines, values["time"][""], values["voltage"], values["current"], headers)


def _columns(path: Path, header: list[str]) -> dict[int, tuple[str, str, str]]:
    """Index of a column -> (kind, site, unit), but for `sweep`."""
    if len(header) == 1 and (";" in header[0] or "\t" in header[0]):
        raise ValueError(f"{path} separates its columns by something else than commas; export it with commas and decimal points")
    found: dict[int, tuple[str, str, str]] = {}
    for i, name in enumerate(header):
        if header.index(name) != i:
            raise ValueError(f"{path} has two columns {name!r}; rename one, or leave it out")
        if name == "sweep":
            continue
        match = re.fullmatch(r"(time|voltage|current)(?:_(.+))?_([^_]+)", name)
        if not match or (match[1] == "time") != (match[2] is None):
            raise ValueError(f"{path} has a column {name!r}, which is none of {FORM}; rename it, or leave it out")
        kind, site, unit = match[1], match[2] or "", match[3]
        if unit not in UNITS[kind]:
            known = " or ".join(UNITS[kind])
            raise ValueError(f"{path}, column {name!r}: the unit of a {kind} is {known}, not {unit!r}; convert it")
        if (kind, site) in [(k, s) for k, s, _ in found.values()]:
            raise ValueError(f"{path} has two columns with the {kind}{f' of {site}' if site else ''}; leave one out")
        found[i] = (kind, site, unit)
    if "sweep" not in header:
        raise ValueError(f"{path} has no column sweep; it needs {FORM}. For a single sweep, fill it with 1")
    if "time" not in [kind for kind, _, _ in found.values()]:
        raise ValueError(f"{path} has no column time_ms or time_s; it needs {FORM}")
    return found


def _number(path: Path, line: int, header: str, cell: str, kind: str) -> float:
    cell = cell.strip()
    if not cell and kind == "voltage":
        return np.nan
    try:
        value = float(cell)
    except ValueError:
        value = np.nan
    if np.isfinite(value):
        return value
    ways = {
        "voltage": "give a number with a decimal point, or leave the cell empty where nothing was recorded",
        "current": "give a number with a decimal point, 0 where nothing was injected",
        "time": "give a number with a decimal point",
    }
    raise ValueError(f"{path} line {line}, column {header} is {cell!r}; {ways[kind]}")


def _check_usual(path: Path, header: str, raw: np.ndarray, kind: str, unit: str) -> None:
    """Raises ValueError for numbers that cannot be in the unit that the header names."""
    if kind not in USUAL or not np.isfinite(raw).any():
        return
    low, high = USUAL[kind]
    largest = float(np.nanmax(np.abs(raw)))
    inside = largest * UNITS[kind][unit]
    if not low <= inside <= high:
        others = " or ".join(f"_{other}" for other in UNITS[kind] if other != unit)
        raise ValueError(
            f"{path}, column {header}: the largest value is {largest:g} {unit}, and no neuron's {kind} is that "
            f"{'large' if inside > high else 'small'}; where the numbers are in another unit, end the header in {others}, or "
            "convert them"
        )


def _check_milliseconds(path: Path, labels: list[str], time_ms: np.ndarray) -> None:
    """Raises ValueError if even the longest step within a sweep is too short for milliseconds."""
    order = np.array(labels)
    steps = [float(d) for label in dict.fromkeys(labels) for d in np.diff(time_ms[order == label])]
    longest = max(steps, default=0.0)
    if 0 < longest < SHORTEST_STEP_MS * (1 - 1e-6):  # 1 MHz itself, in rounded times
        raise ValueError(
            f"{path}, column time_ms: the longest step between rows of a sweep is {longest:.6g} ms, and no recording is sampled "
            f"at more than 1 MHz ({SHORTEST_STEP_MS:g} ms); did you mean time_s? End the header in _s, or convert the times"
        )
