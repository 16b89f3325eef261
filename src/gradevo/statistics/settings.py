"""What the statistics are asked for: targets, planned comparisons, and the bootstrap's size and seed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from gradevo.methods import METHODS


class Target(NamedTuple):
    """A fit has reached a target where `column` of its history is at most `limit` and stays so until its end.

    name; column; limit, a number, or a multiple of the fit's own loss target where `relative`.
    """

    name: str
    column: str
    limit: float
    relative: bool = False


LOSS_TARGET = "loss"
"""The target that is the study's own criterion of success in the loss."""


@dataclass(frozen=True)
class Settings:
    """The config's key ``statistics``.

    loss_factors: loss targets, in multiples of each problem's own; density_median_rel and density_max_rel: targets on the
    median and the largest relative error; pairs: planned comparisons (a method, the one it is compared with), or none for
    every gradient method with every evolutionary one; resamples and seed: of the bootstrap.
    """

    loss_factors: tuple[float, ...] = (1.0, 10.0, 100.0)
    density_median_rel: tuple[float, ...] = (0.01,)
    density_max_rel: tuple[float, ...] = (0.05,)
    pairs: tuple[tuple[str, str], ...] | None = None
    resamples: int = 2000
    seed: int = 0
    targets: tuple[Target, ...] = field(init=False)

    def __post_init__(self) -> None:
        factors = [1.0, *(factor for factor in self.loss_factors if factor != 1)]
        targets = [Target(LOSS_TARGET if f == 1 else f"loss x {f:g}", "best_loss", f, relative=True) for f in factors]
        for kind, limits in (("median", self.density_median_rel), ("max", self.density_max_rel)):
            targets += [Target(f"{kind} density error {100 * limit:g} %", f"density_error_{kind}_rel", limit) for limit in limits]
        object.__setattr__(self, "targets", tuple(targets))

    def compared(self, methods: Iterable[str]) -> list[tuple[str, str]]:
        """The planned pairs among these methods, in their order."""
        there = list(dict.fromkeys(methods))
        if self.pairs is not None:
            return [pair for pair in self.pairs if set(pair) <= set(there)]
        return [(a, b) for a in there if family(a) == "gradient" for b in there if family(b) == "evolution"]


def read_settings(declared: Mapping[str, Any] | None) -> Settings:
    """From the config's key ``statistics``, or what holds without one."""
    given: dict[str, Any] = dict(declared or {})
    return Settings(**{key: _frozen(value) for key, value in given.items()})


def family(method: str) -> str:
    """What a method is compared as: gradient, evolution, hybrid or other; other if it is not (or no longer) in the registry."""
    return METHODS[method].family if method in METHODS else "other"


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
