"""Neurons and problems that a config declares many at a time: an entry with a `grid` stands for one entry per combination.

    sites:
      neuron: tree
      grid:
        recorded: { record_all: all, record_11: { spread: 11 } }
        noise_mV: { quiet: 0, noisy: 1 }

are the problems sites_record_all_quiet, sites_record_all_noisy, and so on. Values without names (a list) are called by
themselves: numbers after their key (regions6), words as they are.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from typing import Any

SMALL, FULL = "small", "full"


def expanded(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config with every grid written out, and without what is not for its scale. Expanding again changes nothing.

    Raises
    ------
    ValueError : for a grid that is none, a value that needs a name, two entries of one name, or an unknown scale
    """
    written = dict(config)
    for section in ("neurons", "problems"):
        if isinstance(config.get(section), Mapping):
            written[section] = _written_out(section, config[section])
    return _of_scale(written)


def _written_out(section: str, entries: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, declared in entries.items():
        for own, entry in _combinations(f"{section}.{name}", name, declared):
            if own in made:
                raise ValueError(f"{section}.{name} makes a second {own!r}; rename it, or a value of its grid")
            made[own] = entry
    return made


def _combinations(place: str, name: str, declared: Any) -> list[tuple[str, Any]]:
    """(name, entry) of every combination of a grid's values; a value of null leaves its key out."""
    if not isinstance(declared, Mapping) or "grid" not in declared:
        return [(name, declared)]
    grid = declared["grid"]
    if not isinstance(grid, Mapping) or not grid:
        raise ValueError(f"{place}.grid is {grid!r}; give the keys that vary, each with its values by name")
    axes = [[(key, *labelled) for labelled in _labelled(f"{place}.grid.{key}", key, values)] for key, values in grid.items()]
    rest = {key: value for key, value in declared.items() if key != "grid"}
    made = []
    for combination in itertools.product(*axes):
        varied = {key: value for key, _, value in combination}
        entry = {key: value for key, value in (rest | varied).items() if value is not None}
        made.append(("_".join([name, *(label for _, label, _ in combination)]), entry))
    return made


def _labelled(place: str, key: str, values: Any) -> list[tuple[str, Any]]:
    if isinstance(values, Mapping) and values:
        return [(str(label), value) for label, value in values.items()]
    if not isinstance(values, (list, tuple)) or not values:
        raise ValueError(f"{place} is {values!r}; give its values, as a list or by name")
    labels = [str(value) if isinstance(value, str) else f"{key.split('_')[0]}{value}" for value in values]
    for label, value in zip(labels, values, strict=True):
        if not re.fullmatch(r"[A-Za-z0-9]+(_[A-Za-z0-9]+)*", label):
            raise ValueError(f"{place}: {value!r} is no part of a name; give the values by name, such as {{ first: {value!r} }}")
    return list(zip(labels, values, strict=True))


def _of_scale(config: dict[str, Any]) -> dict[str, Any]:
    """Without problems that are declared for the full scale, unless that is the study's, and the neurons that only they use."""
    scale = config.pop("scale", SMALL)
    if scale not in (SMALL, FULL):
        raise ValueError(f"scale is {scale!r}; give {SMALL} or {FULL}")
    problems = config.get("problems")
    if not isinstance(problems, Mapping):
        return config
    kept, left_out = {}, []
    for name, problem in problems.items():
        needed = problem.get("scale", SMALL) if isinstance(problem, Mapping) else SMALL
        if needed not in (SMALL, FULL):
            raise ValueError(f"problems.{name}.scale is {needed!r}; give {SMALL} or {FULL}")
        if needed == FULL and scale == SMALL:
            left_out.append(problem.get("neuron"))
        else:
            kept[name] = {k: v for k, v in problem.items() if k != "scale"} if isinstance(problem, Mapping) else problem
    config["problems"] = kept
    used = [problem.get("neuron") for problem in kept.values() if isinstance(problem, Mapping)]
    if left_out and isinstance(config.get("neurons"), Mapping):
        config["neurons"] = {n: d for n, d in config["neurons"].items() if n in used or n not in left_out}
    return config
