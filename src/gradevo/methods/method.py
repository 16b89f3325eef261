"""What the registry says of a method, and how its settings come together: defaults, preset, what the study gives."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from gradevo.result import Status

TUNED = Path("config/tuned.yaml")
"""The preset "tuned" of every method: written by `snakemake tuning`, kept with the sources."""


class Outcome(NamedTuple):
    """How a method that returned by itself ended."""

    status: Status
    message: str


@dataclass(frozen=True)
class Method:
    """A fitting method.

    name; summary (one line); gradient (whether it asks for gradients); view (of transforms.VIEWS; the setting "view",
    where a method has one, overrides it); defaults (its settings and their default values); space (setting -> the values
    that tuning chooses from; empty for those that run as their users run them); presets (named settings, besides "tuned");
    module (imported when run); family ("gradient", "evolution", "hybrid" or "other": what the statistics compare with what);
    simulator (whose: "gradevo" where the method asks the meter for losses);
    data (what the method reads in the recordings besides their loss; empty for methods of any loss).
    """

    name: str
    summary: str
    gradient: bool
    view: str
    defaults: Mapping[str, Any]
    space: Mapping[str, tuple[Any, ...]]
    module: str
    presets: Mapping[str, Mapping[str, Any]]
    family: str
    simulator: str = "gradevo"
    data: str = ""

    def settings(self, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Defaults overridden by the preset (key "preset") and then by what is given.

        Raises ValueError for an unknown setting or preset, naming the known ones, for a value of another kind than the declared
        ones, and for a method never tuned.
        """
        given = dict(given or {})
        preset = given.pop("preset", None)
        chosen = {} if preset is None else self._preset(preset)
        settings = dict(self.defaults)
        for key, value in (chosen | given).items():
            settings[known(f"setting of {self.name}", key, self.defaults)] = value
            self._check_kind(key, value)
        return settings

    def _check_kind(self, key: str, value: Any) -> None:
        """Raises ValueError for text where a number belongs, or a fraction where a count does, by the values declared."""
        declared = [self.defaults[key], *self.space.get(key, ()), *(p[key] for p in self.presets.values() if key in p)]
        kinds = {type(one) for one in declared}
        if kinds == {type(None)} or type(value) in kinds or (type(value) is int and float in kinds):
            return
        names = {int: "a whole number", float: "a number", str: "a name", bool: "true or false", type(None): "null"}
        wanted = " or ".join(sorted({names.get(kind, kind.__name__) for kind in kinds}))
        # YAML 1.1 reads a number with an exponent and no point as text
        hint = "; in YAML, write 1.0e-3 and not 1e-3" if isinstance(value, str) and kinds & {int, float} and "e" in value else ""
        raise ValueError(f"{self.name}: {key} is {value!r}; it must be {wanted}, such as {self.defaults[key]!r}{hint}")

    @property
    def run(self) -> Callable[..., Outcome]:
        """`run(problem, meter, rng, **settings)`; imports the method's module."""
        return import_module(self.module).run

    def _preset(self, name: str) -> dict[str, Any]:
        if name != "tuned":
            return dict(self.presets[known(f"preset of {self.name}", name, [*self.presets, "tuned"])])
        tuned = read_tuned()
        if self.name not in tuned:
            raise ValueError(
                f"{TUNED} holds no settings of {self.name}; leave preset out for its defaults, or tune all methods: "
                "snakemake --cores all --configfile config/tuning.yaml -- tuning"
            )
        return tuned[self.name]


def read_tuned() -> dict[str, dict[str, Any]]:
    """Method -> tuned settings, from the source tree's or else the current folder's file; empty without one."""
    for folder in (Path(__file__).parents[3], Path.cwd()):
        if (folder / TUNED).is_file():
            return yaml.safe_load((folder / TUNED).read_text()) or {}
    return {}


def known(kind: str, name: str, names: Mapping[str, Any] | list[str]) -> str:
    """`name` if it is one of `names`. Raises ValueError otherwise, with the closest one and all of them."""
    if name not in names:
        close = difflib.get_close_matches(str(name), list(names), n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise ValueError(f"unknown {kind} {name!r}; {hint}known: {', '.join(names) or 'none'}")
    return name
