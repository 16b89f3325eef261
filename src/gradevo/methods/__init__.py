"""The registry of fitting methods. A method is one file here and one entry below.

A method's file holds `run(problem, meter, rng, **settings) -> Outcome`, where `problem` is already in the method's
view. It asks the meter, never the problem, for losses; the meter ends the run by raising `RunEnded`, which the method
lets pass. It returns only when it has nothing more to try.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, NamedTuple

from gradevo.result import Status


class Outcome(NamedTuple):
    """How a method that returned by itself ended."""

    status: Status
    message: str


@dataclass(frozen=True)
class Method:
    """A fitting method.

    name; summary (one line); gradient (whether it asks for gradients); view (of transforms.VIEWS; the setting "view",
    where a method has one, overrides it); defaults (its settings and their default values); presets (named settings);
    module (imported when run).
    """

    name: str
    summary: str
    gradient: bool
    view: str
    defaults: Mapping[str, Any]
    module: str
    presets: Mapping[str, Mapping[str, Any]]

    def settings(self, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Defaults overridden by the preset (key "preset") and then by what is given.

        Raises ValueError for an unknown setting or preset, naming the known ones.
        """
        given = dict(given or {})
        preset = given.pop("preset", None)
        settings = dict(self.defaults)
        if preset is not None:
            settings.update(self.presets[_known(f"preset of {self.name}", preset, self.presets)])
        for key, value in given.items():
            settings[_known(f"setting of {self.name}", key, self.defaults)] = value
        return settings

    @property
    def run(self) -> Callable[..., Outcome]:
        """`run(problem, meter, rng, **settings)`; imports the method's module."""
        return import_module(self.module).run


def get_method(name: str) -> Method:
    """The method called `name`. Raises ValueError naming the closest known one."""
    return METHODS[_known("method", name, METHODS)]


def _known(kind: str, name: str, known: Mapping[str, Any]) -> str:
    if name not in known:
        close = difflib.get_close_matches(str(name), list(known), n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise ValueError(f"unknown {kind} {name!r}; {hint}known: {', '.join(known) or 'none'}")
    return name


def _method(
    name: str,
    summary: str,
    *,
    gradient: bool,
    view: str,
    defaults: dict[str, Any],
    presets: dict[str, dict[str, Any]] | None = None,
) -> Method:
    return Method(name, summary, gradient, view, defaults, f"gradevo.methods.{name}", presets or {})


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        _method(
            "adam",
            "Adam (torch.optim), several starts as one batch",
            gradient=True,
            view="logit",
            defaults={
                "starts": 4, "learning_rate": 0.05, "steps": None, "schedule": "cosine", "final_rate": 0.01,
                "view": "logit", "scale": 1.0,
            },
            # Jones and Kording: raw densities in mS/cm2 from the nominal values, learning rate 0.5, 200 steps
            presets={
                "published": {
                    "starts": 1, "learning_rate": 0.5, "steps": 200, "schedule": "constant",
                    "view": "identity", "scale": 1e-3,
                },
            },
        ),
        _method(
            "lbfgs",
            "L-BFGS-B (scipy), several starts as one batch, restarted until the budget ends",
            gradient=True,
            view="log",
            defaults={"starts": 4, "memory": 20, "tolerance": 1e-10, "restarts": None, "view": "log"},
        ),
        _method(
            "cma_es",
            "CMA-ES (pycma) in the unit box, restarted with doubled populations",
            gradient=False,
            view="unit",
            defaults={"population": None, "sigma": 0.2, "restarts": None, "growth": 2.0, "tolerance": 1e-11},
        ),
        _method(
            "genetic",
            "real-coded genetic algorithm (DEAP): simulated binary crossover, polynomial mutation, tournament, elitism",
            gradient=False,
            view="unit",
            defaults={
                "population": 64, "crossover_probability": 0.9, "crossover_eta": 15.0, "mutation_probability": 1.0,
                "mutation_eta": 20.0, "genes_mutated": 1.0, "tournament": 3, "elite": 2, "generations": None,
            },
        ),
        _method(
            "ibea",
            "BluePyOpt's indicator-based evolutionary algorithm, an objective per stimulus",
            gradient=False,
            view="unit",
            defaults={
                "population": 32, "eta": 10.0, "crossover_probability": 1.0, "mutation_probability": 1.0,
                "generations": None,
            },
        ),
    )
}  # fmt: skip
