"""Whether stored tables still belong to the sources and the config that are there now."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gradevo.config import Config
from gradevo.identifiability.sources import identifiability_hash
from gradevo.methods import METHODS
from gradevo.provenance import source_hash


def staleness(record: Mapping[str, Any], config: Config | None = None) -> list[str]:
    """Why the tables of a study are stale, a line each; empty where they are not.

    record: as from ``merge.record_of``; config: the present one, checked. Sources are all that affect a fit's result; whatever
    else changes leaves the tables as they are.
    """
    sources = dict(record["sources"])
    said = []
    if sources.pop("identifiability", None) not in (None, identifiability_hash()):
        said.append("the sources that the tables follow from are not those that made them")
    changed = [name for name, digest in sources.items() if name not in METHODS or digest not in _hashes(METHODS[name].module)]
    if changed:
        whose = "of all methods" if len(changed) == len(sources) else f"of {', '.join(changed)}"
        said.append(f"the sources that affect the fits {whose} are not those that made the tables")
    if config is not None:
        now, then = (json.loads(json.dumps(each)) for each in (config, record["config"]))
        keys = [key for key in dict.fromkeys([*then, *now]) if now.get(key) != then.get(key)]
        if keys:
            said.append(f"the config is not the one that made the tables: it differs in {', '.join(keys)}")
    return said


def _hashes(module: str) -> set[str]:
    """Of a method's present sources, wherever it computed."""
    return {source_hash(module, device) for device in ("cpu", "cuda")}
