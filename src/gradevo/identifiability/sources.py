"""Which source files the tables of `snakemake identifiability` follow from, and their hash."""

from __future__ import annotations

import hashlib
from pathlib import Path

from gradevo.provenance import source_files

_PACKAGE = Path(__file__).parents[1]


def identifiability_files() -> list[Path]:
    """The simulation's, those of this package, and those that make the tables; sorted."""
    folders = (_PACKAGE / "identifiability", _PACKAGE / "figure_tables/identifiability")
    return sorted({*source_files(), *(path for folder in folders for path in folder.glob("*.py"))})


def identifiability_hash() -> str:
    """SHA-256 (hexadecimal) over their relative names and contents."""
    digest = hashlib.sha256()
    for path in identifiability_files():
        digest.update(path.relative_to(_PACKAGE).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
